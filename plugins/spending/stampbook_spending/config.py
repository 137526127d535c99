"""The options of a `[[plugin]]` table with `use = "spending"`."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from stampbook import PluginConfig, Window, WindowText, refuse

Percent = Annotated[str, Field(pattern=r"^\d{1,3}(\.\d{1,4})?%$")]
Amount = Annotated[str, Field(pattern=r"^\d{1,12}(\.\d{1,6})?$")]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]


def cumulative(shares: tuple[str, ...]) -> list[Fraction]:
    """Return where classes end, counted from the top: ``("20%", "30%")`` as a fifth and a half."""
    ends: list[Fraction] = []
    for share in shares:
        ends.append((ends[-1] if ends else Fraction(0)) + Fraction(share.rstrip("%")) / 100)
    return ends


class SpendingConfig(PluginConfig):
    """Classes by what accounts spend: shares of all buyers from the top down, or amounts."""

    by: Literal["total", "mean_order", "monthly", "orders"] = Field(
        default="total",
        description="What counts: all that was spent in the window net of returns, that over the number of its "
        "orders, that over the calendar months with an order, or the number of orders.",
    )
    window: WindowText = Field(
        default_factory=Window,
        description="Which days count, the day of the run included.",
        examples=["lifetime", "12 months"],
        json_schema_extra={"default": "lifetime"},
    )
    shares: tuple[Percent, ...] = Field(
        default=("20%", "30%"),
        max_length=25,
        description="How large each class but the last is, as a share of those who bought in the window, the best "
        "first. Equal accounts are in one class.",
    )
    amounts: tuple[Amount, ...] = Field(
        default=(),
        max_length=25,
        description="Instead of shares: the least of each class but the last, falling; money, or orders "
        "where by = 'orders'.",
        examples=[["1000", "200"]],
    )
    names: tuple[Name, ...] = Field(
        default=("high", "middle", "low"), min_length=2, max_length=26, description="The classes, the best first."
    )
    none: Name = Field(default="none", description="Who bought nothing in the window that was kept.")

    @model_validator(mode="after")
    def _fits(self) -> SpendingConfig:
        if self.amounts and "shares" in self.model_fields_set:
            refuse("amounts and shares are two ways to say where classes end; leave one of them away")
        ends = cumulative(self.shares)
        if not self.amounts and (not ends or ends[-1] >= 1 or ends[0] <= 0 or len(set(ends)) < len(ends)):
            refuse("shares: each is above 0%, and together they leave some for the last class")
        falling = [Decimal(amount) for amount in self.amounts]
        if sorted(set(falling), reverse=True) != falling:
            refuse("amounts: write them from the highest to the lowest")
        wanted = len(self.amounts or self.shares) + 1
        if len(self.names) != wanted:
            refuse(f"names: there are {len(self.names)}, and {wanted} classes")
        if len({*self.names, self.none}) <= len(self.names):
            refuse("names: two segments have one name")
        if self.by == "orders" and any("." in amount for amount in self.amounts):
            refuse("amounts: orders are counted in whole numbers")
        return self
