"""Bonus that was owed once it was spent, and that money has paid for since: it comes back as paid value."""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from stampbook.ledger import CASH, PROMOTION, SALES, Posting
from stampbook.lots import DEBT, PAID
from stampbook.periods import NEVER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stampbook.draft import Draft
    from stampbook.earlier import Happened

RULE = "paid_for"
"""The rule of what comes back so."""

_KEPT = "_paid_for"
"""Under this name a return remembers how much of which bonus came back so: JSON, by rule, in smallest units."""
_RETURNS = frozenset({"return", "purchase.cancelled"})


@dataclass(slots=True)
class _PaidFor:
    """What money paid for by rule, and into which lots each rule had granted."""

    units: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    lots: dict[str, set[int]] = field(default_factory=lambda: defaultdict(set))

    def take(self, lot: int, most: int) -> list[tuple[str, int]]:
        """Take what may come back of a lot as paid value, up to an amount: pairs of rule and units.

        A debt that a return opened bears no rule that granted: what it made good may have been of any lot.
        """
        parts: list[tuple[str, int]] = []
        for rule, left in self.units.items():
            part = min(left, most) if not self.lots.get(rule) or lot in self.lots[rule] else 0
            if part > 0:
                self.units[rule] -= part
                most -= part
                parts.append((rule, part))
        return parts


def back_as_paid(draft: Draft, spent_at: int, asset: str) -> None:
    """Let bonus that a return puts back come back as paid value, as far as money has paid for it.

    The memo notes (``repaid``) into which lots it would have gone: it counts as put back there.

    Args:
        draft: the transaction, in which what comes back has repaid what is owed still.
        spent_at: the place in the journal of the purchase that had spent it.
        asset: in which that was paid.
    """
    back = [place for place, each in enumerate(draft.postings) if _is_bonus_back(draft, each, asset)]
    if not back:
        return
    known = _paid_for(draft.view.history, spent_at, asset)
    taken: dict[str, int] = defaultdict(int)
    repaid: list[tuple[int, int]] = []
    for place in reversed(back):
        posting = draft.postings[place]
        number = posting.destination
        assert isinstance(number, int)  # noqa: S101 - narrows for the type checker
        parts = known.take(number, min(posting.amount, _room(draft, number)))
        gone = sum([units for _, units in parts])
        if not gone:
            continue
        del draft.postings[place]
        if gone < posting.amount:
            draft.postings.insert(place, posting._replace(amount=posting.amount - gone))
        repaid.append((number, gone))
        for rule, units in parts:
            taken[rule] += units
    if not taken:
        return
    units = sum(taken.values())
    lot = draft.open((asset, PAID, draft.event.at, NEVER, 0))
    draft.postings.append(Posting(asset, units, SALES, lot, RULE))
    draft.memo["repaid"] = [*draft.memo.get("repaid", ()), *repaid]
    remembered = draft.memo.setdefault("remembered", {})
    remembered[_KEPT] = json.dumps(taken, separators=(",", ":"), sort_keys=True)
    remembered["as_paid"] = draft.registry.context.asset(asset).told(units)


def _is_bonus_back(draft: Draft, posting: Posting, asset: str) -> bool:
    if posting.asset != asset or posting.source != SALES or not isinstance(posting.destination, int):
        return False
    lot = draft.view.known_lot(posting.destination)
    return lot is not None and lot.kind not in {PAID, DEBT}


def _room(draft: Draft, number: int) -> int:
    """Return what a lot holds after all postings of the draft: what the same event takes from it stays bonus."""
    lot = draft.view.known_lot(number)
    room = 0 if lot is None else lot.free
    for posting in draft.postings:
        room += posting.amount * ((posting.destination == number) - (posting.source == number))
    return max(0, room)


def _paid_for(history: Iterable[Happened], spent_at: int, asset: str) -> _PaidFor:
    """Return what money has repaid of bonus that came to be owed after a purchase, less what came back so before.

    Of several debts the oldest is repaid first, whatever repays it.
    """
    known, debts, owed = _PaidFor(), set[int](), list[tuple[str, int]]()
    for entry in history:
        debts.update(lot.number for lot in entry.opened if lot.kind == DEBT)
        for code, amount, source, destination, rule in entry.postings:
            if code != asset:
                continue
            if source in debts:
                is_bonus = destination == PROMOTION and entry.seq > spent_at
                owed.append((rule if is_bonus else "", amount))
            elif destination in debts:
                for of, units in _repaid(owed, amount):
                    if of and source == CASH:
                        known.units[of] += units
            elif source == PROMOTION and isinstance(destination, int):
                known.lots[rule].add(destination)
        if entry.type in _RETURNS and _KEPT in entry.remembered:
            for rule, units in json.loads(entry.remembered[_KEPT]).items():
                if rule in known.units:
                    known.units[rule] = max(0, known.units[rule] - units)
    return known


def _repaid(owed: list[tuple[str, int]], amount: int) -> list[tuple[str, int]]:
    """Take an amount off what is owed, and return of which rules that was."""
    parts: list[tuple[str, int]] = []
    while amount and owed:
        rule, left = owed[0]
        part = min(amount, left)
        parts.append((rule, part))
        amount -= part
        if part < left:
            owed[0] = (rule, left - part)
        else:
            del owed[0]
    return parts


__all__ = ["RULE", "back_as_paid"]
