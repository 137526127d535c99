"""Frames that others wrote: refused where they do not keep the promises on which schemes rely.

What a ledger hands over keeps them. An export of another system may not, and would quietly give wrong sums.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from stampbook.errors import InputError
from stampbook.population import checked, collected

if TYPE_CHECKING:
    from datetime import datetime

    import narwhals as nw
    import polars as pl

    from stampbook.population import Frames

_SALES: Final = frozenset({"history", "lines"})
"""Frames of purchases and returns, whose amounts are never negative."""


def check_frames(frames: Frames, at: datetime) -> int:
    """Return how many purchases and returns a history has up to an instant, if all frames are what they should be.

    Args:
        frames: with a history.
        at: the instant.

    Raises:
        InputError: a column is missing or of another type, or a row does not say what it must; one of them is named.
    """
    import narwhals as nw

    rows = 0
    for name, given in frames._asdict().items():
        if given is None:
            continue
        frame = checked(given, name)
        faults = _faults(name)
        wrongs = [nw.when(wrong).then(1).otherwise(0) for wrong in faults.values()]
        counts = frame.select(
            *(wrong.sum().alias(f"_{number}") for number, wrong in enumerate(wrongs)),
            _rows=nw.when(nw.col("opened_at" if name == "accounts" else "at") <= at).then(1).otherwise(0).sum(),
        )
        row = collected(counts).row(0, named=True)
        rows = int(row["_rows"] or 0) if name == "history" else rows
        for number, (fault, wrong) in enumerate(faults.items()):
            if row[f"_{number}"]:
                raise InputError(_told(name, fault, int(row[f"_{number}"]), frame.filter(wrong)))
    _check_once(checked(frames.history, "history"))
    return rows


def _faults(name: str) -> dict[str, nw.Expr]:
    """Return what rows of a frame must not be, and how to find those that are."""
    import narwhals as nw

    account, instant = nw.col("account"), "opened_at" if name == "accounts" else "at"
    faults = {
        "no account": account.is_null() | (account == ""),
        "no time": nw.col(instant).is_null(),
    }
    if name in _SALES:
        kind = nw.col("kind")
        faults["a kind that is neither purchase nor return"] = kind.is_null() | ~kind.is_in(["purchase", "return"])
    if name in _SALES or name in {"movements", "counts"}:
        faults["no amount"] = nw.col("amount").is_null()
    if name == "counts":
        faults["no metric"] = nw.col("metric").is_null()
        faults["no day"] = nw.col("day").is_null()
    if name in _SALES:
        faults["an amount below zero: what comes back is a return, with what it takes off"] = nw.col("amount") < 0
    return faults


def _told(name: str, fault: str, count: int, rows: nw.LazyFrame[Any]) -> str:
    known = rows.collect_schema().names()
    shown = [column for column in ("account", "event", "at") if column in known]
    row = collected(rows.select(*shown).head(1)).row(0, named=True)
    said = ", ".join(f"{column} {value}" for column, value in row.items() if value is not None)
    has = "1 row has" if count == 1 else f"{count:,} rows have"
    return f"{name}: {has} {fault}" + (f" ({said})" if said else "")


def _check_once(history: nw.LazyFrame[Any]) -> None:
    """Refuse a history in which two purchases of an account have one event id.

    Either a purchase is told twice, or a return could not say which of them it means.
    """
    import narwhals as nw
    import polars as pl

    bought = history.filter((nw.col("kind") == "purchase") & ~nw.col("event").is_null()).select("account", "event")
    native: Any = bought.to_native()
    if isinstance(native, pl.LazyFrame) and _all_differ(native):
        return
    twice = bought.group_by("account", "event").agg(rows=nw.len()).filter(nw.col("rows") > 1).head(1)
    for account, event, rows in collected(twice).iter_rows():
        message = f"history: account {account} has {rows} purchases with the event id {event}; each has its own"
        raise InputError(message)


def _all_differ(rows: pl.LazyFrame) -> bool:
    """Say whether rows surely differ: by a hash of each, which takes far less memory than the rows do."""
    import polars as pl

    hashes = rows.select(pl.struct("account", "event").hash()).collect(engine="streaming").to_series()
    return hashes.n_unique() == len(hashes)
