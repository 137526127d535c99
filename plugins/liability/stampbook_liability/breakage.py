"""Stored value that will not be used: revenue in proportion to the rights that customers exercise.

IFRS 15 B44-B47, ASC 606-10-55-46 to 49, CAS 14 Article 39. What must be paid to a state or back to the customer is none
of it. All money is in smallest units.
"""

from __future__ import annotations

from fractions import Fraction

from stampbook import Rounding
from stampbook_liability.deferral import rounded


def expected_breakage(value: int, unused: Fraction, kept: Fraction = Fraction(1)) -> Fraction:
    """Return how much of prepaid value is expected to become the issuer's own.

    Args:
        value: what was paid in, without what was paid back.
        unused: the part that is expected never to be used.
        kept: the part of unused value that the law leaves to the issuer.
    """
    return value * unused * kept


def recognised_breakage(
    value: int, used: int, breakage: Fraction | int, *, rounding: Rounding | str = Rounding.HALF_UP
) -> int:
    """Return how much breakage is revenue so far: ``breakage * used / (value - breakage)``, and never more than all.

    Nothing is at the sale, when nothing has been used.
    """
    if not breakage or not used:
        return 0
    if used + breakage >= value:
        return rounded(Fraction(breakage), rounding)
    return rounded(Fraction(breakage) * used / (value - breakage), rounding)


def revenue(value: int, used: int, breakage: Fraction | int, *, rounding: Rounding | str = Rounding.HALF_UP) -> int:
    """Return what was used with the breakage that is due to it."""
    return used + recognised_breakage(value, used, breakage, rounding=rounding)


def in_advance(recognised: int, expired: int, left: int) -> int:
    """Return how much breakage is revenue though the value has not expired yet.

    Args:
        recognised: the breakage that is due so far.
        expired: what has expired, and is revenue already.
        left: what customers still have; no more than that can be revenue in advance.
    """
    return max(0, min(recognised - expired, left))


def net_of_tax(amount: int, tax: Fraction, *, rounding: Rounding | str = Rounding.HALF_UP) -> int:
    """Return an amount without the tax that is in it: with 13 %, 113 is 100."""
    return rounded(amount / (1 + tax), rounding)


def bonus_revenue(paid: int, bonus: int, used: int, *, rounding: Rounding | str = Rounding.HALF_UP) -> int:
    """Return the revenue of used value of a top-up with a bonus: each unit used is worth paid / (paid + bonus).

    The same ratio as that of 法释〔2025〕4号 Article 18(2).
    """
    return rounded(Fraction(used * paid, paid + bonus), rounding) if used else 0
