"""The arithmetic of spending levels on narwhals frames: the same levels on Polars, DuckDB and Spark.

Buyers, the accounts with an order that counts in the window, are each other's peers. An order counts of which
something was kept; what comes back is taken off with the purchase that it names. By shares or in equal parts the
levels are the tie-safe classes of `stampbook.percent_class` and `stampbook.quantile_class`: equal buyers are always in
one level, and a level has at most its share together with all above it, as a tie stays with its worst member. By
amounts a buyer is in the highest level whose amount it reaches.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import narwhals as nw

from stampbook import cut_class, days_since, net_purchases, percent_class, quantile_class

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

RESULT_COLUMNS: Final = ("account", "segment", "value", "orders", "level")
MONTH_DAYS: Final = 30


@dataclass(frozen=True, slots=True)
class Levels:
    """Where levels begin.

    Attributes:
        names: of the levels, the highest first.
        without: the segment of accounts that are no buyers.
        borders: percent of the buyers below each level but the lowest, rising; empty for equal parts.
        amounts: the least of each level but the lowest, in minor units; empty unless they decide.
    """

    names: tuple[str, ...]
    without: str
    borders: tuple[int, ...] = ()
    amounts: tuple[int, ...] = ()


def measure(
    history: nw.LazyFrame[Any],
    at: datetime,
    by: Literal["total", "average_order", "per_active_month"],
    since: datetime | None = None,
) -> nw.LazyFrame[Any]:
    """Return account, value (minor units, null without an order that counts) and orders, one row an account."""
    within = nw.lit(value=True) if since is None else nw.col("at") >= since
    counted = nw.col("counted") & within
    sums = (
        net_purchases(history, at)
        .select(
            "account",
            _net=nw.when(within).then(nw.col("net")).otherwise(0),
            _order=nw.when(counted).then(1).otherwise(0),
            _at=nw.when(counted).then(nw.col("at")),
        )
        .group_by("account")
        .agg(
            _net=nw.col("_net").sum(),
            orders=nw.col("_order").sum().cast(nw.Int64),
            _first=nw.col("_at").min(),
            _last=nw.col("_at").max(),
        )
        .with_columns(_net=nw.col("_net").cast(nw.Int64))
    )
    net, parts = nw.col("_net"), nw.col("orders")
    if by == "per_active_month":
        engine = history.implementation
        days = days_since(nw.col("_first"), at, engine) - days_since(nw.col("_last"), at, engine)
        parts = days // MONTH_DAYS + 1
    value = net if by == "total" else _half_up(net, nw.when(nw.col("orders") > 0).then(parts))
    return sums.select("account", value=nw.when(nw.col("orders") > 0).then(value), orders=nw.col("orders"))


def classify(measured: nw.LazyFrame[Any], levels: Levels) -> nw.LazyFrame[Any]:
    """Return `RESULT_COLUMNS` of a frame of `measure`; level is 1 for the lowest, null for who is no buyer."""
    value = nw.col("value")
    if levels.amounts:
        level = cut_class(value, levels.amounts)
    elif levels.borders:
        level = percent_class(value, levels.borders)
    else:
        level = quantile_class(value, len(levels.names))
    named = nw.lit(levels.without)
    for number, name in enumerate(reversed(levels.names), start=1):
        named = nw.when(nw.col("level") == number).then(nw.lit(name)).otherwise(named)
    return measured.with_columns(level=level).with_columns(segment=named).select(*RESULT_COLUMNS)


def least(classified: nw.LazyFrame[Any], levels: Levels) -> dict[int, int]:
    """Return what the lowest buyer of each level that has any spends, by level; the frame is evaluated for this."""
    rows = (
        classified.filter(~nw.col("level").is_null())
        .group_by("level")
        .agg(least=nw.col("value").min())
        .collect("polars")
        .to_native()
        .rows()
    )
    found = dict(rows)
    fixed = dict(enumerate(reversed(levels.amounts), start=2))
    return {**found, **fixed}


def reason(account: Mapping[str, Any], begins: Mapping[int, int], money: Callable[[int], str] = str) -> str:
    """Say in one sentence why an account is in its level: "middle: 120.00 GBP in 3 orders, the next begins at 200.00".

    Args:
        account: its row of the result, by column.
        begins: what the levels begin with, of `least`.
        money: writes minor units for a person.
    """
    if account["level"] is None:
        return f"{account['segment']}: no order that counts in the window"
    orders = f"{account['orders']} order{'' if account['orders'] == 1 else 's'}"
    said = f"{account['segment']}: {money(account['value'])} in {orders}"
    higher = [level for level in begins if level > account["level"]]
    return f"{said}, the next level begins at {money(begins[min(higher)])}" if higher else said


def _half_up(number: nw.Expr, parts: nw.Expr) -> nw.Expr:
    # Halves go away from zero, as `stampbook.divide` has it, and engines disagree on `//` below zero.
    size = nw.when(number < 0).then(-number).otherwise(number)
    rounded = (size * 2 + parts) // (parts * 2)
    return nw.when(number < 0).then(-rounded).otherwise(rounded)
