"""The options of a `[[plugin]]` table with `use = "attributes"`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from stampbook import PluginConfig, PopulationCondition, refuse

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
Value = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=255)]
Years = Annotated[int, Field(strict=True, ge=0, le=150)]


class Band(PluginConfig):
    """Everybody from an age on, up to the next band."""

    segment: Name = Field(description="The band's name.")
    start: Years = Field(alias="from", description="The least age, in full years.")


class Rule(PluginConfig):
    """A condition on attributes."""

    when: PopulationCondition = Field(
        description="A condition on account.*, such as account.region == 'north' and account.industry == 'hotel'."
    )
    segment: Name = Field(description="The segment of the accounts for which it holds; the first that holds counts.")

    @model_validator(mode="after")
    def _of_the_account(self) -> Rule:
        for name in sorted(self.when.reads):
            if not name.startswith(("account.", "event.")) or name == "account.stored_value":
                refuse(f"when: {name} is no attribute; conditions on it belong to use = 'custom'")
        return self


class AttributesConfig(PluginConfig):
    """Segments by one attribute, as it is, grouped or as an age; or by conditions on several."""

    attribute: str | None = Field(default=None, description="As [attributes] declares it.")
    values: dict[Name, tuple[Value, ...]] = Field(
        default_factory=dict,
        description="Groups of values, by the segment's name; without any, each value is a segment of its own.",
        examples=[{"north": ["Leeds", "York"], "south": ["London"]}],
    )
    ages: tuple[Band, ...] = Field(
        default=(),
        alias="age",
        max_length=20,
        description="Age bands, rising: the attribute is a date of birth, as 1990-05-31.",
    )
    rules: tuple[Rule, ...] = Field(default=(), alias="rule", max_length=200, description="Conditions instead.")
    other: Name = Field(default="other", description="A value that no group has, an age below all bands, no condition.")
    unknown: Name = Field(default="unknown", description="Accounts of which the attribute is not known, or is no date.")

    @model_validator(mode="after")
    def _one_way(self) -> AttributesConfig:
        if (self.attribute is None) == (not self.rules):
            refuse("write either attribute = '…' or [[plugin.rule]] tables")
        if self.rules and (self.values or self.ages):
            refuse("values and ages are of one attribute; rules stand alone")
        if self.values and self.ages:
            refuse("values and ages are two ways to group one attribute; leave one of them away")
        starts = [band.start for band in self.ages]
        if sorted(set(starts)) != starts:
            refuse("age: list the bands from the youngest to the oldest")
        listed = [value for group in self.values.values() for value in group]
        for value in sorted({value for value in listed if listed.count(value) > 1}):
            refuse(f"values: {value!r} is in two groups")
        return self
