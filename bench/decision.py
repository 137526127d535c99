"""The pure decision of one purchase, without any database: `pipeline.decide`, and what stands before and after it.

Compared with 60 µs, and with the standard library's `json.loads` of the same event, which shows how fast the
machine is. The account has a history of fifty purchases, so that its lots, metric and tier are warm. A condition and a
formula of the program, evaluated on each of the orders, are compared with 1 µs and with the same written in Python.
"""

from __future__ import annotations

import json
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from bench.data import PROGRAM, purchases
from bench.measure import Figure, Sizes, alternating, check, micro, timed
from stampbook import AccountView
from stampbook.account import Account
from stampbook.events import Purchase
from stampbook.expressions import compile_condition, compile_formula
from stampbook.journal import encoded, seal
from stampbook.ledger import canonical
from stampbook.loading import load
from stampbook.pipeline import apply, decide

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from stampbook import Event, Order
    from stampbook.ledger import Decision, Entry
    from stampbook.registry import Registry

BUDGET = 60e-6
EXPRESSION_BUDGET = 1e-6


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

    steps: dict[str, list[partial[Any]]] = {
        "json": [partial(json.loads, line) for line in lines],
        "read": [partial(registry.reader.read, data) for data in history[50:]],
        "decide": [partial(decide, registry, account, event) for event in events],
        "apply": [partial(apply, registry, copy, decision) for copy, decision in zip(copies, decisions, strict=True)],
        "seal": [
            partial(_sealed, copy, decision, payload)
            for copy, decision, payload in zip(copies, decisions, payloads, strict=True)
        ],
    }
    took = {name: timed(calls) for name, calls in steps.items()}
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
        *_expressions(registry, account, events, sizes.repetitions),
    ]


def _sealed(copy: Account, decision: Decision, payload: bytes) -> Entry:
    return seal(copy, decision, 0, payload, encoded(decision))


def _expressions(registry: Registry, account: Account, events: list[Event], repetitions: int) -> list[Figure]:
    """Evaluate two expressions of the program on every order, in turns with the same written by hand."""
    scope, calendar, currency = registry.context.scope, registry.context.calendar, registry.context.currency.code
    condition = compile_condition("weekday(event.at) >= 6 and order.net >= 20", scope, calendar).test
    formula = compile_formula("floor(order.net / 2)", scope, calendar).ratio

    def condition_by_hand(event: Event, order: Order, *_: object) -> bool:
        return (calendar.day(event.at) - 1) % 7 + 1 >= 6 and order.net >= 2000

    def formula_by_hand(_: Event, order: Order, *__: object) -> tuple[int, int]:
        return order.net // 200, 1

    shown = [
        (event, event.order_in(currency), None, AccountView(account, event.at, registry.context), None)
        for event in events
        if isinstance(event, Purchase)
    ]
    check(len(shown) == len(events), "an event is no purchase")
    pairs: dict[str, tuple[Any, Any]] = {
        "a condition": (condition, condition_by_hand),
        "a formula": (formula, formula_by_hand),
    }
    figures: list[Figure] = []
    for what, (compiled, by_hand) in pairs.items():
        check(all(compiled(*arguments) == by_hand(*arguments) for arguments in shown), f"{what} means something else")
        tasks = (partial(_evaluated, function, shown) for function in (compiled, by_hand))
        ours, theirs = alternating(repetitions, *tasks)
        asked = f"{_nano(EXPRESSION_BUDGET)} asked for"
        figures += [
            Figure(f"evaluate {what}", _nano(ours), asked, EXPRESSION_BUDGET / ours, 1.0),
            Figure("the same", _nano(ours), f"{_nano(theirs)} written by hand in Python", theirs / ours),
        ]
    return figures


def _evaluated(function: Callable[..., object], shown: list[tuple[Any, ...]], _repetition: int) -> float:
    """Return the time of one evaluation, loop included."""
    start = time.perf_counter()
    for event, order, line, view, award in shown:
        function(event, order, line, view, award)
    return (time.perf_counter() - start) / len(shown)


def _nano(seconds: float) -> str:
    return f"{seconds * 1e9:,.0f} ns"
