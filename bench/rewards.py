"""Rewards in full: ten earning rules, two caps, a campaign with a budget and two tier schemes; decided and imported.

The decision of one purchase is compared with 120 µs, and with the standard library's `json.loads` of the event. The
import into SQLite, durable, is that of `bulk_sqlite` with this program instead of the small one, and is compared with
8,000 events a second: in one process, and on every core. It runs at two sizes, which shows whether memory grows.
"""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any

from bench.data import purchases, write_lines
from bench.measure import Figure, Sizes, check, check_books, child, micro, rate, timed
from stampbook.account import Account
from stampbook.engine import Engine
from stampbook.loading import load
from stampbook.pipeline import apply, decide

if TYPE_CHECKING:
    from pathlib import Path

    from stampbook.ledger import Decision

BUDGET = 120e-6
FLOOR = 8_000
MOST_MEMORY = 500_000_000

PROGRAM = """
[program]
name = "Rewards"
currency = "EUR"
time_zone = "Europe/Vienna"
open_accounts = "on first event"

[assets.points]

[metrics.spend]
sum = "order.net"
window = "12 months"

[metrics.visits]
count = true
window = "calendar month"

[stacking]
promo = "best"

[limits.basket]
max = "300"
per = "transaction"

[limits.day]
max = "400"
window = "1 day"

[campaigns.fresh]
rules = ["points.fresh"]
first_day = "2023-01-01"
last_day = "2030-12-31"
budget = "1000000000"

[[plugin]]
use = "tiers"
metric = "spend"
review = "calendar year"

[[plugin.level]]
name = "blue"

[[plugin.level]]
name = "silver"
reach = "500"
multiplier = "1.25"

[[plugin.level]]
name = "gold"
reach = "2000"
multiplier = "1.5"

[[plugin]]
use = "tiers"
name = "club"
fact = "club"
metric = "visits"
review = "calendar month"

[[plugin.level]]
name = "guest"

[[plugin.level]]
name = "regular"
reach = "4"
multiplier = "1.1"

[[plugin]]
use = "points"
expires = "12 months, end of month"

[[plugin.rule]]
name = "base"
earn = "floor(order.net)"

[[plugin.rule]]
name = "tens"
earn = "1"
each = "10.00"

[[plugin.rule]]
name = "weekend"
when = "weekday(event.at) >= 6 and order.net >= 20"
earn = "floor(order.net / 2)"
group = "promo"
rank = 1

[[plugin.rule]]
name = "evening"
when = "17 <= hour(event.at) < 19"
earn = "5"
group = "promo"
rank = 2

[[plugin.rule]]
name = "fresh"
per = "line"
only = { categories = ["fresh"] }
earn = "line.net / 4"

[[plugin.rule]]
name = "drinks"
per = "unit"
only = { categories = ["drinks"] }
earn = "1"

[[plugin.rule]]
name = "visit"
per = "visit"
earn = "3"

[[plugin.rule]]
name = "large"
brackets = "whole"

[[plugin.rule.bracket]]
from = "50"
fixed = "5"

[[plugin.rule.bracket]]
from = "100"
fixed = "20"

[[plugin.rule]]
name = "gold-home"
when = "account.tier == 'gold' and 'home' in order.categories"
earn = "10"

[[plugin.rule]]
name = "tenth"
when = "(metric.visits + 1) % 10 == 0"
earn = "50"

[[plugin]]
use = "refunds"
"""


def run(sizes: Sizes, work: Path) -> list[Figure]:
    """Time the decision of purchases of one account, then import a fifth of the events, all, and all on every core."""
    took, yardstick = _decided(sizes)
    small = _imported(work, "small", sizes.events // 5, sizes)
    with Engine.open(f"sqlite:///{work / 'small.db'}") as engine:
        check_books(engine)
    large = _imported(work, "large", sizes.events, sizes)
    spread = _imported(work, "spread", sizes.events, sizes, how="file")
    asked = f"{micro(BUDGET)} asked for"
    figures = [
        Figure("decide a purchase with full rewards", micro(took), asked, BUDGET / took, 1.0),
        Figure("the same", micro(took), f"{micro(yardstick)} json.loads of the event", yardstick / took),
    ]
    for what, found in ((f"import of {sizes.events:,} purchases with full rewards", large), ("on every core", spread)):
        speed = sizes.events / found["seconds"]
        figures.append(Figure(what, rate(speed), f"{FLOOR:,}/s asked for", speed / FLOOR, 1.0))
    least = f"{_mega(small['memory'])} for {sizes.events // 5:,}"
    most = f"{_mega(MOST_MEMORY)} asked for"
    return [
        *figures,
        Figure("its peak memory in one process", _mega(large["memory"]), most, MOST_MEMORY / large["memory"], 1.0),
        Figure("the same", _mega(large["memory"]), least, small["memory"] / large["memory"]),
    ]


def _decided(sizes: Sizes) -> tuple[float, float]:
    """Return the time of a decision, and of reading its event as JSON."""
    registry = load(PROGRAM)
    account = Account("ann", 1)
    history = list(purchases(50 + sizes.decisions, 1))
    opening = {"type": "account.opened", "id": "o", "account": "c0000000", "at": "2022-12-31T12:00:00+00:00"}
    for data in (opening, *history[:50]):
        for decision in decide(registry, account, registry.reader.read(data), budgets=_LEASED):
            apply(registry, account, decision)
    account.due_at = 2**62
    events = [registry.reader.read(data) for data in history[50:]]
    decisions = [decide(registry, account, event, budgets=_LEASED)[0] for event in events]
    rules = {rule for decision in decisions for rule in _granted(decision)}
    check(len(rules) >= 8, f"next to nothing was granted: {', '.join(sorted(rules))}")
    lines = [json.dumps(data) for data in history[50:]]
    took = timed([partial(decide, registry, account, event, budgets=_LEASED) for event in events])
    return took, timed([partial(json.loads, line) for line in lines])


_LEASED = {"fresh": 10**9}


def _granted(decision: Decision) -> list[str]:
    memo = {} if decision.transaction is None else decision.transaction.memo
    return [rule for rule, *_ in memo.get("granted", ())]


def _imported(work: Path, name: str, events: int, sizes: Sizes, *, how: str = "process") -> dict[str, Any]:
    lines, database = work / f"{name}.jsonl", work / f"{name}.db"
    write_lines(lines, events, sizes.accounts)
    with Engine.open(f"sqlite:///{database}", create=True) as engine:
        engine.put_text_in_force(PROGRAM)
    found = child("importer.py", how, str(lines), f"sqlite:///{database}", str(sizes.batch))
    lines.unlink()
    check(found["accepted"] == found["events"] == events, f"{found['accepted']} of {events} events were accepted")
    return found


def _mega(size: int) -> str:
    return f"{size / 1e6:,.0f} MB"
