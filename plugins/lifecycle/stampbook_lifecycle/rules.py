"""The arithmetic of lifecycles on narwhals frames.

Only purchases of which something was kept count. A day is a whole span of 86,400 s back from the instant of the run;
purchases of one such day are one visit, and a gap is the number of days from one visit to the next. The limit L of an
account is the shortest gap that at least `cover` of its own gaps do not exceed (the empirical quantile, type 1 in
Hyndman and Fan 1996); of all gaps of all accounts, where it has fewer than `least_gaps`; and `least_limit` at least.

The stages are asked in this order, and the first that holds is it:

1. none: never kept a purchase;
2. lost: more than `lost_after` x L days since the last visit (lapse: `lapse_days` or more);
3. at_risk: more than L days (lapse: `at_risk_from` of `lapse_days` or more);
4. new: the first visit was at most `new_days` ago;
5. won_back: a visit of the last `won_back_days` ended a gap that was as long as for the lost;
6. growing: the last `trend_days` brought at least `growing_from` times the `trend_days` before them, which brought
   something;
7. mature: anybody else.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import narwhals as nw

from stampbook import days_since, followed, placed, worked_out

if TYPE_CHECKING:
    from datetime import datetime

    from stampbook_lifecycle.config import LifecycleConfig, Stage


def _share(percent: str) -> Fraction:
    return Fraction(percent.rstrip("%")) / 100


def segment(purchases: nw.LazyFrame[Any], at: datetime, config: LifecycleConfig) -> nw.LazyFrame[Any]:
    """Return the stage of every account with a row up to an instant, and what it rests on; see the module."""
    age = days_since(nw.col("at"), at, purchases.implementation)
    aged = worked_out(purchases.select("account", "counted", "net", age=age))
    gaps = worked_out(_gaps(aged.filter(nw.col("counted")).select("account", "age")))
    told = (
        _known(aged, config.trend_days)
        .join(_many(gaps), on="account", how="left")
        .join(_own_limits(gaps, config), on="account", how="left")
        .with_columns(
            visits=(nw.col("visits") + nw.col("_gaps").fill_null(0)).cast(nw.Int64),
            limit_days=nw.col("limit_days").fill_null(_limit_of_all(gaps, config)).cast(nw.Int64),
        )
    )
    told = told.join(_returned(gaps, told, config), on="account", how="left")
    columns = ("days_since", "days_known", "visits", "limit_days", "recent", "before")
    return told.with_columns(segment=_stage(config)).select("account", "segment", *columns)


def _known(aged: nw.LazyFrame[Any], days: int) -> nw.LazyFrame[Any]:
    """Return all accounts: days_since and days_known of their visits (null where there is none), and visits, 0 or 1.

    `recent` is what the last days brought, `before` what as many days before them did; minor units, net.
    """
    counted, age, net = nw.col("counted"), nw.col("age"), nw.col("net")
    return (
        aged.select(
            "account",
            _age=nw.when(counted).then(age),
            _recent=nw.when(age < days).then(net).otherwise(0),
            _before=nw.when((age >= days) & (age < 2 * days)).then(net).otherwise(0),
        )
        .group_by("account")
        .agg(
            days_since=nw.col("_age").min(),
            days_known=nw.col("_age").max(),
            recent=nw.col("_recent").sum().cast(nw.Int64),
            before=nw.col("_before").sum().cast(nw.Int64),
        )
        .with_columns(visits=nw.when(nw.col("days_since").is_null()).then(0).otherwise(1))
    )


def _gaps(kept: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Return account, age (of the visit that ended it) and gap, in days; there is none between purchases of one day."""
    earlier = followed(kept, "age", "_earlier")
    return earlier.select("account", "age", gap=nw.col("_earlier") - nw.col("age")).filter(nw.col("gap") > 0)


def _many(gaps: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    return gaps.group_by("account").agg(_gaps=nw.len())


def _own_limits(gaps: nw.LazyFrame[Any], config: LifecycleConfig) -> nw.LazyFrame[Any]:
    """Return account and limit_days of those that have enough gaps of their own."""
    if config.rule == "lapse":
        return gaps.filter(nw.col("gap") < 0).select("account", limit_days=nw.col("gap"))
    share = _share(config.cover)
    many, gap = nw.col("_many"), nw.col("gap")
    # The place of the quantile is the smallest whole number that is at least the share of how many there are.
    quantile = (many * share.numerator + share.denominator - 1) // share.denominator
    return (
        placed(gaps, "gap", "_place")
        .with_columns(_many=gap.count().over("account").cast(nw.Int64))
        .filter(many >= config.least_gaps)
        .filter(nw.col("_place") == quantile)
        .select("account", limit_days=nw.when(gap < config.least_limit).then(config.least_limit).otherwise(gap))
    )


def _limit_of_all(gaps: nw.LazyFrame[Any], config: LifecycleConfig) -> int:
    """Return the limit of those that have too few gaps of their own."""
    if config.rule == "lapse":
        return config.lapse_days
    counts = gaps.group_by("gap").agg(many=nw.len()).collect("polars").to_native().sort("gap").rows()
    total = sum(many for _, many in counts)
    share, reached = _share(config.cover), 0
    for gap, many in counts:
        reached += many
        if reached >= share * total:
            return max(int(gap), config.least_limit)
    return config.lapse_days


def _returned(gaps: nw.LazyFrame[Any], told: nw.LazyFrame[Any], config: LifecycleConfig) -> nw.LazyFrame[Any]:
    """Return account and `back`, when the last gap after which one is lost was ended, in days before the run.

    Told of those only who are back for no longer than counts.
    """
    lately = gaps.filter(nw.col("age") <= config.won_back_days)
    ended = lately.join(told.select("account", "limit_days"), on="account", how="left").filter(_is_lost("gap", config))
    return ended.group_by("account").agg(back=nw.col("age").min())


def _is_lost(days: str, config: LifecycleConfig) -> nw.Expr:
    if config.rule == "lapse":
        return nw.col(days) >= config.lapse_days
    factor = Fraction(config.lost_after)
    return nw.col(days) * factor.denominator > nw.col("limit_days") * factor.numerator


def _stage(config: LifecycleConfig) -> nw.Expr:
    names = config.names
    since = nw.col("days_since")
    at_risk = since > nw.col("limit_days")
    if config.rule == "lapse":
        share = _share(config.at_risk_from)
        at_risk = since * share.denominator >= config.lapse_days * share.numerator
    factor = Fraction(config.growing_from)
    grown = (nw.col("before") > 0) & (nw.col("recent") * factor.denominator >= nw.col("before") * factor.numerator)
    stages: list[tuple[Stage, nw.Expr]] = [
        ("none", since.is_null()),
        ("lost", _is_lost("days_since", config)),
        ("at_risk", at_risk),
        ("new", nw.col("days_known") <= config.new_days),
        ("won_back", nw.col("back").fill_null(config.won_back_days + 1) <= config.won_back_days),
        ("growing", grown),
    ]
    named: nw.Expr = nw.lit(names["mature"])
    for stage, holds in reversed(stages):
        named = nw.when(holds).then(nw.lit(names[stage])).otherwise(named)
    return named
