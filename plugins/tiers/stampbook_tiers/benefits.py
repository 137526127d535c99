"""What a level gives: a multiplier, a longer life for what is earned, and gifts on entry or each period."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal, NamedTuple

from stampbook import (
    NEVER,
    AccountParting,
    AmountError,
    Entitlement,
    Fact,
    GoodUntil,
    Multiplier,
    PluginError,
)
from stampbook_tiers.climbing import Climb
from stampbook_tiers.events import UNDOING, TierLowered, TierRaised, TierReview
from stampbook_tiers.history import changes, level_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from stampbook import AccountJoined, AccountView, Plugin
    from stampbook_tiers.config import Gift, Level, TiersConfig
    from stampbook_tiers.events import TierDue
    from stampbook_tiers.history import Change
    from stampbook_tiers.measures import Measures
    from stampbook_tiers.rules import Step

    Changed = TierRaised | TierLowered
    OfTime = TierReview | TierDue


class _Gift(NamedTuple):
    """A gift with what is worked out once; `units` are smallest units."""

    rule: str
    asset: str
    units: int
    each_period: bool
    once: bool | Literal["a period"]
    take_back: bool
    owed: bool
    ends: Callable[[int], int] | None
    begins: Callable[[int], int] | None


class Benefits:
    """The benefits of each level of a ladder.

    Raises:
        PluginError: an asset is not there, or an amount has more decimals than it.
    """

    def __init__(self, plugin: Plugin[TiersConfig], steps: tuple[Step, ...], measures: Measures) -> None:
        config = plugin.config
        self._measures = measures
        self._plugin = plugin
        self._fact = config.fact
        self._asset = config.asset
        if steps:
            self._check_asset(config.asset)
        calendar = plugin.program.calendar
        self._multipliers = [
            [Multiplier(f"{plugin.name}.{step.name}", config.asset, step.numerator, step.denominator)]
            if step.numerator != step.denominator
            else []
            for step in steps
        ]
        self._lives: dict[int, tuple[str, Callable[[int], int] | None]] = {
            rank: (
                f"{plugin.name}.{level.name}",
                None if isinstance(level.expires, str) else level.expires.ends(calendar),
            )
            for rank, level in enumerate(config.levels)
            if level.expires is not None
        }
        self._gifts = {
            level.name: [self._gift(level, gift, gift.amount) for gift in level.gifts if gift.amount is not None]
            for level in config.levels
        }
        self._ranks = {level.name: rank for rank, level in enumerate(config.levels)}
        self._climb = Climb(plugin.name, config.fact, self._ranks)
        self._takes_back = any(gift.take_back for level in config.levels for gift in level.gifts)
        self.has_gifts = any(level.gifts for level in config.levels)
        self._has_once = any(gift.once is True for level in config.levels for gift in level.gifts)
        self._elsewhere = f"_{plugin.name}.entered:"
        if self._has_once:
            plugin.program.carry_facts(self._fact, self._elsewhere)
        self.each_period = frozenset(
            level.name for level in config.levels if any(gift.given == "each period" for gift in level.gifts)
        )

    def _check_asset(self, asset: str) -> None:
        if asset not in self._plugin.program.assets:
            message = f"asset {asset!r} is not an asset of the program"
            raise PluginError(message)

    def _gift(self, level: Level, gift: Gift, amount: str) -> _Gift:
        code, calendar = gift.asset or self._asset, self._plugin.program.calendar
        self._check_asset(code)
        asset = self._plugin.program.assets[code]
        try:
            units = asset.units(amount)
        except AmountError as error:
            message = f"level {level.name!r}: gift {gift.name!r}: {error}"
            raise PluginError(message) from None
        if gift.spent == "debt" and not asset.debt:
            message = (
                f"level {level.name!r}: gift {gift.name!r}: spent = 'debt' needs an asset that may be owed: "
                f"[assets.{code}] debt = true"
            )
            raise PluginError(message)
        return _Gift(
            f"{self._plugin.name}.{level.name}.{gift.name}",
            code,
            units,
            gift.given == "each period",
            gift.once,
            gift.take_back,
            gift.spent == "debt",
            None if isinstance(gift.expires, str) else gift.expires.ends(calendar),
            None if gift.pending is None else gift.pending.ends(calendar),
        )

    def of_level(self, rank: int, at: int) -> list[Multiplier | GoodUntil]:
        """Return what a level does for whatever is earned on an event."""
        if not self._lives:
            return self._multipliers[rank]  # type: ignore[return-value]  # a list that nobody changes
        wishes: list[Multiplier | GoodUntil] = [*self._multipliers[rank]]
        if rank in self._lives:
            rule, ends = self._lives[rank]
            wishes.append(GoodUntil(rule, self._asset, NEVER if ends is None else ends(at)))
        return wishes

    def of_event(self, event: Changed | TierReview, account: AccountView) -> list[Entitlement]:
        """Return the gifts for a level that was entered, or kept over a review; or what goes back of them.

        A gift is exactly its amount: nothing multiplies, stacks or limits it, so that as much can be taken back.
        """
        if isinstance(event, TierReview):
            held = account.fact(self._fact)
            if held is None or held.since >= event.at:
                return []
            return [self._given(gift, event.at) for gift in self._gifts.get(held.value, ()) if gift.each_period]
        if isinstance(event, TierRaised):
            past = [change for change in changes(account.facts(self._fact)) if change.after == event.after]
            now = past.pop().since if past else event.at
            gives = self.entering(event.after, account, now, past)
            gifts = [gift for gift in self._gifts.get(event.after, ()) if gives(gift)]
        elif event.cause in UNDOING:
            return [self._given(gift, at, sign=-1) for gift, at in self._undone(event, account)]
        else:
            at_review = event.cause == "tier.review"
            gifts = [gift for gift in self._gifts.get(event.after, ()) if gift.each_period and at_review]
        return [self._given(gift, event.at) for gift in gifts]

    def of_reviews(self, kept: Iterable[Fact]) -> list[Entitlement]:
        """Return the gifts for levels that reviews keep after all, as of those reviews."""
        return [
            self._given(gift, fact.since)
            for fact in kept
            for gift in self._gifts.get(fact.value, ())
            if gift.each_period
        ]

    def joined(self, event: AccountJoined | AccountParting, account: AccountView, at: int) -> list[Fact]:
        """Return which levels an account that comes in had entered, or that one that leaves takes them along."""
        if not self._has_once:
            return []
        if isinstance(event, AccountParting):
            held = account.text(f"{self._elsewhere}{event.to}")
            return [Fact(f"{self._elsewhere}{event.to}", "", at, NEVER)] if held else []
        levels = {fact.value for fact in event.facts_of_other(self._fact) if fact.value}
        for name, past in event.all_of_other():
            if name.startswith(self._elsewhere) and past[-1].value:
                levels.update(json.loads(past[-1].value))
        return [Fact(f"{self._elsewhere}{event.other}", json.dumps(sorted(levels)), at, NEVER)] if levels else []

    def entering(
        self, level: str, account: AccountView, at: int, before: Sequence[Change], learned: Sequence[Fact] = ()
    ) -> Callable[[_Gift | Gift], bool]:
        """Return which gifts of a level are given to an account that enters it from below.

        Args:
            level: its name.
            account: that enters it.
            at: when it does.
            before: the changes by which it had come to that level earlier.
            learned: facts of the event at hand, where the account is as it was before.
        """
        again = self.is_known(level, account, at, [change.since for change in before], learned)
        begun = self._measures.period_start(account, at)
        rank = self._ranks.get(level, -1)
        climbed = any(change.since >= begun and self._ranks.get(change.before, -1) < rank for change in before)
        past = account.facts(self._fact)
        kept = level_at(past, begun - 1) == level_at(past, begun) == level

        def gives(gift: _Gift | Gift) -> bool:
            if gift.once is True:
                return not again
            if gift.once is False or gift.take_back:
                return True
            each_period = gift.each_period if isinstance(gift, _Gift) else gift.given == "each period"
            return not climbed and not (kept and each_period)

        return gives

    def is_known(
        self, level: str, account: AccountView, at: int, before: Sequence[int], learned: Sequence[Fact] = ()
    ) -> bool:
        """Whether a level that is entered is none that the customer enters for the first time.

        Args:
            level: its name.
            account: that enters it.
            at: when it does.
            before: when it had entered it earlier; what it then owed to an account that has left again does not count.
            learned: facts of the event at hand, where the account is as it was before.
        """
        if not self._has_once:
            return False
        noted = [fact for name in account.fact_names for fact in account.facts(name)]
        elsewhere = [
            (fact.since, fact.until)
            for fact in (*noted, *learned)
            if fact.name.startswith(self._elsewhere) and fact.value and level in json.loads(fact.value)
        ]
        own = [entered for entered in before if not any(since <= entered < until for since, until in elsewhere)]
        return bool(own) or any(since <= at < until for since, until in elsewhere)

    def _given(self, gift: _Gift, at: int, sign: int = 1) -> Entitlement:
        return Entitlement(
            gift.rule,
            gift.asset,
            sign * gift.units,
            "bonus",
            at if gift.begins is None else gift.begins(at),
            NEVER if gift.ends is None else gift.ends(at),
            owed=gift.owed,
        )

    def climbed(self, event: Changed, account: AccountView, at: int) -> list[Fact]:
        """Return what has to be kept of a change of level, so that its gifts can be taken back."""
        return self._climb.noted(event, account, at) if self._takes_back else []

    def _undone(self, event: TierLowered, account: AccountView) -> Iterator[tuple[_Gift, int]]:
        """Yield the gifts of levels that are no longer reached, each with the instant at which it was given."""
        entered = [(change.after, change.since) for change in changes(account.facts(self._fact))]
        for since, name in self._climb.left(event, account):
            again = self.is_known(name, account, since, [at for level, at in entered if level == name and at < since])
            for gift in self._gifts.get(name, ()):
                if gift.take_back and not (gift.once is True and again):
                    yield gift, since
