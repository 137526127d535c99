"""T-CLOCK and T-ASOF: whatever the machine's clock does, recording never goes back, and the past stays what it was."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from stampbook.account import Account
from stampbook.errors import UnknownAccountError
from stampbook.journal import transaction_of
from stampbook.replay import entries_of, fold, state
from tests.faults.books import NOW, START, event, findings, opened, run, script

if TYPE_CHECKING:
    from stampbook.engine import Engine
    from stampbook.ledger import Entry

HOUR = 3_600_000_000
YEAR = 365 * 24 * HOUR


class Unsteady:
    """A clock that says what it is told."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


@pytest.mark.parametrize(
    "steps",
    [[0] * 20, [-HOUR] * 20, [HOUR, -2 * HOUR] * 10, [0, YEAR, -YEAR, 1] * 5, [-YEAR * 60] + [1] * 19],
    ids=["frozen", "backwards", "to and fro", "a year forward", "before the epoch"],
)
def test_recording_never_goes_back(any_db: str, steps: list[int]) -> None:
    clock = Unsteady()
    events = script(100, accounts=3)
    with opened(any_db, clock=clock) as engine:
        for number, step in enumerate(steps):
            clock.now += step
            engine.process(events[number * 5 : number * 5 + 5])
            list(engine.tick(NOW))
        for ref in ("c0", "c1", "c2"):
            recorded = [entry.recorded_at for entry in entries_of(engine, ref)]
            assert recorded == sorted(recorded)
        assert findings(engine) == ()


def test_the_clock_decides_nothing_but_when_it_was_recorded(sqlite_db: str) -> None:
    events = script(120)
    found = []
    for number, now in enumerate((0, NOW, NOW + 100 * YEAR)):
        clock = Unsteady()
        clock.now = now
        with opened(f"{sqlite_db}{number}", clock=clock) as engine:
            run(engine, events)
            found.append(
                [
                    entry._replace(recorded_at=0, hash=b"")
                    for ref in ("c0", "c1", "c2", "c3", "c4")
                    for entry in entries_of(engine, ref)
                ]
            )
    assert found[0] == found[1] == found[2]


def brute(ref: str, entries: list[Entry], as_of: int | None, known_at: int | None) -> dict[int, int]:
    """Return what each lot holds, by adding up postings and nothing else."""
    held: dict[int, int] = {}
    for entry in entries:
        if (as_of is None or entry.at <= as_of) and (known_at is None or entry.recorded_at <= known_at):
            for posting in entry.postings:
                for end, sign in ((posting.source, -1), (posting.destination, 1)):
                    if isinstance(end, int):
                        held[end] = held.get(end, 0) + sign * posting.amount
    assert ref
    return {lot: amount for lot, amount in held.items() if amount}


def _stepped(any_db: str) -> tuple[Engine, list[int]]:
    """Return books whose batches were recorded an hour apart, with late events in them, and when that was."""
    clock = Unsteady()
    engine = opened(any_db, clock=clock)
    events = script(160, accounts=3, seed=5)
    recorded = []
    for first in range(0, len(events), 8):
        clock.now += HOUR
        engine.process(events[first : first + 8])
        recorded.append(clock.now)
    return engine, recorded


def test_the_past_is_the_fold_of_what_was_known(any_db: str) -> None:
    engine, recorded = _stepped(any_db)
    chance = random.Random(11)
    with engine:
        for ref in ("c0", "c1", "c2"):
            entries = entries_of(engine, ref)
            instants = [None, *chance.sample([entry.at for entry in entries], 8), entries[0].at - 1]
            for as_of in instants:
                for known_at in (None, *chance.sample(recorded, 4), recorded[0] - 1):
                    account = fold(ref, entries, as_of=as_of, known_at=known_at)
                    held = {lot.number: lot.remaining for lot in account.lots.values() if lot.remaining}
                    assert held == brute(ref, entries, as_of, known_at)


def test_the_fold_of_a_whole_journal_is_the_account(any_db: str) -> None:
    engine, _ = _stepped(any_db)
    with engine, engine.store.reader() as session:
        accounts = session.accounts(session.refs())
        session.fill(accounts.values(), -1_000_000)
        for ref, account in accounts.items():
            folded = fold(ref, session.journal(ref))
            assert (folded.seq, folded.head, folded.clock) == (account.seq, account.head, account.clock)
            assert folded.facts == account.facts
            assert {lot for lot in folded.lots.values() if lot.remaining} == set(account.lots.values())


def test_at_each_position_the_fold_equals_applying_one_by_one(any_db: str) -> None:
    engine, _ = _stepped(any_db)
    with engine:
        entries = entries_of(engine, "c0")
        account = Account("c0")
        for entry in entries:
            if entry.accepted:
                account.apply(transaction_of(entry))
            assert fold("c0", entries[: entry.seq]).lots == account.lots


def test_what_is_learned_later_changes_no_answer_about_what_was_known(any_db: str) -> None:
    engine, recorded = _stepped(any_db)
    with engine:
        refs = ("c0", "c1", "c2")
        before = {ref: state(engine, ref, as_of=NOW, known_at=recorded[-1]) for ref in refs}
        clock = engine.clock
        assert isinstance(clock, Unsteady)
        clock.now += HOUR
        for ref in refs:
            late = event("adjust", f"late-{ref}", ref, at=START + timedelta(days=3), amount="1.00", reason="found")
            engine.process([late])
        for ref in refs:
            again = state(engine, ref, as_of=NOW, known_at=recorded[-1])
            assert (again.lots, again.facts, again.head) == (before[ref].lots, before[ref].facts, before[ref].head)


def test_before_an_account_there_is_none(any_db: str) -> None:
    with opened(any_db) as engine:
        engine.post(event("topup", "t", amount="1.00"))
        with pytest.raises(UnknownAccountError, match="not open yet"):
            state(engine, "ann", as_of=0)
