"""Points that come with a sale: how much of its price is theirs, and how much of that has been earned.

IFRS 15 B39-B43 and IE267-IE270 (Example 52), ASC 606-10-55-41 to 45, CAS 14. All money is in smallest units.
"""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from stampbook import Rounding, divide, split

if TYPE_CHECKING:
    from collections.abc import Sequence


def rounded(amount: Fraction, rounding: Rounding | str = Rounding.HALF_UP) -> int:
    """Return an exact amount as a whole number of units, rounded by name."""
    return divide(amount.numerator, amount.denominator, rounding)


def standalone_price(points: int, each: Fraction, redeemed: Fraction) -> Fraction:
    """Return the stand-alone selling price of points: what they are worth, as far as they are likely to be redeemed.

    Args:
        points: how many.
        each: the selling price of one that is redeemed.
        redeemed: the part that is expected to be redeemed.
    """
    return points * each * redeemed


def allocate(
    price: int, goods: int, points: Sequence[Fraction], *, share_decimals: int | None = None
) -> tuple[int, list[int]]:
    """Split the price of a sale between its goods and its points by their stand-alone selling prices.

    Args:
        price: what the customer pays for all of it.
        goods: the stand-alone selling price of the goods.
        points: those of the points, asset by asset or grant by grant.
        share_decimals: round each share to so many decimals of a percent first, half up, as some textbooks do; the
            goods take the rest. Exact shares where none is given.

    Returns:
        the part of the goods, and those of the points; all of them sum to `price`.
    """
    whole = goods + sum(points)
    if not whole:
        return price, [0] * len(points)
    if share_decimals is not None:
        parts = 100 * 10**share_decimals
        shares = [rounded(each * parts / whole) for each in points]
        own = [rounded(Fraction(price * share, parts)) for share in shares]
        return price - sum(own), own
    scale = 1
    for each in points:
        scale = scale * each.denominator // _common(scale, each.denominator)
    first, *rest = split(price, [goods * scale, *(int(each * scale) for each in points)])
    return first, rest


def _common(one: int, other: int) -> int:
    while other:
        one, other = other, one % other
    return one


def expected(granted: int, redeemed: Fraction, used: int, left: int) -> Fraction:
    """Return how many points of a grant will have been redeemed in the end: the estimate, within what can still be.

    Args:
        granted: how many there were, without those that were taken back.
        redeemed: the part that is expected to be redeemed, by the latest estimate.
        used: how many have been.
        left: how many still can be.
    """
    return min(max(granted * redeemed, Fraction(used)), Fraction(used + left))


def recognised(allocated: int, used: int, total: Fraction | int, *, rounding: Rounding | str = Rounding.HALF_UP) -> int:
    """Return how much of what was allocated is revenue so far: ``allocated * used / total``, and never more than all.

    A new estimate changes `total` and nothing else, so that the difference to what was recognised before is caught
    up at once (cumulative catch-up); what was allocated is never allocated anew.

    Args:
        allocated: the points' part of the price.
        used: how many have been redeemed.
        total: how many will have been, by the latest estimate; zero where none is left and none was redeemed, all
            having expired: then all is revenue.
        rounding: by name.
    """
    if used >= total:
        return allocated
    return rounded(Fraction(allocated * used) / total, rounding)


class OfPartner(NamedTuple):
    """What a sale with points of another company's scheme comes to."""

    goods: int
    points: int
    cost: int


def of_partner(price: int, points: int, paid: int, *, as_agent: bool) -> OfPartner:
    """Return revenue and cost of a sale with points that a partner redeems, as IFRIC 13 IE Example 2 has it.

    Args:
        price: what the customer pays.
        points: the points' part of it.
        paid: what the partner is paid for them.
        as_agent: whether the points are granted for the partner: then what is kept of their part is a commission.
    """
    return OfPartner(price - points, points - paid, 0) if as_agent else OfPartner(price - points, points, paid)
