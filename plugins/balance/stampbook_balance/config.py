"""The options of a `[[plugin]]` table with `use = "balance"`."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Final, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from stampbook import PluginConfig, Window, WindowText, refuse

Move = Literal["rising", "steady", "falling", "dormant"]
Amount = Annotated[str, Field(pattern=r"^\d{1,12}(\.\d{1,6})?$")]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
Percent = Annotated[str, Field(pattern=r"^\d{1,3}(\.\d{1,4})?%$")]

MOVES: Final[dict[Move, str]] = {
    "rising": "rising",
    "steady": "steady",
    "falling": "falling",
    "dormant": "dormant",
}
"""How a balance moves, under its own name."""


class BalanceConfig(PluginConfig):
    """Layers by stored value in the program's currency, and by its movement."""

    amounts: tuple[Amount, ...] = Field(
        default=(),
        max_length=25,
        description="The least of each layer but the last, falling.",
        examples=[["500", "100"]],
    )
    shares: tuple[Percent, ...] = Field(
        default=("20%", "30%"),
        max_length=25,
        description="Where there are no amounts: how large each layer but the last is, as a share of the accounts that "
        "hold anything, the highest first. Equal balances are in one layer.",
    )
    names: tuple[Name, ...] = Field(
        default=("high", "middle", "low"), min_length=2, max_length=26, description="The layers, the highest first."
    )
    empty: Name = Field(default="empty", description="Who holds nothing, or owes.")
    by: Literal["layer", "movement", "both"] = Field(
        default="layer", description="What names the segment: the layer, the movement, or both, as in high_falling."
    )
    window: WindowText = Field(
        default_factory=lambda: Window.parse("90 days"),
        description="Which days count for rising and falling, the day of the run included.",
        examples=["90 days", "calendar month"],
        json_schema_extra={"default": "90 days"},
    )
    dormant_days: Annotated[int, Field(strict=True, ge=1, le=36_500)] = Field(
        default=180,
        description="Dormant if something is held and nothing was taken from it for more than so many days, nor was it "
        "topped up within them; what expires does not count.",
    )
    movements: dict[Move, Name] = Field(
        default=MOVES, description="Other names for movements; those that are not given keep their own."
    )

    @field_validator("movements", mode="before")
    @classmethod
    def _own_names_stay(cls, names: Any) -> Any:
        return MOVES | names if isinstance(names, dict) else names

    @model_validator(mode="after")
    def _fits(self) -> BalanceConfig:
        if self.amounts and "shares" in self.model_fields_set:
            refuse("amounts and shares are two ways to say where layers end; leave one of them away")
        falling = [Decimal(amount) for amount in self.amounts]
        if sorted(set(falling), reverse=True) != falling:
            refuse("amounts: write them from the highest to the lowest")
        if not self.amounts and not 0 < sum(Decimal(share.rstrip("%")) for share in self.shares) < 100:  # noqa: PLR2004 - of a hundred
            refuse("shares: together they leave some for the last layer")
        wanted = len(self.amounts or self.shares) + 1
        if len(self.names) != wanted:
            refuse(f"names: there are {len(self.names)}, and {wanted} layers")
        if len({*self.names, self.empty}) <= len(self.names):
            refuse("names: two layers have one name")
        return self
