"""Random shops: purchases, what becomes of them, members of a household, friends, and what accounts tell."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from hypothesis import strategies as st

Event = dict[str, Any]

REFS = ("ann", "ben")
POOL = "home"
START = datetime(2024, 1, 30, 12)  # noqa: DTZ001 - local time of the program


@st.composite
def purchase(draw: st.DrawFn) -> Event:
    lines = draw(
        st.lists(
            st.fixed_dictionaries(
                {
                    "sku": st.sampled_from("abc"),
                    "category": st.sampled_from(["tea", "cake"]),
                    "quantity": st.sampled_from(["1", "2", "0.5"]),
                    "amount": st.sampled_from(["0.00", "0.99", "3.00", "12.34", "33.33", "80.00"]),
                }
            ),
            min_size=1,
            max_size=3,
        )
    )
    return {"type": "purchase", "account": draw(st.sampled_from(REFS)), "lines": lines}


TOLD: tuple[Event, ...] = (
    {"type": "spend", "asset": "points", "amount": "4"},
    {"type": "account.described", "attributes": {"birthday": "02-29", "segment": "loyal"}},
    {"type": "profile_completed"},
    {"type": "feedback_given", "stars": 4},
)
OF_SEVERAL: tuple[Event, ...] = (
    {"type": "household.joined", "account": "ann", "to": POOL},
    {"type": "household.joined", "account": "ben", "to": POOL},
    {"type": "household.left", "account": "ben"},
    {"type": "household.spent", "account": POOL, "member": "ann", "asset": "points", "amount": "3"},
    {"type": "account.referred", "account": "ben", "by": "ann"},
    {"type": "account.referred", "account": "ann", "by": "ben"},
)


@st.composite
def about(draw: st.DrawFn, bought: list[tuple[str, str]]) -> Event:
    """Draw what becomes of a purchase: returned, in part or whole, completed or cancelled."""
    ref, name = draw(st.sampled_from(bought))
    kind = draw(st.sampled_from(["return", "return", "return", "purchase.completed", "purchase.cancelled"]))
    part: Event = {}
    if kind == "return":
        part = draw(st.sampled_from([{}, {"lines": [{"line": 1}]}, {"amount": "0.50"}]))
    return {"type": kind, "account": ref, "purchase": name, **part}


@st.composite
def histories(draw: st.DrawFn, most: int = 12) -> list[Event]:
    """Purchases and what becomes of them, spending, pools, friends, what is told of accounts, in the order of time.

    Where a program has no pool or no referrals, their events are mistakes of the sender: `fits` leaves them out.
    """
    at = START
    events: list[Event] = [{"id": "pool", "source": "test", "at": at.isoformat(), "type": "account.opened"}]
    events[0]["account"] = POOL
    bought: list[tuple[str, str]] = []
    for number in range(draw(st.integers(1, most))):
        at += timedelta(hours=draw(st.sampled_from([0, 1, 20, 24, 24 * 7, 24 * 31, 24 * 62])))
        kind = draw(st.integers(0, 11))
        event: Event
        if kind < 6 or (kind < 9 and not bought):
            event = draw(purchase())
            bought.append((event["account"], f"e{number}"))
        elif kind < 9:
            event = draw(about(bought))
        elif kind == 9:
            event = {"account": draw(st.sampled_from(REFS)), **draw(st.sampled_from(TOLD))}
        else:
            event = dict(draw(st.sampled_from(OF_SEVERAL)))
        events.append({"id": f"e{number}", "source": "test", "at": at.isoformat(), **event})
    return events


def fits(events: list[Event], text: str) -> list[Event]:
    """Return the events that a program knows."""
    kinds = {"household.": "households", "account.referred": "referral"}
    return [
        event
        for event in events
        if all(f"use = '{plugin}'" in text for start, plugin in kinds.items() if event["type"].startswith(start))
    ]
