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


def test_an_export_and_the_ledger_count_together_and_what_both_tell_once(books: Path) -> None:
    with Engine.open("sqlite:///stampbook.db") as engine:
        bought = {"type": "purchase", "account": "c01", "at": "2025-01-02", "amount": "2.00"}
        engine.process([{**bought, "id": "e2"}, {**bought, "id": "e3", "at": "2025-02-02", "amount": "4.00"}])
        engine.process([{**bought, "id": "e4", "at": "2025-03-02", "amount": "8.00", "currency": "EUR"}])
    late = ("c02", datetime(2026, 1, 1, tzinfo=UTC), "purchase", 9_99, "e7", None)
    frame(bad(account="stranger"), late).with_columns(pl.col("at").dt.cast_time_unit("ns")).write_parquet("old.parquet")
    for more in ((), ("--archive", "kept"), ("--archive", "kept")):
        [both] = data("segments", "run", "--at", "2025-05-31", "--history", "old.parquet", "--with-ledger", *more)
        # Of the export e1 with two returns, e2 of c02, and the stranger; of the ledger e2, e3 and e4.
        assert (both["rows"], both["accounts"]) == (8, 3)
        told = {row["account"]: row for row in both_scores()}
        assert (told["c01"]["frequency"], told["c01"]["monetary"]) == (3, 2_00 + 4_00 + 8_00)
        assert (told["c02"]["frequency"], told["c02"]["monetary"]) == (1, 3_00)
    [why] = data("segments", "explain", "c01")
    assert "F=4: 3 orders" in why["reasons"][0]
    [alone] = data("segments", "run", "--at", "2025-05-31")
    assert (alone["new"], alone["rows"]) == (True, 3)
    said = one_line("segments", "run", "--with-ledger")
    assert "--with-ledger adds the ledger to what --history names" in said


def both_scores() -> list[dict[str, Any]]:
    [shown] = data("segments", "show")
    return [row for name in shown["segments"] for row in data("segments", "show", "--segment", name)["first"]]


def test_a_return_here_is_of_what_the_other_system_sold_also_after_a_merger(books: Path) -> None:
    program = PROGRAM.replace("open_accounts", 'unknown_returns = "accept"\nopen_accounts')
    with Engine.open("sqlite:///stampbook.db") as engine:
        engine.put_text_in_force(
            f'{program}[[plugin]]\nuse = "merging"\n[[plugin]]\nuse = "refunds"\n', effective_from=0
        )
        back = {"type": "return", "id": "r1", "account": "c02", "at": "2025-02-01", "purchase": "e8", "amount": "1.00"}
        merged = {"type": "account.merged", "id": "m", "account": "c02", "to": "c01", "at": "2025-03-01"}
        assert [outcome.accepted for outcome in engine.process([back, merged])] == [True, True]
    only = frame(bad(account="c02", event="e8", amount=500)).filter(pl.col("amount") != 300)  # an id of both
    only.write_parquet(books / "old.parquet")
    [before] = data("segments", "run", "--at", "2025-02-20", "--history", "old.parquet", "--with-ledger")
    assert (before["accounts"], before["rows"]) == (2, 6)
    run("segments", "run", "--at", "2025-05-31", "--history", "old.parquet", "--with-ledger")
    [row] = both_scores()
    assert (row["account"], row["frequency"], row["monetary"]) == ("c01", 2, 2_00 + 4_00)


def test_frames_that_no_scheme_looks_at_are_not_looked_at(books: Path) -> None:
    for name in ("history", "activity"):
        (books / "all" / name).mkdir(parents=True)
    frame().write_parquet(books / "all" / "history" / "1.parquet")
    (books / "all" / "activity" / "1.parquet").write_bytes(b"no Parquet")
    assert data(*RUN, "all")[0]["rows"] == 5
