"""A campaign's budget under several writers: never exceeded, and nothing of it lost when one of them is killed."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from stampbook.engine import Engine
from stampbook.parallel import Tagged, process_in_parallel
from stampbook.verifying import verify

CHILD = Path(__file__).with_name("earner.py")

PROGRAM = """
[program]
name = "Summer"
currency = "GBP"
time_zone = "Europe/London"
open_accounts = "on first event"
[assets.points]
[campaigns.summer]
rules = ["points.extra"]
budget = "BUDGET"
[[plugin]]
use = "points"
[[plugin.rule]]
name = "base"
earn = "order.net"
[[plugin.rule]]
name = "extra"
earn = "10"
[[plugin]]
use = "refunds"
"""


def opened(url: str, budget: int) -> Engine:
    engine = Engine.open(url, create=True)
    engine.put_text_in_force(PROGRAM.replace("BUDGET", str(budget)))
    return engine


def granted(engine: Engine) -> int:
    """Return what the campaign has granted by the postings, less what was taken back."""
    with engine.store.reader() as session:
        entries = [entry for ref in session.refs() for entry in session.journal(ref)]
    postings = [posting for entry in entries for posting in entry.postings if posting.rule == "points.extra"]
    return sum(posting.amount if posting.source == "promotion" else -posting.amount for posting in postings)


def started(url: str, name: str, count: int, seconds: float) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(CHILD), url, name, str(count), str(seconds)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def go(children: list[subprocess.Popen[str]]) -> None:
    for child in children:
        assert child.stdout
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin
        child.stdin.write("go\n")
        child.stdin.flush()


def purchase(number: int, account: str = "ann", **more: Any) -> dict[str, Any]:
    return {
        "type": "purchase",
        "id": f"p{number}",
        "account": account,
        "at": "2025-06-10T12:00:00Z",
        "amount": "10.00",
        **more,
    }


def test_four_processes_never_grant_more_than_the_budget_and_all_of_it(any_db: str) -> None:
    with opened(any_db, 1005) as engine:
        children = [started(any_db, f"p{number}", 40, 30) for number in range(4)]
        go(children)
        for child in children:
            assert child.communicate(timeout=120)[0].endswith("done\n")
        assert 0 < granted(engine) <= 1005
        # What one of them still had leased when others found nothing left is free once it has given it back.
        engine.process([purchase(number, f"late-{number}") for number in range(120)])
        assert granted(engine) == 1005
        assert verify(engine).findings == ()


def test_what_a_killed_process_had_leased_is_free_again_when_its_lease_lapses(any_db: str) -> None:
    with opened(any_db, 2000) as engine:
        victim, other = started(any_db, "victim", 200, 2), started(any_db, "other", 30, 2)
        go([victim, other])
        assert victim.stdout
        assert victim.stdout.readline() == "10\n"
        victim.kill()
        victim.communicate(timeout=60)
        assert other.communicate(timeout=120)[0].endswith("done\n")
        time.sleep(2.1)
        engine.process([purchase(number, f"late-{number}") for number in range(300)])
        assert granted(engine) == 2000
        assert verify(engine).findings == ()


@pytest.mark.parametrize("budget", [777, 100_000])
def test_workers_that_decide_side_by_side_keep_to_the_budget(any_db: str, budget: int) -> None:
    events = [Tagged(number, purchase(number, f"c{number % 30}")) for number in range(300)]
    with opened(any_db, budget) as engine:
        for _ in process_in_parallel(engine, events, jobs=2, batch_size=20):
            pass
        assert 0 < granted(engine) <= budget
        engine.process([purchase(1000 + number, f"late-{number}") for number in range(100)])
        assert granted(engine) == min(budget, 4000)
        assert verify(engine).findings == ()


def test_a_return_gives_the_budget_back(any_db: str) -> None:
    with opened(any_db, 15) as engine:
        for number in range(3):
            engine.post(purchase(number))
        assert granted(engine) == 15
        for number in range(3):
            engine.post(
                {"type": "return", "id": f"r{number}", "account": "ann", "at": "2025-06-11", "purchase": f"p{number}"}
            )
        assert granted(engine) == 0
        engine.post(purchase(10))
        assert granted(engine) == 10
    with Engine.open(any_db) as engine:
        engine.process([purchase(20), purchase(21)])
        assert granted(engine) == 15
        assert verify(engine).findings == ()


def test_a_slow_writer_cannot_grant_from_a_lease_that_was_closed(any_db: str) -> None:
    now = [1_750_000_000_000_000]
    with opened(any_db, 1000) as first, Engine.open(any_db) as second:
        first.clock, second.clock = (lambda: now[0]), (lambda: now[0] + 60_000_000)
        first.leases._clock, second.leases._clock = first.clock, second.clock
        first.post(purchase(1))
        assert first.leases._held["summer"].lease.amount > 10
        second.process([purchase(100 + number, f"c{number}") for number in range(110)])
        assert granted(second) == 1000, "the first one's lease has lapsed by the clock of the second"
        first.post(purchase(2, "bob"))
        assert granted(first) == 1000
        assert verify(first).findings == ()


def test_a_later_program_may_raise_the_budget(any_db: str) -> None:
    with opened(any_db, 10) as engine:
        engine.process([purchase(number) for number in range(3)])
        assert granted(engine) == 10
        engine.put_text_in_force(PROGRAM.replace("BUDGET", "25"), effective_from=0)
        engine.process([purchase(number) for number in range(3, 6)])
        assert granted(engine) == 25
        assert verify(engine).findings == ()
