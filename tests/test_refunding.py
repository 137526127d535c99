"""What a return undoes: of metrics by line what its lines had counted, of what expired each unit once."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stampbook.engine import Engine
from stampbook.testing import Ledger
from stampbook.verifying import verify
from tests.properties.strategies import money

PROGRAM = """
[program]
name = "Counted by line"
currency = "GBP"
open_accounts = "on first event"
[metrics.tea]
per = "line"
when = "line.category == 'tea'"
sum = "line.quantity"
decimals = 0
[metrics.tea_lines]
per = "line"
when = "line.category == 'tea'"
count = true
[metrics.spend]
sum = "order.net"
decimals = 2
[[plugin]]
use = "refunds"
"""

TEA = {"sku": "tea", "category": "tea", "quantity": "3", "amount": "10.00"}
CAKE = {"sku": "cake", "category": "cake", "amount": "30.00"}
LEAF = {"sku": "leaf", "category": "tea", "quantity": "2", "amount": "5.00"}


def bought(*lines: dict[str, str], text: str = PROGRAM) -> Ledger:
    ledger = Ledger(text)
    ledger.post(type="purchase", id="before", lines=[TEA])
    ledger.post(type="purchase", id="p", lines=list(lines))
    return ledger


def counted(ledger: Ledger, *names: str) -> list[int]:
    view = ledger.view()
    return [view.metric(name) for name in names or ("tea", "tea_lines", "spend")]


def back(ledger: Ledger, **fields: Any) -> list[int]:
    assert ledger.post(type="return", purchase="p", **fields).accepted
    return counted(ledger)


def test_a_line_that_comes_back_undoes_what_it_had_counted_and_nothing_else() -> None:
    ledger = bought(TEA, CAKE, LEAF)
    assert counted(ledger) == [8, 3, 5500]
    assert back(ledger, lines=[{"line": 2}]) == [8, 3, 2500]
    assert back(ledger, lines=[{"line": 3}]) == [6, 2, 2000]
    assert back(ledger) == [3, 1, 1000]


def test_a_piece_undoes_a_piece_though_its_price_is_not_a_whole_penny() -> None:
    ledger = bought(TEA, CAKE)
    assert [back(ledger, lines=[{"line": 1, "quantity": "1"}])[:2] for _ in range(3)] == [[5, 2], [4, 2], [3, 1]]


def test_so_does_a_piece_of_the_only_line() -> None:
    ledger = bought(TEA)
    assert [back(ledger, lines=[{"line": 1, "quantity": "1"}])[:2] for _ in range(3)] == [[5, 2], [4, 2], [3, 1]]


def test_money_back_undoes_a_line_by_its_share_of_the_price() -> None:
    ledger = bought(TEA, CAKE)
    assert back(ledger, lines=[{"line": 1, "amount": "6.70"}])[:2] == [4, 2]
    assert back(ledger, lines=[{"line": 1, "quantity": "1"}])[:2] == [4, 2]
    assert back(ledger, lines=[{"line": 1}])[:2] == [3, 1]


def test_an_amount_undoes_each_line_by_its_part() -> None:
    ledger = bought(TEA, CAKE)
    assert back(ledger, amount="20.00") == [5, 2, 3000]
    assert back(ledger, amount="20.00") == [3, 1, 1000]


def test_free_goods_undo_what_they_counted_when_they_come_back() -> None:
    ledger = bought({**TEA, "amount": "0"}, CAKE)
    assert back(ledger, lines=[{"line": 2}])[:2] == [6, 2]
    assert back(ledger, lines=[{"line": 1, "quantity": "2"}])[:2] == [4, 2]
    assert back(ledger)[:2] == [3, 1]


@pytest.mark.parametrize("rounding", ["floor", "ceil", "half_up", "half_even"])
def test_parts_of_a_unit_are_counted_and_undone_as_a_whole(rounding: str) -> None:
    text = PROGRAM.replace('sum = "line.quantity"', f'sum = "line.quantity / 7"\nrounding = "{rounding}"')
    ledger = bought(TEA, CAKE, LEAF, TEA, text=text)
    before = counted(ledger, "tea")
    for line in (4, 1, 3):
        back(ledger, lines=[{"line": line}])
    assert before > counted(ledger, "tea") == counted(bought(CAKE, text=text), "tea")


lines = st.lists(
    st.tuples(st.sampled_from(["tea", "cake"]), st.integers(1, 5), st.integers(0, 2000)), min_size=1, max_size=4
)
parts = st.lists(
    st.tuples(st.integers(0, 3), st.sampled_from([None, "pieces", "money"]), st.integers(1, 900)), max_size=6
)


@given(lines, parts)
def test_any_returns_undo_line_by_line_what_was_counted_and_all_of_it_in_the_end(
    bought_lines: list[tuple[str, int, int]], returned: list[tuple[int, str | None, int]]
) -> None:
    """The quantity of a line is undone by the pieces of it that came back, or by its money, whichever is more."""
    given_lines = [
        {"category": category, "quantity": str(quantity), "amount": money(pennies)}
        for category, quantity, pennies in bought_lines
    ]
    ledger = bought(*given_lines)
    start = counted(ledger, "tea")[0] - 3
    assert start == sum(quantity for category, quantity, _ in bought_lines if category == "tea")
    gone = [[0, 0] for _ in bought_lines]
    for place, how, number in returned:
        line = place % len(bought_lines)
        _, quantity, pennies = bought_lines[line]
        asked: dict[str, Any] = {"line": line + 1}
        if how == "pieces":
            asked["quantity"] = str(1 + number % quantity)
        elif how == "money":
            asked["amount"] = money(number)
        outcome = ledger.post(type="return", purchase="p", lines=[asked])
        for _, pieces, value in outcome.memo.get("came", ()) if outcome.accepted else ():
            gone[line][0] += pieces
            gone[line][1] += value
        undone = 0
        for (category, quantity, pennies), (pieces, value) in zip(bought_lines, gone, strict=True):
            share = max(Fraction(pieces, quantity * 10**6), Fraction(value, pennies) if pennies else Fraction(0))
            undone += int(quantity * share) if category == "tea" else 0
        assert counted(ledger, "tea") == [start - undone + 3]
    ledger.post(type="return", purchase="p")
    assert counted(ledger) == [3, 1, 1000]


# ---- what expired counts once, whichever purchase of the lot comes back

SHARED = """
[program]
name = "Points that expire"
currency = "GBP"
open_accounts = "on first event"
[assets.points]
debt = true
[[plugin]]
use = "points"
expires = "1 month, end of month"
[[plugin.rule]]
name = "base"
earn = "order.net"
[[plugin]]
use = "refunds"
points_spent = "debt"
"""


def told(kind: str, name: str, at: str, **fields: Any) -> dict[str, Any]:
    return {"type": kind, "id": name, "account": "ann", "at": f"{at}T12:00:00Z", **fields}


EVENTS = [
    told("purchase", "p", "2025-01-10", amount="10"),
    told("purchase", "q", "2025-01-11", amount="10"),
    told("spend", "s", "2025-01-20", asset="points", amount="10"),
    told("topup", "t", "2025-03-01", amount="1"),
    told("return", "r1", "2025-03-02", purchase="p", amount="4"),
    told("return", "r2", "2025-03-02", purchase="q"),
    told("return", "r3", "2025-03-02", purchase="p"),
]


@pytest.mark.parametrize("size", [1, 2, 7])
def test_purchases_that_share_an_expired_lot_count_each_unit_once(any_db: str, size: int) -> None:
    with Engine.open(any_db, create=True) as engine:
        engine.put_text_in_force(SHARED)
        outcomes = [o for n in range(0, 7, size) for o in engine.process(EVENTS[n : n + size])]
        assert [(o.memo["lapsed"], o.memo["short"]) for o in outcomes[4:]] == [
            ({"points.base": 4}, {}),
            ({"points.base": 6}, {"points.base": 4}),
            ({}, {"points.base": 6}),
        ]
        assert verify(engine).findings == ()


@pytest.mark.parametrize("size", [1, 9])
def test_what_a_return_counted_as_lapsed_is_not_brought_back_by_late_news(any_db: str, size: int) -> None:
    late = [
        told("spend", "late1", "2025-02-01", asset="points", amount="1"),
        told("spend", "late2", "2025-02-01", asset="points", amount="5"),
    ]
    events = [*EVENTS[:5], *late]
    with Engine.open(any_db, create=True) as engine:
        engine.put_text_in_force(SHARED)
        outcomes = [o for n in range(0, 7, size) for o in engine.process(events[n : n + size])]
        assert [o.status for o in outcomes[5:]] == ["accepted", "accepted"]
        more = engine.post(told("spend", "late3", "2025-02-01", asset="points", amount="1"))
        assert [objection.code for objection in more.objections] == ["insufficient_balance"]
        assert verify(engine).findings == ()
