"""Classes of a population by a value: equal values always share one, so that equal customers are never torn apart.

An account's place is the number of accounts that are strictly better, or strictly worse, than it is. It depends on
nothing but the values, hence neither on the order of rows nor on names, and it is a whole number, hence exact.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw

if TYPE_CHECKING:
    from collections.abc import Sequence
    from fractions import Fraction


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
