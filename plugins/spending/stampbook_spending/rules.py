"""The arithmetic of spending on narwhals frames.

Only purchases of which something was kept count, net of what came back of them, and lonely returns lower the sum. With
n accounts that bought in the window, an account is in the top share p if fewer than p x n spend strictly more. A mean
is rounded down to a minor unit before it is compared, so that it is exact and the same on every engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

from stampbook import by_borders, from_on, net_purchases, standing, top_class
from stampbook_spending.config import cumulative

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from stampbook_spending.config import SpendingConfig

_MONTHS = 12


def measure(
    history: nw.LazyFrame[Any], at: datetime, *, since: datetime | None, by: str, zone: str
) -> nw.LazyFrame[Any]:
    """Return account, spent (minor units, net), orders, months (calendar months with one, in a time zone) and worth.

    `worth` is what is compared: minor units, or orders.
    """
    everyone = history.filter(nw.col("at") <= at).group_by("account").agg(_rows=nw.len()).select("account")
    bought = from_on(net_purchases(history, at), since)
    local = nw.col("at").dt.convert_time_zone(zone)
    months = (
        bought.filter(nw.col("counted"))
        .select("account", _month=local.dt.year() * _MONTHS + local.dt.month())
        .unique(subset=["account", "_month"])
        .group_by("account")
        .agg(months=nw.len())
    )
    sums = (
        bought.with_columns(_order=nw.when(nw.col("counted")).then(1).otherwise(0))
        .group_by("account")
        .agg(spent=nw.col("net").sum(), orders=nw.col("_order").sum())
        .join(months, on="account", how="left")
    )
    names = ("spent", "orders", "months")
    counts = [nw.col(name).fill_null(0).cast(nw.Int64) for name in names]
    found = everyone.join(sums, on="account", how="left").select("account", *counts)
    return found.with_columns(worth=_worth(by))


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
