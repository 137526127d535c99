"""A coffee shop with a year behind it, and ways to run commands on it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from stampbook.cli import cli
from stampbook.periods import Calendar

ROOT = Path(__file__).parents[2]
VIENNA = Calendar("Europe/Vienna")

PROGRAM = """
[program]
name = "Corner Coffee Card"
currency = "EUR"
time_zone = "Europe/Vienna"
open_accounts = "on first event"

[assets.points]

[metrics.visits]
count = true
window = "calendar month"

[stacking]
extra = "best"

[[plugin]]
use = "tiers"
metric = "visits"
review = "calendar month"

[[plugin.level]]
name = "guest"

[[plugin.level]]
name = "regular"
reach = "3"
keep = "2"
multiplier = "1.5"

[[plugin]]
use = "points"
expires = "6 months, end of month"

[[plugin.rule]]
name = "base"
earn = "floor(order.net)"

[[plugin.rule]]
name = "big"
when = "order.net >= 20 and order.channel == 'till'"
earn = "25"
expires = "never"
group = "extra"
rank = 1

[[plugin.rule]]
name = "cake"
per = "line"
when = "line.category == 'cake'"
earn = "5 * line.quantity"
group = "extra"
rank = 2

[[plugin]]
use = "refunds"

[[plugin]]
use = "rfm"

[[example]]
name = "a point for each whole euro"
events = [{ type = "purchase", at = "2025-03-06T09:00", amount = "4.90" }]
balances = { points = "4" }
"""

SALES = """Receipt,Card,When,Paid
9001,1003,07.05.2025 09:00,"4,50"
9002,,07.05.2025 09:05,"3,00"
9003,1003,07.05.2025 09:10,"6,20"
"""

SALES_MAPPING = """
[[skip]]
when = { column = "Card", empty = true }
reason = "no card"

[[event]]
type = "purchase"
id = "Receipt"
source = { value = "oldtill" }
account = "Card"
at = { column = "When", format = "%d.%m.%Y %H:%M" }
amount = { column = "Paid", decimal_comma = true }
"""


def purchase(id_: str, account: str, at: str, amount: str, **more: Any) -> dict[str, Any]:
    return {"type": "purchase", "id": id_, "source": "till", "account": account, "at": at, "amount": amount, **more}


def events() -> list[tuple[str, list[dict[str, Any]]]]:
    """Instants at which events were recorded, and the events."""
    cake = [
        {"sku": "melange", "category": "coffee", "amount": "4.20"},
        {"sku": "sacher", "category": "cake", "quantity": "2", "unit_price": "3.90"},
    ]
    first = purchase("sale-1", "1001", "2025-03-06T09:00", "0", lines=cake, store="Graben")
    del first["amount"]
    own = {"source": "till", "account": "1001"}
    found = [
        {"type": "account.opened", "id": "signup-1001", **own, "at": "2025-03-01T08:00"},
        {"type": "topup", "id": "receipt-1", **own, "at": "2025-03-01T08:05", "amount": "100.00", "operator": "anna"},
        first,
        purchase("sale-2", "1001", "2025-03-20T10:00", "24.70", channel="till"),
        {
            "type": "return",
            "id": "return-1",
            **own,
            "at": "2025-03-25T10:00",
            "purchase": "sale-1",
            "lines": [{"line": 2}],
        },
        {"type": "spend", "id": "cup-1", **own, "at": "2025-03-26T10:00", "asset": "points", "amount": "500"},
        purchase("sale-3", "1001", "2025-04-10T10:00", "30.00", tenders=[{"kind": "stored_value", "amount": "30.00"}]),
    ]
    for number in range(1002, 1009):
        found.extend(
            purchase(f"sale-{number}-{visit}", str(number), f"2025-03-{2 + visit:02d}T12:00", f"{number - 995}.50")
            for visit in range(number - 1001)
        )
    found.append(
        {"type": "account.frozen", "id": "freeze-1004", "source": "till", "account": "1004", "at": "2025-03-28"}
    )
    found.append(
        {"type": "account.opened", "id": "signup-1010", "source": "till", "account": "1010", "at": "2025-03-28"}
    )
    late = purchase("sale-late", "1001", "2025-03-30T11:00", "10.00")
    found.sort(key=lambda event: event["at"])
    march = [event for event in found if event["at"] < "2025-04"]
    april = [event for event in found if event["at"] >= "2025-04"]
    return [("2025-03-31T12:00", march), ("2025-04-05T09:00", [late]), ("2025-04-10T12:00", april)]


def run(*arguments: str, code: int = 0) -> Result:
    """Run a command and expect an exit code; a traceback fails the test."""
    result = CliRunner().invoke(cli, arguments, prog_name="stampbook", catch_exceptions=False)
    assert result.exit_code == code, f"{arguments}: {result.exit_code}\n{result.output}"
    return result


def data(*arguments: str, code: int = 0) -> Any:
    """Run a command with --json and return what it answers."""
    return json.loads(run(*arguments, "--json", code=code).stdout)


def one_line(*arguments: str, code: int = 1) -> str:
    """Run a command that must fail, and return the one line that it says."""
    result = run(*arguments, code=code)
    lines = result.stderr.splitlines()
    assert len(lines) == 1, lines
    return lines[0]
