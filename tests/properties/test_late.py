"""Late news of every kind, much of it: a look back never finds a lot below zero, and ticks make no difference."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from stampbook.journal import transaction_of
from stampbook.periods import instant_of
from stampbook.replay import MemoryLedger, entries_of, state
from tests.properties import strategies as some
from tests.properties.driver import program
from tests.properties.looking_back import look_back

if TYPE_CHECKING:
    from stampbook.account import Account
    from stampbook.ledger import Entry
    from stampbook.lots import Lot

Event = dict[str, Any]
DAY = 86_400_000_000
END = instant_of(some.START) + 1_000 * DAY


@st.composite
def shops(draw: st.DrawFn) -> some.Shop:
    """One rule that earns a point a pound, so that few lots are used often."""
    policy = draw(st.sampled_from(some.POLICIES))
    rule = some.Rule(
        name="base",
        per="order",
        earn=("times", "1"),
        when="",
        rounding="floor",
        expires=draw(st.sampled_from(["never", "1 month, end of month", "20 days"])),
        pending=draw(st.sampled_from(["", "", "3 days"])),
        kind="earned",
        asset="points",
        group="",
        rank=0,
        priority=0,
    )
    return some.Shop(rules=(rule,), points_spent=policy, debts=("points",) if policy == "debt" else ())


small = st.integers(1, 20).map(str)


@st.composite
def one(draw: st.DrawFn, bought: list[str], holds: list[str]) -> Event:
    kind = draw(
        st.sampled_from(
            ["purchase"] * 4
            + ["spend"] * 3
            + ["return"] * 4
            + ["adjust", "extend", "hold.authorised", "hold.captured", "hold.voided", "hold.changed"]
        )
    )
    event: Event = {"type": kind}
    if kind == "return" and bought:
        whole = draw(st.booleans())
        return event | {"purchase": draw(st.sampled_from(bought))} | ({} if whole else {"amount": draw(small)})
    if kind.startswith("hold.") and kind != "hold.authorised" and holds:
        event |= {"hold": draw(st.sampled_from(holds)), "asset": "points"}
        if kind == "hold.changed" or draw(st.booleans()):
            event["amount"] = draw(small)
        if kind == "hold.captured":
            event["final"] = draw(st.booleans())
        return event
    if kind == "adjust":
        return event | {"asset": "points", "amount": draw(st.sampled_from("+-")) + draw(small), "reason": "r"}
    if kind == "extend":
        until = some.START + timedelta(days=draw(st.integers(30, 120)))
        return event | {"asset": "points", "until": until.isoformat(), "reason": "r"}
    if kind in {"spend", "hold.authorised"}:
        event |= {"asset": "points", "amount": draw(small)}
        if kind == "hold.authorised" and draw(st.booleans()):
            event["lapses_in"] = draw(st.integers(1, 20))
        return event
    return {"type": "purchase", "amount": draw(small)}


@st.composite
def histories(draw: st.DrawFn, *, lapse: bool = True) -> list[Event]:
    """What happens within few weeks, told in any order; holds perhaps with an end."""
    events: list[Event] = [{"type": "account.opened", "id": "0", "account": "ann", "at": some.START.isoformat()}]
    bought: list[str] = []
    holds: list[str] = []
    for number in range(1, draw(st.integers(3, 14)) + 1):
        event = draw(one(bought, holds))
        at = some.START + timedelta(days=draw(st.integers(0, 50)))
        lasts = event.pop("lapses_in", None)
        if lasts and lapse:
            event["lapses_at"] = (at + timedelta(days=lasts)).isoformat()
        if event["type"] == "purchase":
            bought.append(str(number))
        if event["type"] == "hold.authorised":
            holds.append(str(number))
        events.append({**event, "id": str(number), "account": "ann", "at": at.isoformat()})
    return events


def books(shop: some.Shop, events: list[Event], ticks: list[int]) -> MemoryLedger:
    ledger = MemoryLedger(program(shop.toml()), clock=lambda: END)
    for event, tick in zip(events, ticks, strict=True):
        ledger.post(event)
        if tick:
            list(ledger.tick(instant_of(datetime.fromisoformat(event["at"])) + tick * DAY))
    return ledger


@given(shop=shops(), events=histories())
def test_a_look_back_never_finds_a_lot_below_zero(shop: some.Shop, events: list[Event]) -> None:
    ledger = books(shop, events, [0] * len(events))
    look_back(ledger, ["ann"])


def told(ledger: MemoryLedger) -> list[Any]:
    """Return what events came to, but for what time brought and what was brought back."""
    return [
        (entry.id, entry.accepted, _effects(entry), [p for p in entry.postings if p.rule != "late"])
        for entry in entries_of(ledger, "ann")
        if entry.source != "stampbook"
    ]


def _effects(entry: Entry) -> Any:
    transaction = transaction_of(entry)
    holds = [(change.action, change.units) for change in transaction.holds]
    memo = {key: transaction.memo.get(key) for key in ("settled", "lapsed", "short", "outside")}
    return holds, memo, transaction.metrics, [extension[2:5] for extension in transaction.extended]


@given(shop=shops(), events=histories(lapse=False), data=st.data())
def test_ticks_make_no_difference_to_late_news(shop: some.Shop, events: list[Event], data: st.DataObject) -> None:
    """Save that a hold which has lapsed cannot be captured any more, as is known at once."""
    days = st.sampled_from([0, 0, 5, 20, 60])
    often = books(shop, events, data.draw(st.lists(days, min_size=len(events), max_size=len(events))))
    never = books(shop, events, [0] * len(events))
    assert told(often) == told(never)
    for ledger in (often, never):
        list(ledger.tick(END))
    one, other = (state(ledger, "ann", as_of=END) for ledger in (often, never))
    assert left(one) == left(other)
    look_back(often, ["ann"])


def left(account: Account) -> dict[int, Lot]:
    """Return what holds something; at which entry it was opened depends on how many ticks there were."""
    return {number: lot._replace(origin=0) for number, lot in account.lots.items() if lot.remaining}
