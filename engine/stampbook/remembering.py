"""Accounts as this process left them, so that what it has just written need not be read again."""

from __future__ import annotations

import marshal
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from stampbook.account import Account, Hold
from stampbook.ledger import Fact
from stampbook.lots import Lot
from stampbook.periods import NEVER

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_REMEMBERED = 2_000_000
"""How many bytes an engine remembers."""

_BESIDES = 400
"""How many bytes an account takes besides what is packed."""

_Kept = tuple[bytes, int, int, bytes]
"""The last hash of an account, when it is due, from which day its metrics are known, and what belongs to it."""


class Remembered:
    """What belongs to the accounts of the last batches, the least recently used forgotten first.

    It is used only where the books say that the account has not moved on since: its last hash is the same, which
    stands for its whole history, and so is what is due, which a new program changes. It is kept packed: a tenth of the
    memory, and read from one place it is sooner at hand than objects that lie scattered.

    Args:
        most: how many bytes to remember in all.
    """

    def __init__(self, most: int = MOST_REMEMBERED) -> None:
        self._most = most
        self._size = 0
        self._accounts: OrderedDict[str, _Kept] = OrderedDict()

    def __len__(self) -> int:
        """Return how many accounts are remembered."""
        return len(self._accounts)

    def recall(self, found: Iterable[Account], first_day: int | None) -> list[Account]:
        """Fill accounts that are remembered, and return the others.

        Args:
            found: accounts as the books have them, without what belongs to them.
            first_day: from when on metrics are needed; None for no metrics.
        """
        unknown: list[Account] = []
        day = NEVER if first_day is None else first_day
        for account in found:
            kept = self._accounts.pop(account.ref, None)
            if kept is None:
                unknown.append(account)
                continue
            head, due_at, metrics_from, packed = kept
            self._size -= len(packed) + _BESIDES
            if head == account.head and due_at == account.due_at and metrics_from <= day:
                account.metrics_from = metrics_from
                _unpack(account, packed)
            else:
                unknown.append(account)
        return unknown

    def keep(self, accounts: Iterable[Account]) -> None:
        """Remember accounts that were just committed."""
        for account in accounts:
            packed = _packed(account)
            before = self._accounts.pop(account.ref, None)
            if before is not None:
                self._size -= len(before[3]) + _BESIDES
            self._size += len(packed) + _BESIDES
            self._accounts[account.ref] = account.head, account.due_at, account.metrics_from, packed
        while self._size > self._most and self._accounts:
            _, forgotten = self._accounts.popitem(last=False)
            self._size -= len(forgotten[3]) + _BESIDES


def _packed(account: Account) -> bytes:
    """Return what belongs to an account, as it would be read from the books: nothing that is empty."""
    lots: list[tuple[Any, ...]] = []
    last, sorted_already = 0, True
    for lot in account.lots.values():
        number, asset, kind, effective_at, expires_at, priority, origin, remaining, held = lot
        if remaining or held:
            lots.append((number, asset, kind, effective_at, expires_at, priority, origin, remaining, held))
            sorted_already = sorted_already and number > last
            last = number
    if not sorted_already:
        lots.sort()
    holds = [_of_hold(hold) for hold in account.holds.values() if hold.left] if account.holds else []
    days = [(name, counter.days) for name, counter in account.metrics.counters.items()]
    facts = [(name, [tuple(fact) for fact in history]) for name, history in account.facts.items()]
    # Version 0 is without references between equal texts, which take longer to find than to write.
    return marshal.dumps((lots, holds, days, facts), 0)


def _of_hold(hold: Hold) -> tuple[Any, ...]:
    number, asset, amount, left = hold.number, hold.asset, hold.amount, hold.left
    return number, asset, amount, left, hold.captured, hold.voided, hold.lapsed, hold.lapses_at


def _unpack(account: Account, packed: bytes) -> None:
    content: tuple[list[Any], list[Any], list[Any], list[Any]] = marshal.loads(packed)  # noqa: S302 - our own memory
    lots, holds, metrics, facts = content
    for lot in lots:
        account.lots[lot[0]] = Lot(*lot)
    for hold in holds:
        account.holds[hold[0]] = Hold(*hold)
    for name, days in metrics:
        account.metrics.put(name, days)
    for name, history in facts:
        account.facts[name] = tuple([Fact(*fact) for fact in history])
