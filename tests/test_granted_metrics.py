"""Metrics of what rules granted in the end: after multipliers, stacking and limits, undone by returns."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stampbook import ProgramError, load_program
from stampbook.testing import Ledger
from tests.plugins.proof import findings, ledger_of, picture

PROGRAM = """
[program]
name = "Granted"
currency = "GBP"
open_accounts = "on first event"
[assets.points]
debt = true
[assets.miles]
decimals = 1
[stacking]
promo = "best"
[metrics.earned]
granted = "points"
METRIC
[metrics.miles]
granted = "miles"
on = ["purchase", "topup"]
[limits.daily]
max = "100"
window = "1 day"
[[plugin]]
use = "tiers"
metric = "earned"
returns = "at once"
announce = true
[[plugin.level]]
name = "blue"
[[plugin.level]]
name = "gold"
reach = "50"
[[plugin.level]]
name = "black"
reach = "150"
[[plugin]]
use = "points"
[[plugin.rule]]
name = "base"
earn = "order.net"
[[plugin.rule]]
name = "books"
per = "line"
when = "line.category == 'books'"
earn = "line.net"
group = "promo"
[[plugin.rule]]
name = "tea"
earn = "1"
group = "promo"
rank = 1
[[plugin.rule]]
name = "far"
asset = "miles"
on = ["topup"]
earn = "event.amount / 10"
[[plugin]]
use = "refunds"
points_spent = "within_balance"
"""


def books(metric: str = "") -> Ledger:
    return Ledger(PROGRAM.replace("METRIC", metric))


def buy(ledger: Ledger, amount: str, day: int, **event: Any) -> None:
    assert ledger.post(type="purchase", amount=amount, at=f"2025-03-{day:02}T10:00", **event).accepted


def test_it_counts_what_limits_and_groups_leave() -> None:
    ledger = books()
    buy(ledger, "40.00", 1)
    assert ledger.view().metric("earned") == int(ledger.balance("points")) == 41
    buy(ledger, "500.00", 1)
    assert ledger.view().metric("earned") == int(ledger.balance("points")) == 100
    ledger.post(type="topup", amount="25.00", at="2025-03-02")
    assert ledger.view().metric("miles") == 25


def test_it_may_count_some_rules() -> None:
    ledger = books('rules = ["points.tea"]')
    buy(ledger, "40.00", 1)
    buy(ledger, "5.00", 2)
    assert ledger.view().metric("earned") == 2


def test_the_level_is_entered_by_the_event_that_reached_it_and_announced() -> None:
    ledger = books()
    buy(ledger, "60.00", 1)
    assert ledger.fact("tier") == "gold"
    assert [entry.type for entry in ledger.journal()] == ["account.opened", "tier.raised", "purchase", "tier.raised"]
    buy(ledger, "100.00", 2)
    assert ledger.fact("tier") == "black"


def test_a_return_undoes_what_it_settles_of_the_lines_that_earned_it_even_where_it_is_spent() -> None:
    ledger = books()
    lines = [{"sku": "b", "category": "books", "amount": "20.00"}, {"sku": "x", "amount": "10.00"}]
    ledger.post(type="purchase", id="p", lines=lines, at="2025-03-01T10:00")
    assert ledger.view().metric("earned") == 50
    ledger.post(type="spend", asset="points", amount="50", at="2025-03-01T11:00")
    ledger.post(type="return", purchase="p", lines=[{"sku": "b"}], at="2025-03-02T10:00")
    assert (ledger.view().metric("earned"), ledger.balance("points")) == (10, "0")
    assert ledger.fact("tier") == "blue"
    ledger.post(type="return", purchase="p", at="2025-03-03T10:00")
    assert ledger.view().metric("earned") == 0


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        ('when = "order.net > 1"', "granted counts whole grants, in the decimals of the asset; leave out when"),
        ("count = true", "a metric has one of"),
        ('rules = ["points.bse"]', r"metrics\.earned\.rules: no rule 'points\.bse' awards anything \(did you mean"),
        ('rules = ["points.far"]', "points.far grants miles, not points"),
        ('[metrics.x]\ngranted = "poits"', r"'poits' is not an asset of the program \(did you mean 'points'\?\)"),
        ('[metrics.x]\ncount = true\nrules = ["points.base"]', "rules goes with granted"),
    ],
)
def test_mistakes_are_named(metric: str, message: str) -> None:
    with pytest.raises(ProgramError, match=message):
        load_program(PROGRAM.replace("METRIC", metric))


def test_what_is_judged_before_rules_grant_cannot_go_by_it() -> None:
    more = '[[plugin]]\nuse = "achievements"\n[[plugin.achievement]]\nname = "x"\nmetric = "earned"\ngoal = "1"\n'
    with pytest.raises(ProgramError, match="counts what rules granted, after achievements are judged"):
        load_program(PROGRAM.replace("METRIC", "") + more)
    more = '[[plugin]]\nuse = "referral"\nmetric = "earned"\nfriend = "1"\n'
    with pytest.raises(ProgramError, match="counts what rules granted, after referrals are judged"):
        load_program(PROGRAM.replace("METRIC", "") + more)


@given(
    steps=st.lists(
        st.tuples(st.integers(1, 200), st.sampled_from(["", "part", "whole", "cancel"])), min_size=1, max_size=8
    ),
    size=st.sampled_from([1, 3, 100]),
)
@settings(max_examples=30, deadline=None)
def test_it_is_the_sum_of_what_was_granted_and_not_returned(steps: list[tuple[int, str]], size: int) -> None:
    events: list[dict[str, Any]] = []
    for number, (pounds, back) in enumerate(steps):
        at = f"2025-03-{number + 1:02}"
        bought = {
            "type": "purchase",
            "id": f"p{number}",
            "account": "ann",
            "amount": f"{pounds}.00",
            "at": f"{at}T10:00",
        }
        events.append(bought)
        named = {"account": "ann", "purchase": f"p{number}", "id": f"r{number}", "at": f"{at}T11:00"}
        if back:
            events.append({"type": "purchase.cancelled" if back == "cancel" else "return", **named})
        if back == "part":
            events[-1]["amount"] = f"{pounds}.00" if pounds == 1 else f"{pounds // 2}.00"
    text = PROGRAM.replace("METRIC", "")
    account = ledger_of(text, events, size).account("ann")
    balance = sum(lot.remaining for lot in account.lots.values() if lot.asset == "points")
    assert account.metrics.total("earned", 1, 4_000_000) == balance
    assert picture(account) == picture(ledger_of(text, events).account("ann"))


def test_the_books_verify() -> None:
    bought = {"type": "purchase", "account": "ann", "amount": "70.00"}
    events = [{**bought, "id": f"p{n}", "at": f"2025-03-0{n + 1}T10:00"} for n in range(4)]
    events.append(
        {"type": "return", "id": "r", "account": "ann", "purchase": "p2", "amount": "30.00", "at": "2025-03-08"}
    )
    assert findings(PROGRAM.replace("METRIC", ""), events) == ()
    assert findings(PROGRAM.replace("METRIC", ""), events, 1) == ()
