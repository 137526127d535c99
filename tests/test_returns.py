from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stampbook.events import Purchase, Return
from stampbook.returns import Came, line_values, measure
from tests.properties import strategies as some
from tests.properties.driver import program

if TYPE_CHECKING:
    from stampbook.orders import Order

PROGRAM = "[program]\nname = 'x'\ncurrency = 'GBP'\n"


def order(**fields: Any) -> Order:
    data = {"type": "purchase", "id": "p", "account": "ann", "at": "2025-01-01", **fields}
    event = program(PROGRAM).reader.read(data)
    assert isinstance(event, Purchase)
    return event.order_in("GBP")


def back(**fields: Any) -> Return:
    data = {"type": "return", "id": "r", "account": "ann", "at": "2025-01-02", "purchase": "p", **fields}
    event = program(PROGRAM).reader.read(data)
    assert isinstance(event, Return)
    return event


def line(amount: str, quantity: str = "1", sku: str = "") -> dict[str, str]:
    return {"amount": amount, "quantity": quantity, "sku": sku}


ORDER = order(lines=[line("10", "3", "tea"), line("5", "1", "cake"), line("0", "1", "gift"), line("4", "2", "tea")])
ALL = ({"line": 1}, {"line": 2}, {"line": 3}, {"line": 4})


def values(event: Return, *earlier: Came, of: Order = ORDER) -> list[int]:
    """What comes back now, by line."""
    lines, _, objections = measure(event, of, earlier)
    assert objections == []
    return [line.now for line in lines]


def codes(event: Return, *earlier: Came) -> list[str]:
    return [objection.code for objection in measure(event, ORDER, earlier)[2]]


def test_the_lines_of_an_order_are_worth_its_total() -> None:
    assert line_values(ORDER) == [1000, 500, 0, 400]
    assert line_values(order(lines=[line("10"), line("5")], discount="1")) == [933, 467]
    assert line_values(order(lines=[line("10"), line("5")], tax="1", tax_added=True)) == [1067, 533]
    assert line_values(order(lines=[line("0"), line("0")], tax="1", tax_added=True)) == [50, 50]
    assert line_values(order(lines=[line("10"), line("5")], tax="1")) == [1000, 500]


def test_without_lines_or_amount_all_that_is_left_comes_back() -> None:
    assert values(back()) == [1000, 500, 0, 400]
    assert values(back(), (1, 1_000_000, 333), (2, 0, 100)) == [667, 400, 0, 400]


def test_an_amount_is_split_over_what_is_left_of_the_lines() -> None:
    assert values(back(amount="9.50")) == [500, 250, 0, 200]
    assert values(back(amount="1"), (1, 0, 1000), (2, 0, 500)) == [0, 0, 0, 100]


def test_pieces_are_worth_their_share_and_the_last_one_the_rest() -> None:
    one = back(lines=[{"line": 1, "quantity": "1"}])
    assert values(one) == [333, 0, 0, 0]
    assert values(one, (1, 1_000_000, 333)) == [333, 0, 0, 0]
    assert values(one, (1, 2_000_000, 666)) == [334, 0, 0, 0]


def test_after_money_went_back_the_rest_of_it_is_shared_by_the_pieces_that_are_left() -> None:
    assert values(back(lines=[{"line": 1, "quantity": "1"}]), (1, 0, 400)) == [200, 0, 0, 0]
    assert values(back(lines=[{"line": 1}]), (1, 0, 400)) == [600, 0, 0, 0]


def test_a_sku_names_all_its_lines_in_turn() -> None:
    assert values(back(lines=[{"sku": "tea", "quantity": "4"}])) == [1000, 0, 0, 200]
    assert values(back(lines=[{"sku": "tea", "amount": "12"}])) == [1000, 0, 0, 200]
    assert values(back(lines=[{"sku": "tea"}])) == [1000, 0, 0, 400]


def test_a_line_may_come_back_in_two_parts_of_one_return() -> None:
    assert values(back(lines=[{"line": 1, "quantity": "1"}, {"line": 1, "amount": "1"}])) == [433, 0, 0, 0]


def test_a_line_that_cost_nothing_comes_back_by_its_pieces() -> None:
    lines, came, _ = measure(back(lines=[{"sku": "gift"}]), ORDER, [])
    assert (lines[2].now, lines[2].part, lines[2].whole) == (0, 1_000_000, 1_000_000)
    assert came == [(3, 1_000_000, 0)]


@pytest.mark.parametrize(
    ("event", "earlier", "code"),
    [
        (back(amount="19.01"), [], "over_return"),
        (back(amount="0.01"), [(1, 0, 1000), (2, 0, 500), (4, 0, 400)], "over_return"),
        (back(lines=[{"line": 5}]), [], "no_such_line"),
        (back(lines=[{"sku": "coffee"}]), [], "no_such_line"),
        (back(lines=[{"line": 1, "quantity": "3.000001"}]), [], "over_return"),
        (back(lines=[{"line": 1, "quantity": "2"}, {"line": 1, "quantity": "2"}]), [], "over_return"),
        (back(lines=[{"line": 1, "quantity": "1"}]), [(1, 3_000_000, 1000)], "over_return"),
        (back(lines=[{"line": 1}]), [(1, 3_000_000, 1000)], "over_return"),
        (back(lines=[{"line": 1, "amount": "10.01"}]), [], "over_return"),
        (back(lines=[{"sku": "tea", "quantity": "6"}]), [], "over_return"),
        (back(), [(1, 3_000_000, 1000), (2, 10**6, 500), (3, 10**6, 0), (4, 2 * 10**6, 400)], "nothing_left"),
    ],
)
def test_no_more_comes_back_than_was_bought(event: Return, earlier: list[Came], code: str) -> None:
    assert codes(event, *earlier) == [code]


def test_an_over_return_says_how_much_is_left() -> None:
    def says(event: Return, *earlier: Came) -> list[str]:
        return [objection.message for objection in measure(event, ORDER, earlier)[2]]

    assert says(back(amount="19.01")) == ["19.01 GBP is more than the 19.00 GBP that has not come back yet"]
    assert says(back(lines=[{"line": 2, "quantity": "1.5"}])) == [
        "1.5 pieces are more than the 1 that have not come back yet"
    ]
    assert says(back(lines=[{"line": 2}]), (2, 10**6, 500)) == ["all pieces of that line came back before"]


def test_every_mistake_of_a_return_is_named() -> None:
    assert codes(back(lines=[{"line": 9}, {"line": 1, "quantity": "9"}])) == ["no_such_line", "over_return"]


def test_nothing_is_left_once_all_money_went_back_though_no_piece_did() -> None:
    paid_back = [(1, 0, 1000), (2, 0, 500), (4, 0, 400)]
    lines, _, objections = measure(back(), ORDER, paid_back)
    assert not objections, "the gift can still come back"
    assert [line.part for line in lines] == [1000, 500, 1_000_000, 400]
    assert codes(back(), *paid_back, (3, 1_000_000, 0)) == ["nothing_left"]


@given(purchase=some.purchases(), parts=st.lists(some.parts, max_size=5))
def test_parts_in_any_order_sum_to_the_whole(purchase: dict[str, Any], parts: list[dict[str, Any]]) -> None:
    bought = order(**purchase)
    earlier: list[Came] = []
    for part in [*parts, {}]:
        lines, came, objections = measure(back(**part), bought, earlier)
        if not objections:
            earlier += came
            assert all(line.now >= 0 and line.before + line.now <= line.value for line in lines)
            assert all(0 <= line.part <= line.whole for line in lines)
    assert sum(value for _, _, value in earlier) == bought.total
    for place, whole in enumerate(line_values(bought), 1):
        assert sum(value for number, _, value in earlier if number == place) == whole
