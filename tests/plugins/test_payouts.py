"""From a request for a refund to its payment: what moves, what may not, and what a quote holds on to."""

from __future__ import annotations

import pytest

from stampbook import EventError
from stampbook.testing import Ledger, check_plugin
from stampbook_payouts import Payouts
from tests.plugins.payouts import ask, lines, pay_out, prepaid, program, refund, shop


def codes(outcome: object) -> list[str]:
    return [each.code for each in outcome.objections]  # type: ignore[attr-defined]  # an outcome


@pytest.fixture
def ledger() -> Ledger:
    ledger = shop(order='"paid_first", "created"')
    prepaid(ledger, "1000", "200", "600")
    return ledger


def test_it_keeps_the_contract() -> None:
    check_plugin(Payouts, {"packs": ["cn-2025", "contract"]})


def test_nothing_moves_on_a_quote_nor_on_its_approval(ledger: Ledger) -> None:
    assert refund(ask(ledger, "operator", id="r")) == "500.00"
    ledger.post(type="refund.approved", about="r", at="2025-09-02")
    assert ledger.balance("CNY") == "600.00"
    assert all(not entry.postings for entry in ledger.journal() if entry.type.startswith("refund."))


def test_the_money_goes_to_the_customer_and_the_bonus_back_to_promotion(ledger: Ledger) -> None:
    ask(ledger, "operator", id="r")
    paid = pay_out(ledger, "r", "2025-09-02")
    # 400 of the money are left. 500 come back, since the bonus of 200 gives its part: 100 of it is worth nothing.
    assert [(posting.amount, posting.source, posting.destination) for posting in paid.postings] == [
        (40_000, 1, "refunds"), (10_000, 2, "refunds"), (10_000, 2, "promotion"),
    ]  # fmt: skip
    assert ledger.balance("CNY") == "0.00"
    assert ledger.fact("refund") == "paid"


def test_what_the_customer_had_of_the_money_is_sold(ledger: Ledger) -> None:
    other = shop()  # the bonus is spent first: 600 of the money are left
    prepaid(other, "1000", "200", "600")
    ask(other, "consumer", id="r")
    paid = pay_out(other, "r", "2025-09-02")
    assert [(posting.amount, posting.destination) for posting in paid.postings] == [
        (40_000, "refunds"),
        (20_000, "sales"),
    ]
    assert ledger.balance("CNY") == "600.00"


def test_a_fee_goes_to_its_own_book() -> None:
    ledger = shop("contract", more='fee = "10%"')
    prepaid(ledger, "100", "20")
    ask(ledger, id="r")
    paid = pay_out(ledger, "r", "2025-09-02")
    assert [(posting.amount, posting.destination) for posting in paid.postings] == [
        (9_000, "refunds"), (1_000, "fees"), (2_000, "promotion"),
    ]  # fmt: skip


def test_a_refund_is_paid_once(ledger: Ledger) -> None:
    ask(ledger, "operator", id="r")
    ledger.post(type="refund.approved", about="r", at="2025-09-02")
    first = ledger.post(type="refund.paid", id="p", about="r", at="2025-09-02")
    again = ledger.post(type="refund.paid", id="p", about="r", at="2025-09-02")
    assert (again.replayed, again.postings) == (True, first.postings)
    assert codes(ledger.post(type="refund.paid", about="r", at="2025-09-02"))[0] == "refund_paid"
    assert codes(ledger.post(type="refund.approved", about="r", at="2025-09-02"))[0] == "refund_paid"
    assert codes(ledger.post(type="refund.rejected", about="r", at="2025-09-02")) == ["refund_paid"]
    assert codes(ask(ledger, "operator", at="2025-09-03")) == ["nothing_to_refund"]
    with pytest.raises(EventError, match="another about"):
        ledger.post(type="refund.paid", id="p", about="q", at="2025-09-02")


def test_a_refund_is_not_paid_before_somebody_approved_it(ledger: Ledger) -> None:
    ask(ledger, "operator", id="r")
    assert codes(ledger.post(type="refund.paid", about="r", at="2025-09-01")) == ["not_approved"]
    assert codes(ledger.post(type="refund.paid", about="nothing", at="2025-09-01")) == ["unknown_request"]
    assert codes(ledger.post(type="refund.approved", about="event-1", at="2025-09-01")) == ["unknown_request"]


def test_a_request_that_was_rejected_is_over(ledger: Ledger) -> None:
    ask(ledger, "operator", id="r")
    ledger.post(type="refund.rejected", about="r", at="2025-09-01", reason="not the shop's fault")
    assert ledger.fact("refund") == "rejected"
    assert codes(ledger.post(type="refund.approved", about="r", at="2025-09-01")) == ["refund_rejected"]
    assert codes(ledger.post(type="refund.paid", about="r", at="2025-09-01")) == ["refund_rejected"]
    assert refund(ask(ledger, "consumer")) == "400.00"


@pytest.mark.parametrize(
    "event",
    [
        {"type": "spend", "amount": "1.00"},
        {"type": "topup", "amount": "1.00"},
        {"type": "adjust", "amount": "1.00", "kind": "bonus", "reason": "sorry"},
    ],
)
def test_a_quote_is_over_once_the_balance_has_changed(ledger: Ledger, event: dict[str, str]) -> None:
    ask(ledger, "operator", id="early")
    ask(ledger, "operator", id="late")
    ledger.post(type="refund.approved", about="late", at="2025-09-01T10:00")
    ledger.post(at="2025-09-01T11:00", **event)
    assert codes(ledger.post(type="refund.approved", about="early", at="2025-09-02")) == ["balance_changed"]
    assert codes(ledger.post(type="refund.paid", about="late", at="2025-09-02")) == ["balance_changed"]


def test_a_quote_holds_for_its_time() -> None:
    ledger = shop(more='valid_for = "2 days"')
    prepaid(ledger, "100")
    ask(ledger, id="r", at="2025-09-01T15:00")
    ask(ledger, id="s", at="2025-09-01T15:00")
    assert ledger.post(type="refund.approved", about="r", at="2025-09-03T23:59:59").accepted
    assert codes(ledger.post(type="refund.paid", about="r", at="2025-09-04T00:00")) == ["quote_expired"]
    assert codes(ledger.post(type="refund.approved", about="s", at="2025-09-04T00:00")) == ["quote_expired"]


@pytest.mark.parametrize(
    ("asked_by", "approved_by", "expected"),
    [
        ("li", "li", ["second_person"]),
        ("li", "wang", []),
        ("li", "", ["second_person"]),
        ("", "", ["second_person"]),
        ("", "wang", []),
    ],
)
def test_above_a_limit_somebody_else_approves(asked_by: str, approved_by: str, expected: list[str]) -> None:
    for limit, codes_then in (("99.99", expected), ("100.00", [])):
        ledger = shop(more=f'second_person_above = "{limit}"')
        prepaid(ledger, "100")
        ask(ledger, id="r", operator=asked_by)
        approved = ledger.post(type="refund.approved", about="r", at="2025-09-01", operator=approved_by)
        assert codes(approved) == codes_then


def test_what_is_set_aside_is_settled_first(ledger: Ledger) -> None:
    ask(ledger, "operator", id="r")
    ledger.post(type="refund.approved", about="r", at="2025-09-01")
    ledger.post(type="hold.authorised", id="h", amount="10", at="2025-09-01")
    assert codes(ask(ledger, "operator")) == ["open_holds"]
    assert codes(ledger.post(type="refund.paid", about="r", at="2025-09-01")) == ["open_holds"]
    ledger.post(type="hold.voided", hold="h", at="2025-09-01")
    assert ledger.post(type="refund.paid", about="r", at="2025-09-01").accepted


def test_a_request_is_not_told_late(ledger: Ledger) -> None:
    ledger.post(type="spend", amount="1.00", at="2025-10-01")
    assert codes(ask(ledger, "operator", at="2025-09-01")) == ["later_news"]


def test_what_was_returned_was_not_consumed(ledger: Ledger) -> None:
    bought = ledger.journal()[-1].id
    ledger.post(type="return", purchase=bought, amount="300", at="2025-06-01")
    assert refund(ask(ledger, "operator")) == "750.00"  # 1000 - 300 x 5/6
    assert refund(ask(ledger, "consumer")) == "700.00"


def test_a_topup_after_a_refund_begins_anew(ledger: Ledger) -> None:
    ask(ledger, "operator", id="r")
    pay_out(ledger, "r", "2025-09-02")
    prepaid(ledger, "500", at="2025-10-01")
    outcome = ask(ledger, "consumer", at="2026-01-01")
    assert refund(outcome) == "500.00"
    assert lines(outcome)["paid"][0] == "500.00"


def test_a_purchase_that_comes_back_after_a_refund_never_makes_more_of_it_than_was_paid() -> None:
    ledger = shop(order='"paid_first", "created"')
    prepaid(ledger, "1000", "200", "1000")
    bought = ledger.journal()[-1].id
    assert refund(ask(ledger, "operator", id="r")) == "166.67"
    pay_out(ledger, "r", "2025-09-02")
    ledger.post(type="return", purchase=bought, at="2025-09-03")
    outcome = ask(ledger, "operator", at="2025-10-04", id="s")
    assert refund(outcome) == "833.33"
    assert lines(outcome)["limit"][0] == "-166.67"


def test_bonus_that_expired_or_waits_is_no_part_of_the_ratio() -> None:
    ledger = shop(order='"paid_first", "created"')
    ledger.post(type="topup", amount="1000", at="2025-05-10")
    ledger.post(type="adjust", amount="200", kind="bonus", reason="!", at="2025-05-10", expires="2025-06-01")
    ledger.post(type="spend", amount="600", at="2025-05-11")
    assert refund(ask(ledger, "operator")) == "400.00"


def test_a_pack_is_refunded_once_and_its_sessions_are_gone() -> None:
    ledger = shop()
    ledger.post(type="pass.sold", id="ten", name="ten", price="1000", sessions=10, at="2025-06-01")
    ledger.post(type="pass.sold", id="more", name="ten", price="900", sessions=10, at="2025-06-02")
    ledger.post(type="spend", asset="sessions", amount="4", at="2025-06-03")
    assert refund(ask(ledger, "operator", about="ten", id="r")) == "600.00"
    assert refund(ask(ledger, "operator", about="more", id="s", at="2025-09-02")) == "900.00"
    paid = pay_out(ledger, "r", "2025-09-02")
    assert [(posting.asset, posting.amount, posting.destination) for posting in paid.postings] == [
        ("sessions", 6, "refunds")
    ]
    assert ledger.balance("sessions") == "10"
    assert codes(ask(ledger, "operator", about="ten", at="2025-09-02")) == ["refund_paid"]
    assert codes(ask(ledger, "operator", about="nothing", at="2025-09-02")) == ["unknown_pass"]


def test_a_period_card_is_refunded_once_whoever_asked_twice() -> None:
    ledger = shop()
    ledger.post(type="pass.sold", id="gym", name="gym", price="3650", until="2026-05-31", at="2025-06-01")
    for name in ("r", "s"):
        ask(ledger, "operator", about="gym", id=name)
        ledger.post(type="refund.approved", about=name, at="2025-09-01")
    assert ledger.post(type="refund.paid", about="r", at="2025-09-01").accepted
    assert codes(ledger.post(type="refund.paid", about="s", at="2025-09-01")) == ["refund_paid"]


def test_a_refund_may_be_rounded_up_to_the_customers_good() -> None:
    for rounding, expected in (("half_up", "83.33"), ("ceil", "83.34")):
        ledger = Ledger(program(more=f'rounding = "{rounding}"'))
        prepaid(ledger, "1000", "200", "1100")
        assert refund(ask(ledger, "operator")) == expected


def test_what_somebody_decided_to_keep_is_deducted_where_a_rule_allows_it() -> None:
    ledger = shop()
    prepaid(ledger, "1000", "200", "600")
    outcome = ask(ledger, "operator", id="r", deduct="80.00", deduct_for="a hair dryer")
    assert refund(outcome) == "420.00"
    assert lines(outcome)["deducted"] == ("-80.00", "法释〔2025〕4号 Art. 15 and 21")
    paid = pay_out(ledger, "r", "2025-09-02")
    assert [(posting.amount, posting.destination) for posting in paid.postings] == [
        (42_000, "refunds"), (18_000, "sales"),
    ]  # fmt: skip
    american = shop("us-federal", currency="USD", zone="America/New_York", more='places = ["CA"]')
    american.post(type="topup", amount="5.00", at="2025-06-01")
    assert refund(ask(american, deduct="1.00")) == "no_deduction"


def test_no_more_is_deducted_than_comes_back() -> None:
    ledger = shop()
    prepaid(ledger, "1000", "200", "1100")
    assert refund(ask(ledger, "operator", deduct="100.00")) == "nothing_to_refund"


def test_time_says_that_a_quote_holds_no_more() -> None:
    ledger = shop(more='valid_for = "2 days"')
    prepaid(ledger, "100")
    ask(ledger, id="r", at="2025-09-01T15:00")
    assert ledger.fact("refund", at="2025-09-03T23:59:59") == "requested"
    assert ledger.fact("refund", at="2025-09-04T00:00") == "lapsed"
    ask(ledger, id="s", at="2025-09-05")
    assert ledger.journal()[-2].type == "refund.lapsed"
    pay_out(ledger, "s", "2025-09-05")
    assert ledger.tick("2026-01-01") == 0
    assert ledger.fact("refund") == "paid"


def test_a_second_request_is_not_lapsed_with_the_first() -> None:
    ledger = shop(more='valid_for = "2 days"')
    prepaid(ledger, "100")
    ask(ledger, id="r", at="2025-09-01T15:00")
    ask(ledger, id="s", at="2025-09-03T15:00")
    assert ledger.fact("refund", at="2025-09-05") == "requested"
    assert ledger.fact("refund", at="2025-09-06") == "lapsed"
