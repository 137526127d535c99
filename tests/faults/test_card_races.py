"""Cards at several tills at once: never below zero, claimed once, and no wrong PIN is uncounted."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import starmap
from pathlib import Path
from typing import Any

import pytest

from stampbook.engine import Engine
from stampbook.parallel import Tagged, process_in_parallel
from stampbook.replay import state
from stampbook.verifying import verify
from tests.plugins.cards import KEY, NUMBERS, ONE, PROGRAM

CHILD = Path(__file__).with_name("carder.py")


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAMPBOOK_CARD_KEY", KEY)


def opened(url: str, **issue: Any) -> Engine:
    engine = Engine.open(url, create=True)
    engine.put_text_in_force(PROGRAM + "wrong_pins = 5\n")
    for kind, fields in (("card.issued", issue), ("card.activated", {"amount": "10", "tender": "cash"})):
        event = {"type": kind, "id": kind, "account": ONE, "at": "2025-06-01T12:00:00Z", **fields}
        assert engine.post(event).accepted
    return engine


def raced(url: str, *, amount: str, tills: int, count: int, pin: str = "-") -> int:
    """Return how many of several tills' payments were accepted."""
    children = [
        subprocess.Popen(
            [sys.executable, str(CHILD), url, f"till-{number}", ONE, amount, str(count), pin],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(tills)
    ]
    for child in children:
        assert child.stdout
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin
        child.stdin.write("go\n")
        child.stdin.flush()
    return sum(int(child.communicate(timeout=120)[0]) for child in children)


def balance(engine: Engine) -> int:
    return sum(lot.remaining for lot in state(engine, ONE).lots.values())


def test_two_tills_that_use_one_card_at_once_never_take_more_than_is_on_it(any_db: str) -> None:
    with opened(any_db) as engine:
        assert raced(any_db, amount="0.70", tills=4, count=8) == 14
        assert balance(engine) == 20
        assert verify(engine).findings == ()


def test_wrong_pins_at_many_tills_at_once_are_all_counted(any_db: str) -> None:
    with opened(any_db, pin="8041") as engine:
        assert raced(any_db, amount="0.70", tills=3, count=5, pin="9999") == 0
        with engine.store.reader() as session:
            kinds = [entry.type for entry in session.journal(ONE)]
        assert kinds.count("card.pin_failed") == 5  # the others found it locked
        late = {"type": "card.spent", "id": "late", "account": ONE, "amount": "1", "at": "2025-06-11T12:00:00Z"}
        assert [each.code for each in engine.post({**late, "pin": "8041"}).objections] == ["pin_locked"]
        assert verify(engine).findings == ()


def test_a_card_that_two_customers_claim_at_once_is_claimed_by_one(any_db: str) -> None:
    with opened(any_db) as engine:
        people = [f"p{number}" for number in range(4)]
        for ref in people:
            engine.post({"type": "account.opened", "id": ref, "account": ref, "at": "2025-06-01T12:00:00Z"})

        def claim(ref: str) -> bool:
            event = {"type": "card.claimed", "id": f"c-{ref}", "account": ONE, "to": ref, "at": "2025-06-10T12:00:00Z"}
            with Engine.open(any_db) as till:
                return till.post(event).accepted

        with ThreadPoolExecutor(4) as pool:
            claimed = [*pool.map(claim, people)]
        assert sum(claimed) == 1
        held = {ref: sum(lot.remaining for lot in state(engine, ref).lots.values()) for ref in people}
        assert sorted(held.values()) == [0, 0, 0, 1000]
        assert held[people[claimed.index(True)]] == 1000
        assert balance(engine) == 0
        assert verify(engine).findings == ()


def test_workers_that_decide_side_by_side_count_every_wrong_pin(any_db: str) -> None:
    at = "2025-06-01T12:00:00Z"
    with opened(any_db) as engine:
        events: list[dict[str, Any]] = []
        for number in NUMBERS[1:]:
            card = {"account": f"card:{number}", "at": at}
            events.append({**card, "type": "card.issued", "id": f"i{number}", "pin": "8041"})
            events.append({**card, "type": "card.activated", "id": f"a{number}", "amount": "9", "tender": "cash"})
            events += [
                {**card, "type": "card.spent", "id": f"s{number}-{place}", "amount": "1", "pin": pin}
                for place, pin in enumerate(["8041", "1", "0000", "8041", "0000", "0000"])
            ]
        done = [*process_in_parallel(engine, starmap(Tagged, enumerate(events)), jobs=2, batch_size=7)]
        others = [outcome for each in done for _, _, outcome in each.others]
        assert sorted(outcome.status for outcome in others) == ["malformed"] * 5 + ["refused"] * 15
        with engine.store.reader() as session:
            kinds = [entry.type for ref in session.refs() for entry in session.journal(ref)]
        assert kinds.count("card.pin_failed") == 15
        assert verify(engine).findings == ()
