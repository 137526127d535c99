"""How many purchases are likely: quantiles of numbers of which one knows the chance to reach each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from scipy.special import betainc

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    Array = NDArray[np.float64]

_MOST: Final = 2.0**40


def least_reached(at_least: Callable[[Array], Array], level: float, rows: int) -> Array:
    """Return of each row the least number that is not exceeded with a probability of `level` or more.

    Args:
        at_least: the probability of each row to reach a number of its own, 1 or more; it falls with the number.
        level: between 0 and 1.
        rows: how many there are.
    """
    low, high = np.zeros(rows), np.ones(rows)
    open_ = at_least(high) > 1 - level
    while open_.any() and high.max() < _MOST:
        low = np.where(open_, high, low)
        high = np.where(open_, 2 * high, high)
        open_ = open_ & (at_least(high) > 1 - level)
    # Not exceeding n is not reaching n + 1: low is always reached too often, high is not.
    while (high - low > 1).any():
        middle = np.where(high - low > 1, np.floor((low + high) / 2), high)
        often = at_least(middle) > 1 - level
        low, high = np.where(often, middle, low), np.where(often, high, middle)
    return high - 1


def at_own_rate(number: Array, shape: Array, mean: Array) -> Array:
    """Return the probability to reach a number, 1 or more, of negative binomial purchases of that shape and mean."""
    return np.asarray(betainc(number, shape, mean / (mean + shape)))
