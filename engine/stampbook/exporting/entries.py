"""Entries for a finance system that a plugin has drawn up: for Beancount, for hledger, or as CSV.

Each entry moves an amount from the account that it credits to the one that it debits, so that every journal balances.
What accounts had before comes first as opening balances; what they have at the end is asserted.
"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, NamedTuple, TextIO

from stampbook.errors import InputError, near
from stampbook.exporting.chart import OPENING, POINTS, STORED_VALUE, Chart, book_account, word_component
from stampbook.exporting.dialects import DIALECTS, Asserted, Leg
from stampbook.exporting.target import text_target

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import date
    from pathlib import Path

    from stampbook.amounts import Asset
    from stampbook.exporting.dialects import Notes
    from stampbook.vocabulary import Context

ENTRY_FORMATS = ("beancount", "hledger", "csv")


class FinanceEntry(NamedTuple):
    """`units` smallest units of an asset that an account is debited with and another is credited with on a day."""

    day: date
    title: str
    debit: str
    credit: str
    asset: str
    units: int
    notes: tuple[tuple[str, str], ...] = ()


def account_of_kind(asset: Asset, kind: str) -> str:
    """Return the account of what all customers have of an asset in lots of one kind."""
    return f"{STORED_VALUE if asset.is_currency else POINTS}:{word_component(kind)}"


def account_part(text: str) -> str:
    """Return a text, such as an asset's code, as one part of an account's name, the same for no two texts."""
    return word_component(text)


def write_entries(
    target: Path | TextIO,
    format: str,  # noqa: A002 - the word that people use
    entries: Sequence[FinanceEntry],
    *,
    context: Context,
    since: date,
    until: date,
    opening: Mapping[tuple[str, str], int],
    closing: Mapping[tuple[str, str], int],
) -> int:
    """Write entries in the order of their days, and return how many there are.

    Args:
        target: a file, or an open text stream such as standard output.
        format: one of `ENTRY_FORMATS`.
        entries: what moved, in any order.
        context: of the program: its name, currency and assets.
        since: the first day.
        until: the last day.
        opening: what accounts have at the beginning, by account and asset; below zero where it stands in credit.
        closing: what they have at the end, which is asserted.

    Raises:
        InputError: the format is unknown or the file cannot be written; nothing of it was.
    """
    if format not in ENTRY_FORMATS:
        message = f"{format!r} is no format of entries{near(format, ENTRY_FORMATS)}; one of {', '.join(ENTRY_FORMATS)}"
        raise InputError(message)
    ordered = sorted(entries, key=lambda entry: entry.day)
    chart = Chart(context.assets)
    with text_target(target) as stream:
        if format == "csv":
            _write_csv(stream, ordered, opening, chart, since)
        else:
            journal = _Journal(stream, format, chart, context)
            journal.begin(since, {each for entry in ordered for each in (entry.debit, entry.credit)}, opening, closing)
            for entry in ordered:
                journal.write(entry.day, entry)
            journal.end(until, closing)
    return len(ordered)


class _Journal:
    def __init__(self, stream: TextIO, dialect: str, chart: Chart, context: Context) -> None:
        self._out = stream.write
        self._dialect = DIALECTS[dialect]()
        self._chart = chart
        self._context = context

    def begin(
        self,
        day: date,
        used: Iterable[str],
        opening: Mapping[tuple[str, str], int],
        closing: Mapping[tuple[str, str], int],
    ) -> None:
        chart = self._chart
        commodities = sorted((name, chart.assets[code]) for code, name in chart.commodities.items())
        currency = chart.commodities[self._context.currency.code]
        self._out(self._dialect.head(f"{self._context.name}: liability", currency, commodities, day))
        accounts = {*used, *(account for account, _ in (*opening, *closing)), OPENING}
        for account in sorted(accounts):
            self._out(self._dialect.opened(account, (), day))
        for (account, asset), units in sorted(opening.items()):
            if units:
                self.write(day, FinanceEntry(day, "opening balance", account, OPENING, asset, units))

    def write(self, day: date, entry: FinanceEntry) -> None:
        commodity = self._chart.commodities[entry.asset]
        amounts = self._chart.amount(entry.units, entry.asset), self._chart.amount(-entry.units, entry.asset)
        legs = [
            Leg(account, text, commodity) for account, text in zip((entry.debit, entry.credit), amounts, strict=True)
        ]
        self._out(self._dialect.transaction(day, entry.title, entry.notes, legs))

    def end(self, day: date, closing: Mapping[tuple[str, str], int]) -> None:
        asserted = [
            Asserted(account, self._chart.amount(units, asset), self._chart.commodities[asset], whole=False)
            for (account, asset), units in sorted(closing.items())
        ]
        if asserted:
            self._out(self._dialect.asserted(day, "what is owed at the end", asserted))


def _write_csv(
    stream: TextIO,
    entries: Iterable[FinanceEntry],
    opening: Mapping[tuple[str, str], int],
    chart: Chart,
    since: date,
) -> None:
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(("date", "what", "debit", "credit", "asset", "amount", "notes"))
    first = [
        FinanceEntry(since, "opening balance", account, OPENING, asset, units)
        for (account, asset), units in sorted(opening.items())
        if units
    ]
    for day, title, debit, credit, asset, units, notes in (*first, *entries):
        writer.writerow((day.isoformat(), title, debit, credit, asset, chart.amount(units, asset), _noted(notes)))


def _noted(notes: Notes) -> str:
    return "; ".join(f"{name}: {text}" for name, text in notes)


__all__ = ["ENTRY_FORMATS", "FinanceEntry", "account_of_kind", "account_part", "book_account", "write_entries"]
