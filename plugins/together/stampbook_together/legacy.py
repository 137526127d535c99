"""Legacy: what accounts bring along from another system, with its own ends, counts and level."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, field_validator, model_validator

from stampbook import (
    NEVER,
    Amount,
    AmountError,
    Deposit,
    End,
    Event,
    Fact,
    Instant,
    Objection,
    Plugin,
    PluginConfig,
    PositiveAmount,
    Tally,
    check_values,
    hookimpl,
    refuse,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stampbook import AccountView

OPENING = "opening"
"""The book out of which comes what accounts bring along."""

_Kind = Literal["earned", "bonus", "paid", "adjusted"]
_Day = Annotated[str, Field(pattern=r"^\d{4}-\d{2}-\d{2}$")]
_Decimal = Annotated[str, Field(pattern=r"^\d{1,15}(\.\d{1,6})?$")]
_Name = Annotated[str, Field(min_length=1, max_length=64)]


class Ladder(PluginConfig):
    """A ladder of the tiers plugin whose levels may be brought along."""

    fact: Annotated[_Name, Field(description="the fact that keeps the level")] = "tier"
    levels: Annotated[tuple[_Name, ...], Field(min_length=1, description="the levels that there are")]

    @field_validator("levels")
    @classmethod
    def _possible(cls, levels: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        check_values(info, info.data.get("fact", ""), levels)
        return levels


class LegacyConfig(PluginConfig):
    """What may be brought along."""

    expired: Annotated[
        Literal["refuse", "skip"],
        Field(description="what has ended already when it is brought along: refuse the event, or leave it out"),
    ] = "refuse"
    ladders: Annotated[
        tuple[Ladder, ...], Field(alias="ladder", description="ladders whose levels may be brought along")
    ] = ()


class LegacyLot(BaseModel):
    """An amount with terms of its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    amount: PositiveAmount
    kind: _Kind | None = None
    effective: Instant | None = None
    expires: End | None = None
    priority: Annotated[int, Field(strict=True, ge=-100, le=100)] = 0


class LegacyImported(Event):
    """What an account had elsewhere: an amount or lots of one asset, what metrics count, and a level.

    `expires` and `level_until` are last days where they are dates.
    """

    asset_field: ClassVar[str] = "asset"
    earns: ClassVar[bool] = False

    type: Literal["legacy.imported"] = "legacy.imported"
    asset: str | None = None
    amount: Amount | None = None
    kind: _Kind | None = None
    effective: Instant | None = None
    expires: End | None = None
    lots: tuple[LegacyLot, ...] = ()
    metric: _Name | None = None
    value: _Decimal | None = None
    metrics: dict[_Name, _Decimal] = Field(default_factory=dict)
    on: _Day | None = None
    scheme: _Name = "tier"
    level: _Name | None = None
    level_until: End | None = None
    reason: Annotated[str, Field(max_length=1000, pattern=r"^[^\x00]*$")] = ""
    operator: Annotated[str, Field(max_length=255)] = ""

    @model_validator(mode="after")
    def _fits(self) -> LegacyImported:
        terms = (self.kind, self.effective, self.expires)
        if self.amount is None and any(term is not None for term in terms):
            refuse("kind, effective and expires go with amount; lots have their own")
        if self.amount is not None and self.lots:
            refuse("write either amount or lots")
        if (self.metric is None) != (self.value is None):
            refuse("metric and value go together")
        if self.on is not None and self.metric is None and not self.metrics:
            refuse("on goes with metric or metrics")
        if self.level_until is not None and self.level is None:
            refuse("level_until goes with level")
        if self.amount is None and not self.lots and self.metric is None and not self.metrics and self.level is None:
            refuse("it brings nothing along; write amount, lots, metric or level")
        return self

    def all_lots(self) -> Iterator[LegacyLot]:
        """Yield what it brings, the single amount as a lot; an amount of zero is none."""
        if self.amount:
            yield LegacyLot.model_construct(
                amount=self.amount, kind=self.kind, effective=self.effective, expires=self.expires, priority=0
            )
        yield from self.lots

    def counted(self) -> Iterator[tuple[str, str]]:
        """Yield metrics and their values as texts."""
        if self.metric is not None and self.value is not None:
            yield self.metric, self.value
        yield from sorted(self.metrics.items())


class Legacy(Plugin[LegacyConfig]):
    """Opens accounts with what they had elsewhere."""

    Config = LegacyConfig
    sole = "only the last one would be heard"

    def prepare(self) -> None:
        """Note the levels of each ladder."""
        self._ladders = {ladder.fact: ladder.levels for ladder in self.config.ladders}

    @hookimpl
    def register_events(self) -> list[type[Event]]:
        """Bring the one event."""
        return [LegacyImported]

    @hookimpl
    def propose(self, event: Event, account: AccountView) -> list[Deposit | Tally | Objection]:
        """Open the lots and count the metrics, or say all that is wrong."""
        if not isinstance(event, LegacyImported):
            return []
        steps: list[Deposit | Tally | Objection] = [
            *self._deposits(event),
            *self._counts(event, account),
            *self._level_objections(event),
        ]
        return [step for step in steps if isinstance(step, Objection)] or steps

    def _deposits(self, event: LegacyImported) -> Iterator[Deposit | Objection]:
        code = event.asset or self.program.currency.code
        asset = self.program.asset(code)
        for lot in event.all_lots():
            effective_at = event.at if lot.effective is None else lot.effective
            expires_at = NEVER if lot.expires is None else lot.expires
            kind = lot.kind or ("paid" if asset.is_currency else "earned")
            if expires_at <= effective_at and expires_at > event.at:
                yield Objection("never_good", f"{asset.told(lot.amount)} would end before it can be spent")
            elif expires_at > event.at:
                yield Deposit(code, lot.amount, OPENING, kind, effective_at, expires_at, lot.priority, self.name)
            elif self.config.expired == "refuse":
                yield Objection("expired", f"{asset.told(lot.amount)} ended before it was brought along")

    def _counts(self, event: LegacyImported, account: AccountView) -> Iterator[Tally | Objection]:
        day = account.day
        if event.on is not None:
            try:
                day = date.fromisoformat(event.on).toordinal()
            except ValueError:
                yield Objection("no_such_day", f"{event.on!r} is no day of the calendar")
        if day > account.day:
            yield Objection("in_the_future", f"{event.on} is after the event")
        known = [name for name in self.program.metric_decimals if "/" not in name and name not in self.program.distinct]
        for name, text in event.counted():
            if name not in known:
                there = ", ".join(known) or "none"
                yield Objection("unknown_metric", f"{name!r} is no metric that can be brought along; there are {there}")
                continue
            try:
                units = self.program.metric_asset(name).units(text)
            except AmountError as error:
                yield Objection("unreadable_value", f"{name}: {error}")
                continue
            if units:
                yield Tally(name, units, day)

    def _level_objections(self, event: LegacyImported) -> Iterator[Objection]:
        if event.level is None:
            return
        levels = self._ladders.get(event.scheme)
        if levels is None:
            known = ", ".join(self._ladders) or "none; write [[plugin.ladder]]"
            yield Objection("unknown_scheme", f"no levels of {event.scheme!r} can be brought along; there are {known}")
        elif event.level not in levels:
            yield Objection(
                "unknown_level", f"{event.level!r} is no level of {event.scheme}; there are {', '.join(levels)}"
            )
        elif event.level_until is not None and event.level_until <= event.at and self.config.expired == "refuse":
            yield Objection("expired", f"{event.scheme} {event.level!r} ended before it was brought along")

    @hookimpl
    def assess(self, event: Event, at: int) -> list[Fact]:
        """Conclude the level; with an end it is a grant by hand, after which the account is judged by what it did."""
        if not isinstance(event, LegacyImported) or event.level is None:
            return []
        until = NEVER if event.level_until is None else event.level_until
        if until <= at:
            return []
        why = event.reason or "brought along"
        facts = [Fact(event.scheme, event.level, at, NEVER, why)]
        if until < NEVER:
            facts.append(Fact(f"{event.scheme}_granted", event.level, at, until, why))
        return facts


__all__ = ["Ladder", "Legacy", "LegacyConfig", "LegacyImported", "LegacyLot"]
