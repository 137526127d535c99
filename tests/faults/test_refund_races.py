"""Several tills at one refund: it is paid once, never beside a spend that it did not know of."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

import pytest

from stampbook import Engine
from stampbook.verifying import verify
from tests.plugins.payouts import program

TILLS = 4


def event(what: str, name: str, at: str, **more: Any) -> dict[str, Any]:
    return {"type": what, "id": name, "source": "till", "account": "ann", "at": at, **more}


def started(url: str) -> Engine:
    engine = Engine.open(url, create=True)
    engine.put_text_in_force(program())
    engine.post(event("topup", "t", "2025-06-01", amount="1000"))
    engine.post(event("adjust", "b", "2025-06-01", amount="200", kind="bonus", reason="on top"))
    engine.post(event("spend", "s", "2025-06-02", amount="600"))
    engine.post(event("refund.requested", "r", "2025-09-01", cause="operator"))
    engine.post(event("refund.approved", "a", "2025-09-01", about="r"))
    return engine


def at_once(url: str, events: list[dict[str, Any]], *, preview: bool = False) -> list[str]:
    """Post events from threads of their own, all at once, and return what became of each."""
    gate = Barrier(len(events))

    def post(data: dict[str, Any]) -> str:
        with Engine.open(url) as engine:
            gate.wait()
            return (engine.preview if preview else engine.post)(data).status

    with ThreadPoolExecutor(len(events)) as pool:
        return list(pool.map(post, events))


def test_a_refund_that_several_tills_pay_at_once_is_paid_once(any_db: str) -> None:
    with started(any_db) as engine:
        paying = [event("refund.paid", f"p{till}", "2025-09-02", about="r") for till in range(TILLS)]
        assert sorted(at_once(any_db, paying)) == ["accepted", *["refused"] * (TILLS - 1)]
        assert verify(engine).ok
        with engine.store.reader() as session:
            moved = [posting for entry in session.journal("ann") for posting in entry.postings]
        assert sum(posting.amount for posting in moved if posting.destination == "refunds") == 50_000


@pytest.mark.parametrize("number", range(3))
def test_a_refund_and_a_spend_at_once_never_both_have_the_money(any_db: str, number: int) -> None:
    with started(any_db) as engine:
        spends = [event("spend", f"s{number}-{till}", "2025-09-02", amount="200") for till in range(TILLS - 1)]
        statuses = at_once(any_db, [event("refund.paid", "p", "2025-09-02", about="r"), *spends])
        assert statuses[0] == ("accepted" if statuses[1:] == ["refused"] * (TILLS - 1) else "refused")
        assert statuses.count("accepted") in {1, TILLS - 1}
        assert verify(engine).ok


def test_previews_take_no_turn_and_leave_nothing(any_db: str) -> None:
    with started(any_db) as engine:
        before = verify(engine).head
        asked = [event("refund.requested", f"q{till}", "2025-09-02", cause="operator") for till in range(TILLS)]
        assert at_once(any_db, asked, preview=True) == ["accepted"] * TILLS
        assert verify(engine).head == before
