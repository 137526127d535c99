"""Accounts that give to one another at once: no writer waits for ever, none undoes another, and nothing gets lost."""

from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from itertools import starmap
from threading import Barrier
from typing import TYPE_CHECKING, Any

import pytest

from stampbook.engine import Engine
from stampbook.errors import StoreBusyError
from stampbook.parallel import Tagged, process_in_parallel
from stampbook.verifying import verify

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PROGRAM = """
[program]
name = "Crossing"
currency = "EUR"
time_zone = "UTC"
open_accounts = "on first event"

[assets.points]

[[plugin]]
use = "households"
share = "50"

[[plugin]]
use = "points"
[[plugin.rule]]
name = "base"
earn = "order.net"

[[plugin]]
use = "refunds"

[[plugin]]
use = "transfers"
asset = "points"

[[plugin]]
use = "merging"
undo = "30 days"
"""

REFS = tuple(f"c{number}" for number in range(8))


@pytest.fixture
def engine(any_db: str) -> Iterator[Engine]:
    with Engine.open(any_db, create=True) as engine:
        engine.put_text_in_force(PROGRAM)
        engine.process([opening(ref) for ref in REFS])
        yield engine
        assert verify(engine).findings == ()


def opening(ref: str) -> dict[str, Any]:
    terms = {"asset": "points", "amount": "100", "reason": "a start"}
    return {"type": "adjust", "id": f"start-{ref}", "account": ref, "at": "2025-01-01T10:00", **terms}


def gift(id_: str, giver: str, to: str, amount: int = 1) -> dict[str, Any]:
    given = {"type": "transfer", "asset": "points", "amount": str(amount), "at": "2025-01-02T10:00"}
    return {**given, "id": id_, "account": giver, "to": to}


def pair(chance: random.Random) -> tuple[str, str]:
    one, other = chance.sample(REFS, 2)
    return one, other


def totals(engine: Engine, refs: Sequence[str] = REFS) -> list[int]:
    with engine.store.reader() as session:
        accounts = session.accounts(refs)
        session.fill(accounts.values(), None)
        return [accounts[ref].total("points") for ref in refs]


def at_once(url: str, batches: list[list[list[dict[str, Any]]]]) -> list[str]:
    """Let writers process their batches, all beginning at one moment; return the statuses of all events."""
    barrier = Barrier(len(batches))

    def work(own: list[list[dict[str, Any]]]) -> list[str]:
        statuses = []
        with Engine.open(url) as engine:
            barrier.wait()
            for batch in own:
                while True:
                    try:
                        statuses += [outcome.status for outcome in engine.process(batch)]
                    except StoreBusyError:
                        continue
                    break
        return statuses

    with ThreadPoolExecutor(len(batches)) as pool:
        return [status for statuses in pool.map(work, batches) for status in statuses]


def test_two_accounts_that_give_to_one_another_at_once(engine: Engine, any_db: str) -> None:
    ways = [[[gift(f"{giver}{n}", giver, to)] for n in range(40)] for giver, to in (("c0", "c1"), ("c1", "c0"))]
    assert at_once(any_db, ways) == ["accepted"] * 80
    assert totals(engine) == [100] * 8
    with engine.store.reader() as session:
        assert [len(session.journal(ref)) for ref in ("c0", "c1")] == [2 + 80] * 2


def test_batches_that_cross_among_many_accounts(engine: Engine, any_db: str) -> None:
    chance = random.Random(7)
    writers = [
        [[gift(f"w{writer}b{batch}g{n}", *pair(chance), chance.randint(1, 40)) for n in range(6)] for batch in range(8)]
        for writer in range(4)
    ]
    statuses = at_once(any_db, writers)
    assert set(statuses) <= {"accepted", "refused"}
    assert sum(totals(engine)) == 800
    assert min(totals(engine)) >= 0


def test_what_two_members_earn_at_once_is_all_in_the_pool(engine: Engine, any_db: str) -> None:
    joining = [
        {"type": "household.joined", "id": f"j{ref}", "account": ref, "to": "c0", "at": "2025-01-02T10:00"}
        for ref in ("c1", "c2")
    ]
    assert all(outcome.accepted for outcome in engine.process(joining))
    bought = {"type": "purchase", "amount": "2.00", "at": "2025-01-03T10:00"}
    ways = [[[{**bought, "id": f"{ref}{n}", "account": ref}] for n in range(30)] for ref in ("c1", "c2")]
    assert at_once(any_db, ways) == ["accepted"] * 60
    assert totals(engine)[:3] == [160, 130, 130]


def chain(length: int) -> list[dict[str, Any]]:
    """Return events of which each is only possible after the one before: the same hundred points wander around."""
    chance = random.Random(11)
    events: list[dict[str, Any]] = [gift(f"empty-{ref}", ref, REFS[0], 100) for ref in REFS[1:]]
    holder = REFS[0]
    for number in range(length):
        to = chance.choice([ref for ref in REFS if ref != holder])
        events.append(gift(f"g{number}", holder, to, 800))
        holder = to
    return events


def test_an_import_on_several_cores_keeps_the_order_between_accounts(engine: Engine) -> None:
    events = chain(60)
    alone = [
        {"type": "purchase", "id": f"p{n}", "account": f"d{n % 40}", "amount": "3.00", "at": "2025-01-02T10:00"}
        for n in range(400)
    ]
    mixed = [event for pair in zip(alone, events, strict=False) for event in pair] + alone[len(events) :]
    refused = [
        outcome
        for done in process_in_parallel(engine, starmap(Tagged, enumerate(mixed)), jobs=3, batch_size=20)
        for _, _, outcome in done.others
    ]
    assert refused == []
    assert sorted(totals(engine)) == [0] * 7 + [800]


def test_mergers_and_gifts_on_several_cores(engine: Engine) -> None:
    merge = {"type": "account.merged", "at": "2025-01-02T10:00"}
    events = [
        gift("1", "c0", "c1", 50),
        {**merge, "id": "2", "account": "c1", "to": "c2"},
        gift("3", "c2", "c3", 250),
        {**merge, "id": "4", "account": "c3", "to": "c4"},
        gift("5", "c4", "c5", 450),
        {"type": "account.unmerged", "id": "6", "account": "c4", "to": "c3", "at": "2025-01-02T11:00"},
        gift("7", "c5", "c0", 550),
    ]
    refused = [
        outcome.id
        for done in process_in_parallel(engine, starmap(Tagged, enumerate(events)), jobs=2, batch_size=2)
        for _, _, outcome in done.others
    ]
    assert refused == []
    assert totals(engine) == [600, 0, 0, 0, 0, 0, 100, 100]


def test_what_members_earn_on_several_cores_is_all_in_the_pool(engine: Engine) -> None:
    joining = [
        {"type": "household.joined", "id": f"j{ref}", "account": ref, "to": "c0", "at": "2025-01-02T10:00"}
        for ref in REFS[1:]
    ]
    assert all(outcome.accepted for outcome in engine.process(joining))
    bought = {"type": "purchase", "amount": "2.00", "at": "2025-01-03T10:00"}
    events = [{**bought, "id": f"p{n}", "account": REFS[1 + n % 7]} for n in range(140)]
    spent = {"type": "household.spent", "account": "c0", "member": "c1", "asset": "points", "at": "2025-01-03T11:00"}
    events.append({**spent, "id": "s", "amount": "240"})
    refused = [
        outcome
        for done in process_in_parallel(engine, starmap(Tagged, enumerate(events)), jobs=3, batch_size=10)
        for _, _, outcome in done.others
    ]
    assert refused == []
    assert totals(engine) == [0] + [120] * 7
