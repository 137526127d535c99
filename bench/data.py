"""Made-up shops: purchases in the order of time, as their tills would send them. The same seed gives the same bytes."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROGRAM = """
[program]
name = "Bench"
currency = "EUR"
time_zone = "Europe/Vienna"
open_accounts = "on first event"

[assets.points]
decimals = 0

[metrics.spend]
sum = "order.net"
window = "12 months"

[[plugin]]
use = "tiers"
metric = "spend"

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
use = "points"
expires = "12 months, end of month"

[[plugin.rule]]
name = "base"
earn = "floor(order.net)"

[[plugin.rule]]
name = "weekend"
when = "weekday(event.at) >= 6 and order.net >= 20"
earn = "floor(order.net / 2)"

[[plugin.rule]]
name = "fresh"
per = "line"
when = "line.category == 'fresh'"
earn = "line.net / 4"

[[plugin]]
use = "refunds"
"""
"""A base rule, two conditional rules, a tier by a metric, and points that expire."""

START = datetime(2023, 1, 1, 6, tzinfo=UTC)
TWO_YEARS = timedelta(days=730)
_CATEGORIES = ("fresh", "dry", "dairy", "drinks", "home")
_QUANTITIES = (1, 1, 1, 2, 3)


def purchases(
    count: int, accounts: int, *, seed: int = 1, start: datetime = START, span: timedelta = TWO_YEARS
) -> Iterator[dict[str, Any]]:
    """Yield purchases of one to three lines, one in ten with an order discount, spread evenly over `span`."""
    chance = random.Random(seed)
    step = span / count
    at = start
    for number in range(count):
        at += step
        lines = []
        gross = 0
        for _ in range(chance.choice((1, 1, 2, 3))):
            cents = chance.randrange(90, 4_000)
            quantity = chance.choice(_QUANTITIES)
            gross += cents * quantity
            lines.append(
                {
                    "sku": f"s{chance.randrange(5_000)}",
                    "category": chance.choice(_CATEGORIES),
                    "quantity": quantity,
                    "unit_price": _money(cents),
                }
            )
        event = {
            "type": "purchase",
            "id": f"{seed}-{number:08d}",
            "source": "till",
            "account": f"c{_account(chance.random(), accounts):07d}",
            "at": at.isoformat(timespec="seconds"),
            "lines": lines,
            "store": f"shop-{chance.randrange(20)}",
        }
        if chance.random() < 0.1:
            event["discount"] = _money(gross // 10)
        yield event


def first_purchases(accounts: int, *, seed: int = 1) -> Iterator[dict[str, Any]]:
    """Yield one purchase of every account that `purchases` may name."""
    for number, event in enumerate(purchases(accounts, accounts, seed=seed)):
        yield {**event, "id": f"first-{number}", "account": f"c{number:07d}"}


def write_lines(path: Path, count: int, accounts: int, *, seed: int = 1) -> None:
    """Write purchases as JSON Lines."""
    with path.open("wb") as file:
        for event in purchases(count, accounts, seed=seed):
            file.write(orjson.dumps(event, option=orjson.OPT_APPEND_NEWLINE))


def _account(chance: float, accounts: int) -> int:
    """Return who buys: a fifth of the accounts makes 44 % of the purchases, the busiest eight times the average."""
    return int(accounts * chance * (chance**1.2 + 0.15) / 1.15 * 0.999_999)


def _money(cents: int) -> str:
    return f"{cents // 100}.{cents % 100:02d}"
