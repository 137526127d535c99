"""T-LIM and T-ID 2: several processes and threads at one account, one event id, one new account at once."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import starmap
from pathlib import Path
from threading import Barrier, Timer
from typing import TYPE_CHECKING

import pytest

from stampbook.engine import Engine
from stampbook.errors import StoreBusyError
from stampbook.parallel import Tagged, process_in_parallel
from stampbook.store import open_store
from tests.faults.books import balance, event, findings, frozen, opened, picture, script, told

if TYPE_CHECKING:
    from collections.abc import Callable

    from stampbook.engine import Outcome
    from tests.faults.books import Data

CHILD = Path(__file__).with_name("child.py")


def _spent(url: str, processes: int, tries: int) -> list[int]:
    """Let processes spend at once and return how often each could."""
    children = [
        subprocess.Popen(
            [sys.executable, str(CHILD), "spend", url, "ann", f"p{number}", str(tries)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(processes)
    ]
    for child in children:
        assert child.stdout
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin
        child.stdin.write("go\n")
        child.stdin.flush()
    counts = [int(child.communicate(timeout=120)[0]) for child in children]
    assert [child.returncode for child in children] == [0] * processes
    return counts


@pytest.mark.parametrize("processes", [2, 4])
def test_processes_that_spend_at_once_never_spend_more_than_there_is(any_db: str, processes: int) -> None:
    tries = 64 // processes
    with opened(any_db) as engine:
        engine.post(event("topup", "t", amount="32.00"))
        assert sum(_spent(any_db, processes, tries)) == 32
        assert balance(engine) == 0
        with engine.store.reader() as session:
            entries = session.journal("ann")
        assert len(entries) == 2 + 64
        assert sum(entry.accepted for entry in entries if entry.type == "spend") == 32
        assert findings(engine) == ()


@pytest.mark.heavy
def test_eight_processes_that_spend_at_once(any_db: str) -> None:
    with opened(any_db) as engine:
        engine.post(event("topup", "t", amount="500.00"))
        assert sum(_spent(any_db, 8, 125)) == 500
        assert balance(engine) == 0
        assert findings(engine) == ()


def _at_once(url: str, jobs: list[Callable[[Engine], Outcome]]) -> list[Outcome]:
    """Run jobs on threads, each with an engine of its own, all starting at the same moment."""
    barrier = Barrier(len(jobs))

    def work(job: Callable[[Engine], Outcome]) -> Outcome:
        with Engine.open(url, clock=frozen) as engine:
            barrier.wait()
            while True:
                try:
                    return job(engine)
                except StoreBusyError:
                    continue

    with ThreadPoolExecutor(len(jobs)) as pool:
        return list(pool.map(work, jobs))


def _sending(data: Data) -> Callable[[Engine], Outcome]:
    return lambda own: own.process([data])[0]


def test_the_same_key_from_eight_threads_is_committed_once(any_db: str) -> None:
    data = event("topup", "t", amount="5.00")
    with opened(any_db) as engine:
        answers = _at_once(any_db, [_sending(data)] * 8)
        assert len({told(answer) for answer in answers}) == 1
        assert sum(not answer.replayed for answer in answers) == 1
        assert balance(engine) == 500
        assert findings(engine) == ()


def test_the_same_key_on_different_accounts_is_committed_once(any_db: str) -> None:
    with opened(any_db) as engine:
        answers = _at_once(any_db, [_sending(event("topup", "t", f"c{n}", amount="5.00")) for n in range(6)])
        assert sum(answer.accepted for answer in answers) == 1
        assert {str(answer.error).partition(" with another ")[2][:7] for answer in answers if answer.error} == {
            "account"
        }
        assert findings(engine) == ()


def test_threads_that_open_the_same_account_at_once_open_it_once(any_db: str) -> None:
    with opened(any_db) as engine:
        jobs = [_sending(event("topup", f"t{number}", "new", amount="1.00")) for number in range(6)]
        assert all(answer.accepted for answer in _at_once(any_db, jobs))
        assert balance(engine, "new") == 600
        assert findings(engine) == ()


def test_batches_that_cross_do_not_deadlock(any_db: str) -> None:
    """Batches over the same accounts in all orders, from four threads (T-DEAD, the short version)."""
    refs = [f"c{number}" for number in range(6)]
    with opened(any_db) as engine:
        engine.process([event("topup", f"t{ref}", ref, amount="1.00") for ref in refs])

        def job(name: int) -> Callable[[Engine], Outcome]:
            def work(own: Engine) -> Outcome:
                order = refs[name:] + refs[:name]
                for turn in range(10):
                    order = order[::-1]
                    own.process([event("topup", f"{name}-{turn}-{ref}", ref, amount="1.00") for ref in order])
                return own.process([event("topup", f"{name}-end", refs[name], amount="1.00")])[0]

            return work

        assert all(answer.accepted for answer in _at_once(any_db, [job(number) for number in range(4)]))
        assert sum(balance(engine, ref) for ref in refs) == 100 * (6 + 4 * 10 * 6 + 4)
        assert findings(engine) == ()


def test_verifying_while_others_write_sees_one_state(any_db: str) -> None:
    events = script(200, accounts=4)

    def write(own: Engine) -> Outcome:
        for data in events:
            own.process([data])
        return own.process([event("topup", "last", amount="1.00")])[0]

    def check(own: Engine) -> Outcome:
        for _ in range(8):
            assert findings(own) == ()
        return own.process([event("topup", "end", amount="1.00")])[0]

    with opened(any_db) as engine:
        engine.post(event("topup", "first", amount="1.00"))
        _at_once(any_db, [write, check])
        assert findings(engine) == ()


def _parallel(engine: Engine, events: list[Data], jobs: int) -> None:
    for _ in process_in_parallel(engine, starmap(Tagged, enumerate(events)), jobs=jobs, batch_size=20):
        pass


def test_so_much_may_wait_that_no_batch_is_full(sqlite_db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stampbook.parallel.MOST_WAITING", 6_000)
    opened(sqlite_db).close()
    with Engine.open(sqlite_db) as engine:
        events = [event("topup", f"t{number}", f"c{number % 40}", amount="1.00") for number in range(400)]
        done = process_in_parallel(engine, starmap(Tagged, enumerate(events)), jobs=3, batch_size=1000)
        assert sorted(tag for each in done for tag in each.accepted) == list(range(400))


def test_parallel_deciding_makes_the_same_books(any_db: str, tmp_path: Path) -> None:
    from tests.faults.test_kills import _without_instants

    events = [data for data in script(300, accounts=12) if data["type"] != "return" or data["account"]]
    opened(any_db).close()
    with Engine.open(any_db) as engine:
        _parallel(engine, events, 2)
        assert findings(engine) == ()
        found = _without_instants(picture(engine))
    with opened(f"sqlite:///{tmp_path / 'one.db'}") as engine:
        engine.process(events)
        assert _without_instants(picture(engine)) == found


def test_parallel_deciding_keeps_one_outcome_a_key(any_db: str) -> None:
    """The same id on many accounts: the workers cannot know of one another, the ledger does."""
    events = [event("topup", f"t{number % 20}", f"c{number}", amount="1.00") for number in range(200)]
    opened(any_db).close()
    with Engine.open(any_db) as engine:
        _parallel(engine, events, 2)
        assert findings(engine) == ()
        tables = picture(engine)
    assert len([row for row in tables["event_key"] if row[0] == "default"]) == 20


def test_accounts_opened_after_or_beside_workers_are_accounts_of_their_own(any_db: str) -> None:
    opened(any_db).close()
    early, late = (
        [event("topup", f"{time}{number}", f"{time}{number}", amount="1.00") for number in range(60)]
        for time in ("early", "late")
    )
    with Engine.open(any_db) as engine, Engine.open(any_db) as till:
        number = 0
        for number, done in enumerate(
            process_in_parallel(engine, starmap(Tagged, enumerate(early)), jobs=2, batch_size=7)
        ):
            assert not done.others
            assert till.post(event("topup", f"b{number}", f"beside{number}", amount="1.00")).accepted
        assert all(engine.post(data).accepted for data in late)
        assert findings(engine) == ()
        tables = picture(engine)
    assert len({row[0] for row in tables["account"]}) == len({row[1] for row in tables["account"]}) == 121 + number
    assert {row[8] for row in tables["lot"]} == {100}


EXPIRING = """
[program]
name = "Expiring"
currency = "GBP"
open_accounts = "on first event"
[assets.points]
[[plugin]]
use = "points"
expires = "1 month"
[[plugin.rule]]
name = "base"
earn = "order.net"
"""


def test_a_tick_waits_for_other_writers(tmp_path: Path) -> None:
    """Another writer holds the lock for longer than one attempt waits for it."""
    path = tmp_path / "busy.db"
    with Engine(open_store(f"sqlite:///{path}", create=True, busy_seconds=0.05), clock=frozen) as engine:
        engine.put_text_in_force(EXPIRING)
        engine.post({"type": "purchase", "id": "p", "account": "ann", "at": "2020-01-01", "amount": "5.00"})
        other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        other.execute("BEGIN IMMEDIATE")
        ended = Timer(0.25, other.rollback)
        ended.start()
        assert sum(engine.tick()) == 1
        ended.join()
        other.close()
