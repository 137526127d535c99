"""The arithmetic of balances on narwhals frames.

The balance is all that ever came in less all that ever went, in minor units of the program's currency: what is held or
waits included. Its change is that of the window. A balance is

* dormant: above zero, and for more than `dormant_days` nothing was taken and nothing came, expiry aside: what time
  takes is nobody's doing;
* rising, falling or steady: by the sign of its change.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import narwhals as nw

from stampbook import by_borders, days_since, standing, top_class

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from stampbook_balance.config import BalanceConfig


def segment(
    accounts: nw.LazyFrame[Any],
    movements: nw.LazyFrame[Any],
    at: datetime,
    *,
    since: datetime | None,
    config: BalanceConfig,
    amounts: Sequence[int],
) -> nw.LazyFrame[Any]:
    """Return the layer and movement of every account, and what they rest on; see the module."""
    amount, moved_at, done = nw.col("amount"), nw.col("at"), nw.col("kind") != "expiry"
    recent = amount if since is None else nw.when(moved_at >= since).then(amount).otherwise(0)
    sums = (
        movements.filter(moved_at <= at)
        .with_columns(
            _recent=recent,
            _spent_at=nw.when(done & (amount < 0)).then(moved_at),
            _moved_at=nw.when(done).then(moved_at),
        )
        .group_by("account")
        .agg(
            balance=amount.sum(),
            change=nw.col("_recent").sum(),
            _moved=nw.col("_moved_at").max(),
            _spent=nw.col("_spent_at").max(),
        )
    )
    engine = movements.implementation
    told = (
        accounts.select("account")
        .join(sums, on="account", how="left")
        .with_columns(
            balance=nw.col("balance").fill_null(0).cast(nw.Int64),
            change=nw.col("change").fill_null(0).cast(nw.Int64),
            days_since_spend=days_since(nw.col("_spent"), at, engine),
            _still=days_since(nw.col("_moved"), at, engine),
        )
    )
    told = told.join(_layers(told, config, amounts), on="account", how="left").with_columns(
        layer=nw.col("layer").fill_null(config.empty), movement=_movement(config)
    )
    names = {"layer": nw.col("layer"), "movement": nw.col("movement")}
    both = nw.concat_str([nw.col("layer"), nw.col("movement")], separator="_")
    held = nw.when(nw.col("balance") > 0).then(names.get(config.by, both)).otherwise(nw.lit(config.empty))
    columns = ("balance", "change", "layer", "movement", "days_since_spend")
    return told.with_columns(segment=held).select("account", "segment", *columns)


def _layers(told: nw.LazyFrame[Any], config: BalanceConfig, amounts: Sequence[int]) -> nw.LazyFrame[Any]:
    """Return account and layer of those that hold something."""
    holders = told.filter(nw.col("balance") > 0).select("account", "balance")
    if amounts:
        return holders.select("account", layer=by_borders(nw.col("balance"), amounts, config.names))
    ends = list(accumulate(Fraction(share.rstrip("%")) / 100 for share in config.shares))
    named = top_class(nw.col("better"), nw.col("n"), ends, config.names)
    return standing(holders, "balance").select("account", layer=named)


def _movement(config: BalanceConfig) -> nw.Expr:
    names, change = config.movements, nw.col("change")
    by_sign = (
        nw.when(change > 0)
        .then(nw.lit(names["rising"]))
        .otherwise(nw.when(change < 0).then(nw.lit(names["falling"])).otherwise(nw.lit(names["steady"])))
    )
    still = (nw.col("balance") > 0) & (nw.col("_still").fill_null(0) > config.dormant_days)
    return nw.when(still).then(nw.lit(names["dormant"])).otherwise(by_sign)
