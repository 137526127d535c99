"""Points that a return let go of, since a hold had set them aside or they had paid, are taken when they come back."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stampbook import ProgramError, Registry, load_program
from stampbook.testing import Ledger
from tests.effort import examples
from tests.plugins.proof import findings
from tests.properties.test_points_gone import event_of

PROGRAM = """
[program]
name = "Back"
currency = "EUR"
open_accounts = "on first event"
[assets.points]
debt = true
[[plugin]]
use = "points"
[[plugin.rule]]
name = "base"
earn = "floor(order.paid_outside)"
[[plugin]]
use = "redemption"
[plugin.pay]
points = "1"
value = "1.00"
[[plugin.reward]]
name = "mug"
price = "7"
[[plugin]]
use = "refunds"
"""
TAKE = PROGRAM + 'points_spent = "within_balance"\ncome_back = "take"\n'
KEEP = PROGRAM + 'points_spent = "within_balance"\n'
DEBT = PROGRAM + 'points_spent = "debt"\n'
OF_POINTS = {"asset": "points"}


@lru_cache(maxsize=8)
def built(text: str) -> Registry:
    return load_program(text)


def shop(text: str = TAKE) -> Ledger:
    ledger = Ledger(built(text))
    tell(ledger, "purchase", id="p", amount="10.00")
    return ledger


def tell(ledger: Ledger, kind: str, **fields: Any) -> Any:
    outcome = ledger.post(type=kind, **fields)
    assert outcome.accepted, outcome.objections
    return outcome


def points(ledger: Ledger, at: str | None = None) -> tuple[str, str]:
    return ledger.balance("points", at=at), ledger.owed("points")


@pytest.mark.parametrize(("text", "left"), [(TAKE, "0"), (KEEP, "10")])
def test_a_hold_that_is_voided_after_the_return(text: str, left: str) -> None:
    ledger = shop(text)
    tell(ledger, "hold.authorised", id="h", amount="10", **OF_POINTS)
    tell(ledger, "return", purchase="p")
    tell(ledger, "hold.voided", hold="h", **OF_POINTS)
    assert points(ledger) == (left, "0")


def test_a_hold_that_lapses() -> None:
    ledger = shop()
    tell(ledger, "hold.authorised", id="h", amount="10", at="2025-01-05", lapses_at="2025-01-08", **OF_POINTS)
    tell(ledger, "return", purchase="p", at="2025-01-06")
    assert points(ledger, "2025-01-09") == ("0", "0")


def test_what_is_captured_was_spent_and_the_rest_of_the_hold_is_taken() -> None:
    ledger = shop()
    tell(ledger, "hold.authorised", id="h", amount="8", **OF_POINTS)
    tell(ledger, "return", purchase="p", amount="9.00")  # 2 are free: 7 are let go
    outcome = tell(ledger, "hold.captured", hold="h", amount="3", **OF_POINTS)
    assert points(ledger) == ("0", "0")
    assert [posting.amount for posting in outcome.postings if posting.destination == "promotion"] == [5]
    tell(ledger, "purchase", id="q", amount="20.00")
    tell(ledger, "hold.authorised", id="i", amount="5", **OF_POINTS)
    tell(ledger, "hold.voided", hold="i", **OF_POINTS)  # set aside after the return: it is none of what was let go
    assert points(ledger) == ("20", "0")


@pytest.mark.parametrize(("text", "left"), [(TAKE, "0"), (KEEP, "7")])
def test_a_reward_that_is_cancelled_after_the_return(text: str, left: str) -> None:
    ledger = shop(text)
    tell(ledger, "reward.redeemed", id="r", reward="mug")
    tell(ledger, "return", purchase="p")
    tell(ledger, "reward.cancelled", about="r")
    assert points(ledger) == (left, "0")


def test_points_that_paid_for_what_comes_back_too() -> None:
    ledger = shop()
    tell(ledger, "purchase", id="q", amount="6.00", tenders=[{"kind": "points", "amount": "6.00"}])
    tell(ledger, "return", purchase="p")
    tell(ledger, "return", purchase="q", amount="2.00")
    assert points(ledger) == ("0", "0")
    tell(ledger, "return", purchase="q")
    assert points(ledger) == ("0", "0")


def test_no_more_is_taken_than_was_let_go_and_nothing_of_what_is_earned() -> None:
    ledger = shop()
    tell(ledger, "purchase", id="q", amount="10.00")
    tell(ledger, "hold.authorised", id="h", amount="14", **OF_POINTS)
    tell(ledger, "return", purchase="p")  # 6 are free: 4 are let go
    tell(ledger, "purchase", amount="3.00")
    assert points(ledger) == ("3", "0")
    tell(ledger, "hold.voided", hold="h", **OF_POINTS)
    assert points(ledger) == ("13", "0")


def test_statements_and_explain_tell_of_it(sqlite_db: str) -> None:
    from stampbook.engine import Engine
    from stampbook.explaining import explain_entry
    from stampbook.replay import find_entry
    from stampbook.statements import statement

    with Engine.open(sqlite_db, create=True) as engine:
        engine.put_text_in_force(TAKE)
        told: dict[str, Any] = {"account": "ann", "source": "till"}
        for event in (
            {"type": "purchase", "id": "p", "amount": "10.00", "at": "2025-03-01T10:00"},
            {"type": "hold.authorised", "id": "h", "amount": "10", "at": "2025-03-01T11:00", **OF_POINTS},
            {"type": "return", "id": "r", "purchase": "p", "at": "2025-03-02T10:00"},
            {"type": "hold.voided", "id": "v", "hold": "h", "at": "2025-03-03T10:00", **OF_POINTS},
        ):
            assert engine.post({**told, **event}).accepted
        [found] = find_entry(engine, "till", "v")
        reason = explain_entry(engine, *found)
        assert [(posting.rule, posting.because) for posting in reason.postings] == [
            ("let_go", "a return had let it go, and it has come back since")
        ]
        assert "10 points of it taken back, which a return had let go" in statement(engine, "ann").lines[-1].words


def test_only_what_is_let_go_can_come_back() -> None:
    with pytest.raises(ProgramError, match="come_back goes with points_spent = 'within_balance'"):
        load_program(DEBT + 'come_back = "take"\n')


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["return", "return", "reward", "cancel", "hold", "hold", "void", "void", "capture"]),
        st.integers(1, 30),
        st.integers(0, 30),
    ),
    max_size=16,
)


@examples(40)
@given(bought=st.lists(st.integers(1, 20), min_size=1, max_size=3), drawn=STEPS)
def test_where_nothing_more_is_earned_it_leaves_what_debt_leaves(
    bought: list[int], drawn: list[tuple[str, int, int]]
) -> None:
    one, other, events = Ledger(built(TAKE)), Ledger(built(DEBT)), []
    done: dict[str, list[str]] = {"purchase": [], "reward": [], "hold": []}
    steps = [*[("purchase", amount, 0) for amount in bought], *drawn]
    for number, (kind, amount, which) in enumerate(steps):
        event = event_of(kind, amount, which, done)
        if event is None:
            continue
        event |= {"id": f"e{number}", "account": "customer", "at": f"2025-03-{1 + number:02}T10:00"}
        events.append(event)
        outcome, as_debt = one.post(**event), other.post(**event)
        assert outcome.accepted == as_debt.accepted
        if outcome.accepted and kind in done:
            done[kind].append(event["id"])
        assert one.balance("points", at=event["at"]) == other.balance("points", at=event["at"])
        assert one.owed("points") == "0"
    if len(events) % 6 == 1:
        assert findings(TAKE, events) == ()
