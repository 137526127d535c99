"""A shop with stored value that is refunded by policy packs, in short words, for tests."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from stampbook.testing import Ledger

if TYPE_CHECKING:
    from stampbook import Outcome

HEAD = """
[program]
name = "Prepaid"
currency = "{currency}"
time_zone = "{zone}"
open_accounts = "on first event"
[assets.{currency}]
spend_order = [{order}]
[assets.sessions]
[[plugin]]
use = "refunds"
[[plugin]]
use = "payouts"
sessions = "sessions"
packs = [{packs}]
{more}
"""
RATES = """
[[plugin.rate]]
name = "lpr_1y"
from = "2024-10-21"
rate = "3.10%"
[[plugin.rate]]
name = "lpr_1y"
from = "2025-05-20"
rate = "3.00%"
[[plugin.rate]]
name = "deposit_1y"
from = "2015-10-24"
rate = "1.50%"
"""


def program(
    *packs: str,
    currency: str = "CNY",
    zone: str = "Asia/Shanghai",
    order: str = '"bonus_first", "created"',
    more: str = RATES,
) -> str:
    named = ", ".join(f'"{pack}"' for pack in packs or ("cn-2025",))
    return HEAD.format(currency=currency, zone=zone, order=order, packs=named, more=more)


def shop(*packs: str, **options: Any) -> Ledger:
    return Ledger(program(*packs, **options))


def prepaid(ledger: Ledger, paid: str, bonus: str = "0", used: str = "0", at: str = "2025-05-10") -> None:
    """Pay money in, grant a bonus on it, and use some of both a day later."""
    ledger.post(type="topup", amount=paid, at=f"{at}T10:00")
    if bonus != "0":
        ledger.post(type="adjust", amount=bonus, kind="bonus", reason="on top", at=f"{at}T10:00")
    if used != "0":
        ledger.post(type="purchase", amount=used, at=f"{at}T18:00", tenders=[{"kind": "stored_value", "amount": used}])


def ask(ledger: Ledger, cause: str = "consumer", at: str = "2025-09-01", **more: Any) -> Outcome:
    return ledger.post(type="refund.requested", cause=cause, at=at, **more)


def refund(outcome: Outcome) -> str:
    """Return what a request would pay, as decimal text, or the first objection to it."""
    if not outcome.accepted:
        return outcome.objections[0].code
    return str(outcome.memo["remembered"]["_result"])


def lines(outcome: Outcome) -> dict[str, tuple[str, str]]:
    """Return the lines of a quote: amount and cite by name."""
    found = json.loads(outcome.memo["remembered"]["_lines"])
    return {name: (amount, cite) for name, amount, _, cite, _ in found}


def pay_out(ledger: Ledger, request: str, at: str) -> Outcome:
    ledger.post(type="refund.approved", about=request, at=at)
    return ledger.post(type="refund.paid", about=request, at=at)
