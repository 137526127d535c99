"""Stored value: hold and capture on one account, each committed; and the quote of a refund after 10,000 events.

The holds are compared with plain `sqlite3` that writes the rows of each event and commits, in turns (see plain.py). The
quote reads the account's whole history, weighs every way to the money that the pack knows, and writes nothing.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from bench.measure import Figure, Sizes, check, check_accepted, check_books, micro, middle, rate
from bench.plain import write_plainly
from stampbook.engine import Engine

if TYPE_CHECKING:
    from pathlib import Path

SHARE = 0.45
"""Of plain writing that is asked for."""
LONGEST = 50e-3
"""Seconds that a quote may take."""
HISTORY = 10_000
QUOTES = 9

PROGRAM = """
[program]
name = "Prepaid"
currency = "CNY"
time_zone = "Asia/Shanghai"
open_accounts = "on first event"

[assets.CNY]
spend_order = ["bonus_first", "created"]

[[plugin]]
use = "refunds"

[[plugin]]
use = "payouts"
packs = ["cn-2025"]

[[plugin.rate]]
name = "lpr_1y"
from = "2020-01-01"
rate = "3.10%"

[[plugin.rate]]
name = "deposit_1y"
from = "2020-01-01"
rate = "1.50%"
"""


def run(sizes: Sizes, work: Path) -> list[Figure]:
    """Post holds and captures in turns with writing their rows; then ask what a well-used account would get back."""
    return [*_held(sizes, work), _quoted(work)]


def _held(sizes: Sizes, work: Path) -> list[Figure]:
    paid_in, events = _event("topup", "t", 0, amount="1000000.00"), _holds(sizes.single // 2)
    with _ledger(work / "made.db", paid_in) as engine:
        check_accepted([engine.post(event) for event in events], len(events))
    speeds: list[float] = []
    plain_speeds: list[float] = []
    for repetition in range(sizes.repetitions):
        plain = write_plainly(work / "made.db", work / f"plain{repetition}.db")
        next(plain)  # the top-up
        with _ledger(work / f"ours{repetition}.db", paid_in) as engine:
            took, written, outcomes = [], [], []
            for event in events:
                start = time.perf_counter()
                outcomes.append(engine.post(event))
                took.append(time.perf_counter() - start)
                written.append(next(plain))
            check(next(plain, None) is None, "the plain side has not written one batch an event")
            check_accepted(outcomes, len(events))
            check_books(engine)
        speeds.append(len(events) / sum(took))
        plain_speeds.append(len(events) / sum(written))
    ratio = middle([ours / theirs for ours, theirs in zip(speeds, plain_speeds, strict=True)])
    beside = f"{rate(middle(plain_speeds))} plain sqlite3"
    return [Figure("hold and capture, one event a call", rate(middle(speeds)), beside, ratio, SHARE)]


def _quoted(work: Path) -> Figure:
    with _ledger(work / "used.db", *_history()) as engine:
        asked = _event("refund.requested", "r", HISTORY + 1, cause="consumer")
        took: list[float] = []
        for _ in range(QUOTES):
            start = time.perf_counter()
            outcome = engine.preview(asked)
            took.append(time.perf_counter() - start)
            check(outcome.accepted, f"the quote was {outcome.status}: {outcome.objections or outcome.error}")
        check_books(engine)
    quote = middle(took)
    asked_for = f"{micro(LONGEST)} asked for"
    return Figure(f"quote of a refund after {HISTORY:,} events", micro(quote), asked_for, LONGEST / quote, 1.0)


def _holds(count: int) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = []
    for number in range(count):
        events.append(_event("hold.authorised", f"h{number}", 2 * number + 1, amount="12.50"))
        events.append(_event("hold.captured", f"c{number}", 2 * number + 2, hold=f"h{number}", amount="11.80"))
    return events


def _history() -> list[dict[str, Any]]:
    """Return the events of a customer who pays in every hundredth time, with a bonus, and spends a little each time."""
    events: list[dict[str, Any]] = []
    for number in range(HISTORY):
        if number % 100 == 0:
            events.append(_event("topup", f"t{number}", number, amount="1000.00"))
        elif number % 100 == 1:
            given = {"amount": "100.00", "kind": "bonus", "reason": "on top"}
            events.append(_event("adjust", f"b{number}", number, **given))
        else:
            events.append(_event("spend", f"s{number}", number, amount="9.90"))
    return events


def _event(type_: str, name: str, minutes: int, **fields: Any) -> dict[str, Any]:
    at = (datetime(2025, 6, 1, tzinfo=UTC) + timedelta(minutes=minutes)).isoformat()
    return {"type": type_, "id": name, "account": "ann", "at": at, **fields}


def _ledger(path: Path, *events: dict[str, Any]) -> Engine:
    engine = Engine.open(f"sqlite:///{path}", create=True)
    engine.put_text_in_force(PROGRAM)
    check_accepted(engine.process(events), len(events))
    return engine
