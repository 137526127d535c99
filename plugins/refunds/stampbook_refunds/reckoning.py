"""How much of a grant all that came back takes: pure arithmetic, exact until the one rounding of each policy."""

from __future__ import annotations

from fractions import Fraction
from math import floor
from typing import TYPE_CHECKING

from stampbook import divide, portion, settle_share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stampbook import Granted, Reckoned, RefundRequest


def taken_back(grant: Granted, request: RefundRequest, policy: str) -> int:
    """Return how much of a grant belongs to all that has come back so far, the return at hand included.

    It is nothing while nothing has come back, all once everything has, never more than was granted, and never falls.
    A purchase of a program that kept no exact awards goes back in proportion.

    Args:
        grant: what one rule granted.
        request: the return.
        policy: ``proportional``; by whole ``increments``; or reckoned ``anew`` from what stays.
    """
    reckoned = grant.reckoned
    if policy == "proportional" or reckoned is None:
        return settle_share(grant.amount, grant.by_line, request)
    share = _came_back(reckoned.weights, request)
    if not share or share >= 1:
        return grant.amount if share else 0
    if reckoned.fixed:
        return 0
    if policy == "increments":
        units = _of_increments(reckoned, share, request)
    else:
        units = reckoned.units - _of_the_rest(reckoned, share, request)
    units = min(max(units, 0), reckoned.units)
    return portion(grant.amount, units, reckoned.units, 0)


def _of_increments(reckoned: Reckoned, share: Fraction, request: RefundRequest) -> int:
    """Return what whole steps of what came back had earned; a step is a unit where the rule names none."""
    if not reckoned.parts:
        return floor(reckoned.exact * share)
    steps = sum(floor(count * _share_of(line, share, request)) for line, count in reckoned.parts)
    return floor(steps * _each(reckoned))


def _of_the_rest(reckoned: Reckoned, share: Fraction, request: RefundRequest) -> int:
    """Return what the rest would have earned at the same rate, rounded as its rule rounds, and limited as it was."""
    exact = reckoned.exact * (1 - share)
    if reckoned.parts:
        steps = sum(floor(count * (1 - _share_of(line, share, request))) for line, count in reckoned.parts)
        exact = steps * _each(reckoned)
    return min(divide(exact.numerator, exact.denominator, reckoned.rounding), reckoned.units)


def _each(reckoned: Reckoned) -> Fraction:
    """Return what one whole step earned."""
    steps = sum(floor(count) for _, count in reckoned.parts)
    return reckoned.exact / steps if steps > 0 else Fraction(0)


def _share_of(line: int, share: Fraction, request: RefundRequest) -> Fraction:
    """Return the share of a line that came back; of the order, or of what counted of it, where the line is 0."""
    return _came_back(((line, 1),), request) if line else share


def _came_back(weights: Sequence[tuple[int, int]], request: RefundRequest) -> Fraction:
    """Return the share that came back of what lines earned together, each by its weight; of the order without any."""
    if not weights:
        return _ratio(request.part, request.whole)
    lines = {line.line: line for line in request.lines}
    back = of = Fraction(0)
    for number, weight in weights:
        back += weight * _ratio(lines[number].part, lines[number].whole)
        of += weight
    return back / of


def _ratio(part: int, whole: int) -> Fraction:
    return Fraction(1) if part >= whole else Fraction(part, whole)
