"""T-ATOM: a connection that fails at the k-th statement, for every k, and after COMMIT was sent: before or after."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from stampbook.errors import StoreError
from tests.faults.books import event, findings, opened, picture, run, script, told

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stampbook.engine import Engine
    from tests.faults.books import Data

MOST_STATEMENTS = 200


class Fuse:
    """Counts statements and fails at the one that is wanted; ``after`` lets it happen first."""

    def __init__(self) -> None:
        self.left = -1
        self.after = False
        self.only = ""

    @contextmanager
    def burning(self, sql: object) -> Iterator[None]:
        counts = self.left > 0 and self.only in str(sql)
        self.left -= counts
        fails = counts and not self.left
        if fails and not self.after:
            raise self.error("disk I/O error")
        yield
        if fails:
            raise self.error("disk I/O error")

    error: type[BaseException] = sqlite3.OperationalError


def fused_sqlite(monkeypatch: pytest.MonkeyPatch, fuse: Fuse) -> None:
    class Fused(sqlite3.Connection):
        def execute(self, sql: str, *rest: Any) -> sqlite3.Cursor:
            with fuse.burning(sql):
                return super().execute(sql, *rest)

        def executemany(self, sql: str, *rest: Any) -> sqlite3.Cursor:
            with fuse.burning(sql):
                return super().executemany(sql, *rest)

    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *args, **more: connect(*args, **{**more, "factory": Fused}))


def fused_postgres(monkeypatch: pytest.MonkeyPatch, fuse: Fuse) -> None:
    import psycopg

    fuse.error = psycopg.OperationalError
    for name in ("execute", "executemany"):
        real = getattr(psycopg.Cursor, name)

        def fused(self: Any, sql: Any, *rest: Any, _real: Any = real, **more: Any) -> Any:
            with fuse.burning(sql):
                return _real(self, sql, *rest, **more)

        monkeypatch.setattr(psycopg.Cursor, name, fused)
    real_copy = psycopg.Cursor.copy

    @contextmanager
    def copy(self: Any, sql: Any, *rest: Any, **more: Any) -> Iterator[Any]:
        with fuse.burning(sql), real_copy(self, sql, *rest, **more) as copying:
            yield copying

    monkeypatch.setattr(psycopg.Cursor, "copy", copy)
    real_command = psycopg.Connection._exec_command

    def command(self: Any, sql: Any, *rest: Any, **more: Any) -> Any:  # BEGIN, COMMIT and ROLLBACK go this way
        text = sql.decode() if isinstance(sql, bytes) else str(sql)
        if "ROLLBACK" in text:
            return (yield from real_command(self, sql, *rest, **more))
        try:
            with fuse.burning(text):
                return (yield from real_command(self, sql, *rest, **more))
        except psycopg.OperationalError:
            self.pgconn.finish()  # a COMMIT without an answer is a connection that is gone
            raise

    monkeypatch.setattr(psycopg.Connection, "_exec_command", command)


@pytest.fixture
def fuse(any_db: str, monkeypatch: pytest.MonkeyPatch) -> Fuse:
    fuse = Fuse()
    (fused_sqlite if any_db.startswith("sqlite") else fused_postgres)(monkeypatch, fuse)
    return fuse


def mixed() -> list[Data]:
    """Return a batch on warm accounts in which every table is written and every kind of reading is done."""
    day = "2025-05-05T10:00:00Z"
    return [
        event("purchase", "a1", "c0", at=day, lines=[{"amount": "120.00", "category": "tea"}]),
        event("return", "a2", "c0", at=day, purchase="a1", amount="20.00"),
        event("return", "a3", "c1", at=day, purchase="bought", amount="1.00"),
        event("topup", "a4", "new", at=day, amount="9.00"),
        event("purchase", "bought", "c1", amount="50.00"),
        event("spend", "a5", "c1", at=day, amount="1000.00"),
        event("purchase", "a6", "c1", at=day, amount="-1"),
        event("adjust", "a7", "c1", at="2025-01-20T00:00:00Z", asset="points", amount="3", reason="late"),
    ]


def warm(engine: Engine) -> None:
    run(engine, [event("purchase", "bought", "c1", amount="50.00")])
    run(engine, script(40))


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("start", ["empty", "warm"])
def test_a_failing_statement_leaves_the_books_as_they_were(any_db: str, fuse: Fuse, start: str, *, after: bool) -> None:
    with opened(any_db) as engine:
        if start == "warm":
            warm(engine)
        before = picture(engine)
        events = mixed()
        complaints: list[str] = []
        for k in range(1, MOST_STATEMENTS):
            fuse.left, fuse.after = k, after
            try:
                answers = engine.process(events)
            except StoreError as error:
                complaints.append(str(error))
                fuse.left = -1
                now = picture(engine)
                if now != before:  # only if it was COMMIT that went through
                    assert after
                    answers = engine.process(events)
                    known = [answer for answer in answers if answer.status != "malformed"]
                    assert all(answer.replayed for answer in known)
                    assert picture(engine) == now
                    break
            else:
                assert fuse.left > 0, "a statement failed and nobody was told"
                fuse.left = -1
                break
        else:
            pytest.fail("the batch never got through")
        assert k > 8
        assert not any("\n" in complaint for complaint in complaints)
        statuses = [answer.status for answer in answers]
        assert statuses.count("accepted") >= 4
        assert statuses[5:7] == ["refused", "malformed"]
        assert findings(engine) == ()
        done = picture(engine)
        assert done != before
        again = engine.process(events)
        assert [told(one) for one in again] == [told(one) for one in answers]
        assert picture(engine) == done


def test_after_every_failure_the_outcome_is_that_of_a_run_without_one(any_db: str, fuse: Fuse, sqlite_db: str) -> None:
    """Each batch fails once, a statement later than the batch before, and is sent again by the same engine."""
    events = script(80)
    with opened(any_db) as engine:
        for number, first in enumerate(range(0, len(events), 5)):
            fuse.left, fuse.after = 1 + number % 14, number % 3 == 0
            try:
                engine.process(events[first : first + 5])
            except StoreError:
                fuse.left = -1
                engine.process(events[first : first + 5])
            fuse.left = -1
        assert findings(engine) == ()
        found = picture(engine)
    other = sqlite_db.replace("stampbook.db", "other.db")
    with opened(other) as undisturbed:
        run(undisturbed, events, 5)
        assert picture(undisturbed) == found


def test_a_tick_that_fails_leaves_whole_accounts_and_the_next_one_goes_on(any_db: str, fuse: Fuse) -> None:
    until = 1_800_000_000_000_000
    with opened(any_db) as engine:
        warm(engine)
        pictures = [picture(engine)]
        for k in range(1, MOST_STATEMENTS):
            fuse.left = k
            try:
                for _ in engine.tick(until, batch_size=2):
                    pass
            except StoreError:
                fuse.left = -1
                assert findings(engine) == ()
                pictures.append(picture(engine))
            else:
                fuse.left = -1
                break
        assert pictures[0] == pictures[1]
        assert picture(engine) != pictures[0]
        assert sum(engine.tick(until)) == 0
        assert findings(engine) == ()


def test_an_interrupted_engine_goes_on(any_db: str, fuse: Fuse) -> None:
    """Ctrl-C may come before or after any statement; whoever catches it can use the same engine again."""
    fuse.error = KeyboardInterrupt
    with opened(any_db) as engine:
        warm(engine)
        before = picture(engine)
        for after in (False, True):
            for k in range(1, MOST_STATEMENTS):
                fuse.left, fuse.after = k, after
                try:
                    engine.process(mixed())
                except KeyboardInterrupt:
                    fuse.left = -1
                    if picture(engine) != before:
                        break
                else:
                    break
            fuse.left = -1
            answers = engine.process(mixed())
            assert [answer.status for answer in answers].count("accepted") >= 4
            assert picture(engine) != before
            assert findings(engine) == ()


def test_putting_a_program_in_force_is_all_or_nothing(any_db: str, fuse: Fuse) -> None:
    from tests.faults.books import STRICT

    with opened(any_db) as engine:
        warm(engine)
        before, programs = picture(engine), engine.programs()
        for k in range(1, MOST_STATEMENTS):
            fuse.left = k
            try:
                engine.put_text_in_force(STRICT)
            except StoreError:
                fuse.left = -1
                assert picture(engine) == before
                assert engine.programs() == programs
            else:
                fuse.left = -1
                break
        assert len(engine.programs()) == 2


@pytest.mark.postgres
def test_a_connection_that_the_server_ends_is_made_anew(postgres_db: str) -> None:
    import psycopg

    with opened(postgres_db) as engine, psycopg.connect(postgres_db.replace("+psycopg", ""), autocommit=True) as other:
        engine.post(event("topup", "t1", amount="1.00"))
        name = other.info.dbname
        ended = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = %s AND pid <> %s"
        other.execute(ended, [name, other.info.backend_pid])
        with pytest.raises(StoreError, match="connection was lost"):
            engine.post(event("topup", "t2", amount="1.00"))
        assert engine.post(event("topup", "t2", amount="1.00")).accepted
        assert findings(engine) == ()
