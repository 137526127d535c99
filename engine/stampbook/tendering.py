"""What paid for a purchase, tender by tender, and what returns gave back of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stampbook.amounts import split
from stampbook.refund_plans import Tendered

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from stampbook.orders import Order
    from stampbook.refund_plans import Drawn, Paid, RefundPlan

STORED_VALUE = "stored_value"
POINTS = "points"


def tenders_of(
    order: Order, left: int, drawn: Sequence[Drawn], paid: Sequence[Paid], memos: Iterable[Mapping[str, object]]
) -> tuple[Tendered, ...]:
    """Return what paid for an order, in the order of use; what is left of all sums to `left`.

    Stored value counts as one tender, and so does each asset of points, where the first of them stands.

    Args:
        order: what was bought.
        left: what has not come back yet.
        drawn: the stored value that paid.
        paid: what else of the account did.
        memos: of earlier returns.
    """
    places: dict[str, int] = {}
    rest = [amount for _, _, amount in order.tendered]
    found: list[Tendered] = []
    stored = sum(use.amount for use in drawn)
    _cover(order, STORED_VALUE, "", stored, rest, places)
    if stored:
        back = sum(use.restored for use in drawn)
        found.append(Tendered(places.get(STORED_VALUE, 0), STORED_VALUE, order.currency, stored, back))
    for asset, value, back in [(each.asset, each.value, each.back) for each in paid]:
        _cover(order, POINTS, asset, value, rest, places)
        found.append(Tendered(places.get(POINTS + asset, 0), POINTS, asset, value, back))
    outside_left = max(0, left - sum(tender.left for tender in found))
    outside = [
        Tendered(place, kind, "", amount)
        for place, ((kind, _, _), amount) in enumerate(zip(order.tendered, rest, strict=True), 1)
        if amount
    ]
    found.extend(_given_back(outside, outside_left, memos))
    return tuple(sorted(found, key=lambda tender: tender.place))


def _cover(order: Order, kind: str, asset: str, value: int, rest: list[int], places: dict[str, int]) -> None:
    """Take what the account paid off the tenders that say so, and note where the first of them stands."""
    of_asset = [kind == POINTS and named == asset for _, named, _ in order.tendered]
    of_kind = [tender[0] == kind for tender in order.tendered]
    for fits in (of_asset, of_kind):
        for place, fitting in enumerate(fits):
            part = min(value, rest[place]) if fitting else 0
            if part:
                places.setdefault(kind + asset, place + 1)
                rest[place] -= part
                value -= part


def _given_back(outside: list[Tendered], left: int, memos: Iterable[Mapping[str, object]]) -> list[Tendered]:
    """Return the tenders from outside with what went back of each; of an order that names none it is one."""
    amount = sum(tender.amount for tender in outside)
    if len(outside) == 1:
        return [outside[0]._replace(back=amount - left)] if amount >= left else [Tendered(0, "", "", left)]
    back = dict.fromkeys([tender.place for tender in outside], 0)
    for memo in memos:
        parts: Iterable[tuple[int, str, int, int]] = memo.get("tenders", ())  # type: ignore[assignment]  # plain data
        for place, _, share, _ in parts:
            back[place] = back.get(place, 0) + share
    known = [tender._replace(back=back[tender.place]) for tender in outside]
    if sum(tender.left for tender in known) == left and all(tender.left >= 0 for tender in known):
        return known
    return [Tendered(0, "", "", left)] if left else []


def shares_of(plan: RefundPlan, tenders: Iterable[Tendered]) -> list[tuple[int, str, int, int]]:
    """Return place, kind, share and what goes back by it of each tender from outside from which a plan gives back.

    Where a plan does not say which, each gives in proportion to what is left of it. What is kept is kept of all in
    proportion; what becomes stored value, or pays for what is taken instead, is that of the first ones.
    """
    outside = [tender for tender in tenders if not tender.asset]
    whole = plan.outside + plan.deducted + plan.credited + plan.charged_back
    if plan.tenders:
        shares = [plan.tenders.get(tender.place, 0) for tender in outside]
    else:
        shares = split(whole, [tender.left for tender in outside])
    kept = split(plan.deducted, shares)
    stays = plan.credited + plan.exchanged + plan.charged_back
    found: list[tuple[int, str, int, int]] = []
    for tender, share, off in zip(outside, shares, kept, strict=True):
        here = min(stays, share - off)
        stays -= here
        if share:
            found.append((tender.place, tender.kind, share, share - off - here))
    return found
