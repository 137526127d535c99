"""Closing an account that holds several currencies: each is paid out by itself, at par or as the packs quote it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stampbook import Engine, load_program
from stampbook.statements import statement
from stampbook.testing import Ledger
from stampbook.verifying import verify
from tests.cli.shop import run
from tests.effort import examples
from tests.plugins.payouts import RATES
from tests.plugins.test_payouts_closing import close, paying, refused, units

if TYPE_CHECKING:
    from pathlib import Path

    from stampbook import Outcome

BY_PACKS = 'other_currencies = "by_packs"\n'


def both(*packs: str, own: str = "CNY", other: str = "USD", more: str = BY_PACKS, rates: str = RATES) -> str:
    """A shop of one currency whose accounts may hold another, both of which a closing pays out."""
    head, table, rest = paying(*packs, currency=own, more=more + rates).partition("[assets.sessions]")
    return f'{head}[assets.{other}]\non_close = "pay_out"\nspend_order = ["bonus_first", "created"]\n{table}{rest}'


def paid_in(books: Ledger, code: str, paid: str, bonus: str = "", used: str = "", tender: str = "card") -> None:
    books.post(type="topup", amount=paid, currency=code, tender=tender, at="2025-05-10T10:00")
    if bonus:
        books.post(type="adjust", amount=bonus, asset=code, kind="bonus", reason="x", at="2025-05-10T11:00")
    if used:
        tenders = [{"kind": "stored_value", "amount": used}]
        books.post(type="purchase", amount=used, currency=code, tenders=tenders, at="2025-05-11")


def went(outcome: Outcome, code: str) -> dict[str, int]:
    sums: dict[str, int] = {}
    for posting in outcome.postings:
        if posting.asset == code:
            sums[str(posting.destination)] = sums.get(str(posting.destination), 0) + posting.amount
    return sums


def test_each_currency_is_quoted_by_itself_with_its_own_means() -> None:
    books = Ledger(both("cn-2025"))
    paid_in(books, "CNY", "1000", "200", "600", tender="card")
    paid_in(books, "USD", "100", "20", "60", tender="cash")
    outcome = close(books)
    assert (went(outcome, "CNY"), went(outcome, "USD")) == (
        {"refunds": 40000, "sales": 20000},
        {"refunds": 4000, "sales": 2000},
    )
    kept = outcome.memo["remembered"]
    assert (kept["refund"], kept["refund_USD"]) == ("400.00 CNY", "40.00 USD")
    assert (kept["means"], kept["means_USD"]) == ("400.00 card", "40.00 cash")
    assert [row[3:6] for row in json.loads(kept["_shares_USD"])] == [["cash", "40.00", "cash"]]
    told = dict(books.trace()["paid_out"])
    assert told["result"].startswith("400.00: to be paid out: 400.00 CNY")
    assert told["result_USD"].startswith("40.00: to be paid out: 40.00 USD")


def test_other_currencies_go_back_at_par_where_the_program_does_not_say() -> None:
    books = Ledger(both("cn-2025", more=""))
    paid_in(books, "USD", "100", "20", "60")
    outcome = close(books)
    assert went(outcome, "USD") == {"refunds": 6000}
    assert "remembered" not in outcome.memo
    assert "paid_out" not in books.trace()


@given(
    paid=st.integers(1, 50000),
    bonus=st.integers(0, 20000),
    share=st.integers(0, 100),
    cause=st.sampled_from(["consumer", "operator", "neither"]),
    packs=st.sampled_from([("cn-2025",), ("contract",), ("uk-eu", "contract"), ("uk-eu",)]),
    has_own=st.booleans(),
)
@examples(30)
def test_another_currency_is_paid_out_as_if_it_were_the_programs(
    paid: int,
    bonus: int,
    share: int,
    cause: str,
    packs: tuple[str, ...],
    has_own: bool,  # noqa: FBT001 - drawn
) -> None:
    books, twin = Ledger(both(*packs)), Ledger(paying(*packs, currency="USD"))
    used = (paid + bonus) * share // 100
    for each in (books, twin):
        paid_in(each, "USD", units(paid), units(bonus) if bonus else "", units(used) if used else "")
    has_own = has_own and packs != ("uk-eu",)  # which gives none of it back
    if has_own:
        paid_in(books, "CNY", "10")
    outcome, alone = close(books, cause=cause), close(twin, cause=cause)
    assert outcome.accepted == alone.accepted
    assert [each.code for each in outcome.objections] == [each.code for each in alone.objections]
    assert went(outcome, "USD") == went(alone, "USD")
    if outcome.accepted:
        assert went(outcome, "CNY") == ({"refunds": 1000} if has_own else {})
        assert not [lot for lot in books.view().lots if lot.remaining]


@pytest.mark.parametrize(("other", "code"), [("USD", ""), ("CNY", "not_in_cash")])
def test_what_may_not_be_paid_in_cash_is_judged_in_the_money_of_the_law(other: str, code: str) -> None:
    books = Ledger(both("cn-single-purpose-card", "contract", own="EUR", other=other, rates=""))
    paid_in(books, other, "500")
    outcome = close(books, means="cash")
    assert [each.code for each in outcome.objections] == ([code] if code else [])


@pytest.mark.parametrize(("other", "back"), [("USD", {"refunds": 500}), ("CAD", {})])
def test_a_small_balance_is_had_in_the_money_of_the_law_alone(other: str, back: dict[str, int]) -> None:
    more = f'{BY_PACKS}refunds = "none"\nplaces = ["CA"]\n'
    books = Ledger(both("us-federal", own="EUR", other=other, more=more, rates=""))
    paid_in(books, other, "5")
    outcome = close(books)
    assert went(outcome, other) == back
    if not back:
        assert refused(outcome) == ["not_refundable"]
        assert outcome.objections[0].message.startswith(f"{other}: neither the law nor the terms")


def test_of_a_withdrawal_from_some_top_ups_of_it_the_rest_is_taken_off_by_hand() -> None:
    books = Ledger(both("uk-eu", own="GBP", other="EUR", more=f"{BY_PACKS}distance = true\n", rates=""))
    books.post(type="topup", amount="20", currency="EUR", at="2025-01-10T10:00")
    books.post(type="topup", amount="10", currency="EUR", at="2025-08-30T10:00")
    outcome = close(books)
    assert refused(outcome) == ["refund_in_part"]
    assert outcome.objections[0].message.endswith("take off by hand what is left (stampbook adjust), and close it then")


def test_check_says_where_another_currency_might_keep_accounts_open() -> None:
    text = both("us-federal", own="EUR", more=f'{BY_PACKS}refunds = "none"\n', rates="")
    for each, is_said in ((text, True), (text.replace(BY_PACKS, ""), False)):
        payouts = next(plugin for plugin in load_program(each).plugins if plugin.name == "payouts")
        told = [said for _, said in payouts.cautions]
        assert any(said.startswith("[assets.USD] on_close = 'pay_out'") for said in told) == is_said


def test_the_books_tell_every_currency_that_was_paid_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    event: dict[str, Any] = {"account": "ann", "source": "till", "type": "topup", "at": "2025-05-10T10:00"}
    with Engine.open("sqlite:///stampbook.db", create=True) as engine:
        engine.put_text_in_force(both("contract", rates=""))
        engine.post({**event, "id": "t", "amount": "50"})
        engine.post({**event, "id": "u", "amount": "30", "currency": "USD"})
    told = run("account", "close", "ann", "--id", "c", "--at", "2025-09-01T12:00").output
    assert "  result: 50.00: to be paid out: 50.00 CNY" in told
    assert "  result USD: 30.00: to be paid out: 30.00 USD" in told
    assert "  result USD: 30.00: to be paid out: 30.00 USD" in run("explain", "c").output
    with Engine.open("sqlite:///stampbook.db") as engine:
        assert statement(engine, "ann").lines[-1].words == "account closed; 50.00 CNY paid out; 30.00 USD paid out"
        assert not verify(engine).findings
