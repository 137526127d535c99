"""The options of a `[[plugin]]` table with `use = "spending"`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from stampbook import Money, PluginConfig, Window, WindowText, refuse

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]


class SpendingConfig(PluginConfig):
    """How much accounts spend: high, middle and low by equal parts, by shares of the buyers, or by amounts."""

    measure: Literal["total", "average_order", "per_active_month"] = Field(
        default="total",
        description="'total': money in the window, net of returns. 'average_order': that by order that counts. "
        "'per_active_month': that by month of 30 days from the first to the last of those orders, begun ones counted. "
        "Both are rounded half up to the smallest unit.",
    )
    window: WindowText = Field(
        default_factory=Window,
        description="Which days count: 'lifetime', a rolling length such as '12 months', or 'calendar year', in the "
        "program's time zone, the day of the run included. What comes back counts with its purchase.",
        examples=["lifetime", "12 months", "calendar year"],
        json_schema_extra={"default": "lifetime"},
    )
    names: Annotated[tuple[Name, ...], Field(min_length=2, max_length=10)] = Field(
        default=("high", "middle", "low"), description="The names of the levels, the highest first."
    )
    shares: tuple[Annotated[int, Field(ge=1, le=99)], ...] = Field(
        default=(),
        description="How many percent of the buyers each level has at most, the highest first, 100 in all: "
        "[20, 30, 50] with the names heavy, medium and light. Equal parts where neither shares nor amounts are given.",
    )
    amounts: tuple[Money, ...] = Field(
        default=(),
        description="Instead of shares, the least that each level but the last spends, the highest first, in quotes: "
        '["500", "100"].',
    )
    without: Name = Field(
        default="none", description="The segment of accounts without an order that counts in the window."
    )

    @property
    def borders(self) -> tuple[int, ...]:
        """Percent of the buyers below each level but the lowest, rising; empty without shares."""
        lower = self.shares[:0:-1]
        return tuple(sum(lower[: number + 1]) for number in range(len(lower)))

    @model_validator(mode="after")
    def _one_border_between_two_levels(self) -> SpendingConfig:
        if len({*self.names, self.without}) <= len(self.names):
            refuse("two of names and without are the same")
        if self.shares and self.amounts:
            refuse("shares and amounts both say where levels begin; leave one out")
        if self.shares and len(self.shares) != len(self.names):
            refuse(f"{len(self.names)} names need as many shares, not {len(self.shares)}")
        if self.shares and sum(self.shares) != 100:  # noqa: PLR2004 - percent
            refuse(f"shares come to {sum(self.shares)} percent, not 100")
        if self.amounts and len(self.amounts) != len(self.names) - 1:
            refuse(f"{len(self.names)} names need {len(self.names) - 1} amounts, not {len(self.amounts)}")
        if any(higher <= lower for higher, lower in zip(self.amounts, self.amounts[1:], strict=False)):
            refuse("amounts must fall, the highest first")
        return self
