"""T-LIM with holds: many at one account, spending, setting aside, capturing, voiding, returning, while time lapses."""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from stampbook.errors import StoreBusyError
from tests.faults.books import NOW, START, balance, event, findings, opened
from tests.faults.test_races import _at_once

if TYPE_CHECKING:
    from collections.abc import Callable

    from stampbook.engine import Engine, Outcome
    from tests.faults.books import Data

AT = START + timedelta(days=1)
LATER = START + timedelta(days=2)


def sent(engine: Engine, data: Data) -> Outcome:
    """Send an event until the database takes it."""
    while True:
        try:
            return engine.post(data)
        except StoreBusyError:
            continue


def customer(name: int, tries: int) -> Callable[[Engine], Outcome]:
    """Return what one of many tills does with an account: one pound at a time, in every way there is."""

    def work(engine: Engine) -> Outcome:
        chance = random.Random(name)
        for number in range(tries):
            id_ = f"{name}-{number}"
            way = chance.choice(("spend", "capture", "capture", "void", "lapse", "purchase", "return"))
            if way == "spend":
                sent(engine, event("spend", id_, at=AT, amount="1.00"))
            elif way in {"purchase", "return"}:
                tenders = [{"kind": "stored_value", "amount": "1.00"}]
                bought = sent(engine, event("purchase", id_, at=AT, amount="1.00", tenders=tenders))
                if bought.accepted and way == "return":
                    assert sent(engine, event("return", f"{id_}-back", at=AT, purchase=id_)).accepted
            else:
                lapses = {"lapses_at": LATER.isoformat()} if way == "lapse" else {}
                held = sent(engine, event("hold.authorised", id_, at=AT, amount="1.00", **lapses))
                if held.accepted and way != "lapse":
                    kind = "hold.captured" if way == "capture" else "hold.voided"
                    assert sent(engine, event(kind, f"{id_}-end", at=AT, hold=id_)).accepted
        return sent(engine, event("account.opened", f"{name}-done", f"till {name}", at=AT))

    return work


def clerk(engine: Engine) -> Outcome:
    """Bring other accounts up to the present, again and again: ticks must not get in the way."""
    for _ in range(5):
        try:
            list(engine.tick(int(AT.timestamp()) * 1_000_000))
        except StoreBusyError:
            continue
    return sent(engine, event("account.opened", "clerk-done", "clerk", at=AT))


@pytest.mark.parametrize(("tills", "tries"), [(6, 8), pytest.param(32, 40, marks=pytest.mark.heavy)])
def test_however_value_is_used_by_many_at_once_all_of_it_and_no_more_is_used(
    any_db: str, tills: int, tries: int
) -> None:
    with opened(any_db) as engine:
        engine.post(event("topup", "t", amount="32.00"))
        answers = _at_once(any_db, [*(customer(name, tries) for name in range(tills)), clerk])
        assert all(answer.accepted for answer in answers)
        assert findings(engine) == ()
        list(engine.tick(NOW))
        left = balance(engine)
        for number in range(left // 100):
            assert engine.post(event("spend", f"rest-{number}", at=LATER, amount="1.00")).accepted
        assert not engine.post(event("spend", "too much", at=LATER, amount="0.01")).accepted
        assert balance(engine) == 0
        used: Counter[bool] = Counter()
        with engine.store.reader() as session:
            for entry in session.journal("ann"):
                for posting in entry.postings:
                    if posting.asset == "GBP" and posting.rule != "topup":
                        used[isinstance(posting.source, int)] += posting.amount
        assert used[True] - used[False] == 32_00
        assert findings(engine) == ()


@pytest.mark.parametrize("round_", range(5))
def test_of_capture_void_and_lapse_at_once_exactly_one_ends_a_hold(any_db: str, round_: int) -> None:
    def ending(kind: str, id_: str) -> Callable[[Engine], Outcome]:
        return lambda own: sent(own, event(kind, id_, at=AT, hold="h"))

    def lapsing(own: Engine) -> Outcome:
        return sent(own, event("topup", "after", at=LATER, amount="0.01"))  # before it, what is due lapses

    with opened(any_db) as engine:
        engine.post(event("topup", "t", amount="5.00"))
        lapses = (LATER - timedelta(hours=1)).isoformat()
        engine.post(event("hold.authorised", "h", at=AT, amount="5.00", lapses_at=lapses))
        jobs = [ending("hold.captured", "c1"), ending("hold.voided", "v"), lapsing, ending("hold.captured", "c2")]
        chance = random.Random(round_)
        chance.shuffle(jobs)
        answers = {answer.id: answer for answer in _at_once(any_db, jobs)}
        with engine.store.reader() as session:
            entries = session.journal("ann")
        lapsed = [entry for entry in entries if entry.type == "hold.lapsed"]
        ended = [id_ for id_ in ("c1", "c2", "v") if answers[id_].accepted]
        assert len(ended) + len(lapsed) == 1
        assert {objection.code for id_ in ("c1", "c2", "v") for objection in answers[id_].objections} <= {"hold_ended"}
        captured = bool({"c1", "c2"} & set(ended))
        assert balance(engine) == (1 if captured else 501)
        assert findings(engine) == ()
