"""Merging in numbers: how a debt that comes along is settled, and what can go back of what an account brought."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from stampbook import NEVER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from stampbook import AccountView, Lot

LotTerms = tuple[str, int, str, int, int, int]
"""Units with their terms: asset, amount, kind, effective at, expires at, priority."""


class Out(NamedTuple):
    """How debts that come along are settled: triples of asset, lot and units that pay, and what is owed on."""

    paid: list[tuple[str, int, int]]
    owed: list[tuple[str, int]]


def taken_out(debts: Iterable[tuple[str, int]], account: AccountView) -> Out:
    """Pay debts from what the account can spend before anything arrives; the rest is owed on."""
    out = Out([], [])
    for asset, units in debts:
        chosen, short = account.draw(asset, units)
        out.paid.extend((asset, lot, part) for lot, part in chosen)
        if short:
            out.owed.append((asset, short))
    return out


class Back(NamedTuple):
    """What goes back, and what becomes of debts.

    `taken` are triples of asset, lot and units, `lots` the same units with their terms, and `arrived` their lots here,
    0 where they come out of none; `owed_again` is what the
    account owed before and paid with what was brought, `owed_here` what it owes since and owes no more, `debts` what
    goes back.
    """

    taken: list[tuple[str, int, int]]
    lots: list[LotTerms]
    arrived: list[tuple[int, int]]
    owed_again: list[tuple[str, int]]
    owed_here: list[tuple[str, int]]
    debts: list[tuple[str, int]]


class Brought(NamedTuple):
    """What an account brought to another, as that one remembers it.

    `paid` are the units that paid for debts that came along, `owed` the rest of those debts, `covered` what the account
    itself owed and was paid by what came; `facts` are names, values and ends as they were before.
    """

    lots: Sequence[LotTerms]
    metrics: Sequence[tuple[str, int, int]]
    paid: Sequence[LotTerms]
    owed: Sequence[tuple[str, int]]
    covered: Mapping[str, int]
    facts: Sequence[tuple[str, str, int]]

    @classmethod
    def of(
        cls,
        lots: Sequence[LotTerms],
        metrics: Sequence[tuple[str, int, int]],
        out: Out,
        account: AccountView,
        names: Iterable[str],
    ) -> Brought:
        """Return what is brought to an account as it was before.

        Args:
            lots: what comes.
            metrics: what counts from now on.
            out: how debts that come along are settled.
            account: before.
            names: of facts that may change.
        """
        sums: dict[str, int] = {}
        for asset, units, *_ in lots:
            sums[asset] = sums.get(asset, 0) + units
        covered = {asset: min(units, account.owed(asset)) for asset, units in sums.items() if account.owed(asset)}
        paid = [(asset, units, *_terms(account, lot)) for asset, lot, units in out.paid]
        facts = []
        for name in names:
            held = [fact for fact in account.facts(name) if fact.since <= account.at < fact.until]
            facts.append((name, held[-1].value, held[-1].until) if held else (name, "", NEVER))
        return cls(lots, metrics, paid, out.owed, covered, facts)

    @classmethod
    def read(cls, text: str) -> Brought:
        """Read what `plain` made, as JSON."""
        lots, metrics, paid, owed, covered, facts = json.loads(text)
        lots, metrics, paid, owed, facts = ([tuple(row) for row in rows] for rows in (lots, metrics, paid, owed, facts))
        return cls(lots, metrics, paid, owed, covered, facts)

    def plain(self) -> list[Any]:
        """Return it as plain data."""
        return [list(self.lots), list(self.metrics), list(self.paid), list(self.owed), self.covered, list(self.facts)]

    def since(self, came_back: Iterable[Sequence[Any]]) -> Brought:
        """Return it as it is by now, after what the account had bought came back on the other.

        Args:
            came_back: each a path, and either metric, day and units; or the terms of a lot and units; or an asset and
                what is owed of it. Units are above zero where there is more.
        """
        metrics = {(name, day): units for name, day, units in self.metrics}
        lots: dict[tuple[Any, ...], int] = {}
        for asset, units, *terms in self.lots:
            lots[asset, *terms] = lots.get((asset, *terms), 0) + units
        owed = dict(self.owed)
        for _, what, *rest in came_back:
            if len(rest) > 1:
                if (what, rest[0]) in metrics:
                    metrics[what, rest[0]] += rest[1]
            elif isinstance(what, str):
                owed[what] = max(0, owed.get(what, 0) + rest[0])
            elif rest[0] > 0:
                lots[tuple(what)] = lots.get(tuple(what), 0) + rest[0]
            else:
                _lessen(lots, tuple(what), -rest[0])
        return self._replace(
            lots=[(terms[0], units, *terms[1:]) for terms, units in lots.items() if units],
            metrics=[(name, day, units) for (name, day), units in metrics.items() if units],
            owed=[(asset, units) for asset, units in owed.items() if units],
        )

    def given_back(self, account: AccountView, may_owe: Mapping[str, bool]) -> Back:
        """Return what can go back now: of each lot at most what is still free in lots of its terms."""
        back = Back([], [], [], [], [], [])
        left = {lot.number: lot.free for lot in account.lots if lot.free > 0}
        lots = {lot.number: lot for lot in account.lots}
        covered = dict(self.covered)
        for lot in self.lots:
            asset, units, kind, effective_at, expires_at, priority = lot
            for number in _alike(lots, left, lot, account.at):
                part = min(units, left[number])
                if part > 0:
                    left[number] -= part
                    units -= part
                    back.taken.append((asset, number, part))
                    ends_at = max(expires_at, lots[number].expires_at)
                    back.lots.append((asset, part, kind, effective_at, ends_at, priority))
                    back.arrived.append((number, part))
            again = min(units, covered.get(asset, 0)) if may_owe.get(asset) else 0
            if again and expires_at > account.at:
                covered[asset] -= again
                back.owed_again.append((asset, again))
                back.lots.append((asset, again, kind, effective_at, expires_at, priority))
                back.arrived.append((0, again))
        debts: dict[str, int] = {}
        for asset, units in self.owed:
            still = min(units, account.owed(asset))
            if still:
                back.owed_here.append((asset, still))
                debts[asset] = debts.get(asset, 0) + still
        for asset, units, *_ in self.paid:
            debts[asset] = debts.get(asset, 0) + units
        back.debts.extend(debts.items())
        return back


def _terms(account: AccountView, number: int) -> tuple[str, int, int, int]:
    lot = account.lot(number)
    assert lot is not None  # noqa: S101 - it was drawn from
    return (lot.kind, lot.effective_at, lot.expires_at, lot.priority)


def _lessen(lots: dict[tuple[Any, ...], int], terms: tuple[Any, ...], units: int) -> None:
    """Take units that were taken from a lot of some terms off what was brought.

    First of the same terms, then of alike ones, then, for it was to pay for its own, of whatever else can be taken.
    """
    asset, kind, _, expires_at, priority = terms

    def differs(each: tuple[Any, ...]) -> bool:
        return (each[1], each[4]) != (kind, priority) or each[3] > expires_at

    for each in sorted(lots, key=lambda each: (each != terms, differs(each), each[3], each[2])):
        if each[0] == asset and (each[1] != "paid" or kind == "paid"):
            part = min(units, lots[each])
            lots[each] -= part
            units -= part


def _alike(lots: Mapping[int, Lot], left: Mapping[int, int], brought: LotTerms, at: int) -> list[int]:
    """Return lots that may hold what came under some terms: those of the same terms first, then those put off since."""
    asset, _, kind, effective_at, expires_at, priority = brought
    found = [
        lot
        for lot in (lots[number] for number in left)
        if (lot.asset, lot.kind, lot.priority) == (asset, kind, priority)
        and lot.expires_at >= expires_at
        and (lot.effective_at == effective_at or lot.effective_at <= at >= effective_at)
    ]
    found.sort(key=lambda lot: (lot.expires_at, lot.effective_at != effective_at, -lot.number))
    return [lot.number for lot in found]
