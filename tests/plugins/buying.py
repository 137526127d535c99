"""Histories of a few accounts, and schemes of a program run over them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from inspect import signature
from pathlib import Path
from typing import Any, Literal

import polars as pl
from hypothesis import strategies as st

from stampbook import load_program
from stampbook.population import Frames, frames_wanted
from stampbook.run_frames import RunFrames

START = datetime(2025, 1, 1, tzinfo=UTC)
END = START + timedelta(days=60)
ACCOUNTS = "abcdefg"
PROGRAM = """
[program]
name = "Corner Shop"
currency = "GBP"

[assets.points]

[[plugin]]
"""
SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "account": pl.String,
    "at": pl.Datetime("us", "UTC"),
    "kind": pl.String,
    "amount": pl.Int64,
    "event": pl.String,
    "about": pl.String,
}


@dataclass(frozen=True)
class Row:
    account: str
    day: float
    kind: Literal["purchase", "return"]
    amount: int
    event: str
    about: str | None = None


def scheme(options: str) -> Any:
    """Return the only scheme of a program with these options."""
    ((_, plugin),) = load_program(PROGRAM + options).segmenters()
    return plugin


def frame(rows: list[Row]) -> pl.LazyFrame:
    data = [(row.account, START + timedelta(days=row.day), row.kind, row.amount, row.event, row.about) for row in rows]
    return pl.LazyFrame(data, schema=SCHEMA, orient="row")


def segmented(
    options: str, history: list[Row] | pl.LazyFrame, at: datetime = END, **frames: pl.LazyFrame
) -> pl.DataFrame:
    native = frame(history) if isinstance(history, list) else history
    plugin, seen = scheme(options), RunFrames(Frames(native, **frames), at)
    named = signature(plugin.segment).parameters
    given = {name: seen.frame(name, plugin.name) for name in frames_wanted(plugin) if name in named}
    result: pl.DataFrame = plugin.segment(at=at, **given).collect("polars").to_native()
    return result.sort("account")


def named(options: str, history: list[Row] | pl.LazyFrame, **frames: pl.LazyFrame) -> dict[str, str]:
    return dict(segmented(options, history, END, **frames).select("account", "segment").rows())


def worth(**amounts: int) -> list[Row]:
    """Return one purchase of each account."""
    return [Row(account, 1, "purchase", amount, account) for account, amount in amounts.items()]


@st.composite
def histories(draw: st.DrawFn) -> list[Row]:
    """Many ties among few accounts; a return names a purchase or nothing."""
    rows: list[Row] = []
    for number in range(draw(st.integers(0, 30))):
        account = draw(st.sampled_from(ACCOUNTS))
        amount = draw(st.sampled_from([0, 1, 5, 5, 10, 100]))
        day = draw(st.integers(0, 50))
        if not rows or draw(st.integers(0, 3)):
            rows.append(Row(account, day, "purchase", amount, f"e{number}"))
        else:
            about = draw(st.sampled_from([None, *(row.event for row in rows)]))
            rows.append(Row(account, day, "return", amount, f"e{number}", about))
    return rows


def online_retail() -> pl.LazyFrame:
    """Return the identified customers of UCI Online Retail, an invoice a row; those that begin with C come back."""
    path = Path(__file__).parents[2] / "examples" / "online_retail" / "online_retail.parquet"
    pence = (pl.col("Quantity") * pl.col("UnitPrice") * 100).round().cast(pl.Int64)
    return (
        pl.scan_parquet(path)
        .filter(pl.col("CustomerID").is_not_null())
        .group_by("CustomerID", "InvoiceNo")
        .agg(pl.col("InvoiceDate").min(), pence.sum().alias("pence"))
        .select(
            account=pl.col("CustomerID").cast(pl.String),
            at=pl.col("InvoiceDate").dt.replace_time_zone("UTC"),
            kind=pl.when(pl.col("pence") < 0).then(pl.lit("return")).otherwise(pl.lit("purchase")),
            amount=pl.col("pence").abs(),
            event=pl.col("InvoiceNo"),
            about=pl.lit(None, pl.String),
        )
    )
