"""The options of a `[[plugin]]` table with `use = "rfm"`."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from pydantic import Field, StringConstraints, field_validator

from stampbook import PluginConfig, Window, WindowText

STANDARD_GRID: Final = {
    "11": "hibernating",
    "12": "hibernating",
    "13": "at_risk",
    "14": "at_risk",
    "15": "cant_lose",
    "21": "hibernating",
    "22": "hibernating",
    "23": "at_risk",
    "24": "at_risk",
    "25": "cant_lose",
    "31": "about_to_sleep",
    "32": "about_to_sleep",
    "33": "need_attention",
    "34": "loyal",
    "35": "loyal",
    "41": "promising",
    "42": "potential_loyalist",
    "43": "potential_loyalist",
    "44": "loyal",
    "45": "loyal",
    "51": "new",
    "52": "potential_loyalist",
    "53": "potential_loyalist",
    "54": "champions",
    "55": "champions",
}
"""The R x F grid in general use, 25 cells: recency, then frequency, 5 best."""

Cell = Annotated[str, StringConstraints(pattern=r"^[1-5][1-5]$")]
Name = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]


class RfmConfig(PluginConfig):
    """Recency, frequency and monetary value: five classes each, 5 best, named by a grid of R x F."""

    window: WindowText = Field(
        default_factory=Window,
        description="Which days count for frequency and monetary value: 'lifetime', a rolling length such as "
        "'12 months' or '365 days', or 'calendar year', in the program's time zone, the day of the run "
        "included. Recency looks back beyond it; an account without a purchase in it scores 1, 1, 1.",
        examples=["lifetime", "12 months", "calendar year"],
        json_schema_extra={"default": "lifetime"},
    )
    scores: Literal["tie_safe", "ntile"] = Field(
        default="tie_safe",
        description="'tie_safe': quintiles in which equal customers always score the same. 'ntile': "
        "five classes of equal size as SQL's NTILE(5) makes them, equal customers torn apart in the order of "
        "their account refs; to agree with older reports.",
    )
    count_zero_amounts: bool = Field(
        default=False,
        description="Whether a purchase of amount zero counts for recency and frequency. One that was wholly "
        "returned never does.",
    )
    grid: dict[Cell, Name] = Field(
        default=STANDARD_GRID,
        description="The segment's name for each of the 25 cells: two digits from 1 to 5, recency then "
        "frequency, 5 best. Cells that are not given keep their standard names; several cells may share one.",
        examples=[{"55": "regulars", "54": "regulars"}],
    )

    @field_validator("grid", mode="before")
    @classmethod
    def _standard_names_stay(cls, cells: Any) -> Any:
        return STANDARD_GRID | cells if isinstance(cells, dict) else cells
