"""Money that is paid in for Chinese single-purpose cards: who buys for much has a name, and does not pay in cash."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stampbook import EventError, ProgramError, load_program
from tests.effort import examples
from tests.plugins.payouts import program, shop
from tests.plugins.proof import findings

if TYPE_CHECKING:
    from stampbook.testing import Ledger

PACK = "cn-single-purpose-card"


def card(kind: str = "bearer") -> Ledger:
    return shop(PACK, more=f'card = "{kind}"')


def codes(ledger: Ledger, amount: str = "500.00", **said: Any) -> list[str]:
    return [each.code for each in ledger.post(type="topup", amount=amount, **said).objections]


BEARER = [
    ("9999.99", {}, []),
    ("10000.00", {}, ["real_name"]),
    ("10000.00", {"identity": "register-17"}, []),
    ("10000.00", {"identity": " "}, ["real_name"]),
    ("10000.00", {"buyer": "person"}, ["real_name"]),
    ("10000.00", {"buyer": "organisation", "tender": "bank transfer"}, ["real_name"]),
    ("10000.00", {"buyer": "organisation", "tender": "bank transfer", "identity": "register-17"}, []),
]


@pytest.mark.parametrize(("total", "said", "expected"), BEARER)
def test_who_buys_bearer_cards_for_10000_in_one_go_gives_a_name(
    total: str, said: dict[str, str], expected: list[str]
) -> None:
    assert codes(card(), sale_total=total, **said) == expected


def test_the_name_of_a_registered_card_is_known_already() -> None:
    assert codes(card("registered"), sale_total="49999.99") == []


CASH = [
    ("4999.99", "organisation", "cash", []),
    ("5000.00", "organisation", "cash", ["paid_in_cash"]),
    ("5000.00", "organisation", "现金", ["paid_in_cash"]),
    ("5000.00", "organisation", " Cash ", ["paid_in_cash"]),
    ("5000.00", "organisation", "ＣＡＳＨ", ["paid_in_cash"]),
    ("5000.00", "organisation", "現金", ["paid_in_cash"]),
    ("5000.00", "organisation", " ", ["tender_unknown"]),
    ("5000.00", "organisation", "bank transfer", []),
    ("5000.00", "organisation", None, ["tender_unknown"]),
    ("5000.00", "person", "cash", []),
    ("4999.99", None, "cash", []),
    ("5000.00", None, "cash", ["buyer_unknown"]),
    ("5000.00", None, None, []),
    ("49999.99", "person", "cash", []),
    ("50000.00", "person", "cash", ["paid_in_cash"]),
    ("50000.00", "person", "bank transfer", []),
    ("50000.00", "person", None, ["tender_unknown"]),
    ("50000.00", None, "cash", ["paid_in_cash"]),
    ("50000.00", None, None, ["tender_unknown"]),
]


@pytest.mark.parametrize(("total", "buyer", "tender", "expected"), CASH)
def test_who_buys_for_much_in_one_go_does_not_pay_in_cash(
    total: str, buyer: str | None, tender: str | None, expected: list[str]
) -> None:
    said = {key: value for key, value in (("buyer", buyer), ("tender", tender)) if value is not None}
    assert codes(card("registered"), sale_total=total, **said) == expected


def test_the_objection_names_the_article_and_what_to_do() -> None:
    ledger = card()
    refused = ledger.post(type="topup", amount="1000", sale_total="60000", buyer="person", tender="cash")
    told = {each.code: each.message for each in refused.objections}
    assert told["real_name"] == (
        "60000.00 CNY: who buys bearer cards for 10000.00 or more in one go gives a real name, which is kept for 5 "
        "years (单用途商业预付卡管理办法 Art. 15); say in identity under which number the name is kept"
    )
    assert told["paid_in_cash"] == (
        "60000.00 CNY: a person who buys for 50000.00 or more in one go pays by bank transfer, not in cash "
        "(单用途商业预付卡管理办法 Art. 16)"
    )
    assert ledger.balance("CNY") == "0.00"


IS_CASH = [
    "cash payment", "Cash Payment", "CASH", " c a s h ", "cash-payment", "cash_payment",
    "Cash (CNY)", "Cash CNY", "CNY cash", "cash/RMB",
    "Paid in cash.", "in cash", "banknotes", "现金", "现 金", "现金（人民币）", "人民币现金",
    "现金支付", "现钞", "付现", "現金付款", "现金【备用】",
    "till money", "Till-Money", "ＴＩＬＬ　ＭＯＮＥＹ", "备用金", "till money (CNY)",
]  # fmt: skip
IS_NOT = [
    "cashless",
    "cash card",
    "bank transfer",
    "银行转账",
    "cashback",
    "cheque",
    "微信支付",
    "现金卡",
    "CNY",
    "till",
]


@pytest.mark.parametrize(("tender", "cash"), [*((each, True) for each in IS_CASH), *((each, False) for each in IS_NOT)])
def test_cash_is_cash_whatever_the_till_calls_it(tender: str, *, cash: bool) -> None:
    ledger = shop(PACK, more='card = "registered"\ncash = ["till money", "备用金"]')
    assert codes(ledger, "5000.00", buyer="organisation", tender=tender) == (["paid_in_cash"] if cash else [])


def test_what_only_this_shop_calls_cash_is_none_elsewhere() -> None:
    assert codes(card("registered"), "5000.00", buyer="organisation", tender="till money") == []
    with pytest.raises(ProgramError, match=r"plugin\[2\].cash"):
        load_program(program(PACK, more='cash = ["till", " "]'))


def test_one_top_up_of_an_organisation_is_a_purchase_in_one_go_as_well() -> None:
    ledger = card("registered")
    assert codes(ledger, "5000.00", buyer="organisation", tender="cash") == ["paid_in_cash"]
    assert codes(ledger, "5000.00", buyer="organisation", tender="bank transfer") == []


def test_before_the_order_was_in_force_nothing_was_asked() -> None:
    ledger = card()
    assert codes(ledger, "9000.00", sale_total="20000.00", at="2012-10-31T12:00") == []
    assert codes(ledger, "1.00", sale_total="20000.00", at="2012-11-01T12:00") == ["card_limit", "real_name"]


def test_other_money_is_not_counted_in_yuan() -> None:
    ledger = shop(PACK, currency="EUR", more='card = "registered"')
    assert codes(ledger, sale_total="60000.00", tender="cash", buyer="person") == []
    assert codes(ledger, "9000.00") == [], "5000.00 CNY is no ceiling for euros"


def test_yuan_are_held_to_the_order_though_the_program_counts_euros() -> None:
    ledger = shop(PACK, currency="EUR", more='card = "registered"\nceiling = "20000.00"\n[assets.CNY]\ndecimals = 2')
    assert codes(ledger, "5000.01", currency="CNY") == ["card_limit"]
    assert codes(ledger, currency="CNY", sale_total="60000.00", tender="cash", buyer="person") == ["paid_in_cash"]
    assert codes(ledger, "20000.00") == []
    assert codes(ledger, "0.01") == ["card_limit"], "the terms of the program are in euros"


def test_what_is_bought_in_one_go_is_no_less_than_what_is_paid_in() -> None:
    with pytest.raises(EventError, match="sale_total is what is bought in one go comes to in all"):
        card().post(type="topup", amount="10.00", sale_total="9.99")


def test_check_tells_what_tills_have_to_send() -> None:
    def told(kind: str) -> str:
        plugins = load_program(program(PACK, more=f'card = "{kind}"')).plugins
        return "\n".join(text for each in plugins for _, text in each.cautions)

    assert "Art. 15: who buys bearer cards for 10000.00" in told("bearer")
    assert "Art. 15" not in told("registered")
    for kind in ("bearer", "registered"):
        assert "Art. 16: an organisation that buys for 5000.00 or more" in told(kind)
        assert "tills send tender, buyer and, of several cards, sale_total" in told(kind)


_EVENTS = st.lists(
    st.fixed_dictionaries(
        {"amount": st.integers(1, 600_000)},
        optional={
            "more": st.sampled_from([0, 400_000, 499_999, 999_999, 5_000_000]),
            "buyer": st.sampled_from(["person", "organisation"]),
            "tender": st.sampled_from(["cash", "bank transfer"]),
            "identity": st.just("register-17"),
        },
    ),
    max_size=5,
)


@examples(25, deadline=None)
@given(_EVENTS, st.sampled_from(["bearer", "registered"]))
def test_nothing_is_paid_in_beyond_the_law_and_the_books_prove_it(topups: list[dict[str, Any]], kind: str) -> None:
    ledger, sent = card(kind), []
    for number, drawn in enumerate(topups):
        said = dict(drawn)
        total = said["amount"] + said.pop("more", 0)
        units = said.pop("amount")
        event = {
            "type": "topup", "id": f"t{number}", "source": "till", "account": "a", "at": f"2025-01-01T1{number}:00",
            "amount": f"{units / 100:.2f}", "sale_total": f"{total / 100:.2f}", **said,
        }  # fmt: skip
        outcome = ledger.post(**event)
        sent.append(event)
        cash, buyer = said.get("tender") == "cash", said.get("buyer", "person")
        if outcome.accepted:
            assert not (cash and total >= (500_000 if buyer == "organisation" else 5_000_000))
            assert kind == "registered" or total < 1_000_000 or "identity" in said
    most = 100_000 if kind == "bearer" else 500_000
    if topups:
        assert sum(lot.remaining for lot in ledger.view(account="a").lots) <= most
    assert not findings(program(PACK, more=f'card = "{kind}"'), sent)
