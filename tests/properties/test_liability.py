"""Liability as a random search: cohorts sum to balances, revenue and deferral to allocations, entries to books."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import given, settings
from hypothesis import strategies as st

from stampbook import Engine, book_account
from stampbook.amounts import read_units
from stampbook.store.reading import book_totals
from stampbook_liability import Liability
from stampbook_liability.books import period
from stampbook_liability.report import liability
from tests.properties import strategies as some
from tests.properties.test_grants import REFS, held, program_of
from tests.properties.test_past import instants, news

if TYPE_CHECKING:
    from stampbook_liability.report import Terms

Told = list[tuple[int, dict[str, Any] | int]]

OPTIONS = """
[[plugin]]
use = 'liability'
[[plugin.points]]
[[plugin.points.estimate]]
from = '2024-01-01'
selling_price = '0.013'
redeemed = '90%'
[[plugin.points.estimate]]
from = '2025-02-10'
redeemed = '55.5%'
[[plugin.points.estimate]]
from = '2025-03-01'
selling_price = '0.02'
redeemed = '99%'
[[plugin.stored_value]]
kinds = ['paid', 'earned', 'adjusted']
jurisdiction = 'UK'
[[plugin.stored_value.estimate]]
from = '2024-01-01'
unused = '12%'
[[plugin.stored_value.estimate]]
from = '2025-02-10'
unused = '40%'
"""


def terms_of(engine: Engine) -> Terms:
    return next(plugin.terms for plugin in engine.registry().plugins if isinstance(plugin, Liability))


def fill(engine: Engine, present: list[int], shop: some.Shop, told: Told) -> None:
    engine.put_text_in_force(program_of(shop, OPTIONS))
    for number, (present[0], what) in enumerate(told):
        if isinstance(what, int):
            list(engine.tick(what))
        else:
            engine.process([{**what, "account": REFS[number % len(REFS)]}])


def sums(rows: list[dict[str, Any]], decimals: dict[str, int]) -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    for row in rows:
        found[row["asset"], row["kind"]] += read_units(row["outstanding"], decimals[row["asset"]])
    return Counter({key: units for key, units in found.items() if units})


@settings(max_examples=30)
@given(shop=some.shops(), told=news(late=True), data=st.data())
def test_every_view_of_the_liability_is_what_the_ledger_holds(shop: some.Shop, told: Told, data: st.DataObject) -> None:
    present = [0]
    with (
        tempfile.TemporaryDirectory() as folder,
        Engine.open(f"sqlite:///{Path(folder) / 'books.db'}", create=True, clock=lambda: present[0]) as engine,
    ):
        fill(engine, present, shop, told)
        terms = terms_of(engine)
        decimals = {code: asset.decimals for code, asset in terms.program.assets.items()}
        for _ in range(3):
            as_of = data.draw(instants(told))
            known_at = data.draw(st.none() | st.sampled_from([recorded for recorded, _ in told]))
            report = liability(engine, terms, as_of=as_of, known_at=known_at)
            expected: Counter[tuple[str, str]] = Counter()
            for (_, _, asset, kind, _), units in held(engine, as_of, known_at).items():
                expected[asset, kind] += units
            expected = Counter({key: units for key, units in expected.items() if units})
            for view in ("totals", "cohorts", "ages", "expiring"):
                assert sums(report[view], decimals) == expected, view
            [points] = report["points"]
            allocated, earned, deferred = (
                read_units(points[key], 2) for key in ("allocated", "recognised", "deferred")
            )
            assert allocated == earned + deferred
            assert earned >= 0
            assert deferred >= 0
            assert deferred == sum(read_units(row["deferred"], 2) for row in report["cohorts"] if row["deferred"])
            for row in report["stored_value"]:
                assert 0 <= read_units(row["breakage_in_advance"], 2) <= max(0, read_units(row["outstanding"], 2))


@settings(max_examples=30)
@given(shop=some.shops(), told=news(late=True), data=st.data())
def test_the_entries_of_periods_add_up_to_the_books_of_the_ledger(
    shop: some.Shop, told: Told, data: st.DataObject
) -> None:
    present = [0]
    with (
        tempfile.TemporaryDirectory() as folder,
        Engine.open(f"sqlite:///{Path(folder) / 'books.db'}", create=True, clock=lambda: present[0]) as engine,
    ):
        fill(engine, present, shop, told)
        terms = terms_of(engine)
        first = terms.calendar.parse("2024-01-01")
        last = terms.calendar.parse("2027-01-01")
        list(engine.tick(last))
        middle = data.draw(instants(told))
        moved: Counter[tuple[str, str]] = Counter()
        before: dict[tuple[str, str], int] = {}
        for since, until in ((first, middle), (middle + 1, last)):
            made = period(engine, terms, since, until)
            assert {key: units for key, units in made.opening.items() if units} == before
            balances = Counter(made.opening)
            for entry in made.entries:
                assert entry.units > 0
                for account, units in ((entry.debit, entry.units), (entry.credit, -entry.units)):
                    balances[account, entry.asset] += units
                    moved[account, entry.asset] += units
            assert all(balances[key] == units for key, units in made.closing.items())
            before = {key: units for key, units in made.closing.items() if units}
        with engine.store.reader() as session:
            books: Counter[tuple[str, str]] = Counter()
            for asset, source, destination, amount in book_totals(session):
                books[asset, source] += amount  # a book is debited with what comes out of it: cash was paid in
                books[asset, destination] -= amount
        for (asset, book), units in books.items():
            if book != "lot":
                assert moved[book_account(book), asset] == units
        report = liability(engine, terms, as_of=last)
        deferred = sum(read_units(row["deferred"], 2) for row in report["points"])
        assert -before.get(("Liabilities:DeferredRevenue:Points", "GBP"), 0) == deferred
