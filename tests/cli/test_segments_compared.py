"""`segments compare`: two schemes, two programs and two kept runs side by side, with the revenue of those who move."""

from __future__ import annotations

import csv
from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from stampbook import Engine
from tests.cli.shop import data, one_line, run

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """
[program]
name = "Sides"
currency = "EUR"
open_accounts = "on first event"
unknown_returns = "accept"
[assets.CHF]
[[plugin]]
use = "rfm"
[[plugin]]
use = "abc"
[[plugin]]
use = "refunds"
"""
AT = ("--at", "2025-05-31")


@pytest.fixture
def books(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STAMPBOOK_DB", raising=False)
    rows: list[dict[str, Any]] = [
        {
            "type": "purchase",
            "id": f"{number}-{time}",
            "account": f"c{number:02d}",
            "at": f"2025-{1 + number // 4:02d}-{time + 1:02d}",
            "amount": f"{number + 1}.00",
        }
        for number in range(20)
        for time in range(number // 4 + 1)
    ]
    rows += [
        {"type": "return", "id": "r", "account": "c19", "at": "2025-05-09", "purchase": "19-0", "amount": "5.00"},
        {"type": "purchase", "id": "f", "account": "c01", "at": "2025-05-08", "amount": "30.00", "currency": "CHF"},
        {"type": "return", "id": "fr", "account": "c01", "at": "2025-05-09", "purchase": "f", "amount": "10.00"},
    ]
    with Engine.open("sqlite:///stampbook.db", create=True) as engine:
        engine.put_text_in_force(PROGRAM)
        assert [outcome.objections for outcome in engine.process(rows) if not outcome.accepted] == []
    return tmp_path


def cells(found: Any, of: str) -> list[tuple[str, str, Any]]:
    return [(left, right, cell[of]) for left, row in found["matrix"].items() for right, cell in row.items()]


def test_a_draft_is_put_beside_what_is_in_force_and_nothing_is_kept(books: Path) -> None:
    (books / "draft.toml").write_text(PROGRAM.replace('use = "rfm"', 'use = "rfm"\nscores = "ntile"'), encoding="utf-8")
    same = data("segments", "compare", "rfm", *AT)
    assert (same["accounts"], same["agree"], same["differ"]) == (20, 20, [])
    assert same["revenue_that_differs"] == {"EUR": "0.00", "CHF": "0.00"}
    other = data("segments", "compare", "rfm", "--program", "draft.toml", *AT)
    assert other["agree"] + len(other["differ"]) == 20
    assert other["left"]["definition"] != other["right"]["definition"]
    assert other["right"]["program"].startswith("draft.toml (")
    back = data("segments", "compare", "rfm", "--left-program", "draft.toml", *AT)
    assert [(row["right"], row["left"]) for row in back["differ"]] == [
        (row["left"], row["right"]) for row in other["differ"]
    ]
    both = data("segments", "compare", "rfm", "--left-program", "draft.toml", "--program", "draft.toml", *AT)
    assert both["differ"] == []
    assert data("segments", "runs") == []


def test_revenue_is_net_and_each_currency_is_by_itself(books: Path) -> None:
    assert books.exists()
    found = data("segments", "compare", "rfm", "abc", *AT)
    bought = sum((number // 4 + 1) * (number + 1) for number in range(20))
    assert found["revenue"] == {"EUR": f"{bought - 5}.00", "CHF": "20.00"}
    for code in ("EUR", "CHF"):
        sums = sum(Decimal(revenue[code]) for *_, revenue in cells(found, "revenue"))
        assert f"{sums:.2f}" == found["revenue"][code]
    assert sum(count for *_, count in cells(found, "accounts")) == found["accounts"] == 20
    for side in ("left", "right"):
        counts: Counter[str] = Counter()
        for left, right, count in cells(found, "accounts"):
            counts[left if side == "left" else right] += count
        assert found[side]["segments"] == counts
    [mine] = [row for row in found["differ"] if row["account"] == "c01"]
    assert mine["revenue"] == {"EUR": "2.00", "CHF": "20.00"}
    said = run("segments", "compare", "rfm", "abc", *AT).stdout
    assert "Revenue, CHF" in said
    assert "name no segment alike" in said
    assert "in segments of the same name" not in said


def test_kept_runs_are_compared_by_their_numbers_and_by_their_dates(books: Path) -> None:
    for at in ("2025-03-31", "2025-05-31"):
        run("segments", "run", "--at", at)
    numbers = {(row["scheme"], row["at"][:10]): row["run"] for row in data("segments", "runs")}
    first, last = (str(numbers["rfm", at]) for at in ("2025-03-31", "2025-05-31"))
    found = data("segments", "compare", "--runs", first, last)
    assert (found["left"]["run"], found["right"]["run"]) == (int(first), int(last))
    assert found == data("segments", "compare", "rfm", "--runs", "2025-03-31", "2025-05-31")
    assert found == data("segments", "compare", "rfm", "--runs", "2025-04-15", "2025-06-15")
    flow = data("segments", "flow", "rfm", "--from", "2025-03-31", "--to", "2025-05-31")
    assert {(row["account"], row["before"], row["after"]) for row in flow["moved"]} == {
        (row["account"], row["left"], row["right"]) for row in found["differ"]
    }
    moved = sum(Decimal(row["revenue"]["EUR"]) for row in found["differ"])
    assert f"{moved:.2f}" == found["revenue_that_differs"]["EUR"]
    worth = [Decimal(row["revenue"]["EUR"]) for row in found["differ"]]
    assert worth == sorted(worth, reverse=True)
    said = run("segments", "compare", "--runs", first, last, "--csv", "sides.csv").stdout
    assert f"run {first}, as kept" in said
    assert f"{found['differ'][0]['account']}: (none) -> " in said
    with (books / "sides.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["account", "left", "right", "revenue_EUR", "revenue_CHF"]
    assert len(rows) == 20
    assert [row["account"] for row in rows if row["left"] != row["right"]] == [
        row["account"] for row in found["differ"]
    ]


def test_a_run_that_another_took_the_place_of_is_not_taken_for_it(books: Path) -> None:
    run("segments", "run", *AT, "--scheme", "rfm")
    with Engine.open("sqlite:///stampbook.db") as engine:
        other = PROGRAM.replace('use = "rfm"', 'use = "rfm"\nscores = "ntile"')
        engine.put_text_in_force(other, effective_from=engine.registry().context.calendar.parse("2025-05-01"))
    run("segments", "run", *AT, "--scheme", "rfm")
    assert books.exists()
    assert "run 1 was followed by run 2 as of the same instant" in one_line("segments", "compare", "--runs", "1", "2")


def test_what_cannot_be_compared_is_said_in_one_line(books: Path) -> None:
    run("segments", "run", *AT)
    (books / "franc.toml").write_text(
        PROGRAM.replace('"EUR"', '"CHF"').replace("assets.CHF", "assets.EUR"), encoding="utf-8"
    )
    assert "no run 9 was kept" in one_line("segments", "compare", "--runs", "1", "9")
    assert "run 2 is one of abc, not of rfm" in one_line("segments", "compare", "rfm", "--runs", "1", "2")
    assert "no run of rfm as of 2024-01-01 was kept; run:" in one_line(
        "segments", "compare", "rfm", "--runs", "2024-01-01", "1"
    )
    assert "did you mean 'rfm'" in one_line("segments", "compare", "rmf", "--runs", "2025-06-01", "1")
    assert "name the scheme" in one_line("segments", "compare", "--runs", "2025-06-01", "1")
    assert "leave --program" in one_line("segments", "compare", "--runs", "1", "2", *AT)
    assert "did you mean 'abc'" in one_line("segments", "compare", "rfm", "acb", *AT)
    assert "counts in EUR, the other in CHF" in one_line("segments", "compare", "rfm", "--program", "franc.toml", *AT)
    assert "name a scheme" in run("segments", "compare", code=2).stderr
    assert "no segments of scheme rmf" in one_line("segments", "runs", "--scheme", "rmf")


def test_a_ledger_without_accounts_says_so(empty: Path) -> None:
    with Engine.open(f"sqlite:///{empty / 'stampbook.db'}", create=True) as engine:
        engine.put_text_in_force(PROGRAM)
    assert "There are no accounts on either side." in run("segments", "compare", "rfm", "abc", *AT).stdout
    assert "No segments were made yet" in run("segments", "runs").stdout
