"""How much of a grant all that came back takes: pure arithmetic, exact until the one rounding of each policy."""

from __future__ import annotations

from fractions import Fraction
from math import floor
from typing import TYPE_CHECKING, NamedTuple

from stampbook import divide, portion, settle_share

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stampbook import Granted, Reckoned, RefundRequest


class Reckoning(NamedTuple):
    """How much of a grant belongs to all that has come back so far, in smallest units, and how that was reckoned.

    `how` is ``nothing`` or ``all`` of what earned it came back; ``proportional``, or ``proportional`` of an ``older``
    purchase; ``fixed``, which stays until the end; ``increments`` or ``anew``. `share` is the part that has come back,
    `steps` how many whole steps came back (with ``anew``: the rest has), of `of_steps`; `each` is what a step earned of
    this grant, in smallest units after multipliers and limits. Where no steps count, they are None.
    """

    units: int
    how: str
    share: Fraction
    steps: int | None = None
    of_steps: int | None = None
    each: Fraction | None = None


def reckon(grant: Granted, request: RefundRequest, policy: str) -> Reckoning:
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
        share = _came_back(grant.by_line, request)
        how = "proportional" if policy == "proportional" else "older"
        return Reckoning(settle_share(grant.amount, grant.by_line, request), how, share)
    share = _came_back(reckoned.weights, request)
    if not share or share >= 1:
        return Reckoning(grant.amount, "all", share) if share else Reckoning(0, "nothing", share)
    if reckoned.fixed:
        return Reckoning(0, "fixed", share)
    counted = share if policy == "increments" else 1 - share
    steps = each = None
    if reckoned.parts:
        each = _each(reckoned) * (_left(reckoned) if policy == "increments" else 1)
        steps = sum([floor(count * _counted(line, counted, request, policy)) for line, count in reckoned.parts])
        exact = steps * each
    else:
        exact = reckoned.exact * counted * (_left(reckoned) if policy == "increments" else 1)
    if policy == "increments":
        units = floor(exact)
    else:
        units = reckoned.units - min(divide(exact.numerator, exact.denominator, reckoned.rounding), reckoned.units)
    units = portion(grant.amount, min(max(units, 0), reckoned.units), reckoned.units, 0)
    if steps is None or each is None:
        return Reckoning(units, policy, share)
    here = Fraction(grant.amount, reckoned.units)
    return Reckoning(units, policy, share, steps, _steps(reckoned), each * here)


def _steps(reckoned: Reckoned) -> int:
    return sum([floor(count) for _, count in reckoned.parts])


def _each(reckoned: Reckoned) -> Fraction:
    """Return what one whole step earned."""
    steps = _steps(reckoned)
    return reckoned.exact / steps if steps > 0 else Fraction(0)


def _left(reckoned: Reckoned) -> Fraction:
    """Return the part of an award that limits left: none of its steps was granted more than its share of that."""
    whole = divide(reckoned.exact.numerator, reckoned.exact.denominator, reckoned.rounding)
    return Fraction(reckoned.units, whole) if 0 < reckoned.units < whole else Fraction(1)


def _counted(line: int, share: Fraction, request: RefundRequest, policy: str) -> Fraction:
    """Return the share of a line that is reckoned with: what came back of it, or with ``anew`` what stays."""
    if not line:
        return share
    came = _came_back(((line, 1),), request)
    return came if policy == "increments" else 1 - came


def _came_back(weights: Sequence[tuple[int, int]], request: RefundRequest) -> Fraction:
    """Return the share that came back of what lines earned together, each by its weight; of the order without any."""
    if not weights:
        return _ratio(request.part, request.whole)
    lines = {line.line: line for line in request.lines}
    back = of = Fraction(0)
    for number, weight in weights:
        back += weight * _ratio(lines[number].part, lines[number].whole)
        of += weight
    return back / of if of else _ratio(request.part, request.whole)


def _ratio(part: int, whole: int) -> Fraction:
    return Fraction(1) if part >= whole else Fraction(part, whole)
