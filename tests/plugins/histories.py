"""Histories in short words, for tests of segmentation schemes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from stampbook.loading import load
from stampbook.segments import run_segments

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stampbook.population import Frames

START = datetime(2025, 1, 1, tzinfo=UTC)
TIME = pl.Datetime("us", "UTC")
Schema = dict[str, pl.DataType | type[pl.DataType]]
HISTORY: Schema = {
    "account": pl.String, "at": TIME, "kind": pl.String, "amount": pl.Int64, "event": pl.String, "about": pl.String,
    "discount": pl.Int64, "channel": pl.String, "store": pl.String,
}  # fmt: skip
LINES: Schema = {
    "account": pl.String, "at": TIME, "kind": pl.String, "event": pl.String, "about": pl.String, "sku": pl.String,
    "category": pl.String, "labels": pl.String, "quantity": pl.Int64, "amount": pl.Int64,
}  # fmt: skip
MOVEMENTS: Schema = {"account": pl.String, "at": TIME, "kind": pl.String, "amount": pl.Int64}
ACTIVITY: Schema = {"account": pl.String, "at": TIME, "kind": pl.String, "reason": pl.String}
COUNTS: Schema = {
    "account": pl.String, "at": TIME, "metric": pl.String, "value": pl.String, "day": pl.Date, "amount": pl.Int64,
}  # fmt: skip
PIECE = 1_000_000

Row = dict[str, Any]


def day(number: float) -> datetime:
    return START + timedelta(days=number)


def buys(account: str, on_day: float, amount: int, event: str = "", **more: Any) -> Row:
    """Return a purchase of `amount` minor units on a day, counted from the start."""
    return {
        "account": account, "at": day(on_day), "kind": "purchase", "amount": amount, "about": None,
        "event": event or f"{account}@{on_day}", "discount": 0, "channel": None, "store": None, **more,
    }  # fmt: skip


def gives_back(account: str, on_day: float, amount: int, about: str | None = None) -> Row:
    return buys(account, on_day, amount, f"{account}-{on_day}", kind="return", about=about)


def line(account: str, on_day: float, category: str, amount: int, *, pieces: int = 1, **more: Any) -> Row:
    """Return a line of a purchase of that day."""
    return {
        "account": account, "at": day(on_day), "kind": "purchase", "event": f"{account}@{on_day}", "about": None,
        "sku": category, "category": category, "labels": "", "quantity": pieces * PIECE, "amount": amount, **more,
    }  # fmt: skip


def history(rows: Iterable[Row]) -> pl.LazyFrame:
    return pl.LazyFrame(list(rows), schema=HISTORY)


def lines(rows: Iterable[Row]) -> pl.LazyFrame:
    return pl.LazyFrame(list(rows), schema=LINES)


def movements(rows: Iterable[tuple[str, float, str, int]]) -> pl.LazyFrame:
    told = [(account, day(on_day), kind, amount) for account, on_day, kind, amount in rows]
    return pl.LazyFrame(told, schema=MOVEMENTS, orient="row")


def activity(rows: Iterable[tuple[str, float, str]]) -> pl.LazyFrame:
    told = [(account, day(on_day), kind, None) for account, on_day, kind in rows]
    return pl.LazyFrame(told, schema=ACTIVITY, orient="row")


def counts(rows: Iterable[tuple[str, float, str, str | None, float, int]]) -> pl.LazyFrame:
    """Return changes of metrics: account, the day on which they happened, metric, text, the day that counts, amount."""
    told = [(ref, day(at), metric, text, day(on).date(), amount) for ref, at, metric, text, on, amount in rows]
    return pl.LazyFrame(told, schema=COUNTS, orient="row")


def accounts(rows: Iterable[Row], *attributes: str) -> pl.LazyFrame:
    """Return accounts, open since the start unless they say otherwise."""
    schema: Schema = {
        "account": pl.String,
        "opened_at": TIME,
        "status": pl.String,
        **dict.fromkeys(attributes, pl.String),
    }
    return pl.LazyFrame([{"opened_at": START, "status": "open", **row} for row in rows], schema=schema)


HEAD = """
[program]
name = "Shop"
currency = "GBP"
"""


def program(use: str, options: str = "", head: str = "") -> str:
    return f'{HEAD}{head}\n[[plugin]]\nuse = "{use}"\n{options}\n'


def run(text: str, frames: Frames | pl.LazyFrame, at: float = 100) -> pl.DataFrame:
    """Run the only scheme of a program as of a day."""
    [made] = run_segments(load(text).segmenters(), frames, day(at))
    return made.frame


def segments(text: str, frames: Frames | pl.LazyFrame, at: float = 100) -> dict[str, str]:
    frame = run(text, frames, at)
    return dict(zip(frame["account"], frame["segment"], strict=True))
