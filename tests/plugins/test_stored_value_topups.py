"""Top-ups: what they may be, what they are given at once or in parts, and what each bonus belongs to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stampbook import ProgramError
from stampbook.engine import Engine
from stampbook.testing import Ledger, check_plugin
from stampbook.verifying import verify
from stampbook_stored_value import StoredValue
from stampbook_stored_value.bonuses import Step, parts_of
from stampbook_stored_value.bonuses import given as bonus_of

if TYPE_CHECKING:
    from pathlib import Path

HEAD = """
[program]
name = "Card"
currency = "CNY"
time_zone = "Asia/Shanghai"
open_accounts = "on first event"
[assets.points]
[assets.USD]
[attributes]
card = "text"
[stacking]
topup = "best"
[[plugin]]
use = "stored_value"
"""

FIXED = """
[[plugin.bonus]]
name = "gift"
[[plugin.bonus.bracket]]
from = "1000"
gives = "100"
[[plugin.bonus.bracket]]
from = "3000"
share = "12.5%"
"""

MONTHLY = """
[[plugin.bonus]]
name = "year"
expires = "12 months"
[plugin.bonus.instalments]
count = 3
every = "month"
[[plugin.bonus.bracket]]
from = "100"
gives = "10"
"""


def ledger(options: str = "") -> Ledger:
    return Ledger(HEAD + options)


def topup(books: Ledger, amount: str, at: str = "2025-01-31T10:00", **fields: Any) -> Any:
    return books.post(type="topup", amount=amount, at=at, **fields)


def codes(outcome: Any) -> list[str]:
    return [objection.code for objection in outcome.objections]


def lots(books: Ledger, at: str | None = None) -> list[tuple[str, str, int, int]]:
    return [(lot.asset, lot.kind, lot.remaining, lot.origin) for lot in books.view(at=at).lots]


def test_a_top_up_is_given_what_its_highest_bracket_says() -> None:
    books = ledger(FIXED)
    topup(books, "999.99")
    assert books.balance("CNY") == "999.99"
    topup(books, "1000.00")
    assert books.balance("CNY") == "2099.99"
    topup(books, "3000.04")
    assert books.balance("CNY") == "5475.03", "375.005 is rounded down"


def test_a_bonus_is_a_lot_of_its_own_that_belongs_to_its_top_up() -> None:
    books = ledger(FIXED)
    topup(books, "1000.00")
    topup(books, "1000.00")
    books.post(type="adjust", amount="5.00", kind="bonus", reason="sorry", at="2025-01-31T11:00")
    paid = [lot for lot in lots(books) if lot[1] == "paid"]
    bonus = [lot for lot in lots(books) if lot[1] == "bonus"]
    assert [lot[3] for lot in paid] == [lot[3] for lot in bonus[:2]]
    assert [lot[2] for lot in bonus] == [10_000, 10_000, 500], "nothing else joins it, whatever its terms"


def test_several_bonuses_come_at_once_and_those_of_a_group_as_it_says() -> None:
    books = ledger(
        FIXED
        + """
[[plugin.bonus]]
name = "points"
asset = "points"
kind = "earned"
[[plugin.bonus.bracket]]
from = "0.01"
share = "10%"
[[plugin.bonus]]
name = "a"
group = "topup"
[[plugin.bonus.bracket]]
from = "500"
gives = "20"
[[plugin.bonus]]
name = "b"
group = "topup"
when = "account.card == 'registered'"
[[plugin.bonus.bracket]]
from = "500"
gives = "50"
"""
    )
    topup(books, "1000.00")
    assert (books.balance("CNY"), books.balance("points")) == ("1120.00", "100")
    books.post(type="account.described", attributes={"card": "registered"}, at="2025-02-01")
    topup(books, "1000.00", at="2025-02-01T10:00")
    assert books.balance("CNY") == "2270.00", "the better of the group, beside the one without"


def test_a_top_up_of_another_currency_has_bonuses_of_its_own() -> None:
    books = ledger(FIXED + FIXED.replace('"gift"', '"dollars"\ncurrency = "USD"'))
    topup(books, "1000", currency="USD")
    assert (books.balance("USD"), books.balance("CNY")) == ("1100.00", "0.00")


def test_instalments_come_month_by_month_and_belong_to_the_top_up() -> None:
    books = ledger(MONTHLY)
    topup(books, "100.00")
    assert books.balance("CNY") == "103.34", "the first at once; what cannot be equal goes to the first"
    assert books.balance("CNY", at="2025-02-27T23:59") == "103.34"
    assert books.balance("CNY", at="2025-02-28T00:00") == "106.67", "from the 31st a month ends with the month"
    assert books.balance("CNY", at="2025-03-31T00:00") == "110.00"
    assert books.balance("CNY", at="2025-12-31") == "110.00"
    origins = {lot[3] for lot in lots(books, at="2025-12-31")}
    assert len(origins) == 1


@pytest.mark.parametrize(("every", "day"), [("day", "2025-02-01"), ("week", "2025-02-07")])
def test_instalments_may_be_daily_or_weekly_and_begin_later(every: str, day: str) -> None:
    books = ledger(MONTHLY.replace('"month"', f'"{every}"\nfirst = "later"'))
    topup(books, "100.00")
    assert books.balance("CNY") == "100.00"
    assert books.balance("CNY", at=f"{day}T00:00") == "103.34"


@pytest.mark.parametrize("books_of_refunds", ["cash", "sales"])
def test_instalments_end_when_value_of_the_top_up_is_paid_back(books_of_refunds: str) -> None:
    """Where sales are said to be where value is paid back, a spend of paid value is a refund."""
    books = ledger(f'refund_books = ["{books_of_refunds}"]\n{MONTHLY}')
    topup(books, "100.00")
    topup(books, "100.00", at="2025-01-31T11:00")
    books.post(type="spend", amount="106.68", at="2025-02-01")
    assert books.balance("CNY") == "100.00", "the bonus of both first, then what was paid first"
    assert books.balance("CNY", at="2025-02-28") == ("106.66" if books_of_refunds == "cash" else "103.33")


def test_a_repeated_top_up_counts_once_and_a_late_one_at_its_own_time() -> None:
    books = ledger(MONTHLY)
    topup(books, "100.00", id="t", at="2025-01-10T10:00")
    topup(books, "100.00", id="t", at="2025-01-10T10:00")
    topup(books, "100.00", at="2025-04-10T10:00")
    before = books.balance("CNY")
    topup(books, "100.00", at="2025-02-10T10:00")
    assert (before, books.balance("CNY")) == ("213.34", "323.34"), "all three parts of the late one are due"


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 200), max_size=6), st.lists(st.integers(0, 200), max_size=4))
def test_ticks_often_seldom_or_never_bring_the_same(days: list[int], ticks: list[int]) -> None:
    def run(when: list[int]) -> list[tuple[int, int, int, int]]:
        books = ledger(MONTHLY + FIXED)
        start = books.registry.context.calendar
        first = start.day(start.parse("2025-01-01"))
        steps = sorted([(day, 1) for day in days] + [(day, 0) for day in when])
        for day, is_topup in steps:
            at = start.iso(start.start_of(first + day))
            if is_topup:
                topup(books, "1000.00", at=at)
            else:
                books.tick(at)
        view = books.view(at="2026-06-01") if days else None
        return (
            []
            if view is None
            else sorted((lot.remaining, lot.effective_at, lot.expires_at, lot.held) for lot in view.lots)
        )

    assert run(ticks) == run([])


@pytest.mark.parametrize(
    ("options", "amount", "code", "sentence"),
    [
        ('minimum = "50"', "49.99", "topup_minimum", "49.99 CNY is less than the 50.00 CNY of a top-up at least"),
        ('maximum = "500"', "500.01", "topup_maximum", "500.01 CNY is more than the 500.00 CNY of a top-up at most"),
        (
            'step = "50"',
            "120.00",
            "topup_step",
            "120.00 CNY is no multiple of 50.00 CNY; 100.00 CNY or 150.00 CNY would be",
        ),
        (
            'ceiling = "1000"',
            "1000.01",
            "balance_ceiling",
            "the account would hold 1000.01 CNY, and may hold 1000.00 CNY; 1000.00 CNY could still be topped up",
        ),
    ],
)
def test_a_top_up_out_of_bounds_is_refused_with_a_sentence(options: str, amount: str, code: str, sentence: str) -> None:
    books = ledger(f"[[plugin.topup]]\n{options}")
    outcome = topup(books, amount)
    assert [(each.code, each.message) for each in outcome.objections] == [(code, sentence)]
    assert books.balance("CNY") == "0.00"


def test_the_ceiling_is_that_of_the_card_and_counts_the_bonus_unless_paid_value_alone_does() -> None:
    tables = """
[[plugin.topup]]
when = "account.card == 'registered'"
ceiling = "5000"
[[plugin.topup]]
ceiling = "1000"
"""
    books = ledger(tables + FIXED)
    assert codes(topup(books, "1000.00")) == ["balance_ceiling"]
    books.post(type="account.described", attributes={"card": "registered"}, at="2025-01-31T11:00")
    assert topup(books, "1000.00", at="2025-01-31T12:00").accepted
    paid = ledger(tables.replace('ceiling = "1000"', 'ceiling = "1000"\nceiling_counts = "paid"') + FIXED)
    assert topup(paid, "1000.00").accepted
    assert codes(topup(paid, "0.01", at="2025-02-01")) == ["balance_ceiling"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ('[[plugin.bonus]]\nname = "x"\n', "bracket"),
        (FIXED.replace("3000", "1000"), "from the lowest to the highest"),
        (FIXED.replace('gives = "100"', 'gives = "100.001"'), "gives"),
        (FIXED.replace('name = "gift"', 'name = "gift"\nasset = "coins"'), "coins"),
        (FIXED + FIXED, "two bonuses are named 'gift'"),
        (FIXED.replace('name = "gift"', 'name = "gift"\nkind = "paid"'), "the ledger's own"),
        ('[[plugin.topup]]\nminimum = "10"\nmaximum = "5"', "above maximum"),
        ('[[plugin.topup]]\nminimun = "10"', "did you mean 'minimum'"),
    ],
)
def test_a_mistake_is_told_with_its_place(options: str, said: str) -> None:
    with pytest.raises(ProgramError, match=r"program:\d+: plugin\[1\].*") as error:
        ledger(options)
    assert said in str(error.value)


def test_the_books_prove_themselves_with_bonuses_in_parts(tmp_path: Path) -> None:
    with Engine.open(f"sqlite:///{tmp_path}/books.db", create=True) as engine:
        program = tmp_path / "program.toml"
        program.write_text(HEAD + MONTHLY + FIXED)
        engine.put_in_force(program)
        for day in ("2025-01-31", "2025-02-10", "2025-05-05"):
            engine.post({"type": "topup", "id": day, "account": "a", "amount": "3000.00", "at": f"{day}T10:00"})
        list(engine.tick())
        assert not list(verify(engine).findings)


@given(st.integers(0, 10_000), st.integers(1, 60))
def test_parts_are_equal_and_lose_nothing(units: int, count: int) -> None:
    parts = parts_of(units, count)
    assert sum(parts) == units
    assert len(parts) == count
    assert max(parts) - min(parts) <= 1
    assert parts == sorted(parts, reverse=True)


def test_a_share_never_gives_more_than_the_most() -> None:
    from fractions import Fraction

    steps = [Step(100, 0, Fraction(1, 3)), Step(1000, 50, Fraction(0))]
    assert [bonus_of(n, steps, "floor", 60) for n in (99, 100, 200, 999, 1000)] == [0, 33, 60, 60, 50]


def test_it_keeps_the_contract() -> None:
    brackets = [{"from": "1", "gives": "5"}, {"from": "50", "share": "10%"}]
    check_plugin(StoredValue, {"bonus": [{"name": "gift", "currency": "GBP", "bracket": brackets}]})
