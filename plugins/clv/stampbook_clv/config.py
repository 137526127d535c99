"""The options of a `[[plugin]]` table with `use = "clv"`."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from stampbook import PluginConfig, Window, WindowText, refuse

Amount = Annotated[str, Field(pattern=r"^\d{1,12}(\.\d{1,6})?$")]
Percent = Annotated[str, Field(pattern=r"^\d{1,3}(\.\d{1,4})?%$")]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
Days = Annotated[int, Field(strict=True, ge=1, le=3650)]


class ClvConfig(PluginConfig):
    """What is expected of customers: by which model, over which time, and into which classes it puts them."""

    model: Literal["bg_nbd", "mbg_nbd", "pareto_nbd"] = Field(
        default="bg_nbd", description="How purchases and drop-out are modelled; see docs/segments.md."
    )
    value: Literal["gamma_gamma", "mean"] = Field(
        default="gamma_gamma",
        description="What a purchase is worth: told by the Gamma-Gamma model from the repeat purchases, or their plain "
        "mean.",
    )
    window: WindowText = Field(
        default_factory=Window,
        description="Which days are looked at, the day of the run included.",
        examples=["lifetime", "36 months"],
        json_schema_extra={"default": "lifetime"},
    )
    horizon_days: Days = Field(default=365, description="How far ahead it looks.")
    unit_days: Annotated[int, Field(strict=True, ge=1, le=31)] = Field(
        default=7, description="The unit of time in which parameters are told, in days."
    )
    margin: Percent = Field(default="100%", description="What of a purchase's value is earned.")
    discount: Percent = Field(
        default="0%", description="By how much money a year from now is worth less, compounded; in steps of 30 days."
    )
    interval: Percent = Field(default="80%", description="How surely the value will be between `low` and `high`.")
    holdout_days: Annotated[int, Field(strict=True, ge=0, le=3650)] = Field(
        default=90,
        description="The model is also fitted to what was known so many days before, and compared with what came; 0 "
        "for not. It is left out where the history is less than three times as long.",
    )
    calibrate: bool = Field(
        default=False,
        description="Whether what is expected is multiplied by what came over what was expected before.",
    )
    fallback: Literal["rate", "refuse"] = Field(
        default="rate",
        description="Where no model can be fitted: everybody's own rate so far goes on, or the run is refused.",
    )
    shares: tuple[Percent, ...] = Field(
        default=("20%", "30%"),
        max_length=25,
        description="How large each class but the last is, the most valuable first; who is worth nothing is in "
        "the last.",
    )
    amounts: tuple[Amount, ...] = Field(
        default=(), max_length=25, description="Instead of shares: the least value of each class but the last, falling."
    )
    names: tuple[Name, ...] = Field(
        default=("high", "middle", "low"),
        min_length=2,
        max_length=26,
        description="The classes, the most valuable first.",
    )
    none: Name = Field(default="none", description="Who never kept a purchase in the window.")

    @model_validator(mode="after")
    def _fits(self) -> ClvConfig:
        if self.amounts and "shares" in self.model_fields_set:
            refuse("amounts and shares are two ways to say where classes end; leave one of them away")
        falling = [Decimal(amount) for amount in self.amounts]
        if sorted(set(falling), reverse=True) != falling:
            refuse("amounts: write them from the highest to the lowest")
        if not self.amounts and not 0 < sum(Decimal(share.rstrip("%")) for share in self.shares) < 100:  # noqa: PLR2004 - of a hundred
            refuse("shares: together they leave some for the last class")
        wanted = len(self.amounts or self.shares) + 1
        if len(self.names) != wanted:
            refuse(f"names: there are {len(self.names)}, and {wanted} classes")
        if len({*self.names, self.none}) <= len(self.names):
            refuse("names: two classes have one name")
        if not 0 < float(self.interval.rstrip("%")) < 100:  # noqa: PLR2004 - of a hundred
            refuse("interval: write more than 0% and less than 100%")
        if self.calibrate and not self.holdout_days:
            refuse("calibrate: it needs holdout_days")
        return self
