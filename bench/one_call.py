"""One event a call, each committed before the next: what a till waits for.

Compared with plain `sqlite3` that writes the rows of each event and commits, with the same pragmas (see plain.py).
The two take turns event by event, so that a disk whose flushes vary treats both alike.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from bench.data import PROGRAM, purchases
from bench.measure import Figure, Sizes, check, check_accepted, check_books, micro, middle, percentile, rate
from bench.plain import write_plainly
from stampbook.engine import Engine

if TYPE_CHECKING:
    from pathlib import Path


def run(sizes: Sizes, work: Path) -> list[Figure]:
    """Make a ledger once for its rows; then post the same events to another, in turns with writing those rows."""
    events = list(purchases(sizes.single, max(10, sizes.single // 5)))
    made = work / "made.db"
    with _ledger(made) as engine:
        check_accepted([engine.post(event) for event in events], len(events))
    calls: list[float] = []
    writes: list[float] = []
    speeds: list[float] = []
    plain_speeds: list[float] = []
    for repetition in range(sizes.repetitions):
        plain = write_plainly(made, work / f"plain{repetition}.db")
        with _ledger(work / f"ours{repetition}.db") as engine:
            took, written, outcomes = [], [], []
            for event in events:
                start = time.perf_counter()
                outcomes.append(engine.post(event))
                took.append(time.perf_counter() - start)
                written.append(next(plain))
            check(next(plain, None) is None, "the plain side has not written one batch an event")
            check_accepted(outcomes, len(events))
            check_books(engine)
        calls.extend(took)
        writes.extend(written)
        speeds.append(len(events) / sum(took))
        plain_speeds.append(len(events) / sum(written))
    ratio = middle([ours / theirs for ours, theirs in zip(speeds, plain_speeds, strict=True)])
    beside = [f"{micro(percentile(writes, share))} plain" for share in (0.5, 0.99)]
    return [
        Figure("one purchase a call", rate(middle(speeds)), f"{rate(middle(plain_speeds))} plain sqlite3", ratio, 0.5),
        Figure("the same, median call", micro(percentile(calls, 0.5)), beside[0]),
        Figure("the same, 99th percentile", micro(percentile(calls, 0.99)), beside[1]),
    ]


def _ledger(path: Path) -> Engine:
    engine = Engine.open(f"sqlite:///{path}", create=True)
    engine.put_text_in_force(PROGRAM)
    return engine
