"""The ledger that tests are written with: short words over the engine itself."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from stampbook import EventError, UnknownAccountError, load_program
from stampbook.testing import Ledger
from stampbook.testing.strategies import amounts, histories

PROGRAM = """
[program]
name = "Till"
currency = "EUR"
time_zone = "Europe/Vienna"

[assets.points]
debt = true

[metrics.visits]
count = true
window = "lifetime"

[[plugin]]
use = "tiers"
metric = "visits"
[[plugin.level]]
name = "guest"
[[plugin.level]]
name = "regular"
reach = "2"

[[plugin]]
use = "points"
expires = "1 month"
[[plugin.rule]]
name = "base"
earn = "order.net"
[[plugin.rule]]
name = "later"
earn = "3"
pending = "7 days"

[[plugin]]
use = "refunds"
points_spent = "debt"
"""


def test_a_purchase_needs_no_more_than_what_it_is_about() -> None:
    ledger = Ledger(PROGRAM)
    outcome = ledger.post(type="purchase", amount="12.50")
    assert outcome.accepted
    assert ledger.balance("points") == "12"
    assert ledger.pending("points") == "3"
    assert ledger.balance("EUR") == "0.00"
    assert ledger.fact("tier") == "guest"
    assert ledger.trace()["awards"] == [["points.base", "points", 12], ["points.later", "points", 3]]


def test_events_without_an_instant_follow_one_another() -> None:
    ledger = Ledger(PROGRAM)
    for _ in range(3):
        ledger.post(type="purchase", amount="1.00")
    instants = [entry.at for entry in ledger.journal()]
    assert instants == sorted(instants)
    assert [entry.type for entry in ledger.journal()] == ["account.opened", *["purchase"] * 3]


def test_looking_ahead_keeps_nothing() -> None:
    ledger = Ledger(PROGRAM)
    ledger.post(type="purchase", amount="5.00", at="2025-03-01T10:00")
    before = len(ledger.journal())
    assert ledger.balance("points", at="2025-03-09") == "8"
    assert ledger.balance("points", at="2025-04-02") == "0"
    assert ledger.balance("points") == "5"
    assert len(ledger.journal()) == before


def test_a_tick_keeps_what_time_brings() -> None:
    ledger = Ledger(PROGRAM)
    ledger.post(type="purchase", amount="5.00", at="2025-03-01T10:00")
    assert ledger.tick("2025-04-02") == 2
    assert ledger.tick("2025-04-02") == 0
    assert ledger.journal()[-1].type == "expiry"


def test_a_refusal_comes_back_as_an_outcome() -> None:
    ledger = Ledger(PROGRAM)
    outcome = ledger.post(type="spend", asset="points", amount="1")
    assert [objection.code for objection in outcome.objections] == ["insufficient_balance"]


def test_what_is_malformed_is_raised() -> None:
    with pytest.raises(EventError, match="is no kind of event"):
        Ledger(PROGRAM).post(type="purchas", amount="1.00")


def test_what_is_owed_can_be_asked() -> None:
    ledger = Ledger(PROGRAM)
    ledger.post(type="purchase", id="p", amount="9.00")
    ledger.post(type="spend", asset="points", amount="9")
    ledger.post(type="return", purchase="p")
    assert ledger.owed("points") == "9"


def test_accounts_are_told_apart() -> None:
    ledger = Ledger(load_program(PROGRAM))
    ledger.post(type="purchase", amount="1.00", account="ann")
    ledger.post(type="purchase", amount="2.00", account="bob")
    assert (ledger.balance("points", account="ann"), ledger.balance("points", account="bob")) == ("1", "2")
    with pytest.raises(UnknownAccountError):
        ledger.balance("points", account="eve")


def test_two_runs_give_one_journal() -> None:
    def run() -> bytes:
        ledger = Ledger(PROGRAM)
        ledger.post(type="purchase", id="p", amount="9.99")
        ledger.post(type="return", purchase="p", amount="3.33")
        return ledger.journal()[-1].hash

    assert run() == run()


@given(histories())
def test_random_histories_keep_the_books_whole(events: list[dict[str, Any]]) -> None:
    ledger = Ledger(PROGRAM)
    for event in events:
        ledger.post(**event)
    view = ledger.view()
    for asset in ("points", "EUR"):
        assert view.balance(asset) >= 0
        assert sum(lot.remaining for lot in view.lots if lot.asset == asset) == (
            view.balance(asset) + view.pending(asset) - view.owed(asset)
        )


@given(amounts("20.00"))
def test_random_amounts_are_plain_money(amount: str) -> None:
    ledger = Ledger(PROGRAM)
    ledger.post(type="topup", amount=amount)
    assert ledger.balance("EUR") == amount
