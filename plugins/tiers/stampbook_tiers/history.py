"""The history of a level as a list of changes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from stampbook import Fact


class Change(NamedTuple):
    """A level was left for another, each named by its text, at an instant; an empty text is no level."""

    since: int
    before: str
    after: str


def changes(facts: Iterable[Fact]) -> list[Change]:
    """Return the changes in a history; what only goes on is none."""
    found: list[Change] = []
    before = ""
    for fact in facts:
        if fact.value != before:
            found.append(Change(fact.since, before, fact.value))
        before = fact.value
    return found


def with_learned(facts: Sequence[Fact], learned: Iterable[Fact]) -> list[Fact]:
    """Return a history with facts that were learned of the same name."""
    by_since = {fact.since: fact for fact in (*facts, *learned)}
    return [by_since[since] for since in sorted(by_since)]


def level_at(facts: Iterable[Fact], at: int) -> str:
    """Return the level that a history says for an instant."""
    return next((fact.value for fact in reversed([*facts]) if fact.since <= at), "")
