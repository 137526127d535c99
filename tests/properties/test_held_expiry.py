"""What is set aside when its time is over: protected, gone with its lot, or good for a while once it is released."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stampbook.engine import Engine
from stampbook.loading import load
from stampbook.replay import entries_of
from stampbook.testing import Ledger
from stampbook.verifying import verify
from tests.effort import examples
from tests.plugins.proof import LATER, findings, ledger_of, picture

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """
[program]
name = "Set aside"
currency = "GBP"
open_accounts = "on first event"
[assets.points]
debt = true
POLICY
[[plugin]]
use = "points"
expires = "3 days"
[[plugin.rule]]
name = "base"
earn = "order.net"
[[plugin]]
use = "refunds"
points_spent = "debt"
"""
POLICIES = {
    "protect": "",
    "expire": 'held_expired = "expire"',
    "extend": 'held_expired = "extend"\nextend_by = "2 days"',
}
START = datetime(2025, 1, 1, 12, tzinfo=UTC)
Step = tuple[str, int, int]

KINDS = ["buy", "hold", "lapsing", "raise", "capture", "part", "void", "spend", "return"]
steps = st.lists(
    st.tuples(
        st.sampled_from([*KINDS, "buy", "hold"]),
        st.integers(1, 9),
        st.sampled_from([0, 1, 20, 50, 80]),
    ),
    min_size=4,
    max_size=25,
)


def program(policy: str) -> str:
    return PROGRAM.replace("POLICY", POLICIES[policy])


def events(done: list[Step]) -> list[dict[str, Any]]:
    """Return what is done as events: those that go on with a hold or a purchase name the last one."""
    told: list[dict[str, Any]] = []
    hours, hold, purchase = 0, "none", "none"
    for number, (kind, amount, later) in enumerate(done):
        hours += later
        at = START + timedelta(hours=hours)
        event: dict[str, Any] = {"id": f"e{number}", "account": "ann", "at": at.isoformat()}
        named = {"asset": "points", "hold": hold}
        match kind:
            case "buy":
                purchase = event["id"]
                event |= {"type": "purchase", "amount": f"{amount}.00"}
            case "hold" | "lapsing":
                hold = event["id"]
                event |= {"type": "hold.authorised", "asset": "points", "amount": str(amount)}
                if kind == "lapsing":
                    event["lapses_at"] = (at + timedelta(hours=60)).isoformat()
            case "raise":
                event |= {"type": "hold.changed", "amount": str(amount), **named}
            case "capture":
                event |= {"type": "hold.captured", **named}
            case "part":
                event |= {"type": "hold.captured", "amount": "1", "final": False, **named}
            case "void":
                event |= {"type": "hold.voided", **named}
            case "spend":
                event |= {"type": "spend", "asset": "points", "amount": str(amount)}
            case _:
                event |= {"type": "return", "purchase": purchase}
        told.append(event)
    return told


@pytest.mark.parametrize("policy", POLICIES)
@given(steps)
@example([("buy", 9, 0), ("hold", 5, 1), ("part", 1, 80), ("void", 1, 0), ("hold", 3, 1), ("void", 1, 80)])
@example([("buy", 9, 0), ("lapsing", 5, 20), ("return", 1, 1), ("buy", 2, 80)])
@examples(60)
def test_lots_and_holds_always_agree(policy: str, done: list[Step]) -> None:
    """The books prove themselves, whenever time is let pass, and nothing outlives what its policy gives it."""
    text, told = program(policy), events(done)
    assert findings(text, told) == ()
    whole = ledger_of(text, told)
    instants = [whole.registry().context.calendar.parse(event["at"]) for event in told]
    each = ledger_of(text, told, size=1, ticks=dict(enumerate(instants)))
    account = whole.account("ann")
    assert picture(account) == picture(each.account("ann"))
    now = account.clock
    for lot in account.lots.values():
        held = sum(dict(hold.left).get(lot.number, 0) for hold in account.holds.values())
        assert lot.held == held
        assert lot.kind == "debt" or lot.expires_at > now or lot.remaining == (0 if policy == "expire" else held)
    opened = [lot for lot in account.lots.values() if lot.kind == "renewed"]
    assert policy == "extend" or not opened
    for hold in account.holds.values():
        assert hold.captured + hold.voided + hold.lapsed + hold.remaining == hold.amount


ALL: list[Step] = [("buy", 9, 0), ("hold", 5, 20)]


@pytest.mark.parametrize(
    ("policy", "held", "captured", "released"),
    [("protect", 5, True, "0"), ("expire", 0, False, "0"), ("extend", 5, True, "5")],
)
def test_each_policy_when_the_time_of_what_is_held_is_over(
    policy: str,
    held: int,
    captured: bool,  # noqa: FBT001 - a drawn flag
    released: str,
) -> None:
    books = Ledger(program(policy))
    for event in events(ALL):
        books.post(**event)
    books.tick("2025-01-06T12:00")
    assert sum(hold.remaining for hold in books.engine.account("ann").holds.values()) == held
    late = {"account": "ann", "asset": "points", "hold": "e1", "at": "2025-01-06T13:00"}
    outcome = books.post(type="hold.captured", amount="1", final=False, **late)
    assert (outcome.accepted, [each.code for each in outcome.objections]) == (
        captured,
        [] if captured else ["hold_ended"],
    )
    books.post(type="hold.voided", **late)
    left = str(int(released) - 1) if released != "0" else "0"
    assert books.balance("points", account="ann") == left
    assert books.balance("points", account="ann", at="2025-01-08T12:59") == left
    assert books.balance("points", account="ann", at="2025-01-09T12:00") == "0"


def test_what_was_made_good_again_on_release_is_not_once_more() -> None:
    books = Ledger(program("extend"))
    for event in events([*ALL, ("void", 1, 80), ("hold", 5, 1), ("void", 1, 80)]):
        assert books.post(**event).accepted
    assert books.balance("points", account="ann") == "0"


def test_what_is_made_good_again_repays_debts_first() -> None:
    books = Ledger(program("extend"))
    for event in events([*ALL, ("return", 1, 1), ("void", 1, 80)]):
        assert books.post(**event).accepted
    assert (books.balance("points", account="ann"), books.view(account="ann").owed("points")) == ("0", 0)


def test_a_program_that_protects_no_more_lets_go_what_is_over_when_it_begins(tmp_path: Path) -> None:
    parse = load(program("protect")).context.calendar.parse
    with Engine.open(f"sqlite:///{tmp_path / 'books.db'}", create=True, clock=lambda: LATER) as engine:
        engine.put_text_in_force(program("protect"))
        begins = parse("2025-01-07")
        engine.put_text_in_force(program("expire"), effective_from=begins)
        engine.process(events(ALL))
        for _ in engine.tick(parse("2025-01-06T12:00")):
            pass
        sent = {"type": "hold.captured", "id": "c", "account": "ann", "asset": "points", "hold": "e1"}
        early = engine.post({**sent, "amount": "1", "final": False, "at": "2025-01-06T13:00"})
        late = engine.post({**sent, "id": "d", "at": "2025-01-07T01:00"})
        assert (early.accepted, [each.code for each in late.objections]) == (True, ["hold_ended"])
        expiries = [entry for entry in entries_of(engine, "ann") if entry.type == "expiry"]
        assert [(entry.at, entry.postings[0].amount) for entry in expiries][1:] == [(begins, 4)]
        assert verify(engine).findings == ()
