"""T-SAME and the rooms below: every store gives the same answers, with a number of queries that never grows."""

from __future__ import annotations

import os
import re
import sqlite3
from collections import Counter
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, inspect
from sqlalchemy.exc import IntegrityError

from stampbook.errors import SchemaVersionError, StoreBusyError, StoreError
from stampbook.loading import load
from stampbook.replay import MemoryLedger
from stampbook.store import open_store
from stampbook.store.rows import COLUMNS, KEYS, STATE
from stampbook.store.schema import KNOWN
from stampbook.store.segment_runs import runs, scores_of, spells_of
from stampbook.store.tables import TABLES
from tests.faults.books import (
    PROGRAM,
    STRICT,
    Data,
    event,
    findings,
    frozen,
    heads,
    opened,
    picture,
    run,
    script,
    told,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stampbook.engine import Engine


# ---- T-SAME -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("program", [PROGRAM, STRICT], ids=["opens-accounts", "refuses-strangers"])
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_memory_and_database_give_the_same_answers(any_db: str, program: str, seed: int) -> None:
    events = script(150, seed=seed)
    memory = MemoryLedger(load(program), clock=frozen)
    with opened(any_db, program) as engine:
        answers = [told(outcome) for outcome in run(engine, events, 13)]
        assert answers == [told(outcome) for outcome in run(memory, events, 13)]
        assert heads(engine) == heads(memory)
        assert findings(engine) == ()
        with engine.store.reader() as ours, memory.store.reader() as theirs:
            for ref in theirs.refs():
                assert ours.journal(ref) == theirs.journal(ref)
    if program is PROGRAM:
        assert {answer[0] for answer in answers} == {"accepted", "refused", "malformed"}


@pytest.mark.postgres
@pytest.mark.parametrize("batch", [1, 7, 1_000])
def test_both_databases_hold_the_same_rows(sqlite_db: str, postgres_db: str, batch: int) -> None:
    events = script(150)
    with opened(sqlite_db) as one, opened(postgres_db) as other:
        assert list(map(told, run(one, events, 11))) == list(map(told, run(other, events, batch)))
        assert picture(one) == picture(other)


def test_an_account_that_another_writer_moved_on_is_loaded_anew(any_db: str, tmp_path: Path) -> None:
    from stampbook.engine import Engine

    events = script(200)
    with opened(any_db) as one, Engine.open(any_db, clock=frozen) as other:
        for first in range(0, len(events), 4):
            (one if first % 8 else other).process(events[first : first + 4])
        with opened(f"sqlite:///{tmp_path / 'alone.db'}") as alone:
            run(alone, events, 4)
            assert picture(one) == picture(other) == picture(alone)
        assert findings(one) == ()


# ---- queries ----


def _warm(count: int) -> list[Data]:
    return [event("purchase", f"w{n}", f"c{n}", lines=[{"amount": "30.00", "category": "tea"}]) for n in range(count)]


def _batch(first: int, size: int) -> list[Data]:
    numbers = range(first, first + size)
    tea = [{"amount": "9.00", "category": "tea"}]
    bought = [event("purchase", f"p{n}", f"c{n}", at="2025-02-20T10:00:00Z", lines=tea) for n in numbers]
    back = [event("return", f"r{n}", f"c{n}", at="2025-02-20T11:00:00Z", purchase=f"w{n}") for n in numbers]
    strange = [event("topup", f"t{n}", f"new{n}", amount="1.00") for n in numbers]
    return [*bought, *back, *_warm(first + size)[first:], *strange]


def _statements(engine: Engine, events: list[Data], monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """Return the statements that a batch runs; a bulk write counts as one, whatever its rows."""
    seen: list[str] = []
    if engine.store.url.startswith("sqlite"):
        connection: sqlite3.Connection = engine.store._writer  # type: ignore[attr-defined]
        connection.set_trace_callback(seen.append)
        outcomes = engine.process(events)
        connection.set_trace_callback(None)
        written = {sql.partition(" VALUES")[0] for sql in seen if sql.startswith("INSERT")}
        seen = [sql for sql in seen if not sql.startswith("INSERT")]
        seen = [re.sub(r"'[^']*'|\d+", "…", sql) for sql in (*seen, *written)]  # traced with their values
    else:
        import psycopg

        for name in ("execute", "executemany", "copy"):
            before = getattr(psycopg.Cursor, name)

            def counted(self: Any, sql: Any, *rest: Any, _before: Any = before, **more: Any) -> Any:
                seen.append(str(sql))
                return _before(self, sql, *rest, **more)

            monkeypatch.setattr(psycopg.Cursor, name, counted)
        outcomes = engine.process(events)
        monkeypatch.undo()
    assert all(outcome.accepted for outcome in outcomes)
    assert sum(outcome.replayed for outcome in outcomes) == len(events) // 4
    return Counter(seen)


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def test_the_number_of_queries_does_not_grow_with_the_batch(
    kind: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = []
    url: str = request.getfixturevalue(f"{kind}_db")
    with opened(url) as engine:
        engine.process(_warm(300))
        for first, size in ((0, 25), (25, 250)):
            counts.append(_statements(engine, _batch(first, size), monkeypatch))
        assert findings(engine) == ()
    assert counts[0] == counts[1]
    assert counts[0].total() < 40


@pytest.mark.parametrize(("at", "reads"), [("2025-03-01T10:00:02Z", False), ("2025-03-01T10:00:00Z", True)])
def test_only_late_news_reads_what_came_and_went(sqlite_db: str, at: str, *, reads: bool) -> None:
    with opened(sqlite_db) as engine:
        engine.post(event("topup", "t", "ann", at="2025-03-01T09:00:00Z", amount="10.00"))
        engine.post(event("spend", "s1", "ann", at="2025-03-01T10:00:01Z", amount="1.00"))
        seen: list[str] = []
        connection: sqlite3.Connection = engine.store._writer  # type: ignore[attr-defined]
        connection.set_trace_callback(seen.append)
        assert engine.post(event("spend", "s2", "ann", at=at, amount="1.00")).accepted
        assert any("FROM posting" in sql for sql in seen) == reads


# ---- the schema ----


def test_the_migrations_make_what_the_models_say(any_db: str) -> None:
    open_store(any_db, create=True).close()
    engine = create_engine(any_db)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), TABLES) == []
    engine.dispose()


@pytest.mark.parametrize("table", sorted(set(COLUMNS) - set(STATE)))
def test_rows_are_written_in_the_order_of_the_columns(table: str) -> None:
    assert tuple(column.name for column in TABLES.tables[table].columns) == COLUMNS[table]


def test_views_of_the_state_have_the_columns_that_are_read(any_db: str) -> None:
    open_store(any_db, create=True).close()
    engine = create_engine(any_db)
    for view in STATE:
        assert tuple(column["name"] for column in inspect(engine).get_columns(view)) == COLUMNS[view]
    engine.dispose()


@pytest.mark.parametrize("row", ["1, 0, 'x', 0", "1, 0, '', 1", "1, 1, 'x', 1", "1, 3, '', 1"])
def test_a_row_of_the_state_that_no_view_would_show_is_not_taken(any_db: str, row: str) -> None:
    open_store(any_db, create=True).close()
    engine = create_engine(any_db)
    with engine.begin() as connection, pytest.raises(IntegrityError, match=r"(?i)check"):
        connection.exec_driver_sql(f"INSERT INTO state (account_id, part, name, number) VALUES ({row})")
    engine.dispose()


@pytest.mark.parametrize("table", KEYS)
def test_the_keys_of_changing_rows_are_those_of_the_tables(table: str) -> None:
    assert tuple(column.name for column in TABLES.tables[table].primary_key) == KEYS[table]


def test_every_table_of_an_account_has_the_account_first_in_its_key() -> None:
    others = {"program", "in_force", "account", "event_key", "segment_run", "campaign", "campaign_lease"}
    for name, table in TABLES.tables.items():
        if name not in others:
            assert next(iter(table.primary_key)).name == "account_id", name


def test_sqlite_keeps_types_strictly(sqlite_db: str) -> None:
    open_store(sqlite_db, create=True).close()
    with closing(sqlite3.connect(_path(sqlite_db))) as connection:
        tables = connection.execute(
            "SELECT name, strict FROM pragma_table_list WHERE schema = 'main' AND type = 'table'"
        ).fetchall()
    loose = {name for name, strict in tables if not strict and not name.startswith("sqlite_")}
    assert loose <= {"alembic_version"}


def test_creating_twice_is_harmless(any_db: str) -> None:
    with opened(any_db) as engine:
        run(engine, script(30))
        before = picture(engine)
    open_store(any_db, create=True).close()
    with opened(any_db) as engine:
        assert picture(engine) == before


@pytest.mark.parametrize(
    ("version", "complaint"),
    [("9999", "newer than this Stampbook"), ("abcdef", "newer than this Stampbook"), (None, "has no Stampbook tables")],
)
@pytest.mark.parametrize("create", [False, True])
def test_a_database_of_another_version_is_refused(
    any_db: str, version: str | None, complaint: str, *, create: bool
) -> None:
    if version is None and create:
        pytest.skip("an empty database is made anew")
    open_store(any_db, create=True).close()
    engine = create_engine(any_db)
    with engine.begin() as connection:
        if version is None:
            connection.exec_driver_sql("DROP TABLE alembic_version")
        else:
            connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{version}'")
    engine.dispose()
    with pytest.raises(StoreError, match=complaint) as caught:
        open_store(any_db, create=create)
    assert isinstance(caught.value, SchemaVersionError) == (version is not None)
    assert "\n" not in str(caught.value)


def test_an_older_version_says_how_to_bring_it_up(any_db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    open_store(any_db, create=True).close()
    monkeypatch.setattr("stampbook.store.schema.VERSION", "0099")
    monkeypatch.setattr("stampbook.store.schema.KNOWN", (*KNOWN, "0099"))
    with pytest.raises(SchemaVersionError, match="run: stampbook init"):
        open_store(any_db)


BEFORE_STATE = (
    "CREATE TABLE kept AS SELECT * FROM account JOIN chain ON account_id = id",
    "ALTER TABLE kept DROP COLUMN account_id",
    "DROP TABLE account",
    "ALTER TABLE kept RENAME TO account",
    "CREATE UNIQUE INDEX account_id_key ON account (id)",
    "CREATE UNIQUE INDEX account_ref_key ON account (ref)",
    "CREATE TABLE lots AS SELECT * FROM lot",
    "CREATE TABLE metrics AS SELECT * FROM metric",
    *(f"DROP VIEW {name}" for name in ("chain", "lot", "metric")),
    "DROP TABLE state",
    "ALTER TABLE lots RENAME TO lot",
    "ALTER TABLE metrics RENAME TO metric",
)
"""What takes tables back to the version in which lots, counters and the ends of chains had tables of their own."""

BEFORE_SPELLS = (
    "DROP TABLE sale",
    *BEFORE_STATE,
    "DROP TABLE segment_spell",
    "DROP TABLE segment_score",
    *(f"ALTER TABLE segment_run DROP COLUMN {name}" for name in ("span", "options", "segments", "findings")),
    "CREATE TABLE segment_member (account_id bigint, run_id bigint, segment text, scores text)",
)
"""What takes tables back to the version in which each run kept a row for every account."""


def test_segments_of_the_version_before_are_carried_over_as_spells(any_db: str) -> None:
    with opened(any_db) as engine:
        run(engine, script(30))
        with engine.store.reader() as session:
            first, second = session.accounts(sorted(session.refs())[:2]).values()
    kept = [  # the runs 2 and 3 are as of one instant: the later one counts
        (1, 10, {first.id: "x", second.id: "x"}),
        (2, 20, {first.id: "y", second.id: "y"}),
        (3, 20, {first.id: "y", second.id: "x"}),
        (4, 15, {first.id: "x", second.id: "z"}),
        (5, 30, {first.id: "y"}),
    ]
    database = create_engine(any_db)
    with database.begin() as connection:
        for statement in BEFORE_SPELLS:
            connection.exec_driver_sql(statement)
        for number, at, members in kept:
            connection.exec_driver_sql(
                f"INSERT INTO segment_run VALUES ({number}, 's', {at}, 'd{number}', 0, {len(members)}, 1)"
            )
            for account, segment in members.items():
                connection.exec_driver_sql(
                    f"INSERT INTO segment_member VALUES ({account}, {number}, '{segment}', '{number}')"
                )
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0003'")
    database.dispose()
    open_store(any_db, create=True).close()
    with opened(any_db) as engine:
        spells = {ref: [tuple(spell) for spell in spells_of(engine.store, ref)] for ref in (first.ref, second.ref)}
        assert spells[first.ref] == [("s", "kept", 10, "x"), ("s", "kept", 20, "y")]
        assert spells[second.ref] == [("s", "kept", 10, "x"), ("s", "kept", 15, "z"), ("s", "kept", 20, "x")]
        latest = [(made.id, member.scores) for ref in spells for made, member in scores_of(engine.store, ref)]
        assert latest == [(5, "5"), (3, "3")]
        assert next((made.id, made.span) for made in runs(engine.store)) == (5, "lifetime")


def test_a_database_of_the_first_version_is_brought_up_with_all_that_is_in_it(any_db: str) -> None:
    with opened(any_db) as engine:
        run(engine, script(30))
        before = picture(engine)
    database = create_engine(any_db)
    with database.begin() as connection:
        for statement in (
            *BEFORE_SPELLS,
            "DROP TABLE campaign",
            "DROP TABLE campaign_lease",
            "CREATE TABLE kept AS SELECT * FROM posting",
            "DROP VIEW posting",
            "ALTER TABLE kept RENAME TO posting",
            "ALTER TABLE journal DROP COLUMN postings",
            "CREATE INDEX account_due ON account (due_at)",
            "UPDATE alembic_version SET version_num = '0001'",
        ):
            connection.exec_driver_sql(statement)
    database.dispose()
    with pytest.raises(SchemaVersionError, match="run: stampbook init"):
        open_store(any_db)
    open_store(any_db, create=True).close()
    with opened(any_db) as engine:
        after = picture(engine)
        told = [(*row[:4], None, 0, *[""] * 5) for row in before.pop("sale")]
        assert after.pop("sale") == told
        assert after == before
        run(engine, script(40)[30:])
        assert findings(engine) == ()


# ---- files that are none ----


def _path(url: str) -> Path:
    return Path(url.removeprefix("sqlite:///"))


def _refused(url: str, complaint: str, *, create: bool = False) -> None:
    with pytest.raises(StoreError, match=complaint) as caught:
        open_store(url, create=create, busy_seconds=0.1)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there(sqlite_db: str) -> None:
    _refused(sqlite_db, "there is no database .*run: stampbook init")
    assert not _path(sqlite_db).exists()


def test_an_empty_file(sqlite_db: str) -> None:
    _path(sqlite_db).touch()
    _refused(sqlite_db, "has no Stampbook tables")
    open_store(sqlite_db, create=True).close()


@pytest.mark.parametrize("create", [False, True])
@pytest.mark.parametrize("content", [b"a shopping list\n" * 100, b"SQLite format 3\x00" + b"\xff" * 4_000])
def test_a_file_that_is_no_database(sqlite_db: str, content: bytes, *, create: bool) -> None:
    _path(sqlite_db).write_bytes(content)
    _refused(sqlite_db, "is not a SQLite database|malformed|nothing was written", create=create)
    assert _path(sqlite_db).read_bytes() == content


@pytest.mark.parametrize("create", [False, True])
def test_a_database_of_something_else(sqlite_db: str, *, create: bool) -> None:
    with closing(sqlite3.connect(_path(sqlite_db))) as connection:
        connection.execute("CREATE TABLE recipe (n)")
    _refused(sqlite_db, "has a table 'recipe'" if create else "has no Stampbook tables", create=create)
    with closing(sqlite3.connect(_path(sqlite_db))) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("recipe",)]


@pytest.mark.parametrize("create", [False, True])
def test_a_folder(tmp_path: Path, *, create: bool) -> None:
    _refused(f"sqlite:///{tmp_path}", "there is no database|cannot be opened", create=create)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    _refused(f"sqlite:///{tmp_path}/nowhere/a.db", "there is no folder .*nowhere", create=True)


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("mysql://root@localhost/x", "mysql:// is no database that Stampbook keeps books in"),
        ("sqlite:///:memory:", "name a file"),
        ("sqlite://", "name a file"),
        ("sqlite:///", "name a file"),
        ("postgresql://nobody@localhost:1/x", "cannot be reached"),
        ("postgresql:///x?host=/nowhere", "cannot be reached"),
        ("postgresql://[", "cannot be reached|refused"),
    ],
)
@pytest.mark.parametrize("create", [False, True])
def test_a_wrong_address_is_one_clear_line(url: str, complaint: str, *, create: bool) -> None:
    _refused(url, complaint, create=create)


# ---- writing that fails ----


def _drop_privileges() -> bool:
    return os.name == "posix" and os.geteuid() == 0


@contextmanager
def _read_only(path: Path) -> Iterator[None]:
    path.chmod(0o444)
    path.parent.chmod(0o555)
    try:
        yield
    finally:
        path.parent.chmod(0o755)
        path.chmod(0o644)


@pytest.mark.skipif(_drop_privileges(), reason="root may write to read-only files")
def test_a_read_only_file(sqlite_db: str) -> None:
    with opened(sqlite_db) as engine:
        run(engine, script(30))
    with _read_only(_path(sqlite_db)), pytest.raises(StoreError, match="may not be written to"):
        opened(sqlite_db)


def test_a_read_only_database(any_db: str) -> None:
    """What a read-only file or server answers, made by asking the connection to be read-only, which binds root too."""
    with opened(any_db) as engine:
        run(engine, script(30))
        before = picture(engine)
        if any_db.startswith("sqlite"):
            engine.store._writer.execute("PRAGMA query_only = ON")  # type: ignore[attr-defined]
        else:
            engine.store._connection.execute("SET default_transaction_read_only = on")  # type: ignore[attr-defined]
        with pytest.raises(StoreError, match="may not be written to; nothing was written"):
            engine.post(event("topup", "x", amount="1.00"))
        assert picture(engine) == before


def test_a_locked_database_waits_and_then_says_so(any_db: str) -> None:
    from stampbook.engine import Engine

    with opened(any_db) as engine:
        engine.post(event("topup", "t1", amount="1.00"))
        before = picture(engine)
    with (
        closing(Engine(open_store(any_db, busy_seconds=0.01), clock=frozen)) as engine,
        opened(any_db) as other,
        other.store.writer() as session,
    ):
        session.lock(["ann"])
        with pytest.raises(StoreBusyError, match="nothing was written, try again"):
            engine.post(event("topup", "t2", amount="1.00"))
        assert picture(engine) == before
    with opened(any_db) as engine:
        assert engine.post(event("topup", "t2", amount="1.00")).accepted


def test_readers_go_on_while_one_writes(any_db: str) -> None:
    with opened(any_db) as engine, opened(any_db) as other:
        engine.post(event("topup", "t1", amount="1.00"))
        with other.store.writer() as session:
            session.lock(["ann"])
            assert len(heads(engine)) == 1
            assert findings(engine) == ()


def test_a_full_disk_writes_nothing_and_recovers_by_itself(sqlite_db: str) -> None:
    with opened(sqlite_db) as engine:
        run(engine, script(30))
        connection: sqlite3.Connection = engine.store._writer  # type: ignore[attr-defined]
        [pages] = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count = {pages}")
        before = picture(engine)
        many = [event("topup", f"t{n}", f"n{n}", amount="1.00") for n in range(500)]
        with pytest.raises(StoreError, match=r"disk .* is full; nothing was written"):
            engine.process(many)
        assert picture(engine) == before
        assert findings(engine) == ()
        connection.execute("PRAGMA max_page_count = 1000000")
        assert all(outcome.accepted and not outcome.replayed for outcome in engine.process(many))
        assert findings(engine) == ()


@pytest.mark.skipif(not Path("/dev/full").exists() or not _drop_privileges(), reason="needs root for a tiny disk")
def test_a_disk_that_is_really_full(tmp_path: Path) -> None:
    import subprocess

    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)], check=False)
    if mounted.returncode:
        pytest.skip("a small file system cannot be mounted here")
    try:
        with opened(f"sqlite:///{disk / 'a.db'}") as engine:
            acknowledged, complaint = 0, ""
            while not complaint and acknowledged < 100_000:
                topups = [event("topup", f"t{acknowledged + n}", f"n{n}", amount="1.00") for n in range(50)]
                try:
                    engine.process(topups)
                except StoreError as error:
                    complaint = str(error)
                else:
                    acknowledged += 50
            assert acknowledged
            assert "full" in complaint
            with engine.store.reader() as session:
                assert sum(len(session.journal(f"n{n}")) - 1 for n in range(50)) == acknowledged
            assert findings(engine) == ()
    finally:
        subprocess.run(["umount", str(disk)], check=True)
