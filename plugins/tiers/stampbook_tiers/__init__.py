"""Tiers: a ladder of levels by a metric; up at once, down at a review."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Literal

from stampbook import NEVER, AmountError, Due, Event, Fact, Multiplier, Plugin, PluginError, hookimpl
from stampbook_tiers.config import TiersConfig
from stampbook_tiers.rules import Step, rank_of, reached, reviewed

if TYPE_CHECKING:
    from stampbook import AccountView

__all__ = ["TierReview", "Tiers"]


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

    @hookimpl
    def register_events(self) -> list[type[Event]]:
        """Bring the review."""
        return [TierReview]

    @hookimpl
    def assess(self, account: AccountView, at: int, event: Event) -> list[Fact]:
        """Raise the level as soon as the metric reaches it; lower it only at a review."""
        held = account.text(self.config.fact)
        rank = rank_of(self.steps, held)
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
        rank = rank_of(self.steps, account.text(self.config.fact))
        if rank < 0 or event.type == "tier.review":
            return []
        step = self.steps[rank]
        if step.numerator == step.denominator:
            return []
        return [Multiplier(f"{self.name}.{step.name}", self.config.asset, step.numerator, step.denominator)]

    @hookimpl
    def due(self, account: AccountView) -> list[Due]:
        """Review a level that can be lost at the end of each period."""
        if self.config.review is None:
            return []
        rank = rank_of(self.steps, account.text(self.config.fact))
        if rank < 0 or (rank == 0 and not self.steps[0].keep):
            return []
        day = self.config.review.next_start(account.day, self.program.calendar)
        return [Due(self.program.calendar.start_of(day), "tier.review", f"{self.name}:{account.ref}:{day}")]
