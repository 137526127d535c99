"""How many points a partial return takes back: in proportion, by whole steps, or all but what the rest would earn."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stampbook import Registry, load_program
from stampbook.engine import Engine
from stampbook.periods import Calendar
from stampbook.replay import state
from stampbook.testing import Ledger
from stampbook.verifying import verify
from tests.effort import examples
from tests.plugins.proof import findings

PROGRAM = """
[program]
name = "Steps"
currency = "USD"
open_accounts = "on first event"
[assets.points]
{head}
[[plugin]]
use = "points"
{rules}
[[plugin]]
use = "refunds"
take_back = "{policy}"
{more}
"""
POLICIES = ("proportional", "increments", "anew")
EACH = '[[plugin.rule]]\nname = "base"\nearn = "1"\neach = "10.00"\n'


def program(policy: str, rules: str = EACH, *, head: str = "", more: str = "") -> str:
    return PROGRAM.format(policy=policy, rules=rules, head=head, more=more)


def shop(policy: str, rules: str = EACH, *, head: str = "", more: str = "") -> Ledger:
    return Ledger(built(program(policy, rules, head=head, more=more)))


@lru_cache(maxsize=256)
def built(text: str) -> Registry:
    return load_program(text)


def rule(earn: str, more: str = "", name: str = "base") -> str:
    return f"[[plugin.rule]]\nname = '{name}'\nearn = \"{earn}\"\n{more}\n"


def points(ledger: Ledger) -> int:
    return int(ledger.balance("points"))


@pytest.mark.parametrize("rules", [EACH, rule("floor(order.net / 10)"), rule("order.net / 10")])
@pytest.mark.parametrize(
    ("policy", "taken"),
    [("proportional", [0, 0, 0, 1]), ("increments", [0, 0, 1, 2]), ("anew", [0, 1, 1, 2])],
)
def test_two_points_for_21_90_by_each_policy(policy: str, taken: list[int], rules: str) -> None:
    found = []
    for refunded in ("1", "5", "10", "20"):
        ledger = shop(policy, rules)
        ledger.post(type="purchase", id="p", amount="21.90")
        assert points(ledger) == 2
        ledger.post(type="return", purchase="p", amount=refunded)
        found.append(2 - points(ledger))
    assert found == taken


@pytest.mark.parametrize(("policy", "left"), [("proportional", 6), ("increments", 6), ("anew", 3)])
def test_steps_that_earn_three_go_back_as_three(policy: str, left: int) -> None:
    ledger = shop(policy, EACH.replace('"1"', '"3"'))
    ledger.post(type="purchase", id="p", amount="21.90")
    ledger.post(type="return", purchase="p", amount="9.00")
    assert points(ledger) == {"proportional": 4}.get(policy, left)


@pytest.mark.parametrize(("policy", "left"), [("proportional", 6), ("increments", 10), ("anew", 10)])
def test_what_is_the_same_for_any_order_stays_until_all_of_it_came_back(policy: str, left: int) -> None:
    ledger = shop(policy, rule("10"))
    ledger.post(type="purchase", id="p", amount="20.00")
    ledger.post(type="return", purchase="p", amount="8.00")
    assert points(ledger) == left
    ledger.post(type="return", purchase="p")
    assert points(ledger) == 0


@pytest.mark.parametrize(("policy", "left"), [("proportional", 2), ("increments", 2), ("anew", 1)])
def test_lines_that_earn_by_themselves_are_reckoned_by_themselves(policy: str, left: int) -> None:
    ledger = shop(policy, EACH + 'per = "line"\n')
    lines = [{"sku": "a", "amount": "15.00"}, {"sku": "b", "amount": "19.00"}]
    ledger.post(type="purchase", id="p", lines=lines)
    assert points(ledger) == 2
    ledger.post(type="return", purchase="p", lines=[{"sku": "b", "amount": "9.50"}])
    assert points(ledger) == left


@pytest.mark.parametrize(("policy", "left"), [("proportional", 4), ("increments", 4), ("anew", 6)])
def test_what_a_limit_had_cut_counts_for_the_rest(policy: str, left: int) -> None:
    ledger = shop(policy, rule("order.net"), head='[limits.most]\nmax = "8"\nper = "transaction"\n')
    ledger.post(type="purchase", id="p", amount="12.00")
    assert points(ledger) == 8
    ledger.post(type="return", purchase="p", amount="6.00")
    assert points(ledger) == left


@pytest.mark.parametrize(("back", "left"), [("9.99", 7), ("10", 6), ("20", 4), ("30", 2), ("40", 0)])
def test_a_step_of_increments_is_worth_what_a_limit_left_of_it(back: str, left: int) -> None:
    ledger = shop("increments", EACH.replace('"1"', '"3"'), head='[limits.most]\nmax = "7"\nper = "transaction"\n')
    ledger.post(type="purchase", id="p", amount="49.00")  # 4 steps of 3 are 12, cut to 7: 1.75 each
    assert points(ledger) == 7
    ledger.post(type="return", purchase="p", amount=back)
    assert points(ledger) == left  # less 1.75, 3.5, 5.25 and 7, each rounded down


def test_a_multiplier_is_in_what_a_step_had_earned() -> None:
    ledger = shop("increments", EACH + '[[plugin.multiplier]]\nname = "double"\nby = "2.5"\n')
    ledger.post(type="purchase", id="p", amount="39.00")
    assert points(ledger) == 7  # 3 × 2.5
    ledger.post(type="return", purchase="p", amount="10.00")
    assert points(ledger) == 5  # 2.5, rounded down
    ledger.post(type="return", purchase="p", amount="10.00")
    assert points(ledger) == 2


UTC = Calendar("UTC")


@pytest.mark.parametrize(
    ("before", "after", "left"),
    [
        (program("proportional"), program("anew"), 1),
        (program("anew"), program("anew", EACH.replace('"1"', '"50"')), 0),
        (program("anew"), program("increments"), 0),
        (program("anew"), program("proportional"), 1),
    ],
)
def test_what_counts_is_what_the_purchase_was_and_the_policy_of_the_return(
    before: str, after: str, left: int, sqlite_db: str
) -> None:
    with Engine.open(sqlite_db, create=True, clock=lambda: UTC.parse("2025-01-01")) as engine:
        engine.put_text_in_force(before)
        told = {"account": "ann", "source": "till"}
        engine.post({**told, "type": "purchase", "id": "p", "amount": "21.90", "at": "2025-01-01T10:00"})
        engine.put_text_in_force(after, effective_from=UTC.parse("2025-01-02"))
        engine.post({**told, "type": "return", "id": "r", "purchase": "p", "amount": "20.00", "at": "2025-01-03"})
        assert state(engine, "ann", as_of=UTC.parse("2025-01-04")).balance("points", UTC.parse("2025-01-04")) == left
        assert verify(engine).findings == ()


@pytest.mark.parametrize("share", ["50", "100"])
@pytest.mark.parametrize(("policy", "left"), [("proportional", 13), ("increments", 10), ("anew", 10)])
def test_what_is_shared_comes_back_by_the_same_policy(policy: str, left: int, share: str) -> None:
    more = f'[[plugin]]\nuse = "households"\nshare = "{share}"\n'
    ledger = shop(policy, EACH.replace('"1"', '"10"'), more=more)
    for account in ("home", "customer"):
        ledger.post(type="account.opened", account=account)
    assert ledger.post(type="household.joined", to="home").accepted
    ledger.post(type="purchase", id="p", amount="29.00")
    assert int(ledger.balance("points", account="home")) == 20 * int(share) // 100
    assert points(ledger) + int(ledger.balance("points", account="home")) == 20
    ledger.post(type="return", purchase="p", amount="10.00")
    both = points(ledger) + int(ledger.balance("points", account="home"))
    assert both in range(left, left + 3) if policy == "proportional" else both == left
    ledger.post(type="return", purchase="p")
    assert (points(ledger), ledger.balance("points", account="home")) == (0, "0")


LINEAR = st.sampled_from([
    EACH, EACH.replace('"1"', '"3"'), EACH + 'part = "exact"\n', rule("order.net / 7"),
    rule("order.net * 3 / 7", "rounding = 'half_up'"), rule("order.net / 3", "rounding = 'ceil'"),
    rule("floor(order.net / 4)"), rule("10"),
])  # fmt: skip
cents = st.integers(1, 9_000)


@examples(80)
@given(rules=LINEAR, paid=cents, back=st.lists(cents, min_size=1, max_size=4))
def test_anew_leaves_what_a_purchase_of_the_rest_earns(rules: str, paid: int, back: list[int]) -> None:
    ledger, left = shop("anew", rules), paid
    ledger.post(type="purchase", id="p", amount=f"{paid / 100:.2f}")
    for part in back:
        if part < left:
            left -= part
            assert ledger.post(type="return", purchase="p", amount=f"{part / 100:.2f}").accepted
    other = shop("anew", rules)
    other.post(type="purchase", amount=f"{left / 100:.2f}")
    assert points(ledger) == points(other)


@examples(80)
@given(rules=st.sampled_from([EACH, rule("order.net / 7"), rule("floor(order.net / 4)")]), paid=cents, back=cents)
def test_increments_take_what_a_purchase_of_what_came_back_earns(rules: str, paid: int, back: int) -> None:
    back = min(paid, back)
    ledger, other = shop("increments", rules), shop("increments", rules)
    ledger.post(type="purchase", id="p", amount=f"{paid / 100:.2f}")
    earned = points(ledger)
    ledger.post(type="return", purchase="p", amount=f"{back / 100:.2f}")
    other.post(type="purchase", amount=f"{back / 100:.2f}")
    assert earned - points(ledger) == points(other)


SLICES = """
[[plugin.rule]]
name = "base"
of = "order.net"
bracket = [{ from = "0", rate = "0.5" }, { from = "20", rate = "2" }]
"""
PARTS = (
    EACH, rule("line.net / 3", "per = 'line'"), rule("2", "per = 'unit'\nwhen = \"line.sku == 'a'\""), rule("9"),
    rule("order.net / 2", "only = { skus = ['b'] }"), rule("floor(line.net / 2)", "per = 'line'"),
    SLICES,
)  # fmt: skip
HEADS = ("", '[limits.most]\nmax = "11"\nper = "transaction"\n', '[limits.day]\nmax = "20"\nwindow = "1 day"\n')
SPENT = ('points_spent = "debt"', 'points_spent = "within_balance"')
goods = st.lists(
    st.tuples(st.sampled_from("abc"), st.integers(1, 4), st.integers(0, 4_000)), min_size=1, max_size=4
)  # fmt: skip
came = st.lists(
    st.tuples(st.sampled_from(["amount", "line", "pieces"]), st.integers(0, 3), st.integers(1, 3_000), st.booleans()),
    max_size=6,
)


@examples(80)
@given(
    policy=st.sampled_from(POLICIES),
    rules=st.lists(st.sampled_from(PARTS), min_size=1, max_size=3, unique=True),
    by=st.sampled_from(["", "1.5", "0.5"]),
    head=st.sampled_from(HEADS),
    spent=st.sampled_from(SPENT),
    bought=goods,
    back=came,
    use=st.integers(0, 30),
)
def test_no_return_takes_more_than_was_earned_and_all_of_it_takes_all(
    policy: str,
    rules: list[str],
    by: str,
    head: str,
    spent: str,
    bought: list[tuple[str, int, int]],
    back: list[tuple[str, int, int, bool]],
    use: int,
) -> None:
    named = "".join(text.replace("base", f"r{number}") for number, text in enumerate(rules))
    factor = f"[[plugin.multiplier]]\nname = 'x'\nby = '{by}'\n" if by else ""
    head = f"debt = true\n[metrics.got]\ngranted = 'points'\n{head}"
    text = program(policy, named + factor, head=head, more=spent)
    ledger = Ledger(built(text))
    lines = [{"sku": sku, "quantity": str(pieces), "amount": f"{pence / 100:.2f}"} for sku, pieces, pence in bought]
    events: list[dict[str, Any]] = [{"type": "purchase", "id": "p", "at": "2025-03-01T10:00", "lines": lines}]
    purchase = ledger.post(**events[0])
    assert purchase.accepted
    earned, gone, settled = points(ledger), 0, 0
    if 0 < use <= earned:
        gone = use
        events.append({"type": "spend", "asset": "points", "amount": str(use), "at": "2025-03-01T11:00"})
        ledger.post(**events[-1])
    for number, (kind, line, pence, late) in enumerate(back):
        part: dict[str, Any] = {"amount": f"{pence / 100:.2f}"}
        if kind != "amount":
            part = {"lines": [{"line": line % len(bought) + 1, **(part if kind == "line" else {"quantity": "1"})}]}
        at = f"2025-03-{3 + number if not late else 2:02}T10:00"
        events.append({"type": "return", "purchase": "p", "at": at, **part})
        outcome = ledger.post(**events[-1])
        if outcome.accepted:
            now = sum(outcome.memo["settled"].values())
            assert now >= 0
            settled += now
    assert settled <= earned
    events.append({"type": "return", "purchase": "p", "at": "2025-03-20T10:00"})
    outcome = ledger.post(**events[-1])
    if outcome.accepted:
        settled += sum(outcome.memo["settled"].values())
    assert settled == earned
    assert (points(ledger), int(ledger.owed("points"))) == (0, gone if "debt" in spent else 0)
    counted = {name for name, _, value in ledger.engine.account("customer").metrics if value}
    assert counted <= ({"cap/day"} if gone and "debt" not in spent else set())  # what was let go stays counted
    if len(back) == 4:  # the real store is slower
        told = [{"id": f"e{number}", "account": "customer", **event} for number, event in enumerate(events)]
        assert findings(text, told) == ()


@examples(60)
@given(
    policy=st.sampled_from(POLICIES),
    paid=st.integers(1, 9_000),
    back=st.lists(st.tuples(st.integers(1, 3_000), st.integers(2, 25)), min_size=2, max_size=5),
    order=st.randoms(),
)
def test_the_order_in_which_parts_come_back_makes_no_difference(
    policy: str, paid: int, back: list[tuple[int, int]], order: Any
) -> None:
    left, parts = paid, []
    for pence, day in back:
        part = min(pence, left)
        left -= part
        if part:
            parts.append({"purchase": "p", "amount": f"{part / 100:.2f}", "at": f"2025-03-{day:02}T10:00"})
    shuffled = [*parts]
    order.shuffle(shuffled)
    found = []
    for some in (parts, shuffled):
        ledger = shop(policy)
        ledger.post(type="purchase", id="p", amount=f"{paid / 100:.2f}", at="2025-03-01T10:00")
        for each in some:
            assert ledger.post(type="return", **each).accepted
        found.append(points(ledger))
    assert found[0] == found[1]
