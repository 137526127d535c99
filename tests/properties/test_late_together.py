"""Late news of what plugins bring: families, gifts, mergers and rewards, told in other orders than they happened."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from stampbook.outcomes import FAILED
from stampbook.replay import MemoryLedger
from tests.effort import examples
from tests.plugins import test_households as families
from tests.plugins import test_merging_undone as mergers
from tests.plugins import test_redemption_properties as rewards
from tests.plugins import test_transfers as gifts
from tests.plugins.proof import LATER
from tests.properties.looking_back import look_back

if TYPE_CHECKING:
    from stampbook.registry import Registry

Event = dict[str, Any]

delays = st.lists(st.sampled_from([0, 0, 0, 5, 50, 200]), min_size=80, max_size=80)
"""By how many hours each event happened before the order in which they are told says so."""


def told_late(events: list[Event], hours: list[int]) -> list[Event]:
    """Return events as they are told, with some that happened earlier; what opens accounts is told in time."""
    return [
        event if event["type"] == "account.opened" else {**event, "at": _earlier(event["at"], late)}
        for event, late in zip(events, [*hours, *[0] * len(events)], strict=False)
    ]


def _earlier(at: str, hours: int) -> str:
    return (datetime.fromisoformat(at) - timedelta(hours=hours)).isoformat()


def happens(registry: Registry, events: list[Event]) -> None:
    """Tell events one by one; whatever is accepted or refused, none fails, and the books are sound."""
    books = MemoryLedger(registry, clock=lambda: LATER)
    for event in events:
        [outcome] = books.process([event])
        assert outcome.status != FAILED, outcome.error
    with books.store.reader() as session:
        refs = session.refs()
    look_back(books, refs)


@examples(60)
@given(families.doings, delays)
def test_families(drawn: list[tuple[str, str, str, int]], hours: list[int]) -> None:
    happens(families.REGISTRY, told_late(families.events_of(drawn), hours))


@examples(60)
@given(gifts.gifts, delays)
def test_gifts(drawn: list[tuple[str, str, int, bool]], hours: list[int]) -> None:
    happens(gifts.REGISTRY, told_late(gifts.events_of(drawn), hours))


@examples(60)
@given(mergers.steps, delays)
def test_mergers(drawn: list[tuple[str, str, str, int]], hours: list[int]) -> None:
    happens(mergers.REGISTRY, told_late(mergers.events_of(drawn), hours))


@examples(40)
@given(rewards.steps, st.sampled_from([0, 1]), delays)
def test_rewards(plan: list[rewards.Step], which: int, hours: list[int]) -> None:
    events, _ = rewards.one_by_one(rewards.memory(rewards.REGISTRIES[which]), plan)
    happens(rewards.REGISTRIES[which], told_late(events, hours))
