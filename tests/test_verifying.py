"""The programs in force are part of the proof: who changes from when one holds, or what it is, is found out."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine

from stampbook.engine import Engine
from stampbook.periods import DAY, HOUR, Calendar
from stampbook.verifying import verify
from tests.effort import examples
from tests.faults.books import PROGRAM, START, event, opened, run, script

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stampbook.verifying import Verdict

UTC = Calendar("UTC")
RICHER = PROGRAM.replace("floor(order.net)", "floor(order.net) * 3")
PLAIN = """
[program]
name = "Plain"
currency = "GBP"
open_accounts = "on first event"
[assets.points]
[[plugin]]
use = "points"
expires = "2 months"
[[plugin.rule]]
name = "base"
earn = "order.net"
"""
ELSEWHERE = RICHER.replace("Europe/London", "Pacific/Auckland")


class Clock:
    """A clock that is set by hand."""

    def __init__(self, at: str = "2025-01-01") -> None:
        self.now = UTC.parse(at)

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def books(any_db: str) -> str:
    """A year under two programs: the second was put in force in May, and held from July."""
    clock = Clock()
    with opened(any_db, clock=clock) as engine:
        for month in range(1, 13):
            clock.now = UTC.parse(f"2025-{month:02d}-15")
            if month == 5:
                engine.put_text_in_force(RICHER, effective_from=UTC.parse("2025-07-01"), file="richer.toml")
            day = START + timedelta(days=30 * month - 20)
            late = day - timedelta(days=40)
            engine.process(
                [
                    event("purchase", f"p{month}", at=day, amount="10.00"),
                    event("topup", f"t{month}", at=late, amount="1"),
                ]
            )
        clock.now = UTC.parse("2026-01-01")
        list(engine.tick())
        assert verify(engine).findings == ()
    return any_db


def sql(url: str, *statements: str) -> None:
    engine = create_engine(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


def verdict(url: str) -> Verdict:
    with Engine.open(url) as engine:
        return verify(engine)


def day(text: str) -> int:
    return UTC.parse(text)


@pytest.mark.parametrize(
    ("statement", "says"),
    [
        (f"UPDATE in_force SET effective_from = {day('2025-09-01')} WHERE id = 2", "judged it and did not hold"),
        (f"UPDATE in_force SET effective_from = {day('2025-05-20')} WHERE id = 2", "judged it and did not hold"),
        (f"UPDATE in_force SET effective_from = {day('2025-09-01')} WHERE id = 1", "judged it and did not hold"),
        ("UPDATE in_force SET program_id = 3 - program_id", "judged it and did not hold"),
        ("UPDATE in_force SET program_id = 1", "program richer.toml .* is kept and was never put in force"),
        ("UPDATE in_force SET program_id = 2", "program program .* is kept and was never put in force"),
        (f"UPDATE in_force SET recorded_at = {day('2025-08-20')} WHERE id = 2", "judged it and did not hold"),
        ("UPDATE in_force SET id = 7 WHERE id = 2", "the program that was put in force as number 2 is gone"),
        ("DELETE FROM in_force WHERE id = 1", "the program that was put in force as number 1 is gone"),
        ("DELETE FROM in_force WHERE id = 2", "program richer.toml .* is kept and was never put in force"),
        ("DELETE FROM in_force", "no program is in force: nothing can be decided again"),
        (
            f"INSERT INTO in_force VALUES (3, 1, {day('2025-08-01')}, {day('2025-08-01')})",
            "judged it and did not hold",
        ),
    ],
)
def test_a_program_put_in_force_otherwise_is_found(books: str, statement: str, says: str) -> None:
    sql(books, statement)
    found = "\n".join(finding.message for finding in verdict(books).findings if finding.code == "I26")
    assert re.search(says, found)


def test_a_row_that_names_no_program_is_found(sqlite_db: str) -> None:
    """PostgreSQL lets nobody write one."""
    with opened(sqlite_db) as engine:
        engine.put_text_in_force(RICHER)
        assert verify(engine).ok
    sql(sqlite_db, "UPDATE in_force SET program_id = 9 WHERE id = 2")
    codes = [(finding.code, finding.message) for finding in verdict(sqlite_db).findings]
    assert ("I26", "number 2 of those put in force is no program that is kept") in codes


@pytest.mark.parametrize(
    "statement",
    [
        f"UPDATE in_force SET effective_from = {day('2025-07-02')} WHERE id = 2",
        f"UPDATE in_force SET effective_from = {day('2025-01-02')} WHERE id = 1",
        f"UPDATE in_force SET recorded_at = {day('2025-05-16')} WHERE id = 2",
        f"INSERT INTO in_force VALUES (3, 1, {day('2026-08-01')}, {day('2026-01-01')})",
        "UPDATE program SET file = 'poorer.toml' WHERE id = 2",
    ],
)
def test_what_judged_no_event_yet_shows_against_a_head_kept_elsewhere(books: str, statement: str) -> None:
    before = verdict(books)
    sql(books, statement)
    after = verdict(books)
    assert after.ok
    assert after.head != before.head


def test_the_head_is_the_same_however_often_it_is_asked_for(books: str) -> None:
    assert verdict(books).head == verdict(books).head


# ---- honest books are never accused


def test_an_hour_that_a_clock_is_set_back_accuses_nobody(sqlite_db: str) -> None:
    clock = Clock("2025-06-01")
    with opened(sqlite_db, clock=clock) as engine:
        clock.now += HOUR
        engine.put_text_in_force(RICHER, effective_from=day("2025-05-01"))
        clock.now -= HOUR
        engine.post(event("purchase", "p", at="2025-05-02T00:00:00Z", amount="10.00"))
        assert verify(engine).findings == ()


def test_a_program_whose_beginning_brought_nothing_accuses_nobody(any_db: str) -> None:
    clock = Clock("2025-06-01")
    with opened(any_db, PLAIN, clock=clock) as engine:
        engine.post(event("purchase", "p", at="2025-05-02T00:00:00Z", amount="10.00"))
        engine.put_text_in_force(PLAIN.replace("2 months", "3 months"), effective_from=day("2025-05-10"))
        assert sum(engine.tick()) == 0
        assert verify(engine).findings == ()
        sql(any_db, "UPDATE state SET due_at = due_at + 1 WHERE part = 0")
        assert {finding.code for finding in verify(engine).findings} == {"I25"}


def test_a_late_grant_that_expires_at_once_under_a_later_program_accuses_nobody(any_db: str) -> None:
    clock = Clock("2025-10-01")
    with opened(any_db, clock=clock) as engine:
        engine.put_text_in_force(RICHER, effective_from=day("2025-03-10"))
        clock.now += DAY
        engine.post(event("topup", "t", at="2025-09-01T00:00:00Z", amount="1"))
        engine.post(event("purchase", "p", at="2025-02-01T00:00:00Z", amount="10.00"))
        with engine.store.reader() as session:
            [expiry] = [entry for entry in session.journal("ann") if entry.type == "expiry"]
        assert expiry.at > day("2025-03-10")
        assert expiry.program == engine.programs()[0].hash
        assert verify(engine).findings == ()


def test_a_local_time_at_the_edge_of_a_program_in_another_zone_accuses_nobody(sqlite_db: str) -> None:
    clock = Clock("2025-10-01")
    with opened(sqlite_db, clock=clock) as engine:
        engine.put_text_in_force(ELSEWHERE, effective_from=day("2025-07-01"))
        clock.now += DAY
        for hour in range(24):
            engine.post(event("purchase", f"p{hour}", at=f"2025-07-01T{hour:02d}:00:00", amount="10.00"))
            engine.post(event("purchase", f"q{hour}", at=f"2025-06-30T{hour:02d}:00:00", amount="10.00"))
        with engine.store.reader() as session:
            entries = session.journal("ann")
        held = {
            entry.id for entry in entries if (entry.at >= day("2025-07-01")) != (entry.program == entries[1].program)
        }
        assert held
        assert verify(engine).findings == ()


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with TemporaryDirectory() as path:
        yield Path(path)


@examples(15)
@given(
    seed=st.integers(0, 10**6),
    steps=st.lists(
        st.tuples(
            st.sampled_from([0, 1, -HOUR, 3 * HOUR, 20 * DAY]),
            st.sampled_from([PROGRAM, RICHER, ELSEWHERE]),
            st.sampled_from([None, 30, 150, 400, -30]),
        ),
        min_size=2,
        max_size=8,
    ),
)
def test_programs_that_come_and_go_accuse_nobody(
    folder: Path, seed: int, steps: list[tuple[int, str, int | None]]
) -> None:
    clock = Clock("2025-12-01")
    latest = clock.now
    events = script(70, accounts=2, seed=seed)
    with TemporaryDirectory(dir=folder) as name, opened(f"sqlite:///{Path(name) / 'books.db'}", clock=clock) as engine:
        for number, (step, program, days) in enumerate(steps):
            latest = max(latest, clock.now)
            clock.now = max(clock.now + step, latest - HOUR)
            run(engine, events[number * 9 : number * 9 + 9])
            if days is not None:
                engine.put_text_in_force(program, effective_from=clock.now - days * DAY)
            list(engine.tick(clock.now))
        assert verify(engine).findings == ()


@pytest.mark.parametrize("size", [1, 9])
@pytest.mark.parametrize("kind", ["purchase.cancelled", "purchase.completed", "return"])
def test_what_is_sent_after_a_refused_purchase_is_refused_whenever_it_is_decided(
    any_db: str, kind: str, size: int
) -> None:
    """A till whose sale was refused voids it all the same: the books are none the worse for it."""
    tenders = [{"kind": "stored_value", "amount": "5.00"}]
    events = [
        event("account.opened", "open"),
        event("purchase", "sale", at=START + timedelta(hours=1), amount="5.00", tenders=tenders),
        event(kind, "void", at=START + timedelta(hours=2), purchase="sale"),
    ]
    with opened(any_db) as engine:
        outcomes = run(engine, events, size)
        assert [each.code for each in outcomes[-1].objections] == ["unknown_purchase"]
        assert verify(engine).findings == ()
