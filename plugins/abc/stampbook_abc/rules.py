"""The arithmetic of ABC analysis on narwhals frames: the same classes on Polars, DuckDB and Spark.

Accounts are ordered by value, the largest first. Those of equal value stand at one place: they share a rank and a
cumulative share, which includes all of them, and cross a border together. With the total T of all values above zero,

    crossing "in":  an account is within p percent  <=>  100 x (sum of the values above its own) < p x T
    crossing "out": an account is within p percent  <=>  100 x (that sum with all values equal to its own) <= p x T

in whole numbers. A value of zero or less is always in the last class and never part of T.

Computed borders follow Ultsch and Lötsch (2015), "Computed ABC Analysis for Rational Selection of Most Informative
Variables in Multivariate Data", PLoS ONE 10(6) e0129767. The ABC curve leads from (0, 0) through a point for each
place: x is the share of accounts up to there (all accounts count, values below zero as zero), y their share of T.

* The Pareto point is the one nearest to (0, 1): least effort, greatest yield.
* The break-even point is the last that is reached with a slope of 1 or more, which is the last value that is no
  less than the mean.
* A reaches to the first of these two, and x* is the x of the other. B reaches to the submarginal point, the one
  nearest to (x*, 1). Of points equally near the first is taken.

The authors' R package draws a spline through the points and looks at that in steps; here borders lie on points, hence
between accounts of different values, and no interpolation decides about anybody.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import narwhals as nw

from stampbook import net_purchases
from stampbook_abc.config import RATE_UNIT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

RESULT_COLUMNS: Final = ("account", "segment", "value", "share", "cumulative_share", "rank")


@dataclass(frozen=True, slots=True)
class Borders:
    """Where the classes end.

    Attributes:
        a: percent of the total up to which accounts are in the first class.
        b: the same of the second.
        crossing: whether who crosses a border is in the better class.
        computed: whether the curve itself says where they end, whatever `a` and `b` are.
    """

    a: int = 80
    b: int = 95
    crossing: Literal["in", "out"] = "in"
    computed: bool = False


def of_purchases(
    history: nw.LazyFrame[Any], at: datetime, by: Literal["revenue", "orders"], since: datetime | None
) -> nw.LazyFrame[Any]:
    """Return account and value, one row an account: money net of returns in minor units, or purchases that count."""
    value = nw.col("net") if by == "revenue" else nw.when(nw.col("counted")).then(1).otherwise(0)
    if since is not None:
        value = nw.when(nw.col("at") >= since).then(value).otherwise(0)
    return (
        net_purchases(history, at)
        .select("account", value=value)
        .group_by("account")
        .agg(nw.col("value").sum().cast(nw.Int64))
    )


def of_lines(
    history: nw.LazyFrame[Any],
    lines: nw.LazyFrame[Any],
    at: datetime,
    by: Literal["quantity", "margin"],
    since: datetime | None,
    rates: Mapping[str, int],
    other_rate: int,
) -> nw.LazyFrame[Any]:
    """Return account and value, one row an account of the history: millionths of pieces, or margin in minor units.

    Lines that came back count against it, with the purchase that they name; margin is rounded towards zero, once.
    """
    seen = lines.filter(nw.col("at") <= at)
    bought_at = (
        seen.filter(nw.col("kind") == "purchase")
        .group_by("account", "event")
        .agg(_bought_at=nw.col("at").min())
        .rename({"event": "_order"})
    )
    is_return = nw.col("kind") == "return"
    amount = nw.col("quantity") if by == "quantity" else nw.col("amount") * _rate(rates, other_rate)
    counted = nw.when(is_return).then(-amount).otherwise(amount)
    rows = seen.with_columns(_order=nw.when(is_return).then(nw.col("about")).otherwise(nw.col("event")))
    if since is not None:
        rows = rows.join(bought_at, on=["account", "_order"], how="left")
        began = nw.when(nw.col("_bought_at").is_null()).then(nw.col("at")).otherwise(nw.col("_bought_at"))
        counted = nw.when(began >= since).then(counted).otherwise(0)
    sums = rows.select("account", _sum=counted).group_by("account").agg(nw.col("_sum").sum().cast(nw.Int64))
    everyone = history.filter(nw.col("at") <= at).group_by("account").agg(_rows=nw.len())
    value = nw.col("_sum").fill_null(0)
    if by == "margin":
        # Engines disagree on // below zero, so it is kept above.
        value = nw.when(value < 0).then(-(-value // RATE_UNIT)).otherwise(value // RATE_UNIT)
    return everyone.join(sums, on="account", how="left").select("account", value=value.cast(nw.Int64))


def classify(valued: nw.LazyFrame[Any], borders: Borders, names: tuple[str, str, str]) -> nw.LazyFrame[Any]:
    """Return `RESULT_COLUMNS` of a frame of account and value, one row an account, in no particular order.

    `share` is of the total of values above zero, null if there are none; `cumulative_share` that of all who are worth
    as much or more, null for a value of zero or less; `rank` is 1 for the largest, equal for equal values.
    """
    places = _places(valued)
    above_zero = nw.col("value") > 0
    first, second = _computed(places) if borders.computed else _within(borders)
    placed = valued.join(places, on="value", how="left")
    a, b, c = names
    known = nw.col("_total") > 0
    total = nw.col("_total").cast(nw.Float64)
    return placed.select(
        "account",
        segment=nw.when(above_zero & first)
        .then(nw.lit(a))
        .otherwise(nw.when(above_zero & second).then(nw.lit(b)).otherwise(nw.lit(c))),
        value=nw.col("value"),
        share=nw.when(known).then(nw.col("value").cast(nw.Float64) / total),
        cumulative_share=nw.when(known & above_zero).then(nw.col("_up_to").cast(nw.Float64) / total),
        rank=nw.col("_count_up_to") - nw.col("_count") + 1,
    )


def _rate(rates: Mapping[str, int], other_rate: int) -> nw.Expr:
    rate = nw.lit(other_rate)
    for category, own in rates.items():
        rate = nw.when(nw.col("category") == category).then(nw.lit(own)).otherwise(rate)
    return rate.cast(nw.Int64)


def _places(valued: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Return one row a different value: how many have it, how many and how much up to it, and what all come to."""
    gain = nw.when(nw.col("value") > 0).then(nw.col("value")).otherwise(0) * nw.col("_count")
    return (
        valued.group_by("value")
        .agg(_count=nw.len().cast(nw.Int64))
        .with_columns(_gain=gain, _order=-nw.col("value"))
        .with_columns(
            _up_to=nw.col("_gain").cum_sum().over(order_by="_order").cast(nw.Int64),
            _count_up_to=nw.col("_count").cum_sum().over(order_by="_order").cast(nw.Int64),
            _total=nw.col("_gain").sum().cast(nw.Int64),
        )
        .drop("_order")
    )


def _within(borders: Borders) -> tuple[nw.Expr, nw.Expr]:
    reached, total = nw.col("_up_to") * 100, nw.col("_total")
    if borders.crossing == "in":
        before = reached - nw.col("_gain") * 100
        return before < total * borders.a, before < total * borders.b
    return reached <= total * borders.a, reached <= total * borders.b


def _computed(places: nw.LazyFrame[Any]) -> tuple[nw.Expr, nw.Expr]:
    rows = places.select("value", "_count_up_to", "_up_to", "_total").collect("polars").to_native().rows()
    smallest_a, smallest_b = computed_borders(sorted(rows, reverse=True))
    return nw.col("value") >= smallest_a, nw.col("value") >= smallest_b


def computed_borders(places: list[tuple[int, int, int, int]]) -> tuple[int, int]:
    """Return the smallest values of the first and of the second class by the formula of the module.

    Args:
        places: for each different value, the largest first: the value, how many accounts are worth as much or more,
            what those come to, and what all come to.
    """
    if not places or places[-1][3] <= 0:
        return 1, 1
    accounts, total = places[-1][1], places[-1][3]
    points = [(value, count / accounts, up_to / total) for value, count, up_to, _ in places]
    pareto = min(points, key=lambda point: point[1] ** 2 + (1 - point[2]) ** 2)
    above_mean = [point for point in points if point[0] * accounts >= total]
    first, other = sorted([pareto, above_mean[-1]], key=lambda point: point[1])
    submarginal = min(points, key=lambda point: (point[1] - other[1]) ** 2 + (1 - point[2]) ** 2)
    return first[0], submarginal[0]


def reason(account: Mapping[str, Any], borders: Borders, value: str) -> str:
    """Say in one sentence why an account is in its class: "A: 120.00 GBP, rank 3; with those above it 41.2 % of all".

    Args:
        account: its row of the result, by column.
        borders: those of the run.
        value: its value, written for a person.
    """
    named = f"{account['segment']}: {value}, rank {account['rank']}"
    share = account["cumulative_share"]
    if share is None:
        return f"{named}; zero or less is always in the last class"
    if borders.computed:
        return f"{named}; with those above it {100 * share:.1f} % of all, borders computed from the curve"
    rule = f"borders at {borders.a} and {borders.b} %, who crosses one is {borders.crossing}"
    return f"{named}; with those above it {100 * share:.1f} % of all, {rule}"
