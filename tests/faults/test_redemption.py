"""Redemption under several writers: a code is used once, a stock is never exceeded and all of it is given out."""

from __future__ import annotations

import subprocess
import sys
from itertools import starmap
from pathlib import Path
from typing import Any

import pytest

from stampbook.engine import Engine
from stampbook.parallel import Tagged, process_in_parallel
from stampbook.verifying import verify

CHILD = Path(__file__).with_name("redeemer.py")

PROGRAM = """
[program]
name = "Races"
currency = "GBP"
time_zone = "Europe/London"
open_accounts = "on first event"
[assets.points]
debt = true
[assets.vouchers]
[[plugin]]
use = "points"
[[plugin.rule]]
name = "welcome"
on = ["account.opened"]
earn = "100"
[[plugin]]
use = "redemption"
[[plugin.reward]]
name = "mug"
price = "10"
stock = 25
most = 1
[[plugin.reward]]
name = "code"
price = "10"
voucher = "code"
[[plugin.series]]
name = "code"
prefix = "CODE-"
uses = USES
"""


def opened(url: str, uses: int = 1) -> Engine:
    engine = Engine.open(url, create=True)
    engine.put_text_in_force(PROGRAM.replace("USES", str(uses)))
    return engine


def raced(url: str, what: str, *, writers: int, count: int) -> int:
    """Return how many of several processes' redemptions were accepted."""
    children = [
        subprocess.Popen(
            [sys.executable, str(CHILD), url, f"w{number}", what, str(count)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(writers)
    ]
    for child in children:
        assert child.stdout
        assert child.stdout.readline() == "ready\n"
    for child in children:
        assert child.stdin
        child.stdin.write("go\n")
        child.stdin.flush()
    return sum(int(child.communicate(timeout=120)[0]) for child in children)


def sent(kind: str, id_: str, account: str, **more: Any) -> dict[str, Any]:
    return {"type": kind, "id": id_, "account": account, "at": "2025-06-10T11:00:00Z", **more}


@pytest.mark.parametrize("uses", [1, 5])
def test_a_code_that_many_present_at_once_is_used_as_often_as_it_may_be(any_db: str, uses: int) -> None:
    with opened(any_db, uses) as engine:
        taken = engine.post(sent("reward.redeemed", "r", "ann", reward="code"))
        assert raced(any_db, taken.memo["remembered"]["code"], writers=4, count=6) == uses
        assert verify(engine).findings == ()


def test_a_stock_that_many_want_is_given_out_to_the_last_and_no_further(any_db: str) -> None:
    with opened(any_db) as engine:
        taken = raced(any_db, "mug", writers=4, count=12)
        assert 0 < taken <= 25
        # What one writer still had leased when others found nothing left is free once it has given it back.
        late = engine.process([sent("reward.redeemed", f"late-{n}", f"late-{n}", reward="mug") for n in range(30)])
        assert taken + sum(outcome.accepted for outcome in late) == 25
        assert {o.code for outcome in late for o in outcome.objections} <= {"out_of_stock"}
        back = engine.post(sent("reward.cancelled", "c", "late-0", about="late-0"))
        if back.accepted:
            assert engine.post(sent("reward.redeemed", "again", "cy", reward="mug")).accepted
        assert verify(engine).findings == ()


def test_one_account_takes_one_however_many_writers_ask_for_it(any_db: str) -> None:
    with opened(any_db) as engine, Engine.open(any_db) as other:
        asked = [
            writer.post(sent("reward.redeemed", f"{number}-{name}", "ann", reward="mug"))
            for number in range(3)
            for name, writer in (("a", engine), ("b", other))
        ]
        assert [outcome.accepted for outcome in asked] == [True, *[False] * 5]
        assert verify(engine).findings == ()


def test_workers_that_decide_side_by_side_make_different_codes_and_keep_to_the_stock(any_db: str) -> None:
    events = [
        sent("reward.redeemed", f"{what}-{number}", f"a{number % 40}", reward=what)
        for number in range(80)
        for what in ("code", "mug")
    ]
    with opened(any_db) as engine:
        for _ in process_in_parallel(engine, starmap(Tagged, enumerate(events)), jobs=2, batch_size=10):
            pass
        with engine.store.reader() as session:
            entries = [entry for ref in session.refs() for entry in session.journal(ref)]
        issued = [entry for entry in entries if entry.type == "voucher.issued"]
        mugs = [it for entry in entries for it in entry.postings if it.rule == "redemption.mug"]
        assert len(issued) == 80
        assert 0 < len(mugs) <= 25
        assert verify(engine).findings == ()
