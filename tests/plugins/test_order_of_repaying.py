"""Which of several grants repays what is owed: the one that ends first, in whatever order the file has its tables."""

from __future__ import annotations

import pytest

from stampbook.testing import Ledger

HEAD = """
[program]
name = "Owing"
currency = "EUR"
open_accounts = "on first event"
[assets.points]
debt = true
[metrics.orders]
count = true
[[plugin]]
use = "refunds"
points_spent = "debt"
"""
POOL = '[[plugin]]\nuse = "households"\npoints_spent = "debt"\n'
EARLY = '[[plugin.rule]]\nname = "early"\nearn = "10"\nwhen = "order.net > 10"\nexpires = "10 days"\n'
LATE = '[[plugin.rule]]\nname = "late"\nearn = "10"\nwhen = "order.net > 10"\n'
FIRST = '[[plugin]]\nuse = "points"\n[[plugin.rule]]\nname = "base"\nearn = "10"\nwhen = "order.net <= 10"\n'
GIFT = """
[[plugin]]
use = "achievements"
asset = "points"
[[plugin.achievement]]
name = "second"
metric = "orders"
goal = "2"
grants = "10"
expires = "10 days"
"""
FRIEND = '[[plugin]]\nuse = "referral"\nmetric = "orders"\ngoal = "2"\nfriend = "10"\nonly_new = false\n'


def owing(rules: str, pool: str = "") -> Ledger:
    """Return a shop in which ann, or the pool into which she earns, owes 10 points."""
    ledger = Ledger(HEAD + pool + rules)
    ref = "home" if pool else "ann"
    for each in ("home", "ann", "ben"):
        ledger.post(type="account.opened", account=each, at="2025-01-01")
    if pool:
        assert ledger.post(type="household.joined", account="ann", to="home", at="2025-01-01").accepted
    if "referral" in rules:
        assert ledger.post(type="account.referred", account="ann", by="ben", at="2025-01-01").accepted
    ledger.post(type="purchase", id="p", account="ann", amount="10.00", at="2025-01-02")
    spend = {"type": "household.spent", "member": "ann"} if pool else {"type": "spend"}
    assert ledger.post(**spend, account=ref, asset="points", amount="10", at="2025-01-03").accepted
    ledger.post(type="return", account="ann", purchase="p", at="2025-01-04")
    assert ledger.owed("points", account=ref) == "10"
    return ledger


@pytest.mark.parametrize("pool", ["", POOL])
@pytest.mark.parametrize("rules", [EARLY + LATE, LATE + EARLY])
def test_awards(rules: str, pool: str) -> None:
    ledger = owing(FIRST + rules, pool)
    ref = "home" if pool else "ann"
    ledger.post(type="purchase", account="ann", amount="20.00", at="2025-01-05")
    assert ledger.balance("points", account=ref, at="2025-01-05") == "10"
    assert ledger.balance("points", account=ref, at="2025-03-01") == "10"  # those that end early have repaid


@pytest.mark.parametrize("tables", [GIFT + FRIEND, FRIEND + GIFT])
def test_what_achievements_and_referrals_bring_at_once(tables: str) -> None:
    ledger = owing(FIRST + tables)
    ledger.post(type="purchase", account="ann", amount="20.00", at="2025-01-05")
    ledger.post(type="purchase", account="ann", amount="20.00", at="2025-01-05")
    assert ledger.balance("points", account="ann", at="2025-03-01") == "10"
