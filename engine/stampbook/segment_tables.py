"""A program's `[segments]` tables: what rules are told of a scheme, and what holds accounts where they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from stampbook.amounts import read_units
from stampbook.errors import AmountError
from stampbook.expressions import Field as Name
from stampbook.expressions import Kind
from stampbook.option_types import PeriodText
from stampbook.vocabulary import refuse

if TYPE_CHECKING:
    from collections.abc import Mapping

SCORE_DECIMALS = 6
"""Scores that rules read have so many decimals; a run's further ones are rounded half to even."""

ScoreName = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,62}$")]


class SegmentTable(BaseModel):
    """What becomes of the segments of one scheme, which is named as its plugin is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    scores: Annotated[
        tuple[ScoreName, ...],
        Field(max_length=20, description="numbers that rules may read; a change of one of them is told, too"),
    ] = ()
    texts: Annotated[
        tuple[ScoreName, ...],
        Field(max_length=20, description="the same of scores that are no numbers, such as a category"),
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

    @model_validator(mode="after")
    def _one_kind_each(self) -> SegmentTable:
        for name in self.texts:
            if name in self.scores:
                refuse(f"score {name!r} is a number or a text, not both; leave it out of scores or of texts")
        return self


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
        for score in _listed(table, "scores"):
            code = f"account.number({score_fact(scheme, score)!r})"
            about = f"its score of {scheme}; 0 where it is not known"
            names[f"score.{scheme}.{score}"] = Name(Kind.NUMBER, code, SCORE_DECIMALS, about)
        for score in _listed(table, "texts"):
            code = f"account.text({score_fact(scheme, score)!r})"
            names[f"score.{scheme}.{score}"] = Name(Kind.TEXT, code, about=f"its score of {scheme}, or ''")
    return names


def is_score(text: str) -> bool:
    """Return whether a text is a number that rules can read; an empty one is a score that is not known."""
    try:
        read_units(text or "0", SCORE_DECIMALS)
    except AmountError:
        return False
    return True


def read_score(text: str) -> int:
    """Return a score in millionths; 0 for one that is not known, or was told as text by an earlier program."""
    return read_units(text or "0", SCORE_DECIMALS) if is_score(text) else 0


def _listed(table: object, key: str) -> list[str]:
    listed = table.get(key) if isinstance(table, dict) else None
    return [name for name in listed if isinstance(name, str)] if isinstance(listed, list) else []
