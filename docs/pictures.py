"""The pictures of docs/segments.md, drawn as those of the report are.

Most show a year of a real shop (examples/online_retail), by the program of the demo and the schemes of `MORE`. Returns
stand at their own time there, since finding their purchases takes the ledger; `make demo` does that. The shop's books
hold no stored value, no discounts and no categories, and no model of lifetime value finds that anybody dropped out in
that year, so schemes that need these are shown with a made-up market, which is the same on every machine.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import altair as alt
import polars as pl

from stampbook.loading import load
from stampbook.population import Frames
from stampbook.segment_report import charts, tables
from stampbook.segment_report.gathering import survey
from stampbook.segment_report.look import SERIES, inline, standing_alone, svg
from stampbook.segment_report.models import value_section
from stampbook.segment_report.parts import WIDE
from stampbook.segment_report.sections import sections
from stampbook.testing.histories import PROGRAM as MARKET_PROGRAM
from stampbook.testing.histories import Market, frames

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from stampbook.segment_report.parts import Section
    from stampbook.segment_report.survey import Judged, Survey

    Draw = Callable[[int], alt.TopLevelMixin]

ROOT = Path(__file__).parents[1]
INVOICES = ROOT / "examples" / "online_retail" / "online_retail.parquet"
PROGRAM = ROOT / "config" / "online_retail.toml"
AT = "2011-12-09T23:59:59"

MORE: Final = """
[attributes]
country = "text"

[[plugin]]
use = "churn"

[[plugin]]
use = "lifecycle"

[[plugin]]
use = "spending"

[[plugin]]
use = "attributes"
attribute = "country"
other = "elsewhere"

[plugin.values]
"United Kingdom" = ["United Kingdom"]
Ireland = ["EIRE"]
"the continent" = [
    "Austria", "Belgium", "Denmark", "Finland", "France", "Germany", "Greece", "Italy", "Netherlands", "Norway",
    "Poland", "Portugal", "Spain", "Sweden", "Switzerland",
]

[[plugin]]
use = "custom"
window = "12 months"
otherwise = "others"

[[plugin.rule]]
segment = "wholesale"
when = "history.orders >= 2 and history.mean_order >= 1000"

[[plugin.rule]]
segment = "regulars"
when = "history.orders >= 6 and history.days_since_last <= 60"

[[plugin.rule]]
segment = "win back"
when = "history.net >= 500 and history.days_since_last > 90"

[[plugin.rule]]
segment = "once"
when = "history.orders == 1"
"""

MARKET = Market(accounts=2_000, seed=5)
MARKET_AT = "2024-12-29T23:59:59"
MARKET_SCHEMES: Final = """
[[plugin]]
use = "clv"

[[plugin]]
use = "behaviour"
returned_from = "30%"
discounted_from = "50%"

[[plugin]]
use = "balance"
by = "both"
amounts = ["50"]
names = ["high", "low"]

[[plugin]]
use = "preference"
"""


def pictures() -> dict[str, Callable[[], str]]:
    """Return what draws each picture, by the name of its file."""
    drawn = _of_the_shop() | _of_the_market()
    return {f"{name}.svg": partial(_drawn, draw) for name, draw in drawn.items()}


def _drawn(draw: Draw) -> str:
    return standing_alone(svg(draw(WIDE)))


def _of_the_shop() -> dict[str, Draw]:
    seen = _survey(PROGRAM.read_text(encoding="utf-8") + MORE, _shop, AT)
    shares_of = {name: _accounts_and_revenue(seen, name) for name in ("attributes", "custom")}
    return _reported(sections(seen)) | {"spending": _spending(seen)} | shares_of


def _of_the_market() -> dict[str, Draw]:
    seen = _survey(MARKET_PROGRAM + MARKET_SCHEMES, lambda _: frames(MARKET), MARKET_AT)
    shares_of = {name: _accounts_and_revenue(seen, name) for name in ("behaviour", "preference")}
    return _reported([value_section(_judged(seen, "clv"))]) | {"balance": _balance(seen)} | shares_of


def _reported(found: Sequence[Section]) -> dict[str, Draw]:
    return {picture.name: picture.draw for section in found for picture in section.pictures}


def _spending(seen: Survey) -> Draw:
    """Draw the curve of those who kept something, with the classes of `spending` on it."""
    run = _judged(seen, "spending")
    buyers = run.run.frame.filter(pl.col("segment") != "none").select("account")
    curve = tables.pareto(tables.worth(seen.history, seen.at).join(buyers, on="account", how="semi"))
    return partial(charts.pareto_curve, tables.thinned(curve), tables.classes(curve, run))


def _balance(seen: Survey) -> Draw:
    """Draw the layers and movements of those who hold something."""
    held = (
        _judged(seen, "balance")
        .run.frame.filter(pl.col("segment") != "empty")
        .group_by("segment")
        .agg(pl.len().alias("accounts"), pl.col("balance").sum().alias("stored value"))
        .sort("segment")
        .with_columns(pl.col(name) * 100 / pl.col(name).sum() for name in ("accounts", "stored value"))
    )
    order = [f"{layer}_{move}" for layer in ("high", "low") for move in ("rising", "steady", "falling", "dormant")]
    return partial(shares, held, order=[name for name in order if name in held["segment"]])


def _survey(program: str, history_of: Callable[[str], Frames], at: str) -> Survey:
    registry = load(program, "docs/pictures.py")
    calendar = registry.context.calendar
    return survey(registry, history_of(calendar.zone), calendar.parse(at))


def _judged(seen: Survey, plugin: str) -> Judged:
    run = seen.made_by(plugin)
    if run is None:
        raise LookupError(f"the program of the pictures has no {plugin}")
    return run


def _accounts_and_revenue(seen: Survey, plugin: str) -> Draw:
    table = tables.segment_table(_judged(seen, plugin), seen.history).sort(
        ["accounts", "segment"], descending=[True, False]
    )
    parts = table.select("segment", accounts="accounts_percent", revenue="revenue_percent")
    return partial(shares, parts, order=parts["segment"].to_list())


def shares(parts: pl.DataFrame, width: int, *, order: Sequence[str]) -> alt.TopLevelMixin:
    """Draw for each segment its share of the accounts and of something else, one bar above the other.

    Args:
        parts: segment, and two columns of percents, whose names stand in the legend.
        width: of the picture, in pixels.
        order: of the segments, from above.
    """
    names = [name for name in parts.columns if name != "segment"]
    values = [
        {"segment": row["segment"], "what": name, "percent": row[name], "text": f"{row[name]:.1f} %"}
        for row in parts.to_dicts()
        for name in names
    ]
    base = alt.Chart(inline(values)).encode(
        x=alt.X("percent:Q", title="share of all, %", axis=alt.Axis(tickCount=5)),
        y=alt.Y("segment:N", title=None, sort=list(order), scale=alt.Scale(paddingInner=0.25)),
        yOffset=alt.YOffset("what:N", sort=names),
    )
    colours = alt.Scale(domain=names, range=list(SERIES[: len(names)]))
    bars = base.mark_bar().encode(color=alt.Color("what:N", scale=colours, legend=alt.Legend(symbolType="square")))
    texts = base.mark_text(align="left", baseline="middle", dx=4, fontSize=11, fill="currentColor").encode(
        text="text:N"
    )
    return alt.layer(bars, texts).properties(width=width - 160, height=44 * len(parts))


def _shop(zone: str) -> Frames:
    lines = pl.scan_parquet(INVOICES).filter(pl.col("CustomerID").is_not_null())
    accounts = (
        lines.sort("InvoiceDate", "InvoiceNo")
        .group_by(pl.col("CustomerID").cast(pl.Int64).cast(pl.String).alias("account"))
        .agg(
            pl.col("InvoiceDate").first().cast(pl.Datetime("us")).alias("opened_at"),
            pl.col("Country").last().alias("country"),
        )
        .sort("account")
        .with_columns(_utc("opened_at", zone), status=pl.lit("open"))
    )
    return Frames(history(zone), accounts=accounts)


def _utc(column: str, zone: str) -> pl.Expr:
    return pl.col(column).dt.replace_time_zone(zone).dt.convert_time_zone("UTC")


def history(zone: str) -> pl.LazyFrame:
    """Return the shop's invoices as a history, and its cancellations as returns that name no purchase."""
    pennies = (pl.col("Quantity") * pl.col("UnitPrice") * 100).round().cast(pl.Int64)
    is_return = pl.col("event").str.starts_with("C")
    return (
        pl.scan_parquet(INVOICES)
        .filter(pl.col("CustomerID").is_not_null())
        .group_by("InvoiceNo")
        .agg(
            pl.col("CustomerID").first().cast(pl.Int64).cast(pl.String).alias("account"),
            pl.col("InvoiceDate").min().cast(pl.Datetime("us")).alias("at"),
            pennies.sum().abs().alias("amount"),
        )
        .rename({"InvoiceNo": "event"})
        .sort("at", "event")
        .select(
            "account",
            _utc("at", zone),
            pl.when(is_return).then(pl.lit("return")).otherwise(pl.lit("purchase")).alias("kind"),
            "amount",
            "event",
            pl.lit(None, pl.String).alias("about"),
        )
    )
