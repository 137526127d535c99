"""Programs as they are kept: by content hash, with the instants from which they hold."""

from __future__ import annotations

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
