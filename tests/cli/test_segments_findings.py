"""What `segments run` and `segments report` say of models on a real ledger, and of a ledger with little in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import polars as pl
import pytest

from stampbook import Engine
from stampbook.testing.histories import Market, events
from tests.cli.shop import data, run

if TYPE_CHECKING:
    from pathlib import Path

AT = ("--at", "2024-12-28")
RFM = """
[program]
name = "Models"
currency = "EUR"
open_accounts = "on first event"
unknown_returns = "accept"
[[plugin]]
use = "refunds"
[[plugin]]
use = "rfm"
"""
PROGRAM = f"""{RFM}
[[plugin]]
use = "abc"
[[plugin]]
use = "lifecycle"
[[plugin]]
use = "clv"
[[plugin]]
use = "churn"
"""


@pytest.fixture(scope="module")
def market(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("market")
    with Engine.open(f"sqlite:///{folder / 'stampbook.db'}", create=True) as engine:
        engine.put_text_in_force(PROGRAM)
        some = [event for event in events(Market(accounts=150, seed=3)) if event["type"] in {"purchase", "return"}]
        assert all(outcome.accepted for outcome in engine.process(some))
    return folder


@pytest.fixture
def books(market: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(market)
    monkeypatch.delenv("STAMPBOOK_DB", raising=False)
    return market


def test_a_run_says_how_well_it_foretold(books: Path) -> None:
    ran = {row["scheme"]: row for row in data("segments", "run", *AT)}
    said = run("segments", "run", *AT).stdout
    backtest = ran["churn"]["findings"]["backtest"]
    assert f"back-test of 90 days: {backtest['bought']} of {backtest['accounts']} accounts bought; " in said
    for scorer in backtest["scorers"]:
        row = next(line for line in said.splitlines() if line.startswith(f"{scorer['name']} "))
        assert f"{scorer['auc']:.3f}" in row
        assert f"{scorer['brier']:.3f}" in row
        assert row.endswith("yes") == scorer["chosen"]
    assert "predicted to buy %" in said
    holdout = ran["clv"]["findings"]["holdout"]
    assert f"{holdout['predicted']:.0f} purchases predicted, {holdout['actual']:.0f} made" in said


def test_a_report_draws_what_the_models_found(books: Path) -> None:
    ran = {row["scheme"]: row["findings"] for row in data("segments", "run", *AT)}
    said = data("segments", "report", *AT, "--html", "report.html", "--tables", "tables", "--table-format", "parquet")
    assert said["left_out"] == {}
    text = (books / "report.html").read_text(encoding="utf-8")
    for title in ("Purchases an account in the holdout", "Buyers found by the score", "Accounts foretold to buy"):
        assert text.count(f"<figcaption>{title}") == 1
    holdout = pl.read_parquet("tables/value_holdout.parquet")
    rows = ran["clv"]["holdout"]["by_frequency"]
    assert holdout["predicted"].to_list() == [row["predicted"] for row in rows]
    assert holdout["frequency"].to_list()[-1] == ("7+" if rows[-1]["frequency"] == 7 else str(rows[-1]["frequency"]))
    calibration = pl.read_parquet("tables/churn_calibration.parquet")
    assert calibration["actual"].to_list() == pytest.approx(
        [100 * row["actual"] for row in ran["churn"]["backtest"]["calibration"]]
    )
    fitted = pl.read_parquet("tables/value_parameters.parquet")
    assert set(fitted["of"]) <= {"purchases", "value"}
    assert fitted.height >= 4
    for warning in ran["clv"]["warnings"]:
        assert warning.split("(")[0].strip() in text


def test_a_program_that_was_not_in_force_yet_is_named(books: Path, tmp_path: Path) -> None:
    assert books.exists()
    with Engine.open(f"sqlite:///{tmp_path / 'young.db'}", create=True) as engine:
        engine.put_text_in_force(RFM)
        engine.put_text_in_force(PROGRAM, effective_from=engine.registry().context.calendar.parse("2025-01-01"))
        engine.post({"type": "purchase", "id": "1", "account": "a", "at": "2024-05-01", "amount": "1.00"})
    young = ("--db", str(tmp_path / "young.db"))
    for command in (("run", *AT), ("report", *AT, "--html", "young.html")):
        said = run("segments", *command, *young).stderr
        assert "It has no abc, lifecycle, clv, churn yet" in said
    assert run("segments", "run", *AT).stderr == ""


@pytest.mark.parametrize(
    ("event", "sections"),
    [
        (None, 1),
        ({"type": "purchase", "amount": "1234567.50"}, 6),
        ({"type": "purchase", "amount": "0.00"}, 5),
        ({"type": "return", "amount": "5.00"}, 5),
    ],
)
def test_a_ledger_with_little_in_it_is_told_in_sentences(
    event: dict[str, str] | None, sections: int, empty: Path
) -> None:
    with Engine.open(f"sqlite:///{empty / 'stampbook.db'}", create=True) as engine:
        engine.put_text_in_force(PROGRAM)
        if event is not None:
            assert engine.post({"id": "1", "account": "anna", "at": "2024-12-01", **event}).accepted
    said = run("segments", "report", *AT, "--html", "report.html", "--tables", "tables").stdout
    assert said.startswith(f"report.html: {sections} section")
    assert "tables: " in said
    text = (empty / "report.html").read_text(encoding="utf-8")
    assert text.count('class="missing"') == 8 - sections
    assert "nan" not in text.lower().replace("finance", "")
    ran = run("segments", "run", *AT).stdout
    assert ("Nobody has bought anything yet." in ran) == (event is None)
    assert ("1 account moved, 1 of them new." in ran) == (event is not None)
    if event is not None and len(event["amount"]) > 6:
        assert "1,234,567.50" in ran
        assert "1,234,567.50" in text
