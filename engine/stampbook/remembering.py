"""Accounts kept in memory between batches, for as long as the database agrees."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stampbook.account import Account


log = logging.getLogger("stampbook")


class Memory:
    """Accounts as recent batches left them, so that the next batch need not load what has not changed.

    An account is used again only where the database still has it at the same journal position with the same hash.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._known: dict[str, tuple[Account, int | None]] = {}
        self._first_day: int | None = None
        self._days: dict[str, int | None] = {}

    def recall(self, accounts: dict[str, Account], first_day: int | None) -> list[Account]:
        """Put remembered accounts in the place of bare ones; return those that must be filled.

        What is recalled is forgotten until it is remembered again, since a batch that fails leaves it half changed.
        """
        self._first_day = first_day
        unknown: list[Account] = []
        for ref, account in accounts.items():
            known, since = self._known.pop(ref, (None, None))
            if (
                known is not None
                and known.seq == account.seq
                and known.head == account.head
                and (first_day is None or (since is not None and since <= first_day))
            ):
                known.due_at = account.due_at
                accounts[ref] = known
                self._days[ref] = since
            else:
                unknown.append(account)
        return unknown

    def remember(self, accounts: Iterable[Account]) -> None:
        """Keep accounts, the longest unused of all making room."""
        if not self._capacity:
            return
        for account in accounts:
            account.forget_the_empty()
            self._known[account.ref] = (account, self._days.pop(account.ref, self._first_day))
        self._days.clear()
        for ref in list(self._known)[: max(0, len(self._known) - self._capacity)]:
            del self._known[ref]

    def clear(self) -> None:
        """Forget all."""
        self._known.clear()
