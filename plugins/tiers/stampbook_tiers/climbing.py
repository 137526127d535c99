"""Which levels an account has climbed to and not been lowered from: those whose gifts a return may take back."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

from stampbook import NEVER, Fact
from stampbook_tiers.events import TierRaised
from stampbook_tiers.history import changes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from stampbook import AccountView
    from stampbook_tiers.events import TierLowered

    Changed = TierRaised | TierLowered


class Entered(NamedTuple):
    """A level that was entered from below, and when."""

    since: int
    level: str


class Climb:
    """Tells the climb of an account from the history of its level.

    A history keeps one level an instant. Where several were entered or left at one, as of events that tell no more than
    their day, a fact of the ladder's own says what the history lost.
    """

    def __init__(self, table: str, fact: str, ranks: Mapping[str, int]) -> None:
        self._name = f"_{table}.climbed"
        self._fact = fact
        self._ranks = ranks

    def before(self, event: Changed, account: AccountView) -> list[Entered]:
        """Return the levels that stood when a change came, the lowest first."""
        noted = account.facts(self._name)
        if noted and noted[-1].value:
            return [Entered(*each) for each in json.loads(noted[-1].value)]
        past = [fact for fact in account.facts(self._fact) if fact.since < event.at]
        climb = self._climb(past)
        if event.before and self._rank(past[-1].value if past else "") < self._rank(event.before):
            climb.append(Entered(event.at, event.before))
        return climb

    def left(self, event: TierLowered, account: AccountView) -> list[Entered]:
        """Return the levels that a change leaves, the highest first; none is left twice."""
        low, high = self._rank(event.after), self._rank(event.before)
        return [each for each in reversed(self.before(event, account)) if low < self._rank(each.level) <= high]

    def noted(self, event: Changed, account: AccountView, at: int) -> list[Fact]:
        """Return what the history does not say of the climb after a change, or that it says all again."""
        kept = self._rank(event.before if isinstance(event, TierRaised) else event.after)
        now = [each for each in self.before(event, account) if self._rank(each.level) <= kept]
        if isinstance(event, TierRaised):
            now.append(Entered(event.at, event.after))
        told = self._climb(fact for fact in account.facts(self._fact) if fact.since <= event.at)
        text = "" if now == told else json.dumps(now)
        noted = account.facts(self._name)
        return [] if text == (noted[-1].value if noted else "") else [Fact(self._name, text, at, NEVER)]

    def _climb(self, facts: Iterable[Fact]) -> list[Entered]:
        climb: list[Entered] = []
        for since, before, after in changes(facts):
            is_up = self._rank(after) > self._rank(before)
            kept = self._rank(before if is_up else after)
            climb = [each for each in climb if self._rank(each.level) <= kept]
            if is_up:
                climb.append(Entered(since, after))
        return climb

    def _rank(self, level: str) -> int:
        return self._ranks.get(level, -1)
