"""`segments report` on a real ledger: what it writes, that it keeps nothing, and what it says when it cannot."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

import polars as pl

from tests.cli.shop import data, one_line, run

if TYPE_CHECKING:
    from pathlib import Path

ASKED = ("segments", "report", "--at", "2025-04-30", "--from", "2025-03-10")


def test_a_report_of_a_ledger_keeps_nothing(shop: Path) -> None:
    before = (shop / "stampbook.db").read_bytes()
    said = data(*ASKED, "--html", "report.html")
    text = (shop / "report.html").read_text(encoding="utf-8")
    assert "<h1>Segments of Corner Coffee Card</h1>" in text
    assert said["at"].startswith("2025-04-30T23:59:59")
    assert said["from"].startswith("2025-03-10T23:59:59")
    assert set(said["left_out"]) == {
        "Lifecycle over time",
        "Lifetime value: predicted and actual",
        "Churn: how well it is foretold",
    }
    assert (shop / "stampbook.db").read_bytes() == before
    run(*ASKED, "--html", "again.html")
    assert (shop / "again.html").read_text(encoding="utf-8") == text


def test_tables_say_what_segments_run_says(shop: Path) -> None:
    run(*ASKED, "--tables", "tables")
    ran = data("segments", "run", "--at", "2025-04-30")[0]["segments"]
    with (shop / "tables" / "segments_rfm.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["segment"], int(row["accounts"]), row["revenue"]) for row in rows] == [
        (row["segment"], row["accounts"], row["revenue"]) for row in ran
    ]
    run(*ASKED, "--tables", "tables", "--table-format", "parquet")
    units = pl.read_parquet(shop / "tables" / "segments_rfm.parquet")
    assert units["revenue_units"].dtype == pl.Int64
    assert [f"{value / 100:.2f}" for value in units["revenue_units"]] == [row["revenue"] for row in rows]
    moved = pl.read_parquet(shop / "tables" / "moved.parquet")
    assert moved.columns == ["account", "before", "after", "revenue_units"]


def test_pictures_are_written_as_svg_and_png(shop: Path) -> None:
    said = data(*ASKED, "--pictures", "a/b")
    assert {path.name for path in (shop / "a" / "b").iterdir()} == {
        path.rpartition("/")[2] for path in said["pictures"]
    }
    drawn = (shop / "a" / "b" / "recency_frequency.svg").read_text(encoding="utf-8")
    assert drawn.startswith("<svg ")
    assert "currentColor" not in drawn
    assert "<text" in drawn
    run(*ASKED, "--pictures", "a/b", "--picture-format", "png")
    assert (shop / "a" / "b" / "recency_frequency.png").read_bytes().startswith(b"\x89PNG")


def test_what_cannot_be_made_is_said_in_one_line(shop: Path) -> None:
    assert "did you mean 'rfm'?" in one_line(*ASKED, "--html", "r.html", "--scheme", "rmf")
    assert "2025-05-01 comes after 2025-04-30" in one_line(
        "segments", "report", "--html", "r.html", "--at", "2025-04-30", "--from", "2025-05-01"
    )
    assert "there is no such folder" in one_line(*ASKED, "--html", "nowhere/r.html")
    (shop / "file").write_text("", encoding="utf-8")
    assert "file/x was not written" in one_line(*ASKED, "--tables", "file/x")
    assert "name what is to be written" in run(*ASKED, code=2).stderr
    assert not (shop / "r.html").exists()
