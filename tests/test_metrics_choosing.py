# ruff: noqa: E501 - a message is one line
"""Metrics that count some lines and orders only: what they count, and what returns undo of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stampbook import ProgramError, load_program
from stampbook.engine import Engine
from stampbook.testing import Ledger
from stampbook.verifying import verify
from tests.effort import examples

if TYPE_CHECKING:
    from collections.abc import Sequence

PROGRAM = """
[program]
name = "Some lines"
currency = "GBP"
open_accounts = "on first event"
[assets.points]
[metrics.all]
sum = "order.net"
[metrics.goods]
sum = "order.net"
only = { kinds = ["goods"] }
[metrics.tea]
sum = "line.net"
per = "line"
only = { categories = ["tea"] }
except = { labels = ["sale"] }
[metrics.visits]
count = true
except = { channels = ["web"], tenders = ["points"] }
[metrics.skus]
distinct = "line.sku"
per = "line"
except = { skus = ["bag"] }
[metrics.places]
distinct = "order.store"
only = { stores = ["north", "south"] }
[[plugin]]
use = "refunds"
"""
NAMES = ("all", "goods", "tea", "visits", "skus", "places")
LINES: list[dict[str, Any]] = [
    {"amount": "10.00", "category": "tea", "sku": "a"},
    {"amount": "4.00", "category": "tea", "sku": "b", "labels": ["sale"]},
    {"amount": "0.10", "sku": "bag"},
    {"amount": "50.00", "kind": "gift_card", "sku": "g"},
]


def counted(ledger: Ledger) -> tuple[int, ...]:
    view = ledger.view()
    return tuple(view.metric(name) for name in NAMES)


def buy(ledger: Ledger, lines: Sequence[dict[str, Any]] = tuple(LINES), **fields: Any) -> None:
    assert ledger.post(type="purchase", id="p", lines=list(lines), **fields).accepted


def back(ledger: Ledger, *lines: int) -> None:
    told = {"lines": [{"line": line} for line in lines]} if lines else {}
    assert ledger.post(type="return", purchase="p", **told).accepted


def test_they_count_what_is_chosen_and_goods_alone_where_no_kind_is_named() -> None:
    ledger = Ledger(PROGRAM)
    buy(ledger, store="north")
    assert counted(ledger) == (6410, 1410, 1000, 1, 2, 1)


def test_an_order_of_nothing_that_is_chosen_is_not_counted() -> None:
    ledger = Ledger(PROGRAM)
    buy(ledger, [{"amount": "50.00", "kind": "gift_card"}], store="east")
    assert counted(ledger) == (5000, 0, 0, 0, 0, 0)
    ledger = Ledger(PROGRAM)
    buy(ledger, store="east", channel="web")
    assert counted(ledger) == (6410, 1410, 1000, 0, 2, 0)


def test_a_return_undoes_what_the_lines_that_come_back_had_counted() -> None:
    ledger = Ledger(PROGRAM)
    buy(ledger, store="north")
    back(ledger, 4)
    assert counted(ledger) == (1410, 1410, 1000, 1, 2, 1)
    back(ledger, 1)
    assert counted(ledger) == (410, 410, 0, 1, 1, 1)
    back(ledger, 2)
    assert counted(ledger) == (10, 10, 0, 1, 0, 1)
    back(ledger)
    assert counted(ledger) == (0, 0, 0, 0, 0, 0)


@examples(50)
@given(st.permutations([1, 2, 3, 4]), st.integers(1, 4))
def test_once_all_came_back_nothing_is_counted(order: list[int], first: int) -> None:
    ledger = Ledger(PROGRAM)
    buy(ledger, store="south")
    for line in order[:first]:
        back(ledger, line)
    if first < len(order):
        back(ledger)
    assert counted(ledger) == (0,) * len(NAMES)


@pytest.mark.parametrize(
    ("metric", "says"),
    [
        ("count = true\nonly = {}", "it names nothing; say which skus, categories, labels, kinds, stores, channels or tenders"),
        ("count = true\nonly = { sku = ['a'] }", "no such key (did you mean 'skus'?)"),
        ("count = true\non = ['purchase', 'topup']\nexcept = { skus = ['a'] }", "only and except are of a purchase, not of 'topup'; make two metrics"),
        ("granted = 'points'\nonly = { skus = ['a'] }", "granted counts whole grants: say only and except of the rules that grant"),
    ],
)  # fmt: skip
def test_choices_that_cannot_be(metric: str, says: str) -> None:
    with pytest.raises(ProgramError) as wrong:
        load_program(PROGRAM + f"[metrics.more]\n{metric}\n")
    assert says in str(wrong.value)


def test_the_books_prove_themselves(any_db: str) -> None:
    with Engine.open(any_db, create=True) as engine:
        engine.put_text_in_force(PROGRAM)
        bought = {"type": "purchase", "id": "p", "account": "ann", "at": "2025-01-01", "lines": LINES, "store": "north"}
        given_back = {"type": "return", "id": "r", "account": "ann", "at": "2025-01-02", "purchase": "p"}
        assert engine.post(bought).accepted
        assert engine.post({**given_back, "lines": [{"line": 1}]}).accepted
        assert engine.post({**given_back, "id": "s"}).accepted
        assert verify(engine).findings == ()
