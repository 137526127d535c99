"""Kinds of lot that may be spent only on some things, in some places, at some times; paid and other value together."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stampbook import ProgramError
from stampbook.engine import Engine
from stampbook.explaining import explain_account
from stampbook.kinds import Place, Restriction
from stampbook.lots import DEFAULT_ORDER, PAID, Lot, draw, in_order
from stampbook.periods import NEVER
from stampbook.spending import draw_where
from stampbook.states import account_state
from stampbook.testing import Ledger
from stampbook.verifying import verify

if TYPE_CHECKING:
    from pathlib import Path

HEAD = """
[program]
name = "Card"
currency = "GBP"
time_zone = "Europe/London"
open_accounts = "on first event"
[assets.points]
{asset}
[kinds.drinks]
categories = ["tea", "beer"]
[kinds.lunch]
stores = ["S1"]
hours = ["11:30-14:00"]
days = ["monday", "tuesday"]
[[plugin]]
use = "points"
asset = "GBP"
{rules}
[[plugin]]
use = "stored_value"
[[plugin.bonus]]
name = "drinks"
kind = "drinks"
[[plugin.bonus.bracket]]
from = "100"
gives = "10"
[[plugin.bonus]]
name = "lunch"
kind = "lunch"
[[plugin.bonus.bracket]]
from = "50"
gives = "5"
[[plugin]]
use = "refunds"
"""
RULES = """
[[plugin.rule]]
name = "none"
earn = "0"
"""
SUNDAY, MONDAY = "2025-03-02", "2025-03-03"


def ledger(amount: str = "100.00", asset: str = "") -> Ledger:
    books = Ledger(HEAD.format(asset=asset, rules=RULES))
    books.post(type="topup", amount=amount, at="2025-03-01T10:00")
    return books


def buy(books: Ledger, lines: list[tuple[str, str]], at: str = f"{SUNDAY}T10:00", **fields: Any) -> Any:
    goods = [{"category": category, "amount": amount} for category, amount in lines]
    total = f"{sum(float(amount) for _, amount in lines):.2f}"
    fields.setdefault("tenders", [{"kind": "stored_value", "amount": total}])
    return books.post(type="purchase", lines=goods, at=at, **fields)


def by_kind(books: Ledger) -> dict[str, int]:
    left: dict[str, int] = {}
    for lot in books.view().lots:
        left[lot.kind] = left.get(lot.kind, 0) + lot.remaining
    return left


def test_a_restricted_lot_pays_for_its_categories_only_and_as_much_as_they_cost() -> None:
    books = ledger()
    assert buy(books, [("cake", "6.00"), ("tea", "4.00")]).accepted
    assert by_kind(books) == {"paid": 9400, "drinks": 600, "lunch": 500}
    assert buy(books, [("cake", "6.00")]).accepted
    assert by_kind(books) == {"paid": 8800, "drinks": 600, "lunch": 500}


def test_without_lines_nobody_knows_what_is_bought() -> None:
    books = ledger()
    books.post(type="spend", amount="10.00", at=f"{SUNDAY}T10:00")
    books.post(type="hold.authorised", amount="10.00", at=f"{SUNDAY}T11:00")
    paid = [{"kind": "stored_value", "amount": "10.00"}]
    books.post(type="purchase", amount="10.00", tenders=paid, at=f"{SUNDAY}T12:00")
    assert by_kind(books) == {"paid": 8000, "drinks": 1000, "lunch": 500}


@pytest.mark.parametrize(
    ("at", "store", "lunch"),
    [
        (f"{MONDAY}T11:30", "S1", 400),
        (f"{MONDAY}T13:59:59", "S1", 400),
        (f"{MONDAY}T14:00", "S1", 500),
        (f"{MONDAY}T11:29", "S1", 500),
        (f"{MONDAY}T12:00", "S2", 500),
        (f"{SUNDAY}T12:00", "S1", 500),
        ("2025-04-07T12:00", "S1", 400),
        ("2025-04-07T11:00", "S1", 500),
    ],
)
def test_a_restricted_lot_pays_at_its_stores_and_local_hours(at: str, store: str, lunch: int) -> None:
    books = ledger("50.00")
    books.post(type="spend", amount="1.00", store=store, at=at)
    assert by_kind(books)["lunch"] == lunch


def test_a_refusal_tells_what_may_be_spent_here_and_what_elsewhere() -> None:
    books = ledger()
    outcome = books.post(type="spend", amount="100.01", at=f"{SUNDAY}T10:00")
    [told] = [each.message for each in outcome.objections]
    assert told.startswith("100.01 GBP is more than the 100.00 GBP that may be spent here; there is more: ")
    assert told.endswith("10.00 GBP only for beer or tea, 5.00 GBP only at S1, on monday, tuesday, 11:30-14:00")


def test_an_operator_takes_whatever_it_is_and_a_return_gives_it_back_where_it_came_from() -> None:
    books = ledger()
    assert buy(books, [("tea", "10.00")], id="tea").accepted
    assert by_kind(books)["drinks" if "drinks" in by_kind(books) else "paid"] == 10_000
    books.post(type="return", purchase="tea", at=f"{SUNDAY}T12:00")
    assert by_kind(books) == {"paid": 10_000, "drinks": 1000, "lunch": 500}
    books.post(type="adjust", amount="-115.00", reason="closing", at=f"{SUNDAY}T13:00")
    assert by_kind(books) == {}


def test_states_and_explanations_tell_the_restriction() -> None:
    books = ledger()
    [holding] = [each for each in account_state(books.engine, "customer").holdings if each.asset == "GBP"]
    assert {lot.kind: lot.only for lot in holding.lots} == {
        "paid": "",
        "drinks": "only for beer or tea",
        "lunch": "only at S1, on monday, tuesday, 11:30-14:00",
    }
    buy(books, [("tea", "4.00")])
    because = [move.words for lot in explain_account(books.engine, "customer").lots["GBP"] for move in lot.moves]
    assert because


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('["11:30-14:00"]', '["22:00-02:00"]', "past midnight write two"),
        ('["11:30-14:00"]', '["noon"]', "no time of one day"),
        ('["monday", "tuesday"]', '["mondays"]', "mondays"),
        ('categories = ["tea", "beer"]', "", "says its categories, stores, hours or days"),
        ("[kinds.drinks]", "[kinds.paid]", "the ledger's own kind"),
    ],
)
def test_a_mistake_is_told_with_its_place(old: str, new: str, said: str) -> None:
    with pytest.raises(ProgramError, match=r"program:\d+: kinds") as error:
        Ledger(HEAD.format(asset="", rules=RULES).replace(old, new))
    assert said in str(error.value)


# Against a naive model: an amount of each kind fits where, of every set of kinds, the lines that any of them may pay
# for cost enough (Hall's theorem). Lots are used one after the other, each as far as it fits.

CATEGORIES = ["a", "b", "c", "d"]
KINDS = {"x": {"a", "b"}, "y": {"b", "c"}, "z": {"a"}, "w": {"d"}, "v": {"a", "b", "c", "d"}}
RESTRICTIONS = {kind: Restriction(frozenset(categories)) for kind, categories in KINDS.items()}

lots = st.lists(
    st.tuples(st.sampled_from([PAID, "bonus", *KINDS]), st.integers(1, 12), st.integers(0, 2), st.integers(0, 3)),
    max_size=8,
)
lines = st.lists(st.tuples(st.sampled_from(CATEGORIES), st.integers(0, 12)), min_size=1, max_size=6)


def made(found: list[tuple[str, int, int, int]]) -> list[Lot]:
    return [
        Lot(number, "GBP", kind, 0, NEVER, priority, 1, remaining + held, held)
        for number, (kind, remaining, priority, held) in enumerate(found, 1)
    ]


def fits(used: dict[str, int], order: list[tuple[str, int]]) -> bool:
    kinds = [kind for kind in used if kind in KINDS]
    return all(
        sum(used[kind] for kind in some)
        <= sum(cost for category, cost in order if any(category in KINDS[kind] for kind in some))
        for size in range(1, len(kinds) + 1)
        for some in combinations(kinds, size)
    )


def naive(found: list[Lot], amount: int, order: list[tuple[str, int]]) -> tuple[list[tuple[int, int]], int]:
    used: dict[str, int] = {}
    drawn: list[tuple[int, int]] = []
    for lot in in_order(found):
        units = 0
        while amount and units < lot.free and fits({**used, lot.kind: used.get(lot.kind, 0) + 1}, order):
            used[lot.kind] = used.get(lot.kind, 0) + 1
            units, amount = units + 1, amount - 1
        if units:
            drawn.append((lot.number, units))
    return drawn, amount


@given(lots, lines, st.integers(0, 1))
@example([("x", 5, 0, 0), ("z", 5, 1, 0)], [("a", 5), ("b", 5)], 0)
@example([("x", 5, 0, 0), ("y", 5, 1, 0), ("z", 5, 2, 0)], [("a", 5), ("b", 5), ("c", 5)], 0)
def test_lots_pay_as_far_as_there_is_a_way(
    found: list[tuple[str, int, int, int]], order: list[tuple[str, int]], less: int
) -> None:
    amount = max(0, sum(cost for _, cost in order) - less)
    place = Place("S", 1, 600, tuple(order))
    chosen = draw_where(made(found), "GBP", amount, 5, DEFAULT_ORDER, RESTRICTIONS, place)
    assert chosen == naive(made(found), amount, order)


@given(lots, st.integers(0, 60))
def test_where_nothing_is_asked_the_order_alone_decides(found: list[tuple[str, int, int, int]], amount: int) -> None:
    plain = draw(made(found), "GBP", amount, 5) if amount else ([], 0)
    assert draw_where(made(found), "GBP", amount, 5, DEFAULT_ORDER, RESTRICTIONS, None) == plain


@given(lots, lines, st.sampled_from(["to what remains", "to what was granted"]), st.integers(0, 40))
def test_proportion_never_changes_how_much_can_be_paid_and_keeps_the_parts_to_a_unit(
    found: list[tuple[str, int, int, int]], order: list[tuple[str, int]], proportion: str, extra: int
) -> None:
    free = [lot for lot in made(found) if lot.kind in {PAID, "bonus"}]
    granted = {str(lot.number): lot.remaining + extra for lot in free}
    amount = sum(cost for _, cost in order)
    there = sum(lot.free for lot in free)
    drawn, short = draw_where(free, "GBP", amount, 5, DEFAULT_ORDER, {}, None, proportion, granted)
    assert short == max(0, amount - there)
    assert sum(units for _, units in drawn) == amount - short
    used, weights, limits = {True: 0, False: 0}, {True: 0, False: 0}, {True: 0, False: 0}
    for lot in free:
        is_paid = lot.kind == PAID
        used[is_paid] += dict(drawn).get(lot.number, 0)
        weights[is_paid] += granted[str(lot.number)] if proportion == "to what was granted" else lot.free
        limits[is_paid] += lot.free
    if all(weights.values()) and all(used[side] < limits[side] for side in (True, False)):
        exact = amount * weights[False] / sum(weights.values())
        assert abs(used[False] - exact) <= 0.5


def test_paid_and_bonus_pay_together_in_proportion_to_what_remains() -> None:
    books = Ledger(PROPORTION.format(proportion="to what remains"))
    books.post(type="topup", amount="100.00", at="2025-03-01T10:00")
    books.post(type="spend", amount="60.00", at=f"{SUNDAY}T10:00")
    assert by_kind(books) == {"paid": 5000, "bonus": 1000}
    books.post(type="topup", amount="50.00", at=f"{SUNDAY}T11:00")
    books.post(type="spend", amount="11.00", at=f"{SUNDAY}T12:00")
    assert by_kind(books) == {"paid": 9000, "bonus": 900}, "100 to 10"


def test_paid_and_bonus_pay_together_in_proportion_to_what_was_granted() -> None:
    books = Ledger(PROPORTION.format(proportion="to what was granted"))
    books.post(type="topup", amount="100.00", at="2025-03-01T10:00")
    books.post(type="adjust", amount="-19.00", reason="bonus taken", at="2025-03-01T11:00")
    assert by_kind(books) == {"paid": 8417, "bonus": 1683}
    books.post(type="spend", amount="60.00", at=f"{SUNDAY}T10:00")
    assert by_kind(books) == {"paid": 3417, "bonus": 683}, "5 to 1, as it was granted"
    books.post(type="spend", amount="41.00", at=f"{SUNDAY}T11:00")
    assert by_kind(books) == {}, "where one side has too little the other pays"


PROPORTION = """
[program]
name = "Card"
currency = "GBP"
open_accounts = "on first event"
[assets.GBP]
proportion = "{proportion}"
[[plugin]]
use = "stored_value"
[[plugin.bonus]]
name = "gift"
[[plugin.bonus.bracket]]
from = "100"
gives = "20"
"""


def test_the_books_prove_themselves_with_restrictions_and_proportions(tmp_path: Path) -> None:
    asset = '[assets.GBP]\nproportion = "to what was granted"'
    with Engine.open(f"sqlite:///{tmp_path}/books.db", create=True) as engine:
        engine.put_text_in_force(HEAD.format(asset=asset, rules=RULES))
        for day in range(1, 8):
            engine.post({"type": "topup", "id": f"t{day}", "account": "a", "amount": "100.00", "at": f"2025-03-0{day}"})
            goods = [{"category": "tea", "amount": "7.00"}, {"category": "cake", "amount": "31.37"}]
            paid = [{"kind": "stored_value", "amount": "38.37"}]
            purchase = {"type": "purchase", "lines": goods, "tenders": paid, "store": "S1", "account": "a"}
            assert engine.post({**purchase, "id": f"p{day}", "at": f"2025-03-0{day}T12:00"}).accepted
        assert not list(verify(engine).findings)
