"""The arithmetic of refunds: what was delivered counts for how much, and what of the money comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from stampbook import divide

if TYPE_CHECKING:
    from collections.abc import Sequence

YEAR = 365
"""Days of a year of interest: no law here says, so the shorter year is taken, which pays the customer more."""


class Share(NamedTuple):
    """One top-up, or all of them together: paid, granted, consumed at its nominal value, and before discounts."""

    paid: int
    granted: int
    nominal: int
    listed: int


def principal(share: Share, valuation: str, rounding: str = "half_up") -> int:
    """Return what of the money comes back: what was paid less what was delivered, and never less than nothing.

    With ``discounted`` what was delivered counts at what the account gave for it, times ``paid / (paid + granted)``:
    the bonus pays for its part (法释〔2025〕4号 Art. 15, 18, 20). With ``list`` it counts at its price before discounts
    and bonus (Art. 19, 20). It never comes to more than what was paid.

    Args:
        share: what was paid, granted and consumed.
        valuation: ``discounted`` or ``list``.
        rounding: of the refund, by name.
    """
    paid, granted, nominal, listed = share
    if valuation == "list":
        return max(0, paid - listed)
    whole = paid + granted
    if not whole:
        return 0
    return min(paid, max(0, divide(paid * (whole - nominal), whole, rounding)))


def pooled(shares: Sequence[Share]) -> Share:
    """Return top-ups taken together."""
    return Share(*(sum(column) for column in zip(*shares, strict=True))) if shares else Share(0, 0, 0, 0)


def interest(amount: int, rate: int, days: int, rounding: str = "half_up") -> int:
    """Return simple interest.

    Args:
        amount: smallest units.
        rate: a year's, in millionths: 3.10 % is 31,000.
        days: how many.
        rounding: by name.
    """
    return divide(amount * rate * max(0, days), 1_000_000 * YEAR, rounding)


def fee_of(amount: int, percent: int) -> int:
    """Return a fee in millionths of an amount, rounded down."""
    return divide(amount * percent, 1_000_000)


def rest_of_term(price: int, remaining: int, whole: int, rounding: str = "half_up") -> int:
    """Return what comes back of a card for unlimited use: its price times the days that remain (Art. 22)."""
    return divide(price * max(0, min(remaining, whole)), whole, rounding) if whole > 0 else 0


def rest_of_sessions(price: int, sessions: int, used: int, list_price: int = 0, rounding: str = "half_up") -> int:
    """Return what comes back of a pack of sessions.

    Args:
        price: of the pack.
        sessions: how many it had.
        used: how many were had.
        list_price: of one session before the discount of the pack; that of the contract where it is 0.
        rounding: by name.
    """
    if list_price:
        return max(0, price - used * list_price) if used < sessions else 0
    return divide(price * (sessions - used), sessions, rounding)


def is_small(balance: int, most: int, *, inclusive: bool) -> bool:
    """Whether a balance is small enough to be had in cash."""
    return 0 < balance <= most if inclusive else 0 < balance < most


def is_used_up(balance: int, face: int, percent: int) -> bool:
    """Whether at least a share of what was paid has been used."""
    return balance > 0 and (face - balance) * 100 >= face * percent
