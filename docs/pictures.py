"""The pictures of docs/segments.md: a year of a real shop (examples/online_retail), by the program of the demo.

Returns stand at their own time here, since finding their purchases takes the ledger; `make demo` does that.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from stampbook.loading import load_file
from stampbook.segment_report.gathering import survey
from stampbook.segment_report.look import standing_alone, svg
from stampbook.segment_report.parts import WIDE
from stampbook.segment_report.sections import sections

if TYPE_CHECKING:
    from collections.abc import Callable

    from stampbook.segment_report.parts import Picture

ROOT = Path(__file__).parents[1]
INVOICES = ROOT / "examples" / "online_retail" / "online_retail.parquet"
PROGRAM = ROOT / "config" / "online_retail.toml"
AT = "2011-12-09T23:59:59"


def pictures() -> dict[str, Callable[[], str]]:
    """Return what draws each picture, by the name of its file."""
    registry = load_file(PROGRAM)
    calendar = registry.context.calendar
    found = sections(survey(registry, history(calendar.zone), calendar.parse(AT)))
    drawn = {picture.name: picture for section in found for picture in section.pictures}
    return {f"{name}.svg": partial(_drawn, picture) for name, picture in drawn.items()}


def _drawn(picture: Picture) -> str:
    return standing_alone(svg(picture.draw(WIDE)))


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
            pl.col("at").dt.replace_time_zone(zone).dt.convert_time_zone("UTC"),
            pl.when(is_return).then(pl.lit("return")).otherwise(pl.lit("purchase")).alias("kind"),
            "amount",
            "event",
            pl.lit(None, pl.String).alias("about"),
        )
    )
