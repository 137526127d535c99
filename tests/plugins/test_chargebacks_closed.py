"""A payment system takes money back of an account that is closed: it is kept as a debt, and nothing is lost."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stampbook.testing import Ledger
from tests.effort import examples
from tests.plugins.proof import findings

HEAD = """
[program]
name = "Closed"
currency = "GBP"
open_accounts = "on first event"
[assets.GBP]
debt = true
[assets.points]
debt = true
[[plugin]]
use = "points"
[[plugin.rule]]
name = "gift"
on = ["topup"]
earn = "event.amount"
[[plugin.rule]]
name = "base"
earn = "order.net"
[[plugin]]
use = "refunds"
points_spent = "{spent}"
[plugin.chargeback]
{options}
"""
REOPEN = 'closed = "reopen"\n'


def text(options: str = REOPEN, spent: str = "within_balance") -> str:
    return HEAD.format(options=options, spent=spent)


def closed(program: str) -> Ledger:
    ledger = Ledger(program)
    ledger.post(type="topup", id="t", amount="100.00")
    ledger.post(type="purchase", id="p", amount="30.00")
    ledger.post(type="spend", amount="100.00")
    ledger.post(type="spend", asset="points", amount="130")
    assert ledger.post(type="account.closed").accepted
    return ledger


def charged(ledger: Ledger, **fields: Any) -> Any:
    return ledger.post(type="topup.charged_back", about="t", **fields)


def test_a_closed_account_is_there_again_and_owes_what_was_charged_back() -> None:
    ledger = closed(text())
    outcome = charged(ledger, amount="40.00", reason="card stolen")
    assert outcome.memo["remembered"]["owed"] == "40.00"
    assert (ledger.owed("GBP"), ledger.view().status) == ("40.00", "frozen")
    assert charged(ledger).accepted
    assert ledger.owed("GBP") == "100.00"
    assert charged(ledger).objections[0].code == "over_chargeback"
    assert ledger.post(type="account.closed").objections[0].code == "debt"


def test_it_is_open_again_where_chargebacks_freeze_nothing() -> None:
    ledger = closed(text(REOPEN + "freeze = false\n"))
    charged(ledger)
    assert (ledger.owed("GBP"), ledger.view().status) == ("100.00", "open")


def test_what_is_let_go_is_kept_and_the_account_stays_closed() -> None:
    ledger = closed(text(REOPEN + 'rest = "let_go"\n'))
    assert charged(ledger).memo["remembered"]["lost"] == "100.00"
    assert (ledger.owed("GBP"), ledger.view().status) == ("0.00", "closed")
    assert charged(ledger).objections[0].code == "over_chargeback"


def test_a_program_that_says_nothing_refuses_it_and_tells_what_to_do() -> None:
    ledger = closed(text(""))
    [refused] = charged(ledger).objections
    assert refused.code == "account_closed"
    assert refused.message.endswith("closed = 'reopen' in [plugin.chargeback] of refunds has it kept")
    [refused] = ledger.post(type="return", purchase="p", refund_to="chargeback").objections
    assert refused.code == "account_closed"
    assert refused.message.endswith("closed = 'reopen' in [plugin.chargeback] of refunds has a chargeback kept")


@pytest.mark.parametrize(("spent", "owed", "status"), [("debt", "30", "frozen"), ("within_balance", "0", "closed")])
def test_a_purchase_that_is_charged_back_owes_its_points(spent: str, owed: str, status: str) -> None:
    ledger = closed(text(spent=spent))
    outcome = ledger.post(type="return", purchase="p", refund_to="chargeback")
    assert outcome.accepted
    assert outcome.memo["charged_back"] == 30_00
    assert (ledger.owed("points"), ledger.view().status) == (owed, status)
    assert not ledger.post(type="return", purchase="p", refund_to="chargeback").accepted


@pytest.mark.parametrize("more", [{"purchase": "p"}, {"amount": "5.00"}, {"purchase": "x", "refund_to": "chargeback"}])
def test_nothing_else_comes_back_to_a_closed_account(more: dict[str, str]) -> None:
    ledger = closed(text().replace("[assets.GBP]", 'unknown_returns = "accept"\n[assets.GBP]'))
    amount = {"amount": "5.00"} if more.get("purchase") == "x" else {}
    assert [each.code for each in ledger.post(type="return", **more, **amount).objections] == ["account_closed"]
    assert ledger.post(type="topup.returned", about="t").objections[0].code == "account_closed"


def test_what_was_merged_is_charged_back_where_it_went() -> None:
    program = text() + '[[plugin]]\nuse = "merging"\n'
    ledger = Ledger(program)
    ledger.post(type="topup", id="t", amount="100.00")
    ledger.post(type="account.opened", account="ann")
    assert ledger.post(type="account.merged", to="ann", reason="twice", operator="kim").accepted
    [refused] = charged(ledger).objections
    assert (refused.code, refused.message) == ("account_merged", "account customer was merged into ann; send it there")


@examples(25, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["t", "p", "spend", "close", "unfreeze"]), st.integers(1, 4000)), max_size=10),
    st.sampled_from([REOPEN, REOPEN + "freeze = false\n", REOPEN + 'rest = "let_go"\n', ""]),
    st.sampled_from(["debt", "within_balance"]),
)
def test_nothing_is_lost_in_any_order_and_the_books_prove_it(
    steps: list[tuple[str, int]], options: str, spent: str
) -> None:
    program = text(options, spent)
    ledger, sent = Ledger(program), []

    def post(number: int, **fields: Any) -> Any:
        event = {"id": f"e{number}", "source": "till", "account": "a", "at": f"2025-01-{number + 1:02}", **fields}
        sent.append(event)
        return ledger.post(**event)

    post(0, type="topup", id="t", amount="60.00")
    post(1, type="purchase", id="p", amount="40.00")
    back = 0
    for number, (kind, units) in enumerate(steps, 2):
        amount = f"{units / 100:.2f}"
        if kind == "t":
            outcome = post(number, type="topup.charged_back", about="t", amount=amount)
            back += units * outcome.accepted
            if outcome.accepted:
                told = outcome.memo["remembered"]
                parts = (told.get(name, "0") for name in ("taken", "owed", "lost"))
                assert sum(round(float(part) * 100) for part in parts) == units
        elif kind == "p":
            post(number, type="return", purchase="p", amount=amount, refund_to="chargeback")
        elif kind == "spend":
            post(number, type="spend", amount=amount)
        else:
            post(number, type="account.closed" if kind == "close" else "account.unfrozen")
        assert back <= 60_00
        view = ledger.view(account="a")
        assert view.status != "closed" or not view.lots
    assert not findings(program, sent)
