"""Paying as much as there is: only where the program allows it, and as if exactly that had been asked for."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stampbook import EventError, ProgramError, load_program
from stampbook.engine import Engine
from stampbook.grants import grants_of_all
from stampbook.statements import statement
from stampbook.testing import Ledger
from stampbook.verifying import verify
from tests.cli.shop import run
from tests.effort import examples

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from stampbook import Outcome

PROGRAM = """
[program]
name = "Part"
currency = "CNY"
time_zone = "Asia/Shanghai"
open_accounts = "on first event"
[assets.CNY]
{money}
[assets.points]
{points}
[kinds.bonus]
categories = ["food"]
[[plugin]]
use = "redemption"
[plugin.pay]
asset = "points"
points = "100"
value = "1.00"
{pay}
[[plugin]]
use = "refunds"
{more}
"""
ALLOWED = 'partial = "allow"\npartial_rest = "cash"'
VELOCITY = '[[plugin]]\nuse = "stored_value"\n[[plugin.velocity]]\namount = "70"\nwithin = "1 hour"\n{repeat}'


def program(*, money: str = ALLOWED, points: str = ALLOWED, pay: str = "", more: str = "") -> str:
    return PROGRAM.format(money=money, points=points, pay=pay, more=more)


def shop(paid: str = "60.00", bonus: str = "", points: str = "", **options: str) -> Ledger:
    books = Ledger(program(**options))
    if paid:
        books.post(type="topup", amount=paid, at="2025-01-01T10:00")
    if bonus:
        books.post(type="adjust", amount=bonus, kind="bonus", reason="gift", at="2025-01-01T10:00")
    if points:
        books.post(type="adjust", asset="points", amount=points, reason="start", at="2025-01-01T10:00")
    return books


def spend(books: Ledger, amount: str, at: str = "2025-01-02T10:00", **more: Any) -> Outcome:
    return books.post(type="spend", amount=amount, partial=True, at=at, **more)


def buy(books: Ledger, tenders: Sequence[dict[str, Any]], amount: str = "100.00", **more: Any) -> Outcome:
    return books.post(
        **{"type": "purchase", "id": "p", "amount": amount, "at": "2025-01-02T10:00", "tenders": tenders, **more}
    )


def stored(amount: str = "100.00", **more: Any) -> dict[str, Any]:
    return {"kind": "stored_value", "amount": amount, "partial": True, **more}


def in_points(amount: str = "100.00", **more: Any) -> dict[str, Any]:
    return {"kind": "points", "amount": amount, "partial": True, **more}


def parts(outcome: Outcome) -> list[tuple[int, str, int, int, str]]:
    return [(part.place, part.asset, part.paid, part.left, part.rest) for part in outcome.in_part]


def codes(outcome: Outcome) -> list[str]:
    return [objection.code for objection in outcome.objections]


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        ("spend", {"amount": "10.00", "partial": True}),
        ("hold.authorised", {"amount": "10.00", "partial": True}),
        ("purchase", {"amount": "10.00", "tenders": [stored("10.00", rest="cash")]}),
        ("purchase", {"amount": "10.00", "tenders": [in_points("10.00", rest="cash")]}),
    ],
)
def test_a_program_that_does_not_allow_it_refuses_and_names_the_option(kind: str, fields: dict[str, Any]) -> None:
    books = Ledger(program(money="", points=""))
    books.post(type="topup", amount="60.00", at="2025-01-01T10:00")
    asset = "points" if "points" in str(fields) else "CNY"
    outcome = books.post(type=kind, at="2025-01-02T10:00", **fields)
    assert [(each.code, each.message) for each in outcome.objections] == [
        (
            "partial_not_allowed",
            (
                f"it asks to be paid as far as there is {asset}, and the program does not allow that; "
                f'[assets.{asset}] partial = "allow" would, or send it without partial'
            ),
        )
    ]
    assert books.balance("CNY") == "60.00"


def test_a_spend_takes_what_there_is_and_tells_what_is_left_to_pay() -> None:
    books = shop()
    outcome = spend(books, "100.00")
    assert parts(outcome) == [(0, "CNY", 6000, 4000, "")]
    assert books.balance("CNY") == "0.00"
    words = statement(books.engine, outcome.account).lines[-1].words
    assert words == "spend of 60.00 CNY; 100.00 CNY was asked for, 40.00 CNY is left to pay"


def test_what_is_there_in_full_leaves_nothing_to_pay() -> None:
    books = shop()
    outcome = spend(books, "50.00")
    assert parts(outcome) == [(0, "CNY", 5000, 0, "")]
    assert statement(books.engine, outcome.account).lines[-1].words == "spend of 50.00 CNY"


def test_of_nothing_nothing_is_paid_and_it_is_refused_as_ever() -> None:
    books = shop(paid="")
    plain = books.post(type="spend", amount="1.00", at="2025-01-02T10:00")
    asked = spend(books, "1.00")
    assert codes(asked) == ["insufficient_balance"]
    assert asked.objections == plain.objections
    assert asked.in_part == ()
    assert codes(
        buy(
            books,
            [
                stored(),
            ],
        )
    ) == ["insufficient_balance"]


def test_a_hold_sets_aside_what_there_is() -> None:
    books = shop()
    outcome = books.post(type="hold.authorised", id="h", amount="100.00", partial=True, at="2025-01-02T10:00")
    assert parts(outcome) == [(0, "CNY", 6000, 4000, "")]
    assert books.view().set_aside("CNY") == 0
    assert books.balance("CNY") == "0.00"
    assert "40.00 CNY is left to pay" in statement(books.engine, outcome.account).lines[-1].words
    assert books.post(type="hold.captured", hold="h", at="2025-01-02T11:00").accepted
    assert codes(spend(books, "1.00", "2025-01-02T12:00")) == ["insufficient_balance"]


def test_the_rest_of_a_purchase_becomes_a_tender_of_its_own_and_a_full_return_gives_back_exactly_that() -> None:
    books = shop(points="250")
    outcome = buy(books, [stored("90.00", rest="card"), in_points("10.00")])
    assert parts(outcome) == [(1, "CNY", 6000, 3000, "card"), (2, "CNY", 250, 750, "cash")]
    words = statement(books.engine, outcome.account).lines[-1].words
    assert "60.00 CNY of it from stored value, 2.50 CNY of it for 250 points" in words
    assert words.endswith("30.00 CNY is left to pay by card; 10.00 CNY was asked for, 7.50 CNY is left to pay by cash")
    back = books.post(type="return", purchase="p", at="2025-01-03T10:00")
    assert back.memo["tenders"] == [[2, "card", 3000, 3000], [4, "cash", 750, 750]]
    assert (back.memo["stored_value"], back.memo["paid"]) == (6000, {"points": 250})
    assert (books.balance("CNY"), books.balance("points")) == ("60.00", "250")


def test_returns_in_parts_share_by_the_tenders_that_paid() -> None:
    books = shop(paid="33.33")
    buy(books, [stored()])
    back = [
        books.post(type="return", purchase="p", amount=amount, at=f"2025-01-0{day}T10:00")
        for day, amount in ((3, "33.34"), (4, "33.33"), (5, "33.33"))
    ]
    assert sum(each.memo["stored_value"] for each in back) == 3333
    assert sum(each.memo["outside"] for each in back) == 6667
    assert books.balance("CNY") == "33.33"


def test_nothing_says_what_pays_the_rest() -> None:
    outcome = buy(shop(money='partial = "allow"'), [stored()])
    assert [(each.code, each.message) for each in outcome.objections] == [
        (
            "no_rest",
            (
                "nothing says what pays the rest: name a kind of tender in the tender's rest, or in the program as "
                "[assets.CNY] partial_rest"
            ),
        )
    ]


@pytest.mark.parametrize(
    ("tenders", "told"),
    [
        ([{"kind": "card", "amount": "100.00", "partial": True}], "only a tender of kind 'stored_value' or 'points'"),
        ([{"kind": "stored_value", "amount": "100.00", "rest": "cash"}], "rest: it goes with partial"),
        ([stored(rest="points")], "'points' is no other money"),
        ([stored(rest="stored-value")], "'stored-value' is no other money"),
        ([stored("0.00"), {"kind": "cash", "amount": "100.00"}], "leave the tender out"),
        ([stored("50.00"), {"kind": "stored_value", "amount": "50.00"}], "an order has one tender of kind"),
    ],
)
def test_tenders_that_make_no_sense_are_malformed(tenders: list[dict[str, Any]], told: str) -> None:
    with pytest.raises(EventError) as found:
        buy(shop(), tenders)
    assert told in str(found.value)


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ('partial_rest = "cash"', "partial_rest goes with partial = 'allow'"),
        ('partial = "allow"\npartial_rest = "points"', "'points' is no other money"),
    ],
)
def test_options_that_make_no_sense_are_told(options: str, told: str) -> None:
    with pytest.raises(ProgramError, match="assets") as found:
        load_program(program(money=options))
    assert told in str(found.value)


def test_lots_that_may_not_pay_here_are_left() -> None:
    books = shop(paid="10.00", bonus="30.00")
    lines = [{"category": "food", "amount": "12.00"}, {"category": "tools", "amount": "20.00"}]
    outcome = books.post(type="purchase", lines=lines, tenders=[stored("32.00")], at="2025-01-02T10:00")
    assert parts(outcome) == [(1, "CNY", 2200, 1000, "cash")]
    assert books.balance("CNY") == "18.00"


def test_what_is_set_aside_is_left() -> None:
    books = shop()
    books.post(type="hold.authorised", id="h", amount="45.00", at="2025-01-02T09:00")
    assert parts(spend(books, "60.00")) == [(0, "CNY", 1500, 4500, "")]


def test_of_a_hold_as_much_is_captured_as_it_has_and_may_have_on_top() -> None:
    for option, paid in (("", 4000), ('\nover_capture = "20%"', 4800)):
        books = shop(money=ALLOWED + option)
        books.post(type="hold.authorised", id="h", amount="40.00", at="2025-01-02T09:00")
        outcome = buy(books, [stored()], hold="h")
        assert parts(outcome) == [(1, "CNY", paid, 10000 - paid, "cash")]
        assert books.balance("CNY") == f"{60 - paid // 100}.00"


def test_as_much_is_paid_as_may_be_spent_within_a_time() -> None:
    books = shop(paid="200.00", more=VELOCITY.format(repeat=""))
    assert parts(spend(books, "50.00", "2025-01-02T10:00")) == [(0, "CNY", 5000, 0, "")]
    assert parts(spend(books, "50.00", "2025-01-02T10:30")) == [(0, "CNY", 2000, 3000, "")]
    assert codes(spend(books, "50.00", "2025-01-02T10:40")) == ["spend_velocity"]
    assert parts(spend(books, "50.00", "2025-01-02T11:10")) == [(0, "CNY", 5000, 0, "")]


def test_what_is_sent_again_within_seconds_needs_its_own_id_though_less_is_left() -> None:
    repeat = '[plugin.repeat]\nwithin = "30 seconds"\n'
    books = shop(paid="150.00", more=VELOCITY.format(repeat=repeat).replace('"70"', '"7000"'))
    assert spend(books, "100.00", "2025-01-02T10:00:00", id="cli-1").accepted
    again = spend(books, "100.00", "2025-01-02T10:00:05", id="cli-2")
    assert codes(again) == ["repeated_spend"]
    assert books.balance("CNY") == "50.00"


@pytest.mark.parametrize(
    ("pay", "points", "paid"),
    [
        ("", "250", 250),
        ('step = "100"', "250", 200),
        ('most_share = "2%"', "250", 200),
        ('most = "1.50"', "250", 150),
        ('minimum = "250"', "250", 250),
        ("", "100000", 10000),
    ],
)
def test_points_pay_as_much_as_their_bounds_let_them(pay: str, points: str, paid: int) -> None:
    books = shop(paid="", points=points, pay=pay)
    outcome = buy(books, [in_points()])
    assert parts(outcome) == [(1, "CNY", paid, 10000 - paid, "cash")]
    assert books.balance("points") == str(int(points) - paid)


def test_points_that_are_too_few_are_refused() -> None:
    assert codes(buy(shop(paid="", points="250", pay='minimum = "300"'), [in_points()])) == ["insufficient_balance"]
    assert codes(buy(shop(paid=""), [in_points()])) == ["insufficient_balance"]


def test_an_exchange_pays_what_there_is_with_what_came_back() -> None:
    books = shop()
    buy(books, [{"kind": "card", "amount": "30.00"}], "30.00")
    tenders = [{"kind": "exchange", "amount": "30.00"}, stored("70.00")]
    outcome = buy(books, tenders, id="q", at="2025-01-03T10:00", exchange={"purchase": "p"})
    assert parts(outcome) == [(2, "CNY", 6000, 1000, "cash")]


def test_the_books_keep_it_and_the_same_id_gets_the_same_answer(tmp_path: Path) -> None:
    more = '[[plugin]]\nuse = "points"\n[[plugin.rule]]\nname = "base"\nearn = "floor(order.paid_outside)"\n'
    events: list[dict[str, Any]] = [
        {"type": "topup", "id": "t", "amount": "60.00", "at": "2025-01-01T10:00"},
        {"type": "adjust", "id": "a", "asset": "points", "amount": "250", "reason": "x", "at": "2025-01-01T10:00"},
        {"type": "purchase", "id": "p", "amount": "100.00", "at": "2025-01-02T10:00",
         "tenders": [stored("90.00"), in_points("10.00")]},
        {"type": "return", "id": "r", "purchase": "p", "amount": "50.00", "at": "2025-01-03T10:00"},
        {"type": "spend", "id": "s", "amount": "90.00", "partial": True, "at": "2025-01-04T10:00"},
    ]  # fmt: skip
    url = f"sqlite:///{tmp_path / 'books.db'}"
    with Engine.open(url, create=True) as engine:
        engine.put_text_in_force(program(more=more))
        first = engine.process([{**event, "account": "ann"} for event in events])
        assert [outcome.status for outcome in first] == ["accepted"] * 5
        again = [engine.post({**event, "account": "ann"}) for event in events]
        assert all(outcome.replayed for outcome in again)
        assert [outcome.in_part for outcome in again] == [outcome.in_part for outcome in first]
        assert [part.paid for part in first[2].in_part] == [6000, 250]
        [ann] = list(grants_of_all(engine, sales=True))
        [order] = [grant.sale.order for grant in ann.grants if grant.sale is not None]
        assert (order.stored_value, order.paid_by_points, order.paid_outside) == (6000, 250, 3750)
        assert first[2].memo["granted"][0][2] == 37, "of what was paid outside"
        assert not verify(engine).findings


def test_the_command_line_says_what_is_left_to_pay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop.toml").write_text(program(), encoding="utf-8")
    Engine.open("sqlite:///stampbook.db", create=True).close()
    run("apply", "shop.toml")
    for name, day in (("t", "01"), ("u", "03")):
        run("topup", "ann", "60.00", "--id", name, "--at", f"2025-01-{day}T10:00")
    hold = ("hold", "authorise", "ann", "70.00", "--partial", "--id", "h", "--at", "2025-01-04T10:00")
    assert "70.00 CNY set aside" in run(*hold).output
    spend_all = ("spend", "ann", "100.00", "--partial", "--id", "s", "--at", "2025-01-04T11:00")
    assert "ann: spend of 50.00 CNY; 100.00 CNY was asked for, 50.00 CNY is left to pay\n" in run(*spend_all).output
    again = json.loads(run(*spend_all, "--json").output)
    assert again["replayed"]
    assert again["in_part"] == [{"asset": "CNY", "asked": "100.00", "paid": "50.00", "left": "50.00", "rest": ""}]
    assert "50.00 CNY is left to pay" in run("explain", "s").output


LOTS = st.lists(st.tuples(st.sampled_from(["paid", "bonus", "held"]), st.integers(1, 5000)), max_size=4)


@given(lots=LOTS, asked=st.integers(1, 9000), food=st.integers(0, 9000), step=st.sampled_from(["spend", "buy", "hold"]))
@examples(40)
def test_it_pays_the_lesser_of_what_is_there_and_what_is_asked_as_if_just_that_had_been_asked(
    lots: list[tuple[str, int]], asked: int, food: int, step: str
) -> None:
    """The twin is told the amount outright; all that moves, and all that comes back, is the same."""
    one, twin = shop(paid=""), shop(paid="")
    for number, (kind, units) in enumerate(lots):
        for books in (one, twin):
            at = f"2025-01-01T1{number}:00"
            if kind == "bonus":
                books.post(type="adjust", amount=text(units), kind="bonus", reason="gift", at=at)
            else:
                books.post(type="topup", amount=text(units), at=at)
            if kind == "held":
                books.post(type="hold.authorised", amount=text(units), at=at, id=f"h{number}")
    food = min(food, asked)
    held = sum(units for kind, units in lots if kind == "held")
    all_paid = sum(units for kind, units in lots if kind != "bonus") - held
    bonus = sum(units for kind, units in lots if kind == "bonus")
    lines = [{"category": "food", "amount": text(food)}, {"category": "tools", "amount": text(asked - food)}]
    there = all_paid + (min(bonus, food) if step == "buy" else 0)
    paid = min(there, asked)
    if step == "buy":
        outcome = one.post(type="purchase", id="x", lines=lines, tenders=[stored(text(asked))], at="2025-01-02T10:00")
        rest = [{"kind": "cash", "amount": text(asked - paid)}] if asked > paid else []
        tenders = [{"kind": "stored_value", "amount": text(paid)}, *rest]
        plain: dict[str, Any] = {"type": "purchase", "id": "x", "lines": lines, "tenders": tenders}
    else:
        kind = "spend" if step == "spend" else "hold.authorised"
        outcome = one.post(type=kind, id="x", amount=text(asked), partial=True, at="2025-01-02T10:00")
        plain = {"type": kind, "id": "x", "amount": text(paid)}
    assert outcome.accepted == (paid > 0)
    if not paid:
        assert codes(outcome) == ["insufficient_balance"]
        return
    told = twin.post(**plain, at="2025-01-02T10:00")
    assert told.accepted
    assert [part.paid for part in outcome.in_part] == [paid]
    assert outcome.postings == told.postings
    assert picture(one) == picture(twin)
    if step == "buy":
        back = [books.post(type="return", purchase="x", at="2025-01-03T10:00") for books in (one, twin)]
        assert back[0].postings == back[1].postings
        assert sum(posting.amount for posting in back[0].postings) == paid
        assert back[0].memo.get("outside", 0) == asked - paid
        assert picture(one) == picture(twin)


def picture(books: Ledger) -> list[tuple[Any, ...]]:
    return [tuple(lot) for lot in books.view().lots]


def text(units: int) -> str:
    return f"{units // 100}.{units % 100:02d}"
