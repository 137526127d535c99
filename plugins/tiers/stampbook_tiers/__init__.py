"""Tiers: a ladder of levels by a metric; up at once, down at a review."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from stampbook import NEVER, AmountError, Due, Event, Fact, Multiplier, Plugin, PluginError, hookimpl
from stampbook_tiers.config import TiersConfig
from stampbook_tiers.rules import Step, reached, reviewed

if TYPE_CHECKING:
    from stampbook import AccountView

__all__ = ["TierReview", "Tiers"]

MOST_DAYS = 50_000


class TierReview(Event):
    """A tier period ended."""

    brought_by_time: ClassVar[bool] = True

    type: Literal["tier.review"] = "tier.review"


class Tiers(Plugin[TiersConfig]):
    """Keeps the fact of an account's level and multiplies what its purchases earn."""

    Config = TiersConfig

    def prepare(self) -> None:
        """Read the thresholds in the metric's own units."""
        places = self.program.metric_decimals.get(self.config.metric)
        if places is None:
            known = ", ".join(self.program.metric_decimals) or "none"
            message = f"metric {self.config.metric!r} is not declared under [metrics], which has {known}"
            raise PluginError(message)
        if self.config.asset not in self.program.assets:
            message = f"asset {self.config.asset!r} is not an asset of the program"
            raise PluginError(message)
        self._units = self.program.metric_asset(self.config.metric)
        steps: list[Step] = []
        for level in self.config.levels:
            try:
                reach = self._units.units(level.reach)
                keep = reach if level.keep is None else self._units.units(level.keep)
            except AmountError as error:
                message = f"level {level.name!r}: {error}"
                raise PluginError(message) from None
            if steps and reach <= steps[-1].reach:
                message = f"level {level.name!r} is not above {steps[-1].name!r}; list levels from lowest to highest"
                raise PluginError(message)
            whole, _, fraction = level.multiplier.partition(".")
            steps.append(Step(level.name, reach, keep, int(whole + fraction), 10 ** len(fraction)))
        self.steps = tuple(steps)
        self._rank = {step.name: rank for rank, step in enumerate(steps)}
        self._multipliers = [
            [Multiplier(f"{self.name}.{step.name}", self.config.asset, step.numerator, step.denominator)]
            if step.numerator != step.denominator
            else []
            for step in steps
        ]
        self._reviews: dict[int, tuple[int, int]] = {}

    @hookimpl
    def register_events(self) -> list[type[Event]]:
        """Bring the review."""
        return [TierReview]

    @hookimpl
    def assess(self, account: AccountView, at: int, event: Event) -> list[Fact]:
        """Raise the level as soon as the metric reaches it; lower it only at a review."""
        rank = self._rank.get(account.text(self.config.fact), -1)
        if event.type == "tier.review":
            if not event.id.startswith(f"{self.name}:"):
                return []
            value = account.metric_on(self.config.metric, account.day - 1)
            after = reviewed(self.steps, rank, value, self.config.downgrade)
        else:
            value = account.metric(self.config.metric)
            after = max(rank, reached(self.steps, value))
        if after == rank:
            return []
        name = self.steps[after].name if after >= 0 else ""
        border = self.steps[after].reach if after > rank else self.steps[rank].keep
        reason = f"{self.config.metric} {self._units.text(value)} {'reached' if after > rank else 'is below'} "
        return [Fact(self.config.fact, name, at, NEVER, reason + self._units.text(border))]

    @hookimpl
    def reward(self, event: Event, account: AccountView) -> list[Multiplier]:
        """Multiply what the event earns."""
        rank = self._rank.get(account.text(self.config.fact), -1)
        if rank < 0 or event.type == "tier.review":
            return []
        return self._multipliers[rank]

    @hookimpl
    def due(self, account: AccountView) -> list[Due]:
        """Review a level that can be lost at the end of each period."""
        if self.config.review is None:
            return []
        rank = self._rank.get(account.text(self.config.fact), -1)
        if rank < 0 or (rank == 0 and not self.steps[0].keep):
            return []
        day, start = self._next_review(account.day)
        return [Due(start, "tier.review", f"{self.name}:{account.ref}:{day}")]

    def _next_review(self, today: int) -> tuple[int, int]:
        """Return the day and instant of the next review; days repeat, so they are remembered."""
        found = self._reviews.get(today)
        if found is None and self.config.review is not None:
            if len(self._reviews) > MOST_DAYS:
                self._reviews.clear()
            day = self.config.review.next_start(today, self.program.calendar)
            found = self._reviews[today] = (day, self.program.calendar.start_of(day))
        return found or (0, NEVER)
