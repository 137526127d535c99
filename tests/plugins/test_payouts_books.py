"""Interest that is paid with a refund stands in every journal, so that the books tie to what was paid out."""

from __future__ import annotations

import csv
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from shutil import which
from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from stampbook import Engine
from stampbook.verifying import verify
from tests.cli.shop import run
from tests.plugins.payouts import RATES, program

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXT = program("cn-2025", more=RATES) + '[[plugin]]\nuse = "liability"\n'


@pytest.fixture
def shop(any_db: str) -> str:
    """A shop that paid 500.00 and 1.27 of interest to one customer, and 1000.00 without any to another."""

    def event(what: str, name: str, at: str, account: str = "a", **more: Any) -> dict[str, Any]:
        return {"type": what, "id": name, "source": "till", "account": account, "at": at, **more}

    events = [
        event("topup", "t", "2025-05-10T10:00", amount="1000"),
        event("adjust", "g", "2025-05-10T10:00", amount="200", kind="bonus", reason="on top"),
        event("spend", "s", "2025-05-11T10:00", amount="600"),
        event("topup", "u", "2025-05-11T10:00", "b", amount="1000"),
        event("refund.requested", "r", "2025-09-01", cause="operator", rescinded_at="2025-08-02"),
        event("refund.requested", "q", "2025-09-01", "b"),
        event("refund.approved", "ra", "2025-09-02", about="r"),
        event("refund.approved", "qa", "2025-09-02", "b", about="q"),
        event("refund.paid", "rp", "2025-09-03", about="r"),
        event("refund.paid", "qp", "2025-09-03", "b", about="q"),
    ]
    with Engine.open(any_db, create=True) as engine:
        engine.put_text_in_force(TEXT)
        assert all(engine.post(each).accepted for each in events)
        assert not verify(engine).findings
    return any_db


def rows(path: Path) -> Iterator[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        yield from csv.DictReader(stream)


def export(db: str, kind: str, path: Path, *more: str) -> Path:
    run("--db", db, "export", kind, "--output", str(path), *more)
    return path


PAID = Decimal("1501.27")


def test_a_table_of_postings_comes_to_what_was_paid_out(shop: str, tmp_path: Path) -> None:
    told = list(rows(export(shop, "csv", tmp_path / "ledger.csv")))
    assert sum(Decimal(row["amount"]) for row in told if row["to"] == "refunds") == PAID
    [interest] = [row for row in told if row["from"] == "interest"]
    assert (interest["event"], interest["amount"], interest["rule"]) == ("rp", "1.27", "payouts.interest")
    frame = pl.read_parquet(export(shop, "parquet", tmp_path / "ledger.parquet"))
    assert frame.filter(pl.col("to") == "refunds")["units"].sum() == 150_127


@pytest.mark.parametrize("since", [(), ("--since", "2025-09-02")])
def test_the_real_tools_accept_the_journals(shop: str, tmp_path: Path, since: tuple[str, ...]) -> None:
    bean = export(shop, "beancount", tmp_path / "books.beancount", *since)
    assert "  Expenses:Interest  1.27 CNY" in bean.read_text(encoding="utf-8")
    checker = Path(sys.executable).parent / "bean-check"
    checked = subprocess.run([checker, bean], check=False, capture_output=True, text=True)
    assert not checked.returncode, checked.stdout + checked.stderr
    book = export(shop, "hledger", tmp_path / "books.journal", *since)
    assert "    Expenses:Interest  1.27 CNY" in book.read_text(encoding="utf-8")
    if which("hledger") is None:
        pytest.skip("hledger is not installed")
    command = ["hledger", "-f", str(book), "check", "-s", "ordereddates", "assertions"]
    checked = subprocess.run(command, check=False, capture_output=True, text=True)
    assert not checked.returncode, checked.stdout + checked.stderr


def test_the_journal_of_the_finance_system_has_it_too(shop: str, tmp_path: Path) -> None:
    path = tmp_path / "entries.csv"

    def entries(*more: str) -> list[dict[str, str]]:
        period = ("--since", "2025-01-01", "--until", "2025-09-03")
        run("--db", shop, "liability", "journal", "csv", *period, "--output", str(path), *more)
        return list(rows(path))

    refunds = "Equity:Books:Refunds"
    told = entries()
    assert sum(Decimal(row["amount"]) for row in told if row["credit"] == refunds) == PAID
    [interest] = [row for row in told if row["what"] == "interest"]
    assert (interest["date"], interest["debit"], interest["amount"]) == ("2025-09-03", "Expenses:Interest", "1.27")
    assert not [row for row in entries("--known-at", "2025-09-03") if row["what"] == "interest"]
    bean = tmp_path / "entries.beancount"
    period = ("--since", "2025-09-01", "--until", "2025-09-30")
    run("--db", shop, "liability", "journal", "beancount", *period, "--output", str(bean))
    checker = Path(sys.executable).parent / "bean-check"
    checked = subprocess.run([checker, bean], check=False, capture_output=True, text=True)
    assert not checked.returncode, checked.stdout + checked.stderr


def test_what_is_imported_again_from_an_export_is_the_same_ledger(shop: str, tmp_path: Path) -> None:
    lines = export(shop, "jsonl", tmp_path / "ledger.jsonl").read_text(encoding="utf-8")
    assert '"interest"' not in lines.replace('"_interest"', "")
