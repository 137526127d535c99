"""Refunds of accounts that give money to one another, or become one: together never more than was ever paid in."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from stampbook import load_program
from stampbook.replay import MemoryLedger
from stampbook.testing import Ledger
from tests.effort import examples
from tests.plugins.payouts import RATES, ask, prepaid, program, refund

TOGETHER = """
[[plugin]]
use = "transfers"
asset = "CNY"
kinds = ["paid", "bonus"]
[[plugin]]
use = "merging"
undo = "90 days"
"""
NAMES = ("ann", "bob")
START = datetime(2025, 6, 1, 12, tzinfo=UTC)


def together(order: str = '"bonus_first", "created"', *packs: str) -> str:
    return program(*packs, order=order, more=RATES + TOGETHER)


def test_money_that_was_given_away_is_refunded_to_who_has_it() -> None:
    ledger = Ledger(together())
    prepaid(ledger, "1000", used="300")
    ledger.post(type="account.opened", account="bob", at="2025-05-12")
    ledger.post(type="transfer", asset="CNY", amount="500", to="bob", at="2025-05-13")
    assert refund(ask(ledger, "operator", id="r")) == "200.00"
    assert refund(ask(ledger, "operator", account="bob")) == "500.00"


def test_a_request_of_an_account_that_was_merged_is_made_anew() -> None:
    ledger = Ledger(together())
    prepaid(ledger, "1000", used="300")
    assert refund(ask(ledger, "operator", id="r")) == "700.00"
    ledger.post(type="account.opened", account="bob", at="2025-09-01")
    ledger.post(type="account.merged", to="bob", at="2025-09-01")
    for kind in ("refund.approved", "refund.paid"):
        outcome = ledger.post(type=kind, about="r", account="bob", at="2025-09-02")
        assert [each.code for each in outcome.objections] == ["request_merged"]
    assert refund(ask(ledger, "operator", account="bob", id="s", at="2025-09-03")) == "700.00"
    ledger.post(type="refund.approved", account="bob", about="s", at="2025-09-03")
    assert ledger.post(type="refund.paid", account="bob", about="s", at="2025-09-03").accepted
    assert ledger.balance("CNY", account="bob") == "0.00"


@given(
    some=st.lists(
        st.tuples(
            st.sampled_from(
                ["topup", "topup", "bonus", "buy", "buy", "return", "give", "give", "refund", "refund", "merge"]
            ),
            st.integers(0, 1),
            st.integers(100, 9_000),
            st.sampled_from(["consumer", "operator"]),
        ),
        max_size=30,
    ),
    first=st.booleans(),
)
@examples(100, deadline=None)
def test_two_accounts_together_never_get_more_back_than_was_paid_in(
    some: list[tuple[str, int, int, str]], *, first: bool
) -> None:
    order = '"bonus_first", "created"' if first else '"paid_first", "created"'
    ledger = MemoryLedger(load_program(together(order, "cn-2025", "contract")), clock=lambda: 2 * 10**15)
    now, bought = START, [""]
    paid_in = paid_out = 0
    for name in NAMES:
        ledger.post({"type": "topup", "id": f"t-{name}", "account": name, "at": now.isoformat(), "amount": "100.00"})
        paid_in += 10_000
    for number, (what, who, units, cause) in enumerate(some):
        now += timedelta(hours=1)
        amount = f"{units // 100}.{units % 100:02d}"
        base: dict[str, Any] = {"id": f"e{number}", "account": NAMES[who], "at": now.isoformat()}
        stored = [{"kind": "stored_value", "amount": amount}]
        events: dict[str, list[dict[str, Any]]] = {
            "topup": [{**base, "type": "topup", "amount": amount}],
            "bonus": [{**base, "type": "adjust", "amount": amount, "kind": "bonus", "reason": "on top"}],
            "buy": [{**base, "type": "purchase", "amount": amount, "tenders": stored}],
            "return": [{**base, "type": "return", "purchase": bought[-1] or "none"}],
            "give": [{**base, "type": "transfer", "asset": "CNY", "amount": amount, "to": NAMES[1 - who]}],
            "merge": [{**base, "type": "account.merged", "to": NAMES[1 - who]}] if units > 8_500 else [],
            "refund": [
                {**base, "type": "refund.requested", "cause": cause},
                {**base, "type": "refund.approved", "id": f"a{number}", "about": f"e{number}"},
                {**base, "type": "refund.paid", "id": f"p{number}", "about": f"e{number}"},
            ],
        }
        if what == "buy":
            bought.append(f"e{number}")
        for event in events[what]:
            for posting in ledger.post(event).postings:
                paid_in += posting.amount if posting.source == "cash" else 0
                paid_out += posting.amount if posting.destination == "refunds" else 0
        assert paid_out <= paid_in
