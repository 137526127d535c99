"""The arithmetic of spending on narwhals frames.

Only purchases of which something was kept count, net of what came back of them, and lonely returns lower the sum. With
n accounts that bought in the window, an account is in the top share p if fewer than p x n spend strictly more. A mean
is rounded down to a minor unit before it is compared, so that it is exact and the same on every engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

from stampbook import by_borders, standing, top_class, worked_out
from stampbook_spending.config import cumulative

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from stampbook_spending.config import SpendingConfig

_MONTHS = 12
"""Of a year; a month is counted from the year 0, and is 0 where a row counts for none."""


def measure(purchases: nw.LazyFrame[Any], *, since: datetime | None, by: str, zone: str) -> nw.LazyFrame[Any]:
    """Return account, spent (minor units, net), orders, months (calendar months with one, in a time zone) and worth.

    `worth` is what is compared: minor units, or orders.
    """
    counted, net = nw.col("counted"), nw.col("net")
    if since is not None:
        within = nw.col("at") >= since
        counted, net = counted & within, nw.when(within).then(net).otherwise(0)
    local = nw.col("at").dt.convert_time_zone(zone)
    told = purchases.select(
        "account",
        _net=net,
        _order=nw.when(counted).then(1).otherwise(0),
        _month=nw.when(counted).then(local.dt.year() * _MONTHS + local.dt.month()).otherwise(0),
    )
    found = (
        told.group_by("account")
        .agg(
            spent=nw.col("_net").sum(),
            orders=nw.col("_order").sum(),
            _months=nw.col("_month").n_unique(),
            _least=nw.col("_month").min(),
        )
        .with_columns(months=nw.col("_months") - nw.when(nw.col("_least") == 0).then(1).otherwise(0))
    )
    names = ("spent", "orders", "months")
    found = found.select("account", *(nw.col(name).cast(nw.Int64) for name in names))
    return worked_out(found.with_columns(worth=_worth(by)))


def _worth(by: str) -> nw.Expr:
    spent, orders, months = nw.col("spent"), nw.col("orders"), nw.col("months")
    if by == "total":
        return spent
    if by == "orders":
        return orders
    over = orders if by == "mean_order" else months
    return spent // nw.when(over > 0).then(over).otherwise(1)


def classify(measured: nw.LazyFrame[Any], config: SpendingConfig, amounts: Sequence[int]) -> nw.LazyFrame[Any]:
    """Return account, segment, the columns of `measure`, and rank among those who bought: 1 spends most."""
    buyers = standing(measured.filter(nw.col("orders") > 0).select("account", "worth"), "worth")
    if amounts:
        borders = [int(amount) for amount in config.amounts] if config.by == "orders" else amounts
        named = by_borders(nw.col("worth"), borders, config.names)
    else:
        named = top_class(nw.col("better"), nw.col("n"), cumulative(config.shares), config.names)
    told = buyers.select("account", segment=named, rank=nw.col("better") + 1)
    return measured.join(told, on="account", how="left").select(
        "account", nw.col("segment").fill_null(config.none), "spent", "orders", "months", "worth", "rank"
    )
