"""A program is put in force while another writer decides a batch: its accounts become due all the same."""

from __future__ import annotations

import time
from threading import Thread

import pytest

from stampbook.engine import Engine
from stampbook.store.session import SqlSession
from tests.faults.books import NOW, PROGRAM, event, findings, frozen, opened

LATER = PROGRAM.replace('name = "Faults"', 'name = "Later"')
STARTS = NOW + 3_600_000_000


def _wait_for(other: Thread, engine: Engine) -> None:
    """Wait until a thread has done its work, or waits for a lock in the database."""
    until = time.monotonic() + 20
    while other.is_alive() and time.monotonic() < until:
        with engine.store.reader() as session:
            assert isinstance(session, SqlSession)
            if session.rows("SELECT 1 FROM pg_locks WHERE NOT granted"):
                return
        time.sleep(0.01)


@pytest.mark.postgres
@pytest.mark.parametrize("ref", ["ann", "new"])
def test_accounts_of_a_batch_become_due_by_a_program_put_in_force_meanwhile(postgres_db: str, ref: str) -> None:
    with opened(postgres_db) as engine, Engine.open(postgres_db, clock=frozen) as other:
        engine.post(event("topup", "t", amount="1.00"))
        thread = Thread(target=other.put_text_in_force, args=[LATER], kwargs={"effective_from": STARTS})
        with engine.store.writer() as session:
            batch = engine.batch(session)
            batch.take([event("topup", "u", ref, amount="1.00")])
            thread.start()
            _wait_for(thread, engine)
            batch.write()
        thread.join()
        with engine.store.reader() as session:
            assert session.accounts([ref])[ref].due_at <= STARTS
        assert len(engine.programs()) == 2
        assert findings(engine) == ()


@pytest.mark.postgres
def test_a_writer_knows_of_a_program_put_in_force_since_its_transaction_began(postgres_db: str) -> None:
    with opened(postgres_db) as engine, Engine.open(postgres_db, clock=frozen) as other:
        engine.post(event("topup", "t", amount="1.00"))
        with engine.store.writer() as session:
            other.put_text_in_force(LATER, effective_from=0)
            batch = engine.batch(session)
            batch.take([event("topup", "u", amount="1.00")])
            batch.write()
        assert findings(engine) == ()
