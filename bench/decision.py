"""The pure decision of one purchase, without any database: `pipeline.decide`, and what stands before and after it.

Compared with 60 µs, and with the standard library's `json.loads` of the same event, which shows how fast the
machine is. The account has a history of fifty purchases, so that its lots, metric and tier are warm.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

from bench.data import PROGRAM, purchases
from bench.measure import Figure, Sizes, check, micro, middle
from stampbook.account import Account
from stampbook.journal import encoded, seal
from stampbook.ledger import canonical
from stampbook.loading import load
from stampbook.pipeline import apply, decide

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

BUDGET = 60e-6


def run(sizes: Sizes, work: Path) -> list[Figure]:  # noqa: ARG001 - every benchmark is called alike
    """Time each step over many purchases of one account, chunk by chunk."""
    registry = load(PROGRAM)
    account = Account("ann", 1)
    history = list(purchases(50 + sizes.decisions, 1))
    opening = {"type": "account.opened", "id": "o", "account": "c0000000", "at": "2022-12-31T12:00:00+00:00"}
    for data in (opening, *history[:50]):
        for decision in decide(registry, account, registry.reader.read(data)):
            apply(registry, account, decision)
    events = [registry.reader.read(data) for data in history[50:]]
    account.due_at = 2**62
    decisions = [decide(registry, account, event)[0] for event in events]
    granted = [d for d in decisions if d.transaction is not None and d.transaction.postings]
    check(len(granted) > 0.9 * len(decisions), "next to nothing was granted")  # a purchase below 1.00 earns nothing
    lines = [json.dumps(data) for data in history[50:]]
    payloads = [canonical(data) for data in history[50:]]
    copies = [account.copy() for _ in events]

    def applied(number: int) -> Callable[[], object]:
        return lambda: apply(registry, copies[number], decisions[number])

    steps: dict[str, list[Callable[[], object]]] = {
        "json": [lambda line=line: json.loads(line) for line in lines],  # type: ignore[misc]
        "read": [lambda data=data: registry.reader.read(data) for data in history[50:]],  # type: ignore[misc]
        "decide": [lambda event=event: decide(registry, account, event) for event in events],  # type: ignore[misc]
        "apply": [applied(number) for number in range(len(events))],
        "seal": [
            lambda copy=copy, decision=decision, payload=payload: seal(copy, decision, 0, payload, encoded(decision))  # type: ignore[misc]
            for copy, decision, payload in zip(copies, decisions, payloads, strict=True)
        ],
    }
    took = {name: _timed(calls) for name, calls in steps.items()}
    check(copies[0].seq == account.seq + 1, "nothing was applied")
    whole = sum(took[name] for name in ("read", "decide", "apply", "seal"))
    yardstick = f"{micro(took['json'])} json.loads of the event"
    return [
        Figure("decide a purchase", micro(took["decide"]), f"{micro(BUDGET)} asked for", BUDGET / took["decide"], 1.0),
        *(
            Figure(what, micro(took[name]), yardstick, took["json"] / took[name])
            for what, name in (
                ("read it from data", "read"),
                ("apply it to the account", "apply"),
                ("seal it into the chain", "seal"),
            )
        ),
        Figure("all four", micro(whole), yardstick, took["json"] / whole),
    ]


def _timed(calls: list[Any]) -> float:
    """Return the median, over chunks of fifty calls, of the time of one."""
    chunks = []
    for first in range(0, len(calls) - 49, 50):
        start = time.perf_counter()
        for call in calls[first : first + 50]:
            call()
        chunks.append((time.perf_counter() - start) / 50)
    return middle(chunks)
