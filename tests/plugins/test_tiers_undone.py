"""Returns of what had reached a level that a lock or grant hides: when that ends, the level does not come back."""

from __future__ import annotations

from typing import Any

import pytest

from stampbook.testing import Ledger

PROGRAM = """
[program]
name = "Hidden levels"
currency = "GBP"
open_accounts = "on first event"
[assets.points]
[metrics.spend]
sum = "order.net"
[[plugin]]
use = "refunds"
[[plugin]]
use = "tiers"
metric = "spend"
period = "calendar year"
review = "calendar year"
returns = "{returns}"
[[plugin.level]]
name = "blue"
reach = "{lowest}"
[[plugin.level]]
name = "gold"
reach = "100"
[[plugin.level]]
name = "black"
reach = "200"
"""
LOCKED = {"type": "tier.locked", "reason": "a dispute"}
GRANTED = {"type": "tier.granted", "reason": "a wedding"}


def shop(returns: str = "at once", lowest: str = "0") -> Ledger:
    ledger = Ledger(PROGRAM.format(returns=returns, lowest=lowest))
    for name, amount in (("a", "90.00"), ("b", "160.00")):
        ledger.post(type="purchase", id=name, amount=amount, at="2025-03-01")
    assert ledger.fact("tier") == "black"
    return ledger


@pytest.mark.parametrize("end", ["its until", "an operator"])
@pytest.mark.parametrize("hand", [{**LOCKED, "level": "gold"}, LOCKED, {**GRANTED, "level": "gold"}])
@pytest.mark.parametrize(
    ("back", "level"), [("", "black"), ("a", "gold"), ("b", "blue"), ("ab", "blue"), ("ba", "blue")]
)
def test_a_level_that_a_return_undoes_under_a_lock_does_not_come_back(
    hand: dict[str, Any], end: str, back: str, level: str
) -> None:
    ledger = shop()
    ledger.post(**hand, at="2025-04-01", **({"until": "2025-06-01"} if end == "its until" else {}))
    for place, name in enumerate(back):
        ledger.post(type="return", purchase=name, at=f"2025-05-0{place + 1}")
    if hand["type"] == "tier.locked":
        assert ledger.fact("tier") == hand.get("level", "black")
    if end == "an operator":
        ledger.post(type="tier.unlocked", reason="settled", at="2025-06-01")
    assert ledger.fact("tier", at="2025-06-01") == level


def test_what_is_bought_under_the_lock_counts_when_it_ends() -> None:
    ledger = shop()
    ledger.post(**LOCKED, level="blue", until="2025-06-01", at="2025-04-01")
    ledger.post(type="return", purchase="b", at="2025-05-01")
    ledger.post(type="purchase", amount="20.00", at="2025-05-02")
    assert ledger.fact("tier", at="2025-06-01") == "gold"


def test_a_later_lock_begins_anew() -> None:
    ledger = shop()
    ledger.post(**LOCKED, level="blue", until="2025-05-01", at="2025-04-01")
    ledger.post(type="return", purchase="b", at="2025-04-02")
    ledger.post(type="purchase", amount="120.00", at="2025-06-01")
    assert ledger.fact("tier") == "black"
    ledger.post(**LOCKED, level="blue", until="2025-08-01", at="2025-07-01")
    assert ledger.fact("tier", at="2025-08-01") == "black"


def test_no_level_at_all_may_be_left() -> None:
    ledger = shop(lowest="10")
    ledger.post(**LOCKED, until="2025-06-01", at="2025-04-01")
    for name in "ab":
        ledger.post(type="return", purchase=name, at="2025-05-01")
    assert ledger.fact("tier", at="2025-06-01") == ""


@pytest.mark.parametrize("returns", ["at review", "never"])
def test_other_policies_have_the_level_come_back(returns: str) -> None:
    ledger = shop(returns)
    ledger.post(**LOCKED, level="blue", until="2025-06-01", at="2025-04-01")
    ledger.post(type="return", purchase="b", at="2025-05-01")
    assert ledger.fact("tier", at="2025-06-01") == "black"


def test_a_return_does_not_undo_what_a_review_gave_for_the_period_before() -> None:
    text = PROGRAM.format(returns="at once", lowest="0").replace(
        'review = "calendar year"', 'review = "calendar year"\nupgrade = "at review"'
    )
    ledger = Ledger(text)
    ledger.post(type="purchase", amount="120.00", at="2025-03-01")
    assert ledger.fact("tier", at="2026-01-01") == "gold"
    ledger.post(type="purchase", id="coat", amount="150.00", at="2026-02-01")
    ledger.post(type="return", purchase="coat", at="2026-02-02")
    assert ledger.fact("tier") == "gold"
