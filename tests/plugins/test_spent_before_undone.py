"""What a return undoes besides its own points, and is spent already: gifts of levels, achievements, referrals."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stampbook import ProgramError, load_program
from stampbook.testing import Ledger
from tests.effort import examples
from tests.plugins.proof import findings

PROGRAM = """
[program]
name = "Spent"
currency = "GBP"
open_accounts = "on first event"
[assets.points]
debt = {debt}
[metrics.spend]
sum = "order.net"
[metrics.visits]
count = true
[[plugin]]
use = "refunds"
{table}
"""
GIFT = """
[[plugin]]
use = "tiers"
metric = "spend"
returns = "at once"
[[plugin.level]]
name = "blue"
[[plugin.level]]
name = "gold"
reach = "50"
[[plugin.level.gift]]
name = "welcome"
amount = "9"
take_back = true
{terms}
"""
VISIT = """
[[plugin]]
use = "achievements"
asset = "points"
[[plugin.achievement]]
name = "second"
metric = "visits"
goal = "2"
repeat = "every time"
grants = "9"
{terms}
"""
FRIEND = """
[[plugin]]
use = "referral"
metric = "visits"
goal = "2"
asset = "points"
friend = "9"
referrer = "9"
{terms}
"""
TABLES = {"gift": GIFT, "achievement": VISIT, "referral": FRIEND}


def program(what: str, spent: str, terms: str = "", *, debt: bool = True) -> str:
    table = TABLES[what].format(terms=f'spent = "{spent}"\n{terms}')
    return PROGRAM.format(debt=str(debt).lower(), table=table)


def shop(what: str, spent: str, terms: str = "") -> Ledger:
    ledger = Ledger(program(what, spent, terms))
    ledger.post(type="account.opened", account="ann", at="2025-01-01")
    ledger.post(type="account.opened", at="2025-01-02")
    if what == "referral":
        assert ledger.post(type="account.referred", by="ann", at="2025-01-02T01:00").accepted
    for number, at in enumerate(("2025-01-03", "2025-01-04")):
        assert ledger.post(type="purchase", id=f"p{number}", amount="30.00", at=at).accepted
    assert ledger.balance("points") == "9"
    return ledger


def has(ledger: Ledger) -> tuple[str, str]:
    return ledger.balance("points"), ledger.owed("points")


@pytest.mark.parametrize("what", TABLES)
@pytest.mark.parametrize(
    ("spent", "then", "again"),
    [("debt", ("0", "7"), ("2", "0")), ("let go", ("0", "0"), ("9", "0"))],
)
def test_what_is_spent_already_is_owed_or_let_go(
    what: str, spent: str, then: tuple[str, str], again: tuple[str, str]
) -> None:
    ledger = shop(what, spent)
    ledger.post(type="spend", asset="points", amount="7", at="2025-01-05")
    assert ledger.post(type="return", purchase="p0", at="2025-01-06").accepted
    assert has(ledger) == then
    ledger.post(type="purchase", amount="30.00", at="2025-01-07")  # there again: it is given anew
    assert has(ledger) == again


@pytest.mark.parametrize("what", ["achievement", "referral"])
def test_by_default_the_next_time_makes_up_for_what_was_spent(what: str) -> None:
    ledger = shop(what, "make up")
    ledger.post(type="spend", asset="points", amount="9", at="2025-01-05")
    ledger.post(type="return", purchase="p0", at="2025-01-06")
    assert has(ledger) == ("0", "0")
    ledger.post(type="purchase", amount="30.00", at="2025-01-07")
    assert has(ledger) == ("0", "0")


@pytest.mark.parametrize("what", TABLES)
def test_other_points_pay_for_it_before_anything_is_owed(what: str) -> None:
    ledger = shop(what, "debt")
    ledger.post(type="adjust", asset="points", amount="5", reason="a start", at="2025-01-04")
    ledger.post(type="spend", asset="points", amount="8", at="2025-01-05")
    ledger.post(type="return", purchase="p0", at="2025-01-06")
    assert has(ledger) == ("0", "3")


@pytest.mark.parametrize("what", TABLES)
def test_what_is_held_is_owed_and_what_the_hold_releases_repays_it(what: str) -> None:
    ledger = shop(what, "debt")
    ledger.post(type="hold.authorised", id="h", asset="points", amount="8", at="2025-01-05")
    ledger.post(type="return", purchase="p0", at="2025-01-06")
    assert has(ledger) == ("0", "8")
    ledger.post(type="hold.captured", hold="h", asset="points", amount="3", at="2025-01-07")
    assert has(ledger) == ("0", "3")


@pytest.mark.parametrize("what", TABLES)
def test_what_has_expired_is_neither_owed_nor_taken_from_other_points(what: str) -> None:
    ledger = shop(what, "debt", 'expires = "10 days"\n')
    ledger.post(type="spend", asset="points", amount="2", at="2025-01-05")
    ledger.post(type="adjust", asset="points", amount="5", reason="others", at="2025-01-16")
    ledger.post(type="return", purchase="p0", at="2025-01-17")
    assert has(ledger) == ("5", "0")


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("gift", "level 'gold': gift 'welcome': spent = 'debt' needs an asset that may be owed: [assets.points]"),
        ("achievement", "achievement 'second': spent = 'debt' needs an asset that may be owed: [assets.points]"),
        ("referral", "spent = 'debt' needs an asset that may be owed: [assets.points] debt = true"),
    ],
)
def test_a_debt_needs_an_asset_that_may_be_owed(what: str, told: str) -> None:
    with pytest.raises(ProgramError) as wrong:
        load_program(program(what, "debt", debt=False))
    assert told in str(wrong.value)


def test_what_becomes_of_a_spent_gift_goes_with_taking_it_back() -> None:
    with pytest.raises(ProgramError, match="spent goes with take_back = true, and only with it"):
        load_program(program("gift", "debt").replace("take_back = true", ""))


STEPS = st.lists(
    st.tuples(st.sampled_from(["purchase", "purchase", "return", "spend", "hold", "void"]), st.integers(0, 9)),
    max_size=14,
)


@examples(60)
@given(what=st.sampled_from(["gift", "achievement"]), steps=STEPS)
def test_nobody_keeps_what_was_undone(what: str, steps: list[tuple[str, int]]) -> None:
    """In debt the points of an account, less what it spent and owes, are those of what it has not brought back."""
    ledger, spent = Ledger(program(what, "debt")), 0
    events: list[dict[str, Any]] = []
    bought: list[str] = []
    for number, (kind, some) in enumerate(steps):
        event: dict[str, Any] = {"id": f"e{number}", "at": f"2025-03-{1 + number:02}T10:00", "type": kind}
        if kind == "purchase":
            bought.append(event["id"])
            event |= {"amount": "30.00"}
        elif kind == "return" and bought:
            event |= {"purchase": bought.pop(some % len(bought))}
        elif kind == "spend" and some:
            event |= {"asset": "points", "amount": f"{some}"}
        elif kind == "hold" and some:
            event |= {"type": "hold.authorised", "asset": "points", "amount": f"{some}"}
        elif kind == "void" and (held := [each["id"] for each in events if each["type"] == "hold.authorised"]):
            event |= {"type": "hold.voided", "asset": "points", "hold": held[some % len(held)]}
        else:
            continue
        events.append({**event, "account": "customer"})
        outcome = ledger.post(**event)
        if kind == "spend" and outcome.accepted:
            spent += some
        view = ledger.view()
        held_ = sum(lot.held for lot in view.lots)
        due = (9 if 30 * len(bought) >= 50 else 0) if what == "gift" else len(bought) // 2 * 9
        assert view.balance("points") + held_ - view.owed("points") + spent == due
        assert not (view.balance("points") and view.owed("points"))
    if len(events) % 5 == 1:
        assert findings(program(what, "debt"), events) == ()
