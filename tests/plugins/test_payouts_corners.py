"""Odd corners of refunds: quotes that look fresh and are not, value that was never consumed, and bonus that was."""

from __future__ import annotations

import pytest

from stampbook.testing import Ledger
from tests.plugins.payouts import RATES, ask, lines, pay_out, prepaid, program, refund, shop


def codes(outcome: object) -> list[str]:
    return [each.code for each in outcome.objections]  # type: ignore[attr-defined]  # an outcome


def test_a_quote_is_over_though_the_balance_is_the_same_again() -> None:
    ledger = shop(order='"paid_first", "created"')
    prepaid(ledger, "1000")
    stored = [{"kind": "stored_value", "amount": "100"}]
    ledger.post(type="purchase", id="p", amount="200", discount="100", tenders=stored, at="2025-05-12")
    for name in ("paid", "asked"):
        assert refund(ask(ledger, "consumer", id=name)) == "800.00"  # 200 at the price before the discount
    ledger.post(type="refund.approved", about="paid", at="2025-09-01T05:00")
    ledger.post(type="return", purchase="p", at="2025-09-01T06:00")
    ledger.post(type="spend", amount="100", at="2025-09-01T07:00")
    assert ledger.balance("CNY") == "900.00"  # as it was, to the lot
    assert codes(ledger.post(type="refund.paid", about="paid", at="2025-09-02")) == ["balance_changed"]
    assert codes(ledger.post(type="refund.approved", about="asked", at="2025-09-02")) == ["balance_changed"]
    assert refund(ask(ledger, "consumer", at="2025-09-03")) == "900.00"


def test_sessions_that_were_had_end_the_quote_of_their_pack_and_of_no_other() -> None:
    ledger = shop()
    for name in ("one", "two"):
        ledger.post(type="pass.sold", id=name, name="ten", price="100", sessions=10, at="2025-05-10")
    for name in ("one", "two"):
        assert refund(ask(ledger, "operator", id=f"r-{name}", about=name)) == "100.00"
        ledger.post(type="refund.approved", about=f"r-{name}", at="2025-09-01")
    ledger.post(type="spend", asset="sessions", amount="1", at="2025-09-01T05:00")  # of the first pack
    assert codes(ledger.post(type="refund.paid", about="r-one", at="2025-09-02")) == ["balance_changed"]
    assert ledger.post(type="refund.paid", about="r-two", at="2025-09-02").accepted


def test_what_was_changed_into_another_currency_was_not_consumed() -> None:
    exchange = '\n[[plugin]]\nuse = "stored_value"\n[[plugin.exchange]]\nfrom = "CNY"\nto = "USD"\nrate = "0.14"\n'
    text = program(more=f'{RATES}{exchange}rounding = "half_up"').replace("[assets.sess", "[assets.USD]\n[assets.sess")
    for cause in ("operator", "consumer"):
        ledger = Ledger(text)
        prepaid(ledger, "1000", "200")
        assert ledger.post(type="exchange", asset="CNY", amount="600", to="USD", at="2025-05-12").accepted
        outcome = ask(ledger, cause)  # the bonus and 400 of the money are dollars now
        assert refund(outcome) == "600.00"
        assert (lines(outcome)["paid"][0], lines(outcome)["delivered"][0]) == ("600.00", "0.00")


BONUS = '[[plugin]]\nuse = "stored_value"\n[[plugin.bonus]]\nname = "b"\n{more}[[plugin.bonus.bracket]]\nfrom = "40"\n'
INSTALMENTS = '[plugin.bonus.instalments]\ncount = 2\nevery = "day"\n'


@pytest.mark.parametrize("more", ["", INSTALMENTS], ids=["at once", "in parts"])
def test_a_withdrawal_from_some_top_ups_takes_the_bonus_that_they_had_brought(more: str) -> None:
    options = {"currency": "EUR", "zone": "Europe/Dublin"}
    bonus = BONUS.format(more=more) + 'gives = "10"'
    ledger = shop("uk-eu", more=f"distance = true\n{bonus}", **options)
    ledger.post(type="topup", amount="40", at="2025-01-01")
    ledger.tick("2025-01-05")
    ledger.post(type="spend", amount="10", at="2025-01-06")
    ledger.post(type="adjust", amount="1.00", kind="bonus", reason="sorry", at="2025-01-07")
    ledger.post(type="topup", amount="50", at="2025-06-10T09:00")
    ledger.tick("2025-06-11T10:00")
    assert ledger.balance("EUR") == "101.00"
    outcome = ask(ledger, id="r", at="2025-06-12")
    assert refund(outcome) == "50.00"
    paid = pay_out(ledger, "r", "2025-06-12")
    assert {(posting.destination) for posting in paid.postings} == {"refunds", "promotion"}
    assert sum(posting.amount for posting in paid.postings if posting.destination == "promotion") == 1000
    assert ledger.balance("EUR") == "41.00"


def test_an_instalment_belongs_to_its_own_top_up_however_late_it_comes() -> None:
    bonus = BONUS.format(more='[plugin.bonus.instalments]\ncount = 2\nevery = "month"\n').replace('"40"', '"1000"')
    ledger = shop(order='"paid_first", "created"', more=f'{RATES}{bonus}gives = "1000"')
    ledger.post(type="topup", amount="1000", at="2025-05-10")
    ledger.post(type="topup", amount="100", at="2025-05-20")
    ledger.tick("2025-06-20")
    ledger.post(type="spend", amount="1100", at="2025-06-21")
    # Of the first top-up and its two instalments 1100 of 2000 were used, of the second nothing: 450 and 100 come back.
    outcome = ask(ledger, "operator")
    assert refund(outcome) == "550.00"
    assert lines(outcome)["by_topup"] == ("26.19", "")


def test_nothing_was_rescinded_before_it_was_agreed() -> None:
    ledger = shop()
    prepaid(ledger, "1000")
    assert refund(ask(ledger, "operator", rescinded_at="2025-05-09T23:59")) == "rescinded_too_early"
    assert refund(ask(ledger, "operator", rescinded_at="2025-05-10")) == "1009.68"  # 114 days at 3.10 %
    ledger.post(type="pass.sold", id="gym", name="gym", price="365", until="2026-06-30", at="2025-07-01")
    outcome = ask(ledger, "operator", about="gym", rescinded_at="2025-06-30")
    assert codes(outcome) == ["rescinded_too_early"]
    assert "on 2025-06-30: the first payment that is not settled is of 2025-07-01" in outcome.objections[0].message


def test_the_contract_is_that_of_the_first_top_up_though_it_was_told_late() -> None:
    ledger = shop()
    ledger.post(type="topup", amount="100", at="2025-06-10")
    ledger.post(type="topup", amount="900", at="2025-05-10")  # before the rate fell to 3.00 %
    outcome = ask(ledger, "operator", "2025-09-01", rescinded_at="2025-08-02")
    assert refund(outcome) == "1002.55"  # 1000 at 3.10 % for 30 days


def test_a_leap_year_has_a_day_of_interest_more() -> None:
    ledger = shop()
    ledger.post(type="topup", amount="1000", at="2025-06-01")
    assert refund(ask(ledger, "operator", "2029-03-01", rescinded_at="2028-02-28")) == "1030.16"  # 367 days, of 365


def test_an_old_card_of_new_york_stays_one_when_it_is_reloaded() -> None:
    options = {"currency": "USD", "zone": "America/New_York", "more": 'places = ["NY"]\nrefunds = "none"'}
    ledger = shop("us-federal", **options)
    ledger.post(type="topup", amount="3.00", at="2022-12-09")
    ledger.post(type="topup", amount="1.00", at="2023-01-01")
    assert refund(ask(ledger)) == "not_refundable"


@pytest.mark.parametrize("again", ["li", "Li", " li ", "LI"])
def test_nobody_is_a_second_person_by_spelling(again: str) -> None:
    ledger = shop(more='second_person_above = "99.99"')
    prepaid(ledger, "100")
    ask(ledger, id="r", operator="li")
    assert codes(ledger.post(type="refund.approved", about="r", operator=again, at="2025-09-01")) == ["second_person"]


def test_what_is_frozen_is_told_as_that() -> None:
    ledger = shop()
    prepaid(ledger, "1000")
    ledger.post(type="lots.frozen", lots=[1], reason="disputed", at="2025-08-01")
    outcome = ask(ledger)
    assert codes(outcome) == ["open_holds"]
    assert "set aside or frozen; capture, void or unfreeze it first" in outcome.objections[0].message


@pytest.mark.parametrize(
    ("pack", "amount", "means", "expected"),
    [
        ("cn-single-purpose-card", "100.00", "cash", []),
        ("cn-single-purpose-card", "100.01", "cash", ["not_in_cash"]),
        ("cn-single-purpose-card", "100.01", "现金", ["not_in_cash"]),
        ("cn-single-purpose-card", "100.01", "Cash payment (CNY)", ["not_in_cash"]),
        ("cn-single-purpose-card", "100.01", "bank", []),
        ("cn-beijing", "100.01", "cash", []),
    ],
)
def test_more_than_100_yuan_is_not_paid_in_cash(pack: str, amount: str, means: str, expected: list[str]) -> None:
    ledger = shop("cn-2025", pack)
    prepaid(ledger, amount)
    ask(ledger, id="r")
    ledger.post(type="refund.approved", about="r", at="2025-09-01")
    paid = ledger.post(type="refund.paid", about="r", means=means, at="2025-09-02")
    assert codes(paid) == expected
    assert ledger.balance("CNY") == (amount if expected else "0.00")


def test_what_is_withdrawn_by_right_bears_no_fee_and_the_terms_give_the_rest() -> None:
    options = {"currency": "EUR", "zone": "Europe/Dublin", "more": 'distance = true\nfee = "10%"'}
    ledger = shop("uk-eu", "contract", **options)
    ledger.post(type="topup", amount="30", at="2025-01-01")
    ledger.post(type="topup", amount="50", at="2025-06-10")
    outcome = ask(ledger, id="r", at="2025-06-12")
    assert refund(outcome) == "77.00"  # 50.00, and 30.00 less 3.00; all of it by the terms would be 72.00
    assert lines(outcome)["fee"][0] == "-3.00"
    assert "uk-eu/withdrawal 50.00" in outcome.memo["remembered"]["_beaten"]
    paid = pay_out(ledger, "r", "2025-06-12")
    books = [posting.destination for posting in paid.postings]
    sums = {book: sum(move.amount for move in paid.postings if move.destination == book) for book in books}
    assert sums == {"refunds": 7700, "fees": 300}
    assert ledger.balance("EUR") == "0.00"


GOODS = [
    {"sku": "a", "category": "x", "quantity": 2, "unit_price": "100", "amount": "150"},
    {"sku": "b", "category": "x", "quantity": 1, "unit_price": "50", "amount": "50"},
]


@pytest.mark.parametrize(
    ("back", "refunded"),
    [
        ([{"line": 2}], "800.00"),  # 200 consumed, at the price before the discount of the other line
        ([{"line": 1}], "950.00"),
        ([{"line": 1, "quantity": 1}], "850.00"),
        ([{"line": 1, "quantity": 1}, {"line": 2}], "900.00"),
        ([{"line": 1}, {"line": 2}], "1000.00"),
    ],
)
def test_a_line_that_comes_back_takes_its_own_discount_along(back: list[dict[str, int]], refunded: str) -> None:
    ledger = shop(order='"paid_first", "created"')
    prepaid(ledger, "1000")
    tenders = [{"kind": "stored_value", "amount": "200"}]
    assert ledger.post(type="purchase", id="p", lines=GOODS, tenders=tenders, at="2025-05-12").accepted
    assert refund(ask(ledger, "consumer", id="before")) == "750.00"
    for number, line in enumerate(back):  # each by a return of its own comes to the same as all by one
        assert ledger.post(type="return", purchase="p", lines=[line], at=f"2025-09-01T06:0{number}").accepted
    assert refund(ask(ledger, "consumer", id="after", at="2025-09-03")) == refunded


def test_half_of_a_split_payment_bears_half_of_the_discounts_of_what_stays() -> None:
    ledger = shop(order='"paid_first", "created"')
    prepaid(ledger, "1000")
    tenders = [{"kind": "stored_value", "amount": "100"}, {"kind": "cash", "amount": "100"}]
    assert ledger.post(type="purchase", id="p", lines=GOODS, tenders=tenders, at="2025-05-12").accepted
    assert refund(ask(ledger, "consumer", id="before")) == "875.00"  # 250 at full price, half of it
    assert ledger.post(type="return", purchase="p", lines=[{"line": 2}], at="2025-09-01T06:00").accepted
    assert refund(ask(ledger, "consumer", id="after", at="2025-09-03")) == "900.00"
