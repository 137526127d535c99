"""Pools of codes: a reward gets the next free one, each is handed out once, and an empty pool says so."""

from __future__ import annotations

import threading
from collections import Counter
from typing import Any

import pytest

from stampbook.engine import Engine
from stampbook.testing import Ledger
from stampbook.verifying import verify

PROGRAM = """
[program]
name = "Pools"
currency = "GBP"
open_accounts = "on first event"
[assets.points]
[assets.vouchers]
[[plugin]]
use = "redemption"
[[plugin.reward]]
name = "film"
price = "1"
voucher = "film"
[[plugin.series]]
name = "film"
prefix = "FILM-"
pool = true
holder = "account"
expires = "1 month"
[[plugin.series]]
name = "extra"
prefix = "FILMX"
pool = true
"""
AT = "2025-03-02T10:00"


def loaded(*codes: str, series: str = "film", at: str = "2025-03-01T10:00") -> list[dict[str, Any]]:
    event = {"type": "voucher.loaded", "series": series, "at": at}
    refs = {code: f"voucher:{code.replace('-', '').replace('I', '1').replace('L', '1')}" for code in codes}
    return [{**event, "id": f"load-{code}", "account": refs[code], "code": code} for code in codes]


def started(ref: str) -> dict[str, Any]:
    event = {"type": "adjust", "asset": "points", "amount": "100", "reason": "a start", "at": "2025-03-01T09:00"}
    return {**event, "id": f"start-{ref}", "account": ref}


def take(ref: str, number: int = 0, **more: Any) -> dict[str, Any]:
    return {"type": "reward.redeemed", "reward": "film", "id": f"take-{ref}-{number}", "account": ref, "at": AT, **more}


def given(outcome: Any) -> str:
    """Return the code that came with a reward, or why none did."""
    if not outcome.accepted:
        return ", ".join(objection.code for objection in outcome.objections)
    code: str = outcome.memo["remembered"]["code"]
    return code


def test_a_reward_gets_the_next_free_code_until_there_is_none(any_db: str) -> None:
    with Engine.open(any_db, create=True) as engine:
        engine.put_text_in_force(PROGRAM)
        engine.process(
            [started("ann"), started("ben"), *loaded("FILM-C", "FILM-A", "FILM-B"), *loaded("FILMX1", series="extra")]
        )
        assert given(engine.post(take("ann"))) == "FILM-C", "the first of the list"
        assert given(engine.post(take("ann"))) == "FILM-C", "the same event answers the same"
        assert given(engine.post(take("ben", code="FILM-A"))) == "FILM-A"
        assert [given(outcome) for outcome in engine.process([take("ben", 1), take("ann", 1)])] == [
            "FILM-B",
            "no_code_left",
        ]
        engine.process(loaded("FILM-D", "FILM-E", at=AT))
        told = [
            given(outcome) for outcome in engine.process([*loaded("FILM-F", at=AT), take("ann", 2), take("ann", 3)])[1:]
        ]
        assert set(told) <= {"FILM-D", "FILM-E", "FILM-F"}
        assert len(set(told)) == 2
        used = engine.post({"type": "voucher.redeemed", "id": "u", "account": "ann", "code": told[0], "at": AT})
        assert used.accepted
        assert verify(engine).findings == ()


def test_a_code_that_is_void_set_aside_or_over_is_left_out() -> None:
    books = Ledger(PROGRAM)
    for event in (started("ann"), *loaded("FILM-0", at="2025-01-01T10:00"), *loaded("FILM-A", "FILM-C", "FILM-D")):
        assert books.engine.post(event).accepted
    books.post(type="voucher.voided", account="voucher:F11MA", reason="torn", at="2025-03-01T11:00")
    assert given(books.engine.post(take("ann"))) == "FILM-C"
    cancelled = {"type": "reward.cancelled", "id": "c", "account": "ann", "about": "take-ann-0", "at": AT}
    assert books.engine.post(cancelled).accepted, "a code that comes back is void"
    assert [given(books.engine.post(take("ann", number))) for number in (1, 2)] == ["FILM-D", "no_code_left"]
    refused = books.engine.post(take("ann", 3)).objections[0]
    assert refused.message == "the pool of series 'film' has no free code left; load more, or name one in code"


def test_a_reward_that_was_reserved_gets_a_code_when_it_is_taken() -> None:
    books = Ledger(PROGRAM)
    for event in (started("ann"), *loaded("FILM-A")):
        books.engine.post(event)
    reserved = {"type": "reward.reserved", "id": "v", "account": "ann", "reward": "film", "at": AT}
    assert books.engine.post({**reserved, "lapses_at": "2025-03-02T11:00"}).accepted
    assert given(books.engine.post(take("ann", hold="v"))) == "FILM-A"
    assert books.balance("points", account="ann", at="2025-03-03") == "99"


def test_a_reward_that_cannot_be_had_takes_no_code() -> None:
    books = Ledger(PROGRAM)
    for event in (started("ann"), *loaded("FILM-A")):
        books.engine.post(event)
    assert given(books.engine.post(take("ben"))) == "insufficient_balance"
    assert given(books.engine.post(take("ann"))) == "FILM-A"


@pytest.mark.parametrize("size", [1, 7])
def test_each_code_is_handed_out_once_by_two_writers(any_db: str, size: int) -> None:
    count = 30
    codes = [f"FILM-{number:02}" for number in range(count)]
    with Engine.open(any_db, create=True) as engine:
        engine.put_text_in_force(PROGRAM)
        engine.process([started(ref) for ref in ("one", "two")])
        engine.process(loaded(*codes))
        told: dict[str, list[str]] = {"one": [], "two": []}
        gate = threading.Barrier(2)

        def work(ref: str) -> None:
            with Engine.open(any_db) as writer:
                gate.wait()
                for first in range(0, count, size):
                    events = [take(ref, number) for number in range(first, min(first + size, count))]
                    told[ref].extend(given(outcome) for outcome in writer.process(events))

        threads = [threading.Thread(target=work, args=(ref,)) for ref in told]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        outcomes = Counter([*told["one"], *told["two"]])
        assert outcomes == Counter({**dict.fromkeys(codes, 1), "no_code_left": count})
        assert verify(engine).findings == ()
