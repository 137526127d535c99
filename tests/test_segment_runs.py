"""Runs of schemes kept as spells: whatever the order of the runs, the same as if all of each had been kept."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stampbook import Engine
from stampbook.keeping import Move, Policy, keep
from stampbook.periods import Calendar
from stampbook.store.segment_runs import RAW, KeptRun, Membership, members, runs, scores_of, sizes, spells_of

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
    engine: Engine, on_day: int, said: dict[str, str], policy: Policy | None = None, scheme: str = "s"
) -> list[Move]:
    run = KeptRun(0, scheme, START + on_day * DAY, f"{on_day}", 1, len(said), 1)
    told = [Membership(ref, segment, f'{{"x":"{segment}"}}') for ref, segment in said.items()]
    with engine.store.writer() as session:
        return keep(session, run, told, policy or Policy())[1]


def at(engine: Engine, on_day: int, line: str = "kept") -> dict[str, str]:
    found = members(engine.store, "s", START + on_day * DAY, line=line)
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


statements = st.lists(st.fixed_dictionaries({ref: st.sampled_from("xyz") for ref in REFS}), min_size=1, max_size=6)
policies = st.builds(
    lambda stay, confirm, at_once: Policy(
        None if stay is None else (lambda since: since + stay * DAY), confirm, frozenset(at_once)
    ),
    st.none() | st.integers(1, 3),
    st.integers(1, 3),
    st.sets(st.sampled_from("xyz"), max_size=1),
)


def naive(said: Sequence[dict[str, str]], policy: Policy) -> list[dict[str, str]]:
    """Keep every run whole, and look back at all of them each time."""
    kept: list[dict[str, str]] = []
    since: dict[str, int] = {}
    for day, now in enumerate(said):
        here = dict(kept[-1]) if kept else {}
        for ref, segment in now.items():
            agreed = next((n for n in range(day + 1) if said[day - n][ref] != segment), day + 1)
            stays = policy.stays_until is not None and ref in here and day * DAY < policy.stays_until(since[ref] * DAY)
            free = segment in policy.at_once or (not stays and agreed >= policy.confirm_runs)
            if ref not in here or (here[ref] != segment and free):
                here[ref], since[ref] = segment, day
        kept.append(here)
    return kept


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(said=statements, policy=policies, order=st.randoms(use_true_random=False))
def test_any_order_of_runs_leaves_what_the_order_of_time_would(
    tmp_path: Any, said: list[dict[str, str]], policy: Policy, order: Any
) -> None:
    days = list(range(len(said)))
    order.shuffle(days)
    scheme_db = tmp_path / "books.db"
    scheme_db.unlink(missing_ok=True)
    with opened(f"sqlite:///{scheme_db}") as engine:
        for day in days:
            say(engine, day, said[day], policy)
        expected = naive(said, policy)
        assert [at(engine, day) for day in range(len(said))] == expected
        for ref in REFS:
            kept = [spell.segment for spell in spells_of(engine.store, ref) if spell.line == "kept"]
            assert all(one != two for one, two in pairwise(kept))
