"""The options of a `[[plugin]]` table with `use = "preference"`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from stampbook import PluginConfig, Window, WindowText, refuse

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
Percent = Annotated[str, Field(pattern=r"^\d{1,3}(\.\d{1,4})?%$")]


class PreferenceConfig(PluginConfig):
    """What is preferred: more often in a customer's orders than in everybody's, by more than chance."""

    of: Literal["category", "sku", "label", "store", "channel"] = Field(
        default="category", description="What is counted: of an order's lines, or of the order."
    )
    prefix: Annotated[str, Field(max_length=64)] = Field(
        default="",
        description="For of = 'label': only labels that begin so, and the name is what follows.",
        examples=["brand:"],
    )
    window: WindowText = Field(
        default_factory=lambda: Window.parse("12 months"),
        description="Which days count, the day of the run included.",
        examples=["lifetime", "12 months"],
        json_schema_extra={"default": "12 months"},
    )
    choose: Literal["share", "lift"] = Field(
        default="share",
        description="Which is the top one: that in most of the orders, or, among those that are surely preferred, that "
        "with the largest lift over everybody's share.",
    )
    confidence: Percent = Field(
        default="90%", description="How sure it is to be: the one-sided level of the share's lower bound."
    )
    least_orders: Annotated[int, Field(strict=True, ge=1, le=10_000)] = Field(
        default=3, description="How many orders in the window are needed to prefer anything."
    )
    least_share: Percent = Field(default="0%", description="The least share of the orders that the top one is in.")
    none: Name = Field(default="none", description="Who prefers nothing surely.")
    mixed: Name = Field(default="mixed", description="Who has several equally often at the top.")

    @model_validator(mode="after")
    def _fits(self) -> PreferenceConfig:
        if self.prefix and self.of != "label":
            refuse("prefix: it belongs to of = 'label'")
        if not 50 <= float(self.confidence.rstrip("%")) < 100:  # noqa: PLR2004 - of a hundred
            refuse("confidence: write at least 50%, and less than 100%")
        if float(self.least_share.rstrip("%")) > 100:  # noqa: PLR2004 - of a hundred
            refuse("least_share: no share is above 100%")
        if self.none == self.mixed:
            refuse("mixed: it has the name of none")
        return self
