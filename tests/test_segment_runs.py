"""Runs of schemes kept as spells: whatever the order of the runs, the same as if all of each had been kept."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import count, pairwise, takewhile
from time import sleep
from typing import TYPE_CHECKING, NamedTuple

import polars as pl
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from stampbook import Engine
from stampbook.keeping import Move, Policy, keep
from stampbook.periods import Calendar
from stampbook.store.segment_runs import KEPT, RAW, KeptRun, members, runs, scores_of, sizes, spells_of
from tests.effort import examples

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PROGRAM = """
[program]
name = "Shop"
currency = "EUR"
open_accounts = "on first event"
"""
DAY = 86_400_000_000
START = Calendar().parse("2025-01-01")
REFS = ("a", "b", "c")
_NUMBERS = count()


@pytest.fixture
def engine(any_db: str) -> Iterator[Engine]:
    with opened(any_db) as engine:
        yield engine


def opened(url: str) -> Engine:
    engine = Engine.open(url, create=True)
    engine.put_text_in_force(PROGRAM)
    engine.process([{"type": "account.opened", "id": ref, "account": ref, "at": "2025-01-01"} for ref in REFS])
    return engine


def say(
    engine: Engine,
    on_day: int,
    said: dict[str, str],
    policy: Policy | None = None,
    scheme: str = "s",
    definition: str = "d",
) -> list[Move]:
    run = KeptRun(0, scheme, START + on_day * DAY, definition, 1, len(said), 1)
    with engine.store.writer() as session:
        moved = keep(session, run, frame(said), policy or Policy()).moved
    return [] if moved is None else [Move(*row) for row in moved.iter_rows()]


def frame(said: dict[str, str]) -> pl.DataFrame:
    told = {"account": sorted(said), **{name: [said[ref] for ref in sorted(said)] for name in ("segment", "x")}}
    return pl.DataFrame(told, schema=dict.fromkeys(told, pl.String))


def at(engine: Engine, on_day: int, line: str = KEPT, scheme: str = "s") -> dict[str, str]:
    found = members(engine.store, scheme, START + on_day * DAY, line=line)
    return {member.account: member.segment for member in found}


def test_only_changes_are_kept_and_moves_are_told(engine: Engine) -> None:
    assert say(engine, 1, {"a": "x", "b": "y", "nobody": "x"}) == [("a", "", "x"), ("b", "", "y")]
    assert say(engine, 2, {"a": "x", "b": "z", "c": "y"}) == [("b", "y", "z"), ("c", "", "y")]
    assert [(spell.since, spell.segment) for spell in spells_of(engine.store, "a")] == [(START + DAY, "x")]
    assert [at(engine, day) for day in (0, 1, 2, 9)] == [
        {}, {"a": "x", "b": "y"}, {"a": "x", "b": "z", "c": "y"}, {"a": "x", "b": "z", "c": "y"},
    ]  # fmt: skip
    assert sizes(engine.store, "s", START + 2 * DAY) == {"x": 1, "y": 1, "z": 1}


def test_a_run_that_was_made_before_moves_nobody(engine: Engine) -> None:
    say(engine, 1, {"a": "x"})
    assert say(engine, 1, {"a": "y"}) == []
    assert at(engine, 1) == {"a": "x"}
    assert len(runs(engine.store)) == 1


@pytest.mark.parametrize("other", [1, 2])
def test_two_runs_at_once_are_kept_one_after_the_other(any_db: str, other: int) -> None:
    run = KeptRun(0, "s", START + DAY, "d", 1, 1, 1)

    def say_late() -> list[Move]:
        with Engine.open(any_db) as second:
            return say(second, other, {"a": "y"})

    with opened(any_db) as engine, ThreadPoolExecutor(1) as pool:
        with engine.store.writer() as session:
            keep(session, run, frame({"a": "x"}), Policy())
            late = pool.submit(say_late)
            sleep(0.3)
        assert late.result(timeout=20) == ([] if other == 1 else [("a", "x", "y")])
        assert at(engine, other) == {"a": "x" if other == 1 else "y"}
        assert len(runs(engine.store)) == other


def test_going_back_to_an_earlier_definition_brings_back_what_it_said(engine: Engine) -> None:
    says = [("old", "x"), ("new", "y"), ("old", "x"), ("new", "y")]
    for definition, segment in says:
        say(engine, 1, {"a": segment}, definition=definition)
        assert at(engine, 1) == {"a": segment}
        assert say(engine, 1, {"a": "z"}, definition=definition) == []
    assert len(runs(engine.store)) == len(says)


def test_a_run_between_two_others_changes_what_was_between_them_only(engine: Engine) -> None:
    say(engine, 1, {"a": "x", "b": "x"})
    say(engine, 5, {"a": "x", "b": "y"})
    assert say(engine, 3, {"a": "z", "b": "y"}) == [("a", "x", "z"), ("b", "x", "y")]
    assert [at(engine, day) for day in (2, 3, 5)] == [{"a": "x", "b": "x"}, {"a": "z", "b": "y"}, {"a": "x", "b": "y"}]
    assert len(spells_of(engine.store, "b")) == 2
    [(run, _)] = scores_of(engine.store, "a")
    assert run.at == START + 5 * DAY


def test_a_minimum_stay_holds_and_some_segments_are_entered_at_once(engine: Engine) -> None:
    policy = Policy(lambda since: since + 3 * DAY, at_once=frozenset({"lost"}))
    found = []
    for on_day, said in enumerate(["x", "y", "y", "y", "x", "lost", "x"]):
        say(engine, on_day, {"a": said}, policy)
        found.append(at(engine, on_day)["a"])
    assert found == ["x", "x", "x", "y", "y", "lost", "lost"]
    assert at(engine, 4, RAW) == {"a": "x"}


def test_several_runs_in_a_row_must_agree(engine: Engine) -> None:
    policy = Policy(confirm_runs=2)
    found = []
    for on_day, said in enumerate(["x", "y", "x", "y", "y", "z", "y"]):
        say(engine, on_day, {"a": said}, policy)
        found.append(at(engine, on_day)["a"])
    assert found == ["x", "x", "x", "x", "y", "y", "y"]


policies = st.builds(
    lambda stay, confirm, at_once: Policy(
        None if stay is None else (lambda since: since + stay * DAY), confirm, frozenset(at_once)
    ),
    st.none() | st.integers(1, 3),
    st.integers(1, 3),
    st.sets(st.sampled_from("xyz"), max_size=1),
)


class Said(NamedTuple):
    """A run: the day as of which it judges, its definition, what it says, and the policy that holds on that day."""

    day: int
    definition: str
    segments: dict[str, str]
    policy: Policy


class Naive:
    """Keeps every run whole, and where everybody was after each, and works all later ones out anew."""

    def __init__(self) -> None:
        self.definitions: dict[int, str] = {}
        self.said: dict[int, dict[str, str]] = {}
        self.kept: dict[int, dict[str, tuple[int, str]]] = {}

    def say(self, made: Said) -> None:
        if self.definitions.get(made.day) == made.definition:
            return
        self.definitions[made.day] = made.definition
        self.said[made.day] = made.segments
        days = sorted(self.said)
        for place, day in enumerate(days):
            if day < made.day:
                continue
            here = dict(self.kept[days[place - 1]]) if place else {}
            for ref, segment in self.said[day].items():
                free = segment in made.policy.at_once or self._may_leave(here.get(ref), ref, day, made.policy)
                if ref not in here or (here[ref][1] != segment and free):
                    here[ref] = day, segment
            self.kept[day] = here

    def _may_leave(self, held: tuple[int, str] | None, ref: str, day: int, policy: Policy) -> bool:
        past = [self.said[each].get(ref) for each in sorted(self.said, reverse=True) if each <= day]
        agreed = len(list(takewhile(lambda segment: segment == past[0], past)))
        stays = held is not None and policy.stays_until is not None and day * DAY < policy.stays_until(held[0] * DAY)
        return not stays and agreed >= policy.confirm_runs

    def at(self, day: int) -> dict[str, str]:
        known = [each for each in self.kept if each <= day]
        return {ref: segment for ref, (_, segment) in self.kept[max(known)].items()} if known else {}


@st.composite
def stories(draw: st.DrawFn) -> list[Said]:
    """Runs in the order in which they are made; an account that was once judged is judged by all later ones."""
    first = {ref: draw(st.integers(0, 3), label=f"first day of {ref}") for ref in REFS}
    days = st.integers(0, 5)
    several = draw(st.booleans())
    policy = draw(policies)
    story = []
    for _ in range(draw(st.integers(1, 8))):
        day = draw(days)
        segments = {ref: draw(st.sampled_from("xyz")) for ref in REFS if first[ref] <= day}
        held = draw(st.sampled_from([policy, Policy()]) | policies) if several else policy
        story.append(Said(day, draw(st.sampled_from("ab")), segments, held))
    return story


def check(engine: Engine, scheme: str, story: Sequence[Said]) -> None:
    naive = Naive()
    for made in story:
        before = naive.at(made.day - 1)
        is_new = naive.definitions.get(made.day) != made.definition
        naive.say(made)
        moves = say(engine, made.day, made.segments, made.policy, scheme, made.definition)
        after = naive.at(made.day)
        expected = [(ref, before.get(ref, ""), after[ref]) for ref in after if before.get(ref) != after[ref]]
        assert moves == (sorted(expected) if is_new else [])
    for day in range(7):
        assert at(engine, day, scheme=scheme) == naive.at(day)
        assert sizes(engine.store, scheme, START + day * DAY) == Counter(naive.at(day).values())
    for ref in REFS:
        lines = (
            [s for s in spells_of(engine.store, ref) if (s.scheme, s.line) == (scheme, line)] for line in (KEPT, RAW)
        )
        assert all(one.segment != two.segment for line in lines for one, two in pairwise(line))


@examples(100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(story=stories())
def test_any_order_of_runs_leaves_what_the_order_of_time_would(engine: Engine, story: list[Said]) -> None:
    """Each example is of a scheme of its own in the same books: no scheme sees another's spells."""
    check(engine, f"s{next(_NUMBERS)}", story)


def test_a_policy_that_begins_later_forgets_nothing(engine: Engine) -> None:
    say(engine, 1, {"a": "x"})
    say(engine, 5, {"a": "y"})
    held = Policy(confirm_runs=2)
    say(engine, 3, {"a": "x"}, held)
    assert [at(engine, day)["a"] for day in (1, 3, 5)] == ["x", "x", "x"]
    say(engine, 6, {"a": "y"}, held)
    assert at(engine, 6) == {"a": "y"}
