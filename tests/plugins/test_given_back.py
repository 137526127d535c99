"""What a return gives back to limits and campaigns: as much as was made good, whoever has it, by each policy."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stampbook import Registry, load_program
from stampbook.testing import Ledger
from tests.effort import examples
from tests.plugins.proof import findings

PROGRAM = """
[program]
name = "Given back"
currency = "EUR"
open_accounts = "on first event"
[assets.points]
[assets.stamps]
[limits.most]
max = "1000"
[campaigns.spring]
rules = ["points.base"]
budget = "1000"
[limits.stamps]
asset = "stamps"
max = "2"
[[plugin]]
use = "points"
{rules}
[[plugin]]
use = "refunds"
{refunds}
{more}
"""
BASE = '[[plugin.rule]]\nname = "base"\nearn = "10"\neach = "10.00"\n'
LINE = BASE + 'per = "line"\nwhen = "line.sku == \'a\'"\n'
POLICIES = ("proportional", "increments", "anew")


@lru_cache(maxsize=64)
def built(text: str) -> Registry:
    return load_program(text)


def program(rules: str = BASE, refunds: str = "", more: str = "") -> str:
    return PROGRAM.format(rules=rules, refunds=refunds, more=more)


def pooled(policy: str, share: str, rules: str) -> str:
    return program(rules, f'take_back = "{policy}"', f'[[plugin]]\nuse = "households"\nshare = "{share}"\n')


JOINED: tuple[dict[str, Any], ...] = (
    {"type": "account.opened", "account": "home", "at": "2025-01-01"},
    {"type": "account.opened", "account": "customer", "at": "2025-01-01"},
    {"type": "household.joined", "account": "customer", "to": "home", "at": "2025-01-01"},
)


def both(ledger: Ledger) -> int:
    return int(ledger.balance("points")) + int(ledger.balance("points", account="home"))


def counted(ledger: Ledger, name: str) -> int:
    return sum(value for metric, _, value in ledger.engine.account("customer").metrics if metric == name)


@pytest.mark.parametrize("share", ["50", "90", "100"])
@pytest.mark.parametrize("rules", [BASE, LINE])
@pytest.mark.parametrize(("policy", "left"), [("proportional", 14), ("increments", 10), ("anew", 10)])
def test_what_a_pool_is_asked_for_is_given_back(policy: str, left: int, rules: str, share: str) -> None:
    ledger = Ledger(built(pooled(policy, share, rules)))
    for event in JOINED:
        assert ledger.post(**event).accepted
    lines = [{"sku": "a", "amount": "29.00"}, *([{"sku": "b", "amount": "100.00"}] if rules == LINE else [])]
    ledger.post(type="purchase", id="p", lines=lines)
    assert int(ledger.balance("points", account="home")) == 20 * int(share) // 100
    ledger.post(type="return", purchase="p", lines=[{"sku": "a", "amount": "10.00"}])
    assert both(ledger) == counted(ledger, "campaign/spring") == counted(ledger, "cap/most") == left


@examples(30)
@given(
    policy=st.sampled_from(POLICIES),
    share=st.sampled_from(["10", "33.3", "50", "100"]),
    rules=st.sampled_from([BASE, LINE, BASE.replace('each = "10.00"', ""), BASE + 'part = "exact"\n']),
    bought=st.lists(st.tuples(st.sampled_from("ab"), st.integers(1, 4_000)), min_size=1, max_size=3),
    back=st.lists(st.tuples(st.integers(0, 2), st.integers(1, 2_000)), max_size=5),
)
def test_limits_count_what_members_and_pool_have_left_whatever_comes_back(
    policy: str, share: str, rules: str, bought: list[tuple[str, int]], back: list[tuple[int, int]]
) -> None:
    text = pooled(policy, share, rules)
    ledger = Ledger(built(text))
    lines = [{"sku": sku, "amount": f"{cents / 100:.2f}"} for sku, cents in bought]
    events: list[dict[str, Any]] = [*JOINED, {"type": "purchase", "id": "p", "at": "2025-03-01", "lines": lines}]
    for number, (line, cents) in enumerate(back):
        some = [{"line": line % len(bought) + 1, "amount": f"{cents / 100:.2f}"}]
        events.append({"type": "return", "purchase": "p", "at": f"2025-03-{2 + number:02}", "lines": some})
    events.append({"type": "return", "purchase": "p", "at": "2025-03-20"})
    for number, event in enumerate(events):
        ledger.post(**event)
        assert number < len(JOINED) or both(ledger) == counted(ledger, "campaign/spring") == counted(ledger, "cap/most")
    assert both(ledger) == 0
    if len(back) == 4:  # the real store is slower
        told = [{"id": f"e{number}", "account": "customer", **event} for number, event in enumerate(events)]
        assert findings(text, told) == ()


STAMP = BASE + '[[plugin.rule]]\nname = "stamp"\nearn = "1"\nasset = "stamps"\n'
DEDUCTS = 'points_spent = "deduct_from_refund"\nunit_values = { points = "1" }\n'


def test_what_has_no_value_to_be_kept_stays_counted_though_something_else_is_kept() -> None:
    ledger = Ledger(built(program(STAMP, DEDUCTS)))
    got = 0
    for number in range(4):
        ledger.post(type="purchase", id=f"p{number}", amount="10.00")
        stamps = ledger.balance("stamps")
        got += int(stamps)
        ledger.post(type="spend", asset="points", amount="10")
        if stamps == "1":
            ledger.post(type="spend", asset="stamps", amount="1")
        outcome = ledger.post(type="return", purchase=f"p{number}")
        assert outcome.memo["deducted"] == 1000
    assert got == 2, "the limit: who spends and returns does not earn them again"
    assert counted(ledger, "cap/most") == 0, "ten points were paid for each time"


@pytest.mark.parametrize(("cash", "left"), [("0.50", 10), ("1.00", 9), ("9.99", 1), ("10.00", 0)])
def test_what_the_refund_was_too_small_to_keep_stays_counted(cash: str, left: int) -> None:
    ledger = Ledger(built(program(BASE, DEDUCTS)))
    ledger.post(type="topup", amount="10.00")
    rest = f"{10 - float(cash):.2f}"
    tenders = [{"kind": "stored_value", "amount": rest}] if rest != "0.00" else []
    tenders.append({"kind": "cash", "amount": cash})
    ledger.post(type="purchase", id="p", amount="10.00", tenders=tenders)
    ledger.post(type="spend", asset="points", amount="10")
    ledger.post(type="return", purchase="p")
    assert counted(ledger, "cap/most") == counted(ledger, "campaign/spring") == left
