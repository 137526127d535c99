"""The options of a `[[plugin]]` table with `use = "churn"`."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from stampbook import PluginConfig, refuse

Percent = Annotated[str, Field(pattern=r"^\d{1,3}(\.\d{1,4})?%$")]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
Scorer = Literal["model", "expected", "alive", "own_gap", "population_gap", "recency"]


class ChurnConfig(PluginConfig):
    """Levels of warning by the chance of another purchase within a time."""

    horizon_days: Annotated[int, Field(strict=True, ge=1, le=3650)] = Field(
        default=90, description="Within how many days a customer should buy again; the back-test looks back as far."
    )
    model: Literal["bg_nbd", "mbg_nbd", "pareto_nbd"] = Field(
        default="bg_nbd", description="The model behind the scorers model, expected and alive."
    )
    unit_days: Annotated[int, Field(strict=True, ge=1, le=31)] = Field(
        default=7, description="The unit of time of the model, in days."
    )
    choose: Literal["best"] | Scorer = Field(
        default="best",
        description="Which scorer tells: that with the highest AUC in the back-test, or always the one that is named.",
    )
    cover: Percent = Field(
        default="80%", description="The usual gap is the shortest that so many of the gaps do not exceed."
    )
    least_gaps: Annotated[int, Field(strict=True, ge=1, le=1000)] = Field(
        default=3, description="From so many gaps of one's own on they count; those of all customers do below."
    )
    levels: tuple[Percent, ...] = Field(
        default=("50%", "25%", "10%"),
        min_length=1,
        max_length=10,
        description="The least chance of a purchase of each level but the last, falling.",
    )
    names: tuple[Name, ...] = Field(
        default=("safe", "watch", "warning", "critical"),
        description="The levels, the safest first: one more than levels.",
    )
    none: Name = Field(default="none", description="Who never kept a purchase.")
    unknown: Name = Field(
        default="unknown",
        description="Who did, where nothing tells: no model can be fitted, and the history is too short to try.",
    )

    @model_validator(mode="after")
    def _fits(self) -> ChurnConfig:
        falling = [float(level.rstrip("%")) for level in self.levels]
        if sorted(set(falling), reverse=True) != falling or not all(0 < level < 100 for level in falling):  # noqa: PLR2004 - of a hundred
            refuse("levels: write chances between 0% and 100%, from the highest to the lowest")
        if len(self.names) != len(self.levels) + 1:
            refuse(f"names: there are {len(self.names)}, and {len(self.levels) + 1} levels")
        if len({*self.names, self.none, self.unknown}) <= len(self.names) + 1:
            refuse("names: two levels have one name")
        if not 0 < float(self.cover.rstrip("%")) <= 100:  # noqa: PLR2004 - of a hundred
            refuse("cover: write more than 0% and up to 100%")
        return self
