"""The arithmetic of ABC on narwhals frames.

Accounts are ordered by value, the best first. With V the sum of all values above zero, and S the sum of the values that
are strictly larger than an account's, an account of which k share the value v is in the class before a border b

* `crossing = "in"`: if S < b x V: the class was not full before it came;
* `crossing = "out"`: if S + k x v <= b x V: the class is not overfull with it.

So equal accounts always share a class. An account of value zero or less is always in the last class.

`computed` takes the borders from the ABC curve, the share of value y over the share x of the accounts that bring it
(Ultsch and Loetsch 2015, "Computed ABC Analysis for Rational Selection of Most Informative Variables in Multivariate
Data", PLoS ONE 10(6): e0129767). The first border is the point nearest to (0, 1). The break-even point is where the
slope falls to 1, hence where values fall below their mean; where it comes first, the two change places. The last class
begins behind the point nearest to (x of the second of them, 1). Points of the curve are looked at between different
values only, so that equal accounts stay together; of points that are equally near the first counts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import narwhals as nw

from stampbook import from_on, net_lines, standing, worked_out
from stampbook_abc.config import fraction

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from stampbook_abc.config import AbcConfig

_DIGITS: Final = 6
"""Shares are told to so many decimals, so that every engine tells the same."""


def measure(
    purchases: nw.LazyFrame[Any],
    lines: nw.LazyFrame[Any] | None,
    at: datetime,
    *,
    since: datetime | None,
    config: AbcConfig,
) -> nw.LazyFrame[Any]:
    """Return account and value, a whole number: minor units, purchases, millionths of a piece.

    A margin is summed in ten-thousandths of a hundredth and rounded half up to a minor unit once an account.
    """
    if lines is None:
        value = nw.col("net") if config.by == "revenue" else nw.when(nw.col("counted")).then(1).otherwise(0)
        if since is not None:
            value = nw.when(nw.col("at") >= since).then(value).otherwise(0)
        found = purchases.select("account", _value=value).group_by("account").agg(value=nw.col("_value").sum())
    else:
        kept = from_on(net_lines(lines, at), since)
        value = nw.col("quantity") if config.by == "quantity" else nw.col("amount") * _rate(config)
        found = kept.with_columns(_value=value).group_by("account").agg(value=nw.col("_value").sum())
        if config.by == "margin":
            found = found.with_columns(value=(nw.col("value") + _SCALE // 2) // _SCALE)
        return of_all(purchases.select("account").unique(), found)
    return worked_out(found.with_columns(value=nw.col("value").cast(nw.Int64)))


def of_all(accounts: nw.LazyFrame[Any], values: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Return account and value of all accounts, of which those without a value have none."""
    found = accounts.select("account").join(values, on="account", how="left")
    return worked_out(found.with_columns(value=nw.col("value").fill_null(0).cast(nw.Int64)))


_SCALE: Final = 1_000_000


def _rate(config: AbcConfig) -> nw.Expr:
    rates = {category: int(fraction(rate) * _SCALE) for category, rate in config.margins.items()}
    rate: nw.Expr = nw.lit(rates.pop("*"))
    for category, share in rates.items():
        rate = nw.when(nw.col("category") == category).then(share).otherwise(rate)
    return rate


def classify(measured: nw.LazyFrame[Any], config: AbcConfig) -> nw.LazyFrame[Any]:
    """Return account, segment, value, rank (1 is best, equal values share it), share and cumulative_share.

    Shares are of all value above zero; null where an account brings none. The cumulative share is that of all
    accounts down to this one and its equals.
    """
    worth = nw.col("value") > 0
    placed = standing(measured.filter(worth).select("account", "value"), "value").with_columns(
        through=nw.col("above") + nw.col("value") * nw.col("level")
    )
    placed = worked_out(placed) if config.method == "computed" else placed
    named = placed.with_columns(segment=_computed(placed, config) if config.method == "computed" else _bordered(config))
    total = nw.col("total").cast(nw.Float64)
    told = named.select(
        "account",
        "segment",
        rank=nw.col("better") + 1,
        share=(nw.col("value") / total).round(_DIGITS),
        cumulative_share=(nw.col("through") / total).round(_DIGITS),
    )
    return measured.join(told, on="account", how="left").select(
        "account",
        nw.col("segment").fill_null(config.names[-1]),
        "value",
        "rank",
        "share",
        "cumulative_share",
    )


def _bordered(config: AbcConfig) -> nw.Expr:
    reached = nw.col("above") if config.crossing == "in" else nw.col("through")
    conditions = []
    for border in config.borders:
        share = fraction(border)
        left, right = reached * share.denominator, nw.col("total") * share.numerator
        conditions.append(left < right if config.crossing == "in" else left <= right)
    return _first(conditions, config.names)


def _first(conditions: Sequence[nw.Expr], names: Sequence[str]) -> nw.Expr:
    named: nw.Expr = nw.lit(names[-1])
    for condition, name in zip(reversed(conditions), reversed(names[:-1]), strict=True):
        named = nw.when(condition).then(nw.lit(name)).otherwise(named)
    return named


def _computed(placed: nw.LazyFrame[Any], config: AbcConfig) -> nw.Expr:
    curve = (
        placed.group_by("value")
        .agg(nw.col("better", "level", "through", "n", "total").max())
        .collect("polars")
        .to_native()
        .sort("value", descending=True)
    )
    rows = [
        ((row["better"] + row["level"]) / row["n"], row["through"] / row["total"], row["value"])
        for row in curve.iter_rows(named=True)
    ]
    if not rows:
        return nw.lit(config.names[-1])
    mean = curve["total"][0] / curve["n"][0]
    pareto = _nearest(rows, 0.0)
    even = max((point for point in rows if point[2] >= mean), default=rows[0])
    first, second = sorted((pareto, even))
    third = _nearest(rows, second[0])
    values = nw.col("value")
    return _first([values >= first[2], values >= min(third[2], first[2])], config.names)


_Point = tuple[float, float, int]


def _nearest(curve: Sequence[_Point], x: float) -> _Point:
    """Return the point of the curve that is nearest to (x, 1)."""
    return min(curve, key=lambda point: ((point[0] - x) ** 2 + (1 - point[1]) ** 2, point[0]))
