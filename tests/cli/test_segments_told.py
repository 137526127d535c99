"""Segments that accounts are told of: rules read them as an attribute, and doing it twice does nothing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import polars as pl
import pytest

from stampbook import Engine, ProgramError
from stampbook.loading import load
from stampbook.replay import entries_of
from stampbook.states import account_state
from stampbook.verifying import verify
from tests.cli.shop import data, one_line, run

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """
[program]
name = "Segments"
currency = "EUR"
open_accounts = "on first event"
[assets.points]
[assets.offer]
[segments.rfm]
scores = ["r", "f"]
[[plugin]]
use = "rfm"
[[plugin]]
use = "points"
[[plugin.rule]]
name = "base"
earn = "order.net"
[[plugin.multiplier]]
name = "champions"
by = "3"
when = "account.segment.rfm == 'champions' and account.score.rfm.r == 5"
[[plugin]]
use = "points"
name = "offers"
asset = "offer"
[[plugin.rule]]
name = "come-back"
on = ["segment.changed"]
when = "event.scheme == 'rfm' and event.segment == 'champions' and event.before == ''"
earn = "1"
"""


@pytest.fixture
def books(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STAMPBOOK_DB", raising=False)
    with Engine.open("sqlite:///stampbook.db", create=True) as engine:
        engine.put_text_in_force(PROGRAM)
        for number in range(20):
            for time in range(number // 4 + 1):
                engine.post(
                    {
                        "type": "purchase",
                        "id": f"{number}-{time}",
                        "account": f"c{number:02d}",
                        "at": f"2025-{1 + number // 4:02d}-{time + 1:02d}",
                        "amount": f"{number + 1}.00",
                    }
                )
        engine.post({"type": "account.frozen", "id": "f", "account": "c00", "at": "2025-05-06"})
    return tmp_path


def test_rules_ask_for_segments_and_scores_and_react_to_their_change(books: Path) -> None:
    assert books.exists()
    told = data("segments", "run", "--at", "2025-05-31")[0]
    assert (told["told"], told["moved"]) == (20, 20)
    assert data("segments", "run", "--at", "2025-05-31")[0]["told"] == 0
    assert data("segments", "run", "--at", "2025-06-01")[0]["told"] < 20
    with Engine.open("sqlite:///stampbook.db") as engine:
        said = [entry for entry in entries_of(engine, "c19") if entry.type == "segment.changed"]
        assert [(entry.source, entry.accepted) for entry in said] == [("segments:rfm", True)]
        outcome = engine.post({"type": "purchase", "id": "n", "account": "c19", "at": "2025-06-02", "amount": "10.00"})
        assert [posting.amount for posting in outcome.postings] == [30]
        held = {holding.asset: holding.available.units for holding in account_state(engine, "c19").holdings}
        assert held["offer"] == 1
        assert verify(engine).findings == ()


def test_a_run_for_an_earlier_instant_tells_nobody(books: Path) -> None:
    assert books.exists()
    data("segments", "run", "--at", "2025-05-31")
    earlier = data("segments", "run", "--at", "2025-02-28")[0]
    assert (earlier["new"], earlier["told"]) == (True, 0)


def test_who_went_where_and_who_is_where(books: Path) -> None:
    assert books.exists()
    for at in ("2025-02-28", "2025-05-31"):
        run("segments", "run", "--at", at)
    flow = data("segments", "flow", "rfm", "--from", "2025-02-28", "--to", "2025-05-31")
    assert flow["accounts"] == sum(sum(row.values()) for row in flow["matrix"].values()) == 20
    assert {"account": "c19", "before": "", "after": "champions"} in flow["moved"]
    told = run("segments", "flow", "rfm", "--from", "2025-02-28", "--to", "2025-05-31", "--csv", "flow.csv").stdout
    assert "0 moved, 20 are new" not in told
    assert " moved, " in told
    assert " are new" in told
    assert (books / "flow.csv").read_text(encoding="utf-8").splitlines()[0] == "account,before,after"
    assert "c19" in data("segments", "who", "rfm", "champions", "--at", "2025-05-31")["accounts"]
    assert "did you mean 'champions'" in one_line("segments", "who", "rfm", "champion", "--at", "2025-05-31")
    (books / "them.csv").write_text("account\nc19\n", encoding="utf-8")
    run("segments", "who", "rfm", "cant_lose", "--at", "2025-02-28", "--csv", "them.csv")
    assert (books / "them.csv").read_text(encoding="utf-8") == "account\n"
    assert "no segments of scheme rmf" in one_line("segments", "who", "rmf", "champions")
    early = "nobody was in a segment of rfm yet: its first run is as of 2025-02-28"
    assert early in one_line("segments", "who", "rfm", "champions", "--at", "2025-01-01")
    assert early in one_line("segments", "flow", "rfm", "--from", "2024-12-01", "--to", "2025-01-01")
    assert "comes after" in one_line("segments", "flow", "rfm", "--from", "2025-06-30", "--to", "2025-05-31")


def test_an_account_is_told_since_when_it_is_where_it_is(books: Path) -> None:
    assert books.exists()
    run("segments", "run", "--at", "2025-05-31")
    held = PROGRAM.replace("[segments.rfm]", '[segments.rfm]\nminimum_stay = "1 year"')
    with Engine.open("sqlite:///stampbook.db") as engine:
        engine.put_text_in_force(held, effective_from=engine.registry().context.calendar.parse("2026-01-01"))
        others = [
            {
                "type": "purchase",
                "id": f"x{number}-{day}",
                "account": f"c{number:02d}",
                "at": f"2026-04-{day:02d}",
                "amount": "50",
            }
            for number in range(1, 19)
            for day in range(1, 10)
        ]
        assert all(outcome.accepted for outcome in engine.process(others))
    run("segments", "run", "--at", "2026-05-01")
    [row] = data("segments", "explain", "c19")
    assert (row["segment"], row["held_by"]) == ("champions", ["minimum_stay of 12 months, until 2026-06-01 00:00"])
    assert row["said"] != "champions"
    said = run("segments", "explain", "c19").stdout
    assert "rfm: champions since 2025-05-31" in said
    assert f"the runs say {row['said']} since 2026-05-01" in said
    assert "held by minimum_stay of 12 months, until 2026-06-01 00:00" in said


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("[segments.rmf]", "did you mean 'rfm'"),
        ('[segments.rfm]\nat_once = ["champion"]', "did you mean 'champions'"),
        ("[segments.rfm]\nconfirm_runs = 0", "confirm_runs"),
        ('[segments.rfm]\nminimum_sty = "1 day"', "minimum_stay"),
    ],
)
def test_what_a_program_says_of_segments_is_checked(wrong: str, said: str) -> None:
    with pytest.raises(ProgramError, match=said):
        load(
            PROGRAM.replace("[segments.rfm]", wrong)
            .replace("account.segment.rfm ==", "account.tier ==")
            .replace("and account.score.rfm.r == 5", "")
        )


def test_a_scheme_that_rules_are_not_told_of_cannot_be_asked_for() -> None:
    with pytest.raises(ProgramError, match=r"no field 'account\.segment\.abc'"):
        load(PROGRAM.replace("account.segment.rfm", "account.segment.abc"))


def test_an_archive_says_what_the_ledger_says_and_files_are_another_matter(books: Path) -> None:
    whole = data("segments", "run", "--at", "2025-05-31")[0]["segments"]
    archived = data("segments", "run", "--at", "2025-05-30", "--archive", "kept")[0]
    assert archived["accounts"] == 20
    assert list((books / "kept").iterdir())
    assert {row["segment"] for row in archived["segments"]} == {row["segment"] for row in whole}
    said = one_line("segments", "run", "--archive", "kept", "--history", "x.parquet")
    assert "--archive is of the ledger" in said
    history = pl.DataFrame(
        {
            "account": ["c01"],
            "at": [datetime(2025, 1, 1, tzinfo=UTC)],
            "kind": ["purchase"],
            "amount": [100],
            "event": ["e"],
            "about": pl.Series([None], dtype=pl.String),
        }
    )
    history.write_parquet(books / "other.parquet")
    other = data("segments", "run", "--at", "2025-05-31", "--history", "other.parquet")[0]
    assert (other["new"], other["accounts"]) == (True, 1)


def test_a_run_as_of_what_is_to_come_is_refused_so_that_later_ones_can_tell(books: Path) -> None:
    assert books.exists()
    assert "is still to come: it is 2" in one_line("segments", "run", "--at", "2999-01-01")
    assert data("segments", "runs") == []
    assert data("segments", "run", "--at", "2025-05-31")[0]["told"] == 20
