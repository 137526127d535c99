"""Classes of accounts by a value, in which equal values always fall into one class: by quantiles, or by cut points.

A quantile class counts how many are strictly worse. With n known values and a border of p percent,

    value above the border  <=>  100 x number strictly worse >= p x n

in whole numbers. Put another way, the cut point is the smallest value that at least p percent of the values do not
exceed: the inverse of the empirical distribution, type 1 in Hyndman and Fan (1996), "Sample Quantiles in Statistical
Packages", The American Statistician 50(4), 361-365. Equal values have equally many worse ones, hence one class: a
large tie falls into the class of its worst member and leaves those above it empty rather than being split.

`…_class` are narwhals expressions of 1, 2, 3, …, the highest being best, and null where the value is null.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction


def quantile_class(value: nw.Expr, classes: int) -> nw.Expr:
    """Return the class of each value among all of its frame, in classes of equal size but for ties.

    Args:
        value: whole numbers, more being better; nulls are nobody's peers. A column of the frame: rank it as it is.
        classes: how many.
    """
    return (1 + _worse(value) * classes // _known(value)).cast(nw.Int64)


def cut_class(value: nw.Expr, cuts: Sequence[int], *, less_is_better: bool = False) -> nw.Expr:
    """Return 1 more than the number of fixed cut points that each value reaches; one that is equal reaches it.

    Args:
        value: whole numbers in the unit of the cut points.
        cuts: in any order.
        less_is_better: a value reaches a cut point by being at most that, such as days since the last order.
    """
    reached = [
        nw.when((value <= cut) if less_is_better else (value >= cut)).then(1).otherwise(0) for cut in sorted(cuts)
    ]
    return _counted(value, reached)


def ntile_class(place: nw.Expr, known: nw.Expr, classes: int) -> nw.Expr:
    """Return the class that SQL's NTILE gives to a place: classes of equal size that tear equal values apart.

    Args:
        place: from 0 for the worst, all different.
        known: how many places there are.
        classes: how many; the first `known` mod `classes` of them hold one place more than the rest.
    """
    small, larger = known // classes, known % classes
    border = larger * (small + 1)
    nonzero = nw.when(small > 0).then(small).otherwise(1)
    return nw.when(place < border).then(1 + place // (small + 1)).otherwise(1 + larger + (place - border) // nonzero)


def standing(frame: nw.LazyFrame[Any], value: str) -> nw.LazyFrame[Any]:
    """Add how each account stands among all of a frame by a whole number, the largest best.

    Returns:
        The frame with `n` (all accounts), `total` (the sum of their values), and of the accounts that are strictly
        better `better` (how many) and `above` (the sum of their values), and `level` (how many have this very value).
    """
    values = (
        frame.group_by(value)
        .agg(level=nw.len())
        .with_columns(
            _turned=-nw.col(value), _sum=nw.col(value) * nw.col("level"), level=nw.col("level").cast(nw.Int64)
        )
        .with_columns(
            better=nw.col("level").cum_sum().over(order_by="_turned") - nw.col("level"),
            above=nw.col("_sum").cum_sum().over(order_by="_turned") - nw.col("_sum"),
            n=nw.col("level").sum(),
            total=nw.col("_sum").sum(),
        )
    )
    names = ("level", "better", "above", "n", "total")
    whole = [nw.col(name).cast(nw.Int64) for name in names]
    return frame.join(values.select(value, *whole), on=value, how="left")


def top_class(better: nw.Expr, n: nw.Expr, shares: Sequence[Fraction], names: Sequence[str]) -> nw.Expr:
    """Return the name of an account's class, from the best down: the first whose border it is not beyond.

    It is in the top p of n accounts if fewer than p x n are strictly better; so all accounts of one value are in or
    out together, and a class is never smaller than its share as long as there are accounts for it.

    Args:
        better: how many accounts are strictly better, of `standing`.
        n: how many accounts there are.
        shares: cumulative shares that end the classes but the last, rising.
        names: one more than shares, the best first.
    """
    return _named([better * share.denominator < n * share.numerator for share in shares], names)


def by_borders(value: nw.Expr, borders: Sequence[int], names: Sequence[str]) -> nw.Expr:
    """Return the name of a value's class: the first whose border it reaches; `borders` fall, and the last has none."""
    return _named([value >= border for border in borders], names)


def _named(conditions: Sequence[nw.Expr], names: Sequence[str]) -> nw.Expr:
    named: nw.Expr = nw.lit(names[-1])
    for condition, name in zip(reversed(conditions), reversed(names[:-1]), strict=True):
        named = nw.when(condition).then(nw.lit(name)).otherwise(named)
    return named


def _worse(value: nw.Expr) -> nw.Expr:
    return value.rank("min").cast(nw.Int64) - 1


def _known(value: nw.Expr) -> nw.Expr:
    return value.count().cast(nw.Int64)


def _counted(value: nw.Expr, reached: Sequence[nw.Expr]) -> nw.Expr:
    total = nw.lit(1)
    for one in reached:
        total = total + one
    return nw.when(~value.is_null()).then(total).cast(nw.Int64)
