"""A shop for tests of faults: its program, a long script of mixed events, and pictures of whole ledgers to compare."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from stampbook.engine import Engine, Outcome
from stampbook.store.rows import COLUMNS
from stampbook.store.session import SqlSession
from stampbook.verifying import Finding, verify

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Data = dict[str, Any]

PROGRAM = """
[program]
name = "Faults"
currency = "GBP"
time_zone = "Europe/London"
open_accounts = "on first event"

[assets.points]
debt = true

[metrics.spend]
sum = "order.net"
window = "3 months"

[[plugin]]
use = "tiers"
metric = "spend"
review = "calendar month"

[[plugin.level]]
name = "blue"

[[plugin.level]]
name = "gold"
reach = "100"
keep = "50"
multiplier = "2"

[[plugin]]
use = "points"
expires = "2 months"

[[plugin.rule]]
name = "base"
earn = "floor(order.net)"

[[plugin.rule]]
name = "tea"
per = "line"
when = "line.category == 'tea'"
earn = "line.net"
pending = "14 days"
expires = "1 month"

[[plugin]]
use = "refunds"
points_spent = "debt"
"""
STRICT = PROGRAM.replace('"on first event"', '"refuse"')

START = datetime(2025, 1, 1, 9, tzinfo=UTC)
NOW = 1_767_225_600_000_000
"""The present of these tests: 1 January 2026."""


def frozen() -> int:
    """Return a present that stands still, so that what two runs record is the same to the last byte."""
    return NOW


def opened(url: str, program: str = PROGRAM, *, clock: Callable[[], int] = frozen, **options: Any) -> Engine:
    """Open a ledger; a new one under a program."""
    engine = Engine.open(url, create=True, clock=clock, **options)
    if not engine.programs():
        engine.put_text_in_force(program)
    return engine


def event(type_: str, id_: str, account: str = "ann", *, at: datetime | str | float = START, **fields: Any) -> Data:
    return {
        "type": type_,
        "id": id_,
        "account": account,
        "at": at.isoformat() if isinstance(at, datetime) else at,
        **fields,
    }


def script(count: int, *, accounts: int = 5, seed: int = 1) -> list[Data]:
    """Return events of every kind within a year, most of them acceptable, some late, repeated or malformed."""
    chance = random.Random(seed)
    events: list[Data] = []
    bought: list[tuple[str, str]] = []
    at = START
    for number in range(count):
        at += timedelta(hours=chance.choice((1, 7, 60)) * min(1.0, 340 / count))
        when = at - timedelta(days=20) if chance.random() < 0.05 else at
        account, id_ = f"c{chance.randrange(accounts)}", f"e{number}"
        kind = chance.choices(_KINDS, _WEIGHTS)[0]
        match kind:
            case "purchase":
                bought.append((id_, account))
                events.append(event("purchase", id_, account, at=when, **_order(chance)))
            case "return" if bought:
                named, owner = bought[chance.randrange(len(bought))]
                part = {"amount": _money(chance.randrange(100, 900))} if chance.random() < 0.6 else {}
                events.append(event("return", id_, owner, at=at, purchase=named, **part))
            case "topup":
                events.append(event("topup", id_, account, at=when, amount=_money(chance.randrange(500, 5_000))))
            case "spend":
                events.append(event("spend", id_, account, at=when, amount=_money(chance.randrange(100, 3_000))))
            case "points":
                amount = str(chance.randrange(1, 40))
                events.append(event("spend", id_, account, at=when, asset="points", amount=amount))
            case "adjust":
                units = str(chance.choice((-5, 7, 30)))
                events.append(event("adjust", id_, account, at=at, asset="points", amount=units, reason="test"))
            case "freeze":
                events.append(event(chance.choice(("account.frozen", "account.unfrozen")), id_, account, at=at))
            case "again" if events:
                events.append(dict(chance.choice(events)))
            case "malformed":
                events.append(event("purchase", id_, account, at=at, amount=chance.choice(("-1", "x", "0.001"))))
            case _:
                events.append(event("account.opened", id_, account, at=at))
    return events


_KINDS = ("purchase", "return", "topup", "spend", "points", "adjust", "freeze", "again", "malformed", "open")
_WEIGHTS = (40, 12, 10, 8, 8, 5, 4, 6, 2, 2)


def _order(chance: random.Random) -> Data:
    lines = [
        {"sku": "s", "category": chance.choice(("tea", "cake")), "amount": _money(chance.randrange(0, 4_000))}
        for _ in range(chance.randrange(1, 4))
    ]
    return {"lines": lines}


def _money(pennies: int) -> str:
    return f"{pennies // 100}.{pennies % 100:02d}"


def run(engine: Engine, events: Sequence[Data], batch: int = 10) -> list[Outcome]:
    """Send events in batches."""
    outcomes: list[Outcome] = []
    for first in range(0, len(events), batch):
        outcomes.extend(engine.process(events[first : first + batch]))
    return outcomes


def told(outcome: Outcome) -> tuple[Any, ...]:
    """Return an outcome as plain data that can be compared."""
    return (
        outcome.status,
        outcome.source,
        outcome.id,
        outcome.account,
        outcome.seq,
        outcome.objections,
        outcome.postings,
        outcome.effects,
        str(outcome.error),
    )


def picture(engine: Engine) -> dict[str, list[tuple[Any, ...]]]:
    """Return all rows of all tables, with refs in the place of account ids, which another order may give out anew."""
    with engine.store.reader() as session:
        assert isinstance(session, SqlSession)
        refs: dict[int, str] = dict(session.rows("SELECT id, ref FROM account"))
        rows: dict[str, list[tuple[Any, ...]]] = {}
        for table, names in COLUMNS.items():
            key = "id" if table == "account" else "account_id"
            place = names.index(key)
            found = session.rows(f"SELECT {', '.join(names)} FROM {table}")
            rows[table] = sorted((*row[:place], refs.get(row[place]), *row[place + 1 :]) for row in found)
            rows[table] = [tuple(bytes(v) if isinstance(v, memoryview) else v for v in row) for row in rows[table]]
    return rows


def heads(engine: Engine) -> dict[str, tuple[int, str]]:
    """Return the journal position and chain head of every account."""
    with engine.store.reader() as session:
        accounts = session.accounts(["", *session.refs()])
    return {ref: (account.seq, account.head.hex()) for ref, account in accounts.items()}


def findings(engine: Engine) -> tuple[Finding, ...]:
    return verify(engine).findings


def balance(engine: Engine, ref: str = "ann", asset: str = "GBP", at: datetime | None = None) -> int:
    """Return what may be spent, in smallest units, as a customer would be told."""
    from stampbook.replay import state

    instant = NOW if at is None else int(at.timestamp() * 1_000_000)
    return state(engine, ref, as_of=instant).balance(asset, instant)
