"""Histories that others wrote: what they must not say is told in one line, and nothing is kept."""

from __future__ import annotations

import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from stampbook import Engine
from tests.cli.shop import data, one_line, run

DATA = Path(__file__).parents[1] / "data"
PROGRAM = """
[program]
name = "Segments"
currency = "EUR"
open_accounts = "on first event"
[[plugin]]
use = "rfm"
"""
COLUMNS: dict[str, pl.DataType | type[pl.DataType]] = {
    "account": pl.String,
    "at": pl.Datetime("us", "UTC"),
    "kind": pl.String,
    "amount": pl.Int64,
    "event": pl.String,
    "about": pl.String,
}
WHOLE: list[tuple[Any, ...]] = [
    ("c01", datetime(2025, 1, 1, tzinfo=UTC), "purchase", 100, "e1", None),
    ("c01", datetime(2025, 1, 2, tzinfo=UTC), "purchase", 200, "e2", None),
    ("c02", datetime(2025, 1, 2, tzinfo=UTC), "purchase", 300, "e2", None),
    ("c01", datetime(2025, 1, 3, tzinfo=UTC), "return", 50, "r", "e1"),
    ("c01", datetime(2025, 1, 3, tzinfo=UTC), "return", 50, "r", "e1"),
]
RUN = ("segments", "run", "--at", "2025-05-31", "--history")


@pytest.fixture
def books(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STAMPBOOK_DB", raising=False)
    with Engine.open("sqlite:///stampbook.db", create=True) as engine:
        engine.put_text_in_force(PROGRAM)
        for ref in ("c01", "c02"):
            engine.post({"type": "account.opened", "id": ref, "account": ref, "at": "2025-01-01"})
    return tmp_path


def frame(*more: tuple[Any, ...]) -> pl.DataFrame:
    return pl.DataFrame([*WHOLE, *more], schema=COLUMNS, orient="row")


def bad(**wrong: Any) -> tuple[Any, ...]:
    good = dict(zip(COLUMNS, ("c03", datetime(2025, 2, 1, tzinfo=UTC), "purchase", 1, "e9", None), strict=True))
    return tuple({**good, **wrong}.values())


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (bad(amount=-500), "1 row has an amount below zero: what comes back is a return"),
        (bad(amount=None), "1 row has no amount (account c03, event e9, at 2025-02-01"),
        (bad(kind="sale"), "1 row has a kind that is neither purchase nor return"),
        (bad(kind=None), "1 row has a kind that is neither"),
        (bad(account=None), "1 row has no account (event e9"),
        (bad(account=""), "1 row has no account"),
        (bad(at=None), "1 row has no time (account c03, event e9)"),
        (WHOLE[0], "account c01 has 2 purchases with the event id e1; each has its own"),
    ],
)
def test_a_row_that_breaks_a_promise_is_named_and_nothing_is_kept(books: Path, row: tuple[Any, ...], said: str) -> None:
    frame(row).write_parquet(books / "other.parquet")
    assert f"history: {said}" in one_line(*RUN, "other.parquet")
    assert data("segments", "runs") == []


def test_what_keeps_its_promises_is_taken_in_any_zone_and_unit(books: Path) -> None:
    frame().write_parquet(books / "utc.parquet")
    at = pl.col("at")
    frame().with_columns(at.dt.convert_time_zone("Asia/Shanghai").dt.cast_time_unit("ms")).write_parquet("zone.parquet")
    said = [data(*RUN, name)[0] for name in ("utc.parquet", "zone.parquet")]
    assert [(each["rows"], each["accounts"]) for each in said] == [(5, 2)] * 2
    assert said[0]["segments"] == said[1]["segments"]


def test_notes_of_a_writer_beside_its_files_are_passed_over(books: Path) -> None:
    folder = books / "history"
    folder.mkdir()
    (folder / "_SUCCESS").touch()
    assert one_line(*RUN, "history") == "Error: history: a folder without Parquet files"
    frame().write_parquet(folder / "part-0.parquet")
    assert data(*RUN, "history")[0]["rows"] == 5


@pytest.mark.parametrize("content", [b"", b"hello", b"PAR1" + b"\xff" * 60 + b"PAR1", None])
def test_what_is_no_parquet_is_said_in_one_line(books: Path, content: bytes | None) -> None:
    path = books / "other.parquet"
    frame().write_parquet(path)
    path.write_bytes(path.read_bytes()[:-9] if content is None else content)
    assert one_line(*RUN, "other.parquet").startswith("Error: other.parquet cannot be read as Parquet: ")


@pytest.mark.parametrize("arguments", [RUN, ("import",)])
def test_a_file_that_ends_what_reads_it_ends_no_ledger(books: Path, arguments: tuple[str, ...]) -> None:
    shutil.copy(DATA / "ends_what_reads_it.parquet", books / "other.parquet")
    command = [str(Path(sys.executable).with_name("stampbook")), *arguments, "other.parquet"]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    assert made.returncode == 1, made.stderr[-300:]
    assert "other.parquet" in made.stderr
    assert len(made.stderr.splitlines()) == 1
    assert run("segments", "runs").stdout.startswith("No segments were made yet")
