"""Closing an account pays out what it holds: at par, or what the packs quote at that instant, and never twice."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stampbook import Engine, ProgramError, load_program
from stampbook.statements import statement
from stampbook.testing import Ledger
from stampbook.verifying import verify
from tests.cli.shop import run
from tests.effort import examples
from tests.plugins.cards import BY, ONE
from tests.plugins.payouts import RATES, ask, lines, pay_out, prepaid, program, refund

if TYPE_CHECKING:
    from stampbook import Outcome

LATER = "2025-09-01"


def paying(*packs: str, more: str = RATES, **options: str) -> str:
    text = program(*packs, more=more, **options)
    return text.replace("\nspend_order", '\non_close = "pay_out"\nspend_order', 1)


def at_par() -> str:
    """The same shop without the plugin that knows the law."""
    head, _, _ = paying("contract", more="").partition('[[plugin]]\nuse = "payouts"')
    return head


def close(books: Ledger, at: str = LATER, **more: Any) -> Outcome:
    return books.post(type="account.closed", at=at, **more)


def moved(outcome: Outcome) -> dict[str, int]:
    sums: dict[str, int] = {}
    for posting in outcome.postings:
        sums[str(posting.destination)] = sums.get(str(posting.destination), 0) + posting.amount
    return sums


def refused(outcome: Outcome) -> list[str]:
    assert not outcome.accepted
    return [objection.code for objection in outcome.objections]


def words(books: Ledger) -> str:
    return statement(books.engine, "customer").lines[-1].words


def test_without_a_law_what_was_paid_in_goes_back_at_par_and_bonus_is_let_go() -> None:
    books = Ledger(at_par())
    prepaid(books, "1000", "200", "300")
    books.post(type="adjust", amount="5", kind="bonus", reason="more", at="2025-05-12")
    outcome = close(books, reason="moved away")
    assert outcome.accepted
    assert moved(outcome) == {"refunds": 90000, "promotion": 500}
    assert words(books) == "account closed: moved away; 900.00 CNY paid out; 5.00 CNY of bonus let go"
    assert refused(close(books, "2025-09-02")) == ["account_closed"]


@pytest.mark.parametrize("cause", ["consumer", "operator", "neither"])
@pytest.mark.parametrize("packs", [("cn-2025",), ("contract",), ("cn-2025", "contract")])
def test_closing_pays_what_a_refund_asked_for_at_that_instant_would(packs: tuple[str, ...], cause: str) -> None:
    books, twin = Ledger(paying(*packs)), Ledger(paying(*packs))
    for each in (books, twin):
        prepaid(each, "1000", "200", "600")
    quoted = ask(twin, cause, LATER, id="r")
    paid = pay_out(twin, "r", LATER)
    outcome = close(books, cause=cause)
    assert moved(outcome) == moved(paid)
    assert outcome.memo["remembered"]["_result"] == refund(quoted)
    assert outcome.memo["remembered"]["_cause"] == cause
    told = dict(books.trace()["paid_out"])
    assert [name for name, _ in books.trace()["paid_out"]] == list(lines(quoted))
    assert told["result"].endswith(f"to be paid out: {refund(quoted)} CNY [{lines(quoted)['result'][1]}]")


@given(
    paid=st.integers(1, 50000),
    bonus=st.integers(0, 20000),
    share=st.integers(0, 100),
    cause=st.sampled_from(["consumer", "operator", "neither"]),
    pack=st.sampled_from(["cn-2025", "contract", ""]),
)
@examples(30)
def test_no_more_is_paid_out_than_was_paid_in_and_nothing_is_left(
    paid: int, bonus: int, share: int, cause: str, pack: str
) -> None:
    text = paying(pack) if pack else at_par()
    books, twin = Ledger(text), Ledger(text)
    used = (paid + bonus) * share // 100
    for each in (books, twin):
        prepaid(each, units(paid), units(bonus) if bonus else "0", units(used) if used else "0")
    outcome = close(books, cause=cause)
    left = paid + bonus - used
    if pack and left:
        quoted = ask(twin, cause, LATER, id="r")
        if quoted.accepted:
            assert moved(outcome) == moved(pay_out(twin, "r", LATER))
    if outcome.accepted:
        assert sum(moved(outcome).values()) == left
        assert moved(outcome).get("refunds", 0) <= paid
        assert not [lot for lot in books.view().lots if lot.remaining]
    else:
        assert pack
        assert refused(outcome) == ["nothing_to_refund"]


def units(amount: int) -> str:
    return f"{amount // 100}.{amount % 100:02d}"


def test_an_account_that_holds_bonus_alone_is_closed_and_an_empty_one() -> None:
    for used, gone in (("1000", {"promotion": 20000}), ("1200", {})):
        books = Ledger(paying("contract", order='"paid_first"'))
        prepaid(books, "1000", "200", used)
        assert moved(close(books)) == gone


def test_a_closing_before_the_top_up_is_not_refused_for_a_hold_that_nobody_made() -> None:
    books = Ledger(paying("contract"))
    prepaid(books, "1000")
    assert set(refused(close(books, "2025-01-01"))) == {"later_news"}


def test_a_request_that_is_open_is_to_be_paid_or_rejected_first() -> None:
    books = Ledger(paying("cn-2025"))
    prepaid(books, "1000")
    ask(books, id="r")
    outcome = close(books, "2025-09-02")
    assert refused(outcome) == ["open_refund"]
    assert "stampbook refund paid r) or reject it (stampbook refund reject r) first" in outcome.objections[0].message
    books.post(type="refund.rejected", about="r", at="2025-09-03")
    assert moved(close(books, "2025-09-04")) == {"refunds": 100000}
    assert refused(books.post(type="refund.approved", about="r", at="2025-09-05")) == ["account_closed"]


def test_a_quote_that_holds_no_more_keeps_no_account_open_and_is_never_paid_then() -> None:
    books = Ledger(paying("cn-2025"))
    prepaid(books, "1000")
    ask(books, id="r")
    books.post(type="refund.approved", about="r", at="2025-09-01")
    assert moved(close(books, "2026-09-02")) == {"refunds": 100000}
    assert refused(books.post(type="refund.paid", about="r", at="2026-09-03")) == ["account_closed"]


def test_what_was_refunded_is_not_paid_out_again() -> None:
    books = Ledger(paying("cn-2025"))
    prepaid(books, "1000", used="300")
    ask(books, id="r")
    assert pay_out(books, "r", LATER).accepted
    assert moved(close(books, "2025-09-02")) == {}


def test_more_than_one_person_may_pay_is_refunded_by_request_first() -> None:
    books = Ledger(paying("cn-2025", more='second_person_above = "500"\n' + RATES))
    prepaid(books, "1000")
    outcome = close(books)
    assert [(each.code, each.message) for each in outcome.objections] == [
        (
            "second_person",
            (
                "1000.00 CNY is more than may be paid out without the approval of somebody else; refund it first: "
                "stampbook refund request customer, then stampbook refund approve and stampbook refund paid with the "
                "id that is told"
            ),
        )
    ]
    ask(books, id="r", operator="anna")
    books.post(type="refund.approved", about="r", operator="ben", at=LATER)
    books.post(type="refund.paid", about="r", at=LATER)
    assert moved(close(books, "2025-09-02")) == {}


def test_of_a_withdrawal_from_some_top_ups_the_rest_is_not_lost() -> None:
    books = Ledger(paying("uk-eu", currency="EUR", zone="Europe/Dublin", more="distance = true"))
    books.post(type="topup", amount="20", at="2025-01-10T10:00")
    books.post(type="topup", amount="10", at="2025-08-30T10:00")
    outcome = close(books)
    assert refused(outcome) == ["refund_in_part"]
    assert "only 10.00 EUR comes back" in outcome.objections[0].message


def test_what_neither_law_nor_terms_give_back_keeps_the_account_open() -> None:
    text = paying("us-federal", currency="USD", zone="America/New_York", more="")
    books = Ledger(text)
    prepaid(books, "50")
    outcome = close(books)
    assert refused(outcome) == ["not_refundable"]
    assert outcome.objections[0].message.endswith("take off by hand what is left (stampbook adjust), and close it then")


@pytest.mark.parametrize(
    ("first", "code"),
    [
        ({"type": "hold.authorised", "amount": "1"}, "open_holds"),
        ({"type": "account.frozen"}, "account_frozen"),
        ({"type": "lots.frozen", "lots": [1], "reason": "chargeback"}, ""),
    ],
)
@pytest.mark.parametrize("text", [at_par(), paying("cn-2025"), paying("contract")])
def test_what_is_held_or_frozen_is_not_paid_out(text: str, first: dict[str, Any], code: str) -> None:
    books = Ledger(text)
    prepaid(books, "1000")
    books.post(at="2025-08-01", **first)
    assert code in "".join(refused(close(books)))
    assert books.view().lots[0].remaining == 100000


def test_who_owes_is_not_paid() -> None:
    text = at_par().replace('on_close = "pay_out"', 'on_close = "pay_out"\ndebt = true')
    books = Ledger(text.replace('use = "refunds"', 'use = "refunds"\n[plugin.chargeback]\nrest = "debt"', 1))
    books.post(type="topup", id="t", amount="10", at="2025-05-10T10:00")
    books.post(type="spend", amount="4", at="2025-05-11T10:00")
    assert books.post(type="topup.charged_back", about="t", at="2025-05-12T10:00").accepted
    books.post(type="account.unfrozen", at="2025-05-13T10:00")
    assert refused(close(books)) == ["debt"]


@pytest.mark.parametrize(("means", "paid"), [("现金", False), ("cash", False), ("bank transfer", True)])
def test_money_that_may_not_be_paid_in_cash_is_not(means: str, paid: bool) -> None:  # noqa: FBT001 - of a table
    books = Ledger(paying("cn-2025", "cn-single-purpose-card"))
    books.post(type="topup", amount="1000", at="2025-05-10T10:00", tender="card", identity="ids/1")
    outcome = close(books, means=means, reference="7")
    assert outcome.accepted == paid
    if not paid:
        assert refused(outcome) == ["not_in_cash"]


def test_what_a_program_cannot_mean_is_told_before_it_is_used() -> None:
    with pytest.raises(ProgramError) as found:
        load_program(paying("cn-2025").replace("[assets.sessions]", '[assets.sessions]\non_close = "pay_out"'))
    assert "assets.sessions.on_close: 'pay_out' is for money" in str(found.value)
    load_program(paying("cn-2025", "cn-single-purpose-card", "cn-beijing"))


def test_the_books_tie_and_explain_what_was_paid_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop.toml").write_text(paying("cn-2025") + '[[plugin]]\nuse = "liability"\n', encoding="utf-8")
    Engine.open("sqlite:///stampbook.db", create=True).close()
    run("apply", "shop.toml")
    event = {"account": "ann", "source": "till"}
    with Engine.open("sqlite:///stampbook.db") as engine:
        engine.post({"type": "topup", "id": "t", "amount": "1000", "at": "2025-05-10T10:00", **event})
        engine.post({"type": "adjust", "id": "b", "amount": "200", "kind": "bonus", "reason": "on top",
                     "at": "2025-05-10T10:00", **event})  # fmt: skip
        engine.post({"type": "spend", "id": "s", "amount": "600", "at": "2025-05-11T10:00", **event})
    arguments = ("account", "close", "ann", "--cause", "operator", "--id", "c", "--at", "2025-09-01T12:00")
    told = run(*arguments).output
    assert "ann: account closed; 500.00 CNY paid out; 100.00 CNY for what was consumed\n" in told
    assert "  delivered: -500.00: at the discounted price: 600.00" in told
    again = json.loads(run(*arguments, "--json").output)
    assert again["replayed"]
    assert again["remembered"]["refund"] == "500.00 CNY"
    assert [each["name"] for each in again["paid_out"]] == ["paid", "granted", "delivered", "principal", "result"]
    explained = run("explain", "c").output
    assert "\nPaid out\n  paid: 1000.00: paid in at once: 1000.00\n" in explained
    with Engine.open("sqlite:///stampbook.db") as engine:
        assert not verify(engine).findings
    run("export", "csv", "--output", "ledger.csv")
    with Path("ledger.csv").open(encoding="utf-8", newline="") as stream:
        moves = [(row["event"], row["to"], row["amount"]) for row in csv.DictReader(stream) if row["event"] == "c"]
    assert moves == [("c", "refunds", "500.00"), ("c", "sales", "100.00")]
    run("export", "beancount", "--output", "books.beancount")
    checker = Path(sys.executable).parent / "bean-check"
    checked = subprocess.run([checker, "books.beancount"], check=False, capture_output=True, text=True)
    assert not checked.returncode, checked.stdout + checked.stderr
    owed = {at: json.loads(run("liability", "--as-of", at, "--json").output) for at in ("2025-08-31", "2025-09-02")}
    assert "600.00" in json.dumps(owed["2025-08-31"])
    assert "600.00" not in json.dumps(owed["2025-09-02"])


@pytest.mark.parametrize("text", [at_par(), paying("contract")])
def test_what_was_bought_before_comes_back_outside_an_account_that_paid_out(
    text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    event = {"account": "ann", "source": "till"}
    tender = {"kind": "stored_value", "amount": "30"}
    with Engine.open("sqlite:///stampbook.db", create=True) as engine:
        engine.put_text_in_force(text)
        engine.post({"type": "topup", "id": "t", "amount": "100", "at": "2025-05-10T10:00", **event})
        engine.post({"type": "purchase", "id": "p", "amount": "30", "tenders": [tender], "at": "2025-05-11", **event})
        assert moved(engine.post({"type": "account.closed", "id": "c", "at": LATER, **event})) == {"refunds": 7000}
        for kind in ("return", "purchase.cancelled"):
            [why] = engine.post({"type": kind, "id": kind, "purchase": "p", "at": "2025-09-02", **event}).objections
            assert (why.code, why.message) == (
                "account_closed",
                "account ann was closed; give the money back outside it, in cash or by card",
            )
        [why] = engine.post({"type": "topup", "id": "u", "amount": "1", "at": "2025-09-02", **event}).objections
        assert why.message == "account ann is closed"
        assert not verify(engine).findings
    told = run("return", "ann", "p", "--at", "2025-09-03T10:00", code=2).stderr
    assert "ann was closed; give the money back outside it" in told


def card_shop(cards: str, options: str = "") -> Ledger:
    head = program("contract", more=f'cards = "{cards}"\n').replace(
        "\nspend_order", '\non_close = "pay_out"\nspend_order', 1
    )
    books = Ledger(f'{head}[[plugin]]\nuse = "cards"\nprefix = "6035"\nlength = 12\n{options}')
    books.post(type="card.issued", account=ONE, at="2025-04-01T09:00")
    books.post(type="card.activated", account=ONE, amount="50", tender="card", at="2025-04-01T10:00")
    return books


def test_a_card_of_its_bearer_is_paid_out_unless_it_is_blocked() -> None:
    books = card_shop("bearer")
    assert books.post(type="card.blocked", account=ONE, at="2025-04-02", **BY).accepted
    assert refused(close(books, account=ONE)) == ["card_blocked"]
    assert books.post(type="card.unblocked", account=ONE, at="2025-09-02", **BY).accepted
    assert moved(close(books, "2025-09-03", account=ONE)) == {"refunds": 5000}


def test_what_is_on_a_card_of_a_program_that_refunds_none_is_claimed_first() -> None:
    books = card_shop("claimed")
    outcome = close(books, account=ONE)
    assert refused(outcome) == ["no_customer"]
    assert "stampbook card claim NUMBER ACCOUNT --moves" in outcome.objections[0].message
