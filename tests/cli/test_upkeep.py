from __future__ import annotations

import sqlite3
from typing import TYPE_CHECKING

import pytest

from tests.cli.shop import data, one_line, run

if TYPE_CHECKING:
    from pathlib import Path


def test_a_tick_posts_what_time_brought_once(shop: Path) -> None:
    first = data("tick")["events"]
    assert first > 0
    assert data("tick") == {"events": 0}
    assert run("tick").stdout == "Time has brought 0 events.\n"
    assert data("verify")["ok"]


def test_a_tick_does_not_run_ahead_of_the_clock(shop: Path) -> None:
    assert "still to come" in one_line("tick", "--at", "2099-01-01")
    partly = data("tick", "--at", "2025-04-30")["events"]
    assert partly > 0
    assert data("tick")["events"] > 0


def test_verify_says_that_all_is_sound(shop: Path) -> None:
    answer = data("verify")
    assert (answer["ok"], answer["findings"]) == (True, [])
    assert answer["accounts"] >= 9
    assert "all is sound" in run("verify").stdout


def test_verify_finds_a_balance_that_was_changed_by_hand(shop: Path) -> None:
    with sqlite3.connect(shop / "stampbook.db") as connection:
        connection.execute(
            "UPDATE state SET remaining = remaining + 1 WHERE account_id = 1 AND part = 1 AND number = 1"
        )
    connection.close()
    answer = data("verify", code=1)
    assert not answer["ok"]
    assert answer["findings"]
    assert {"code", "account", "seq", "message"} <= set(answer["findings"][0])
    shown = run("verify", code=1).stdout
    assert answer["findings"][0]["code"] in shown
    assert "finding" in shown


def test_plugins_are_listed_with_what_the_program_makes_of_them(shop: Path) -> None:
    rows = {row["name"]: row for row in data("plugins", "list")}
    assert rows["points"]["used_as"] == ["points"]
    assert rows["points"]["distribution"] == "stampbook"
    assert "reward" in rows["points"]["hooks"]
    assert all(row["about"] for row in rows.values())
    assert "Awards an asset" in run("plugins", "list").stdout


def test_plugins_are_listed_without_a_database(empty: Path) -> None:
    assert {row["name"] for row in data("plugins", "list")} >= {"points", "tiers"}
    assert not list(empty.iterdir())


def test_segments_are_run_kept_and_shown(shop: Path) -> None:
    [made] = data("segments", "run", "--at", "2025-03-31")
    assert (made["scheme"], made["new"], made["accounts"]) == ("rfm", True, 8)
    assert sum(row["accounts"] for row in made["segments"]) == 8
    assert sum(row["accounts_percent"] for row in made["segments"]) == pytest.approx(100, abs=0.1)
    account = data("segments", "show", "--account", "1001")
    assert account[0]["scores"]["frequency"] == 3
    assert account[0]["scores"]["monetary"] == 420 + 2470 + 1000
    shown = data("account", "show", "1001", "--as-of", "2025-03-31")["segments"]
    assert shown[0]["segment"] == account[0]["segment"]
    assert data("account", "show", "1001", "--as-of", "2025-03-30")["segments"] == []
    assert data("account", "show", "1001", "--as-of", "2025-03-31", "--known-at", "2025-03-31")["segments"] == []


def test_a_run_that_was_made_changes_nothing(shop: Path) -> None:
    [first] = data("segments", "run", "--at", "2025-03-31")
    [again] = data("segments", "run", "--at", "2025-03-31")
    assert (again["run"], again["new"]) == (first["run"], False)
    assert again["segments"] == first["segments"]
    assert "nothing changed" in run("segments", "run", "--at", "2025-03-31").stdout
    assert len(data("segments", "show", "--account", "1001")) == 1
    run("segments", "run", "--at", "2025-04-30")
    since = [row["since"][:10] for row in data("segments", "show", "--account", "1001")]
    assert since in (["2025-03-31"], ["2025-04-30", "2025-03-31"])


def test_the_accounts_of_a_segment_are_listed(shop: Path) -> None:
    run("segments", "run", "--at", "2025-03-31")
    [shown] = data("segments", "show")
    name, count = next(iter(shown["segments"].items()))
    listed = data("segments", "show", "--segment", name)
    assert listed["members"] == count == len(listed["first"])
    assert f"1 of {count} in {name}" in run("segments", "show", "--segment", name, "--limit", "1").stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["segments", "run", "--scheme", "rmf"], "no segmentation scheme 'rmf' (did you mean 'rfm'?)"),
        (["segments", "show"], "run: stampbook segments run"),
        (["segments", "show", "--account", "99"], "no account 99"),
    ],
)
def test_what_is_wrong_about_segments_is_one_line(shop: Path, arguments: list[str], says: str) -> None:
    assert says in one_line(*arguments)


def test_a_program_without_a_scheme_says_how_to_get_one(shop: Path) -> None:
    program = (shop / "coffee_shop.toml").read_text(encoding="utf-8").replace('[[plugin]]\nuse = "rfm"\n', "")
    (shop / "new.toml").write_text(program, encoding="utf-8")
    run("apply", "new.toml")
    assert "add [[plugin]] use = 'rfm'" in one_line("segments", "run")
