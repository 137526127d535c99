"""What a run leaves as it is and what it must not: rows that say the same, accounts that vanish, names of any kind."""

from __future__ import annotations

from collections import Counter
from itertools import count
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given
from hypothesis import strategies as st

from stampbook import Engine
from stampbook.keeping import Kept, Policy, keep
from stampbook.periods import Calendar
from stampbook.segmenting import segment
from stampbook.store import segment_columns
from stampbook.store.reading import sql_session
from stampbook.store.segment_runs import RAW, KeptRun, members, runs, scores_of, sizes, spells_of
from tests.effort import examples

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = """
[program]
name = "Shop"
currency = "EUR"
open_accounts = "on first event"
unknown_returns = "accept"

[[plugin]]
use = "rfm"

[[plugin]]
use = "refunds"

[[plugin]]
use = "merging"
later_events = "forward"
"""
DAY = 86_400_000_000
START = Calendar().parse("2025-01-01")
AT = Calendar().parse
REFS = ("a", "b", "c", "d", "e")
_NUMBERS = count()


@pytest.fixture(params=[2, segment_columns.IDS_AT_ONCE], ids=["ranges", "one range"])
def engine(any_db: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Engine]:
    monkeypatch.setattr(segment_columns, "IDS_AT_ONCE", request.param)
    with Engine.open(any_db, create=True, clock=lambda: AT("2025-12-31")) as engine:
        engine.put_text_in_force(PROGRAM, effective_from=AT("2024-01-01"))
        engine.process([{"type": "account.opened", "id": ref, "account": ref, "at": "2025-01-01"} for ref in REFS])
        yield engine


def say(
    engine: Engine, on_day: int, said: dict[str, tuple[str, Any]], policy: Policy | None = None, scheme: str = "s"
) -> Kept:
    rows = [(ref, *said[ref]) for ref in sorted(said)]
    frame = pl.DataFrame(rows, schema={"account": pl.String, "segment": pl.String, "x": pl.Int64}, orient="row")
    run = KeptRun(0, scheme, START + on_day * DAY, "d", 1, len(said), 1)
    with engine.store.writer() as session:
        return keep(session, run, frame, policy or Policy())


def table(engine: Engine, name: str) -> list[tuple[Any, ...]]:
    with engine.store.reader() as session:
        return sorted(sql_session(session).rows(f"SELECT * FROM {name}"))


def said_of(engine: Engine, ref: str) -> list[tuple[int, str, str]]:
    return [(made.at, member.segment, member.scores) for made, member in scores_of(engine.store, ref)]


def watch(engine: Engine) -> None:
    """Have the database note each row of segments that is written or taken out."""
    statements = ["CREATE TABLE touched (name text, id bigint)"]
    if engine.store.url.startswith("sqlite"):
        for name in ("segment_score", "segment_spell"):
            for what, row in (("INSERT", "new"), ("UPDATE", "new"), ("DELETE", "old")):
                note = f"INSERT INTO touched VALUES ('{name}', {row}.account_id)"
                statements.append(f"CREATE TRIGGER {what}_{name} AFTER {what} ON {name} BEGIN {note}; END")
    else:
        body = "INSERT INTO touched VALUES (TG_TABLE_NAME, coalesce(NEW.account_id, OLD.account_id)); RETURN NULL;"
        statements.append(f"CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN {body} END$$")
        for name in ("segment_score", "segment_spell"):
            trigger = f"CREATE TRIGGER note AFTER INSERT OR UPDATE OR DELETE ON {name}"
            statements.append(f"{trigger} FOR EACH ROW EXECUTE FUNCTION note()")
    with engine.store.writer() as session:
        for statement in statements:
            sql_session(session).run(statement)


def touched(engine: Engine) -> set[tuple[str, str]]:
    """Return of which tables and accounts rows were written or taken out since the last time."""
    with engine.store.writer() as session:
        rows = sql_session(session).rows("SELECT DISTINCT t.name, a.ref FROM touched t JOIN account a ON a.id = t.id")
        sql_session(session).run("DELETE FROM touched")
    return {(name, ref) for name, ref in rows}


def test_a_run_writes_what_it_changes_and_nothing_else(engine: Engine) -> None:
    first: dict[str, tuple[str, Any]] = dict.fromkeys(REFS, ("x", 1))
    say(engine, 1, first)
    watch(engine)
    say(engine, 2, first)
    assert touched(engine) == set()
    say(engine, 3, {**first, "b": ("x", None)})
    assert touched(engine) == {("segment_score", "b")}
    say(engine, 4, {**first, "b": ("x", None), "d": ("y", 1)})
    assert touched(engine) == {("segment_score", "d"), ("segment_spell", "d")}
    assert [said_of(engine, ref) for ref in "abd"] == [
        [(START + 4 * DAY, "x", '{"x":1}')],
        [(START + 4 * DAY, "x", '{"x":null}')],
        [(START + 4 * DAY, "y", '{"x":1}')],
    ]


def test_scores_that_stay_are_those_of_the_latest_run(engine: Engine) -> None:
    for day in (1, 3, 2):
        say(engine, day, {"a": ("x", 1)})
    assert said_of(engine, "a") == [(START + 3 * DAY, "x", '{"x":1}')]
    found = {day: [each.scores for each in members(engine.store, "s", START + day * DAY)] for day in (1, 2, 3, 4)}
    assert found == {1: ["{}"], 2: ["{}"], 3: ['{"x":1}'], 4: ["{}"]}


def test_who_is_judged_no_more_stays_where_it_was_and_has_no_scores(engine: Engine) -> None:
    say(engine, 1, dict.fromkeys(REFS, ("x", 1)))
    moved = say(engine, 2, {"a": ("x", 1), "c": ("x", 1), "d": ("x", 1), "e": ("x", 1)}).moved
    assert moved is not None
    assert moved.is_empty()
    assert said_of(engine, "b") == []
    assert sizes(engine.store, "s", START + 2 * DAY) == {"x": 5}
    say(engine, 3, {})
    assert [said_of(engine, ref) for ref in REFS] == [[]] * 5
    everybody = say(engine, 4, {"b": ("y", 2)}).members
    assert everybody is not None
    assert Counter(everybody["segment"]) == {"x": 4, "y": 1}
    assert [member.account for member in members(engine.store, "s", START + 4 * DAY, segment="y")] == ["b"]


def test_nobody_at_all_is_kept_as_a_run_too(engine: Engine) -> None:
    made = say(engine, 1, {"nobody": ("x", 1)})
    assert made.moved is not None
    assert made.members is not None
    assert made.moved.is_empty()
    assert made.members.is_empty()
    assert [run.at for run in runs(engine.store)] == [START + DAY]
    assert table(engine, "segment_score") == table(engine, "segment_spell") == []


def test_scores_of_an_earlier_version_that_named_its_run_are_told_and_replaced(engine: Engine) -> None:
    say(engine, 1, {"a": ("x", 1), "b": ("x", 1)})
    old = say(engine, 2, {"a": ("x", 1), "b": ("x", 1)}).run
    with engine.store.writer() as session:
        sql_session(session).run("UPDATE segment_score SET run_id = ?", [old.id])
    assert said_of(engine, "b") == [(START + 2 * DAY, "x", '{"x":1}')]
    assert [each.scores for each in members(engine.store, "s", START + 2 * DAY)] == ['{"x":1}'] * 2
    say(engine, 3, {"a": ("x", 1), "c": ("x", 2)})
    assert [said_of(engine, ref) for ref in "abc"] == [
        [(START + 3 * DAY, "x", '{"x":1}')],
        [],
        [(START + 3 * DAY, "x", '{"x":2}')],
    ]


def test_schemes_do_not_touch_one_anothers_rows(engine: Engine) -> None:
    say(engine, 1, {"a": ("x", 1), "b": ("x", 1)})
    say(engine, 2, {"a": ("y", 2)}, scheme="t")
    say(engine, 3, {"b": ("y", 3)}, scheme="t")
    assert said_of(engine, "a") == [(START + DAY, "x", '{"x":1}')]
    assert said_of(engine, "b") == [(START + DAY, "x", '{"x":1}'), (START + 3 * DAY, "y", '{"x":3}')]
    assert sizes(engine.store, "s", START + 3 * DAY) == {"x": 2}


def test_a_run_that_fails_half_way_leaves_nothing(engine: Engine) -> None:
    say(engine, 1, {"a": ("x", 1), "b": ("x", 1)})
    before = [table(engine, name) for name in ("segment_run", "segment_score", "segment_spell")]

    def fails(since: int) -> int:
        raise OverflowError(since)

    with pytest.raises(OverflowError):
        say(engine, 2, {"a": ("y", 2), "b": ("x", 1)}, Policy(fails))
    assert [table(engine, name) for name in ("segment_run", "segment_score", "segment_spell")] == before


def test_a_policy_asks_only_about_those_who_would_move(engine: Engine) -> None:
    asked: list[int] = []

    def stays(since: int) -> int:
        asked.append(since)
        return since + 2 * DAY

    policy = Policy(stays)
    say(engine, 1, {"a": ("x", 1), "b": ("x", 1), "c": ("x", 1)}, policy)
    assert asked == []
    made = say(engine, 2, {"a": ("x", 1), "b": ("y", 1), "c": ("y", 1)}, policy)
    assert asked == [START + DAY]
    assert made.members is not None
    assert Counter(made.members["segment"]) == {"x": 3}
    made = say(engine, 3, {"a": ("x", 1), "b": ("y", 1), "c": ("y", 1)}, policy)
    assert made.moved is not None
    assert made.moved.rows() == [("b", "x", "y"), ("c", "x", "y")]
    assert [(spell.line, spell.since) for spell in spells_of(engine.store, "b") if spell.segment == "y"] == [
        ("kept", START + 3 * DAY),
        (RAW, START + 2 * DAY),
    ]


NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), min_size=1, max_size=5)


@examples(60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    first=st.lists(NAMES | st.sampled_from(["\x1f", "a\x1fb", "\\.", "\\N", "\t", "\r\n", "沉睡客户", '"'])),
    second=st.lists(NAMES, max_size=5),
)
def test_segments_may_be_called_anything(engine: Engine, first: list[str], second: list[str]) -> None:
    scheme = f"s{next(_NUMBERS)}"
    where: dict[str, str] = {}
    for day, names in enumerate((first, second), start=1):
        said = dict(zip(REFS, names, strict=False))
        made = say(engine, day, {ref: (name, day) for ref, name in said.items()}, scheme=scheme)
        expected = [(ref, where.get(ref, ""), name) for ref, name in said.items() if where.get(ref) != name]
        assert made.moved is not None
        assert made.moved.rows() == expected
        where |= said
        assert made.members is not None
        assert dict(made.members.iter_rows()) == where
        found = {each.account: each.segment for each in members(engine.store, scheme, START + day * DAY)}
        assert found == where
        for ref, name in said.items():
            assert (START + day * DAY, name, f'{{"x":{day}}}') in said_of(engine, ref)


def test_a_run_and_its_repetition_say_the_same_of_who_is_where(engine: Engine) -> None:
    for number, ref in enumerate(REFS):
        bought = {"type": "purchase", "account": ref, "amount": f"{number + 1}.00"}
        engine.process([{**bought, "id": f"{ref}{month}", "at": f"2025-0{month}-02"} for month in range(1, number + 2)])
    segment(engine, at=AT("2025-06-01"))
    merged = {"type": "account.merged", "id": "m", "account": "a", "at": "2025-06-02", "to": "b"}
    assert engine.post(merged).accepted
    [made], _ = segment(engine, at=AT("2025-06-03"))
    [again], _ = segment(engine, at=AT("2025-06-03"))
    assert (made.is_new, again.is_new, again.moves) == (True, False, ())
    assert made.shares["accounts"].sum() == len(REFS) - 1
    assert made.shares.equals(again.shares)
    assert {move.account for move in made.moves} <= set(REFS) - {"a"}
