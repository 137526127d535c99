"""The table of sales: what it tells of a ledger is what the journal tells, to the unit, however it is read."""

from __future__ import annotations

import fcntl
import os
import sqlite3
import sys
import tempfile
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from sqlalchemy import create_engine

from stampbook import Engine
from stampbook.errors import StoreError
from stampbook.histories import History, read_frames
from stampbook.sale_frames import told_sales
from stampbook.store import open_store, sale_columns
from stampbook.store.sqlite import READ_ONLY
from stampbook.verifying import verify
from tests.effort import examples
from tests.store.test_histories import AT, MONEY, NOW, PROGRAM, opened, purchases, tell

if TYPE_CHECKING:
    from pathlib import Path

REFS = ("ann", "bob", "cid")
SCRIPT: list[dict[str, Any]] = [
    {"type": "purchase", "id": "p1", "account": "ann", "at": "2025-01-01", "amount": "10.00", "store": "s1"},
    {"type": "purchase", "id": "p2", "account": "ann", "at": "2025-01-02", "lines": [{"sku": "x", "amount": "5.00"},
     {"unit_price": "0.33", "quantity": "1.5"}], "discount": "1.00", "channel": "web"},
    {"type": "return", "id": "r1", "account": "ann", "at": "2025-01-03", "purchase": "p2", "amount": "2.00"},
    {"type": "return", "id": "r2", "account": "bob", "at": "2025-01-03", "amount": "2.50"},
    {"type": "purchase", "id": "p3", "source": "web", "account": "bob", "at": "2025-01-04", "amount": "7.00",
     "tax": "1.00", "tax_added": True},
    {"type": "purchase", "id": "p4", "account": "bob", "at": "2025-01-05", "amount": "9.00", "currency": "USD"},
    {"type": "return", "id": "r3", "account": "bob", "at": "2025-01-06", "purchase": "p4"},
    {"type": "return", "id": "r4", "account": "bob", "at": "2025-01-06", "purchase": "p3", "purchase_source": "web"},
    {"type": "purchase", "id": "p5", "account": "cid", "at": "2025-01-07", "amount": "3.00", "channel": "a\u0000b"},
    {"type": "purchase", "id": "p6", "account": "cid", "at": "2025-01-07", "amount": "4.00", "store": "a\u001fb"},
    {"type": "purchase.cancelled", "id": "c1", "account": "cid", "at": "2025-01-08", "purchase": "p5"},
    {"type": "purchase", "id": "p7", "account": "cid", "at": "2025-01-09", "amount": "3.00",
     "exchange": {"purchase": "p6"}, "tenders": [{"kind": "exchange", "amount": "3.00"}]},
    {"type": "account.merged", "id": "m", "account": "cid", "at": "2025-02-01", "to": "ann"},
    {"type": "return", "id": "r5", "account": "cid", "at": "2025-02-02", "purchase": "p7"},
]  # fmt: skip
"""Every kind of sale, and every way in which one may be told."""


@pytest.fixture(params=["here", "in processes"])
def where(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Read a small table as it is read, or as a large one is: by processes, in many parts."""
    if request.param != "here":
        _as_large(monkeypatch)
    return str(request.param)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary files go."""
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place


def _as_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sale_columns, "FEW_ROWS", 0)
    monkeypatch.setattr(sale_columns, "ROWS_AT_ONCE", 3)


def _sorted(past: History) -> pl.DataFrame:
    found = past.frames.history
    assert isinstance(found, pl.LazyFrame)
    frame = found.collect()
    return frame.sort(frame.columns)


def _same(engine: Engine, until: int = NOW, currency: str = "") -> History:
    """Check that the table tells what the journal tells, and return that."""
    table = read_frames(engine, until, {"history"}, currency=currency)
    journal = read_frames(engine, until, {"history", "lines"}, currency=currency)
    assert (table.rows, table.left_out) == (journal.rows, journal.left_out)
    assert_frame_equal(_sorted(table), _sorted(journal))
    return table


def _sql(url: str, *statements: str) -> None:
    database = create_engine(url)
    with database.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    database.dispose()


@pytest.mark.usefixtures("where")
def test_the_table_says_what_the_journal_says(any_db: str) -> None:
    with opened(any_db) as engine:
        tell(engine, *SCRIPT)
        for until in ("2025-01-01", "2025-01-05", "2025-02-01", "2025-06-01"):
            _same(engine, AT(until))
        assert _same(engine).left_out == 2
        assert _same(engine, currency="USD").rows == 2
        assert verify(engine).ok
        with engine.store.reader() as session:
            assert session.rows("SELECT count(*) FROM sale") == [(14,)]  # type: ignore[attr-defined]


@examples(15)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(REFS),
            st.one_of(
                purchases().map(lambda said: {"type": "purchase", **said}),
                st.fixed_dictionaries(
                    {"type": st.just("return")},
                    optional={
                        "purchase": st.integers(0, 12).map(lambda number: f"e{number}"),
                        "purchase_source": st.sampled_from(["default", "web"]),
                        "amount": MONEY,
                        "currency": st.sampled_from(["EUR", "USD"]),
                    },
                ),
                st.integers(0, 12).map(lambda number: {"type": "purchase.cancelled", "purchase": f"e{number}"}),
                st.sampled_from(REFS).map(lambda ref: {"type": "account.merged", "to": ref}),
            ),
        ),
        max_size=25,
    )
)
def test_whatever_happens_the_table_says_what_the_journal_says(
    tmp_path_factory: pytest.TempPathFactory, told: list[tuple[str, dict[str, Any]]]
) -> None:
    with opened(f"sqlite:///{tmp_path_factory.mktemp('db') / 'l.db'}") as engine:
        engine.process(
            [
                {"id": f"e{number}", "account": ref, "at": f"2025-02-{number + 1:02}", **event}
                for number, (ref, event) in enumerate(told)
            ]
        )
        _same(engine)
        _same(engine, AT("2025-02-12"), "USD")


@pytest.mark.usefixtures("where")
def test_sales_that_are_older_than_the_table_are_told_by_the_journal(any_db: str) -> None:
    with opened(any_db) as engine:
        tell(engine, *SCRIPT[:-4])
        before = _sorted(_same(engine))
    _sql(any_db, "DROP TABLE sale", "UPDATE alembic_version SET version_num = '0005'")
    open_store(any_db, create=True).close()
    with opened(any_db) as engine:
        assert_frame_equal(_sorted(_same(engine)), before)
        assert verify(engine).ok
        engine.process([{"id": f"e{number}", **event} for number, event in enumerate(SCRIPT)])
        assert len(_sorted(_same(engine))) > len(before)
        _same(engine, AT("2025-01-03"))
        assert verify(engine).ok


def test_a_frame_reads_only_what_is_asked_for_as_often_as_somebody_asks(
    sqlite_db: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _as_large(monkeypatch)
    with opened(sqlite_db) as engine:
        tell(engine, *SCRIPT)
        past = _same(engine)
        whole = _sorted(past)
        history = past.frames.history
        assert isinstance(history, pl.LazyFrame)
        assert history.select(pl.len()).collect().item() == len(whole) == past.rows
        assert history.select("store", "account").collect().columns == ["store", "account"]
        assert len(history.head(2).collect()) == 2
        back = history.filter((pl.col("kind") == "return") & (pl.col("amount") > 200)).collect(engine="streaming")
        assert_frame_equal(
            back.sort(back.columns), whole.filter((pl.col("kind") == "return") & (pl.col("amount") > 200))
        )
        assert history.filter(pl.col("account") == "nobody").collect().is_empty()
        assert "adbc_driver_sqlite" not in sys.modules, "another copy of SQLite drops the locks of this one"
        assert list(folder.iterdir())
    del past, history
    assert list(folder.iterdir()) == []


def test_what_is_looked_at_in_a_span_of_time(sqlite_db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A condition names a column twice, and in a ledger of one currency `foreign` is the same in all rows."""
    _as_large(monkeypatch)
    with opened(sqlite_db) as engine:
        tell(engine, *SCRIPT[:5])
        whole = _sorted(_same(engine))
        history = told_sales(engine, NOW, "EUR").sales
        assert history.select("foreign").collect().height == len(whole)
        start, end = (pl.lit(AT(day)).cast(pl.Datetime("us", "UTC")) for day in ("2025-01-02", "2025-01-04"))
        within = pl.col("at").is_between(start, end) & (pl.col("at") < end)
        found = history.filter(within).drop("foreign").collect()
        assert_frame_equal(found.sort(found.columns), whole.filter(within))
        assert len(found) == 3
        spent = history.filter(pl.col("at") >= start).filter(pl.col("at") < end).select(pl.len())
        assert spent.collect().item() == 3


def test_what_a_killed_process_left_is_taken_out_by_the_next_one(
    sqlite_db: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be gigabytes; what somebody still reads, or is just about to, stays."""
    _as_large(monkeypatch)
    long_ago, places = time.time() - 3_600, {}
    for name in ("stampbook-sales-left", "stampbook-sales-held", "stampbook-sales-new", "stampbook-other"):
        places[name] = folder / name
        places[name].mkdir()
        (places[name] / "0-1.arrow").write_bytes(b"x")
        if not name.endswith("new"):
            os.utime(places[name], (long_ago, long_ago))
    held = os.open(places["stampbook-sales-held"], os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        with opened(sqlite_db) as engine:
            tell(engine, *SCRIPT)
            past = _same(engine)
            mine = [path for path in folder.iterdir() if path not in places.values()]
            os.utime(mine[0], (long_ago, long_ago))
            again = _same(engine)
            assert len(_sorted(past)) == len(_sorted(again)) == past.rows
        del past, again
    finally:
        os.close(held)
    assert sorted(path.name for path in folder.iterdir()) == sorted({*places} - {"stampbook-sales-left"})


def test_a_ledger_without_sales(any_db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _as_large(monkeypatch)
    with opened(any_db) as engine:
        assert _same(engine).rows == 0
        tell(engine, {"type": "account.opened", "account": "ann", "at": "2025-01-01"})
        assert _same(engine).rows == 0


@pytest.mark.parametrize("beside", [False, True])
def test_a_file_that_may_not_be_written_to(sqlite_db: str, monkeypatch: pytest.MonkeyPatch, *, beside: bool) -> None:
    """What was committed last may lie beside it; both is made by how the file is opened, which binds root too."""
    _as_large(monkeypatch)
    with opened(sqlite_db) as engine:
        tell(engine, *SCRIPT)
        expected = _sorted(_same(engine))
        if not beside:
            engine.close()
        with Engine.open(sqlite_db, clock=lambda: NOW) as reading:
            if not beside:
                with closing(sqlite3.connect(sqlite_db.removeprefix("sqlite:///"))) as connection:
                    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            monkeypatch.setattr(reading.store, "_mode", READ_ONLY)
            assert_frame_equal(_sorted(_same(reading)), expected)
            assert reading.store.address.endswith("immutable=1") != beside  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("changed", "value", "said"),
    [
        ("_BEGIN", "import os; os.kill(os.getpid(), 9)", "the process that reads it ended unexpectedly; try again"),
        ("_BEGIN", "print('hello')", "the process that reads it ended unexpectedly; try again"),
        ("_BEGIN", "pass", "the process that reads it ended unexpectedly; try again"),
        ("READ_ONLY", "mode=ro&vfs=none", "failed to open"),
    ],
)
def test_a_process_that_cannot_read_is_one_clear_line(
    sqlite_db: str, folder: Path, monkeypatch: pytest.MonkeyPatch, changed: str, value: str, said: str
) -> None:
    _as_large(monkeypatch)
    with opened(sqlite_db) as engine:
        tell(engine, *SCRIPT)
        monkeypatch.setattr(sale_columns, changed, value)
        with pytest.raises(StoreError, match=said) as caught:
            read_frames(engine, NOW, ())
        assert str(caught.value).startswith("the database cannot be read by column: ")
        assert "\n" not in str(caught.value)
    del caught
    assert list(folder.iterdir()) == []


def test_one_is_told_how_many_were_read(sqlite_db: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _as_large(monkeypatch)
    told: list[int] = []
    with opened(sqlite_db, PROGRAM) as engine:
        tell(engine, *SCRIPT)
        read_frames(engine, NOW, (), on_progress=told.append)
    assert told == sorted(told)
    assert told[-1] == 14
    assert len(told) > 3
