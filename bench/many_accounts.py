"""Ten times the accounts, the same number of events: whether the cost of an event grows with the ledger.

Two ledgers are opened in advance, one with ten times the accounts of the other, each account with a purchase, and
brought up to the same day: what time brings an account counts once for each, and would count ten times in the larger.
Then batches of the same size go to both in turn, and events one by one; compared is the time that an event takes.
"""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

from bench.data import PROGRAM, START, TWO_YEARS, first_purchases, purchases
from bench.measure import Figure, Sizes, check_accepted, micro, middle
from stampbook.engine import Engine, in_batches
from stampbook.periods import SECOND

if TYPE_CHECKING:
    from pathlib import Path


def run(sizes: Sizes, work: Path) -> list[Figure]:
    """Time the same number of purchases on both ledgers, batch by batch."""
    sides: list[tuple[int, list[float]]] = [(sizes.few_accounts, []), (sizes.many_accounts, [])]
    engines = [_ledger(work, accounts, sizes.batch) for accounts, _ in sides]
    after = START + TWO_YEARS
    streams = [
        in_batches(purchases(sizes.among_accounts, accounts, seed=7, start=after, span=timedelta(days=30)), sizes.batch)
        for accounts, _ in sides
    ]
    for parts in zip(*streams, strict=True):
        for (_, took), engine, part in zip(sides, engines, parts, strict=True):
            start = time.perf_counter()
            outcomes = engine.process(part)
            took.append((time.perf_counter() - start) / len(part))
            check_accepted(outcomes, len(part))
    alone = _alone(sizes, engines)
    for engine in engines:
        engine.close()
    few, many = (middle(took) for _, took in sides)
    return [
        Figure(
            f"an event among {sizes.many_accounts:,} accounts",
            micro(many),
            f"{micro(few)} among {sizes.few_accounts:,}",
            few / many,
            1 / 1.2,
        ),
        Figure("the same, one event a call", micro(alone[1]), micro(alone[0]), alone[0] / alone[1], 1 / 1.2),
    ]


def _alone(sizes: Sizes, engines: list[Engine]) -> list[float]:
    """Return the seconds that one event a call takes on each ledger."""
    after = START + TWO_YEARS + timedelta(days=30)
    took: list[list[float]] = [[] for _ in engines]
    streams = [
        purchases(sizes.single, accounts, seed=8, start=after, span=timedelta(days=1))
        for accounts in (sizes.few_accounts, sizes.many_accounts)
    ]
    for number, events in enumerate(zip(*streams, strict=True)):
        for engine, event, times in zip(engines, events, took, strict=True):
            start = time.perf_counter()
            outcome = engine.post({**event, "id": f"alone-{number}"})
            times.append(time.perf_counter() - start)
            check_accepted([outcome], 1)
    return [middle(times) for times in took]


def _ledger(work: Path, accounts: int, batch: int) -> Engine:
    engine = Engine.open(f"sqlite:///{work / f'accounts{accounts}.db'}", create=True)
    engine.put_text_in_force(PROGRAM)
    for part in in_batches(first_purchases(accounts), batch):
        check_accepted(engine.process(part), len(part))
    for _ in engine.tick(int((START + TWO_YEARS).timestamp()) * SECOND):
        pass
    return engine
