"""Classes of accounts by a value, in which equal values always fall into one class: by quantiles, or by cut points.

A quantile class counts how many are strictly worse. With n known values and a border of p percent,

    value above the border  <=>  100 x number strictly worse >= p x n

in whole numbers. Put another way, the cut point is the smallest value that at least p percent of the values do not
exceed: the inverse of the empirical distribution, type 1 in Hyndman and Fan (1996), "Sample Quantiles in Statistical
Packages", The American Statistician 50(4), 361-365. Equal values have equally many worse ones, hence one class: a
large tie falls into the class of its worst member and leaves those above it empty rather than being split.

All functions return narwhals expressions of 1, 2, 3, …, the highest being best, and null where the value is null.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import narwhals as nw

if TYPE_CHECKING:
    from collections.abc import Sequence


def quantile_class(value: nw.Expr, classes: int) -> nw.Expr:
    """Return the class of each value among all of its frame, in classes of equal size but for ties.

    Args:
        value: whole numbers, more being better; nulls are nobody's peers. A column of the frame: rank it as it is.
        classes: how many.
    """
    return (1 + _worse(value) * classes // _known(value)).cast(nw.Int64)


def percent_class(value: nw.Expr, borders: Sequence[int]) -> nw.Expr:
    """Return 1 more than the number of borders that each value is above: borders (50, 80) make 50, 30 and 20 percent.

    Args:
        value: as for `quantile_class`.
        borders: whole percents of the known values, counted from the worst, rising.
    """
    worse, known = _worse(value) * 100, _known(value)
    reached = [nw.when(worse >= known * border).then(1).otherwise(0) for border in borders]
    return _counted(value, reached)


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


def _worse(value: nw.Expr) -> nw.Expr:
    return value.rank("min").cast(nw.Int64) - 1


def _known(value: nw.Expr) -> nw.Expr:
    return value.count().cast(nw.Int64)


def _counted(value: nw.Expr, reached: Sequence[nw.Expr]) -> nw.Expr:
    total = nw.lit(1)
    for one in reached:
        total = total + one
    return nw.when(~value.is_null()).then(total).cast(nw.Int64)
