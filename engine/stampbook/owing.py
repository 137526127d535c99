"""Debt and what comes back: what returns to a lot, or is set aside no longer, first repays what the account owes."""

from __future__ import annotations

from shlex import quote
from typing import TYPE_CHECKING

from stampbook.coming_back import AWAITED, take_back
from stampbook.ledger import HoldChange, authorised_by
from stampbook.lots import DEBT, PAID, RENEWED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stampbook.account import Hold
    from stampbook.amounts import Asset
    from stampbook.draft import Draft
    from stampbook.ledger import Posting
    from stampbook.lots import Lot

RELEASE = "release"
"""The rule of what is released of a hold and repays what is owed, or is good again for a while."""


def repay_first(draft: Draft, paid_at: int | None = None) -> None:
    """Let what the draft puts back into lots repay what is owed, save what the same event takes from them again.

    What goes back into a lot whose time is over lapses, and repays nothing; paid value stays whole. The memo notes
    (``repaid``) into which lots it would have gone: it counts as put back there. What a return waits for is taken then.

    Args:
        draft: the transaction.
        paid_at: the place in the journal of the event that had spent what comes back, if it is of this account.
    """
    back, draft.returned = draft.returned, []
    if not back:
        return
    if _owes(draft):
        _repay(draft, back)
    if paid_at is not None and AWAITED in draft.account.facts:
        room = _left(draft, {posting.destination for posting in back})
        came = {(posting.source, posting.destination, posting.rule) for posting in back}
        for posting in draft.postings[:]:
            number, units = posting.destination, min(posting.amount, room.get(posting.destination, 0))
            if isinstance(number, int) and units > 0 and (posting.source, number, posting.rule) in came:
                room[number] -= units
                take_back(draft, posting.asset, [(number, units)], paid_at)


def _repay(draft: Draft, back: Sequence[Posting]) -> None:
    room = _left(draft, {posting.destination for posting in back})
    repaid: list[tuple[int, int]] = []
    for posting in back:
        number = posting.destination
        units = min(posting.amount, room.get(number, 0))
        if units <= 0 or not isinstance(number, int):
            continue
        place = draft.postings.index(posting)
        del draft.postings[place]
        parts = draft.repay(posting.asset, units, posting.source, posting.rule)
        gone = sum([part for _, part in parts])
        if gone < posting.amount:
            draft.postings.insert(place, posting._replace(amount=posting.amount - gone))
        if gone:
            room[number] -= gone
            repaid.append((number, gone))
            _tell(draft, posting.asset, gone)
    if repaid:
        draft.memo["repaid"] = repaid


def repay_out_of(draft: Draft, asset: str, amount: int, source: str, rule: str) -> int:
    """Let units out of a book repay what is owed, up to an amount, and return how many do."""
    gone = sum([part for _, part in draft.repay(asset, amount, source, rule)])
    if gone:
        _tell(draft, asset, gone)
    return gone


def settling(ref: str, asset: Asset, units: int) -> str:
    """Say how an account gets rid of a debt, as a part of a sentence for operators: with which commands.

    Args:
        ref: the account.
        asset: what is owed.
        units: how much, in smallest units.
    """
    what = f"{quote(ref)} {asset.text(units)} --asset {quote(asset.code)}"
    let_go = f"stampbook adjust {what} --reason WHY"
    if not asset.is_currency:
        return f"settle it first: {let_go}"
    return f"settle it first: stampbook topup {what} --debt repay; or let go of it: {let_go}"


def release(draft: Draft, hold: Hold, action: str, units: Sequence[tuple[int, int]]) -> None:
    """Set units of a hold aside no longer; those that may be spent repay what is owed.

    Args:
        draft: the transaction.
        hold: what they were set aside by.
        action: ``void`` or ``lapse``.
        units: pairs of lot number and amount.
    """
    draft.holds.append(HoldChange(hold.number, action, hold.asset, tuple(units)))
    _renew(draft, hold.asset, units)
    owes, awaited = _owes(draft), AWAITED in draft.account.facts
    if not owes and not awaited:
        return
    for number, amount in units:
        if _is_good(draft.account.lots[number], draft.event.at):
            gone = sum([part for _, part in draft.repay(hold.asset, amount, number, RELEASE)]) if owes else 0
            if gone:
                _tell(draft, hold.asset, gone)
            if awaited and gone < amount:
                take_back(draft, hold.asset, [(number, amount - gone)], authorised_by(hold.number))


def _renew(draft: Draft, asset: str, units: Sequence[tuple[int, int]]) -> None:
    """Make good again, once, what is released after its time, where the program says for how long."""
    grace, at = draft.registry.context.graces.get(asset), draft.event.at
    for number, amount in units if grace is not None else ():
        lot = draft.account.lots[number]
        if grace is not None and lot.expires_at <= at and lot.kind not in {PAID, RENEWED}:
            draft.grant((asset, RENEWED, at, grace(at), lot.priority), amount, number, RELEASE)


def _owes(draft: Draft) -> bool:
    lots = draft.account.lots.values()
    return any(lot.remaining < 0 for lot in lots) or any(lot.kind == DEBT for lot in draft.opened)


def _left(draft: Draft, numbers: set[int | str]) -> dict[int | str, int]:
    """Return what lots that may be spent hold after all postings of the draft."""
    lots = [*draft.account.lots.values(), *draft.opened]
    left: dict[int | str, int] = {
        lot.number: lot.free for lot in lots if lot.number in numbers and _is_good(lot, draft.event.at)
    }
    for posting in draft.postings:
        if posting.source in left:
            left[posting.source] -= posting.amount
        if posting.destination in left:
            left[posting.destination] += posting.amount
    return left


def _is_good(lot: Lot, at: int) -> bool:
    return lot.kind not in {DEBT, PAID} and lot.effective_at <= at < lot.expires_at


def _tell(draft: Draft, asset: str, units: int) -> None:
    repaid = draft.trace.setdefault("repaid", {})
    repaid[asset] = repaid.get(asset, 0) + units
