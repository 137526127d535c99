"""Achievements against a naive model: whatever comes late, comes back, is spent, batched or ticked."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, NamedTuple

from hypothesis import example, given
from hypothesis import strategies as st

from stampbook import Registry, load_program
from stampbook.testing import Ledger
from tests.effort import examples

START = date(2024, 12, 16)
SPAN = 40

HEAD = """
[program]
name = "Stamps"
currency = "GBP"
time_zone = "Europe/London"
open_accounts = "on first event"
[assets.stamps]
[metrics.cups]
per = "line"
when = "line.category == 'cup'"
sum = "line.quantity"
decimals = 0
[metrics.kinds]
per = "line"
distinct = "line.sku"
[[plugin]]
use = "refunds"
[[plugin]]
use = "achievements"
name = "a"
asset = "stamps"
[[plugin.achievement]]
name = "it"
grants = "1"
"""


class Rules(NamedTuple):
    metric: str
    goal: int
    shape: str
    repeat: str
    keeps: bool

    def text(self) -> str:
        shapes = {
            "lifetime": "",
            "month": "window = 'calendar month'",
            "week": "window = 'calendar week'",
            "rolling": "window = '5 days'",
            "days in a row": "in_a_row = 'days'",
            "weeks in a row": "in_a_row = 'weeks'",
        }
        kept = "keep" if self.keeps else "take back"
        options = f"metric = '{self.metric}'\ngoal = '{self.goal}'\non_return = '{kept}'\nrepeat = '{self.repeat}'\n"
        return HEAD + options + shapes[self.shape]


@st.composite
def rules(draw: st.DrawFn) -> Rules:
    shape = draw(st.sampled_from(["lifetime", "month", "week", "rolling", "days in a row", "weeks in a row"]))
    repeats = ["once", "every time"] + (["once a window"] if shape in {"month", "week"} else [])
    metric = draw(st.sampled_from(["cups", "kinds"]))
    return Rules(metric, draw(st.integers(1, 4)), shape, draw(st.sampled_from(repeats)), draw(st.booleans()))


Act = tuple[str, int, tuple[tuple[str, int], ...]]

LINES = st.lists(st.tuples(st.sampled_from(["latte", "mocha", "tea"]), st.integers(1, 3)), min_size=1, max_size=3)
ACTS: st.SearchStrategy[list[Act]] = st.lists(
    st.one_of(
        st.tuples(st.just("buy"), st.integers(0, SPAN), LINES.map(tuple)),
        st.tuples(st.just("return"), st.integers(0, 5), st.just(())),
        st.tuples(st.just("line back"), st.integers(0, 5), st.just(())),
        st.tuples(st.just("spend"), st.just(0), st.just(())),
    ),
    max_size=12,
)


def _month(day: date) -> tuple[int, int]:
    return day.year, day.month


def _week(day: date) -> tuple[int, int]:
    year, week, _ = day.isocalendar()
    return year, week


class Naive:
    """Counts everything anew after each event, by the calendar and by hand."""

    def __init__(self, wanted: Rules) -> None:
        self.rules = wanted
        self.bought: list[tuple[date, dict[int, tuple[str, int]]]] = []
        self.granted = self.ahead = self.balance = self.most = 0

    def times(self) -> int:
        rule = self.rules
        by_day: dict[date, Counter[str]] = {}
        for day, lines in self.bought:
            for sku, pieces in lines.values():
                by_day.setdefault(day, Counter())[sku] += pieces
        every = [START + timedelta(days=n) for n in range(SPAN + 1)]
        cups, kinds = (
            {day: sum(some.values()) for day, some in by_day.items()},
            {day: set(some) for day, some in by_day.items()},
        )

        def over(days: list[date]) -> int:
            if rule.metric == "cups":
                return sum(cups.get(day, 0) for day in days)
            return len(set().union(*(kinds.get(day, set()) for day in days)))

        if rule.shape == "lifetime":
            times = over(every) // rule.goal
        elif rule.shape in {"month", "week"}:
            group = _month if rule.shape == "month" else _week
            totals = [over([d for d in every if group(d) == name]) for name in {group(d) for d in every}]
            times = sum(min(t // rule.goal, 1) if rule.repeat == "once a window" else t // rule.goal for t in totals)
        elif rule.shape == "rolling" and rule.metric == "cups":
            times, used = 0, list[date]()
            for cup in [day for day in every for _ in range(cups.get(day, 0))]:
                used = [one for one in used if (cup - one).days < 5] + [cup]
                if len(used) == rule.goal:
                    times, used = times + 1, []
        elif rule.shape == "rolling":
            times, used_up = 0, START - timedelta(days=1)
            for day in every:
                days = [d for d in every if d > used_up and d <= day and (day - d).days < 5]
                if by_day.get(day) and over(days) >= rule.goal:
                    times, used_up = times + 1, day
        else:
            step = timedelta(days=1 if rule.shape == "days in a row" else 7)
            alive = {day - timedelta(days=day.weekday()) if step.days == 7 else day for day in by_day}
            times = 0
            for first in alive:
                if first - step not in alive:
                    length = 1
                    while first + length * step in alive:
                        length += 1
                    times += length // rule.goal
        return min(times, 1) if rule.repeat == "once" else times

    def change(self, before: int) -> None:
        now = self.times()
        self.most = max(self.most, now)
        for _ in range(now - before):
            if self.ahead:
                self.ahead -= 1
            else:
                self.granted, self.balance = self.granted + 1, self.balance + 1
        for _ in range(before - now):
            if not self.rules.keeps and self.granted and self.balance:
                self.granted, self.balance = self.granted - 1, self.balance - 1
            else:
                self.ahead += 1


@lru_cache(maxsize=256)
def built(text: str) -> Registry:
    return load_program(text)


def events_of(acts: list[Act]) -> list[tuple[dict[str, Any], Act]]:
    """Return the events of some acts: returns name a purchase that was made, spends and returns come last in time."""
    events: list[tuple[dict[str, Any], Act]] = []
    made: list[tuple[str, tuple[tuple[str, int], ...]]] = []
    for number, act in enumerate(acts):
        what, n, lines = act
        base = {"id": f"e{number}", "source": "test", "account": "ann", "at": f"2025-03-01T00:{number:02d}"}
        if what == "buy":
            goods = [{"sku": s, "category": "cup", "quantity": q, "amount": "3.00"} for s, q in lines]
            at = f"{START + timedelta(days=n)}T{number:02d}:00"
            events.append(({**base, "type": "purchase", "at": at, "lines": goods}, act))
            made.append((f"e{number}", lines))
        elif what == "spend":
            events.append(({**base, "type": "spend", "asset": "stamps", "amount": "1"}, act))
        elif made:
            name = made[n % len(made)][0]
            part = {"lines": [{"line": 1}]} if what == "line back" else {}
            events.append(({**base, "type": "return", "purchase": name, **part}, act))
    return events


@examples(300)
@given(rules(), ACTS)
@example(
    Rules("cups", 2, "lifetime", "every time", keeps=False),
    [("buy", 0, (("tea", 2),)), ("spend", 0, ()), ("return", 0, ()), ("buy", 1, (("tea", 2),))],
)
def test_it_is_what_a_naive_model_says(wanted: Rules, acts: list[Act]) -> None:
    ledger, naive = Ledger(built(wanted.text())), Naive(wanted)
    places: dict[str, int] = {}
    for event, (what, _, lines) in events_of(acts):
        before = naive.times()
        accepted = ledger.engine.post(event).accepted
        if what == "buy":
            places[event["id"]] = len(naive.bought)
            naive.bought.append((START + timedelta(days=acts[int(event["id"][1:])][1]), dict(enumerate(lines))))
        elif what == "spend":
            assert accepted == bool(naive.balance)
            naive.balance -= accepted
        elif accepted:
            left = naive.bought[places[event["purchase"]]][1]
            for line in [0] if what == "line back" else list(left):
                left.pop(line, None)
        naive.change(before)
        if naive.bought:
            told = ledger.engine.account("ann").facts.get("a.it")
            value = told[-1].value if told else "0"
            expected = f"{naive.granted}, {naive.ahead} ahead" if naive.ahead else str(naive.granted)
            assert value == expected
            assert ledger.engine.account("ann").total("stamps") == naive.balance
    if all(act[0] != "spend" for act in acts):
        assert naive.granted == (naive.most if wanted.keeps else naive.times())


@examples(100)
@given(rules(), ACTS, st.lists(st.booleans(), min_size=12, max_size=12))
def test_batches_and_ticks_make_no_difference(wanted: Rules, acts: list[Act], breaks: list[bool]) -> None:
    events = [event for event, _ in events_of(acts)]
    single, batched = Ledger(built(wanted.text())), Ledger(built(wanted.text()))
    for event in events:
        single.engine.post(event)
    waiting: list[dict[str, Any]] = []
    for event, ends in zip(events, breaks, strict=False):
        waiting.append(event)
        if ends:
            batched.engine.process(waiting)
            waiting = []
            batched.tick("2024-12-16")
    batched.engine.process(waiting)
    batched.tick("2025-03-02")
    if events:
        assert [entry.hash for entry in single.engine.entries("ann")] == [
            entry.hash for entry in batched.engine.entries("ann")
        ]


@examples(100)
@given(rules(), ACTS)
def test_in_whatever_order_purchases_are_learned(wanted: Rules, acts: list[Act]) -> None:
    bought = [event for event, (what, _, _) in events_of(acts) if what == "buy"]
    results = set()
    for order in (bought, bought[::-1], sorted(bought, key=lambda event: event["at"])):
        ledger = Ledger(built(wanted.text()))
        ledger.engine.process(order)
        results.add(ledger.balance("stamps", account="ann", at="2025-03-02") if bought else "0")
    assert len(results) == 1


@examples(100)
@given(rules(), ACTS)
def test_a_return_of_everything_restores_what_was_before(wanted: Rules, acts: list[Act]) -> None:
    ledger = Ledger(built(wanted._replace(keeps=False).text()))
    bought = [event for event, (what, _, _) in events_of(acts) if what == "buy"]
    for event in bought:
        ledger.engine.post(event)
    for event in bought:
        back = {"type": "return", "id": f"r-{event['id']}", "source": "test", "account": "ann", "purchase": event["id"]}
        assert ledger.engine.post({**back, "at": "2025-03-02"}).accepted
    if bought:
        account = ledger.engine.account("ann")
        assert account.total("stamps") == 0
        assert not list(account.metrics)
        facts = account.facts.get("a.it")
        assert not facts or facts[-1].value == "0"
