"""Redemption among all that happens in a shop: nothing is lost, what is cancelled was never there, order of work is."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from stampbook import Engine, load_program
from stampbook.replay import MemoryLedger
from stampbook.verifying import verify
from tests.effort import examples

if TYPE_CHECKING:
    from stampbook import Outcome, Registry

PROGRAM = """
[program]
name = "Everything"
currency = "GBP"
time_zone = "Europe/London"
open_accounts = "on first event"
[assets.points]
[assets.coffee]
[assets.vouchers]
[metrics.rewards]
on = ["reward.redeemed"]
count = true
window = "3 days"
[[plugin]]
use = "points"
expires = "3 days"
[[plugin.rule]]
name = "base"
earn = "floor(order.paid_outside)"
[[plugin]]
use = "redemption"
SAME
[plugin.pay]
points = "10"
value = "1.00"
most_share = "60%"
same_order = "ORDER"
[[plugin.reward]]
name = "mug"
price = "7"
stock = 3
most = 2
window = "2 days"
[[plugin.reward]]
name = "coffee"
prices = { points = "4", GBP = "1.00" }
gives = "1"
gives_asset = "coffee"
gives_expires = "2 days"
[[plugin.reward]]
name = "code"
price = "5"
voucher = "code"
[[plugin.series]]
name = "code"
prefix = "C-"
uses = 2
expires = "2 days"
gives = "3.00"
gives_asset = "GBP"
[[plugin]]
use = "refunds"
"""
START = datetime(2025, 1, 1, 12, tzinfo=UTC)
NOW = 2 * 10**15


def program(order: str = "yes", *, extend: bool = False) -> str:
    same = 'expired = "extend"\nextend_by = "2 days"' if extend else ""
    return PROGRAM.replace("ORDER", order).replace("SAME", same)


TEXTS = [program("yes"), program("no", extend=True)]
REGISTRIES = [load_program(text) for text in TEXTS]


class Step(NamedTuple):
    """What is done, by which account, with what number, and how many hours after the step before."""

    kind: str
    account: int
    number: int
    hours: int


KINDS = [
    "buy",
    "buy",
    "pay",
    "pay",
    "topup",
    "mug",
    "coffee",
    "code",
    "code",
    "use",
    "use",
    "use",
    "return",
    "cancel",
    "cancel",
]
KINDS += ["unuse", "unuse", "spend", "hold", "held", "reserve", "reserve", "held"]

steps = st.lists(
    st.builds(Step, st.sampled_from(KINDS), st.integers(0, 1), st.integers(0, 9), st.sampled_from([0, 0, 0, 1, 5, 30])),
    min_size=6,
    max_size=40,
)


class Shop:
    """Makes events of steps, with what was said so far: ids to cancel and return, codes to use."""

    def __init__(self) -> None:
        self.at = START
        self.count = 0
        self.ids: dict[str, list[tuple[str, str]]] = {"buy": [], "reward": [], "use": [], "hold": []}
        self.codes: list[str] = []

    def event(self, step: Step) -> dict[str, Any]:
        self.at += timedelta(hours=step.hours)
        self.count += 1
        account, number = f"a{step.account}", step.number
        made: dict[str, Any] = {"id": f"e{self.count}", "account": account, "at": self.at.isoformat()}
        match step.kind:
            case "buy":
                made |= {"type": "purchase", "amount": f"{30 + 10 * number}.00"}
            case "pay":
                points = f"{number % 4 + 1}.00"
                tenders = [{"kind": "points", "amount": points}, {"kind": "cash", "amount": "4.00"}]
                made |= {"type": "purchase", "amount": f"{number % 4 + 5}.00", "tenders": tenders}
            case "topup":
                made |= {"type": "topup", "amount": f"{number + 5}.00"}
            case "mug" | "coffee" | "code":
                made |= {"type": "reward.redeemed", "reward": step.kind}
            case "use":
                code = self.codes[number % len(self.codes)] if self.codes else "C-00000000"
                made |= {"type": "voucher.redeemed", "code": code}
            case "return":
                made |= {"type": "return", "purchase": self._named("buy", made, number)}
                made |= {"amount": "2.00"} if number % 2 else {}
            case "cancel":
                made |= {"type": "reward.cancelled", "about": self._named("reward", made, number)}
            case "unuse":
                made |= {"type": "voucher.cancelled", "about": self._named("use", made, number)}
            case "hold":
                until = (self.at + timedelta(hours=6)).isoformat()
                made |= {"type": "hold.authorised", "asset": "points", "amount": "7", "lapses_at": until}
            case "reserve":
                until = (self.at + timedelta(hours=6)).isoformat()
                made |= {"type": "reward.reserved", "reward": "mug", "lapses_at": until}
            case "held":
                made |= {"type": "reward.redeemed", "reward": "mug", "hold": self._named("hold", made, number)}
            case _:
                made |= {"type": "spend", "asset": "coffee", "amount": "1"}
        return made

    def _named(self, what: str, made: dict[str, Any], number: int) -> str:
        """Return the id of something that happened before, and let its own account do it."""
        known = self.ids[what]
        if not known:
            return "nothing"
        id_, made["account"] = known[number % len(known)]
        return id_

    def note(self, event: dict[str, Any], outcome: Outcome) -> None:
        if not outcome.accepted:
            return
        what = {
            "purchase": "buy",
            "reward.redeemed": "reward",
            "voucher.redeemed": "use",
            "hold.authorised": "hold",
            "reward.reserved": "hold",
        }.get(event["type"])
        if what:
            self.ids[what].append((event["id"], event["account"]))
        code = outcome.memo.get("remembered", {}).get("code")
        if code and event["type"] == "reward.redeemed":
            self.codes.append(code)


def told(outcome: Outcome) -> tuple[Any, ...]:
    return outcome.status, outcome.objections, outcome.postings, outcome.memo


def one_by_one(engine: Engine, plan: list[Step]) -> tuple[list[dict[str, Any]], list[Outcome]]:
    shop, events, outcomes = Shop(), [], []
    for step in plan:
        event = shop.event(step)
        outcome = engine.post(event)
        assert outcome.error is None
        shop.note(event, outcome)
        events.append(event)
        outcomes.append(outcome)
    return events, outcomes


def memory(registry: Registry) -> MemoryLedger:
    return MemoryLedger(registry, clock=lambda: NOW)


def standing(engine: MemoryLedger) -> dict[str, Any]:
    """Return what each account has: its lots that hold something, its holds, and what it counts."""
    found: dict[str, Any] = {}
    with engine.store.reader() as session:
        for account in session.accounts(session.refs()).values():
            lots = [lot for _, lot in sorted(account.lots.items()) if lot.remaining]
            holds = [hold for hold in account.holds.values() if hold.left]
            found[account.ref] = (lots, holds, list(account.metrics))
    return found


@examples(60)
@given(steps, st.sampled_from([0, 1]), st.data())
def test_batches_and_ticks_make_no_difference(plan: list[Step], which: int, data: st.DataObject) -> None:
    # A piece that was reserved on one account is there for another when time has caught up with the first.
    plan = [step for step in plan if step.kind != "reserve"]
    first, second = memory(REGISTRIES[which]), memory(REGISTRIES[which])
    events, outcomes = one_by_one(first, plan)
    again: list[Outcome] = []
    rest = events
    while rest:
        size = data.draw(st.integers(1, len(rest)))
        again += second.process(rest[:size])
        rest = rest[size:]
        ticks = data.draw(st.booleans())
        if rest and ticks:
            list(second.tick(REGISTRIES[which].context.calendar.parse(rest[0]["at"])))
    assert [told(outcome) for outcome in again] == [told(outcome) for outcome in outcomes]
    end = int((START + timedelta(days=90)).timestamp() * 10**6)
    for engine in (first, second):
        list(engine.tick(end))
    assert standing(second) == standing(first)


@examples(60)
@given(steps, st.sampled_from([0, 1]), st.sampled_from(["mug", "coffee", "code"]), st.integers(0, 1))
def test_a_reward_that_is_cancelled_was_never_there(plan: list[Step], which: int, reward: str, account: int) -> None:
    engine = memory(REGISTRIES[which])
    events, _ = one_by_one(engine, plan)
    at = {"account": f"a{account}", "at": events[-1]["at"]}
    engine.post({"type": "topup", "id": "wake", "amount": "1.00", **at})  # time catches up, and the account is there
    before = standing(engine)
    if engine.post({"type": "reward.redeemed", "id": "r", "reward": reward, **at}).accepted:
        cancelled = engine.post({"type": "reward.cancelled", "id": "c", "about": "r", **at})
        assert cancelled.accepted, cancelled.objections
    after = standing(engine)
    for ref, found in before.items():
        assert after[ref] == found
    for ref in after.keys() - before.keys():
        assert after[ref][0] == [], "a code that was made and withdrawn has no use left"


@examples(60)
@given(steps, st.sampled_from([0, 1]))
def test_a_stock_and_a_code_are_never_overdrawn(plan: list[Step], which: int) -> None:
    engine = memory(REGISTRIES[which])
    events, outcomes = one_by_one(engine, plan)
    done = [event for event, outcome in zip(events, outcomes, strict=True) if outcome.accepted]
    gone = {event["about"] for event in done if "about" in event}
    taken = [event for event in done if event["type"] == "reward.redeemed" and event["id"] not in gone]
    mugs = [event for event in taken if event["reward"] == "mug"]
    assert len(mugs) <= 3
    for code in {event["code"] for event in done if "code" in event}:
        uses = [event for event in done if event.get("code") == code and event["id"] not in gone]
        assert len(uses) <= 2


@examples(20)
@given(steps, st.sampled_from([0, 1]), st.integers(1, 9))
def test_the_books_prove_themselves(plan: list[Step], which: int, size: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'books.db'}"
        with Engine.open(url, create=True, clock=lambda: NOW) as engine:
            engine.put_text_in_force(TEXTS[which])
            one_by_one(engine, plan)
            list(engine.tick(int((START + timedelta(days=30)).timestamp() * 10**6)))
            assert verify(engine).findings == ()
            kept, _ = one_by_one(memory(REGISTRIES[which]), plan)
        other = f"sqlite:///{Path(folder) / 'other.db'}"
        with Engine.open(other, create=True, clock=lambda: NOW) as engine:
            engine.put_text_in_force(TEXTS[which])
            for first in range(0, len(kept), size):
                engine.process(kept[first : first + size])
            assert verify(engine).findings == ()
