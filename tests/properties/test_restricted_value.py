"""Restricted value on two accounts against a naive purse: what only drinks may be bought with, given and given back."""

from __future__ import annotations

from datetime import datetime, timedelta
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from stampbook.engine import Engine
from stampbook.loading import load
from stampbook.replay import state
from stampbook.testing import Ledger
from stampbook.verifying import verify
from tests.effort import examples

TEXT = """
[program]
name = "Food Court"
currency = "GBP"
open_accounts = "on first event"
[assets.GBP]
spend_order = ["bonus_first", "created"]
[kinds.drinks]
categories = ["drink"]
[[plugin]]
use = "stored_value"
[[plugin.bonus]]
name = "drinks"
kind = "drinks"
[[plugin.bonus.bracket]]
from = "10"
share = "20%"
[[plugin]]
use = "transfers"
asset = "GBP"
kinds = ["paid", "drinks"]
[[plugin]]
use = "refunds"
"""
PROGRAM = load(TEXT)

ACCOUNTS = st.sampled_from(["ann", "bob"])
AMOUNTS = st.integers(0, 400) | st.sampled_from([1000, 1009])
START = datetime(2025, 3, 1, 8)  # noqa: DTZ001 - the program's zone is UTC, and all is told in it


class Purse:
    """What two accounts hold of each kind, in pence; drinks money pays first, and for drinks alone."""

    def __init__(self) -> None:
        self.holds = {ref: {"paid": 0, "drinks": 0} for ref in ("ann", "bob")}
        self.bought: dict[str, tuple[str, int, int]] = {}

    def topup(self, ref: str, amount: int) -> None:
        self.holds[ref]["paid"] += amount
        self.holds[ref]["drinks"] += amount // 5 if amount >= 1000 else 0

    def buy(self, name: str, ref: str, drink: int, food: int) -> bool:
        purse = self.holds[ref]
        of_drinks = min(drink, purse["drinks"])
        of_paid = drink + food - of_drinks
        if of_paid > purse["paid"] or not drink + food:
            return False
        purse["drinks"] -= of_drinks
        purse["paid"] -= of_paid
        self.bought[name] = (ref, of_drinks, of_paid)
        return True

    def give_back(self, name: str) -> None:
        ref, of_drinks, of_paid = self.bought.pop(name)
        self.holds[ref]["drinks"] += of_drinks
        self.holds[ref]["paid"] += of_paid

    def give(self, giver: str, receiver: str, amount: int) -> bool:
        """Give what would be used first; restricted value stays restricted."""
        if giver == receiver or amount > sum(self.holds[giver].values()):
            return False
        of_drinks = min(amount, self.holds[giver]["drinks"])
        for kind, units in (("drinks", of_drinks), ("paid", amount - of_drinks)):
            self.holds[giver][kind] -= units
            self.holds[receiver][kind] += units
        return True


class RestrictedValue(RuleBasedStateMachine):
    """Anything may happen to two accounts in any order; the books and the purse hold the same of each kind."""

    def __init__(self) -> None:
        super().__init__()
        self.books, self.purse, self.now = Ledger(PROGRAM), Purse(), START
        self.events: list[dict[str, Any]] = []
        for ref in ("ann", "bob"):
            self.tell("account.opened", ref)

    def tell(self, kind: str, ref: str, **fields: Any) -> tuple[bool, str]:
        self.now += timedelta(hours=1)
        name = f"e{len(self.events)}"
        event = {"type": kind, "id": name, "account": ref, "at": self.now.isoformat(), **fields}
        self.events.append(event)
        return self.books.post(**event).accepted, name

    @rule(ref=ACCOUNTS, amount=st.sampled_from([1, 999, 1000, 1009, 2503]))
    def topup(self, ref: str, amount: int) -> None:
        assert self.tell("topup", ref, amount=text(amount))[0]
        self.purse.topup(ref, amount)

    @rule(ref=ACCOUNTS, drink=AMOUNTS, food=AMOUNTS)
    def buy(self, ref: str, drink: int, food: int) -> None:
        if not drink + food:
            return
        lines = [{"category": "food", "amount": text(food)}, {"category": "drink", "amount": text(drink)}]
        paid = [{"kind": "stored_value", "amount": text(drink + food)}]
        accepted, name = self.tell("purchase", ref, lines=lines, tenders=paid)
        assert accepted == self.purse.buy(name, ref, drink, food)

    @precondition(lambda self: self.purse.bought)
    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.purse.bought)))
        assert self.tell("return", self.purse.bought[name][0], purchase=name)[0]
        assert not self.tell("return", self.purse.bought[name][0], purchase=name)[0], "nothing is left to give back"
        self.purse.give_back(name)

    @rule(giver=ACCOUNTS, receiver=ACCOUNTS, amount=AMOUNTS.filter(bool))
    def give(self, giver: str, receiver: str, amount: int) -> None:
        accepted, _ = self.tell("transfer", giver, to=receiver, asset="GBP", amount=text(amount))
        assert accepted == self.purse.give(giver, receiver, amount)

    @invariant()
    def each_account_holds_what_its_purse_holds(self) -> None:
        for ref, purse in self.purse.holds.items():
            found = {"paid": 0, "drinks": 0}
            for lot in self.books.view(account=ref).lots:
                found[lot.kind] += lot.remaining
            assert found == purse

    def teardown(self) -> None:
        """The same in one batch on SQLite gives the same, and proves itself."""
        with TemporaryDirectory() as folder, Engine.open(f"sqlite:///{folder}/books.db", create=True) as engine:
            engine.put_text_in_force(TEXT)
            engine.process(self.events)
            list(engine.tick(PROGRAM.context.calendar.parse(self.now.isoformat())))
            assert not list(verify(engine).findings)
            for ref, purse in self.purse.holds.items():
                found = {"paid": 0, "drinks": 0}
                for lot in state(engine, ref).lots.values():
                    found[lot.kind] += lot.remaining
                assert found == purse


def text(units: int) -> str:
    return f"{units // 100}.{units % 100:02}"


TestRestrictedValue = RestrictedValue.TestCase
TestRestrictedValue.settings = examples(15, stateful_step_count=25, deadline=None)
