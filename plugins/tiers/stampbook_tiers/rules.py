"""Pure arithmetic of tiers: which level a value reaches, and where a review leaves it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence


class Step(NamedTuple):
    """A level with its thresholds in the metric's smallest units and its multiplier as a ratio."""

    name: str
    reach: int
    keep: int
    numerator: int = 1
    denominator: int = 1


def reached(steps: Sequence[Step], value: int) -> int:
    """Return the position of the highest level that a value reaches, or -1."""
    rank = -1
    for place, step in enumerate(steps):
        if value >= step.reach:
            rank = place
    return rank


def reviewed(steps: Sequence[Step], rank: int, value: int, downgrade: str) -> int:
    """Return the position at which a review leaves a level, given the value of the period that ended."""
    if rank < 0 or downgrade == "none" or value >= steps[rank].keep:
        return max(rank, reached(steps, value))
    if downgrade == "one step":
        return max(rank - 1, reached(steps, value))
    kept = max((place for place in range(rank) if value >= steps[place].keep), default=-1)
    return max(kept, reached(steps, value))
