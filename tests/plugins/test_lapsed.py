"""What expired of a purchase's points need not be taken back when it is returned: once, however many share the lot."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stampbook import Plugin, PluginConfig, RefundPlan, hookimpl
from stampbook.errors import InvariantError
from stampbook.ledger import BREAKAGE
from stampbook.loading import load
from tests.properties.driver import Till

if TYPE_CHECKING:
    from stampbook import RefundRequest
    from stampbook.ledger import Decision

PROGRAM = """
[program]
name = "Points that expire"
currency = "GBP"
[assets.points]
debt = true
[[plugin]]
use = "points"
[[plugin.rule]]
name = "base"
earn = "order.net"
expires = "1 month, end of month"
[[plugin]]
use = "refunds"
points_spent = "debt"
"""

RULE = PROGRAM[PROGRAM.index("[[plugin.rule]]") : PROGRAM.index('[[plugin]]\nuse = "refunds"')]
TWO_RULES = PROGRAM.replace(RULE, RULE + RULE.replace("base", "more"))


def tell(till: Till, type_: str, **fields: Any) -> dict[str, Any]:
    """Send an event that is accepted and return what was noted of it."""
    decision = till.tell(type_, **fields)
    assert decision.transaction is not None, decision.objections
    return decision.transaction.memo


def spent_and_expired(text: str, *purchases: tuple[str, str], spent: str) -> Till:
    """Purchases of January whose points share a lot, some of them spent; the others expired with February."""
    till = Till(text).opened()
    for name, amount in purchases:
        tell(till, "purchase", id=name, amount=amount, at="2025-01-10")
    tell(till, "spend", asset="points", amount=spent, at="2025-01-20")
    till.tick("2025-03-01")
    assert [lot.remaining for lot in till.account().lots.values()] == [0]
    return till


def back(till: Till, purchase: str, **fields: Any) -> tuple[int, int]:
    """Return a purchase in March; give how many points were counted as lapsed, and how many were short."""
    memo = tell(till, "return", purchase=purchase, **{"at": "2025-03-05", **fields})
    return sum(memo["lapsed"].values()), sum(memo["short"].values())


def test_two_purchases_that_share_an_expired_lot_count_each_unit_once() -> None:
    till = spent_and_expired(PROGRAM, ("p", "10"), ("q", "10"), spent="10")
    assert (back(till, "p"), back(till, "q")) == ((10, 0), (0, 10))
    assert till.view().owed("points") == 10


def test_what_no_return_counted_is_left_to_the_next() -> None:
    till = spent_and_expired(PROGRAM, ("p", "10"), ("q", "10"), spent="7")
    assert (back(till, "q", amount="6"), back(till, "p"), back(till, "q")) == ((6, 0), (7, 3), (0, 4))


def test_no_more_lapses_than_the_purchase_had_granted_into_the_lot() -> None:
    till = spent_and_expired(PROGRAM, ("p", "10"), ("q", "40"), spent="1")
    assert (back(till, "p", amount="9"), back(till, "p"), back(till, "q")) == ((9, 0), (1, 0), (39, 1))


def test_grants_of_one_purchase_that_share_a_lot_count_each_unit_once() -> None:
    till = spent_and_expired(TWO_RULES, ("p", "10"), spent="8")
    memo = tell(till, "return", purchase="p", at="2025-03-05", amount="5")
    assert (memo["lapsed"], memo["short"]) == ({"points.base": 5, "points.more": 5}, {})
    assert memo["lapsed_lots"] == [("points.base", 1, 5), ("points.more", 1, 5)]
    memo = tell(till, "return", purchase="p")
    assert (memo["lapsed"], memo["short"]) == ({"points.base": 2}, {"points.base": 3, "points.more": 5})


def test_what_repaid_a_debt_has_not_lapsed() -> None:
    till = spent_and_expired(PROGRAM, ("p", "10"), spent="10")
    assert back(till, "p") == (0, 10)
    tell(till, "purchase", id="q", amount="25", at="2025-03-06")
    till.tick("2025-05-01")
    assert till.books["points", "breakage"] == 15
    assert back(till, "q", at="2025-05-02") == (15, 10)


class Careless(Plugin[PluginConfig]):
    """Counts as lapsed what it is told to."""

    lapsed = 0

    @hookimpl
    def refund(self, request: RefundRequest) -> RefundPlan:
        [grant] = request.granted
        return RefundPlan(outside=request.value, settled={grant.rule: 10}, lapsed={grant.rule: self.lapsed})


@pytest.mark.parametrize("lapsed", [-1, 4, 11])
def test_no_plan_counts_more_as_lapsed_than_has(lapsed: int) -> None:
    text = PROGRAM.replace('use = "refunds"\npoints_spent = "debt"', 'use = "careless"')
    till = Till(load(text, plugins={"careless": Careless})).opened()
    tell(till, "purchase", id="p", amount="10", at="2025-01-10")
    tell(till, "spend", asset="points", amount="7")
    Careless.lapsed = lapsed
    with pytest.raises(InvariantError, match=r"^I15: 3 of what points.base granted has lapsed, not more"):
        till.tell("return", purchase="p", at="2025-03-05")
    Careless.lapsed = 3
    assert tell(till, "return", purchase="p", at="2025-03-05")["lapsed_lots"] == [("points.base", 1, 3)]


# ---- against a naive model: whole points, one a pound, by the rule as it is written down


class Naive:
    """Lots, debts and purchases as plain numbers."""

    def __init__(self, policy: str) -> None:
        self.policy = policy
        self.today = date(2025, 1, 1)
        self.lots: list[dict[str, Any]] = []
        self.bought: dict[str, dict[str, Any]] = {}
        self.owed = 0

    def pass_days(self, days: int) -> None:
        self.today += timedelta(days)
        for lot in self.lots:
            if lot["until"] <= self.today:
                lot["expired"] += lot["left"]
                lot["left"] = 0

    @property
    def live(self) -> list[dict[str, Any]]:
        return sorted((lot for lot in self.lots if lot["left"]), key=lambda lot: lot["until"])

    def buy(self, name: str, points: int) -> None:
        repaid = min(points, self.owed)
        self.owed -= repaid
        month = self.today.year * 12 + self.today.month + 1
        until = date(month // 12, month % 12 + 1, 1)
        lot = next((lot for lot in self.live if lot["until"] == until), None)
        if lot is None:
            lot = {"until": until, "left": 0, "expired": 0, "counted": 0}
            if points > repaid:
                self.lots.append(lot)
        lot["left"] += points - repaid
        self.bought[name] = {"value": points, "part": points - repaid, "lot": lot, "back": 0, "lapsed": 0}

    def spend(self, points: int) -> bool:
        if points > sum(lot["left"] for lot in self.lots):
            return False
        self.take(self.live, points)
        return True

    def take(self, lots: list[dict[str, Any]], points: int) -> int:
        """Take points from lots in turn; return how many are still wanted."""
        for lot in lots:
            part = min(points, lot["left"])
            lot["left"] -= part
            points -= part
        return points

    def give_back(self, name: str, points: int) -> tuple[int, int, int]:
        """Return what is taken, counted as lapsed, and short, of a purchase of which some pounds come back."""
        bought = self.bought[name]
        lot = bought["lot"]
        bought["back"] += points
        own = min(points, bought["part"])
        rest = points - own + self.take([lot], own)
        lapsed = min(rest, bought["part"] - bought["lapsed"], lot["expired"] - lot["counted"])
        lot["counted"] += lapsed
        bought["lapsed"] += lapsed
        short = self.take(self.live, rest - lapsed)
        if self.policy == "debt":
            self.owed += short
        return points - lapsed - short, lapsed, short


buys = st.tuples(st.just("buy"), st.integers(1, 30))
spends = st.tuples(st.just("spend"), st.integers(1, 40))
waits = st.tuples(st.just("wait"), st.sampled_from([1, 20, 80, 80]))
backs = st.tuples(st.just("back"), st.integers(0, 9), st.integers(1, 30))
seasons = st.tuples(
    st.lists(buys | buys | spends, min_size=1, max_size=5), waits, st.lists(backs | backs | waits, max_size=5)
).map(lambda season: [*season[0], season[1], *season[2]])


@given(st.lists(seasons, max_size=4), st.sampled_from(["debt", "within_balance"]))
def test_every_point_that_comes_back_is_taken_or_lapsed_or_short_and_lapses_once(
    story: list[list[tuple[Any, ...]]], policy: str
) -> None:
    till = Till(PROGRAM.replace('"debt"', f'"{policy}"')).opened()
    naive = Naive(policy)
    for number, (kind, *given_) in enumerate(step for season in story for step in season):
        at = naive.today.isoformat()
        if kind == "wait":
            naive.pass_days(given_[0])
        elif kind == "buy":
            naive.buy(f"p{number}", given_[0])
            tell(till, "purchase", id=f"p{number}", amount=str(given_[0]), at=at)
        elif kind == "spend":
            decision = till.tell("spend", asset="points", amount=str(given_[0]), at=at)
            assert decision.accepted == naive.spend(given_[0])
        elif naive.bought:
            name = list(naive.bought)[given_[0] % len(naive.bought)]
            rest = naive.bought[name]["value"] - naive.bought[name]["back"]
            if rest:
                points = min(rest, given_[1])
                decision = till.tell("return", purchase=name, amount=str(points), at=at)
                assert split_of(decision) == naive.give_back(name, points)
        till.tick(naive.today.isoformat())
        assert till.balance() == str(sum(lot["left"] for lot in naive.lots))
        assert till.view().owed("points") == naive.owed
    check_lots(till)


def split_of(decision: Decision) -> tuple[int, int, int]:
    """How many points a return took, in postings; how many it counted as lapsed; and how many were short."""
    assert decision.transaction is not None, decision.objections
    memo, postings = decision.transaction.memo, decision.transaction.postings
    lapsed, short, settled = (sum(memo[name].values()) for name in ("lapsed", "short", "settled"))
    taken = sum(posting.amount for posting in postings if posting.rule == "points.base")
    assert taken + lapsed + short == settled
    return taken, lapsed, short


def check_lots(till: Till) -> None:
    """No lot gives more to returns as lapsed than expired from it."""
    expired: Counter[int] = Counter()
    for decision in till.journal["ann"]:
        for posting in decision.transaction.postings if decision.transaction else ():
            if posting.destination == BREAKAGE and isinstance(posting.source, int):
                expired[posting.source] += posting.amount
    assert till.counted() <= expired
