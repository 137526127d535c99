"""How the facts of one name follow one another."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stampbook.ledger import Fact


def learned(past: tuple[Fact, ...], fact: Fact) -> tuple[Fact, ...]:
    """Put a fact in its place among those of its name: it ends what held before, and what held later ends it."""
    place = len(past)
    while place and past[place - 1].since >= fact.since:
        place -= 1
    later = past[place:]
    if later and later[0].since == fact.since:
        later = later[1:]
    if later and later[0].since < fact.until:
        fact = fact._replace(until=later[0].since)
    if place and fact.since < past[place - 1].until:
        past = (*past[: place - 1], past[place - 1]._replace(until=fact.since))
    return (*past[:place], fact, *later)


def unbroken_since(held: Fact, past: Sequence[Fact]) -> int:
    """Return the instant since which a fact has had its value without a break, by all facts of its name in order."""
    since = held.since
    for fact in reversed(past):
        if fact.since < since:
            if fact.value != held.value or fact.until < since:
                break
            since = fact.since
    return since
