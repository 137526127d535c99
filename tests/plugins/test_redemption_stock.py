"""A piece that was set aside and not taken is there for others once its time is over, whoever asks first."""

from __future__ import annotations

from typing import Any

import pytest

from stampbook.engine import Engine
from stampbook.testing import Ledger
from stampbook.verifying import verify

PROGRAM = """
[program]
name = "Scarce"
currency = "GBP"
open_accounts = "on first event"
[assets.points]
[[plugin]]
use = "redemption"
[[plugin.reward]]
name = "print"
price = "10"
stock = 2
"""


def started(*refs: str) -> list[dict[str, Any]]:
    granted = {"type": "adjust", "asset": "points", "amount": "100", "reason": "a start", "at": "2025-03-01T10:00"}
    return [{**granted, "id": f"start-{ref}", "account": ref} for ref in refs]


def reserve(ref: str, until: str, at: str = "2025-03-02T10:00") -> dict[str, Any]:
    reserved = {"type": "reward.reserved", "reward": "print", "lapses_at": until, "at": at}
    return {**reserved, "id": f"reserve-{ref}-{at}", "account": ref}


def take(ref: str, at: str) -> dict[str, Any]:
    return {"type": "reward.redeemed", "reward": "print", "id": f"take-{ref}-{at}", "account": ref, "at": at}


STORY = [
    *started("ann", "ben", "cy"),
    reserve("ann", "2025-03-02T10:15"),
    reserve("cy", "2025-03-02T11:00"),
    take("ben", "2025-03-02T10:14"),
    take("ben", "2025-03-02T10:15"),
    take("ben", "2025-03-02T10:59"),
    take("ben", "2025-03-02T11:00"),
    take("ben", "2025-03-02T12:00"),
]
TOLD = [True] * 5 + [False, True, False, True, False]
"""Ann's piece is free at 10:15, Cy's at 11:00, and then there is none; neither of them comes back."""


@pytest.mark.parametrize("size", [1, 3, len(STORY)])
def test_a_piece_whose_time_is_over_is_free_without_a_tick(any_db: str, size: int) -> None:
    with Engine.open(any_db, create=True) as engine:
        engine.put_text_in_force(PROGRAM)
        outcomes = [
            outcome for first in range(0, len(STORY), size) for outcome in engine.process(STORY[first : first + size])
        ]
        assert [outcome.accepted for outcome in outcomes] == TOLD
        assert verify(engine).findings == ()


def test_it_is_so_in_the_examples_of_a_program_too() -> None:
    books = Ledger(PROGRAM)
    assert [books.engine.post(event).accepted for event in STORY] == TOLD


def test_what_one_writer_reserved_another_hands_out_when_its_time_is_over(any_db: str) -> None:
    with Engine.open(any_db, create=True) as one, Engine.open(any_db) as other:
        one.put_text_in_force(PROGRAM)
        one.process(started("ann", "ben", "cy"))
        assert one.post(reserve("ann", "2025-03-02T10:15")).accepted
        assert one.post(reserve("cy", "2025-03-02T10:20")).accepted
        tries = [other.post(take("ben", f"2025-03-02T10:{minute}")).accepted for minute in (10, 14, 15, 16, 20, 21)]
        assert tries == [False, False, True, False, True, False]
        assert one.post(take("cy", "2025-03-02T10:30")).objections[0].code == "out_of_stock"
        assert verify(one).findings == ()


def test_a_piece_that_is_reserved_again_and_again_is_never_out_twice(any_db: str) -> None:
    with Engine.open(any_db, create=True) as engine:
        engine.put_text_in_force(PROGRAM.replace("stock = 2", "stock = 1"))
        engine.process(started("ann", "ben", "cy"))
        told = [
            engine.post(event).accepted
            for event in (
                reserve("ann", "2025-03-02T10:15"),
                take("cy", "2025-03-02T10:05"),
                reserve("ben", "2025-03-02T10:30", "2025-03-02T10:15"),
                take("cy", "2025-03-02T10:29"),
                reserve("ann", "2025-03-02T10:40", "2025-03-02T10:30"),
                take("cy", "2025-03-02T10:39"),
                take("cy", "2025-03-02T10:40"),
            )
        ]
        assert told == [True, False, True, False, True, False, True]
        assert verify(engine).findings == ()
