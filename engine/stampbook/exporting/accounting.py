"""The ledger as a journal of plain-text accounting: every transaction by date, and balances asserted on the way.

Signs are those of bookkeeping: what customers have is owed to them, so it stands below zero under `Liabilities`.
Transactions are dated by when their event happened, in the program's time zone; an event that was recorded late stands
among those of its own day. At the end of each month the sum of every asset over all accounts is asserted, and at the
end what each account has of each asset by kind of lot, as the lots themselves say it.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from itertools import islice
from typing import TYPE_CHECKING, TextIO

from stampbook.exporting.chart import OPENING, POINTS, STORED_VALUE, Chart, book_account
from stampbook.exporting.dialects import DIALECTS, Asserted, Dialect, Leg, Notes
from stampbook.periods import NEVER
from stampbook.store.streams import Balance, Journalled, Span, balances, books, first_posted, journal_stream, lot_kinds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from stampbook.amounts import Asset
    from stampbook.exporting.beside import Beside
    from stampbook.ledger import End
    from stampbook.store import Session
    from stampbook.vocabulary import Context


def write_journal(
    session: Session,
    stream: TextIO,
    *,
    dialect: str,
    context: Context,
    assets: Mapping[str, Asset],
    span: Span,
    tick: Callable[[], None],
    beside: Beside,
) -> int:
    """Write the journal and return how many transactions it has.

    Args:
        session: one reading transaction.
        stream: where to.
        dialect: ``beancount`` or ``hledger``.
        context: of the program in force: its name, currency and time zone.
        assets: those of all programs, by code.
        span: which events; what happened before them is carried forward as opening balances.
        tick: called for each journal entry.
        beside: tells what moved beside what lots hold.
    """
    writer = _Writer(stream, DIALECTS[dialect](), Chart(assets), context, beside)
    start = span.since
    if start <= -NEVER:
        begun = [first_posted(session), *(entry.at for entry, _ in islice(beside.all(Span()), 1))]
        start = min((at for at in begun if at is not None and at < NEVER), default=0)
    writer.begin(start)
    writer.declare(session)
    if span.since > -NEVER:
        writer.carry_forward(balances(session, span.since))
    for item in journal_stream(session, "happened", span):
        tick()
        writer.write(item)
    writer.end(balances(session, span.until))
    return writer.count


class _Writer:
    def __init__(self, stream: TextIO, dialect: Dialect, chart: Chart, context: Context, beside: Beside) -> None:
        self.count = 0
        self._beside = beside
        self._out = stream.write
        self._dialect = dialect
        self._chart = chart
        self._context = context
        self._calendar = context.calendar
        self._today = date.min
        self._totals: dict[str, int] = defaultdict(int)
        self._known: dict[int, date] = {}

    def _date(self, instant: int) -> date:
        day = self._calendar.day(instant)
        known = self._known.get(day)
        if known is None:
            known = self._known[day] = date.fromordinal(day)
        return known

    def begin(self, instant: int) -> None:
        """Write the top, and know the day on which everything begins."""
        self._today = self._date(instant)
        commodities = sorted((name, self._chart.assets[code]) for code, name in self._chart.commodities.items())
        currency = self._chart.commodities[self._context.currency.code]
        self._out(self._dialect.head(self._context.name, currency, commodities, self._today))

    def declare(self, session: Session) -> None:
        """Open every account that is used."""
        day, opened = self._today, self._dialect.opened
        for account in (STORED_VALUE, POINTS, OPENING):
            self._out(opened(account, (), day))
        more = {end for _, posting in self._beside.all(Span()) for end in posting[2:4] if isinstance(end, str)}
        for book in sorted({*books(session), *more}):
            self._out(opened(book_account(book), (), day, (("book", book),)))
        for ref, kind, codes in lot_kinds(session):
            accounts: dict[str, list[str]] = defaultdict(list)
            for code in codes:
                accounts[self._chart.lots(ref, kind, code)].append(self._chart.commodities[code])
            for account, commodities in accounts.items():
                self._out(opened(account, commodities, day, (("ref", ref), ("kind", kind))))

    def carry_forward(self, carried: Iterator[Balance]) -> None:
        """Write what each account had before the first day as a transaction of its own."""
        for ref, kind, asset, units in carried:
            if units:
                self._totals[asset] += units
                self._post(
                    "opening balance",
                    (("ref", ref),),
                    self._legs(self._chart.lots(ref, kind, asset), OPENING, asset, -units),
                )

    def _post(self, title: str, notes: Notes, legs: list[Leg]) -> None:
        self._out(self._dialect.transaction(self._today, title, notes, legs))
        self.count += 1

    def _legs(self, first: str, second: str, asset: str, units: int, notes: Notes = ()) -> list[Leg]:
        commodity = self._chart.commodities[asset]
        return [
            Leg(first, self._chart.amount(units, asset), commodity, notes),
            Leg(second, self._chart.amount(-units, asset), commodity),
        ]

    def write(self, item: Journalled) -> None:
        """Write one journal entry that moved something; where a month ended before it, assert what there was then."""
        entry = item.entry
        postings = (*entry.postings, *self._beside.of(entry))
        if not postings:
            return
        # A clock that is turned back over midnight must not turn back the dates.
        day = max(self._today, self._date(entry.at))
        if (day.year, day.month) != (self._today.year, self._today.month):
            self._month_ends(day)
        self._today = day
        legs: list[Leg] = []
        for asset, amount, source, destination, rule in postings:
            notes = (("rule", rule),) if rule else ()
            legs += self._legs(
                self._end(item, source, asset), self._end(item, destination, asset), asset, amount, notes
            )
            self._totals[asset] += amount * (isinstance(destination, int) - isinstance(source, int))
        about: Notes = (
            ("event", entry.id),
            ("source", entry.source),
            ("ref", item.ref),
            ("seq", str(entry.seq)),
            ("recorded", self._date(entry.recorded_at).isoformat()),
            *self._beside.notes(entry),
        )
        self._post(entry.type, about, legs)

    def _end(self, item: Journalled, end: End, asset: str) -> str:
        return self._chart.lots(item.ref, item.kinds[end], asset) if isinstance(end, int) else book_account(end)

    def _month_ends(self, day: date) -> None:
        """Assert the sums at the end of the month of the day before, which is not the month of `day`."""
        year, month = divmod(self._today.year * 12 + self._today.month, 12)
        last = date.fromordinal(date(year, month + 1, 1).toordinal() - 1)
        if last < day:
            self._assert_totals(last, f"end of {last:%Y-%m}")

    def _assert_totals(self, day: date, title: str) -> None:
        asserted = [
            Asserted(
                self._chart.root(asset), self._chart.amount(-units, asset), self._chart.commodities[asset], whole=True
            )
            for asset, units in sorted(self._totals.items())
        ]
        if asserted:
            self._out(self._dialect.asserted(day, title, asserted))

    def end(self, closing: Iterator[Balance]) -> None:
        """Assert the sums, and what each account has, as the lots say it."""
        self._assert_totals(self._today, "all accounts")
        for ref, kind, asset, units in closing:
            account = self._chart.lots(ref, kind, asset)
            amount = self._chart.amount(-units, asset)
            balance = Asserted(account, amount, self._chart.commodities[asset], whole=False)
            self._out(self._dialect.asserted(self._today, f"account {ref}", [balance]))
