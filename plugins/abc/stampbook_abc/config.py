"""The options of a `[[plugin]]` table with `use = "abc"`."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Final, Literal

from pydantic import AfterValidator, Field, StringConstraints, ValidationInfo, model_validator

from stampbook import PluginConfig, Window, WindowText, near, refuse

if TYPE_CHECKING:
    from stampbook import Context

Percent = Annotated[str, Field(pattern=r"^\d{1,3}(\.\d{1,4})?%$")]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]


MEASURES: Final = ("revenue", "orders", "quantity", "margin")
OF_METRIC: Final = "metric."
"""Before the name of a metric by which accounts are ordered."""


def _measure(by: str, info: ValidationInfo) -> str:
    """Refuse what is no measure, and metrics that the program does not declare."""
    if by in MEASURES:
        return by
    context: Context | None = info.context
    declared = None if context is None else context.scope["metric"]
    name = by.removeprefix(OF_METRIC)
    if not by.startswith(OF_METRIC):
        metrics = [f"{OF_METRIC}{each}" for each in declared or ()]
        hint = f"; write {OF_METRIC}{by}" if by in (declared or ()) else near(by, [*MEASURES, *metrics])
        refuse(f"{by!r} is none of {', '.join(MEASURES)} and {OF_METRIC}NAME{hint}")
    if declared is not None and name not in declared:
        known = ", ".join(declared) or "none"
        refuse(f"metric {name!r} is not declared under [metrics], which has {known}{near(name, declared)}")
    return by


Measure = Annotated[
    str,
    AfterValidator(_measure),
    Field(json_schema_extra={"anyOf": [{"enum": [*MEASURES]}, {"type": "string", "examples": [f"{OF_METRIC}spend"]}]}),
]


def fraction(percent: str) -> Fraction:
    """Return ``"80%"`` as a fraction."""
    return Fraction(percent.rstrip("%")) / 100


class AbcConfig(PluginConfig):
    """Classes by the share of all value that the accounts down to one bring together."""

    by: Measure = Field(
        default="revenue",
        description="What an account is worth: what it paid net of returns, how many purchases it kept something of, "
        "how many pieces it kept, what was earned on the lines that it kept, see `margins`, or, as "
        "`metric.NAME`, what that metric of `[metrics]` counted in the window.",
    )
    margins: dict[str, Percent] = Field(
        default_factory=dict,
        description="For by = 'margin': the share of a line's price that is margin, by the line's category; '*' is for "
        "all others and must be there.",
        examples=[{"*": "30%", "fresh": "12.5%"}],
    )
    window: WindowText = Field(
        default_factory=Window,
        description="Which days count, the day of the run included.",
        examples=["lifetime", "12 months"],
        json_schema_extra={"default": "lifetime"},
    )
    method: Literal["borders", "computed"] = Field(
        default="borders",
        description="'borders': the borders below. 'computed': two borders worked out from the curve itself, after "
        "Ultsch and Loetsch (2015).",
    )
    borders: tuple[Percent, ...] = Field(
        default=("80%", "95%"),
        min_length=1,
        max_length=25,
        description="Where classes end: shares of all value, counted from the best account down.",
    )
    names: tuple[Name, ...] = Field(
        default=("A", "B", "C"),
        min_length=2,
        max_length=26,
        description="The classes, the best first: one more than borders.",
    )
    crossing: Literal["in", "out"] = Field(
        default="in",
        description="Whether the account with which the sum crosses a border is still in the class before the border. "
        "Accounts of equal value are in or out together.",
    )

    @property
    def metric(self) -> str:
        """The metric by which accounts are ordered, or an empty text."""
        return self.by.removeprefix(OF_METRIC) if self.by.startswith(OF_METRIC) else ""

    @model_validator(mode="after")
    def _fits(self) -> AbcConfig:
        shares = [fraction(border) for border in self.borders]
        if not all(0 < share < 1 for share in shares) or sorted(set(shares)) != shares:
            refuse(f"borders: {', '.join(self.borders)} do not rise from above 0% to below 100%")
        wanted = 3 if self.method == "computed" else len(self.borders) + 1
        if len(self.names) != wanted:
            refuse(f"names: there are {len(self.names)}, and {wanted} classes")
        if len(set(self.names)) != len(self.names):
            refuse("names: two classes have one name")
        if self.method == "computed" and "borders" in self.model_fields_set:
            refuse("borders: method = 'computed' works them out; leave one of them away")
        if (self.by == "margin") != bool(self.margins):
            refuse("margins: they belong to by = 'margin', and it needs them")
        if self.margins and "*" not in self.margins:
            refuse("margins: say what is earned on all other categories, as '*' = \"30%\"")
        return self
