"""T-ASOF as a random search: what an account was at an instant, as far as was known at another, is its journal so far.

Random shops, histories with late news, moments of recording that repeat or lie days apart, ticks in between.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from stampbook.errors import UnknownAccountError
from stampbook.periods import instant_of, moment_of
from stampbook.replay import MemoryLedger
from stampbook.statements import Statement, statement
from stampbook.states import AccountState, account_state
from tests.properties import strategies as some
from tests.properties.driver import program
from tests.properties.model import window_start

if TYPE_CHECKING:
    from stampbook.ledger import Entry

Event = dict[str, Any]
DAYS = [0, 0, 1, 3, 40]
"""After how many days the next events are recorded."""


class Books(MemoryLedger):
    """A ledger in memory whose present is what it is told; None in the place of an event is a tick."""

    def __init__(self, shop: some.Shop) -> None:
        self.present = 0
        super().__init__(program(shop.toml()), clock=lambda: self.present)

    def learn(self, news: list[tuple[int, Event | int]]) -> Books:
        for self.present, what in news:
            if isinstance(what, int):
                list(self.tick(what))
            else:
                self.process([what])
        return self


def microseconds(text: str) -> int:
    return instant_of(datetime.fromisoformat(text))


@st.composite
def news(draw: st.DrawFn, *, late: bool) -> list[tuple[int, Event | int]]:
    """Events and ticks, each with the instant at which it was recorded."""
    at = some.START
    told: list[tuple[int, Event | int]] = []
    latest = instant_of(at)
    for event in draw(some.histories(late=late)):
        at += timedelta(days=draw(st.sampled_from(DAYS)))
        happened = microseconds(event["at"])
        if draw(st.integers(0, 3)) == 0:
            told.append((instant_of(at), draw(st.integers(latest, max(latest, happened)))))
        latest = max(latest, happened)
        told.append((instant_of(at), {**event, "account": "ann"}))
    return told


@st.composite
def instants(draw: st.DrawFn, told: list[tuple[int, Event | int]]) -> int:
    """An instant at which something happened, just before, or any other."""
    happened = [what if isinstance(what, int) else microseconds(what["at"]) for _, what in told]
    edges = st.sampled_from(happened).flatmap(lambda at: st.sampled_from([at, at - 1, at + 1]))
    return draw(edges | st.integers(min(happened), max(happened) + 400 * 86_400_000_000))


def seen(books: Books, as_of: int, known_at: int | None = None) -> tuple[AccountState, Statement] | None:
    """Return what one is told of the account, or nothing where there was none yet."""
    try:
        state = account_state(books, "ann", as_of=as_of, known_at=known_at)
        lines = statement(books, "ann", as_of=as_of, known_at=known_at)
    except UnknownAccountError:
        return None
    assert lines.account == state
    return replace(state, known_at=None), replace(lines, account=replace(state, known_at=None))


@given(shop=some.shops(), told=news(late=True), data=st.data())
def test_what_was_known_then_is_what_one_was_told_then(
    shop: some.Shop, told: list[tuple[int, Event | int]], data: st.DataObject
) -> None:
    books = Books(shop).learn(told)
    for _ in range(3):
        known_at = data.draw(st.sampled_from([recorded for recorded, _ in told]))
        then = Books(shop).learn([(recorded, what) for recorded, what in told if recorded <= known_at])
        as_of = data.draw(instants(told))
        assert seen(books, as_of, known_at) == seen(then, as_of)


@given(shop=some.shops(), told=news(late=False), data=st.data())
def test_as_of_an_instant_is_where_one_stood_at_that_instant(
    shop: some.Shop, told: list[tuple[int, Event | int]], data: st.DataObject
) -> None:
    """If nothing is told late. Both are ticked, so that what time brought is written down in both."""
    told = [(0, what) for _, what in told]
    end = instant_of(some.START) + 4_000 * 86_400_000_000
    books = Books(shop).learn([*told, (0, end)])
    for _ in range(3):
        as_of = data.draw(instants(told))
        before = [what for _, what in told if not isinstance(what, int) and microseconds(what["at"]) <= as_of]
        then = Books(shop).learn([*((0, what) for what in before), (0, as_of)])
        if before:
            assert seen(books, as_of) == seen(then, as_of)


class Naive:
    """A journal added up by hand: postings up to an instant, as far as known, and what expired since goes."""

    def __init__(self, entries: list[Entry], as_of: int, known_at: int | None) -> None:
        self.as_of = as_of
        self.left: Counter[int] = Counter()
        self.terms: dict[int, list[Any]] = {}
        self.days: Counter[tuple[str, int]] = Counter()
        known = [entry for entry in entries if known_at is None or entry.recorded_at <= known_at]
        for entry in known:
            effects = orjson.loads(entry.effects)
            self.terms.update({lot[0]: lot for lot in effects.get("lots", ())})
            if entry.at > as_of:
                continue
            for posting in entry.postings:
                for end, amount in ((posting.source, -posting.amount), (posting.destination, posting.amount)):
                    if isinstance(end, int):
                        self.left[end] += amount
            for name, day, delta in effects.get("metrics", ()):
                self.days[name, day] += delta
        for number, (_, _, kind, _, until, *_) in self.terms.items():
            if until <= as_of and self.left[number] > 0 and kind != "debt":
                self.left[number] = 0

    def lots(self, asset: str) -> dict[int, int]:
        return {number: left for number, left in self.left.items() if left and self.terms[number][1] == asset}

    def holding(self, asset: str) -> tuple[int, int, int, int]:
        """What can be spent, what is pending, what is owed, and all of it."""
        available = pending = owed = 0
        for number, left in self.lots(asset).items():
            _, _, kind, start, until, *_ = self.terms[number]
            if kind == "debt":
                owed -= left
            elif start > self.as_of:
                pending += left
            elif until > self.as_of:
                available += left
        return available, pending, owed, sum(self.lots(asset).values())

    def metric(self, name: str, window: str, shop: some.Shop) -> int:
        today = (
            datetime.fromisoformat(moment_of(self.as_of).isoformat())
            .astimezone(program(shop.toml()).context.calendar._zone)
            .date()
        )
        first = window_start(window, today).toordinal()
        return sum(delta for (of, day), delta in self.days.items() if of == name and first <= day <= today.toordinal())


@given(shop=some.shops(), told=news(late=True), data=st.data())
def test_the_past_is_the_sum_of_the_journal(
    shop: some.Shop, told: list[tuple[int, Event | int]], data: st.DataObject
) -> None:
    books = Books(shop).learn(told)
    for _ in range(5):
        as_of = data.draw(instants(told))
        known_at = data.draw(st.none() | st.sampled_from([recorded for recorded, _ in told]))
        found = seen(books, as_of, known_at)
        naive = Naive(books.entries("ann"), as_of, known_at)
        if found is None:
            assert not any(naive.left.values())
            continue
        state, lines = found
        for number, left in naive.left.items():
            assert left >= 0 or naive.terms[number][2] == "debt", "I6"
        for asset in ("points", "GBP"):
            holding = next((holding for holding in state.holdings if holding.asset == asset), None)
            if holding is None:
                assert naive.holding(asset) == (0, 0, 0, 0)
                continue
            assert {lot.number: lot.remaining.units for lot in holding.lots} == naive.lots(asset)
            parts = (holding.available, holding.pending, holding.owed, holding.total)
            assert tuple(part.units for part in parts) == naive.holding(asset)
        assert {each.asset: each.units for each in lines.closing if each.units} == {
            asset: sum(naive.lots(asset).values()) for asset in ("points", "GBP") if sum(naive.lots(asset).values())
        }
        windows = {"spend": shop.window, "visits": "calendar month", "tea": "lifetime"}
        context = program(shop.toml()).context
        for metric in state.metrics:
            value = naive.metric(metric.name, windows[metric.name], shop)
            assert metric.value == context.metric_asset(metric.name).text(value)


@given(shop=some.shops(), told=news(late=True), data=st.data())
def test_a_statement_adds_up(shop: some.Shop, told: list[tuple[int, Event | int]], data: st.DataObject) -> None:
    books = Books(shop).learn(told)
    as_of, since, until = (data.draw(instants(told)) for _ in range(3))
    if seen(books, as_of) is None:
        return
    whole = statement(books, "ann", as_of=as_of)
    part = statement(books, "ann", since=since, until=until, as_of=as_of)
    assert part.lines == tuple(line for line in whole.lines if since <= instant_of(line.at) <= until)
    for one in (whole, part):
        running = Counter({each.asset: each.units for each in one.opening})
        for line in one.lines:
            running.update({change.asset: change.units for change in line.changes})
            assert {each.asset: each.units for each in line.balances if each.units} == {
                asset: units for asset, units in running.items() if units
            }
        assert {each.asset: each.units for each in one.closing if each.units} == {
            asset: units for asset, units in running.items() if units
        }
