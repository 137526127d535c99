from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stampbook.lots import BONUS, DEBT, DEFAULT_ORDER, EARNED, PAID, Lot, SpendKey, draw, in_order
from stampbook.periods import NEVER


def lot(number: int, remaining: int = 10, **terms: Any) -> Lot:
    usual = Lot(number, "points", EARNED, 0, NEVER, 0, 1, remaining)
    return usual._replace(**terms)


def numbers(lots: list[Lot], order: tuple[SpendKey, ...] = DEFAULT_ORDER) -> list[int]:
    return [lot.number for lot in in_order(lots, order)]


def test_a_lot_is_usable_from_its_start_until_just_before_its_end() -> None:
    good = lot(1, effective_at=10, expires_at=20, held=3)
    assert [good.usable(at) for at in (9, 10, 19, 20)] == [0, 7, 7, 0]
    assert good.free == 7


def test_debt_is_never_usable() -> None:
    assert lot(1, -5, kind=DEBT).usable(0) == 0


def test_moving_and_holding_change_nothing_else() -> None:
    before = lot(1, held=2)
    assert before.moved(-4) == before._replace(remaining=6)
    assert before.holding(3) == before._replace(held=5)


def test_lots_of_equal_terms_have_equal_terms() -> None:
    assert lot(1).terms == lot(2, 5, held=1, origin=9).terms
    assert lot(1).terms != lot(1, expires_at=5).terms


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ({"priority": -1, "expires_at": 90}, {"priority": 0, "expires_at": 10}),
        ({"expires_at": 10, "kind": PAID}, {"expires_at": 20, "kind": BONUS}),
        ({"kind": BONUS, "effective_at": 5}, {"kind": PAID, "effective_at": 1}),
        ({"effective_at": 1}, {"effective_at": 5}),
        ({}, {}),
    ],
    ids=["priority", "then expiry", "then bonus before paid", "then effective", "then created"],
)
def test_the_order_in_which_lots_are_spent(first: dict[str, Any], second: dict[str, Any]) -> None:
    assert numbers([lot(2, **second), lot(1, **first)]) == [1, 2]
    if first:
        assert numbers([lot(1, **second), lot(2, **first)]) == [2, 1]


def test_a_program_may_choose_another_order() -> None:
    lots = [lot(1, kind=BONUS, expires_at=5), lot(2, kind=PAID), lot(3, kind=PAID, effective_at=-1)]
    assert numbers(lots, (SpendKey.PAID_FIRST, SpendKey.EFFECTIVE)) == [3, 2, 1]
    assert numbers(lots, (SpendKey.CREATED,)) == [1, 2, 3]


def test_what_is_drawn_is_drawn_in_order_and_only_from_what_is_usable() -> None:
    lots = [
        lot(1, expires_at=5),
        lot(2, effective_at=11),
        lot(3, asset="GBP"),
        lot(4, -9, kind=DEBT),
        lot(5, held=8),
        lot(6, expires_at=99),
        lot(7, 0),
    ]
    assert draw(lots, "points", 11, 10) == ([(6, 10), (5, 1)], 0)
    assert draw(lots, "points", 15, 10) == ([(6, 10), (5, 2)], 3)
    assert draw(lots, "stamps", 1, 10) == ([], 1)


@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 5), st.integers(0, 5), st.sampled_from([PAID, BONUS]))),
    st.integers(1, 60),
)
def test_no_lot_is_touched_while_an_earlier_one_has_something_left(
    terms: list[tuple[int, int, int, str]], amount: int
) -> None:
    lots = [
        lot(number, remaining, held=min(held, remaining), expires_at=10 + end, kind=kind)
        for number, (remaining, held, end, kind) in enumerate(terms)
    ]
    drawn, short = draw(lots, "points", amount, 9)
    assert sum(units for _, units in drawn) + short == amount
    assert all(0 < units <= lots[number].free for number, units in drawn)
    assert [number for number, _ in drawn] == [n for n in numbers(lots) if lots[n].free][: len(drawn)]
    assert all(units == lots[number].free for number, units in drawn[:-1])
    assert not short or amount - short == sum(lot.free for lot in lots)
