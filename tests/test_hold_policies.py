"""What a capture may take above its hold, and what becomes of the rest of one."""

from __future__ import annotations

from typing import Any

import pytest

from stampbook import ProgramError
from stampbook.testing import Ledger

PROGRAM = """
[program]
name = "Restaurant"
currency = "GBP"
open_accounts = "on first event"
[assets.GBP]
{options}
"""


def ledger(options: str = "") -> Ledger:
    books = Ledger(PROGRAM.format(options=options))
    books.post(type="topup", amount="60.00", at="2025-03-01T10:00")
    books.post(type="topup", amount="60.00", at="2025-03-01T11:00")
    books.post(type="hold.authorised", id="h", amount="50.00", at="2025-03-01T12:00")
    return books


def capture(books: Ledger, amount: str, at: str = "2025-03-01T13:00", **fields: Any) -> Any:
    return books.post(type="hold.captured", hold="h", amount=amount, at=at, **fields)


def messages(outcome: Any) -> list[tuple[str, str]]:
    return [(objection.code, objection.message) for objection in outcome.objections]


def test_a_tip_above_the_hold_is_refused_unless_the_program_allows_it() -> None:
    assert messages(capture(ledger(), "50.01")) == [
        ("over_capture", "50.01 GBP is more than the 50.00 GBP set aside"),
    ]


def test_a_tip_is_allowed_up_to_a_share_and_is_drawn_in_the_spend_order() -> None:
    books = ledger('over_capture = "25%"')
    [(code, told)] = messages(capture(books, "62.51"))
    assert code == "over_capture"
    assert told == (
        "62.51 GBP is more than the 50.00 GBP set aside and the 12.50 GBP that may come on top, 25% of the hold"
    )
    assert capture(books, "62.50").accepted
    assert [(lot.number, lot.remaining, lot.held) for lot in books.view().lots] == [(2, 5750, 0)]
    assert books.balance("GBP") == "57.50"


def test_a_tip_needs_value_that_is_free() -> None:
    books = ledger('over_capture = "25%"')
    books.post(type="spend", amount="65.00", at="2025-03-01T12:30")
    assert [code for code, _ in messages(capture(books, "55.01"))] == ["insufficient_balance"]
    assert capture(books, "55.00").accepted


def test_a_tip_on_what_is_left_of_a_hold_counts_by_the_whole_hold() -> None:
    books = ledger('over_capture = "10%"\nafter_capture = "keep"')
    assert capture(books, "45.00").accepted
    assert [code for code, _ in messages(capture(books, "10.01", "2025-03-01T14:00"))] == ["over_capture"]
    assert capture(books, "10.00", "2025-03-01T14:00").accepted
    assert [code for code, _ in messages(capture(books, "0.01", "2025-03-01T15:00"))] == ["hold_ended"]


@pytest.mark.parametrize(
    ("options", "fields", "left"),
    [
        ("", {}, "110.00"),
        ("", {"final": False}, "70.00"),
        ('after_capture = "keep"', {}, "70.00"),
        ('after_capture = "keep"', {"final": True}, "110.00"),
        ('after_capture = "release"', {}, "110.00"),
    ],
)
def test_the_rest_after_a_partial_capture_is_released_or_kept(options: str, fields: dict[str, Any], left: str) -> None:
    books = ledger(options)
    assert capture(books, "10.00", **fields).accepted
    assert books.balance("GBP") == left


def test_a_purchase_that_names_a_hold_may_cost_a_little_more() -> None:
    books = ledger('over_capture = "10%"')
    paid = [{"kind": "stored_value", "amount": "55.00"}]
    assert books.post(type="purchase", amount="55.00", tenders=paid, hold="h", at="2025-03-01T13:00").accepted
    assert books.balance("GBP") == "65.00"


def test_a_share_is_a_percentage() -> None:
    with pytest.raises(ProgramError, match=r"over_capture"):
        ledger('over_capture = "0.2"')
