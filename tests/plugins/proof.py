"""Proof for tests of plugins: books kept by the real store and verified, under any split and any ticks."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from stampbook.engine import Engine
from stampbook.loading import load
from stampbook.periods import NEVER
from stampbook.replay import MemoryLedger
from stampbook.verifying import verify

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stampbook.account import Account
    from stampbook.registry import Registry
    from stampbook.verifying import Finding

LATER = 2 * 10**15
"""The instant at which everything is recorded: long after all events of the tests."""


def findings(program: str, events: Sequence[Mapping[str, Any]], size: int = 1000) -> tuple[Finding, ...]:
    """Return what verification finds in the books of events that came in batches of a size: nothing, one hopes."""
    with TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'proof.db'}"
        with Engine.open(url, create=True, clock=lambda: LATER) as engine:
            engine.put_text_in_force(program)
            for first in range(0, len(events), size):
                engine.process(events[first : first + size])
            return verify(engine).findings


def ledger_of(
    program: Registry | str,
    events: Sequence[Mapping[str, Any]],
    size: int = 1000,
    ticks: Mapping[int, int] | None = None,
) -> MemoryLedger:
    """Return books in memory after events in batches of a size; `ticks` are instants by the batch that they precede."""
    books = MemoryLedger(load(program) if isinstance(program, str) else program, clock=lambda: LATER)
    for number, first in enumerate(range(0, len(events), size)):
        if ticks and number in ticks:
            for _ in books.tick(ticks[number]):
                pass
        books.process(events[first : first + size])
    return books


def picture(account: Account, at: int = NEVER - 1) -> tuple[Any, ...]:
    """Return all that an account has and counts: status, lots by their terms, metrics, facts that hold."""
    lots: dict[Any, int] = {}
    for lot in account.lots.values():
        if lot.remaining:
            lots[lot.terms] = lots.get(lot.terms, 0) + lot.remaining
    facts = {name: fact.value for name in account.facts if (fact := account.fact(name, at)) is not None and fact.value}
    return account.status, sorted(lots.items()), sorted(account.metrics), sorted(facts.items())
