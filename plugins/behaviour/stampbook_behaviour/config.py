"""The options of a `[[plugin]]` table with `use = "behaviour"`."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from stampbook import PluginConfig, Window, WindowText, refuse

Sort = Literal["active", "potential", "lost", "complaint_heavy", "discount_driven", "none"]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
Days = Annotated[int, Field(strict=True, ge=1, le=36_500)]
Percent = Annotated[str, Field(pattern=r"^\d{1,3}(\.\d{1,4})?%$")]
Count = Annotated[int, Field(strict=True, ge=1, le=1_000_000)]

SORTS: Final[dict[Sort, str]] = {
    "active": "active",
    "potential": "potential",
    "lost": "lost",
    "complaint_heavy": "complaint_heavy",
    "discount_driven": "discount_driven",
    "none": "none",
}
"""The segments under their own names; "none" is for who never kept a purchase."""


class BehaviourConfig(PluginConfig):
    """Segments by what customers do: how lately they bought, whether they complain, whether discounts bring them."""

    window: WindowText = Field(
        default_factory=lambda: Window.parse("12 months"),
        description="Which days count for complaints, returns and discounts, the day of the run included.",
        examples=["lifetime", "12 months"],
        json_schema_extra={"default": "12 months"},
    )
    active_days: Days = Field(
        default=60, description="Active until so many days after the last purchase that was kept."
    )
    lost_days: Days = Field(default=180, description="Lost beyond so many; between the two an account is potential.")
    complaints: tuple[Annotated[str, Field(min_length=1, max_length=64)], ...] = Field(
        default=(),
        description="Kinds of event that are complaints, such as one that the program declares under [events].",
        examples=[["complaint", "feedback"]],
    )
    complaints_from: Count = Field(default=3, description="Complaint-heavy from so many complaints in the window on.")
    returned_from: Percent | None = Field(
        default=None,
        description="Complaint-heavy, too, if so much of the value bought in the window came back; never where absent.",
    )
    discounted_from: Percent = Field(
        default="60%", description="Discount-driven from this share of orders with a discount on the order on."
    )
    discounted_orders: Count = Field(default=3, description="Discount-driven needs so many orders in the window.")
    first: tuple[Literal["complaint_heavy", "discount_driven"], ...] = Field(
        default=("complaint_heavy", "discount_driven"),
        description="Which marks name the segment before how lately an account bought does, in this order. A mark "
        "that is not listed is only a score.",
    )
    names: dict[Sort, Name] = Field(
        default=SORTS,
        description="Other names for segments; those that are not given keep their own.",
        examples=[{"active": "活跃", "potential": "潜在", "lost": "流失"}],
    )

    @field_validator("names", mode="before")
    @classmethod
    def _own_names_stay(cls, names: Any) -> Any:
        return SORTS | names if isinstance(names, dict) else names

    @model_validator(mode="after")
    def _fits(self) -> BehaviourConfig:
        if self.active_days >= self.lost_days:
            refuse(f"lost_days: {self.lost_days} leaves nobody between active ({self.active_days}) and lost")
        if len(set(self.first)) < len(self.first):
            refuse("first: a mark is listed twice")
        for key in ("returned_from", "discounted_from"):
            share = getattr(self, key)
            if share is not None and not 0 < float(share.rstrip("%")) <= 100:  # noqa: PLR2004 - of a hundred
                refuse(f"{key}: {share} is not above 0% and up to 100%")
        if "complaints_from" in self.model_fields_set and not self.complaints:
            refuse("complaints_from: say which kinds of event are complaints")
        return self
