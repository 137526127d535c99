"""Rewards of the catalogue that a level gives for nothing: on entry, or each period. Another plugin hands them out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stampbook import NEVER, Due, Fact
from stampbook_tiers.history import changes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from stampbook import AccountView, Event
    from stampbook_tiers.benefits import Benefits
    from stampbook_tiers.config import Gift, TiersConfig
    from stampbook_tiers.events import TierReview
    from stampbook_tiers.history import Change


class FreeRewards:
    """The rewards of each level of a ladder."""

    def __init__(self, name: str, config: TiersConfig, ranks: Mapping[str, int], benefits: Benefits) -> None:
        self._name = name
        self._benefits = benefits
        self._fact = config.fact
        self._ranks = ranks
        self._period = f"_{config.fact}_period"
        self._rewards = {level.name: [gift for gift in level.gifts if gift.reward] for level in config.levels}
        self.wants: dict[str, tuple[str | int, ...]] = {
            f"reward {gift.reward}": ("level", place, "gift", number, "reward")
            for place, level in enumerate(config.levels)
            for number, gift in enumerate(level.gifts)
            if gift.reward
        }

    def kept(self, event: TierReview, account: AccountView, facts: Iterable[Fact]) -> Iterator[Fact]:
        """Yield the memory that a level with rewards each period was kept over a review: what follows gives them."""
        held = account.fact(self._fact)
        changed = any(fact.name == self._fact for fact in facts)
        if held is not None and not changed and self._each_period(held.value):
            yield Fact(self._period, event.id, event.at, NEVER, held.value)

    def kept_after_all(self, event: Event, kept: Iterable[Fact]) -> Iterator[Fact]:
        """Yield the same of levels that late news keeps at reviews that had come to another conclusion."""
        for fact in kept:
            if self._each_period(fact.value):
                yield Fact(self._period, event.id, fact.since, NEVER, fact.value)

    def following(
        self, changes: Iterable[tuple[Change, str]], facts: Sequence[Fact], account: AccountView
    ) -> Iterator[Due]:
        """Yield the rewards that follow from levels that were entered or kept; `account` is as it was before."""
        for fact in facts:
            if fact.name == self._period:
                yield from self._given(self._each_period(fact.reason), fact.since, account, fact.reason)
        for change, cause in changes:
            up = self._ranks.get(change.after, -1) > self._ranks.get(change.before, -1)
            gifts = self._entered(change, account, facts) if up else []
            if not up and cause == "tier.review":
                gifts = self._each_period(change.after)
            yield from self._given(gifts, change.since, account, change.after)

    def _entered(self, change: Change, account: AccountView, learned: Sequence[Fact]) -> list[Gift]:
        level = change.after
        if level in self._rewards:
            before = [past for past in changes(account.facts(self._fact)) if past.after == level]
            gives = self._benefits.entering(level, account, change.since, before, learned)
            return [gift for gift in self._rewards.get(level, ()) if gives(gift)]
        return []

    def _each_period(self, level: str) -> list[Gift]:
        return [gift for gift in self._rewards.get(level, ()) if gift.given == "each period"]

    def _given(self, gifts: Iterable[Gift], at: int, account: AccountView, level: str) -> Iterator[Due]:
        for gift in gifts:
            why = f"{self._name}.{level}.{gift.name}"
            seed = account.derive(f"{why}:{at}:{account.position}")
            details = {"reward": gift.reward, "why": why, "seed": f"{seed:x}"}
            yield Due(at, "reward.given", f"{self._name}:{account.ref}:{gift.name}", details)
