"""Lots that hold more than one posting carries, and accounts that time cannot bring up."""

from __future__ import annotations

import pytest

from stampbook import Event, Fact, Plugin, PluginConfig, hookimpl
from stampbook.account import Account
from stampbook.errors import InvariantError, PluginError
from stampbook.ledger import HoldChange, Transaction
from stampbook.loading import load
from stampbook.lots import EARNED, Lot
from stampbook.replay import MemoryLedger
from tests.faults.books import NOW, PROGRAM, balance, event, frozen


def test_what_expired_is_not_set_aside_again() -> None:
    ann = Account("ann", status="open", lots={1: Lot(1, "points", EARNED, 0, 200, 0, 1, 50)}, next_lot=2)
    ann.apply(Transaction(holds=(HoldChange(1, "authorise", "points", ((1, 10),)),)))
    renewal = (HoldChange(1, "void", "points", ((1, 10),)), HoldChange(2, "authorise", "points", ((1, 10),)))
    with pytest.raises(InvariantError, match=r"^I6: "):
        ann.check(Transaction(holds=renewal), 300)


def test_a_lot_may_hold_more_than_one_posting_carries() -> None:
    ledger = MemoryLedger(load(PROGRAM), clock=frozen)
    grant = {"asset": "points", "amount": str(10**15), "expires": "2025-02-01T00:00:00Z", "reason": "gift"}
    assert all(ledger.post(event("adjust", name, **grant)).accepted for name in ("a1", "a2"))
    assert ledger.post(event("topup", "t", at="2025-03-01T00:00:00Z", amount="5.00")).accepted
    assert balance(ledger, asset="points") == 0


class Failing(Plugin[PluginConfig]):
    Config = PluginConfig

    @hookimpl
    def assess(self, event: Event) -> list[Fact]:
        if event.account == "ann" and event.type == "expiry":
            message = "no way"
            raise ValueError(message)
        return []


def test_one_account_that_cannot_be_brought_up_does_not_keep_the_others() -> None:
    program = load(PROGRAM + "[[plugin]]\nuse = 'failing'\n", plugins={"failing": Failing})
    ledger = MemoryLedger(program, clock=frozen)
    grant = {"asset": "points", "amount": "7", "expires": "2025-02-01T00:00:00Z", "reason": "gift"}
    for ref in ("ann", "bob"):
        ledger.post(event("adjust", f"gift-{ref}", ref, **grant))

    told = "time cannot be brought up on 1 of the accounts; the first is ann: plugin 'failing' fails in assess"
    with pytest.raises(PluginError, match=told):
        list(ledger.tick(NOW))
    assert ledger.account("bob").seq > ledger.account("ann").seq
