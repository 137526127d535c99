"""Canaries of bulk work: a worker decides on a snapshot, and must see before it writes that the books have moved on."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from stampbook import worker
from stampbook.engine import Engine
from tests.faults.books import PROGRAM, event, findings, frozen, opened

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from stampbook.batch import Batch
    from stampbook.outcomes import Outcome

RICHER = PROGRAM.replace('earn = "floor(order.net)"', 'earn = "floor(order.net) * 10"')
TEA = [{"amount": "6.00", "category": "cake"}]


def spent(books: Engine) -> None:
    books.post(event("spend", "other", at="2025-01-02T00:00:00Z", amount="8.00"))


def changed(books: Engine) -> None:
    books.put_text_in_force(RICHER, effective_from=0)


def decided(url: str, meanwhile: Callable[[Engine], None], bug: pytest.MonkeyPatch) -> list[Outcome]:
    """Let a worker commit a spend and a purchase, while another writer does something between snapshot and writing."""
    with opened(url) as books:
        books.post(event("topup", "t", at="2025-01-01T00:00:00Z", amount="10.00"))
    with Engine.open(url, clock=frozen) as own, Engine.open(url, clock=frozen) as other:
        decider = worker._Decider(own, worker.Place(0, 1, nullcontext()))
        real = worker._Decider._decided
        times: list[int] = []

        def interrupted(self: worker._Decider, events: list[dict[str, str]]) -> Batch:
            batch = real(self, events)
            if not times:
                meanwhile(other)
            times.append(1)
            return batch

        bug.setattr(worker._Decider, "_decided", interrupted)
        events = [
            event("spend", "s", at="2025-01-03T00:00:00Z", amount="8.00"),
            event("purchase", "p", at="2025-01-03T00:00:00Z", lines=TEA),
        ]
        outcomes = list(decider._committed(events))
        assert findings(other) == ()
    return outcomes


def told(outcomes: list[Outcome]) -> tuple[str, int]:
    spend, purchase = outcomes
    points = sum(posting.amount for posting in purchase.postings if posting.asset == "points")
    return spend.status, points


def test_a_worker_decides_again_when_an_account_has_moved_on(any_db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(decided(any_db, spent, monkeypatch)) == ("refused", 6)


def test_a_worker_decides_again_when_another_program_is_in_force(any_db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert told(decided(any_db, changed, monkeypatch)) == ("accepted", 60)


def test_without_the_check_it_would_be_seen(any_db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "_check", lambda *_: None)
    assert told(decided(any_db, changed, monkeypatch)) == ("accepted", 6)
