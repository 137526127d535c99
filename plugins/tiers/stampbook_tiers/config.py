"""Options of the tiers plugin."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from stampbook import PluginConfig, WindowText, refuse

_DECIMAL = r"^\d{1,12}(\.\d{1,6})?$"


class Level(PluginConfig):
    """One level of the ladder."""

    name: Annotated[str, Field(min_length=1, max_length=64, description="as customers know it")]
    reach: Annotated[str, Field(pattern=_DECIMAL, description="value of the metric from which it is reached")] = "0"
    keep: Annotated[
        str | None,
        Field(pattern=_DECIMAL, description="value from which a review keeps it; that of reach where absent"),
    ] = None
    multiplier: Annotated[str, Field(pattern=_DECIMAL, description="by which earning is multiplied")] = "1"


class TiersConfig(PluginConfig):
    """A ladder of levels by one metric: up at once, down only at a review."""

    metric: Annotated[str, Field(description="metric of the program; its window says which days count")]
    levels: Annotated[tuple[Level, ...], Field(alias="level", min_length=1, description="from lowest to highest")]
    asset: Annotated[str, Field(description="asset whose awards are multiplied")] = "points"
    review: Annotated[
        WindowText | None,
        Field(
            description="calendar unit at whose end levels are reviewed; never where absent",
            examples=["calendar month", "calendar year"],
        ),
    ] = None
    downgrade: Annotated[
        Literal["matching", "one step", "none"], Field(description="how far a review takes a level down")
    ] = "matching"
    fact: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$", description="name of the fact that it keeps")] = (
        "tier"
    )

    @model_validator(mode="after")
    def _rising(self) -> TiersConfig:
        names = [level.name for level in self.levels]
        if len(set(names)) < len(names):
            refuse("two levels have the same name")
        if self.review is not None and not self.review.calendar_months:
            refuse("review: write a calendar unit such as 'calendar year'")
        return self
