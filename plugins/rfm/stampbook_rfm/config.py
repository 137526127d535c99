"""The options of a `[[plugin]]` table with `use = "rfm"`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BeforeValidator, Field, StringConstraints, ValidationInfo, field_validator, model_validator

from stampbook import Money, PluginConfig, Rounding, Window, WindowText, refuse
from stampbook_rfm import tables

if TYPE_CHECKING:
    from collections.abc import Mapping

Cell = Annotated[str, StringConstraints(pattern=r"^([1-9]{2,3}|([1-9]|10)(-([1-9]|10)){1,2})$")]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
Patterns = Annotated[
    tuple[Annotated[str, Field(min_length=1, max_length=80)], ...],
    BeforeValidator(lambda value: (value,) if isinstance(value, str) else value),
]
Weight = Annotated[int, Field(ge=0, le=100)]


class Cuts(PluginConfig):
    """Fixed cut points instead of classes by quantile: one fewer than classes, for each score that has them."""

    r: tuple[Annotated[int, Field(ge=0)], ...] = Field(
        default=(),
        description="Days since the last order, such as [365, 180, 90, 30]: whose last order is at most so many days "
        "old reaches the next score. In any order.",
    )
    f: tuple[Annotated[int, Field(ge=1)], ...] = Field(
        default=(), description="Orders, such as [2, 3, 5, 10]: who has at least so many reaches the next score."
    )
    m: tuple[Money, ...] = Field(
        default=(),
        description='Money in quotes, such as ["50", "100", "250", "1000"]: who paid at least so much, net of '
        "returns, reaches the next score.",
    )

    @field_validator("r", "f", "m")
    @classmethod
    def _distinct(cls, points: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(points)) < len(points):
            refuse("two cut points are the same; the score between them would be empty")
        return points

    @field_validator("m")
    @classmethod
    def _above_zero(cls, points: tuple[int, ...]) -> tuple[int, ...]:
        if any(point <= 0 for point in points):
            refuse("a cut point of zero or less; who paid nothing, net of returns, always scores 1")
        return points


class Weights(PluginConfig):
    """How much each score weighs in the total."""

    r: Weight = Field(default=1, description="Weight of recency.")
    f: Weight = Field(default=1, description="Weight of frequency.")
    m: Weight = Field(default=1, description="Weight of monetary value.")

    @property
    def by_letter(self) -> tuple[int, int, int]:
        """The weights of r, f and m."""
        return self.r, self.f, self.m


class RfmConfig(PluginConfig):
    """Recency, frequency and monetary value in classes, the highest best, named by a table."""

    window: WindowText = Field(
        default_factory=Window,
        description="Which days count for frequency and monetary value: 'lifetime', a rolling length such as "
        "'12 months' or '365 days', or 'calendar year', in the program's time zone, the day of the run "
        "included. Recency looks back beyond it; an account without a purchase in it scores 1, 1, 1.",
        examples=["lifetime", "12 months", "calendar year"],
        json_schema_extra={"default": "lifetime"},
    )
    preset: Literal["standard", "r_fm", "klaviyo"] = Field(
        default="standard",
        description="A definition in print. 'standard': the 25 cells of R x F. 'r_fm': R and the mean of F and M, "
        "eleven names. 'klaviyo': scores 1 to 3, six groups, recency cut at 365 and 180 days.",
    )
    classes: Annotated[int, Field(ge=2, le=10)] | None = Field(
        default=None,
        description="How many classes each score has, from 2 to 10; those of the preset where absent. With another "
        "number than the preset's, grid, segments or levels name the cells.",
    )
    scores: Literal["tie_safe", "ntile"] = Field(
        default="tie_safe",
        description="'tie_safe': classes by quantile in which equal customers always score the same. 'ntile': "
        "classes of equal size as SQL's NTILE makes them, equal customers torn apart in the order of "
        "their account refs; to agree with older reports.",
    )
    cuts: Cuts | None = Field(default=None, description="Fixed cut points for some or all of the scores.")
    count_zero_amounts: bool = Field(
        default=False,
        description="Whether a purchase of amount zero counts for recency and frequency. One that was wholly "
        "returned never does.",
    )
    fm_rounding: Literal["half_up", "floor", "half_even"] = Field(
        default="half_up", description="How the mean of F and M is rounded to a whole score, FM."
    )
    grid: dict[Cell, Name] = Field(
        default={},
        description="Other names for single cells of the preset, keyed by their scores: '55' for R and F (or FM), "
        "'323' for R, F and M, '10-9' where there are ten classes. Several cells may share a name.",
        examples=[{"55": "regulars", "54": "regulars"}],
    )
    segments: dict[Name, Patterns] = Field(
        default={},
        description="A table of your own instead of the preset: for each name one or several patterns such as "
        "'[4-5][12]*' (R, F, M), or conditions such as 'r in 4-5 and fm in 1,2'. Every combination of scores needs "
        "exactly one name.",
    )
    weights: Weights | None = Field(default=None, description="What each score weighs in the total; 1 where absent.")
    levels: dict[Name, Annotated[int, Field(ge=0)]] = Field(
        default={},
        description="Names by the weighted total instead of the preset: for each the total at which it starts, such "
        "as { best = 13, good = 9, rest = 3 }.",
    )

    @property
    def class_count(self) -> int:
        """How many classes each score has."""
        return self.classes or tables.PRESETS[self.preset].classes

    @property
    def rounding(self) -> Rounding:
        """How the mean of F and M is rounded."""
        return Rounding(self.fm_rounding)

    @property
    def weighing(self) -> tuple[int, int, int]:
        """What r, f and m weigh in the total."""
        return (self.weights or Weights()).by_letter

    @property
    def fixed(self) -> dict[str, tuple[int, ...]]:
        """Fixed cut points by score, from that of score 2 to that of the best; those of the preset included."""
        cuts = self.cuts or Cuts()
        days = cuts.r or (tables.PRESETS[self.preset].recency_days if self._takes_preset else ())
        given = {"r": tuple(sorted(days, reverse=True)), "f": tuple(sorted(cuts.f)), "m": tuple(sorted(cuts.m))}
        return {letter: points for letter, points in given.items() if points}

    @property
    def names(self) -> tables.Names:
        """The name of each combination of scores."""
        if self.segments:
            return tables.of_conditions(self.segments, self.class_count, self.rounding)
        if self.levels:
            return tables.of_totals(self.levels, self.weighing, self.class_count)
        return _of_grid(self.grid, self.preset, self.class_count, self.rounding)

    @property
    def _takes_preset(self) -> bool:
        return self.class_count == tables.PRESETS[self.preset].classes

    @field_validator("cuts")
    @classmethod
    def _one_fewer_than_classes(cls, cuts: Cuts | None, info: ValidationInfo) -> Cuts | None:
        if cuts is not None and (classes := _class_count(info.data)):
            for letter, points in (("r", cuts.r), ("f", cuts.f), ("m", cuts.m)):
                if points and len(points) != classes - 1:
                    refuse(f"{letter} has {len(points)} cut points; {classes} classes need {classes - 1}")
        return cuts

    @field_validator("grid")
    @classmethod
    def _grid_is_whole(cls, grid: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        if grid and (classes := _class_count(info.data)) and "fm_rounding" in info.data:
            _of_grid(grid, info.data["preset"], classes, Rounding(info.data["fm_rounding"]))
        return grid

    @field_validator("segments")
    @classmethod
    def _segments_are_complete_and_disjoint(
        cls, segments: dict[str, tuple[str, ...]], info: ValidationInfo
    ) -> dict[str, tuple[str, ...]]:
        if segments and (classes := _class_count(info.data)) and "fm_rounding" in info.data:
            tables.of_conditions(segments, classes, Rounding(info.data["fm_rounding"]))
        return segments

    @field_validator("levels")
    @classmethod
    def _levels_can_all_be_reached(cls, levels: dict[str, int], info: ValidationInfo) -> dict[str, int]:
        if levels and (classes := _class_count(info.data)) and "weights" in info.data:
            tables.of_totals(levels, (info.data["weights"] or Weights()).by_letter, classes)
        return levels

    @model_validator(mode="after")
    def _every_cell_has_one_name(self) -> RfmConfig:
        given = [way for way in ("grid", "segments", "levels") if getattr(self, way)]
        if len(given) > 1:
            refuse(f"{given[0]} and {given[1]} both name the cells; leave one out")
        if not given and not self._takes_preset:
            refuse(
                f"preset {self.preset!r} names {tables.PRESETS[self.preset].classes} classes, not {self.classes}; "
                "name the cells by grid, segments or levels"
            )
        return self


def _class_count(data: Mapping[str, Any]) -> int:
    """Return how many classes there are, as far as the options could be read; else 0."""
    if "preset" not in data or "classes" not in data:
        return 0
    return int(data["classes"] or tables.PRESETS[data["preset"]].classes)


def _of_grid(grid: Mapping[str, str], preset: str, classes: int, rounding: Rounding) -> tables.Names:
    known = tables.PRESETS[preset]
    base = known.cells if classes == known.classes else {}
    return tables.of_grid({**base, **grid}, known.letters, classes, rounding)
