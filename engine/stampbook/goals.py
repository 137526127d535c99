"""How far an account is from a goal, such as the next level: what plugins tell for statements."""

from __future__ import annotations

from typing import NamedTuple

from stampbook.periods import NEVER


class Need(NamedTuple):
    """How far one measure has come: texts of what there is, of what is wanted, and of what is missing (`0` if done)."""

    measure: str
    have: str
    want: str
    missing: str


class Progress(NamedTuple):
    """How far an account is from a goal: it needs all of `needs`, or any one of them, before the instant `until`.

    `way` is ``reach`` or ``keep``; `until` is NEVER where no date is set. `words` tell a goal that is no measure: where
    they are given they are said as they are.
    """

    scheme: str
    way: str
    goal: str
    needs: tuple[Need, ...]
    match: str = "all"
    until: int = NEVER
    words: str = ""

    @property
    def done(self) -> bool:
        """Whether nothing is missing."""
        there = [need.missing == "0" for need in self.needs]
        if self.words and not there:
            return False
        return any(there) if self.match == "any" else all(there)
