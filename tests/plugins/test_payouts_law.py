"""Every worked figure of the laws on refunds of prepaid value, and what courts called wrong."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from stampbook import ProgramError
from stampbook_payouts.packs import PACKS
from stampbook_payouts.packs.cn_single_purpose_card import required_reserve
from stampbook_payouts.packs.us_federal import NEW_YORK
from stampbook_payouts.rules import Share, interest, principal, rest_of_sessions, rest_of_term
from tests.plugins.payouts import RATES, ask, lines, prepaid, refund, shop

ORDERS = ['"bonus_first", "created"', '"paid_first", "created"']

# id: paid, bonus, used; refund where it is not the customer's cause (Art. 18), and where it is (Art. 19, 20)
CN_1 = {
    "CN-1a": ("1000", "200", "600", "500.00", "400.00"),
    "CN-1b": ("1000", "200", "1100", "83.33", "nothing_to_refund"),
    "CN-1c": ("1000", "200", "0", "1000.00", "1000.00"),
    "CN-1e": ("3000", "1000", "3594", "304.50", "nothing_to_refund"),
}


@pytest.mark.parametrize("order", ORDERS, ids=["bonus first", "paid first"])
@pytest.mark.parametrize("case", CN_1)
def test_what_comes_back_does_not_depend_on_which_lots_were_spent_first(case: str, order: str) -> None:
    # A court rejected "what was paid is spent first" (CN-1e): the ratio of the totals decides.
    paid, bonus, used, without, with_cause = CN_1[case]
    for cause, expected in (("operator", without), ("neither", without), ("consumer", with_cause)):
        ledger = shop(order=order)
        prepaid(ledger, paid, bonus, used)
        assert refund(ask(ledger, cause)) == expected


@pytest.mark.parametrize("how", ["discount", "unit_price"])
def test_cn_1d_a_discount_counts_only_where_the_customer_is_the_cause(how: str) -> None:
    bought: dict[str, Any] = {"amount": "500.00", "discount": "100.00"}
    if how == "unit_price":
        bought = {"lines": [{"sku": "cut", "unit_price": "250.00", "quantity": 2, "amount": "400.00"}]}
    for cause, expected in (("operator", "600.00"), ("consumer", "500.00")):
        ledger = shop()
        prepaid(ledger, "1000")
        ledger.post(type="purchase", tenders=[{"kind": "stored_value", "amount": "400.00"}], at="2025-05-11", **bought)
        assert refund(ask(ledger, cause)) == expected


def test_a_discount_counts_for_the_part_that_stored_value_paid() -> None:
    ledger = shop()
    prepaid(ledger, "1000")
    tenders = [{"kind": "stored_value", "amount": "200.00"}, {"kind": "cash", "amount": "200.00"}]
    ledger.post(type="purchase", amount="500.00", discount="100.00", tenders=tenders, at="2025-05-11")
    assert refund(ask(ledger, "operator")) == "800.00"
    assert refund(ask(ledger, "consumer")) == "750.00"


def test_cn_1f_a_year_card_comes_back_by_the_days_that_remain() -> None:
    assert rest_of_term(365_000, 265, 365) == 265_000
    for cause in ("operator", "consumer", "neither"):
        ledger = shop()
        ledger.post(type="pass.sold", id="gym", name="year card", price="3650.00", at="2025-06-01", until="2026-05-31")
        assert refund(ask(ledger, cause, "2025-09-09", about="gym")) == "2650.00"  # 100 days later
    ledger = shop()
    ledger.post(type="pass.sold", id="gym", name="year card", price="3650.00", at="2025-06-01", until="2026-05-31")
    # The term counts from when the operator stopped serving, if that was earlier.
    assert refund(ask(ledger, "operator", "2025-10-01", about="gym", stopped_at="2025-09-09")) == "2650.00"
    # Who did not use it within its term gets nothing (Art. 22, paragraph 3).
    assert refund(ask(ledger, "consumer", "2026-06-01", about="gym")) == "nothing_to_refund"


def test_cn_1g_interest_runs_from_the_rescission_at_the_rate_of_the_contract() -> None:
    assert interest(50_000, 31_000, 30) == 127
    assert interest(40_000, 15_000, 30) == 49
    for cause, expected, cite in (("operator", "501.27", "Art. 16 and 17"), ("consumer", "400.49", "Art. 16 and 17")):
        ledger = shop()
        prepaid(ledger, "1000", "200", "600", at="2025-05-10")  # before the rate fell to 3.00 %
        outcome = ask(ledger, cause, "2025-09-01", rescinded_at="2025-08-02")
        assert refund(outcome) == expected
        assert lines(outcome)["interest"][1] == f"法释〔2025〕4号 {cite}"


# paid, sessions, used: what comes back by the price of the contract
SESSIONS = {
    "Beijing Chaoyang 2025-05-06": ("20740.00", 61, 25, "12240.00"),
    "Xiamen Haicang": ("46080.00", 144, 78, "21120.00"),
    "Beijing No. 1": ("12000.00", 50, 38, "2880.00"),
}


@pytest.mark.parametrize("case", SESSIONS)
def test_cn_2_sessions_that_are_left_come_back_at_the_price_of_the_contract(case: str) -> None:
    price, sessions, used, expected = SESSIONS[case]
    ledger = shop()
    ledger.post(type="pass.sold", id="pack", name="pack", price=price, sessions=sessions, at="2025-05-10")
    ledger.post(type="spend", asset="sessions", amount=str(used), at="2025-06-10")
    for cause in ("operator", "neither", "consumer"):  # no price before discounts was told
        assert refund(ask(ledger, cause, about="pack")) == expected


def test_cn_2_the_fee_that_courts_allowed_is_five_percent_of_what_was_not_delivered() -> None:
    # Minhang, before 2025: the operator wanted 20 %, and was allowed about 5 % of what he had not delivered.
    for fee, expected in (("5%", "950.00"), ("20%", "800.00")):
        ledger = shop("contract", more=f'fee = "{fee}"')
        prepaid(ledger, "3000", used="2000")
        assert refund(ask(ledger)) == expected
    # Since 2025 what was paid less what was delivered comes back, and none of the two is the operator's (Art. 15).
    for fee in ("5%", "20%"):
        with pytest.raises(ProgramError, match=r"fee: '\d+%' breaks cn-2025: .* \(法释〔2025〕4号 Art\. 15\)"):
            shop("cn-2025", "contract", more=f'fee = "{fee}"\n' + RATES)


# packs, terms of the operator that courts called void: no refund, over is over, no transfer (Chaoyang), 30 % (Haicang)
VOID = ['refunds = "none"', 'validity = "1 year"', 'transfer = "no"', 'fee = "30%"', 'fee = "20%"']


@pytest.mark.parametrize("term", VOID)
def test_cn_2_what_courts_called_void_is_no_program(term: str) -> None:
    with pytest.raises(ProgramError, match="breaks cn-2025"):
        shop("cn-2025", "contract", more=f"{term}\n{RATES}")


def test_sessions_count_at_their_usual_price_where_the_customer_is_the_cause() -> None:
    ledger = shop()
    sold = {"name": "ten", "price": "1000.00", "sessions": 10, "list_price": "150.00"}
    ledger.post(type="pass.sold", id="pack", at="2025-05-10", **sold)
    ledger.post(type="spend", asset="sessions", amount="4", at="2025-06-10")
    assert refund(ask(ledger, "consumer", about="pack")) == "400.00"
    assert refund(ask(ledger, "operator", about="pack")) == "600.00"
    assert rest_of_sessions(100_000, 10, 8, 15_000) == 0  # and nothing is claimed (Art. 20)


@pytest.mark.parametrize(
    ("at", "experienced", "expected"),
    [("2025-05-17", False, "1000.00"), ("2025-05-18", False, "400.00"), ("2025-05-17", True, "400.00")],
)
def test_within_seven_days_what_was_paid_comes_back_by_its_real_price(
    at: str, expected: str, *, experienced: bool
) -> None:
    # Art. 14 speaks of the principal: what was delivered counts at the discounted price.
    ledger = shop()
    prepaid(ledger, "1000", "200", "0")
    if expected == "400.00":
        ledger.post(type="spend", amount="600", at="2025-05-11")
    outcome = ask(ledger, "consumer", at, experienced=experienced)
    assert refund(outcome) == expected


def test_the_seven_days_are_lost_by_who_was_a_customer_before() -> None:
    ledger = shop()
    prepaid(ledger, "100", "0", "100", at="2025-03-01")
    prepaid(ledger, "1000", "200", "600", at="2025-05-10")
    assert refund(ask(ledger, "consumer", "2025-05-12")) == "400.00"
    fresh = shop()
    prepaid(fresh, "1000", "200", "600", at="2025-05-10")
    outcome = ask(fresh, "consumer", "2025-05-12")
    assert refund(outcome) == "500.00"
    assert lines(outcome)["withdrawal"] == ("100.00", "法释〔2025〕4号 Art. 14")


@pytest.mark.parametrize(
    ("packs", "at", "expected", "within"),
    [
        (("cn-beijing",), "2025-05-17", "1000.00", "5 days"),
        (("cn-beijing",), "2025-05-18", "not_refundable", ""),
        (("cn-2025", "cn-beijing"), "2025-05-17", "1000.00", "5 days"),
        (("cn-2025", "cn-beijing"), "2025-05-18", "1000.00", "15 days"),
        (("cn-2025",), "2025-05-17", "1000.00", "15 days"),
    ],
)
def test_in_beijing_an_unused_topup_comes_back_whatever_was_before(
    packs: tuple[str, ...], at: str, expected: str, within: str
) -> None:
    ledger = shop(*packs)
    prepaid(ledger, "100", used="100", at="2025-03-01")
    ledger.post(type="topup", amount="1000", at="2025-05-10")
    outcome = ask(ledger, "consumer", at)
    assert refund(outcome) == expected
    assert not within or outcome.memo["remembered"]["_pay_within"] == within


def test_several_topups_are_taken_together_or_each_by_itself_as_is_better_for_the_customer() -> None:
    ledger = shop()
    prepaid(ledger, "1000", "1000", "2000", at="2025-05-10")  # used up
    prepaid(ledger, "1000", at="2025-06-10")
    outcome = ask(ledger, "operator")
    assert refund(outcome) == "1000.00"  # together: 2000 x 1000 / 3000 = 666.67
    assert lines(outcome)["by_topup"] == ("333.33", "")


def test_a_reserve_is_a_share_of_the_balance_of_the_quarter_before() -> None:
    assert [required_reserve(issuer, 100_000_001) for issuer in ("scale", "group", "brand")] == [
        20_000_001, 30_000_001, 40_000_001,
    ]  # fmt: skip
    assert required_reserve("brand", 100_000_000, insured=15_000_000) == 25_000_000
    assert required_reserve("scale", 100, insured=1000) == 0


@pytest.mark.parametrize(
    ("paid", "granted", "used", "expected"), [(3000, 1000, 3594, 304_50), (1000, 200, 600, 500_00)]
)
def test_spend_paid_money_first_is_rejected(paid: int, granted: int, used: int, expected: int) -> None:
    # CN-1e: the operator of Dongguan took all of it from what was paid; that would leave nothing, or less.
    share = Share(paid * 100, granted * 100, used * 100, used * 100)
    assert principal(share, "discounted") == expected
    assert principal(share, "discounted") != max(0, paid - used) * 100


def american(place: str, more: str = "") -> dict[str, Any]:
    return {"currency": "USD", "zone": "America/New_York", "more": f'places = ["{place}"]\nrefunds = "none"\n{more}'}


# place, day, balance, whether it is had in cash
US_1 = [
    ("CA", "2026-03-31", "9.99", True), ("CA", "2026-03-31", "10.00", False), ("CA", "2026-03-31", "14.99", False),
    ("CA", "2026-04-01", "14.99", True), ("CA", "2026-04-01", "15.00", False),
    ("CO", "2025-06-01", "5.00", True), ("CO", "2025-06-01", "5.01", False),
    ("WA", "2025-06-01", "4.99", True), ("WA", "2025-06-01", "5.00", False),
    ("ME", "2025-06-01", "4.99", True), ("ME", "2025-06-01", "5.00", False),
    ("MT", "2025-06-01", "4.99", True), ("MT", "2025-06-01", "5.00", False),
    ("NJ", "2025-06-01", "4.99", True), ("NJ", "2025-06-01", "5.00", False),
    ("OR", "2025-06-01", "4.99", True), ("OR", "2025-06-01", "5.00", False),
    ("RI", "2025-06-01", "0.99", True), ("RI", "2025-06-01", "1.00", False),
    ("TX", "2025-06-01", "2.49", True), ("TX", "2025-06-01", "2.50", False),
    ("VT", "2025-06-01", "0.99", True), ("VT", "2025-06-01", "1.00", False),
    ("PR", "2025-06-01", "5.00", True), ("PR", "2025-06-01", "5.01", False),
    ("MA", "2025-06-01", "4.99", True), ("MA", "2025-06-01", "5.00", False),
    ("NY", "2025-06-01", "4.99", True), ("NY", "2025-06-01", "5.00", False),
]  # fmt: skip


@pytest.mark.parametrize(("place", "day", "balance", "had"), US_1)
def test_us_1_small_balances_are_had_in_cash(place: str, day: str, balance: str, *, had: bool) -> None:
    ledger = shop("us-federal", **american(place))
    ledger.post(type="topup", amount=balance, at="2025-01-02")
    outcome = ask(ledger, at=day)
    assert refund(outcome) == (balance if had else "not_refundable")


@pytest.mark.parametrize(
    ("face", "balance", "had"),
    [("25.00", "2.50", True), ("25.00", "2.51", False), ("100.00", "10.00", True), ("100.00", "10.01", False)],
)
def test_us_1_massachusetts_gives_the_last_tenth_of_what_cannot_be_reloaded(
    face: str, balance: str, *, had: bool
) -> None:
    ledger = shop("us-federal", **american("MA", "reloadable = false"))
    prepaid(ledger, face, used=str(Decimal(face) - Decimal(balance)))
    assert refund(ask(ledger)) == (balance if had else "not_refundable")


def test_us_1_connecticut_wants_the_receipt() -> None:
    ledger = shop("us-federal", **american("CT"))
    ledger.post(type="topup", amount="2.99", at="2025-01-02")
    assert refund(ask(ledger, receipt=True)) == "2.99"
    assert refund(ask(ledger)) == "not_refundable"
    ledger.post(type="topup", amount="0.01", at="2025-09-02")
    assert refund(ask(ledger, at="2025-09-03", receipt=True)) == "not_refundable"


def test_us_1_new_york_looks_at_the_day_of_purchase() -> None:
    for bought, expected in (("2022-12-09", "not_refundable"), ("2022-12-10", "4.00")):
        ledger = shop("us-federal", **american("NY"))
        ledger.post(type="topup", amount="4.00", at=bought)
        assert refund(ask(ledger)) == expected
    assert [row[2:] for row in NEW_YORK] == [(0, 12), (60, 12), (60, 24), (108, None)]


def test_other_states_and_other_money_give_nothing_in_cash() -> None:
    ledger = shop("us-federal", currency="USD", zone="America/New_York", more="")
    ledger.post(type="topup", amount="1.00", at="2025-01-02")
    assert refund(ask(ledger)) == "not_refundable"
    ledger = shop("us-federal", zone="America/New_York", more='places = ["CA"]')
    ledger.post(type="topup", amount="1.00", at="2025-01-02")
    assert refund(ask(ledger)) == "not_refundable"


def european(**options: Any) -> dict[str, Any]:
    more = "\n".join(f"{key} = {value}" for key, value in options.items())
    return {"currency": "EUR", "zone": "Europe/Dublin", "more": more}


@pytest.mark.parametrize(("at", "expected"), [("2025-06-24", "40.00"), ("2025-06-25", "not_refundable")])
def test_distance_topups_are_withdrawn_from_within_fourteen_days(at: str, expected: str) -> None:
    ledger = shop("uk-eu", order='"created"', **european(distance="true"))
    ledger.post(type="topup", id="old", amount="30.00", at="2025-01-01")
    ledger.post(type="topup", id="new", amount="50.00", at="2025-06-10T09:00")
    ledger.post(type="spend", amount="40.00", at="2025-06-11")  # the old one, and 10.00 of the new one
    assert refund(ask(ledger, at=at)) == expected


def test_a_withdrawal_leaves_older_topups_as_they_are() -> None:
    ledger = shop("uk-eu", **european(distance="true"))
    ledger.post(type="topup", amount="30.00", at="2025-01-01")
    ledger.post(type="topup", amount="50.00", at="2025-06-10T09:00")
    assert refund(ask(ledger, id="r", at="2025-06-12")) == "50.00"
    ledger.post(type="refund.approved", about="r", at="2025-06-12")
    paid = ledger.post(type="refund.paid", about="r", at="2025-06-12")
    assert [(posting.amount, posting.destination) for posting in paid.postings] == [(5000, "refunds")]
    assert ledger.balance("EUR") == "30.00"
    assert refund(ask(ledger, at="2025-06-13")) == "not_refundable"


def test_electronic_money_is_redeemed_at_par() -> None:
    ledger = shop("uk-eu", **european(e_money="true"))
    prepaid(ledger, "100.00", "20.00", "30.00")
    assert refund(ask(ledger)) == "90.00"  # the bonus was spent first


@pytest.mark.parametrize(("left", "expected"), [("1.00", "not_refundable"), ("1.01", "1.01")])
def test_the_rest_of_an_irish_voucher_for_one_purchase_comes_back(left: str, expected: str) -> None:
    ledger = shop("uk-eu", **european(places='["IE"]', single_use="true"))
    prepaid(ledger, "20.00", used=str(Decimal(20) - Decimal(left)))
    assert refund(ask(ledger)) == expected


def test_the_operators_own_terms_keep_a_fee() -> None:
    ledger = shop("contract", **european(fee='"2.5%"'))
    prepaid(ledger, "100.00", used="30.01")
    outcome = ask(ledger, id="r")
    assert refund(outcome) == "68.25"  # 69.99 less 1.74975, rounded down
    assert lines(outcome)["fee"] == ("-1.74", "the terms of the program")


def test_the_rule_that_gives_most_wins_and_the_others_are_told() -> None:
    ledger = shop(
        "us-federal", "contract", **american("CA", 'fee = "10%"').copy() | {"more": 'places = ["CA"]\nfee = "10%"'}
    )
    ledger.post(type="topup", amount="14.00", at="2025-06-01")
    before, after = ask(ledger, at="2026-03-31"), ask(ledger, at="2026-04-01")
    assert (refund(before), before.memo["remembered"]["_rule"]) == ("12.60", "contract/balance")
    assert (refund(after), after.memo["remembered"]["_rule"]) == ("14.00", "us-ca/cash-out-2026-04-01")


def test_every_rule_says_where_it_stands_and_whether_anybody_read_it() -> None:
    ids = [rule.id for pack in PACKS.values() for rule in pack.rules]
    assert len(ids) == len(set(ids))
    for pack in PACKS.values():
        for each in pack.all:
            assert each.cite
            assert each.about
            assert each.status in {"verified", "seen", "unverified", "reading"}
        for rule in pack.rules:
            assert rule.first_day <= rule.last_day
