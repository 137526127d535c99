"""The options of a `[[plugin]]` table with `use = "custom"`."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints, model_validator

from stampbook import PluginConfig, PopulationCondition, Window, WindowText, refuse

Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]


class Rule(PluginConfig):
    """One condition, and the segment or the points that it gives."""

    when: PopulationCondition = Field(
        description="A condition over account, history and metric, such as history.orders >= 3 and "
        "account.region == 'north'."
    )
    segment: Name | None = Field(
        default=None, description="First match: the segment of the accounts for which it holds."
    )
    points: Annotated[int, Field(strict=True, ge=-1_000_000, le=1_000_000)] | None = Field(
        default=None, description="Scored: what it adds where it holds; below zero it takes off."
    )


class Level(PluginConfig):
    """A segment from a sum of points on."""

    segment: Name = Field(description="The segment's name.")
    start: Annotated[int, Field(strict=True)] = Field(alias="from", description="The least sum of points.")


class CustomConfig(PluginConfig):
    """Segments by the operator's own conditions: the first that holds, or the sum of their points."""

    window: WindowText = Field(
        default_factory=Window,
        description="Which days count for history.* and metric.*, the day of the run included; days_since_* look back "
        "beyond it.",
        examples=["lifetime", "12 months"],
        json_schema_extra={"default": "lifetime"},
    )
    rules: tuple[Rule, ...] = Field(alias="rule", min_length=1, max_length=200, description="The conditions, in order.")
    levels: tuple[Level, ...] = Field(
        default=(), alias="level", max_length=50, description="Scored: which sum of points names which segment."
    )
    otherwise: Name = Field(default="other", description="Where no condition holds, or the sum is below every level.")

    @model_validator(mode="after")
    def _one_way(self) -> CustomConfig:
        scored = bool(self.levels)
        for number, rule in enumerate(self.rules, start=1):
            if scored and (rule.points is None or rule.segment is not None):
                refuse(f"rule {number}: with levels each rule has points, and no segment")
            if not scored and (rule.segment is None or rule.points is not None):
                refuse(f"rule {number}: write its segment; points need [[plugin.level]] tables")
        texts = [rule.when.text for rule in self.rules]
        for number, text in enumerate(texts):
            if not scored and text in texts[:number]:
                refuse(f"rule {number + 1} is never reached: rule {texts.index(text) + 1} has the same condition")
        starts = [level.start for level in self.levels]
        if sorted(set(starts), reverse=True) != starts:
            refuse("level: list them from the highest to the lowest")
        return self
