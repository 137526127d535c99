"""Programs as they are kept: by content hash, with the instants from which they hold."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable


class KeptProgram(NamedTuple):
    """A program in force from an instant; `recorded_at` is when it was put in force."""

    hash: str
    file: str
    content: str
    effective_from: int
    recorded_at: int


def latest_by_start(programs: Iterable[KeptProgram]) -> list[KeptProgram]:
    """Return programs by the instant from which they hold; of two from one instant the later one wins."""
    latest = {program.effective_from: program for program in programs}
    return [latest[start] for start in sorted(latest)]


class Schedule:
    """Which program holds when, by content hash."""

    def __init__(self, programs: Iterable[KeptProgram]) -> None:
        holding = latest_by_start(programs)
        self._starts = [program.effective_from for program in holding]
        self._hashes = [program.hash for program in holding]

    def at(self, instant: int) -> str:
        """Return the program that holds at an instant, the first one also before it; empty where there is none."""
        return self._hashes[max(0, bisect_right(self._starts, instant) - 1)] if self._hashes else ""
