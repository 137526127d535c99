"""Which tender gives back how much of a return: pure arithmetic on what is left of each."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from stampbook import split
from stampbook_refunds.rules import stored_part

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stampbook import Tendered


class Policy(NamedTuple):
    """How the tenders of a purchase share a return: `order` of all; of `proportional`, who comes first or last."""

    order: str
    stored_value: str
    points: str


def shares(value: int, tenders: Sequence[Tendered], money: str, policy: Policy) -> list[int]:
    """Return what each tender gives back of a return; the parts sum to it, and none is above what is left.

    What remains is split, never the running total anew, so that no tender ever takes back what it gave.

    Args:
        value: what comes back now, at most what is left of all tenders.
        tenders: in the order of use.
        money: the currency of the order, which is the asset of stored value.
        policy: the options.
    """
    if policy.order == "proportional":
        return _in_proportion(value, tenders, money, policy)
    order = list(range(len(tenders)))
    if policy.order == "reverse":
        order.reverse()
    elif policy.order == "outside_first":
        order.sort(key=lambda place: _away_from_outside(tenders[place], money))
    parts = [0] * len(tenders)
    for place in order:
        parts[place] = min(value, tenders[place].left)
        value -= parts[place]
    return parts


def _away_from_outside(tender: Tendered, money: str) -> int:
    """Money from outside is 0, stored value 1, and points are 2."""
    return 0 if not tender.asset else 1 if tender.asset == money else 2


def _in_proportion(value: int, tenders: Sequence[Tendered], money: str, policy: Policy) -> list[int]:
    """Split first between each asset of points and the rest, then between stored value and money from outside."""
    parts = [0] * len(tenders)
    total = sum(tender.left for tender in tenders)
    inside = [place for place, tender in enumerate(tenders) if tender.asset]
    inside.sort(key=lambda place: tenders[place].asset == money)
    for place in inside:
        mode = policy.stored_value if tenders[place].asset == money else policy.points
        parts[place] = stored_part(value, total, tenders[place].left, mode)
        value, total = value - parts[place], total - tenders[place].left
    outside = [place for place, tender in enumerate(tenders) if not tender.asset]
    for place, part in zip(outside, split(value, [tenders[place].left for place in outside]), strict=True):
        parts[place] = part
    return parts
