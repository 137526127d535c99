"""The arithmetic of behaviour on narwhals frames.

Days are whole spans of 86,400 s from the last purchase of which something was kept to the instant of the run.

* active: at most `active_days`; lost: more than `lost_days`; potential: between the two.
* complaint_heavy: at least `complaints_from` events of the kinds of `complaints` in the window, or at least
  `returned_from` of the value of the purchases in the window came back, whenever it did.
* discount_driven: at least `discounted_orders` purchases in the window of which something was kept, and a discount was
  taken off at least `discounted_from` of them as a whole; discounts within a line's price are not seen.

The first mark of `first` that holds names the segment; the days do where none holds.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any, Final

import narwhals as nw

from stampbook import days_since, from_on

if TYPE_CHECKING:
    from datetime import datetime

    from stampbook_behaviour.config import BehaviourConfig

_DIGITS: Final = 6
_COLUMNS: Final = (
    "account", "segment", "days_since", "orders", "complaints", "returned_share", "discounted", "complaint_heavy",
    "discount_driven",
)  # fmt: skip


def segment(
    purchases: nw.LazyFrame[Any],
    activity: nw.LazyFrame[Any] | None,
    at: datetime,
    *,
    since: datetime | None,
    config: BehaviourConfig,
) -> nw.LazyFrame[Any]:
    """Return the segment of every account with a row up to an instant, and what it rests on; see the module."""
    told = _told(purchases, since)
    if activity is None:
        told = told.with_columns(complaints=nw.lit(0))
    else:
        told = told.join(_complaints(activity, at, since, config), on="account", how="left")
    counts = ("orders", "discounted", "complaints", "_amount", "_returned")
    told = told.with_columns(
        *(nw.col(name).fill_null(0).cast(nw.Int64) for name in counts),
        days_since=days_since(nw.col("_last"), at, purchases.implementation),
    )
    told = told.with_columns(
        returned_share=(
            nw.col("_returned") / nw.when(nw.col("_amount") > 0).then(nw.col("_amount")).otherwise(1).cast(nw.Float64)
        ).round(_DIGITS),
        complaint_heavy=_complains(config),
        discount_driven=_is_driven(config),
    )
    return told.with_columns(segment=_named(config)).select(*_COLUMNS)


def _told(purchases: nw.LazyFrame[Any], since: datetime | None) -> nw.LazyFrame[Any]:
    """Return account, its last purchase, and of the window: orders, discounted ones, what was bought and came back."""
    if "discount" not in purchases.collect_schema().names():
        purchases = purchases.with_columns(discount=nw.col("amount") * 0)
    kept, amount = nw.col("counted"), nw.col("amount")
    counted = kept
    if since is not None:
        within = nw.col("at") >= since
        counted, amount = counted & within, nw.when(within).then(amount).otherwise(0)
    return (
        purchases.select(
            "account",
            _kept_at=nw.when(kept).then(nw.col("at")),
            _order=nw.when(counted).then(1).otherwise(0),
            _off=nw.when(counted & (nw.col("discount").fill_null(0) > 0)).then(1).otherwise(0),
            _bought=amount,
            _back=nw.when(amount > 0).then(nw.col("amount") - nw.col("net")).otherwise(0),
        )
        .group_by("account")
        .agg(
            _last=nw.col("_kept_at").max(),
            orders=nw.col("_order").sum(),
            discounted=nw.col("_off").sum(),
            _amount=nw.col("_bought").sum(),
            _returned=nw.col("_back").sum(),
        )
    )


def _complaints(
    activity: nw.LazyFrame[Any], at: datetime, since: datetime | None, config: BehaviourConfig
) -> nw.LazyFrame[Any]:
    """Return account and complaints."""
    seen = from_on(activity.filter(nw.col("at") <= at), since)
    return seen.filter(nw.col("kind").is_in(list(config.complaints))).group_by("account").agg(complaints=nw.len())


def _complains(config: BehaviourConfig) -> nw.Expr:
    many = nw.col("complaints") >= config.complaints_from
    if config.returned_from is None:
        return many
    share = Fraction(config.returned_from.rstrip("%")) / 100
    returned, amount = nw.col("_returned") * share.denominator, nw.col("_amount") * share.numerator
    return many | ((nw.col("_amount") > 0) & (returned >= amount))


def _is_driven(config: BehaviourConfig) -> nw.Expr:
    share = Fraction(config.discounted_from.rstrip("%")) / 100
    often = nw.col("discounted") * share.denominator >= nw.col("orders") * share.numerator
    return (nw.col("orders") >= config.discounted_orders) & often


def _named(config: BehaviourConfig) -> nw.Expr:
    days, names = nw.col("days_since"), config.names
    named: nw.Expr = (
        nw.when(days.is_null())
        .then(nw.lit(names["none"]))
        .otherwise(
            nw.when(days <= config.active_days)
            .then(nw.lit(names["active"]))
            .otherwise(
                nw.when(days > config.lost_days).then(nw.lit(names["lost"])).otherwise(nw.lit(names["potential"]))
            )
        )
    )
    for mark in reversed(config.first):
        named = nw.when(nw.col(mark)).then(nw.lit(names[mark])).otherwise(named)
    return named
