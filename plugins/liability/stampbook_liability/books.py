"""A period as entries for the finance system: what was issued, redeemed and expired, what is deferred and earned.

Units move as the ledger moved them, day by day, so that the sums by book are the ledger's own. Deferral, recognition,
breakage and changes of estimates are money beside it, at the end of each month and on the day of each new estimate.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import TYPE_CHECKING

from stampbook import FinanceEntry, account_of_kind, account_part, book_account, grants_of_all, moved_beside
from stampbook_liability.measuring import NOTHING, Deferral, by_asset, deferrals

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from stampbook import Calendar, Engine, Grant, Posting
    from stampbook_liability.estimates import Estimates
    from stampbook_liability.measuring import Lawful
    from stampbook_liability.pools import PoolKey, Sums
    from stampbook_liability.report import Terms

_DEFERRING, _EARNING = "Income:Deferred", "Income:Points"
_DEFERRED = "Liabilities:DeferredRevenue"
_ADVANCE, _BREAKING = "Liabilities:ExpectedBreakage", "Income:ExpectedBreakage"

_TITLES = {
    ("cash", 1): "issue, paid in",
    ("cash", -1): "paid out",
    ("promotion", 1): "issue",
    ("promotion", -1): "taken back",
    ("sales", -1): "redemption",
    ("sales", 1): "redemption returned",
    ("returns", 1): "issue, for what came back",
    ("breakage", -1): "expiry",
    ("breakage", 1): "expiry undone",
    ("adjustments", 1): "issue by hand",
    ("adjustments", -1): "taken by hand",
    ("opening", 1): "brought along",
    ("refunds", -1): "refund",
    ("fees", -1): "fee",
    ("exchange", -1): "exchanged",
    ("exchange", 1): "exchanged",
    ("transfers", 1): "transfer in",
    ("transfers", -1): "transfer out",
}

Balances = dict[tuple[str, str], int]


class Period:
    """The entries of a period, with what stood on the accounts before it and after it."""

    def __init__(self, terms: Terms, since: int, until: int) -> None:
        calendar = terms.calendar
        self._terms = terms
        self._calendar = calendar
        self._since = since
        self._first = date.fromordinal(calendar.day(since))
        self._changes = sorted({change for each in _all_estimates(terms) for change in each.changes(since - 1, until)})
        ends = {since - 1, until, *(change - 1 for change in self._changes)}
        ends.update(end for end in _month_ends(calendar, since, until) if since <= end < until)
        self._ends = sorted(end for end in ends if since - 1 <= end <= until)
        self._pools = terms.pools(self._ends)
        self._moved: dict[tuple[date, str, str, str, int], int] = defaultdict(int)
        self.opening: Balances = defaultdict(int)
        self.closing: Balances = defaultdict(int)
        self.entries: list[FinanceEntry] = []

    def add(self, grants: list[Grant]) -> None:
        """Count the grants of one account."""
        self._pools.add(grants)
        for grant in grants:
            self._move(grant, grant.at, grant.units, grant.book)
            for at, units, book in grant.steps:
                self._move(grant, at, units, book)

    def _move(self, grant: Grant, at: int, units: int, book: str) -> None:
        if not units:
            return
        asset = self._terms.program.assets[grant.asset]
        account = account_of_kind(asset, grant.kind)
        self.closing[account, grant.asset] -= units
        if at < self._since:
            self.opening[account, grant.asset] -= units
            return
        day = date.fromordinal(self._calendar.day(at))
        self._moved[day, grant.asset, account, book, 1 if units > 0 else -1] += abs(units)

    def add_beside(self, moved: Iterable[tuple[int, Posting]]) -> None:
        """Take up what moved from one book to another, beside what customers have: interest that was paid."""
        for at, (asset, units, source, destination, _) in moved:
            debit, credit = book_account(str(source)), book_account(str(destination))
            day, notes = date.fromordinal(self._calendar.day(at)), (("book", str(destination)),)
            self.entries.append(FinanceEntry(day, str(source), debit, credit, asset, units, notes))

    def finish(self) -> None:
        """Draw up the entries, once all accounts were counted."""
        for (day, asset, account, book, sign), units in self._moved.items():
            title = _TITLES.get((book, sign), "redemption" if sign < 0 else "redemption returned")
            debit, credit = (book_account(book), account) if sign > 0 else (account, book_account(book))
            self.entries.append(FinanceEntry(day, title, debit, credit, asset, units, (("book", book),)))
        self._defer()
        for number, lawful in enumerate(self._terms.value, 1):
            self._break(lawful, number)

    def _defer(self) -> None:
        rounding, points = self._terms.config.rounding, self._terms.points
        before: dict[str, Deferral] = {}
        flows: dict[str, tuple[int, int]] = {}
        for place, end in enumerate(self._ends):
            pools = self._pools.sums(place)
            now = by_asset(deferrals(pools, points, end, rounding))
            gross = _gross(pools)
            if place:
                for code in now:
                    self._tell_deferral(code, end, before.get(code, NOTHING), now[code], _less(gross, flows, code))
            else:
                self._set(self.opening, {code: each.deferred for code, each in now.items()})
            before, flows = now, gross
            if end + 1 in self._changes and end < self._ends[-1]:
                then = by_asset(deferrals(pools, points, end + 1, rounding))
                for code in then:
                    caught_up = then[code].recognised - before[code].recognised
                    self._book(
                        end + 1, "estimate change", f"{_DEFERRED}:{account_part(code)}", _EARNING, caught_up, code
                    )
                before = then
        self._set(self.closing, {code: each.deferred for code, each in before.items()})

    def _tell_deferral(self, code: str, end: int, before: Deferral, now: Deferral, flows: tuple[int, int]) -> None:
        deferred = f"{_DEFERRED}:{account_part(code)}"
        allocated, given_back = flows
        self._book(end, "deferral", _DEFERRING, deferred, allocated, code)
        self._book(end, "deferral taken back", deferred, _DEFERRING, given_back, code)
        self._book(end, "recognition", deferred, _EARNING, now.recognised - before.recognised, code)

    def _set(self, balances: Balances, deferred: Mapping[str, int]) -> None:
        currency = self._terms.program.currency.code
        for code, units in deferred.items():
            balances[f"{_DEFERRED}:{account_part(code)}", currency] = -units

    def _break(self, lawful: Lawful, number: int) -> None:
        code = lawful.estimates.asset.code
        advance = f"{_ADVANCE}:{code}{number}"
        before = 0
        for place, end in enumerate(self._ends):
            pools = self._pools.sums(place)
            now = lawful.sum(pools, end).in_advance
            if place:
                self._book(end, "breakage", advance, _BREAKING, now - before, code, money=code)
            else:
                self.opening[advance, code] = now
            before = now
            if end + 1 in self._changes and end < self._ends[-1]:
                before = lawful.sum(pools, end + 1).in_advance
                self._book(end + 1, "estimate change", advance, _BREAKING, before - now, code, money=code)
        self.closing[advance, code] = before

    def _book(self, at: int, title: str, debit: str, credit: str, units: int, code: str, *, money: str = "") -> None:
        if units < 0:
            debit, credit, units = credit, debit, -units
        if units:
            day = max(self._first, date.fromordinal(self._calendar.day(at)))
            currency = money or self._terms.program.currency.code
            self.entries.append(FinanceEntry(day, title, debit, credit, currency, units, (("of", code),)))


def _gross(pools: Mapping[PoolKey, Sums]) -> dict[str, tuple[int, int]]:
    """Return by asset what was allocated of prices, and what of that was given back."""
    sums: dict[str, tuple[int, int]] = {}
    for key, each in pools.items():
        allocated, given_back = sums.get(key.asset, (0, 0))
        sums[key.asset] = allocated + each.allocated, given_back + each.reversed
    return sums


def _less(now: Mapping[str, tuple[int, int]], before: Mapping[str, tuple[int, int]], code: str) -> tuple[int, int]:
    allocated, given_back = now.get(code, (0, 0))
    earlier, earlier_back = before.get(code, (0, 0))
    return allocated - earlier, given_back - earlier_back


def _all_estimates(terms: Terms) -> Iterator[Estimates]:
    yield from terms.points.values()
    for lawful in terms.value:
        yield lawful.estimates


def _month_ends(calendar: Calendar, since: int, until: int) -> Iterator[int]:
    """Yield the last instant of each month that ends in a period."""
    first = date.fromordinal(calendar.day(since))
    month = first.year * 12 + first.month
    while (end := calendar.start_of(date(month // 12, month % 12 + 1, 1).toordinal()) - 1) <= until:
        yield end
        month += 1


def period(engine: Engine, terms: Terms, since: int, until: int, known_at: int | None = None) -> Period:
    """Return the entries of a period, both ends included, as far as was known at an instant (now)."""
    made = Period(terms, since, until)
    for account in grants_of_all(engine, as_of=until, known_at=known_at, sales=bool(terms.points)):
        made.add(account.grants)
    made.add_beside(moved_beside(engine, since, until, known_at))
    made.finish()
    return made
