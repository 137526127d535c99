"""What the schemes with models found out is printed with every run: fits, holdouts, back-tests and warnings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stampbook import Engine
from tests.cli.shop import data, run
from tests.plugins.test_clv import cdnow

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """
[program]
name = "Models"
currency = "EUR"
open_accounts = "on first event"
[assets.points]
[[plugin]]
use = "clv"
holdout_days = 180
[[plugin]]
use = "churn"
"""


@pytest.fixture
def books(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STAMPBOOK_DB", raising=False)
    with Engine.open("sqlite:///stampbook.db", create=True) as engine:
        engine.put_text_in_force(PROGRAM)
        for number in range(3):
            who = {"id": str(number), "account": f"c{number}"}
            engine.post({"type": "purchase", **who, "at": "2025-01-01", "amount": "5.00"})
    return tmp_path


def test_fits_holdout_and_back_test_are_printed_with_the_run(books: Path) -> None:
    cdnow().sink_parquet("cdnow.parquet")
    said = run("segments", "run", "--at", "1998-06-30", "--history", "cdnow.parquet").output
    for part in (
        "None of them is an account of this ledger, so that nobody's segment is kept.",
        "bg_nbd: r 0.",
        "found from 4 of 4 starts",
        "gamma_gamma: p ",
        "correlation between how often and how much: ",
        "holdout of 180 days: ",
        "never came again; the BG/NBD takes them all for alive, so p_alive is left empty",
        "back-test of 90 days: ",
        " tells, with an AUC of 0.",
        "predicted to buy %",
    ):
        assert part in said
    clv, churn = data("segments", "run", "--at", "1998-06-30", "--history", "cdnow.parquet")
    assert clv["findings"]["fit"]["errors"]["r"] > 0
    assert {"model", "recency"} <= {each["name"] for each in churn["findings"]["backtest"]["scorers"]}


def test_why_nothing_can_be_told_is_printed_with_the_run_and_afterwards(books: Path) -> None:
    for words in (("run", "--at", "2025-02-01"), ("show",)):
        said = run("segments", *words).output
        assert "3 accounts are too few to fit a model to, 30 are needed" in said
        assert "there is no back-test: nothing is known of 90 days ago" in said
        assert "everybody is unknown" in said
    why = run("segments", "explain", "c0").output
    assert "unknown: the last purchase was 31 days ago" in why or "unknown: the last purchase was 32 days ago" in why
