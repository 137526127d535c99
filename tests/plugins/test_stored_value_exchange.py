"""One asset changed into another: by an event of its own, at its rate, rounded once; never silently."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stampbook import ProgramError
from stampbook.engine import Engine
from stampbook.statements import statement
from stampbook.testing import Ledger
from stampbook.verifying import verify
from stampbook_stored_value.exchanging import comes_to

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """
[program]
name = "Card"
currency = "CNY"
time_zone = "Asia/Shanghai"
open_accounts = "on first event"
[assets.USD]
[assets.JPY]
[[plugin]]
use = "stored_value"
[[plugin.bonus]]
name = "gift"
expires = "12 months"
[[plugin.bonus.bracket]]
from = "100"
gives = "10"
[[plugin.exchange]]
from = "CNY"
to = "USD"
rate = "0.1399"
rounding = "half_up"
[[plugin.exchange]]
from = "USD"
to = "JPY"
rate = "149.5"
minimum = "1"
"""


def ledger() -> Ledger:
    books = Ledger(PROGRAM)
    books.post(type="topup", amount="100.00", at="2025-03-01T10:00")
    return books


def exchange(books: Ledger, asset: str, amount: str, to: str, **fields: Any) -> Any:
    return books.post(type="exchange", asset=asset, amount=amount, to=to, **fields)


def test_lots_keep_their_kind_their_end_and_the_top_up_they_belong_to() -> None:
    books = ledger()
    assert exchange(books, "CNY", "60.00", "USD").accepted
    by_terms = sorted((lot.asset, lot.kind, lot.remaining, lot.origin, lot.expires_at) for lot in books.view().lots)
    assert [lot[:3] for lot in by_terms] == [("CNY", "paid", 5000), ("USD", "bonus", 140), ("USD", "paid", 699)]
    assert {lot[3] for lot in by_terms} == {by_terms[0][3]}, "all of them belong to the top-up"
    assert by_terms[1][4] < by_terms[2][4], "the bonus ends when it would have ended"


def test_the_rate_and_its_rounding_stand_in_the_statement() -> None:
    books = ledger()
    exchange(books, "CNY", "60.00", "USD", operator="anna")
    words = statement(books.engine, "customer").lines[-1].words
    assert "0.1399 USD for 1 CNY, half_up" in words
    assert "8.39 USD" in words


@pytest.mark.parametrize(
    ("asset", "amount", "to", "fields", "code"),
    [
        ("CNY", "1.00", "JPY", {}, "no_rate"),
        ("USD", "1.00", "CNY", {}, "no_rate"),
        ("CNY", "110.01", "USD", {}, "insufficient_balance"),
        ("CNY", "0.03", "USD", {}, "nothing_arrives"),
        ("CNY", "10.00", "USD", {"rate": "0.14"}, "other_rate"),
        ("USD", "0.99", "JPY", {}, "below_least"),
    ],
)
def test_what_is_not_changed(asset: str, amount: str, to: str, fields: dict[str, Any], code: str) -> None:
    books = ledger()
    outcome = exchange(books, asset, amount, to, **fields)
    assert [objection.code for objection in outcome.objections] == [code]


def test_decimals_differ_and_the_rate_that_was_told_is_the_one_that_holds() -> None:
    books = ledger()
    books.post(type="topup", amount="10.00", currency="USD", at="2025-03-01T11:00")
    assert exchange(books, "USD", "1.01", "JPY", rate="149.50").accepted
    assert books.balance("JPY") == "150"


def test_nothing_is_changed_without_being_asked() -> None:
    books = ledger()
    paid = [{"kind": "stored_value", "amount": "1.00"}]
    assert not books.post(type="purchase", amount="1.00", currency="USD", tenders=paid).accepted
    assert not books.post(type="spend", amount="1.00", asset="USD").accepted


@given(st.integers(1, 10**9), st.fractions(min_value=0, max_value=1000), st.sampled_from(["floor", "ceil", "half_up"]))
def test_an_exchange_is_rounded_once(amount: int, rate: Fraction, rounding: str) -> None:
    got, exact = comes_to(amount, rate, rounding), amount * rate
    assert abs(got - exact) < 1
    if rounding == "half_up":
        assert abs(got - exact) <= Fraction(1, 2)
    elif rounding == "floor":
        assert got <= exact
    else:
        assert got >= exact


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('to = "USD"', 'to = "CNY"', "not changed into itself"),
        ('to = "USD"', 'to = "EUR"', "not an asset"),
        ('rate = "149.5"', 'rate = "0"', "more than nothing"),
        ('from = "USD"\nto = "JPY"', 'from = "CNY"\nto = "USD"', "which rate holds"),
        ('minimum = "1"', 'minimum = "0.001"', "minimum"),
    ],
)
def test_a_mistake_is_told(old: str, new: str, said: str) -> None:
    with pytest.raises(ProgramError) as error:
        Ledger(PROGRAM.replace(old, new))
    assert said in str(error.value)


def test_the_books_prove_themselves(tmp_path: Path) -> None:
    with Engine.open(f"sqlite:///{tmp_path}/books.db", create=True) as engine:
        engine.put_text_in_force(PROGRAM)
        engine.post({"type": "topup", "id": "t", "account": "a", "amount": "100.00", "at": "2025-03-01"})
        for number in range(5):
            event = {"type": "exchange", "asset": "CNY", "amount": "7.77", "to": "USD", "account": "a"}
            assert engine.post({**event, "id": str(number), "at": f"2025-03-0{number + 2}"}).accepted
        assert not list(verify(engine).findings)
