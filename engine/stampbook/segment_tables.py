"""A program's `[segments]` tables: what rules are told of a scheme, and what holds accounts where they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field

from stampbook.expressions import Field as Name
from stampbook.expressions import Kind
from stampbook.vocabulary import PeriodText

if TYPE_CHECKING:
    from collections.abc import Mapping

SCORE_DECIMALS = 6
"""Scores that rules read have so many decimals; a run's further ones are rounded half to even."""

ScoreName = Annotated[str, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")]


class SegmentTable(BaseModel):
    """What becomes of the segments of one scheme, which is named as its plugin is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scores: Annotated[
        tuple[ScoreName, ...],
        Field(max_length=20, description="scores that rules may read; a change of one of them is told, too"),
    ] = ()
    minimum_stay: Annotated[
        PeriodText | None, Field(description="how long an account stays in a segment at least", examples=["30 days"])
    ] = None
    confirm_runs: Annotated[
        int, Field(strict=True, ge=1, le=100, description="how many runs in a row must say the same before one moves")
    ] = 1
    at_once: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=80)], ...],
        Field(description="segments that are entered without either, such as 'lost'"),
    ] = ()


def segment_fact(scheme: str) -> str:
    """Return the fact that says in which segment of a scheme an account is."""
    return f"segment:{scheme}"


def score_fact(scheme: str, score: str) -> str:
    """Return the fact that says what a score of a scheme is."""
    return f"score:{scheme}.{score}"


def segment_names(tables: Mapping[str, object]) -> dict[str, Name]:
    """Return what rules may read of accounts: ``segment.SCHEME`` and ``score.SCHEME.NAME``.

    Args:
        tables: the `[segments]` tables as they stand in the file, unchecked.
    """
    names: dict[str, Name] = {}
    for scheme, table in tables.items():
        fact = segment_fact(scheme)
        names[f"segment.{scheme}"] = Name(Kind.TEXT, f"account.text({fact!r})", about=f"its segment of {scheme}, or ''")
        scores = table.get("scores") if isinstance(table, dict) else None
        for score in scores if isinstance(scores, list) else ():
            code = f"account.number({score_fact(scheme, str(score))!r})"
            about = f"its score of {scheme}; 0 where it is not known"
            names[f"score.{scheme}.{score}"] = Name(Kind.NUMBER, code, SCORE_DECIMALS, about)
    return names
