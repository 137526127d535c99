"""Options of the achievements plugin."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from stampbook import PeriodText, PluginConfig, ValidityText, WindowText, refuse

_DECIMAL = r"^\d{1,12}(\.\d{1,6})?$"
Spent = Literal["make up", "debt", "let go"]
_DAY = r"^\d{4}-\d{2}-\d{2}$"


class Achievement(PluginConfig):
    """One thing that an account can achieve: so much of a metric, or so many periods in a row."""

    name: Annotated[
        str, Field(pattern=r"^[a-z][a-z0-9_-]{0,62}$", description="unique in the table; shown to customers' helpers")
    ]
    metric: Annotated[str, Field(description="metric of the program that it counts")]
    goal: Annotated[str, Field(pattern=_DECIMAL, description="how much of the metric; with in_a_row: how many periods")]
    window: Annotated[
        WindowText | None,
        Field(
            description="the days within which the goal is to be reached; the metric's own window where absent",
            examples=["30 days", "calendar month", "lifetime"],
        ),
    ] = None
    in_a_row: Annotated[
        Literal["days", "weeks", "months", "quarters", "years"] | None,
        Field(description="count periods without a gap instead: a streak"),
    ] = None
    each: Annotated[
        str | None,
        Field(pattern=_DECIMAL, description="with in_a_row: how much of the metric makes a period count; 1 if absent"),
    ] = None
    week_starts: Annotated[
        Literal["monday", "saturday", "sunday"], Field(description="with in_a_row = 'weeks': the first day of a week")
    ] = "monday"
    once_a_day: Annotated[bool, Field(strict=True, description="whether a day counts as one, however often")] = False
    repeat: Annotated[
        Literal["once", "once a window", "every time"],
        Field(description="how often it is earned: once for ever, once in each calendar window, or every time anew"),
    ] = "once"
    most: Annotated[
        int | None, Field(strict=True, ge=1, description="how often at most, in all; no limit where absent")
    ] = None
    from_day: Annotated[
        str | None,
        Field(
            alias="from",
            pattern=_DAY,
            examples=["2025-03-01"],
            description="the first day that counts; every day where absent",
        ),
    ] = None
    until_day: Annotated[
        str | None,
        Field(
            alias="until",
            pattern=_DAY,
            examples=["2025-03-31"],
            description="the last day that counts; no last one where absent",
        ),
    ] = None
    grants: Annotated[
        str | None, Field(pattern=_DECIMAL, description="how much of the asset it is worth; only the fact where absent")
    ] = None
    asset: Annotated[str | None, Field(description="asset to grant; the table's where absent")] = None
    kind: Annotated[Literal["earned", "bonus"], Field(description="kind of the lot")] = "earned"
    expires: Annotated[
        ValidityText | None, Field(description="validity from the day of earning; the table's where absent")
    ] = None
    pending: Annotated[PeriodText | None, Field(description="how long until what is granted can be spent")] = None
    priority: Annotated[int, Field(strict=True, ge=-100, le=100, description="a lower priority is spent first")] = 0
    on_return: Annotated[
        Literal["take back", "keep"] | None,
        Field(description="when a return undoes it: take back what was granted, as far as it is there, or keep it"),
    ] = None
    spent: Annotated[
        Spent | None,
        Field(description="when what is to be taken back is spent already; the table's where absent"),
    ] = None

    @model_validator(mode="after")
    def _fits(self) -> Achievement:
        if self.in_a_row is None:
            if self.each is not None:
                refuse("each goes with in_a_row, such as in_a_row = 'weeks'")
        elif self.window is not None or self.once_a_day:
            refuse("in_a_row counts periods of its own; leave out window and once_a_day")
        if self.week_starts != "monday" and self.in_a_row != "weeks":
            refuse("week_starts goes with in_a_row = 'weeks'")
        if not self.goal.strip("0."):
            refuse("goal: a goal of nothing is reached by everyone; write at least 1")
        if self.each is not None and not self.each.strip("0."):
            refuse("each: every period has nothing; write at least 1")
        if self.in_a_row is not None and "." in self.goal:
            refuse(f"goal: {self.goal!r} is not a whole number of {self.in_a_row}")
        if self.grants is not None and not self.grants.strip("0."):
            refuse("grants: leave it out where nothing is granted")
        if self.repeat == "once" and self.most is not None:
            refuse("most goes with repeat = 'every time' or 'once a window'")
        if self.from_day is not None and self.until_day is not None and self.from_day > self.until_day:
            refuse(f"from {self.from_day} is after until {self.until_day}")
        return self


class AchievementsConfig(PluginConfig):
    """Achievements and streaks, and the terms of what they grant."""

    asset: Annotated[str | None, Field(description="asset that the achievements grant")] = None
    expires: Annotated[
        ValidityText | None, Field(description="validity from the day of earning, last day included; never if absent")
    ] = None
    on_return: Annotated[
        Literal["take back", "keep"],
        Field(description="when a return undoes an achievement: take back what was granted, or keep it"),
    ] = "take back"
    spent: Annotated[
        Spent,
        Field(
            description="when what is to be taken back is spent already: the next time the goal is reached makes up "
            "for it, the account owes it (needs debt = true of the asset), or it is let go"
        ),
    ] = "make up"
    achievements: Annotated[
        tuple[Achievement, ...], Field(alias="achievement", min_length=1, description="what can be achieved")
    ]

    @model_validator(mode="after")
    def _unique(self) -> AchievementsConfig:
        names = [achievement.name for achievement in self.achievements]
        for name in sorted({name for name in names if names.count(name) > 1}):
            refuse(f"two achievements are named {name!r}; give one of them another name")
        return self
