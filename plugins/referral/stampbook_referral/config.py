"""Options of the referral plugin."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal

from pydantic import Field, model_validator

from stampbook import PeriodText, PluginConfig, ValidityText, Window, WindowText, refuse

_DECIMAL = r"^\d{1,12}(\.\d{1,6})?$"
_DAY = r"^\d{4}-\d{2}-\d{2}$"


class ReferralConfig(PluginConfig):
    """What a friend has to do, and what the friend and the referrer get."""

    metric: Annotated[str, Field(description="metric of the program that counts what the friend does")]
    goal: Annotated[
        str, Field(pattern=_DECIMAL, description="how much of the metric the friend needs: '3' for the third purchase")
    ] = "1"
    within: Annotated[
        PeriodText | None, Field(description="how long after the referral the goal counts; for ever where absent")
    ] = None
    only_new: Annotated[
        bool,
        Field(strict=True, description="whether who had counted anything before the day of the referral is refused"),
    ] = True
    from_day: Annotated[
        str | None,
        Field(alias="from", pattern=_DAY, examples=["2025-03-01"], description="the first day on which to refer"),
    ] = None
    until_day: Annotated[
        str | None,
        Field(alias="until", pattern=_DAY, examples=["2025-03-31"], description="the last day on which to refer"),
    ] = None
    asset: Annotated[str, Field(description="asset that both are given")] = "points"
    friend: Annotated[
        str | None, Field(pattern=_DECIMAL, description="how much the friend gets; nothing where absent")
    ] = None
    referrer: Annotated[
        str | None, Field(pattern=_DECIMAL, description="how much the referrer gets; nothing where absent")
    ] = None
    most: Annotated[
        int | None,
        Field(strict=True, ge=1, le=1000, description="for how many friends a referrer is rewarded within the window"),
    ] = None
    window: Annotated[
        WindowText,
        Field(
            description="the days to which `most` refers, by the day on which the friend got there",
            json_schema_extra={"default": "lifetime"},
        ),
    ] = Window()
    over: Annotated[
        Literal["friend only", "refuse"],
        Field(
            description="a referrer who has had `most`: the friend alone is rewarded, or no further friend may name her"
        ),
    ] = "friend only"
    on_return: Annotated[
        Literal["take back", "keep"],
        Field(description="when returns undo the goal: take back what both got, as far as it is there, or leave it"),
    ] = "take back"
    spent: Annotated[
        Literal["make up", "debt", "let go"],
        Field(
            description="when what is to be taken back is spent already: it counts as given if the friend gets there "
            "again, the account owes it (needs debt = true of the asset), or it is let go"
        ),
    ] = "make up"
    merged: Annotated[
        Literal["keep", "take back"],
        Field(
            description="when a merger makes one account of a friend and of who referred her: both keep what they got, "
            "or it is taken back, as far as it is there or as `spent` says"
        ),
    ] = "keep"
    kind: Annotated[Literal["earned", "bonus"], Field(description="kind of the lot")] = "bonus"
    expires: Annotated[
        ValidityText | None, Field(description="validity from the day on which it is given; never ends if absent")
    ] = None
    pending: Annotated[PeriodText | None, Field(description="how long until what is given can be spent")] = None
    priority: Annotated[int, Field(strict=True, ge=-100, le=100, description="a lower priority is spent first")] = 0

    @model_validator(mode="after")
    def _fits(self) -> ReferralConfig:
        if not self.goal.strip("0."):
            refuse("goal: a goal of nothing is reached by everyone; write at least 1")
        for key, amount in (("friend", self.friend), ("referrer", self.referrer)):
            if amount is not None and not amount.strip("0."):
                refuse(f"{key}: leave it out where nothing is given")
        if self.friend is None and self.referrer is None:
            refuse("neither friend nor referrer gets anything; write referrer = '500'")
        if self.most is None and (not self.window.is_lifetime or self.over != "friend only"):
            refuse("window and over go with most, such as most = 5")
        days = []
        for key, text in (("from", self.from_day), ("until", self.until_day)):
            try:
                days.append(text and date.fromisoformat(text))
            except ValueError:
                refuse(f"{key}: {text!r} is no day of the calendar")
        if self.from_day and self.until_day and self.from_day > self.until_day:
            refuse(f"from {self.from_day} is after until {self.until_day}")
        return self
