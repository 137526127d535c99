"""The programs of a ledger in the order in which they hold, and what time brings under each."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

from stampbook.account import CLOSED, Account
from stampbook.errors import StampbookError
from stampbook.periods import FAR, NEVER
from stampbook.pipeline import apply, catch_up, next_due

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stampbook.ledger import Decision, Entry
    from stampbook.registry import Registry


class InForce(NamedTuple):
    """The programs of a ledger, built, in the order in which they hold."""

    starts: list[int]
    registries: list[Registry]
    ids: dict[str, int]
    generation: int
    by_hash: dict[str, Registry]

    def at(self, instant: int) -> Registry:
        """Return the program that holds at an instant."""
        return self.registries[max(0, bisect_right(self.starts, instant) - 1)]

    def judge_of(self, entry: Entry) -> Registry:
        """Return the program that judged an entry."""
        return self.by_hash[entry.program]

    def segments(self, since: int, until: int) -> Iterator[tuple[Registry, int, int]]:
        """Yield each program that held between two instants, with the first and the last instant at which it did."""
        first = max(0, bisect_right(self.starts, since) - 1)
        for place in range(first, len(self.registries)):
            last = self.starts[place + 1] - 1 if place + 1 < len(self.starts) else NEVER
            yield self.registries[place], self.starts[place] if place else -NEVER, min(until, last)
            if last >= until:
                return

    def next_due(self, account: Account, until: int) -> int:
        """Return when to look at an account again: what its program brings, or the next program's beginning.

        Args:
            account: its state, to which time has caught up.
            until: the instant up to which it has.
        """
        if account.status in {"", CLOSED}:
            return NEVER
        place = max(0, bisect_right(self.starts, until) - 1)
        start = self.starts[place] if place else -NEVER
        due = next_due(self.registries[place], account, start)
        return min(due, self.starts[place + 1]) if place + 1 < len(self.starts) else due

    def apply(self, registry: Registry, account: Account, decision: Decision) -> None:
        """Change an account by a decision; where a plugin cannot say what is due then, nothing of it stays.

        Raises:
            StampbookError: of that plugin; the account is as it was.
        """
        mark = account.mark() if registry.has_dues or len(self.starts) > 1 else None
        try:
            apply(registry, account, decision)
            if len(self.starts) > 1:
                account.due_at = min(account.due_at, self.next_due(account, account.clock))
        except StampbookError:
            if mark is not None:
                account.reset(mark, decision.transaction)
            raise

    def first_metric_day(self, earliest: int) -> int | None:
        """Return the first day of metrics that events from an instant on can ask for, or None where there are none."""
        days = [
            window.first_day(registry.context.calendar.day(min(earliest, FAR)) - 1, registry.context.calendar)
            for registry in self.registries
            for window in registry.context.windows.values()
        ]
        days.extend(day for registry in self.registries for day in registry.context.needed_days.values())
        return min(days, default=None)

    def brought(
        self, account: Account, until: int, budgets: dict[str, int] | None = None
    ) -> Iterator[tuple[Registry, Decision]]:
        """Yield what time brings to an account up to an instant, each under the program of its own instant.

        Each decision must be applied before the next is asked for; at the end the account knows what is due next.
        """
        decision = None
        for registry, start, last in self.segments(account.clock, until):
            for decision in catch_up(registry, account, last, start, budgets=budgets):
                yield registry, decision
        if decision is None or len(self.starts) > 1:  # else applying the last one has told
            account.due_at = self.next_due(account, max(until, account.clock))
