"""Options of the tiers plugin."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, ValidationInfo, field_validator, model_validator

from stampbook import PeriodError, PeriodText, PluginConfig, refuse
from stampbook_tiers.periods import Count, Review

_DECIMAL = r"^\d{1,12}(\.\d{1,6})?$"
_Decimal = Annotated[str, Field(pattern=_DECIMAL)]


def _review(text: str) -> str:
    try:
        Review.parse(text)
    except PeriodError as error:
        refuse(str(error))
    return text


def _count(text: str) -> str:
    try:
        Count.parse(text)
    except PeriodError as error:
        refuse(str(error))
    return text


class Gift(PluginConfig):
    """What a level gives to those who enter it, or to those who have it at the beginning of each period."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,62}$", description="unique in the level")]
    amount: Annotated[
        str | None, Field(pattern=_DECIMAL, description="how much, in whole units of the asset; or name a reward")
    ] = None
    reward: Annotated[
        str | None, Field(min_length=1, description="a reward of the program's catalogue, which costs nothing here")
    ] = None
    asset: Annotated[str | None, Field(description="asset to grant; the table's where absent")] = None
    given: Annotated[
        Literal["entry", "each period"],
        Field(description="on entering the level from below, or then and at each review that leaves the level"),
    ] = "entry"
    once: Annotated[
        Annotated[bool, Field(strict=True)] | Literal["a period"],
        Field(
            description="for who enters the level again: not within the period in which it was given (`take_back` has "
            "it given again, since it went back); with true only the first time ever; with false every time"
        ),
    ] = "a period"
    expires: Annotated[
        PeriodText | Literal["never"], Field(description="how long it is good, from the day on which it is given")
    ] = "never"
    pending: Annotated[PeriodText | None, Field(description="how long until it can be spent")] = None
    take_back: Annotated[
        bool,
        Field(strict=True, description="taken back, as far as it is there, when a return undoes the level at once"),
    ] = False
    spent: Annotated[
        Literal["let go", "debt"],
        Field(
            description="with take_back, when it is spent already: it is let go, or the account owes it (needs "
            "debt = true of the asset)"
        ),
    ] = "let go"

    @model_validator(mode="after")
    def _gives_one(self) -> Gift:
        if (self.amount is None) == (self.reward is None):
            refuse("a gift is either an amount or a reward of the catalogue; write one of them")
        terms = {"asset", "expires", "pending", "take_back", "spent"} & self.model_fields_set
        if self.reward is not None and terms:
            refuse(f"{', '.join(sorted(terms))}: a reward has terms of its own, and stays; leave it out")
        if self.spent != "let go" and not self.take_back:
            refuse("spent goes with take_back = true, and only with it")
        return self


class Level(PluginConfig):
    """One level of the ladder."""

    name: Annotated[str, Field(min_length=1, max_length=64, description="as customers know it")]
    reach: Annotated[
        _Decimal | dict[str, str] | tuple[dict[str, str], ...],
        Field(
            description="value of the metric from which it is reached; or a table of values by metric, with "
            "tenure = '2 years' for the time since the account was opened; or a list of tables, any of which will do"
        ),
    ] = "0"
    keep: Annotated[
        _Decimal | dict[str, str] | tuple[dict[str, str], ...] | None,
        Field(description="value from which a review keeps it, or a table, or a list; that of reach where absent"),
    ] = None
    match: Annotated[
        Literal["all", "any"], Field(description="of several metrics: all have to be there, or any one will do")
    ] = "all"
    invitation: Annotated[
        bool, Field(strict=True, description="whether only those who are invited can reach it; reviews keep it as any")
    ] = False
    multiplier: Annotated[str, Field(pattern=_DECIMAL, description="by which earning is multiplied")] = "1"
    expires: Annotated[
        PeriodText | Literal["never"] | None,
        Field(description="how long what is earned at this level is good at least; the rule's own terms where absent"),
    ] = None
    gifts: Annotated[
        tuple[Gift, ...], Field(alias="gift", description="what the level gives on entry, or each period")
    ] = ()

    @model_validator(mode="after")
    def _named(self) -> Level:
        for goal in (self.reach, self.keep):
            tables = goal if isinstance(goal, tuple) else (goal,)
            if not tables or {} in tables:
                refuse("name a metric, as in { stays = '6', nights = '30' }, or write one value")
        if self.match == "any" and any(isinstance(goal, tuple) for goal in (self.reach, self.keep)):
            refuse("match: of a list any table will do, and all of a table have to be there; leave match out")
        names = [gift.name for gift in self.gifts]
        for name in sorted({name for name in names if names.count(name) > 1}):
            refuse(f"two gifts are named {name!r}; give one of them another name")
        return self


class TiersConfig(PluginConfig):
    """A ladder of levels by one metric or several: separate rules to reach a level and to keep it."""

    metric: Annotated[
        str | None,
        Field(description="metric of the program that a plain `reach` or `keep` means; a table names its own"),
    ] = None
    ended: Annotated[
        bool,
        Field(
            strict=True,
            description="for a ladder that is no more, in place of its levels: who has one loses it when the program "
            "begins. A ladder that is only left out leaves its levels as they are",
        ),
    ] = False
    levels: Annotated[tuple[Level, ...], Field(alias="level", description="from lowest to highest")] = ()
    asset: Annotated[str, Field(description="asset whose awards are multiplied")] = "points"
    period: Annotated[
        Annotated[str, AfterValidator(_count)] | None,
        Field(
            description="which days count: a window, 'membership year', or 'since last change' of the level; the "
            "metric's own window where absent. The metric's window has to be as long",
            examples=["calendar year", "membership year", "since last change"],
        ),
    ] = None
    review: Annotated[
        Annotated[str, AfterValidator(_review)] | None,
        Field(
            description="when levels can fall: at the end of a calendar unit or of the membership year, after having "
            "been held so long, or at once on the day that no longer keeps them; never where absent",
            examples=["calendar year", "membership year, end of month", "12 months, end of month", "at once"],
        ),
    ] = None
    grace: Annotated[
        PeriodText | None, Field(description="how long after the end of a period a level that is not kept is left")
    ] = None
    upgrade: Annotated[
        Literal["at once", "at review"], Field(description="when a level that is reached is entered")
    ] = "at once"
    downgrade: Annotated[
        Literal["matching", "one step", "none"], Field(description="how far a review takes a level down")
    ] = "matching"
    returns: Annotated[
        Literal["at review", "at once", "never"],
        Field(
            description="a return undoes what reached the level: the next review sees it; the level falls at once to "
            "what is left; or it is forgiven, at the next review too"
        ),
    ] = "at review"
    announce: Annotated[
        bool,
        Field(
            strict=True,
            description="whether the events tier.raised and tier.lowered follow a change, for rules to react to; a "
            "ladder with gifts always has them",
        ),
    ] = False
    fact: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,50}$", description="name of the fact that it keeps")] = (
        "tier"
    )

    @model_validator(mode="before")
    @classmethod
    def _told_of_its_levels(cls, data: object) -> object:
        return {"level": [], **data} if isinstance(data, dict) and not data.get("ended") else data

    @field_validator("levels")
    @classmethod
    def _has_some(cls, levels: tuple[Level, ...], info: ValidationInfo) -> tuple[Level, ...]:
        if not levels and not info.data.get("ended"):
            refuse("a ladder needs levels: write [[plugin.level]]; one that is no more says ended = true")
        return levels

    @model_validator(mode="after")
    def _has_only_its_fact(self) -> TiersConfig:
        others = sorted(self.model_fields_set - {"fact", "ended", "announce"})
        if self.ended and others:
            named = ", ".join(TiersConfig.model_fields[name].alias or name for name in others)
            refuse(f"ended: of a ladder that is no more there is only the fact; leave out {named}")
        return self

    @model_validator(mode="after")
    def _rising(self) -> TiersConfig:
        names = [level.name for level in self.levels]
        for name in sorted({name for name in names if names.count(name) > 1}):
            refuse(f"two levels are named {name!r}; give one of them another name")
        at_once = self.review == "at once"
        if self.upgrade == "at review" and (self.review is None or at_once):
            refuse("upgrade: 'at review' needs a review at the end of a period")
        if self.grace is not None and (self.review is None or at_once):
            refuse("grace: it follows the end of a period; name one with review")
        if self.downgrade == "one step" and at_once:
            refuse("downgrade: 'one step' is a step a period; with review = 'at once' there is none")
        if self.returns == "never" and at_once:
            refuse("returns: 'never' forgives until the next review; with review = 'at once' there is none")
        if self.returns == "at once" and self.period == "since last change":
            refuse("returns: what counts since the last change cannot be undone at once; write 'at review'")
        if self.review is None and any(gift.given == "each period" for level in self.levels for gift in level.gifts):
            refuse("gift: 'each period' needs a review at the end of a period")
        return self
