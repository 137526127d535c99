"""What comes to an account after it was merged: refused with the name of the other, or decided there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from stampbook.engine import Engine
from stampbook.verifying import verify
from tests.plugins.proof import LATER
from tests.plugins.test_merging import PROGRAM, buy, codes, ledger, standing

if TYPE_CHECKING:
    from collections.abc import Iterator

FORWARDING = PROGRAM.replace('undo = "30 days"', 'undo = "30 days"\nlater_events = "forward"') + (
    '[[plugin]]\nuse = "transfers"\nasset = "points"\n'
)


def test_what_is_sent_later_is_refused_and_says_where_to_send_it() -> None:
    books = ledger()
    codes(books, "account.merged", "old", "new")
    for event in ({"type": "purchase", "amount": "5.00"}, {"type": "account.closed"}, {"type": "account.frozen"}):
        (objection,) = books.post(account="old", at="2025-02-03T10:00", **event).objections
        assert objection.code == "account_merged"
        assert objection.message == "account old was merged into new; send it there"


def test_what_is_sent_later_is_decided_on_the_other_account() -> None:
    books = ledger(FORWARDING)
    codes(books, "account.merged", "old", "new")
    buy(books, "old", "2025-02-10", "10.00")
    assert standing(books, "new")[:2] == ("270", "40")  # what was bought until 20 January can be spent by now
    assert [entry.type for entry in books.journal("old")][-1] == "account.merged"
    assert books.journal("new")[-1].type == "purchase"


def test_of_a_chain_the_last_account_decides() -> None:
    books = ledger(FORWARDING)
    buy(books, "last", "2025-02-01", "1.00")
    codes(books, "account.merged", "old", "new")
    codes(books, "account.merged", "new", "last", "2025-02-03")
    buy(books, "old", "2025-02-20", "10.00")
    assert (books.balance("points", account="last"), books.pending("points", account="last")) == ("301", "10")
    assert codes(books, "account.unmerged", "new", "old", "2025-02-21") == ["account_merged"]
    assert codes(books, "account.unmerged", "last", "new", "2025-02-21") == []
    assert codes(books, "account.unmerged", "new", "old", "2025-02-21") == []
    assert standing(books, "old")[:3] == ("150", "0", "40.00")


@pytest.mark.parametrize("kind", ["account.closed", "account.frozen", "account.opened"])
def test_what_concerns_the_account_itself_is_never_forwarded(kind: str) -> None:
    books = ledger(FORWARDING)
    codes(books, "account.merged", "old", "new")
    assert not books.post(type=kind, account="old", at="2025-02-03T10:00").accepted
    assert books.engine.account("new").status == "open"
    assert codes(books, "account.merged", "old", "new", "2025-02-04") == ["account_merged"]


def test_a_gift_to_a_merged_account_arrives_at_the_other() -> None:
    books = ledger(FORWARDING)
    buy(books, "friend", "2025-01-01", "20.00")
    codes(books, "account.merged", "old", "new")
    gift = {"type": "transfer", "account": "friend", "to": "old", "asset": "points", "amount": "20"}
    assert books.post(**gift, at="2025-02-10T10:00").accepted
    assert books.balance("points", account="new") == "290"
    refusing = ledger(PROGRAM + '[[plugin]]\nuse = "transfers"\nasset = "points"\n')
    buy(refusing, "friend", "2025-01-01", "20.00")
    codes(refusing, "account.merged", "old", "new")
    (objection,) = refusing.post(**gift, at="2025-02-10T10:00").objections
    assert objection[:2] == ("account_merged", "old: account old was merged into new; send it there")
    assert refusing.balance("points", account="friend") == "20"


@pytest.fixture
def engine(any_db: str) -> Iterator[Engine]:
    with Engine.open(any_db, create=True, clock=lambda: LATER) as engine:
        engine.put_text_in_force(FORWARDING)
        yield engine


@pytest.mark.parametrize("size", [1, 100])
def test_forwarded_events_are_told_again_and_verified(engine: Engine, size: int) -> None:
    line = [{"amount": "10.00", "category": "books"}]
    events: list[dict[str, Any]] = [
        {"type": "purchase", "id": "1", "account": "old", "at": "2025-01-01T10:00", "lines": line},
        {"type": "purchase", "id": "2", "account": "new", "at": "2025-01-02T10:00", "lines": line},
        {"type": "account.merged", "id": "3", "account": "old", "to": "new", "at": "2025-01-03T10:00"},
        {"type": "purchase", "id": "4", "account": "old", "at": "2025-01-04T10:00", "lines": line},
        {"type": "return", "id": "5", "account": "old", "at": "2025-01-05T10:00", "purchase": "4"},
        {"type": "return", "id": "6", "account": "old", "at": "2025-01-05T11:00", "purchase": "1"},
        {"type": "account.unmerged", "id": "7", "account": "new", "to": "old", "at": "2025-01-06T10:00"},
        {"type": "return", "id": "8", "account": "old", "at": "2025-01-07T10:00", "purchase": "1"},
    ]
    outcomes = [each for first in range(0, len(events), size) for each in engine.process(events[first : first + size])]
    assert ["refused" if each.objections else "ok" for each in outcomes] == ["ok"] * 7 + ["refused"]
    assert all(each.replayed for each in engine.process(events))
    assert verify(engine).findings == ()
