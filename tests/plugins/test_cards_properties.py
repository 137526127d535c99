"""Cards among customers: nothing is made or lost, a claimed or replaced card is empty, and no ceiling is passed."""

from __future__ import annotations

import os
import tempfile
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest import mock

from hypothesis import event as seen
from hypothesis import given
from hypothesis import strategies as st

from stampbook import Engine
from stampbook.testing import Ledger
from stampbook.verifying import verify
from tests.effort import examples
from tests.plugins.cards import BY, CARDS, KEY, PROGRAM

OPTIONS = """
bearer_most = "40"
registered_most = "60"
wrong_pins = 2
wrong_within_minutes = 90
"""
START = datetime(2025, 3, 1, 10, tzinfo=UTC)
NOW = int(datetime(2035, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
PEOPLE = ["ann", "ben"]
PINS = dict(zip(CARDS, ["1111", None, "3333", None, None, None], strict=True))

FIRST = frozenset(f"o{number}" for number in range(8))
"""The ids of the events that open accounts, and issue and sell cards."""

cards = st.sampled_from(CARDS[:4])
amounts = st.integers(1, 4000).map(lambda units: f"{units // 100}.{units % 100:02}")
little = st.integers(1, 900).map(lambda units: f"{units // 100}.{units % 100:02}")
pins = st.sampled_from(["right"] * 6 + ["wrong", "none"])


def step(kind: str, **fields: Any) -> st.SearchStrategy[dict[str, Any]]:
    fixed = {"type": st.just(kind), "account": cards, "minutes": st.integers(0, 3_000)}
    return st.fixed_dictionaries({**fixed, **{key: as_strategy(value) for key, value in fields.items()}})


def as_strategy(value: Any) -> st.SearchStrategy[Any]:
    return value if isinstance(value, st.SearchStrategy) else st.just(value)


steps = st.one_of(
    step("card.activated", amount=amounts, tender="cash"),
    step("card.activated", amount=amounts, tender="cash"),
    step("card.topped_up", amount=little, tender="cash"),
    step("card.spent", amount=little, pin=pins),
    step("card.spent", amount=little, pin=pins),
    step("card.authorised", amount=little, pin=pins, lapses=st.integers(1, 60_000)),
    step("hold.captured", about=st.integers(0, 30)),
    step("hold.voided", about=st.integers(0, 30)),
    step("card.refunded", about=st.integers(0, 30), amount=st.none() | little),
    step("card.claimed", to=st.sampled_from(PEOPLE), value=st.sampled_from(["moves", "stays"]), pin=pins),
    step("card.replaced", to=st.sampled_from(CARDS[2:4]), **BY),
    step("card.blocked", **BY),
    step("card.unblocked", **BY),
    step("card.unlocked", **BY),
    step("card.reactivated", **BY),
    step("card.enquired", pin=pins),
)


def written(drawn: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return events as tills send them, in the order of time."""
    events: list[dict[str, Any]] = [{"type": "account.opened", "account": ref} for ref in PEOPLE]
    events += [
        {"type": "card.issued", "account": card, **({"pin": PINS[card]} if PINS[card] else {})} for card in CARDS[:4]
    ]
    events += [
        {"type": "card.activated", "account": card, "amount": amount, "tender": "cash"}
        for card, amount in zip(CARDS, ("30", "20"), strict=False)
    ]
    now = START
    for event in events:
        event["at"] = now.isoformat()
    payments: list[tuple[str, str]] = []
    for number, given_ in enumerate(drawn):
        event = {key: value for key, value in given_.items() if value is not None}
        now += timedelta(minutes=event.pop("minutes"))
        event |= {"id": f"e{number}", "at": now.isoformat()}
        if "lapses" in event:
            event["lapses_at"] = (now + timedelta(minutes=event.pop("lapses"))).isoformat()
        pin = event.pop("pin", "none")
        if pin != "none":
            event["pin"] = (PINS[event["account"]] or "4444") if pin == "right" else "9999"
        if "about" in event:
            place = event.pop("about")
            if payments:
                id_, card = payments[place % len(payments)]
                event |= {"account": card, "hold" if event["type"].startswith("hold") else "about": id_}
            else:
                continue
        if event["type"] in {"card.spent", "card.authorised"}:
            payments.append((event["id"], event["account"]))
        events.append(event)
    return [{"id": f"o{number}", **event} for number, event in enumerate(events)]


def books(engine: Engine) -> dict[str, int]:
    """Return what every book has taken less what it has given, from all journals."""
    sums: dict[str, int] = {}
    with engine.store.reader() as session:
        for ref in session.refs():
            for entry in session.journal(ref):
                for posting in entry.postings:
                    for end, sign in ((posting.source, -1), (posting.destination, 1)):
                        if isinstance(end, str):
                            sums[end] = sums.get(end, 0) + sign * posting.amount
    return sums


@mock.patch.dict(os.environ, {"STAMPBOOK_CARD_KEY": KEY})
@given(
    st.lists(steps, min_size=5, max_size=30),
    st.sampled_from(['expires = "20 days"\n', 'expires = "20 days"\nover = "lapses"\n', ""]),
)
@examples(120)
def test_value_over_all_cards_and_accounts_is_conserved(drawn: list[dict[str, Any]], validity: str) -> None:
    ledger = Ledger(PROGRAM + OPTIONS + validity)
    paid = spent = 0
    outside = {"card.activated": 1, "card.topped_up": 1}
    for event in written(drawn):
        outcome = ledger.engine.post(event)
        moved = sum(posting.amount for posting in outcome.postings)
        if outcome.accepted:
            seen(event["type"])
            paid += moved if event["type"] in outside else 0
            spent += sum(p.amount for p in outcome.postings if p.destination == "sales")
            spent -= sum(p.amount for p in outcome.postings if p.source == "sales")
        for card in CARDS[:4] if event["id"] not in FIRST else ():
            account = ledger.engine.account(card)
            held = sum(lot.remaining for lot in account.lots.values())
            facts = {name: past[-1].value for name, past in account.facts.items()}
            assert all(lot.remaining >= lot.held >= 0 for lot in account.lots.values())
            if facts.get("cards.state") in {"claimed", "replaced", "issued"}:
                assert held == 0
            if facts.get("cards.state") in {"claimed", "replaced"}:
                assert account.status == "closed"
                assert facts["cards.goes_on"]
    sums = books(ledger.engine)
    held = sum(lot.remaining for ref in [*PEOPLE, *CARDS[:4]] for lot in ledger.engine.account(ref).lots.values())
    assert sums.get("transfers", 0) == 0
    assert -sums.get("cash", 0) == paid
    assert sums.get("sales", 0) == spent >= 0
    assert paid == spent + held + sums.get("breakage", 0)
    if "lapses" not in validity:
        assert "breakage" not in sums


@mock.patch.dict(os.environ, {"STAMPBOOK_CARD_KEY": KEY})
@given(st.lists(steps, min_size=5, max_size=25), st.sampled_from(['expires = "20 days"\nover = "lapses"\n', ""]))
@examples(40)
def test_books_of_cards_prove_themselves_in_one_batch_or_one_by_one(drawn: list[dict[str, Any]], validity: str) -> None:
    events = written(drawn)
    heads = []
    for size in (1, len(events)):
        with (
            tempfile.TemporaryDirectory() as folder,
            Engine.open(f"sqlite:///{folder}/s.db", create=True, clock=lambda: NOW) as engine,
        ):
            engine.put_text_in_force(PROGRAM + OPTIONS + validity)
            for first in range(0, len(events), size):
                engine.process(events[first : first + size])
            verdict = verify(engine)
            assert verdict.findings == ()
            heads.append(verdict.head)
    assert heads[0] == heads[1]
