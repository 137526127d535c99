"""Points that are set aside, pay for a reward or are spent when their purchase comes back: each policy, to the unit."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from hypothesis import example, given
from hypothesis import strategies as st

from stampbook import Registry, load_program
from stampbook.ledger import PROMOTION
from stampbook.testing import Ledger
from tests.effort import examples
from tests.plugins.proof import findings

if TYPE_CHECKING:
    from stampbook.outcomes import Outcome

PROGRAM = """
[program]
name = "Gone"
currency = "EUR"
open_accounts = "on first event"
[assets.points]
debt = true
[[plugin]]
use = "points"
[[plugin.rule]]
name = "base"
earn = "floor(order.total / 2)"
{pending}
[[plugin.rule]]
name = "extra"
earn = "3"
kind = "bonus"
[[plugin]]
use = "redemption"
[[plugin.reward]]
name = "mug"
price = "7"
[[plugin]]
use = "refunds"
take_back = "{take_back}"
points_spent = "{spent}"
{more}
"""
WORTH = 'unit_values = { points = "0.10" }'
steps = st.lists(
    st.tuples(
        st.sampled_from(["purchase", "purchase", "return", "return", "reward", "cancel", "hold", "void", "capture"]),
        st.integers(1, 30),
        st.integers(0, 30),
    ),
    max_size=16,
)


@lru_cache(maxsize=64)
def built(text: str) -> Registry:
    return load_program(text)


def event_of(kind: str, amount: int, which: int, done: dict[str, list[str]]) -> dict[str, Any] | None:
    """Return the event of a step, where there is something that it can be about."""
    match kind:
        case "purchase":
            return {"type": "purchase", "amount": f"{amount}.00"}
        case "reward":
            return {"type": "reward.redeemed", "reward": "mug"}
        case "hold":
            return {"type": "hold.authorised", "asset": "points", "amount": f"{amount}"}
    named = done[{"return": "purchase", "cancel": "reward"}.get(kind, "hold")]
    if not named:
        return None
    about = named[which % len(named)]
    if kind == "return":
        return {"type": "return", "purchase": about, **({"amount": f"{amount}.00"} if which % 2 else {})}
    if kind == "cancel":
        return {"type": "reward.cancelled", "about": about}
    verb = "voided" if kind == "void" else "captured"
    return {"type": f"hold.{verb}", "asset": "points", "hold": about, **({"amount": "2"} if which % 2 else {})}


def check_return(outcome: Outcome, ledger: Ledger, spent: str, before: tuple[int, int, int]) -> None:
    """A return takes what is free, and what it does not find goes by the policy."""
    free, owed, held = before
    view = ledger.view()
    memo = outcome.memo
    taken = sum(each.amount for each in outcome.postings if each.destination == PROMOTION and each.rule != "refunds")
    short = sum(memo["short"].values())
    assert sum(memo["settled"].values()) == taken + short
    assert taken <= free
    assert sum(lot.held for lot in view.lots) == held  # no hold is broken
    assert view.owed("points") == owed + (short if spent == "debt" else 0)
    if short and spent != "pending_only":
        assert view.balance("points") == 0
    if spent == "deduct_from_refund":
        assert memo["deducted"] == min(short * 10, memo["deducted"] + memo["outside"])
    assert not (short and spent == "refuse")


@examples(80)
@given(
    spent=st.sampled_from(["within_balance", "debt", "refuse", "pending_only", "deduct_from_refund"]),
    take_back=st.sampled_from(["proportional", "increments", "anew"]),
    pending=st.sampled_from(["", 'pending = "5 days"']),
    drawn=steps,
)
@example(
    "within_balance", "proportional", "", [("purchase", 30, 0), ("hold", 9, 0), ("reward", 1, 0), ("return", 1, 0)]
)
@example("debt", "anew", "", [("purchase", 30, 0), ("reward", 1, 0), ("return", 1, 0), ("cancel", 1, 0)])
def test_what_a_return_does_not_find_goes_by_the_policy(
    spent: str, take_back: str, pending: str, drawn: list[tuple[str, int, int]]
) -> None:
    more = WORTH if spent == "deduct_from_refund" else ""
    text = PROGRAM.format(pending=pending, take_back=take_back, spent=spent, more=more)
    ledger, events = Ledger(built(text)), []
    done: dict[str, list[str]] = {"purchase": [], "reward": [], "hold": []}
    for number, (kind, amount, which) in enumerate(drawn):
        event = event_of(kind, amount, which, done)
        if event is None:
            continue
        event |= {"id": f"e{number}", "account": "customer", "at": f"2025-03-{1 + number:02}T10:00"}
        events.append(event)
        ledger.tick(event["at"])
        before = (0, 0, 0)
        if len(events) > 1:
            view = ledger.view(at=event["at"])
            lots = [lot for lot in view.lots if lot.kind != "debt"]
            before = (sum(lot.free for lot in lots), view.owed("points"), sum(lot.held for lot in lots))
        outcome = ledger.post(**event)
        if outcome.accepted and kind in done:
            done[kind].append(event["id"])
        if outcome.accepted and kind == "return":
            check_return(outcome, ledger, spent, before)
    if len(events) % 6 == 1:
        assert findings(text, events) == ()
