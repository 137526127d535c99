"""What passes cost and what is paid out for them stands in every journal, to the cent."""

from __future__ import annotations

import csv
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from shutil import which
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stampbook import Engine
from stampbook.verifying import verify
from tests.cli.shop import run
from tests.effort import examples
from tests.plugins.payouts import RATES, program

TEXT = program("cn-2025", more=RATES) + '[[plugin]]\nuse = "liability"\n'


def event(what: str, id_: str, at: str, account: str = "a", **more: Any) -> dict[str, Any]:
    return {"type": what, "id": id_, "source": "till", "account": account, "at": at, **more}


EVENTS = [
    event("pass.sold", "gym", "2025-06-01", name="a year", price="3650.00", until="2026-05-31"),
    event("pass.sold", "yoga", "2025-06-02", "b", name="144 classes", price="46080.00", sessions=144),
    event("spend", "s", "2025-07-01T10:00", "b", asset="sessions", amount="78"),
    event("topup", "t", "2025-07-01T10:00", "c", amount="100"),
    event("refund.requested", "r", "2025-09-09", about="gym", cause="operator", rescinded_at="2025-09-09"),
    event("refund.approved", "ra", "2025-09-09", about="r"),
    event("refund.paid", "rp", "2025-09-10", about="r"),
    event("refund.requested", "q", "2025-10-09", "b", about="yoga", cause="operator", rescinded_at="2025-09-09"),
    event("refund.approved", "qa", "2025-10-09", "b", about="q"),
    event("refund.paid", "qp", "2025-10-10", "b", about="q"),
]


@pytest.fixture
def shop(any_db: str) -> str:
    """A shop that paid out the rest of a year's pass, and of a pack of sessions with interest."""
    with Engine.open(any_db, create=True) as engine:
        engine.put_text_in_force(TEXT)
        outcomes = [engine.post(each) for each in EVENTS]
        assert all(each.accepted for each in outcomes), [each.objections for each in outcomes]
        assert outcomes[6].memo["remembered"]["refund"] == "2650.00 CNY"
        assert outcomes[9].memo["remembered"]["refund"] == "21172.08 CNY", "21120.00 and 52.08 of interest"
        assert not verify(engine).findings
    return any_db


def export(db: str, kind: str, path: Path, *more: str) -> Path:
    run("--db", db, "export", kind, "--output", str(path), *more)
    return path


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def sums(told: list[dict[str, str]]) -> dict[str, Decimal]:
    """Return by book what came to it in money less what left it."""
    found: dict[str, Decimal] = {}
    for row in told:
        for book, sign in ((row["from"], -1), (row["to"], 1)):
            if row["asset"] == "CNY":
                found[book] = found.get(book, Decimal(0)) + sign * Decimal(row["amount"])
    return found


def test_a_table_of_postings_ties_to_what_was_paid_out_and_delivered(shop: str, tmp_path: Path) -> None:
    told = sums(rows(export(shop, "csv", tmp_path / "ledger.csv")))
    assert told["refunds"] == Decimal("2650.00") + Decimal("21172.08")
    assert told["passes"] == 0, "nothing is owed of them any more"
    assert told["sales"] == Decimal("1000.00") + Decimal("24960.00"), "100 days, and 78 classes at 320.00"
    assert told["interest"] == Decimal("-52.08")
    assert told["cash"] == -Decimal("49830.00")


@pytest.mark.parametrize("since", [(), ("--since", "2025-09-10")])
def test_the_real_tools_accept_the_journals(shop: str, tmp_path: Path, since: tuple[str, ...]) -> None:
    bean = export(shop, "beancount", tmp_path / "books.beancount", *since)
    text = bean.read_text(encoding="utf-8")
    assert "  Liabilities:Passes  2650.00 CNY" in text
    assert "  Liabilities:Passes  21120.00 CNY" in text
    assert ("2025-06-01 * " in text) == (not since), "the sale of a pass begins the journal"
    checked = subprocess.run(
        [Path(sys.executable).parent / "bean-check", bean], check=False, capture_output=True, text=True
    )
    assert not checked.returncode, checked.stdout + checked.stderr
    book = export(shop, "hledger", tmp_path / "books.journal", *since)
    if which("hledger") is None:
        pytest.skip("hledger is not installed")
    command = ["hledger", "-f", str(book), "check", "-s", "ordereddates", "assertions"]
    checked = subprocess.run(command, check=False, capture_output=True, text=True)
    assert not checked.returncode, checked.stdout + checked.stderr
    if not since:
        command = ["hledger", "-f", str(book), "balance", "-N", "Liabilities:Passes"]
        assert subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip() in {"", "0"}


def test_the_journal_of_the_finance_system_has_them_too(shop: str, tmp_path: Path) -> None:
    path = tmp_path / "entries.csv"
    period = ("--since", "2025-01-01", "--until", "2025-12-31")
    run("--db", shop, "liability", "journal", "csv", *period, "--output", str(path))
    told = [row for row in rows(path) if row["asset"] == "CNY"]
    passes = sum(
        Decimal(row["amount"]) * ((row["credit"] == "Liabilities:Passes") - (row["debit"] == "Liabilities:Passes"))
        for row in told
    )
    assert passes == 0
    paid = sum(Decimal(row["amount"]) for row in told if row["credit"] == "Equity:Books:Refunds")
    assert paid == Decimal("23822.08")
    bean = tmp_path / "entries.beancount"
    run("--db", shop, "liability", "journal", "beancount", *period, "--output", str(bean))
    checked = subprocess.run(
        [Path(sys.executable).parent / "bean-check", bean], check=False, capture_output=True, text=True
    )
    assert not checked.returncode, checked.stdout + checked.stderr


@examples(10, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 9_999_99), st.integers(1, 40), st.integers(0, 45), st.booleans()), max_size=4))
def test_every_cent_of_a_pass_is_owed_paid_out_or_delivered(passes: list[tuple[int, int, int, bool]]) -> None:
    events: list[dict[str, Any]] = []
    price_of_all = kept = 0
    with TemporaryDirectory() as folder:
        db = f"sqlite:///{folder}/books.db"
        with Engine.open(db, create=True) as engine:
            engine.put_text_in_force(TEXT)
            paid = Decimal(0)
            for place, (price, sessions, used, refunded) in enumerate(passes):
                ref, about = f"c{place}", f"p{place}"
                price_of_all += price
                told = {"price": f"{price / 100:.2f}", "sessions": sessions, "name": "a pack"}
                events = [event("pass.sold", about, "2025-06-02", ref, **told)]
                if used:
                    events.append(event("spend", f"s{place}", "2025-06-03", ref, asset="sessions", amount=str(used)))
                if refunded:
                    asked = {"about": about, "cause": "operator", "rescinded_at": "2025-07-02"}
                    events.append(event("refund.requested", f"r{place}", "2025-08-02", ref, **asked))
                    events.append(event("refund.approved", f"a{place}", "2025-08-03", ref, about=f"r{place}"))
                    events.append(event("refund.paid", f"x{place}", "2025-08-04", ref, about=f"r{place}"))
                *_, last = [engine.post(each) for each in events]
                if refunded and last.accepted:
                    paid += Decimal(last.memo["remembered"]["_result"])
                else:
                    kept += price
            assert not verify(engine).findings
        told_ = sums(rows(export(db, "csv", Path(folder) / "ledger.csv")))
    assert told_.get("refunds", 0) == paid
    assert told_.get("passes", 0) * 100 == kept
    assert -told_.get("cash", Decimal(0)) * 100 == price_of_all
    assert sum(told_.values()) == 0
