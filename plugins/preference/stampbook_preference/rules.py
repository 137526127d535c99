"""The arithmetic of preferences on narwhals frames.

An order has a value (a category, say) if something of it was kept: the sum of its lines less what came back is above
zero. Of an account with n orders in the window that have any value, k of which have this one, with p = k/n,

    least_share = (p + z²/2n - z √(p(1-p)/n + z²/4n²)) / (1 + z²/n)

is the lower bound of Wilson's interval (Wilson 1927, "Probable Inference, the Law of Succession, and Statistical
Inference", Journal of the American Statistical Association 22(158), 209-212), z being the quantile of the normal
distribution at `confidence`. The share of everybody is that of all such orders of all accounts; lift is p over it. The
top value is preferred if n is at least `least_orders`, p at least `least_share`, and its lower bound above everybody's
share: it is not enough to buy mostly what everybody buys mostly. Where several values are equally often at the top, the
account is mixed, if each of them is preferred; none, if not.
"""

from __future__ import annotations

from fractions import Fraction
from statistics import NormalDist
from typing import TYPE_CHECKING, Any, Final

import narwhals as nw

from stampbook import from_on, worked_out

if TYPE_CHECKING:
    from datetime import datetime

    from stampbook_preference.config import PreferenceConfig

_DIGITS: Final = 6
_TOLD: Final = ("top", "of_top", "share", "least_share", "population_share", "lift")


def segment(
    purchases: nw.LazyFrame[Any],
    lines: nw.LazyFrame[Any] | None,
    at: datetime,
    *,
    since: datetime | None,
    config: PreferenceConfig,
) -> nw.LazyFrame[Any]:
    """Return what every account with a row up to an instant prefers, and what that rests on; see the module."""
    orders = _of_orders(purchases, since, config) if lines is None else _of_lines(lines, at, since, config)
    orders = worked_out(orders)
    mine = worked_out(orders.group_by("account").agg(orders=nw.col("event").n_unique().cast(nw.Int64)))
    counted = worked_out(orders.group_by("account", "value").agg(of_top=nw.len().cast(nw.Int64)))
    all_orders = mine.select(_all=nw.col("orders").sum())
    everybody = counted.group_by("value").agg(_many=nw.col("of_top").sum()).join(all_orders, how="cross")
    shares = everybody.select("value", population_share=(nw.col("_many") / nw.col("_all")).round(_DIGITS))
    told = counted.join(mine, on="account", how="left").join(shares, on="value", how="left")
    p = nw.col("of_top") / nw.col("orders")
    told = told.with_columns(share=p.round(_DIGITS), least_share=_lower_bound(p, nw.col("orders"), config))
    told = told.with_columns(lift=(nw.col("share") / nw.col("population_share")).round(_DIGITS), _sure=_is_sure(config))
    top = _top(told, config)
    everyone = purchases.select("account").unique()
    found = everyone.join(mine, on="account", how="left").join(top, on="account", how="left")
    named = (
        nw.when(nw.col("_sure").fill_null(value=False) & (nw.col("_ties") == 1))
        .then(nw.col("top"))
        .otherwise(
            nw.when(nw.col("_sure").fill_null(value=False)).then(nw.lit(config.mixed)).otherwise(nw.lit(config.none))
        )
    )
    alone = nw.col("_ties") == 1
    return found.with_columns(segment=named, orders=nw.col("orders").fill_null(0)).select(
        "account", "segment", "orders", *(nw.when(alone).then(nw.col(name)).alias(name) for name in _TOLD)
    )


def _top(told: nw.LazyFrame[Any], config: PreferenceConfig) -> nw.LazyFrame[Any]:
    """Return the top value of each account; where several are, any one of their equal measures, and how many ties."""
    if config.choose == "lift":
        weight = nw.when(nw.col("_sure")).then(nw.col("lift")).otherwise(nw.col("share") - 1)
    else:
        weight = nw.col("of_top").cast(nw.Float64)
    best = told.with_columns(_weight=weight).with_columns(_most=nw.col("_weight").max().over("account"))
    return (
        best.filter(nw.col("_weight") == nw.col("_most"))
        .group_by("account")
        .agg(
            nw.col("of_top", "share", "least_share", "lift").max(),
            nw.col("population_share").min(),
            top=nw.col("value").min(),
            _ties=nw.len(),
            _unsure=nw.when(nw.col("_sure")).then(0).otherwise(1).sum(),
        )
        .with_columns(_sure=nw.col("_unsure") == 0)
        .drop("_unsure")
    )


def _lower_bound(p: nw.Expr, n: nw.Expr, config: PreferenceConfig) -> nw.Expr:
    z = NormalDist().inv_cdf(float(Fraction(config.confidence.rstrip("%")) / 100))
    spread = (p * (1 - p) / n + z * z / (4 * n * n)) ** 0.5
    return ((p + z * z / (2 * n) - z * spread) / (1 + z * z / n)).round(_DIGITS)


def _is_sure(config: PreferenceConfig) -> nw.Expr:
    share = Fraction(config.least_share.rstrip("%")) / 100
    enough = nw.col("of_top") * share.denominator >= nw.col("orders") * share.numerator
    return (nw.col("orders") >= config.least_orders) & enough & (nw.col("least_share") > nw.col("population_share"))


def _of_orders(purchases: nw.LazyFrame[Any], since: datetime | None, config: PreferenceConfig) -> nw.LazyFrame[Any]:
    """Return account, event and value (the store or channel) of orders of which something was kept."""
    bought = from_on(purchases, since).filter(nw.col("counted"))
    if config.of not in bought.collect_schema().names():
        bought = bought.with_columns(nw.lit(None).cast(nw.String).alias(config.of))
    value = nw.col(config.of)
    return bought.filter(~value.is_null()).select("account", "event", value=value)


def _of_lines(
    lines: nw.LazyFrame[Any], at: datetime, since: datetime | None, config: PreferenceConfig
) -> nw.LazyFrame[Any]:
    """Return account, event and value of orders in which something of the value was kept."""
    keys, total = ["account", "event", "value"], nw.col("amount").sum()
    rows = lines.filter(nw.col("at") <= at)
    bought = _valued(from_on(rows.filter(nw.col("kind") == "purchase"), since), config).group_by(keys).agg(_sum=total)
    returned = rows.filter(nw.col("kind") == "return").drop("event").rename({"about": "event"})
    back = _valued(returned, config).group_by(keys).agg(_back=total)
    kept = nw.col("_sum") > nw.col("_back").fill_null(0)
    return bought.join(back, on=keys, how="left").filter(kept).select(keys)


def _valued(rows: nw.LazyFrame[Any], config: PreferenceConfig) -> nw.LazyFrame[Any]:
    """Return account, event, amount and value of the lines that have any; a line with several labels once for each."""
    if config.of == "label":
        rows = rows.with_columns(value=nw.col("labels").str.split("\t")).explode("value")
        if config.prefix:
            rows = rows.filter(nw.col("value").str.starts_with(config.prefix))
            rows = rows.with_columns(value=nw.col("value").str.slice(len(config.prefix)))
    else:
        rows = rows.with_columns(value=nw.col(config.of))
    return rows.filter(nw.col("value") != "").select("account", "event", "amount", "value")
