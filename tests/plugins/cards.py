"""A program with cards, numbers for them, and a ledger that posts what happens to a card."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

from stampbook.testing import Ledger
from stampbook_cards.card_numbers import account_of, made

if TYPE_CHECKING:
    from stampbook import Outcome

KEY = "a key of the tests, longer than it need be"

PROGRAM = """
[program]
name = "Cards"
currency = "GBP"
time_zone = "Europe/London"
open_accounts = "on first event"
[[plugin]]
use = "cards"
prefix = "6035"
length = 12
"""

_RANDOM = Random(2025)
NUMBERS = [made("6035", 12, "luhn", _RANDOM.randrange) for _ in range(6)]
CARDS = [account_of(number) for number in NUMBERS]
ONE, TWO, THREE = CARDS[:3]
BY = {"operator": "kim", "reason": "as the customer asked"}


class Shop:
    """A ledger in memory with a few short words."""

    def __init__(self, options: str = "", program: str = PROGRAM) -> None:
        self.ledger = Ledger(program + options)

    def post(self, kind: str, account: str = ONE, **fields: Any) -> Outcome:
        return self.ledger.post(type=kind, account=account, **fields)

    def sell(self, amount: str = "50", account: str = ONE, at: str = "2025-03-01T10:00", **issue: Any) -> None:
        assert self.post("card.issued", account, at=at, **issue).accepted
        assert self.post("card.activated", account, at=at, amount=amount, tender="cash").accepted

    def codes(self, kind: str, account: str = ONE, **fields: Any) -> list[str]:
        """Return with which codes an event is refused; none where it is accepted."""
        return [each.code for each in self.post(kind, account, **fields).objections]

    def balance(self, account: str = ONE, **at: str) -> str:
        return self.ledger.balance("GBP", account=account, **at)

    def fact(self, name: str, account: str = ONE) -> str:
        return self.ledger.fact(f"cards.{name}", account=account)
