"""Accounts as this process left them, so that what it has just written need not be read again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stampbook.periods import NEVER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stampbook.account import Account

MOST_REMEMBERED = 50_000
"""How many lots, days of metrics and the like an engine remembers: about 10 MB."""

_ACCOUNT_ITSELF = 6
"""What an account takes besides, in as many lots."""


class Remembered:
    """The accounts of the last batches, the least recently used forgotten first.

    What is remembered is used only where the books say that the account has not moved on since: its last hash is the
    same, which stands for its whole history, and so is what is due, which a new program changes.

    Args:
        most: how many lots, days of metrics, facts and holds to remember in all.
    """

    def __init__(self, most: int = MOST_REMEMBERED) -> None:
        self._most = most
        self._size = 0
        self._accounts: dict[str, tuple[Account, int]] = {}

    def __len__(self) -> int:
        """Return how many accounts are remembered."""
        return len(self._accounts)

    def recall(self, found: dict[str, Account], first_day: int | None) -> list[Account]:
        """Put accounts that are remembered in the place of those just read, and return the others, to be filled.

        Args:
            found: accounts by ref as the books have them, without what belongs to them. Those that come in their place
                are the caller's from then on.
            first_day: from when on metrics are needed; None for no metrics.
        """
        unknown: list[Account] = []
        day = NEVER if first_day is None else first_day
        for ref, read in found.items():
            kept = self._accounts.pop(ref, None)
            if kept is None:
                unknown.append(read)
                continue
            account, size = kept
            self._size -= size
            if account.metrics_from <= day and account.is_at(read):
                found[ref] = account
            else:
                unknown.append(read)
        return unknown

    def keep(self, accounts: Iterable[Account]) -> None:
        """Remember accounts that were just committed."""
        for account in accounts:
            account.settle()
            size = _ACCOUNT_ITSELF + account.size()
            before = self._accounts.pop(account.ref, None)
            self._size += size if before is None else size - before[1]
            self._accounts[account.ref] = account, size
        while self._size > self._most and self._accounts:
            _, size = self._accounts.pop(next(iter(self._accounts)))
            self._size -= size
