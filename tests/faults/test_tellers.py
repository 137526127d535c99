"""Eight processes at five accounts with money on them: every answer is in the books, and the books are sound."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from stampbook import Engine
from stampbook.verifying import verify
from tests.faults.teller import ACCOUNTS
from tests.plugins.payouts import program

TELLER = Path(__file__).with_name("teller.py")
TELLERS = 8
HEAVY = pytest.mark.heavy


@pytest.mark.parametrize("seconds", [3, pytest.param(60, marks=HEAVY)])
def test_every_answer_is_in_the_books_and_nothing_else(any_db: str, seconds: int) -> None:
    with Engine.open(any_db, create=True) as engine:
        engine.put_text_in_force(program())
    started = [
        subprocess.Popen([sys.executable, str(TELLER), any_db, f"t{number}", str(seconds)], stdout=subprocess.PIPE)
        for number in range(TELLERS)
    ]
    told: dict[str, str] = {}
    for process in started:
        lines = process.communicate(timeout=seconds + 90)[0].decode().splitlines()
        assert process.returncode == 0
        done, count = lines.pop().split()
        assert (done, int(count)) == ("done", len(lines))
        for line in lines:
            id_, told[id_] = line.split()
    with Engine.open(any_db) as engine:
        assert verify(engine).findings == ()
        with engine.store.reader() as session:
            journals = [session.journal(ref) for ref in ("", *(f"c{number}" for number in range(ACCOUNTS)))]
    sent = [entry for journal in journals for entry in journal if entry.source == "default"]
    assert {entry.id: "accepted" if entry.accepted else "refused" for entry in sent} == told
    assert {"accepted", "refused"} == set(told.values())
    for journal in journals:
        came = went = 0
        for posting in (posting for entry in journal for posting in entry.postings):
            assert posting.asset == "CNY"
            came += posting.amount if posting.source == "cash" else 0
            went += posting.amount if posting.destination == "refunds" else 0
        assert went <= came
