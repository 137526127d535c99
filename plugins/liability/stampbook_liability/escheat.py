"""Unclaimed property: when value that its owner has forgotten must be paid to a state, and how much of it."""

from __future__ import annotations

from datetime import date
from fractions import Fraction
from typing import TYPE_CHECKING

from stampbook import Rounding
from stampbook_liability.deferral import rounded

if TYPE_CHECKING:
    from stampbook_liability.jurisdictions import Law

_FEBRUARY_29 = (2, 29)


def dormant_on(active: date, years: int) -> date:
    """Return the day on which value has lain for so many years since its owner's last own activity.

    What the issuer or time did is none. From 29 February on it is 28 February where the year has no other.
    """
    if (active.month, active.day) == _FEBRUARY_29 and not _is_leap(active.year + years):
        return date(active.year + years, 2, 28)
    return active.replace(year=active.year + years)


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def to_the_state(value: int, law: Law) -> int:
    """Return how much of a customer's dormant value goes to the state, rounded up; in smallest units."""
    if law.deduction is not None:
        share, least = law.deduction
        return max(0, value - max(rounded(value * share, Rounding.FLOOR), least))
    return rounded(Fraction(value) * law.state, Rounding.CEIL)
