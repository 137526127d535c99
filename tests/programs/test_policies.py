"""The answers that docs/programs.md gives to the questions on which good systems disagree."""

from __future__ import annotations

import pytest

from stampbook import EventError, PluginError
from stampbook.testing import Ledger

HEAD = """
[program]
name = "Policies"
currency = "GBP"
time_zone = "Europe/London"
{program}
[assets.points]
{points}
[assets.GBP]
{money}
[stacking]
promo = "best"
[[plugin]]
use = "points"
expires = "{expires}"
[[plugin.rule]]
name = "base"
earn = "order.net"
[[plugin]]
use = "points"
name = "gift"
asset = "GBP"
expires = "1 month"
[[plugin.rule]]
name = "topup"
on = ["topup"]
earn = "event.amount / 10"
kind = "bonus"
[[plugin]]
use = "refunds"
points_spent = "{points_spent}"
"""


def ledger(
    *,
    program: str = "",
    points: str = "",
    money: str = "",
    expires: str = "never",
    points_spent: str = "within_balance",
) -> Ledger:
    return Ledger(HEAD.format(program=program, points=points, money=money, expires=expires, points_spent=points_spent))


def codes(outcome: object) -> list[str]:
    return [objection.code for objection in getattr(outcome, "objections", ())]


@pytest.mark.parametrize(
    ("expires", "bought", "last_day", "day_after"),
    [
        ("90 days", "2025-01-01", "2025-04-01", "2025-04-02"),
        ("1 month", "2025-01-31", "2025-02-28", "2025-03-01"),
        ("12 months", "2025-03-14", "2026-03-14", "2026-03-15"),
        ("12 months, end of month", "2025-03-14", "2026-03-31", "2026-04-01"),
        ("3 months, end of quarter", "2025-03-14", "2025-06-30", "2025-07-01"),
        ("end of year", "2025-03-14", "2025-12-31", "2026-01-01"),
    ],
)
def test_the_last_day_is_good_to_its_midnight(expires: str, bought: str, last_day: str, day_after: str) -> None:
    books = ledger(expires=expires)
    books.post(type="purchase", amount="5.00", at=f"{bought}T23:59")
    assert books.balance("points", at=f"{last_day}T23:59:59.999999") == "5"
    assert books.balance("points", at=f"{day_after}T00:00") == "0"


@pytest.mark.parametrize(("policy", "last_day"), [("28 february", "2025-02-28"), ("1 march", "2025-03-01")])
def test_a_leap_day_comes_back_as_the_program_says(policy: str, last_day: str) -> None:
    books = ledger(expires="1 year", program=f'leap_day = "{policy}"')
    books.post(type="purchase", amount="5.00", at="2024-02-29T12:00")
    assert books.balance("points", at=f"{last_day}T12:00") == "5"
    assert books.balance("points", at="2025-03-02T00:00") == "0"


@pytest.mark.parametrize(
    ("policy", "balance", "owed", "refused"),
    [
        ("within_balance", "0", "0", []),
        ("pending_only", "3", "0", []),
        ("debt", "0", "7", []),
        ("refuse", "3", "0", ["points_spent"]),
        ('deduct_from_refund"\nunit_values = { points = "0.01" }\n#"', "0", "0", []),
    ],
)
def test_points_to_take_back_are_spent(policy: str, balance: str, owed: str, refused: list[str]) -> None:
    books = ledger(points_spent=policy, points="debt = true")
    books.post(type="purchase", id="p", amount="10.00")
    books.post(type="spend", asset="points", amount="7")
    assert codes(books.post(type="return", purchase="p")) == refused
    assert (books.balance("points"), books.owed("points")) == (balance, owed)


@pytest.mark.parametrize("policy", ["within_balance", "debt", "refuse"])
def test_points_that_have_expired_are_let_go_and_not_taken_from_others(policy: str) -> None:
    books = ledger(points_spent=policy, points="debt = true", expires="1 month")
    books.post(type="purchase", id="p", amount="10.00", at="2025-01-01T12:00")
    books.post(type="purchase", id="q", amount="4.00", at="2025-02-20T12:00")
    assert books.post(type="return", purchase="p", at="2025-03-01T12:00").accepted
    assert (books.balance("points"), books.owed("points")) == ("4", "0")


def test_what_was_spent_before_the_rest_expired_is_still_taken_back() -> None:
    books = ledger(points_spent="debt", points="debt = true", expires="1 month")
    books.post(type="purchase", id="p", amount="10.00", at="2025-01-01T12:00")
    books.post(type="spend", asset="points", amount="7", at="2025-01-05T12:00")
    books.post(type="return", purchase="p", at="2025-03-01T12:00")
    assert books.owed("points") == "7"


def test_a_division_that_meets_zero_is_an_error_unless_it_is_guarded() -> None:
    text = HEAD.format(program="", points="", money="", expires="never", points_spent="within_balance")
    with pytest.raises(PluginError, match=r"rule points\..* fails on event .*: division by zero"):
        Ledger(text.replace('"order.net"', '"100 / order.net"')).post(type="purchase", amount="0.00")
    guarded = Ledger(text.replace('"order.net"', '"100 / order.net if order.net > 0 else 0"'))
    assert guarded.post(type="purchase", amount="0.00").accepted


def test_what_was_deducted_is_told_with_the_return() -> None:
    books = ledger(points_spent='deduct_from_refund"\nunit_values = { points = "0.01" }\n#"')
    books.post(type="purchase", id="p", amount="10.00")
    books.post(type="spend", asset="points", amount="7")
    memo = books.post(type="return", purchase="p").memo
    assert (memo["outside"], memo["deducted"]) == (993, 7)


def test_a_debt_is_repaid_by_grants_and_not_by_a_top_up() -> None:
    books = ledger(money="debt = true", points="debt = true", points_spent="debt")
    books.post(type="topup", id="t", amount="100.00")
    books.post(type="adjust", amount="-110.00", reason="all of it, bonus included")
    books.post(type="purchase", id="p", amount="10.00")
    books.post(type="spend", asset="points", amount="10")
    books.post(type="return", purchase="p")
    assert books.owed("points") == "10"
    books.post(type="topup", amount="5.00")
    assert (books.owed("points"), books.balance("GBP")) == ("10", "5.50")
    books.post(type="purchase", amount="12.00")
    assert (books.owed("points"), books.balance("points")) == ("0", "2")


def test_bonus_value_that_goes_back_after_its_expiry_lapses_at_once() -> None:
    books = ledger()
    books.post(type="topup", amount="100.00", at="2025-01-01T12:00")
    tender = [{"kind": "stored_value", "amount": "30.00"}]
    books.post(type="purchase", id="p", amount="30.00", tenders=tender, at="2025-01-02T12:00")
    assert books.balance("GBP") == "80.00"  # the bonus of 10.00 ends first, so it paid first
    books.post(type="return", purchase="p", at="2025-03-01T12:00")
    assert books.balance("GBP") == "100.00"
    assert books.journal()[-1].type == "expiry"


@pytest.mark.parametrize(("policy", "expected"), [("refuse", ["unknown_purchase"]), ("accept", [])])
def test_a_return_that_names_no_known_purchase(policy: str, expected: list[str]) -> None:
    books = ledger(program=f'unknown_returns = "{policy}"')
    books.post(type="purchase", amount="5.00")
    assert codes(books.post(type="return", purchase="unheard-of", amount="5.00")) == expected
    assert books.balance("points") == "5"


def test_more_than_was_bought_is_refused() -> None:
    books = ledger()
    books.post(type="purchase", id="p", amount="5.00")
    assert codes(books.post(type="return", purchase="p", amount="5.01")) == ["over_return"]


@pytest.mark.parametrize(("policy", "refused"), [("refuse", ["unknown_account"]), ("on first event", [])])
def test_an_event_of_an_unknown_account(policy: str, refused: list[str]) -> None:
    books = ledger(program=f'open_accounts = "{policy}"')
    stranger = {"type": "purchase", "id": "p", "account": "stranger", "at": "2025-01-01", "amount": "1.00"}
    assert codes(books.engine.post(stranger)) == refused


@pytest.mark.parametrize(
    ("points", "money", "held", "refused"),
    [
        ("", "", "points", []),
        ("", "", "GBP", ["balance_left"]),
        ('on_close = "refuse"', "", "points", ["balance_left"]),
        ("", 'on_close = "forfeit"', "GBP", []),
        ("", 'on_close = "pay_out"', "GBP", []),
    ],
)
def test_closing_an_account_that_holds_something(points: str, money: str, held: str, refused: list[str]) -> None:
    books = ledger(points=points, money=money)
    books.post(type="adjust", asset=held, amount="5", reason="a start")
    assert codes(books.post(type="account.closed")) == refused


def test_amounts_of_zero() -> None:
    books = ledger()
    outcome = books.post(type="purchase", amount="0.00")
    assert outcome.accepted
    assert not outcome.postings
    for event in ({"type": "topup"}, {"type": "spend"}, {"type": "adjust", "reason": "none"}):
        with pytest.raises(EventError):
            books.post(amount="0.00", **event)


def test_a_refused_event_stays_refused() -> None:
    books = ledger()
    spend = {"type": "spend", "id": "s", "amount": "5.00", "at": "2025-01-02T12:00"}
    assert codes(books.post(**spend)) == ["insufficient_balance"]
    books.post(type="topup", amount="5.00")
    again = books.post(**spend)
    assert again.replayed
    assert codes(again) == ["insufficient_balance"]
    assert books.post(**{**spend, "id": "s2", "at": "2025-01-03T12:00"}).accepted


def test_whose_a_discount_is() -> None:
    books = Ledger(
        HEAD.format(
            program="", points="decimals = 2", money="", expires="never", points_spent="within_balance"
        ).replace('earn = "order.net"', "per = 'line'\nwhen = \"line.sku == 'a'\"\nearn = 'line.discount'")
    )
    lines = [{"sku": "a", "amount": "1.00"}, {"sku": "b", "amount": "1.00"}, {"sku": "c", "amount": "1.00"}]
    books.post(type="purchase", lines=lines, discount="1.00")
    assert books.balance("points") == "0.34"  # the remainder of a penny goes to the earliest of equals


@pytest.mark.parametrize(("money", "refused"), [("", ["partial_not_allowed"]), ('partial = "allow"', [])])
def test_a_till_asks_to_be_paid_as_much_as_there_is(money: str, refused: list[str]) -> None:
    books = ledger(money=money)
    books.post(type="adjust", amount="5.00", reason="a start")
    assert codes(books.post(type="spend", amount="8.00", partial=True)) == refused
    assert books.balance("GBP") == ("5.00" if refused else "0.00")
