"""By which means a refund goes back: shared over the top-ups that it gives back, each as it was paid."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stampbook import Engine, load_program
from stampbook.exporting import export
from stampbook.replay import MemoryLedger
from stampbook.statements import statement
from stampbook.verifying import verify
from stampbook_payouts.means import Payment, sentence, shared
from stampbook_payouts.telling import quoted
from tests.effort import examples
from tests.plugins.payouts import ask, pay_out, program, shop
from tests.plugins.test_payouts_properties import ORDERS, PACKS, played, steps, units

if TYPE_CHECKING:
    from pathlib import Path

    from stampbook import Outcome
    from tests.plugins.test_payouts_properties import Step


def topup(ledger: Any, name: str, amount: str, tender: str | None, day: str, **more: Any) -> None:
    said = {} if tender is None else {"tender": tender}
    ledger.post(type="topup", id=name, amount=amount, at=f"{day}T10:00", **said, **more)


def parts(outcome: Outcome) -> list[dict[str, str]]:
    found: list[dict[str, str]] = quoted(outcome.memo["remembered"])["shares"]
    return found


def ways(outcome: Outcome) -> list[tuple[str, str, str]]:
    return [(part["topup"], part["amount"], part["to"]) for part in parts(outcome)]


def told(outcome: Outcome) -> str:
    return sentence(parts(outcome))


def test_a_quote_says_how_much_goes_back_to_which_means() -> None:
    ledger = shop("contract", currency="EUR", more='refunds = "balance"')
    topup(ledger, "t1", "100.00", "card", "2025-03-01")
    topup(ledger, "t2", "12.00", "cash", "2025-03-05")
    ledger.post(type="spend", amount="42.00", at="2025-03-06")
    asked = ask(ledger, id="r", at="2025-03-10")
    assert told(asked) == (
        "58.00 goes back to the card by which t1 was paid on 2025-03-01; 12.00 in cash, as t2 was paid on 2025-03-05."
    )
    assert {name: text for name, text in parts(asked)[1].items() if name != "source"} == {
        "topup": "t2",
        "paid_on": "2025-03-05",
        "tender": "cash",
        "amount": "12.00",
        "to": "cash",
        "for": "",
        "because": "",
    }
    paid = pay_out(ledger, "r", "2025-03-11")
    assert ways(paid) == ways(asked)
    assert paid.memo["remembered"]["means"] == "58.00 card + 12.00 cash"


def test_what_lots_still_hold_says_which_top_up_it_is_where_that_is_what_comes_back() -> None:
    ledger = shop("contract", currency="EUR", order='"expiry", "created"', more='refunds = "balance"')
    topup(ledger, "t1", "50.00", "card", "2025-03-01")
    topup(ledger, "t2", "50.00", "paypal", "2025-03-05")
    ledger.post(type="spend", amount="20.00", at="2025-03-06")
    ledger.post(type="lots.frozen", lots=[1], reason="!", at="2025-03-07")
    ledger.post(type="spend", amount="45.00", at="2025-03-08")
    ledger.post(type="lots.unfrozen", lots=[1], reason="!", at="2025-03-09")
    assert ways(ask(ledger, at="2025-03-10")) == [("t1", "30.00", "card"), ("t2", "5.00", "paypal")]


def test_consumption_is_of_the_oldest_top_up_and_so_the_newest_goes_back_first() -> None:
    ledger = shop("cn-2025")
    topup(ledger, "t1", "100.00", "wechat", "2025-03-01")
    topup(ledger, "t2", "200.00", "alipay", "2025-03-05")
    ledger.post(type="spend", amount="150.00", at="2025-03-06")
    assert ways(ask(ledger, cause="operator")) == [("t2", "150.00", "alipay")]


def test_of_a_withdrawal_only_the_top_ups_that_are_withdrawn_go_back() -> None:
    ledger = shop("uk-eu", currency="EUR", zone="Europe/Dublin", more="distance = true")
    topup(ledger, "t1", "30.00", "cash", "2025-01-01")
    topup(ledger, "t2", "50.00", "card", "2025-06-10")
    asked = ask(ledger, at="2025-06-12")
    assert ways(asked)[0] == ("t2", "50.00", "card")
    assert sum(units(part["amount"]) for part in parts(asked)) == units(asked.memo["remembered"]["_result"])


def test_a_tender_that_nobody_told_is_told_as_such() -> None:
    ledger = shop("cn-2025")
    topup(ledger, "t1", "100.00", None, "2025-03-01")
    asked = ask(ledger)
    assert told(asked) == "100.00 goes back for t1, paid on 2025-03-01: by what means is not known."
    ask(ledger, id="r")
    assert pay_out(ledger, "r", "2025-09-01").memo["remembered"]["means"] == "100.00 unknown"


def test_interest_goes_with_the_largest_part_and_is_above_no_top_up() -> None:
    ledger = shop("cn-2025")
    topup(ledger, "t1", "1000.00", "card", "2025-05-10")
    asked = ask(ledger, cause="operator", rescinded_at="2025-08-02")
    assert [(part["topup"], part["to"], part["for"]) for part in parts(asked)] == [
        ("t1", "card", ""),
        ("", "card", "interest"),
    ]
    assert ways(asked)[0][1] == "1000.00"
    assert told(asked).endswith("of interest, the same way as most of it.")


@pytest.mark.parametrize(
    ("pack", "amount", "to"),
    [
        ("cn-single-purpose-card", "100.00", "cash"),
        ("cn-single-purpose-card", "100.01", "bank account"),
        ("cn-beijing", "100.01", "cash"),
    ],
)
@pytest.mark.parametrize("tender", ["cash", "现金支付"])
def test_more_than_100_yuan_goes_to_a_bank_account_though_it_was_paid_in_cash(
    pack: str, amount: str, to: str, tender: str
) -> None:
    ledger = shop("cn-2025", pack)
    topup(ledger, "t1", amount, tender, "2025-05-10")
    asked = ask(ledger, id="r")
    assert ways(asked) == [("t1", amount, to)]
    if to == "bank account":
        assert told(asked).startswith(
            f"{amount} goes back to a bank account, though t1 was paid in cash on 2025-05-10: at most 100.00 is paid "
        )
        assert "Art. 21" in told(asked)
    paid = pay_out(ledger, "r", "2025-09-02")
    assert ways(paid) == [("t1", amount, to)]


def test_the_means_that_somebody_names_are_those_of_all_of_it() -> None:
    for means, expected in (("bank", "bank"), ("原路退回", "card"), ("Original", "card")):
        ledger = shop("cn-2025")
        topup(ledger, "t1", "100.00", "card", "2025-03-01")
        ask(ledger, id="r")
        ledger.post(type="refund.approved", about="r", at="2025-09-01")
        paid = ledger.post(type="refund.paid", about="r", means=means, at="2025-09-01")
        assert [part["to"] for part in parts(paid)] == [expected]
        assert [part["tender"] for part in parts(paid)] == ["card"]
        assert paid.memo["remembered"]["means"] == f"100.00 {expected}"


def test_cash_that_somebody_names_is_refused_above_the_limit_as_before() -> None:
    ledger = shop("cn-2025", "cn-single-purpose-card")
    topup(ledger, "t1", "100.01", "card", "2025-03-01")
    ask(ledger, id="r")
    ledger.post(type="refund.approved", about="r", at="2025-09-01")
    paid = ledger.post(type="refund.paid", about="r", means="cash", at="2025-09-01")
    assert [each.code for each in paid.objections] == ["not_in_cash"]


def test_a_pass_goes_back_as_it_was_paid() -> None:
    ledger = shop("cn-2025")
    ledger.post(type="pass.sold", id="yoga", name="10", price="100.00", sessions=10, tender="card", at="2025-05-10")
    assert ways(ask(ledger, about="yoga")) == [("yoga", "100.00", "card")]


def test_what_went_back_before_is_no_part_of_it() -> None:
    text = program("cn-2025").replace('use = "refunds"', 'use = "refunds"\n[plugin.topup_return]')
    ledger = MemoryLedger(load_program(text), clock=lambda: 2 * 10**15)
    base = {"source": "shop", "account": "ann"}
    for event in (
        {"type": "topup", "id": "t1", "amount": "100.00", "tender": "card", "at": "2025-03-01T10:00"},
        {"type": "topup", "id": "t2", "amount": "50.00", "tender": "cash", "at": "2025-03-02T10:00"},
        {"type": "topup.returned", "id": "b", "about": "t2", "amount": "20.00", "at": "2025-03-03T10:00"},
    ):
        assert ledger.post({**base, **event}).accepted
    asked = ledger.post({**base, "type": "refund.requested", "id": "r", "at": "2025-09-01T10:00"})
    assert ways(asked) == [("t1", "100.00", "card"), ("t2", "30.00", "cash")]


def test_the_journal_and_the_statement_name_the_means(tmp_path: Path) -> None:
    with Engine.open(f"sqlite:///{tmp_path}/a.db", create=True) as engine:
        engine.put_text_in_force(program("cn-2025"))
        base = {"source": "till", "account": "ann"}
        engine.post({**base, "type": "topup", "id": "t1", "amount": "58.00", "tender": "card", "at": "2025-03-01"})
        engine.post({**base, "type": "topup", "id": "t2", "amount": "12.00", "tender": "cash", "at": "2025-03-02"})
        engine.post({**base, "type": "refund.requested", "id": "r", "at": "2025-09-01"})
        engine.post({**base, "type": "refund.approved", "id": "a", "about": "r", "at": "2025-09-01"})
        assert engine.post({**base, "type": "refund.paid", "id": "p", "about": "r", "at": "2025-09-01"}).accepted
        assert verify(engine).findings == ()
        line = statement(engine, "ann").lines[-1]
        assert "; means 58.00 card + 12.00 cash; refund 70.00 CNY" in line.words
        for dialect in ("beancount", "hledger"):
            stream = io.StringIO()
            export(engine, stream, dialect)
            assert "58.00 card + 12.00 cash" in stream.getvalue()


_payments = st.lists(st.tuples(st.integers(0, 5000), st.integers(0, 6000)), max_size=6).map(
    lambda pairs: [Payment(f"t{n}", "s", 1, "", paid, first) for n, (paid, first) in enumerate(pairs)]
)


@given(payments=_payments, back=st.integers(0, 20_000), interest=st.integers(0, 500))
def test_parts_sum_to_the_refund_and_none_is_above_what_was_paid(
    payments: list[Payment], back: int, interest: int
) -> None:
    found = shared(back, interest, payments)
    most = {payment.id: payment.paid for payment in payments} | {"": 20_500}
    assert sum(part.amount for part in found) == back + interest
    assert all(0 < part.amount <= most[part.id] for part in found)
    assert sum(part.amount for part in found if part.id) == min(back, sum(payment.paid for payment in payments))
    assert [part.amount for part in found if part.what] == ([interest] if interest else [])


@given(some=steps, order=st.integers(0, 2), packs=st.integers(0, 3))
@examples(60, deadline=None)
def test_whatever_happens_the_parts_of_a_quote_and_of_its_payment_sum_to_the_result(
    some: list[Step], order: int, packs: int
) -> None:
    registry = load_program(program(*PACKS[packs], order=ORDERS[order]))
    ledger = MemoryLedger(registry, clock=lambda: 2 * 10**15)
    paid_in: dict[str, int] = {}
    for place, event in enumerate(played(some)):
        tender = ("card", "cash", None)[place % 3]
        if event["type"] == "topup" and tender:
            event["tender"] = tender
        outcome = ledger.post(event)
        if not outcome.accepted:
            continue
        if event["type"] == "topup":
            paid_in[event["id"]] = units(event["amount"])
        if event["type"] in {"refund.requested", "refund.paid"}:
            rows = parts(outcome)
            assert sum(units(row["amount"]) for row in rows) == units(outcome.memo["remembered"]["_result"])
            for row in rows:
                assert 0 < units(row["amount"]) <= paid_in.get(row["topup"], 10**9)
            assert len({row["topup"] for row in rows}) == len(rows), "each is named once"
