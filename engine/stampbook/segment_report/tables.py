"""The numbers of a report: pure functions from a history and its runs to Polars frames.

Revenue is what was bought less what came back, over all of the history up to the instant of the report, in the smallest
unit of the currency, as in `stampbook.segments.share_table`. Percentages are of 100.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import polars as pl

from stampbook.netting import net_purchases
from stampbook.segments import share_table

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from stampbook.segment_report.survey import Judged

CUSTOMARY_BORDERS: Final = (("A", 80), ("B", 95))
"""Up to which share of revenue, in percent, accounts are A and B where no scheme says so; the rest is C."""

ABSENT: Final = "not there yet"
"""How accounts are called that the earlier run did not know."""

TO: Final = "to "
"""How the columns of a matrix begin, before the name of a segment."""

ALL: Final = "all together"
"""The heading of sums over all segments."""

CURVE_POINTS: Final = 160
"""How many points of a Pareto curve are drawn; its table has all of them."""


def worth(history: pl.LazyFrame, at: datetime) -> pl.DataFrame:
    """Return `account` and `revenue`, of every account with a purchase or return up to an instant, by account."""
    signed = pl.when(pl.col("kind") == "purchase").then(pl.col("amount")).otherwise(-pl.col("amount"))
    return (
        history.filter(pl.col("at") <= at)
        .group_by("account")
        .agg(signed.sum().cast(pl.Int64).alias("revenue"))
        .sort("account")
        .collect()
    )


def segment_table(judged: Judged, history: pl.LazyFrame, value: Judged | None = None) -> pl.DataFrame:
    """Return what each segment of a run is worth: `share_table`, and the mean lifetime value where a run says it.

    Args:
        judged: the run.
        history: all purchases and returns.
        value: a run whose frame has `expected_value`, in the smallest unit.
    """
    table = share_table(judged.run, history)
    if value is None or "expected_value" not in value.run.frame.columns:
        return table
    means = (
        judged.run.frame.select("account", "segment")
        .join(value.run.frame.select("account", "expected_value"), on="account", how="inner")
        .group_by("segment")
        .agg(pl.col("expected_value").mean().alias("mean_expected_value"))
    )
    return table.join(means, on="segment", how="left", maintain_order="left")


def grid(judged: Judged, revenue: pl.DataFrame) -> pl.DataFrame:
    """Return accounts and revenue of each cell of recency and frequency: r, f, segment, accounts, revenue, percents.

    A cell whose accounts are in several segments is named by the one of most accounts, with an ellipsis.
    """
    named = judged.run.frame.select("account", "segment", "r", "f").join(revenue, on="account", how="left")
    largest = (
        named.group_by("r", "f", "segment")
        .len()
        .sort("r", "f", "len", "segment", descending=[False, False, True, False])
        .group_by("r", "f", maintain_order=True)
        .agg(pl.col("segment").first(), pl.len().alias("names"))
        .select(
            "r",
            "f",
            pl.when(pl.col("names") > 1).then(pl.col("segment") + " …").otherwise(pl.col("segment")).alias("segment"),
        )
    )
    cells = named.group_by("r", "f").agg(
        pl.len().cast(pl.Int64).alias("accounts"), pl.col("revenue").sum().cast(pl.Int64)
    )
    return (
        cells.join(largest, on=["r", "f"])
        .sort("r", "f", descending=True)
        .select(
            pl.col("r", "f").cast(pl.Int64),
            "segment",
            "accounts",
            _percent("accounts").alias("accounts_percent"),
            "revenue",
            _percent("revenue").alias("revenue_percent"),
        )
    )


def _percent(column: str) -> pl.Expr:
    total = pl.col(column).sum()
    return pl.when(total > 0).then(100 * pl.col(column) / total)


def moved(before: Judged, after: Judged, revenue: pl.DataFrame) -> pl.DataFrame:
    """Return accounts whose segment is another than before, those of most revenue first.

    Columns: account, before (null where the account was not there yet), after, revenue.
    """
    return (
        _both(before, after)
        .filter(pl.col("before").ne_missing(pl.col("after")))
        .join(revenue, on="account", how="left")
        .sort(["revenue", "account"], descending=[True, False], nulls_last=True)
    )


def flow(before: Judged, after: Judged) -> pl.DataFrame:
    """Return how many accounts went from each segment to each: before, after, accounts, percent of those before."""
    return (
        _both(before, after)
        .group_by("before", "after")
        .agg(pl.len().cast(pl.Int64).alias("accounts"))
        .with_columns(percent=100 * pl.col("accounts") / pl.col("accounts").sum().over("before"))
        .sort("before", "after", nulls_last=True)
    )


def by_revenue(flow: pl.DataFrame, after: Judged, revenue: pl.DataFrame) -> list[str]:
    """Return the segments of a flow: those of most revenue first, then those that nobody is in any more."""
    worth_of = (
        after.run.frame.select("account", "segment")
        .join(revenue, on="account", how="left")
        .group_by("segment")
        .agg(pl.col("revenue").sum())
        .sort(["revenue", "segment"], descending=[True, False])
    )
    now = worth_of["segment"].to_list()
    return [*now, *sorted(set(flow["before"].drop_nulls()) - set(now))]


def transitions(flow: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """Return a flow as a matrix, whose last row is of those who came since.

    Columns: `before`, one for each name, which begins with `TO` since a segment may be called anything, and `ALL`.
    """
    counts = {(row["before"], row["after"]): row["accounts"] for row in flow.to_dicts()}
    rows = []
    for before in (*names, None):
        cells = {TO + name: counts.get((before, name), 0) for name in names}
        rows.append({"before": before or ABSENT} | cells | {ALL: sum(cells.values())})
    return pl.DataFrame(
        rows, schema={"before": pl.String} | dict.fromkeys((*(TO + name for name in names), ALL), pl.Int64)
    )


def _both(before: Judged, after: Judged) -> pl.DataFrame:
    earlier = before.run.frame.select("account", before="segment")
    later = after.run.frame.select("account", after="segment")
    return earlier.join(later, on="account", how="full", coalesce=True).sort("account")


def pareto(revenue: pl.DataFrame) -> pl.DataFrame:
    """Return accounts from the most revenue to the least, with what the first so many bring together.

    Columns: rank (1 is first), account, revenue, cumulative_revenue, accounts_percent, revenue_percent. An account
    whose revenue is below zero counts as nothing here, so that the curve never falls. Equal accounts stand in the order
    of their refs.
    """
    counted = pl.col("revenue").clip(lower_bound=0)
    return (
        revenue.sort(["revenue", "account"], descending=[True, False])
        .with_columns(rank=pl.int_range(1, pl.len() + 1, dtype=pl.Int64), cumulative_revenue=counted.cum_sum())
        .with_columns(
            accounts_percent=100 * pl.col("rank") / pl.len(),
            revenue_percent=pl.when(counted.sum() > 0).then(100 * pl.col("cumulative_revenue") / counted.sum()),
        )
        .select("rank", "account", "revenue", "cumulative_revenue", "accounts_percent", "revenue_percent")
    )


def classes(curve: pl.DataFrame, judged: Judged | None = None) -> pl.DataFrame:
    """Return the classes of a Pareto curve in the order of their value: class, accounts, revenue, and both percents.

    Where no run says which account is in which, the customary borders do: an account is A as long as those before it
    bring less than 80 % of revenue, so that the account that crosses the border is in; B likewise up to 95 %.
    """
    if judged is None:
        names = pl.lit("C")
        for name, border in reversed(CUSTOMARY_BORDERS):
            # in whole numbers: 100 x what came before < border x total
            total = pl.col("cumulative_revenue").last()
            came = pl.col("cumulative_revenue").shift(1, fill_value=0)
            names = pl.when((100 * came < border * total) & (pl.col("revenue") > 0)).then(pl.lit(name)).otherwise(names)
        named = curve.with_columns(names.alias("class"))
    else:
        named = curve.join(judged.run.frame.select("account", pl.col("segment").alias("class")), on="account")
    return (
        named.group_by("class")
        .agg(pl.len().cast(pl.Int64).alias("accounts"), pl.col("revenue").sum(), pl.col("rank").mean().alias("place"))
        .sort("place", "class")
        .select(
            "class",
            "accounts",
            _percent("accounts").alias("accounts_percent"),
            "revenue",
            _percent("revenue").alias("revenue_percent"),
        )
    )


def thinned(curve: pl.DataFrame) -> pl.DataFrame:
    """Return so much of a Pareto curve that it looks the same: from the origin, denser where it is steep."""
    height = len(curve)
    ranks = sorted(
        {max(1, round(height * (k / CURVE_POINTS) ** 2)) for k in range(1, CURVE_POINTS + 1)} if height else ()
    )
    start = pl.DataFrame({"accounts_percent": [0.0], "revenue_percent": [0.0]})
    drawn = curve.filter(pl.col("rank").is_in(sorted(ranks))).select("accounts_percent", "revenue_percent")
    return pl.concat([start, drawn])


def cohorts(history: pl.LazyFrame, at: datetime, zone: str) -> pl.DataFrame:
    """Return how many accounts of each month of first purchase bought again so many months later.

    Columns: cohort (the first day of the month), months (0 is the month of the first purchase), accounts (in the
    cohort), active (with a purchase in that month), percent, and revenue. Purchases count of which something was kept;
    months are those of the program's time zone. A month in which nobody of a cohort bought is there with 0; the last
    one may not be over.
    """
    import narwhals as nw

    bought: pl.LazyFrame = net_purchases(nw.from_native(history), at).filter(nw.col("counted")).to_native()
    month = pl.col("at").dt.convert_time_zone(zone).dt.date().dt.truncate("1mo")
    by_month = (
        bought.with_columns(month=month)
        .group_by("account", "month")
        .agg(pl.col("net").sum().cast(pl.Int64))
        .with_columns(cohort=pl.col("month").min().over("account"))
        .with_columns(months=_months(pl.col("month")) - _months(pl.col("cohort")))
    )
    active = by_month.group_by("cohort", "months").agg(
        pl.len().cast(pl.Int64).alias("active"), pl.col("net").sum().alias("revenue")
    )
    sizes = by_month.filter(pl.col("months") == 0).group_by("cohort").agg(pl.len().cast(pl.Int64).alias("accounts"))
    last = pl.lit(at).dt.convert_time_zone(zone).dt.date()
    every = sizes.with_columns(
        months=pl.int_ranges(0, _months(last) - _months(pl.col("cohort")) + 1, dtype=pl.Int32)
    ).explode("months")
    return (
        every.join(active, on=["cohort", "months"], how="left")
        .with_columns(pl.col("active", "revenue").fill_null(0))
        .select(
            "cohort",
            "months",
            "accounts",
            "active",
            (100 * pl.col("active") / pl.col("accounts")).alias("percent"),
            "revenue",
        )
        .sort("cohort", "months")
        .collect()
    )


def _months(day: pl.Expr) -> pl.Expr:
    return (day.dt.year() * 12 + day.dt.month()).cast(pl.Int32)


def over_time(runs: Sequence[Judged]) -> pl.DataFrame:
    """Return how many accounts were in each segment at each instant: at, segment, accounts, percent."""
    schema: dict[str, Any] = {"at": pl.Datetime("us", "UTC"), "segment": pl.String, "accounts": pl.Int64}
    parts = [
        judged.run.frame.group_by("segment")
        .agg(pl.len().cast(pl.Int64).alias("accounts"))
        .select(pl.lit(judged.run.at).cast(schema["at"]).alias("at"), "segment", "accounts")
        for judged in runs
    ]
    together = pl.concat([pl.DataFrame(schema=schema), *parts])
    return together.with_columns(percent=100 * pl.col("accounts") / pl.col("accounts").sum().over("at")).sort(
        "at", "segment"
    )
