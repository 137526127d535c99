"""Refunds among all that happens to stored value: never more than was paid, nothing on a quote, and the naive sums."""

from __future__ import annotations

import json
import tempfile
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import example, given
from hypothesis import strategies as st

from stampbook import Engine, load_program
from stampbook.replay import MemoryLedger
from stampbook.verifying import verify
from tests.effort import examples
from tests.plugins.payouts import RATES, program

if TYPE_CHECKING:
    from stampbook import Outcome

START = datetime(2025, 6, 1, 12, tzinfo=UTC)
ORDERS = ('"bonus_first", "created"', '"paid_first", "created"', '"created"')
PACKS: tuple[tuple[str, ...], ...] = (("cn-2025",), ("cn-2025", "cn-beijing"), ("contract",), ("cn-2025", "contract"))

Step = tuple[str, int, int, int]

_few, _hours = st.integers(0, 5), st.integers(0, 40)


def _step(what: str, most: int, least: int = 1) -> st.SearchStrategy[list[Step]]:
    return st.tuples(st.just(what), st.integers(least, most), _few, _hours).map(lambda step: [step])


_whole_refund = st.tuples(_few, _hours, _hours).map(
    lambda drawn: [("ask", 1, drawn[0], drawn[1]), ("approve", 1, 0, 0), ("pay", 1, 0, drawn[2])]
)
_refunded_and_returned = st.tuples(_step("buy", 9_000), _whole_refund, _step("return", 9_000), _whole_refund).map(
    lambda drawn: [step for part in drawn for step in part]
)
_some = [_step("topup", 30_000, 5_000), _step("bonus", 9_000), _step("brief", 9_000), *[_step("spend", 6_000)] * 2]
_some += [
    *[_step("buy", 9_000)] * 3,
    *[_step("return", 9_000)] * 2,
    _step("adjust", 2_000),
    *[_whole_refund] * 2,
    _refunded_and_returned,
]
_some += [_step(what, 500) for what in ("ask", "approve", "reject", "pay", "hold", "void")]
steps = st.tuples(_step("topup", 30_000, 5_000), st.lists(st.one_of(_some), max_size=24)).map(
    lambda drawn: [*drawn[0], *[step for part in drawn[1] for step in part]]
)


class Play:
    """Turns steps into events; `at` of each is some hours after the one before."""

    def __init__(self) -> None:
        self.now = START
        self.named: dict[str, list[str]] = defaultdict(list)
        self.number = 0

    def event(self, step: Step) -> dict[str, Any] | None:
        what, units, place, hours = step
        self.now += timedelta(hours=hours)
        self.number += 1
        amount = f"{units // 100}.{units % 100:02d}"
        name = f"{what}-{self.number}"
        base = {"id": name, "source": "shop", "account": "ann", "at": self.now.isoformat()}
        cause = ("consumer", "operator", "neither")[place % 3]
        if what in {"return", "approve", "reject", "pay", "void"}:
            return self._about(what, place, amount, base)
        self.named[what].append(name)
        if what == "buy":
            off, stored = units * place // 6, units - units * place // 6
            half = stored // 2 if place % 2 else stored
            tenders = [{"kind": "stored_value", "amount": _text(half)}]
            tenders += [{"kind": "cash", "amount": _text(stored - half)}] if half < stored else []
            return {**base, "type": "purchase", "amount": amount, "discount": _text(off), "tenders": tenders}
        ends = (self.now + timedelta(hours=30)).isoformat()
        more = {
            "topup": {"type": "topup", "amount": amount},
            "spend": {"type": "spend", "amount": amount},
            "bonus": {"type": "adjust", "amount": amount, "kind": "bonus", "reason": "on top"},
            "brief": {"type": "adjust", "amount": amount, "kind": "bonus", "reason": "!", "expires": ends},
            "adjust": {"type": "adjust", "amount": f"-{amount}", "reason": "put right"},
            "hold": {"type": "hold.authorised", "amount": amount},
            "ask": {"type": "refund.requested", "cause": cause, "operator": "li"},
        }
        return {**base, **more[what]}

    def _about(self, what: str, place: int, amount: str, base: dict[str, Any]) -> dict[str, Any] | None:
        """Return an event that names an earlier one: a purchase or a hold, or one of the last requests."""
        of, back = {"return": ("buy", -1 - place // 2), "void": ("hold", place)}.get(what, ("ask", -1 - place // 3))
        if not self.named[of]:
            return None
        name = self.named[of][back % len(self.named[of])]
        more: dict[str, Any] = {
            "return": {"type": "return", "amount": amount, "purchase": name},
            "void": {"type": "hold.voided", "hold": name},
            "approve": {"type": "refund.approved", "about": name},
            "reject": {"type": "refund.rejected", "about": name},
            "pay": {"type": "refund.paid", "about": name},
        }
        return {**base, **more[what]}


def _text(units: int) -> str:
    return f"{units // 100}.{units % 100:02d}"


def played(some: list[Step]) -> list[dict[str, Any]]:
    play = Play()
    return [event for step in some if (event := play.event(step)) is not None]


def units(text: str) -> int:
    return int(Fraction(text) * 100)


@example(  # what is bought for the money comes back once the bonus was refunded
    some=[("topup", 100_000, 0, 0), ("bonus", 20_000, 0, 0), ("buy", 100_000, 0, 300), ("ask", 1, 1, 0),
          ("approve", 1, 0, 0), ("pay", 1, 0, 0), ("return", 100_000, 0, 0), ("ask", 1, 1, 0), ("approve", 1, 0, 0),
          ("pay", 1, 0, 0)],
    order=1,
    packs=0,
)  # fmt: skip
@example(some=[("topup", 100, 0, 0), ("ask", 1, 0, 0), ("approve", 1, 0, 0), ("pay", 1, 0, 0)], order=0, packs=0)
@given(some=steps, order=st.integers(0, 2), packs=st.integers(0, 3))
@examples(200, deadline=None)
def test_no_more_is_ever_refunded_than_was_paid_and_nothing_moves_on_a_quote(
    some: list[Step], order: int, packs: int
) -> None:
    registry = load_program(program(*PACKS[packs], order=ORDERS[order], more=RATES))
    ledger = MemoryLedger(registry, clock=lambda: 2 * 10**15)
    paid_in = paid_out = 0
    quotes: dict[str, int] = {}
    for event in played(some):
        outcome = ledger.post(event)
        if not outcome.accepted:
            continue
        if event["type"] in {"refund.requested", "refund.approved", "refund.rejected"}:
            assert outcome.postings == ()
        if event["type"] == "refund.requested":
            quotes[event["id"]] = checked_quote(outcome)
        for posting in outcome.postings:
            paid_in += posting.amount if posting.source == "cash" else 0
            paid_out += posting.amount if posting.destination == "refunds" else 0
        if event["type"] == "refund.paid":
            back = sum(posting.amount for posting in outcome.postings if posting.destination == "refunds")
            assert back == quotes.pop(event["about"]), "what was quoted is paid, once"
            account = ledger.account("ann")
            assert not any(lot.remaining for lot in account.lots.values() if lot.asset == "CNY")
        assert paid_out <= paid_in


def checked_quote(outcome: Outcome) -> int:
    """Return what a quote gives back without interest, having added its lines up."""
    remembered = outcome.memo["remembered"]
    by_name = {name: units(amount) for name, amount, *_ in json.loads(remembered["_lines"])}
    principal, fee = units(remembered["_principal"]), units(remembered["_fee"])
    of_principal = ("paid", "delivered", "floor", "withdrawal", "by_topup", "limit", "left", "deducted")
    assert sum(by_name.get(name, 0) for name in of_principal) == principal
    assert by_name["result"] == principal - fee + units(remembered["_interest"]) > 0
    beaten = [units(each.split(" ")[-1]) for each in remembered.get("_beaten", "").split(", ") if each]
    assert all(amount < principal for amount in beaten) or "limit" in by_name
    return principal - fee


@dataclass
class Naive:
    """What an accountant would write down: top-ups with their bonus, and what was used, oldest first."""

    topups: list[list[int]] = field(default_factory=list)
    uses: dict[str, list[int]] = field(default_factory=dict)

    def refund(self, cause: str) -> int:
        used = sum(nominal for nominal, _ in self.uses.values())
        listed = sum(full for _, full in self.uses.values())
        paid, granted = sum(topup[0] for topup in self.topups), sum(topup[1] for topup in self.topups)
        if cause == "consumer":
            return max(0, paid - listed)
        whole = _half_up(Fraction(paid, paid + granted) * (paid + granted - used))
        each = 0
        for money, bonus in self.topups:
            part = min(used, money + bonus)
            used -= part
            each += _half_up(Fraction(money, money + bonus) * (money + bonus - part))
        return max(whole, each)


def _half_up(exact: Fraction) -> int:
    return int(exact + Fraction(1, 2))


@given(
    some=st.lists(
        st.tuples(
            st.sampled_from(["topup", "bonus", "spend", "buy"]), st.integers(1, 9_000), st.integers(0, 5), st.just(1)
        ),
        max_size=15,
    ),
    first=st.integers(10_000, 90_000),
    cause=st.sampled_from(["operator", "neither", "consumer"]),
    order=st.integers(0, 2),
)
@examples(150, deadline=None)
def test_a_quote_is_what_an_accountant_would_work_out(some: list[Step], first: int, cause: str, order: int) -> None:
    one_topup = cause == "consumer"  # how a price before discounts is shared among top-ups is our own way
    ledger = MemoryLedger(load_program(program(order=ORDERS[order])), clock=lambda: 2 * 10**15)
    naive = Naive()
    for event in played([("topup", first, 0, 0), *[step for step in some if not one_topup or step[0] != "topup"]]):
        if not ledger.post(event).accepted:
            continue
        match event["type"]:
            case "topup":
                naive.topups.append([units(event["amount"]), 0])
            case "adjust":
                naive.topups[-1][1] += units(event["amount"])
            case "spend":
                naive.uses[event["id"]] = [units(event["amount"])] * 2
            case "purchase":
                stored = units(event["tenders"][0]["amount"])
                full, total = units(event["amount"]), units(event["amount"]) - units(event["discount"])
                if stored:
                    naive.uses[event["id"]] = [stored, _half_up(Fraction(stored * full, total))]
    at = datetime(2025, 9, 1, tzinfo=UTC).isoformat()
    request = {"type": "refund.requested", "id": "r", "source": "shop", "account": "ann", "at": at, "cause": cause}
    outcome = ledger.post(request)
    expected = naive.refund(cause)
    if not expected:
        assert [each.code for each in outcome.objections] == ["nothing_to_refund"]
    else:
        assert checked_quote(outcome) == expected


@given(some=steps, size=st.integers(1, 7))
@examples(15, deadline=None)
def test_a_database_decides_as_memory_does_and_its_books_hold(some: list[Step], size: int) -> None:
    events = played(some)
    text = program("cn-2025", "contract")
    memory = MemoryLedger(load_program(text), clock=lambda: 2 * 10**15)
    expected = [outcome.effects for outcome in memory.process(events)]
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'a.db'}"
        with Engine.open(url, create=True, clock=lambda: 2 * 10**15) as engine:
            engine.put_text_in_force(text)
            found = []
            for start in range(0, len(events), size):
                found += [outcome.effects for outcome in engine.process(events[start : start + size])]
            assert found == expected
            assert verify(engine).findings == ()
