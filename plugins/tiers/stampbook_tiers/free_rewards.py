"""Rewards of the catalogue that a level gives for nothing: on entry, or each period. Another plugin hands them out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stampbook import NEVER, Due, Fact
from stampbook_tiers.events import TierReview

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from stampbook import AccountView, Event
    from stampbook_tiers.benefits import Benefits
    from stampbook_tiers.config import Gift, TiersConfig


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

    def following(self, facts: Sequence[Fact], account: AccountView, event: Event) -> Iterator[Due]:
        """Yield the rewards that follow from a level that was entered or kept; `account` is as it was before."""
        before = account.text(self._fact)
        for fact in facts:
            if fact.name == self._period:
                yield from self._given(self._each_period(fact.reason), fact, account, fact.reason)
            elif fact.name == self._fact and fact.value != before:
                up = self._ranks.get(fact.value, -1) > self._ranks.get(before, -1)
                gifts = self._entered(fact, account, facts) if up else []
                if not up and isinstance(event, TierReview):
                    gifts = self._each_period(fact.value)
                yield from self._given(gifts, fact, account, fact.value)

    def _entered(self, fact: Fact, account: AccountView, learned: Sequence[Fact]) -> list[Gift]:
        level = fact.value
        if level in self._rewards:
            before = [past.since for past in account.facts(self._fact) if past.value == level]
            again = self._benefits.is_known(level, account, fact.since, before, learned)
            return [gift for gift in self._rewards.get(level, ()) if not (gift.once and again)]
        return []

    def _each_period(self, level: str) -> list[Gift]:
        return [gift for gift in self._rewards.get(level, ()) if gift.given == "each period"]

    def _given(self, gifts: Iterable[Gift], fact: Fact, account: AccountView, level: str) -> Iterator[Due]:
        for gift in gifts:
            why = f"{self._name}.{level}.{gift.name}"
            seed = account.derive(f"{why}:{fact.since}:{account.position}")
            details = {"reward": gift.reward, "why": why, "seed": f"{seed:x}"}
            yield Due(fact.since, "reward.given", f"{self._name}:{account.ref}:{gift.name}", details)
