"""What is on a bearer card goes back to who has it, without a claim to an account, where the program lets it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stampbook.testing import Ledger
from tests.effort import examples
from tests.plugins.cards import BY, KEY, ONE, TWO
from tests.plugins.payouts import lines, refund
from tests.plugins.proof import findings

if TYPE_CHECKING:
    from stampbook import Outcome

TEXT = """
[program]
name = "Cards"
currency = "{currency}"
time_zone = "America/Los_Angeles"
open_accounts = "on first event"
[[plugin]]
use = "cards"
prefix = "6035"
length = 12
{options}
[[plugin]]
use = "payouts"
packs = [{packs}]
refunds = "{refunds}"
cards = "{cards}"
{more}
"""


def text(*packs: str, cards: str = "bearer", more: str = 'places = ["CA"]', **options: str) -> str:
    named = ", ".join(f'"{pack}"' for pack in packs or ("us-federal",))
    filled = {"currency": "USD", "refunds": "none", "options": "", **options}
    return TEXT.format(packs=named, cards=cards, more=more, **filled)


def shop(*packs: str, amount: str = "14.99", **options: Any) -> Ledger:
    ledger = Ledger(text(*packs, **options))
    ledger.post(type="card.issued", account=ONE, at="2026-04-01T09:00")
    ledger.post(type="card.activated", account=ONE, amount=amount, tender="cash", at="2026-04-01T10:00")
    return ledger


def ask(ledger: Ledger, at: str = "2026-05-01T10:00", account: str = ONE, **more: Any) -> Outcome:
    return ledger.post(type="refund.requested", account=account, at=at, **more)


def pay(ledger: Ledger, request: str = "r", at: str = "2026-05-02T10:00") -> Outcome:
    assert ledger.post(type="refund.approved", account=ONE, about=request, at=at).accepted
    return ledger.post(type="refund.paid", account=ONE, about=request, at=at)


@pytest.mark.parametrize(
    ("place", "amount", "expected"),
    [
        ("CA", "14.99", "14.99"),
        ("CA", "15.00", "not_refundable"),
        ("CO", "5.00", "5.00"),
        ("CO", "5.01", "not_refundable"),
    ],
)
def test_a_small_balance_is_had_in_cash_by_who_has_the_card(place: str, amount: str, expected: str) -> None:
    assert refund(ask(shop(amount=amount, more=f'places = ["{place}"]'))) == expected


def test_a_bearer_card_is_paid_out_and_empty() -> None:
    ledger = shop()
    ledger.post(type="card.spent", account=ONE, amount="4.99")
    assert refund(ask(ledger, id="r")) == "10.00"
    paid = pay(ledger)
    assert [(each.amount, each.destination) for each in paid.postings] == [(1000, "refunds")]
    assert ledger.balance("USD", account=ONE) == "0.00"
    assert ledger.fact("refund", account=ONE) == "paid"
    assert ledger.post(type="refund.paid", account=ONE, about="r").objections[0].code == "refund_paid"


def test_a_quote_of_a_card_ends_when_the_card_is_used() -> None:
    ledger = shop()
    ask(ledger, id="r")
    ledger.post(type="card.spent", account=ONE, amount="1.00", at="2026-05-01T11:00")
    assert ledger.post(type="refund.approved", account=ONE, about="r").objections[0].code == "balance_changed"


def test_a_card_knows_whether_it_is_a_bearers() -> None:
    ledger = shop("cn-single-purpose-card", amount="1000.00", currency="CNY", refunds="balance", more="")
    more = {"account": ONE, "tender": "cash"}
    refused = ledger.post(type="card.topped_up", amount="0.01", **more)
    told = refused.objections[0].message
    assert told.endswith("and 1000.00 CNY is the most (单用途商业预付卡管理办法 Art. 18); nothing more is possible")
    ledger.post(type="account.opened", account="ann")
    ledger.post(type="card.claimed", account=ONE, to="ann", value="stays")
    assert ledger.post(type="card.topped_up", amount="4000.00", **more).accepted
    assert ledger.post(type="card.topped_up", amount="0.01", **more).objections[0].code == "card_limit"


def test_the_terms_of_registered_cards_let_no_bearer_card_hold_more() -> None:
    more = 'ceiling = "5000.00"'
    ledger = shop("cn-single-purpose-card", amount="1000.00", currency="CNY", refunds="balance", more=more)
    [refused] = ledger.post(type="card.topped_up", account=ONE, amount="0.01", tender="card").objections
    assert refused.message.endswith("is the most (单用途商业预付卡管理办法 Art. 18); nothing more is possible")
    lower = 'ceiling = "999.99"'
    ledger = shop("cn-single-purpose-card", amount="1000.00", currency="CNY", refunds="balance", more=lower)
    assert ledger.balance("CNY", account=ONE) == "0.00"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"sale_total": "9999.99"}, []),
        ({"sale_total": "10000.00"}, ["real_name", "buyer_unknown"]),
        ({"sale_total": "10000.00", "buyer": "person", "identity": "n-1"}, []),
        ({"sale_total": "5000.00", "buyer": "organisation"}, ["paid_in_cash"]),
        ({"sale_total": "5000.00", "buyer": "organisation", "tender": "bank transfer"}, []),
        ({"sale_total": "50000.00", "buyer": "person", "identity": "n-1"}, ["paid_in_cash"]),
    ],
)
def test_the_sale_of_cards_is_held_to_the_law(said: dict[str, str], expected: list[str]) -> None:
    said = {"buyer": "person", "tender": "cash", **said} if expected == [] else {"tender": "cash", **said}
    ledger = Ledger(text("cn-single-purpose-card", currency="CNY", refunds="balance", more=""))
    ledger.post(type="card.issued", account=ONE)
    sold = ledger.post(type="card.activated", account=ONE, amount="1000.00", **said)
    assert [each.code for each in sold.objections] == expected
    assert all("单用途商业预付卡管理办法 Art. 1" in each.message for each in sold.objections)


def test_without_leave_of_the_program_the_card_is_claimed_first() -> None:
    ledger = shop(cards="claimed")
    [refused] = ask(ledger).objections
    assert refused.code == "no_customer"
    assert "what is on a card is refunded once it was claimed: stampbook card claim NUMBER ACCOUNT" in refused.message
    assert "cards = 'bearer' in its table 'payouts'" in refused.message
    ledger.post(type="account.opened", account="ann")
    assert ledger.post(type="card.claimed", account=ONE, to="ann").accepted
    assert refund(ask(ledger, "2026-05-02T10:00", account="ann")) == "14.99"


def test_a_pack_that_gives_nothing_says_so() -> None:
    [refused] = ask(shop(amount="50.00")).objections
    assert refused.message == "neither the law nor the terms of the program give this money back"


def test_nothing_else_of_payouts_is_for_a_card() -> None:
    ledger = shop()
    sold = ledger.post(type="pass.sold", account=ONE, name="x", price="1.00", until="2027-01-01")
    assert sold.objections[0].code == "no_customer"
    assert ledger.post(type="topup", account=ONE, amount="1.00").objections[0].code == "no_customer"


def test_a_blocked_card_is_neither_quoted_nor_paid() -> None:
    ledger = shop()
    ask(ledger, id="r")
    ledger.post(type="card.blocked", account=ONE, **BY)
    assert refund(ask(ledger, "2026-05-02T10:00")) == "card_blocked"
    ledger.post(type="refund.approved", account=ONE, about="r")
    assert ledger.post(type="refund.paid", account=ONE, about="r").objections[0].code == "card_blocked"


def test_a_card_with_a_pin_goes_to_who_gave_it_a_moment_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STAMPBOOK_CARD_KEY", KEY)
    ledger = Ledger(text(options="wrong_pins = 1"))
    ledger.post(type="card.issued", account=ONE, pin="1234", at="2026-04-01T09:00")
    ledger.post(type="card.activated", account=ONE, amount="9.00", tender="cash", at="2026-04-01T10:00")
    [refused] = ask(ledger, "2026-05-01T10:00").objections
    assert (refused.code, refused.message.partition(":")[0]) == (
        "pin_required", "the card has a PIN, which its bearer gives first, no more than 15 minutes before",
    )  # fmt: skip
    ledger.post(type="card.enquired", account=ONE, pin="1234", at="2026-05-01T10:01")
    assert refund(ask(ledger, "2026-05-01T10:16")) == "9.00"
    assert refund(ask(ledger, "2026-05-01T10:16:01")) == "pin_required"
    ledger.post(type="card.enquired", account=ONE, pin="4321", at="2026-05-01T10:17")
    assert [each.code for each in ask(ledger, "2026-05-01T10:18").objections] == ["pin_locked", "pin_required"]


def test_what_a_replaced_card_had_comes_back_of_the_new_one() -> None:
    ledger = shop()
    ledger.post(type="card.issued", account=TWO)
    ledger.post(type="card.replaced", account=ONE, to=TWO, **BY)
    assert refund(ask(ledger)) == "account_closed"
    assert refund(ask(ledger, account=TWO)) == "14.99"


def test_the_quote_of_a_card_explains_itself() -> None:
    outcome = ask(shop())
    assert lines(outcome)["cash_out"] == ("0.00", "Cal. Civ. Code 1749.5 (SB 22, Stats. 2025 ch. 207)")


_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("card.spent"), st.integers(1, 900)),
        st.tuples(st.just("card.topped_up"), st.integers(1, 900)),
        st.tuples(st.just("refund"), st.booleans()),
        st.tuples(st.just("card.blocked"), st.just(0)),
        st.tuples(st.just("card.unblocked"), st.just(0)),
    ),
    max_size=10,
)


@examples(25, deadline=None)
@given(_STEPS)
def test_no_more_comes_back_of_a_card_than_was_paid_for_it_and_the_books_prove_it(steps: list[tuple[str, int]]) -> None:
    ledger, sent = Ledger(text()), []
    paid_in = paid_out = 0

    def post(number: int, kind: str, **fields: Any) -> Outcome:
        event = {"type": kind, "id": f"e{number}-{kind}", "source": "till", "account": ONE, **fields}
        event["at"] = f"2026-05-{number + 1:02}T10:00"
        sent.append(event)
        return ledger.post(**event)

    post(0, "card.issued")
    post(1, "card.activated", amount="9.00", tender="cash")
    paid_in += 900
    for number, (kind, value) in enumerate(steps, 2):
        amount = {"amount": f"{value / 100:.2f}"}
        if kind == "refund":
            about = f"e{number}-refund.requested"
            if post(number, "refund.requested").accepted and value:
                post(number, "refund.approved", about=about)
                paid_out += sum(each.amount for each in post(number, "refund.paid", about=about).postings)
        elif kind == "card.spent":
            post(number, kind, **amount)
        elif kind == "card.topped_up":
            paid_in += value * post(number, kind, tender="cash", **amount).accepted
        else:
            post(number, kind, **BY)
        assert paid_out <= paid_in
    assert not findings(text(), sent)
