"""Random programs and crowds of customers through a real database, in random batches: one ledger, and a sound one.

What the other properties show of the core holds of the whole engine too: loading, batches, writing, ticking, verifying.
"""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stampbook.engine import Engine
from stampbook.periods import instant_of
from stampbook.replay import MemoryLedger
from tests.faults.books import findings, heads, picture, told
from tests.properties import strategies as some
from tests.properties.driver import program
from tests.properties.test_past import microseconds

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Event = dict[str, Any]

FEW = settings(max_examples=max(10, settings().max_examples // 4))
"""Each example makes databases."""
DAY = 86_400_000_000
END = instant_of(some.START) + 4_000 * DAY


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("books") / "empty.db"
    Engine.open(f"sqlite:///{path}", create=True).close()
    return path


@contextmanager
def books(empty: Path, shop: some.Shop) -> Iterator[Engine]:
    """Open a ledger of its own in a SQLite file."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        path = shutil.copy(empty, folder)
        with Engine.open(f"sqlite:///{path}", clock=lambda: END) as engine:
            engine.put_text_in_force(shop.toml())
            yield engine


@st.composite
def on_hold(draw: st.DrawFn, names: list[str]) -> Event:
    """Something that a hold begins or ends with."""
    asset = draw(st.sampled_from(["GBP", "points"]))
    if not names or draw(st.booleans()):
        return {"type": "hold.authorised", "asset": asset, "amount": draw(some.points)}
    kind = draw(st.sampled_from(["hold.captured", "hold.voided", "hold.changed"]))
    event: Event = {"type": kind, "hold": draw(st.sampled_from(names)), "asset": asset}
    if kind == "hold.changed" or draw(st.booleans()):
        event["amount"] = draw(some.points)
    return event


@st.composite
def crowds(draw: st.DrawFn) -> list[Event]:
    """What happens to a few customers, told in any order of arrival, some of it late, twice, or under a taken id."""
    lives: list[list[Event]] = []
    for number, ref in enumerate(("ann", "bob", "cat")[: draw(st.integers(1, 3))]):
        life = draw(some.histories(most=10, late=draw(st.booleans())))
        held: list[str] = []
        told: list[Event] = []
        for event in life:
            own = {**event, "account": ref, "id": f"{number}.{event['id']}"}
            if "purchase" in own and own["purchase"] != "nowhere":
                own["purchase"] = f"{number}.{own['purchase']}"
            told.append(own)
            if draw(st.integers(0, 3)) == 0:
                id_ = f"{own['id']}h"
                told.append({**draw(on_hold(held)), "account": ref, "id": id_, "at": own["at"]})
                held.append(id_)
        lives.append(told)
    events: list[Event] = []
    while any(lives):
        life = draw(st.sampled_from([life for life in lives if life]))
        events.append(life.pop(0))
        if draw(st.integers(0, 9)) == 0:
            again = dict(draw(st.sampled_from(events)))
            events.append({**again, "at": events[-1]["at"]} if draw(st.booleans()) else again)
    return events


@st.composite
def splits(draw: st.DrawFn, count: int) -> list[slice]:
    """Cut so many events into batches, anywhere."""
    cuts = sorted(draw(st.sets(st.integers(1, max(1, count - 1)), max_size=count)))
    return [slice(first, last) for first, last in zip([0, *cuts], [*cuts, count], strict=True)]


def in_full(engine: Engine, refs: set[str]) -> dict[str, Any]:
    """Return what the outside sees of accounts: what was decided of each event, and what each holds at the end."""
    list(engine.tick(END))
    with engine.store.reader() as session:
        accounts = session.accounts(sorted(refs & set(session.refs())))
        session.fill(accounts.values(), None)
        return {
            ref: (
                [(e.id, e.accepted) for e in session.journal(ref) if e.source != "stampbook"],
                {asset: account.total(asset) for asset in ("points", "GBP")},
                account.status,
                account.facts,
            )
            for ref, account in accounts.items()
        }


@FEW
@given(shop=some.shops(), events=crowds(), data=st.data())
def test_any_split_into_batches_is_one_ledger_and_a_sound_one(
    empty: Path, shop: some.Shop, events: list[Event], data: st.DataObject
) -> None:
    memory = MemoryLedger(program(shop.toml()), clock=lambda: END)
    expected = [told(memory.process([event])[0]) for event in events]
    with books(empty, shop) as one, books(empty, shop) as other:
        for engine in (one, other):
            found = [told(out) for part in data.draw(splits(len(events))) for out in engine.process(events[part])]
            assert found == expected
            assert findings(engine) == ()
        assert picture(one) == picture(other)
        assert heads(one) == heads(memory)


@FEW
@given(shop=some.shops(), events=crowds(), data=st.data())
def test_ticks_between_batches_change_no_answer_and_no_balance(
    empty: Path, shop: some.Shop, events: list[Event], data: st.DataObject
) -> None:
    """Where nothing comes late: a review of tiers that was held is not held again for late news."""
    events.sort(key=lambda event: microseconds(event["at"]))
    refs = {event["account"] for event in events}
    with books(empty, shop) as ticked, books(empty, shop) as never:
        latest = 0
        for part in data.draw(splits(len(events))):
            ticked.process(events[part])
            latest = max(latest, *(microseconds(event["at"]) for event in events[part]))
            if data.draw(st.booleans()):
                list(ticked.tick(latest))
                assert findings(ticked) == ()
        never.process(events)
        assert in_full(ticked, refs) == in_full(never, refs)
        assert findings(ticked) == findings(never) == ()
