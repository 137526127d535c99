"""What operators did to levels of two accounts that become one, or two again: grants, locks and invitations."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from stampbook import NEVER, AccountJoined, Fact

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stampbook import AccountParting, AccountView
    from stampbook_tiers.by_hand import ByHand


class Hands:
    """Takes over what operators did to the account that comes, and lets go of it where that leaves again."""

    def __init__(self, name: str, by_hand: ByHand, ranks: Mapping[str, int]) -> None:
        self._by_hand = by_hand
        self._ranks = ranks
        self._memory = f"_{name}.hands:"

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the facts that come along."""
        return self._by_hand.granted, self._by_hand.locked, self._by_hand.invited

    def facts(self, event: AccountJoined | AccountParting, account: AccountView, at: int) -> list[Fact]:
        """Return what holds from now on, and what held before, for the case that the account leaves again."""
        return (
            self._joined(event, account, at) if isinstance(event, AccountJoined) else self._parted(event, account, at)
        )

    def _joined(self, event: AccountJoined, account: AccountView, at: int) -> list[Fact]:
        facts: list[Fact] = []
        before: dict[str, tuple[str, int]] = {}
        for name in self.names:
            theirs = next(
                (fact for fact in reversed(event.facts_of_other(name)) if fact.since <= at < fact.until), None
            )
            own = account.fact(name)
            if theirs is None or theirs.value not in self._ranks:
                continue
            if own is None or not own.value or self._strength(theirs) > self._strength(own):
                facts.append(Fact(name, theirs.value, at, theirs.until, f"merged with {event.other}: {theirs.reason}"))
                before[name] = ("", NEVER) if own is None else (own.value, own.until)
        if facts:
            facts.append(Fact(self._memory + event.other, json.dumps(before), at, NEVER))
        return facts

    def _strength(self, fact: Fact) -> tuple[int, int]:
        """Return by what one of two is chosen: of locks the longer, then the lower; of the others the higher level."""
        rank = self._ranks.get(fact.value, -1)
        return (fact.until, -rank) if fact.name == self._by_hand.locked else (rank, fact.until)

    def _parted(self, event: AccountParting, account: AccountView, at: int) -> list[Fact]:
        memory = account.fact(self._memory + event.to)
        if memory is None or not memory.value:
            return []
        facts = [Fact(memory.name, "", at, NEVER)]
        for name, (value, until) in json.loads(memory.value).items():
            held = account.facts(name)
            if held and held[-1].since == memory.since:  # nobody has touched it since
                end = until if until > at else NEVER
                facts.append(Fact(name, value if until > at else "", at, end, f"no longer merged with {event.to}"))
        return facts
