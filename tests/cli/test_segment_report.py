"""`segments report` on a real ledger: what it writes, that it keeps nothing, and what it says when it cannot."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from importlib import import_module
from typing import TYPE_CHECKING

import polars as pl
import pytest

from tests.cli.shop import ROOT, data, one_line, run

if TYPE_CHECKING:
    from pathlib import Path

SHOP = ROOT / "examples" / "online_retail"
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
        "Lifetime value: predicted and made",
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
    assert "comes after 2025-04-30T23:59:59" in one_line(
        "segments", "report", "--html", "r.html", "--at", "2025-04-30", "--from", "2025-05-01"
    )
    assert "there is no such folder" in one_line(*ASKED, "--html", "nowhere/r.html")
    (shop / "file").write_text("", encoding="utf-8")
    assert "file/x was not written" in one_line(*ASKED, "--tables", "file/x")
    assert "name what is to be written" in run(*ASKED, code=2).stderr
    assert not (shop / "r.html").exists()


def test_without_the_extra_it_says_which(shop: Path) -> None:
    code = (
        "import sys; sys.modules['altair'] = None\n"
        f"sys.argv = ['stampbook', *{ASKED!r}, '--html', 'r.html']\n"
        "from stampbook.cli import main\n"
        "main()"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=shop, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr == "Error: pictures need the plots extra: pip install 'stampbook[plots]'\n"


def test_a_real_shop_is_counted_as_its_invoices_say(empty: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(SHOP))
    invoices = import_module("invoices")
    some = invoices.read().filter(pl.col("CustomerID") % 8 == 0)
    events = invoices.Invoices(redemptions=False).events(some)
    (empty / "events.jsonl").write_text("".join(f"{json.dumps(event)}\n" for event in events), encoding="utf-8")
    run("init")
    run("apply", str(ROOT / "config" / "online_retail.toml"))
    run("import", "events.jsonl")
    run(
        "segments",
        "report",
        "--at",
        "2011-12-31",
        "--html",
        "report.html",
        "--tables",
        ".",
        "--table-format",
        "parquet",
    )
    segments = pl.read_parquet("segments_rfm.parquet")
    bought = some.filter(~pl.col("InvoiceNo").str.starts_with("C"))
    assert segments["accounts"].sum() == some["CustomerID"].n_unique()
    assert segments["orders"].sum() == bought["InvoiceNo"].n_unique()
    revenue = (some["Quantity"] * some["UnitPrice"]).sum()
    assert segments["revenue_units"].sum() / 100 == pytest.approx(revenue, abs=1)  # each return is rounded by itself
    assert pl.read_parquet("pareto.parquet")["revenue_units"].sum() == segments["revenue_units"].sum()
    assert pl.read_parquet("recency_frequency.parquet")["accounts"].sum() == segments["accounts"].sum()
    cohorts = pl.read_parquet("cohorts.parquet").filter(pl.col("months") == 0)
    assert 0 < cohorts["accounts"].sum() <= bought["CustomerID"].n_unique()
    assert "Segments of Online Retail Points" in (empty / "report.html").read_text(encoding="utf-8")
