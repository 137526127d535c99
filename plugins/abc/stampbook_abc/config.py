"""The options of a `[[plugin]]` table with `use = "abc"`."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from stampbook import PluginConfig, Window, WindowText, refuse

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
Rate = Annotated[str, StringConstraints(pattern=r"^-?\d(\.\d{1,4})?$")]

RATE_UNIT: Final = 10_000
"""Rates are counted in whole parts of this."""


class AbcConfig(PluginConfig):
    """Few accounts that bring most, A, those in the middle, B, and the many others, C."""

    by: Literal["revenue", "orders", "quantity", "margin"] = Field(
        default="revenue",
        description="What accounts are worth: 'revenue', net of returns; 'orders' of which something was kept; "
        "'quantity', pieces kept; 'margin', the price of lines kept times the rates below. The last two look at lines.",
    )
    window: WindowText = Field(
        default_factory=Window,
        description="Which days count: 'lifetime', a rolling length such as '12 months', or 'calendar year', in the "
        "program's time zone, the day of the run included. What comes back counts with its purchase.",
        examples=["lifetime", "12 months", "calendar year"],
        json_schema_extra={"default": "lifetime"},
    )
    method: Literal["borders", "computed"] = Field(
        default="borders",
        description="'borders': by the cumulative shares below. 'computed': borders from the shape of the curve "
        "(Ultsch and Lötsch 2015).",
    )
    a: Annotated[int, Field(ge=1, le=99)] = Field(
        default=80, description="Up to which cumulative share, in percent, an account is in A."
    )
    b: Annotated[int, Field(ge=1, le=100)] = Field(
        default=95, description="Up to which cumulative share, in percent, an account is in B."
    )
    crossing: Literal["in", "out"] = Field(
        default="in",
        description="Whether the account that crosses a border is 'in' the better class, so that this has at least its "
        "share, or 'out' of it, so that it has at most that. Accounts with equal values cross together.",
    )
    names: tuple[Name, Name, Name] = Field(default=("A", "B", "C"), description="The names of the three classes.")
    margin: Rate = Field(
        default="0",
        description="For by = 'margin': the margin of lines whose category has none of its own, as a decimal in "
        "quotes such as '0.30'.",
    )
    margin_of: dict[Name, Rate] = Field(
        default={},
        description="For by = 'margin': the margin by category of lines, such as { coffee = \"0.55\" }.",
        examples=[{"coffee": "0.55"}],
    )

    @property
    def rates(self) -> dict[str, int]:
        """Margins by category, in parts of `RATE_UNIT`."""
        return {category: _parts(rate) for category, rate in self.margin_of.items()}

    @property
    def other_rate(self) -> int:
        """The margin of all other categories, in parts of `RATE_UNIT`."""
        return _parts(self.margin)

    @field_validator("names")
    @classmethod
    def _different(cls, names: tuple[str, str, str]) -> tuple[str, str, str]:
        if len(set(names)) < len(names):
            refuse("two classes have one name")
        return names

    @model_validator(mode="after")
    def _fits_together(self) -> AbcConfig:
        if self.b <= self.a:
            refuse(f"b must be above a: {self.b} is not above {self.a}")
        if self.by == "margin" and not self.margin_of and self.other_rate == 0:
            refuse("by = 'margin' needs margin, margin_of, or both")
        if self.by != "margin" and (self.margin_of or self.other_rate):
            refuse(f"margins are read by by = 'margin' only, not by {self.by!r}")
        return self


def _parts(rate: str) -> int:
    return int(Decimal(rate) * RATE_UNIT)
