"""Points that come back after their time are made good again once, whichever way they come back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import example, given
from hypothesis import strategies as st

from stampbook.testing import Ledger
from tests.effort import examples

if TYPE_CHECKING:
    from stampbook.replay import MemoryLedger

PROGRAM = """
[program]
name = "Renewed"
currency = "GBP"
open_accounts = "on first event"
[assets.points]
[[plugin]]
use = "redemption"
expired = "extend"
extend_by = "2 days"
[plugin.pay]
points = "10"
value = "1.00"
[[plugin.reward]]
name = "mug"
price = "100"
[[plugin]]
use = "refunds"
expired = "extend"
extend_by = "2 days"
"""
FIRST = 1
DOING: dict[str, dict[str, Any]] = {
    "take": {"type": "reward.redeemed", "reward": "mug"},
    "cancel": {"type": "reward.cancelled"},
    "pay": {"type": "purchase", "amount": "10.00", "tenders": [{"kind": "points", "amount": "10.00"}]},
    "part": {"type": "purchase", "amount": "4.00", "tenders": [{"kind": "points", "amount": "4.00"}]},
    "return": {"type": "return"},
}

steps = st.lists(st.tuples(st.sampled_from(list(DOING)), st.sampled_from([1, 10, 30, 60])), min_size=4, max_size=30)


def play(done: list[tuple[str, int]]) -> MemoryLedger:
    """Return the books after points were granted once, for three days, and then taken and given back."""
    books = Ledger(PROGRAM)
    books.post(type="adjust", asset="points", amount="100", reason="once", expires="2025-01-04T12:00", at="2025-01-01")
    last: dict[str, str] = {}
    hours = 0
    for number, (name, later) in enumerate(done):
        hours += later
        event: dict[str, Any] = {**DOING[name], "id": f"e{number}", "at": moment(hours)}
        if name in {"cancel", "return"}:
            event["about" if name == "cancel" else "purchase"] = last.get(name, "nothing")
        outcome = books.post(**event)
        if outcome.accepted and name in {"take", "pay", "part"}:
            last["cancel" if name == "take" else "return"] = event["id"]
    books.tick("2026-01-01")
    engine: MemoryLedger = books.engine
    return engine


def moment(hours: int) -> str:
    days, hour = divmod(hours, 24)
    month, day = divmod(days, 28)
    return f"2025-{month + 1:02}-{day + 1:02}T{hour:02}:00"


def lots(books: MemoryLedger) -> list[tuple[str, int]]:
    return [(lot.kind, lot.remaining) for lot in books.account("customer").lots.values()]


def test_taking_and_cancelling_in_turn_renews_points_once() -> None:
    assert lots(play([("take", 30), ("cancel", 60), ("take", 10), ("cancel", 60), ("take", 10), ("cancel", 60)])) == [
        ("adjusted", 0),
        ("renewed", 0),
    ]


def test_what_was_paid_with_renewed_points_is_not_renewed_again_by_a_return() -> None:
    assert lots(play([("take", 30), ("cancel", 60), ("pay", 10), ("return", 60), ("pay", 1)])) == [
        ("adjusted", 0),
        ("renewed", 0),
    ]


@given(steps)
@example([("pay", 30), ("return", 60), ("take", 10), ("cancel", 60), ("take", 1), ("cancel", 60)])
@examples(60)
def test_no_unit_is_renewed_twice(done: list[tuple[str, int]]) -> None:
    books = play(done)
    account = books.account("customer")
    renewed = sum(
        posting.amount
        for entry in books.entries("customer")
        for posting in entry.postings
        if isinstance(posting.destination, int)
        and account.lots[posting.destination].kind == "renewed"
        and account.lots[posting.destination].origin == entry.seq
    )
    assert renewed <= 100, "never more than was granted once"
    assert account.total("points") == 0
    assert all(lot.kind in {"adjusted", "renewed"} for lot in account.lots.values())
