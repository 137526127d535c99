"""Lots that stand in for others: for those of an account that was merged into this one, or that a merger emptied.

Units of equal terms are alike. What an earlier event moved in a lot that is no longer there is taken from, and put
back into, a lot of the same terms; where there is none, one is opened for what comes back.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from stampbook.account import MERGED_FROM, MERGED_INTO
from stampbook.account_view import AccountView
from stampbook.earlier import Elsewhere
from stampbook.ledger import SALES, Fact, Message, MetricChange, Posting
from stampbook.lots import DEBT, PAID, Lot
from stampbook.periods import NEVER
from stampbook.refunding import Recorded

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from stampbook.draft import Draft, Terms
    from stampbook.earlier import Earlier
    from stampbook.ledger import End
    from stampbook.refunding import Past

CAME_BACK = "_came_back:"
"""Before the ref of an account that was merged into this one, in the name of a fact: by how much what it brought is
more or less since, as JSON: lists of the path on which it came and either metric, day and units, or the terms of a lot
and units, or an asset and what is owed of it."""

_RESERVED = 1 << 40
"""Above the number of any lot: for a lot that is opened once something comes back into it."""


class StandIns:
    """The lots of an account that stand in for others.

    The draft's view shows empty lots besides, for which `open` opens real ones where the transaction uses them.
    """

    def __init__(self, draft: Draft, elsewhere: Elsewhere) -> None:
        self._draft = draft
        self._elsewhere = elsewhere
        path = elsewhere.path
        came = draft.account.facts.get(MERGED_FROM + path[-1]) if path else None
        self._since = (
            came[-1].since if came else draft.event.at
        )  # what was good then may have been made good for longer
        self._number: dict[int, int] = {}
        self._reserved: dict[int, Lot] = {}
        for number, terms in elsewhere.lots.items():
            if terms[1] != DEBT:
                self._number[number] = self._place(number, terms)
        work = draft.account.copy()
        work.lots.update(self._reserved)
        draft.view = AccountView(work, draft.event.at, draft.registry.context, named=draft.about, since=draft.event.at)

    @classmethod
    def of_own(cls, draft: Draft, past: Past) -> StandIns | None:
        """Return those for lots of the account itself that a merger emptied which was undone; None where none was."""
        if MERGED_INTO not in draft.account.facts:
            return None
        numbers = {lot for _, _, _, lots, _ in past.purchase.memo.get("granted", ()) for lot, _ in lots}
        lots = {number: lot.terms for number in numbers if (lot := draft.account.lots.get(number)) is not None}
        return cls(draft, Elsewhere((), 0, lots, {}, frozenset()))

    def _place(self, number: int, terms: Terms) -> int:
        asset, kind, effective_at, expires_at, priority = terms
        at, expired = self._draft.event.at, self._draft.account.expired
        own = None if self._elsewhere.path else self._draft.account.lots.get(number)
        if own is not None and (own.remaining or expired.get(number, 0) > 0):
            return number
        alike = [
            lot
            for lot in self._draft.account.lots.values()
            if (lot.remaining or expired.get(lot.number, 0) > 0)
            and (lot.asset, lot.kind, lot.priority) == (asset, kind, priority)
            and (lot.expires_at == expires_at or lot.expires_at > expires_at > self._since)
            and (lot.effective_at == effective_at or (kind != PAID and lot.effective_at <= at >= effective_at))
        ]
        if alike:
            return min(alike, key=lambda lot: (lot.expires_at, lot.effective_at != effective_at, lot.number)).number
        place = _RESERVED + len(self._reserved)
        self._reserved[place] = Lot(place, *terms, self._draft.account.seq + 1, 0)
        return place

    # What is known of an earlier event, in terms of lots that are here

    def purchase(self, past: Past) -> Past:
        """Return what is known of a purchase of another account as if its lots were those that stand in for them."""
        expired: dict[int, int] = defaultdict(int, past.expired)
        for number, units in self._elsewhere.expired.items():
            if number in self._number:
                expired[self._number[number]] += units
        purchase = past.purchase
        effects = {**purchase.effects, "memo": self._memo(purchase.memo)}
        return replace(
            past,
            purchase=Recorded(purchase.seq, purchase.at, self.postings(purchase.postings), effects),
            returns=tuple([self._later(later) for later in past.returns]),
            expired=expired,
        )

    def own_purchase(self, past: Past) -> Past:
        """Return what is known of a purchase of the account itself, its grants in lots that still hold them."""
        purchase = past.purchase
        effects = {**purchase.effects, "memo": self._memo(purchase.memo)}
        return replace(past, purchase=Recorded(purchase.seq, purchase.at, purchase.postings, effects))

    def _memo(self, memo: Mapping[str, Any]) -> dict[str, Any]:
        granted = [
            (rule, asset, amount, self._summed(lots), by_line)
            for rule, asset, amount, lots, by_line in memo.get("granted", ())
        ]
        return {**memo, "granted": granted}

    def _later(self, later: Recorded) -> Recorded:
        memo = dict(later.memo)
        number = self._number
        memo["repaid"] = self._summed(memo.get("repaid", ()))
        memo["lapsed_lots"] = [(rule, number[lot], units) for rule, lot, units in memo.get("lapsed_lots", ())]
        if "matured" in memo:
            moves = [move for move in memo["matured"] if move[1] in number]
            memo["matured"] = [(rule, number[lot], number.get(into, 0), units) for rule, lot, into, units in moves]
        return Recorded(later.seq, later.at, self.postings(later.postings), {**later.effects, "memo": memo})

    def _summed(self, parts: Iterable[Any]) -> list[tuple[int, int]]:
        sums: dict[int, int] = {}
        for lot, units in parts:
            if lot in self._number:
                sums[self._number[lot]] = sums.get(self._number[lot], 0) + units
        return list(sums.items())

    def postings(self, postings: Iterable[Posting]) -> tuple[Posting, ...]:
        """Return postings in lots that stand in for those that they name; what had repaid debt is left out."""
        sums: dict[tuple[str, End, End, str], int] = {}
        for asset, amount, source, destination, rule in postings:
            ends = [self._number.get(end, 0) if isinstance(end, int) else end for end in (source, destination)]
            if 0 not in ends:
                key = (asset, ends[0], ends[1], rule)
                sums[key] = sums.get(key, 0) + amount
        return tuple([Posting(key[0], amount, *key[1:]) for key, amount in sums.items()])

    # What becomes of it

    def open(self) -> None:
        """Open the lots into which something comes back."""
        numbers: dict[End, int] = {}
        for place, posting in enumerate(self._draft.postings):
            for end in (posting.destination, posting.source):
                if end in self._reserved and end not in numbers:
                    numbers[end] = self._draft.open(self._reserved[end].terms)
            source, destination = (numbers.get(end, end) for end in (posting.source, posting.destination))
            self._draft.postings[place] = posting._replace(source=source, destination=destination)
        self._draft.returned = [
            posting._replace(destination=numbers.get(posting.destination, posting.destination))
            for posting in self._draft.returned
        ]

    def counted(self, changes: Sequence[MetricChange]) -> tuple[list[MetricChange], list[MetricChange]]:
        """Return what changes of metrics are for this account, and what for the other; note those that are for this."""
        here = [change for change in changes if change[:2] not in self._elsewhere.there]
        there = [change for change in changes if change[:2] in self._elsewhere.there]
        return here, there

    def _note(self) -> None:
        """Note what is more or less here: if the merger is undone, that is the other account's."""
        draft, path = self._draft, self._elsewhere.path
        noted: list[Any] = [[path, *change] for change in draft.metrics]
        opened = {lot.number: lot for lot in draft.opened}
        moved: dict[Terms, int] = {}
        for asset, amount, source, destination, _ in draft.postings:
            for end, sign in ((source, -1), (destination, 1)):
                if isinstance(end, int):
                    terms = (opened.get(end) or draft.account.lots[end]).terms
                    terms = (asset, DEBT, 0, 0, 0) if terms[1] == DEBT else terms
                    moved[terms] = moved.get(terms, 0) + sign * amount
        for terms, units in moved.items():
            if units:
                noted.append([path, terms[0], -units] if terms[1] == DEBT else [path, terms, units])
        if noted:
            name, at = CAME_BACK + path[0], max(draft.account.clock, draft.event.at)
            known = draft.account.facts.get(name, ())
            noted = [*(json.loads(known[-1].value) if known and known[-1].value else ()), *noted]
            draft.facts.append(Fact(name, json.dumps(noted, separators=(",", ":")), at, NEVER))

    def tell(self, memo: Mapping[str, Any], there: Sequence[MetricChange]) -> None:
        """Tell the account whose event it was what became of it here, and note that; all is posted and counted."""
        self._note()
        event = self._draft.event
        data = {
            "other": self._draft.account.ref,
            "position": self._elsewhere.position,
            "kind": event.type,
            "memo": memo,
            "metrics": [tuple(change) for change in there],
        }
        self._draft.messages.append(Message(self._elsewhere.ref, "earlier.settled", data, required=False))

    def memo_there(self, past: Past, put_back: Sequence[Posting]) -> dict[str, Any]:
        """Return what the account of a purchase is to remember of a return that is made good here.

        Args:
            past: the purchase, with the lots of its own account.
            put_back: what was put back into lots here, or repaid what is owed instead.
        """
        kept = ("came", "settled", "short", "let_go", "paid", "told", "metrics")
        memo = {name: self._draft.memo[name] for name in kept if name in self._draft.memo}
        lapsed, left = [], dict(self._elsewhere.expired)
        here: list[tuple[str, int, int]] = []
        for rule, place, units in self._draft.memo.get("lapsed_lots", ()):
            rest = units
            for number, stands_in in self._number.items():
                part = min(rest, left.get(number, 0)) if stands_in == place else 0
                if part:
                    left[number] -= part
                    rest -= part
                    lapsed.append((rule, number, part))
            if rest:
                here.append((rule, place, rest))
        if "lapsed_lots" in self._draft.memo:
            self._draft.memo["lapsed_lots"] = here
            memo["lapsed_lots"] = lapsed
        memo["repaid"] = self._back_there(past, put_back)
        return memo

    def matured_there(
        self, past: Past, matured: Iterable[tuple[str, int, int, int]]
    ) -> list[tuple[str, int, int, int]]:
        """Return out of which lots of its own account what matured here of a purchase counts as gone."""
        gone: list[tuple[str, int, int, int]] = []
        room = {(grant.rule, lot): units for grant in past.granted() for lot, units in grant.lots}
        for rule, place, _, units in matured:
            rest = units
            for (name, number), left in room.items():
                part = min(rest, left) if (name, self._number.get(number)) == (rule, place) else 0
                if part:
                    room[name, number] -= part
                    rest -= part
                    gone.append((rule, number, 0, part))
        return gone

    def _back_there(self, past: Past, put_back: Sequence[Posting]) -> list[tuple[int, int]]:
        """Return into which lots of its own account what came back of a purchase counts as put back."""
        assets = {posting.asset for posting in past.purchase.postings if posting.destination == SALES}
        room = {use.lot: use.amount - use.restored for asset in sorted(assets) for use in past.drawn(asset)}
        back: dict[int, int] = {}
        for posting in put_back:
            rest = posting.amount
            for number in reversed(room):
                part = min(rest, room[number]) if self._number.get(number) == posting.destination else 0
                if part:
                    room[number] -= part
                    rest -= part
                    back[number] = back.get(number, 0) + part
        return list(back.items())


def stand_in(draft: Draft, earlier: Earlier) -> tuple[Earlier, StandIns | None]:
    """Return an earlier event with lots that stand in for its own where it is of an account that was merged."""
    if earlier.elsewhere is None:
        return earlier, None
    lots = StandIns(draft, earlier.elsewhere)
    return replace(earlier, postings=lots.postings(earlier.postings)), lots
