"""Mergers with returns, forwarding and undoing in any order, some of it told late: sums by a naive model."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from stampbook.loading import load
from stampbook.replay import MemoryLedger, fold
from tests.plugins.proof import findings, ledger_of, picture

PROGRAM = """
[program]
name = "One"
currency = "EUR"
open_accounts = "on first event"
[assets.points]
debt = true
[metrics.spend]
sum = "order.net"
[[plugin]]
use = "merging"
undo = "1 year"
debt = "move"
later_events = "forward"
[[plugin]]
use = "points"
[[plugin.rule]]
name = "base"
earn = "floor(order.total / 2)"
pending = "5 days"
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
points_spent = "debt"
paid_points = "first"
"""
REGISTRY = load(PROGRAM)
REFS = ("a", "b", "c")
KINDS = [
    "purchase", "purchase", "paid", "return", "return", "return", "spend", "topup", "reward", "cancel",
    "account.merged", "account.merged", "account.unmerged",
]  # fmt: skip
steps = st.lists(
    st.tuples(st.sampled_from(KINDS), st.sampled_from(REFS), st.integers(0, 30), st.booleans()), max_size=22
)
OPENED = [{"type": "account.opened", "id": f"o{ref}", "account": ref, "at": "2025-01-01T10:00"} for ref in REFS]
CARD = {"kind": "card", "amount": "20.00"}
BEGUN: list[dict[str, Any]] = [
    *({"type": "purchase", "id": f"p{ref}", "account": ref, "at": "2025-02-01T10:00", "lines": [{"amount": "60.00"}]}
      for ref in REFS),
    {"type": "purchase", "id": "q", "account": "a", "at": "2025-02-10T10:00", "lines": [{"amount": "29.00"}],
     "tenders": [{"kind": "points", "amount": "9.00"}, CARD]},
    {"type": "reward.redeemed", "id": "m", "account": "a", "at": "2025-02-11T10:00", "reward": "mug"},
    {"type": "reward.redeemed", "id": "n", "account": "b", "at": "2025-02-11T10:00", "reward": "mug"},
]  # fmt: skip
"""What has happened before the steps begin, so that there is something that can come back."""


@dataclass
class Naive:
    """What all accounts have and owe together, whoever has it, and what is left of each purchase and reward."""

    points: int = 0
    money: int = 0
    spend: int = 0
    orders: dict[str, list[int]] = field(default_factory=dict)
    rewards: list[str] = field(default_factory=list)

    def follow(self, event: dict[str, Any]) -> None:
        kind, id_ = event["type"], event["id"]
        if kind == "purchase":
            amount = int(event["lines"][0]["amount"].removesuffix(".00"))
            points = int(event["tenders"][0]["amount"].removesuffix(".00")) if "tenders" in event else 0
            self.orders[id_] = [amount, 0, points]
            self.points += amount // 2 - points
            self.spend += amount
        elif kind == "return":
            bought, came, points = self.orders[event["purchase"]]
            part = int(event["amount"].removesuffix(".00"))
            back = min(part, points)
            self.orders[event["purchase"]] = [bought, came + part, points - back]
            self.points += back - (bought // 2 * (came + part) // bought - bought // 2 * came // bought)
            self.spend -= part
        elif kind == "spend":
            self.points -= int(event["amount"])
        elif kind == "topup":
            self.money += int(event["amount"].removesuffix(".00"))
        elif kind == "reward.redeemed":
            self.points -= 7
            self.rewards.append(id_)
        elif kind == "reward.cancelled":
            self.points += 7


def event_of(number: int, step: tuple[str, str, int, bool], told: list[dict[str, Any]]) -> dict[str, Any] | None:  # noqa: PLR0911 - one case a step
    kind, ref, amount, late = step
    late = late and not (kind.startswith("account.") and amount < 25)  # which is refused
    day = max(1, 1 + number - (4 if late else 0))
    event: dict[str, Any] = {"type": kind, "id": f"e{number}", "account": ref, "at": f"2025-03-{day:02}T10:{number:02}"}
    whole = f"{amount + 1}.00"
    if kind in {"purchase", "paid"}:
        lines = [{"amount": whole}]
        points = f"{amount // 2}.00"
        rest = {"kind": "card", "amount": f"{amount + 1 - amount // 2}.00"}
        tenders = [{"kind": "points", "amount": points}, rest] if kind == "paid" and amount > 1 else []
        return {**event, "type": "purchase", "lines": lines, **({"tenders": tenders} if tenders else {})}
    if kind in {"return", "cancel"}:
        what = "purchase" if kind == "return" else "reward.redeemed"
        ids = [each["id"] for each in told if each["type"] == what]
        if not ids:
            return None
        named = ids[amount % len(ids)]
        if kind == "return":
            return {**event, "purchase": named, "amount": f"{1 + amount // 2}.00"}
        return {**event, "type": "reward.cancelled", "about": named}
    if kind == "reward":
        return {**event, "type": "reward.redeemed", "reward": "mug"}
    if kind == "account.unmerged" and amount < 25 and (joined := [each for each in told if "to" in each]):
        last = joined[-1] if joined[-1]["type"] == "account.merged" else joined[0]
        return {**event, "account": last["to"], "to": last["account"]}
    if kind.startswith("account."):
        return {**event, "to": [each for each in REFS if each != ref][amount % 2]}
    return {**event, "amount": f"{amount + 1}", **({"asset": "points"} if kind == "spend" else {})}


def events_of(drawn: list[tuple[str, str, int, bool]]) -> list[dict[str, Any]]:
    events = [*BEGUN]
    for number, step in enumerate(drawn):
        event = event_of(number, step, events)
        events.extend([] if event is None else [event])
    return [*OPENED, *events]


def sums(books: MemoryLedger) -> tuple[int, int, int]:
    units: Counter[str] = Counter()
    for ref in REFS:
        account = books.account(ref)
        for lot in account.lots.values():
            units[lot.asset] += lot.remaining
            assert lot.remaining >= 0 or lot.kind == "debt"
        units["spend"] += sum(delta for _, _, delta in account.metrics)
        assert account.status != "closed" or not account.total("points")
    return units["points"], units["EUR"] // 100, units["spend"] // 100


@settings(deadline=None, max_examples=120, suppress_health_check=[HealthCheck.too_slow])
@given(steps)
def test_nothing_is_made_lost_or_given_back_twice(drawn: list[tuple[str, str, int, bool]]) -> None:
    books, naive = MemoryLedger(REGISTRY, clock=lambda: 0), Naive()
    books.process(OPENED)
    for event in events_of(drawn)[len(OPENED) :]:
        outcome = books.post(event)
        if outcome.accepted:
            naive.follow(event)
        assert sums(books) == (naive.points, naive.money, naive.spend), event
    assert all(came <= bought and points >= 0 for bought, came, points in naive.orders.values())


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow])
@given(steps)
def test_whenever_one_looks_no_lot_was_below_zero(drawn: list[tuple[str, str, int, bool]]) -> None:
    events = events_of(drawn)
    books = ledger_of(REGISTRY, events)
    instants = sorted({REGISTRY.context.calendar.parse(event["at"]) for event in events})
    for ref in REFS:
        journal = books.entries(ref)
        for at in instants:
            for lot in fold(ref, journal, as_of=at).lots.values():
                assert lot.remaining >= 0 or lot.kind == "debt", (ref, at, lot)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(steps, st.integers(1, 9))
def test_splits_make_no_difference(drawn: list[tuple[str, str, int, bool]], size: int) -> None:
    events = events_of(drawn)
    at_once, split = ledger_of(REGISTRY, events), ledger_of(REGISTRY, events, size)
    for ref in REFS:
        assert [entry.hash for entry in at_once.entries(ref)] == [entry.hash for entry in split.entries(ref)]


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(steps, st.integers(1, 9))
def test_the_books_are_sound(drawn: list[tuple[str, str, int, bool]], size: int) -> None:
    assert findings(PROGRAM, events_of(drawn), size) == ()


@settings(deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(steps, st.integers(0, 30), st.permutations(REFS))
def test_what_came_back_meanwhile_is_the_other_accounts_after_it_is_undone(
    drawn: list[tuple[str, str, int, bool]], which: int, refs: list[str]
) -> None:
    events, (gone, stays) = events_of(drawn), refs[:2]
    apart, together = ledger_of(REGISTRY, events), ledger_of(REGISTRY, events)
    entries = [entry for entry in apart.entries(gone) if entry.type == "purchase" and entry.accepted]
    assume(entries)
    at = "2025-04-02T10:00"
    back = {"type": "return", "id": "r", "account": gone, "purchase": entries[which % len(entries)].id, "at": at}
    gift = {
        "type": "adjust",
        "account": gone,
        "at": at,
        "asset": "points",
        "amount": "100",
        "reason": "there is enough",
    }
    assume(all(books.post({**gift, "id": "gift"}).accepted for books in (apart, together)))
    assume(not apart.account(gone).owed("points"))
    assume(apart.post(back).accepted and not apart.account(stays).owed("points"))
    there, returned, undone = together.process([
        {"type": "account.merged", "id": "join", "account": gone, "to": stays, "at": at},
        back,
        {"type": "account.unmerged", "id": "part", "account": stays, "to": gone, "at": at},
    ])  # fmt: skip
    assume(there.accepted)
    assert returned.accepted
    assert undone.accepted
    for ref in REFS:
        assert totals(together, ref) == totals(apart, ref)
    again = {**back, "id": "s"}
    assert [each.code for each in together.post(again).objections] == [
        each.code for each in apart.post(again).objections
    ]


def totals(books: MemoryLedger, ref: str) -> Any:
    account = books.account(ref)
    return account.status, account.total("points"), account.total("EUR"), picture(account)[2]
