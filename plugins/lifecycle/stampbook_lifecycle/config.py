"""The options of a `[[plugin]]` table with `use = "lifecycle"`."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from stampbook import PluginConfig, refuse

Stage = Literal["new", "growing", "mature", "at_risk", "lost", "won_back", "none"]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
Days = Annotated[int, Field(strict=True, ge=1, le=36_500)]
Percent = Annotated[str, Field(pattern=r"^\d{1,3}(\.\d{1,4})?%$")]
Factor = Annotated[str, Field(pattern=r"^\d{1,3}(\.\d{1,3})?$")]

STAGES: Final[dict[Stage, str]] = {
    "new": "new",
    "growing": "growing",
    "mature": "mature",
    "at_risk": "at_risk",
    "lost": "lost",
    "won_back": "won_back",
    "none": "none",
}
"""The stages in no particular order, each under its own name; "none" is for who never kept a purchase."""


class LifecycleConfig(PluginConfig):
    """Stages of a customer's life, by the gaps between purchases."""

    rule: Literal["own_gap", "lapse"] = Field(
        default="own_gap",
        description="'own_gap': a customer is late beyond the gap that covers most of the own gaps, or those of all "
        "customers where there are too few. 'lapse': beyond a share of `lapse_days`, whoever it is.",
    )
    cover: Percent = Field(
        default="80%",
        description="For 'own_gap': the limit is the shortest gap that so many of the gaps do not exceed.",
    )
    least_gaps: Annotated[int, Field(strict=True, ge=1, le=1000)] = Field(
        default=3, description="For 'own_gap': from so many gaps of one's own on they are used; below, those of all."
    )
    least_limit: Days = Field(
        default=7, description="For 'own_gap': a limit is never shorter than so many days, however often somebody buys."
    )
    lost_after: Factor = Field(default="2", description="For 'own_gap': lost beyond so many limits.", examples=["2.5"])
    lapse_days: Days = Field(
        default=180, description="For 'lapse': lost from so many days on; for 'own_gap': where no customer has a gap."
    )
    at_risk_from: Percent = Field(default="80%", description="For 'lapse': at risk from this share of it on.")
    new_days: Days = Field(default=90, description="New for so many days from the first purchase.")
    won_back_days: Days = Field(
        default=90, description="Won back for so many days from the purchase that ended a gap after which one is lost."
    )
    trend_days: Days = Field(default=90, description="How many days are compared with as many before them.")
    growing_from: Factor = Field(
        default="1.2",
        description="Growing if the last `trend_days` brought so many times what those before did, or more.",
    )
    names: dict[Stage, Name] = Field(
        default=STAGES,
        description="Other names for stages; those that are not given keep their own.",
        examples=[{"at_risk": "预警", "lost": "流失"}],
    )

    @field_validator("names", mode="before")
    @classmethod
    def _own_names_stay(cls, names: Any) -> Any:
        return STAGES | names if isinstance(names, dict) else names

    @model_validator(mode="after")
    def _fits(self) -> LifecycleConfig:
        for key in ("cover", "at_risk_from"):
            share = float(getattr(self, key).rstrip("%"))
            if not 0 < share <= 100:  # noqa: PLR2004 - of a hundred
                refuse(f"{key}: {getattr(self, key)} is not above 0% and up to 100%")
        if float(self.lost_after) < 1:
            refuse("lost_after: nobody is lost before being late; write 1 or more")
        if float(self.growing_from) <= 1:
            refuse("growing_from: what grows is more than before; write more than 1")
        return self
