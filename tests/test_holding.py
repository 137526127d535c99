"""Holds: set aside, captured in parts, raised, lowered, released, lapsed, and never more than there is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from stampbook.engine import Engine
from stampbook.explaining import explain_entry
from stampbook.periods import Calendar
from stampbook.replay import find_entry
from stampbook.verifying import verify

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from stampbook.outcomes import Outcome

PROGRAM = """
[program]
name = "Holds"
currency = "EUR"
time_zone = "UTC"
open_accounts = "on first event"

[assets.points]
decimals = 0

[[plugin]]
use = "points"
expires = "1 month"

[[plugin.rule]]
name = "base"
earn = "floor(order.net)"

[[plugin]]
use = "refunds"
"""


class Till:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.count = 0

    def __call__(self, kind: str, at: str = "2025-01-10T10:00", *, id: str | None = None, **fields: Any) -> Outcome:  # noqa: A002 - an event's own word
        self.count += 1
        return self.engine.post({"type": kind, "id": id or f"e{self.count}", "account": "ann", "at": at, **fields})

    def codes(self, kind: str, at: str = "2025-01-10T10:00", **fields: Any) -> list[str]:
        return [objection.code for objection in self(kind, at, **fields).objections]

    def account(self) -> Any:
        with self.engine.store.reader() as session:
            found = session.accounts(["ann"])["ann"]
            session.fill([found], None)
        return found

    def free(self, asset: str = "EUR", at: str = "2025-01-10T10:00") -> int:
        balance: int = self.account().balance(asset, Calendar("UTC").parse(at))
        return balance

    def held(self) -> int:
        return sum(hold.remaining for hold in self.account().holds.values())


@pytest.fixture
def till(any_db: str) -> Iterator[Till]:
    with Engine.open(any_db, create=True) as engine:
        engine.put_text_in_force(PROGRAM)
        till = Till(engine)
        till("topup", amount="10.00")
        till("topup", amount="5.00")
        yield till
        assert verify(engine).findings == ()


def test_what_is_set_aside_cannot_be_spent_and_comes_back_when_voided(till: Till) -> None:
    assert till("hold.authorised", id="h", amount="12.00").accepted
    assert (till.free(), till.held()) == (300, 1200)
    assert till.codes("spend", amount="3.01") == ["insufficient_balance"]
    assert till("hold.voided", hold="h", amount="2.00").accepted
    assert (till.free(), till.held()) == (500, 1000)
    assert till("hold.voided", hold="h").accepted
    assert (till.free(), till.held()) == (1500, 0)
    assert till.codes("hold.voided", hold="h") == ["hold_ended"]


def test_a_capture_in_parts_takes_lot_by_lot_and_the_final_one_releases_the_rest(till: Till) -> None:
    till("hold.authorised", id="h", amount="12.00")
    first = till("hold.captured", hold="h", amount="10.50", final=False)
    assert [(posting.source, posting.amount) for posting in first.postings] == [(1, 1000), (2, 50)]
    assert (till.free(), till.held()) == (300, 150)
    last = till("hold.captured", hold="h", amount="1.00")
    assert [(posting.source, posting.amount) for posting in last.postings] == [(2, 100)]
    assert (till.free(), till.held()) == (350, 0)


def test_a_capture_of_all_takes_what_is_left(till: Till) -> None:
    till("hold.authorised", id="h", amount="12.00")
    assert sum(posting.amount for posting in till("hold.captured", hold="h").postings) == 1200
    assert (till.free(), till.held()) == (300, 0)


def test_never_more_is_captured_than_was_set_aside(till: Till) -> None:
    till("hold.authorised", id="h", amount="12.00")
    assert till.codes("hold.captured", hold="h", amount="12.01") == ["over_capture"]
    assert till.codes("hold.voided", hold="h", amount="12.01") == ["over_void"]
    assert till.codes("hold.authorised", amount="3.01") == ["insufficient_balance"]
    assert (till.free(), till.held()) == (300, 1200)


def test_a_hold_is_raised_and_lowered(till: Till) -> None:
    till("hold.authorised", id="h", amount="2.00")
    assert till("hold.changed", hold="h", amount="11.00").accepted
    assert (till.free(), till.held()) == (400, 1100)
    assert till("hold.changed", hold="h", amount="1.00").accepted
    assert (till.free(), till.held()) == (1400, 100)
    assert till.codes("hold.changed", hold="h", amount="15.01") == ["insufficient_balance"]
    assert till("hold.captured", hold="h").accepted
    assert (till.free(), till.held()) == (1400, 0)


def test_a_hold_lapses_at_its_time(till: Till) -> None:
    till("hold.authorised", id="h", amount="2.00", lapses_at="2025-01-10T10:15")
    list(till.engine.tick(Calendar("UTC").parse("2025-01-10T10:14:59")))
    assert till.held() == 200
    assert till.codes("hold.captured", "2025-01-10T10:15", hold="h") == ["hold_ended"]
    assert (till.free(), till.held()) == (1500, 0)


def test_a_statement_tells_of_holds_in_words(till: Till) -> None:
    from stampbook.statements import statement

    till("hold.authorised", id="h", amount="3.00", lapses_at="2025-01-10T12:00", reason="table 4")
    till("hold.captured", hold="h", amount="2.50")
    told = [line.words for line in statement(till.engine, "ann").lines]
    assert told[-2:] == [
        "3.00 EUR set aside until 2025-01-10T12:00:00+00:00: table 4",
        "2.50 EUR captured of what was set aside, 0.50 EUR released of what was set aside (h)",
    ]


def test_a_hold_that_is_not_there_or_of_another_account_or_asset(till: Till) -> None:
    till("hold.authorised", id="h", amount="2.00")
    assert till.codes("hold.captured", hold="nowhere") == ["unknown_hold"]
    assert till.codes("hold.captured", hold="h", account="bob") == ["unknown_hold"]
    assert till.codes("hold.captured", hold="h", asset="points") == ["wrong_asset"]


def test_points_that_expire_under_a_hold_are_honoured_and_lapse_when_released(till: Till) -> None:
    till("purchase", amount="30.00")
    till("hold.authorised", id="h", asset="points", amount="20")
    late = "2025-03-01T10:00"
    assert till("hold.captured", late, hold="h", asset="points", amount="5", final=False).accepted
    assert till.account().lots[3].remaining == 15
    till("hold.voided", late, hold="h", asset="points")
    assert till.free("points", late) == 0
    list(till.engine.tick(Calendar("UTC").parse(late)))
    assert all(lot.asset != "points" for lot in till.account().lots.values())


def test_a_purchase_is_paid_from_its_hold_and_a_return_puts_it_back(till: Till) -> None:
    till("hold.authorised", id="h", amount="12.00")
    paid = [{"kind": "stored_value", "amount": "11.00"}, {"kind": "card", "amount": "9.00"}]
    assert till.codes("purchase", amount="20.00", tenders=[{"kind": "stored_value", "amount": "20.00"}], hold="h") == [
        "over_capture"
    ]
    assert till("purchase", id="p", amount="20.00", tenders=paid, hold="h").accepted
    assert (till.free(), till.held()) == (400, 0)
    assert till("return", purchase="p").accepted
    assert till.free() == 1500


def test_a_purchase_that_names_a_hold_needs_stored_value(till: Till) -> None:
    with pytest.raises(Exception, match="a purchase that names a hold has a tender of kind 'stored_value'"):
        till("purchase", amount="20.00", hold="h")


def test_an_account_with_something_set_aside_cannot_be_closed(till: Till) -> None:
    till("hold.authorised", id="h", amount="15.00")
    assert "open_holds" in till.codes("account.closed")


def test_one_by_one_or_all_at_once_is_the_same(tmp_path: Path) -> None:
    base = {"account": "ann", "at": "2025-01-10T10:00"}
    events: list[dict[str, object]] = [
        {"type": "topup", "id": "t", "amount": "10.00", **base},
        {"type": "hold.authorised", "id": "h", "amount": "8.00", **base},
        {"type": "hold.captured", "id": "c", "hold": "h", "amount": "3.00", "final": False, **base},
        {"type": "hold.changed", "id": "r", "hold": "h", "amount": "7.00", **base},
        {"type": "hold.captured", "id": "d", "hold": "h", **base},
        {"type": "hold.voided", "id": "v", "hold": "h", **base},
    ]
    journals = []
    for size in (1, 2, 6):
        with Engine.open(f"sqlite:///{tmp_path / f'{size}.db'}", create=True, clock=lambda: 0) as engine:
            engine.put_text_in_force(PROGRAM)
            for first in range(0, len(events), size):
                engine.process(events[first : first + size])
            with engine.store.reader() as session:
                journals.append(session.journal("ann"))
    assert journals[0] == journals[1] == journals[2]


def test_why_a_lot_was_used_is_that_it_was_set_aside(till: Till) -> None:
    till("hold.authorised", id="h", amount="4.00")
    till("hold.captured", id="c", hold="h", amount="1.00", final=False)
    till("purchase", id="p", hold="h", amount="2.00", tenders=[{"kind": "stored_value", "amount": "2.00"}])
    for id_, because in (("c", "captured of what was set aside"), ("p", "captured of what was set aside for it")):
        [(ref, entry)] = find_entry(till.engine, None, id_)
        assert explain_entry(till.engine, ref, entry).postings[0].because == because


def test_a_purchase_that_takes_nothing_of_its_hold_releases_it(till: Till) -> None:
    till("hold.authorised", id="h", amount="4.00")
    tenders = [{"kind": "stored_value", "amount": "0.00"}, {"kind": "card", "amount": "2.00"}]
    assert till("purchase", hold="h", amount="2.00", tenders=tenders).accepted
    assert (till.free(), till.held()) == (1500, 0)
