"""The next free one of many accounts that are a plugin's own: which are at hand, and what was found in the books.

Nobody reserves what is found here. Who takes it is decided by its own account, in the transaction of the event that
asks: a writer that comes second finds it taken, and goes on to the next.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from stampbook.account import Account
    from stampbook.proposals import Pick
    from stampbook.store import Session

AT_ONCE = 200
"""So many are looked up at once."""

ASK_AGAIN_SECONDS = 1.0
"""How long a pool that was found empty is taken to be so, but for what is at hand."""

_Pool = tuple[str, str, str]


@dataclass(slots=True)
class _Found:
    refs: dict[str, None] = field(default_factory=dict)
    last: int = 0
    empty_until: float = 0.0


class Picks:
    """What one engine has found of each pool, in the order in which the accounts were opened."""

    def __init__(self) -> None:
        self._pools: dict[_Pool, _Found] = {}

    def candidates(
        self,
        session: Session,
        pick: Pick,
        at: int,
        loaded: Callable[[str, int], Account | None],
        batch: Iterator[Account],
    ) -> Iterator[Account]:
        """Yield accounts that are free at an instant.

        Args:
            session: the transaction.
            pick: what is asked for.
            at: the instant.
            loaded: gives an account by its ref, as it is in this transaction, for an event at an instant.
            batch: accounts at hand, of which some may not be written yet.
        """
        found = self._pools.setdefault((pick.prefix, pick.fact, pick.value), _Found())
        yield from _free(list(found.refs), pick, at, loaded)
        for start in dict.fromkeys((found.last, 0)):  # from where it was left, and once from the beginning
            found.last, there = start, False
            while time.monotonic() >= found.empty_until and (more := session.free(pick, found.last, AT_ONCE, at)):
                refs, there = [ref for _, ref in more], True
                found.last = more[-1][0]
                found.refs.update(dict.fromkeys(refs))
                yield from _free(refs, pick, at, loaded)
            if not start and not there:  # so say the books; what this batch has taken may come to nothing
                found.empty_until = time.monotonic() + ASK_AGAIN_SECONDS
        yield from (account for account in batch if is_free(account, pick, at))
        found.refs.clear()
        found.last = 0

    def written(self, refs: set[str]) -> None:
        """Forget accounts that are free no longer, now that it is written."""
        for found in self._pools.values() if refs else ():
            for ref in refs:
                found.refs.pop(ref, None)


def _free(refs: Iterable[str], pick: Pick, at: int, loaded: Callable[[str, int], Account | None]) -> Iterator[Account]:
    for ref in refs:
        account = loaded(ref, at)
        if account is not None and is_free(account, pick, at):
            yield account


def is_free(account: Account, pick: Pick, at: int) -> bool:
    """Whether an account is of the pool, and nobody's yet."""
    of = account.facts.get(pick.fact)
    return (
        account.ref.startswith(pick.prefix)
        and of is not None
        and of[-1].value == pick.value
        and of[-1].since <= at
        and pick.lacks not in account.facts
        and any(lot.usable(at) for lot in account.lots.values())
    )


def told_of(account: Account, pick: Pick) -> tuple[str, str]:
    """Return what the plugin is told of an account: its ref and the fact that was asked for."""
    facts = account.facts.get(pick.tells)
    return account.ref, facts[-1].value if facts else ""
