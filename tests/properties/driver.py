"""A till in memory: a program and its accounts, driven by events as plain data, as an engine would drive them."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import fields
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import orjson

from stampbook.account import Account
from stampbook.account_view import AccountView
from stampbook.events import Purchase
from stampbook.exchanging import is_of_purchase
from stampbook.ledger import canonical
from stampbook.loading import load
from stampbook.pipeline import apply, catch_up, decide
from stampbook.refunding import Past, Recorded

if TYPE_CHECKING:
    from stampbook.events import Event
    from stampbook.ledger import Decision
    from stampbook.registry import Registry


@lru_cache(maxsize=512)
def program(text: str) -> Registry:
    return load(text)


class Till:
    """Sends events to accounts and keeps what was decided."""

    def __init__(self, rules: str | Registry) -> None:
        self.registry = program(rules) if isinstance(rules, str) else rules
        self.accounts: dict[str, Account] = {}
        self.journal: dict[str, list[Decision]] = defaultdict(list)
        self.books: Counter[tuple[str, str]] = Counter()
        self._sent = 0

    @property
    def now(self) -> str:
        clock = max(account.clock for account in self.accounts.values())
        return self.registry.context.calendar.iso(clock)

    def instant(self, at: str) -> int:
        return self.registry.context.calendar.parse(at)

    def account(self, ref: str = "ann") -> Account:
        return self.accounts.get(ref) or Account(ref, moves=[])

    def view(self, at: str | None = None, ref: str = "ann") -> AccountView:
        account = self.account(ref)
        return AccountView(account, account.clock if at is None else self.instant(at), self.registry.context)

    def read(self, type_: str, fields: dict[str, Any]) -> Event:
        self._sent += 1
        data = {"type": type_, "id": f"e{self._sent}", "account": "ann", **fields}
        if "at" not in data:
            data["at"] = self.now
        return self.registry.reader.read(data)

    def opened(self, at: str = "2025-01-01", ref: str = "ann") -> Till:
        self.tell("account.opened", at=at, account=ref)
        return self

    def tell(self, type_: str, /, **fields: Any) -> Decision:
        """Send one event; it happens when the last one did unless it says `at`."""
        return self.send(self.read(type_, fields))

    def refusal(self, type_: str, /, **fields: Any) -> list[str]:
        """Send one event and return the codes for which it is refused."""
        return [objection.code for objection in self.tell(type_, **fields).objections]

    def judge(self, event: Event) -> list[Decision]:
        return decide(self.registry, self.account(event.account), event, self.past(event), self.about(event))

    def send(self, event: Event) -> Decision:
        decisions = self.judge(event)
        own = next(decision for decision in decisions if decision.event is event)
        if own.accepted or event.account in self.accounts:
            self._keep(self.accounts.setdefault(event.account, Account(event.account, moves=[])), decisions)
        return own

    def tick(self, at: str, ref: str = "ann") -> list[Decision]:
        decisions = []
        for decision in catch_up(self.registry, self.account(ref), self.instant(at)):
            self._keep(self.account(ref), [decision])
            decisions.append(decision)
        return decisions

    def _keep(self, account: Account, decisions: list[Decision]) -> None:
        for decision in decisions:
            apply(self.registry, account, decision)
            self.journal[account.ref].append(decision)
            for posting in decision.transaction.postings if decision.transaction else ():
                for end, sign in ((posting.source, -1), (posting.destination, 1)):
                    if isinstance(end, str):
                        self.books[posting.asset, end] += sign * posting.amount

    def about(self, event: Event) -> int | None:
        """Find the journal position of what an event names."""
        for seq, decision in enumerate(self.journal[event.account], 1):
            if event.names == (decision.event.source, decision.event.id):
                return seq
        return None

    def past(self, event: Event) -> Past | None:
        """Find what a return names: an accepted purchase of the account and its returns so far."""
        if not is_of_purchase(event) or event.names is None:
            return None
        for seq, decision in enumerate(self.journal[event.account], 1):
            bought = decision.event
            if isinstance(bought, Purchase) and decision.accepted and (bought.source, bought.id) == event.names:
                order = bought.order_in(self.registry.context.currency.code)
                returns = tuple(
                    recorded(number, later)
                    for number, later in enumerate(self.journal[event.account], 1)
                    if later.about == seq and later.accepted
                )
                expired = dict(self.account(event.account).expired)
                return Past(recorded(seq, decision), order, returns, expired=expired)
        return None

    def counted(self, ref: str = "ann") -> Counter[int]:
        """Return what returns have counted as lapsed, by lot."""
        counted: Counter[int] = Counter()
        for decision in self.journal[ref]:
            for _, lot, units in decision.transaction.memo.get("lapsed_lots", ()) if decision.transaction else ():
                counted[lot] += units
        return counted

    def balance(self, asset: str = "points", at: str | None = None, ref: str = "ann") -> str:
        """Return what may be spent, in whole units as text."""
        return self.registry.context.asset(asset).text(self.view(at, ref).balance(asset))

    def state(self, ref: str = "ann") -> dict[str, Any]:
        """Return all that an account holds, as plain data that can be compared."""
        account = self.account(ref)
        plain = {field.name: getattr(account, field.name) for field in fields(Account) if field.name != "metrics"}
        return {**plain, "lots": dict(account.lots), "holds": dict(account.holds), "metrics": list(account.metrics)}


def recorded(seq: int, decision: Decision) -> Recorded:
    """Return an accepted decision as a store gives it back."""
    transaction = decision.transaction
    assert transaction is not None
    effects = orjson.loads(canonical(transaction.effects()))
    return Recorded(seq, decision.event.at, transaction.postings, effects)
