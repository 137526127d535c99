from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.cli.shop import data, one_line, run

if TYPE_CHECKING:
    from pathlib import Path


def test_an_import_ends_with_a_summary_and_keeps_what_was_refused(shop: Path) -> None:
    summary = data("import", "events.jsonl")
    counts = {name: summary[name] for name in ("read", "accepted", "refused", "malformed", "replayed")}
    assert counts == {"read": 5, "accepted": 3, "refused": 1, "malformed": 1, "replayed": 0}
    kept = [json.loads(line) for line in (shop / "events.jsonl.refused.jsonl").read_text("utf-8").splitlines()]
    assert [row["status"] for row in kept] == ["refused", "malformed"]
    assert kept[0]["reasons"][0]["code"] == "insufficient_balance"


def test_an_import_can_be_repeated(shop: Path) -> None:
    run("import", "events.jsonl", "--limit", "2")
    shown = run("import", "events.jsonl").stdout
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    assert lines[0].startswith("5 rows read in ")
    assert "1 accepted" in lines
    assert "2 posted before, not posted again" in lines
    assert lines[-1] == "Refused and malformed rows, with their reasons: events.jsonl.refused.jsonl"
    assert data("import", "events.jsonl")["replayed"] == 4


def test_a_mapping_reads_a_foreign_file(shop: Path) -> None:
    summary = data("import", "sales.csv", "--mapping", "sales.toml")
    assert (summary["accepted"], summary["skipped"]) == (2, 1)
    explained = data("explain", "9001", "--source", "oldtill")
    assert explained["words"] == "purchase of 4.50 EUR"
    assert explained["at"] == "2025-05-07T09:00:00+02:00"


def test_a_mistake_in_a_mapping_is_told_with_its_line(shop: Path) -> None:
    text = (shop / "sales.toml").read_text(encoding="utf-8")
    (shop / "bad.toml").write_text(text.replace('amount = { column = "Paid"', 'amont = { column = "Paid"'), "utf-8")
    said = one_line("import", "sales.csv", "--mapping", "bad.toml")
    assert said.startswith("Error: bad.toml:12: ")
    assert "did you mean 'amount'?" in said


def test_an_import_that_is_stopped_says_how_to_go_on(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("stampbook.importing.import_file", stopped)
    assert "the same command goes on from there" in one_line("import", "events.jsonl")


@pytest.mark.parametrize("kind", ["beancount", "hledger", "csv", "jsonl", "parquet"])
def test_books_are_exported(shop: Path, kind: str) -> None:
    answer = data("export", kind, "--output", f"books.{kind}")
    assert (shop / f"books.{kind}").stat().st_size > 0
    assert (answer["file"], answer["format"]) == (f"books.{kind}", kind)
    if kind != "parquet":
        assert run("export", kind).stdout == (shop / f"books.{kind}").read_text(encoding="utf-8")


def test_an_export_of_some_days(shop: Path) -> None:
    whole = run("export", "csv").stdout.splitlines()
    march = run("export", "csv", "--until", "2025-03-31").stdout.splitlines()
    april = run("export", "csv", "--since", "2025-04-01").stdout.splitlines()
    assert len(march) > 1
    assert len(april) > 1
    assert sorted([*march[1:], *april[1:]]) == sorted(whole[1:])


def test_json_of_an_export_needs_a_file(shop: Path) -> None:
    assert "--output" in one_line("export", "csv", "--json")


def test_an_export_makes_the_same_ledger_again(shop: Path) -> None:
    run("export", "jsonl", "--output", "books.jsonl")
    run("init", "--db", "again.db")
    told = run("import", "books.jsonl", "--as-recorded", "--db", "again.db").stdout
    assert "brought by time" in told
    assert "mapping" not in told
    assert data("verify", "--db", "again.db")["head"] == data("verify")["head"]


def test_the_commands_work_on_either_database(shop: Path, any_db: str) -> None:
    assert data("--db", any_db, "init", "--program", "my-program.toml")["program"] == "my-program.toml"
    run("--db", any_db, "import", "events.jsonl")
    run("--db", any_db, "topup", "1002", "50", "--id", "t")
    assert run("--db", any_db, "spend", "1002", "51", "--id", "s", code=2).stderr.startswith("Refused: ")
    assert data("--db", any_db, "account", "list")["accounts"][0]["available"]["EUR"] == "50.00"
    assert len(data("--db", any_db, "statement", "1002")["lines"]) >= 6
    assert data("--db", any_db, "explain", "new-1")["rules"][0]["granted"]["amount"] == "5"
    assert data("--db", any_db, "segments", "run", "--at", "2025-05-31")[0]["accounts"] == 1
    run("--db", any_db, "tick")
    assert data("--db", any_db, "verify")["ok"]
