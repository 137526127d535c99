from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest

from stampbook import StoreError
from tests.cli.shop import data, one_line, run

if TYPE_CHECKING:
    from pathlib import Path


def test_a_top_up_is_posted_and_told(shop: Path) -> None:
    result = run("topup", "1001", "50.00", "--id", "r-1", "--by", "anna", "--reason", "birthday")
    assert result.stdout.splitlines() == [
        "1001: top-up of 50.00 EUR by anna: birthday",
        "  +50.00 EUR paid",
        "  available now: 120.00 EUR, 25 points",
    ]
    assert result.stderr == ""


def test_without_an_id_one_is_made_and_told(shop: Path) -> None:
    result = run("topup", "1001", "1.00", "--json")
    made = json.loads(result.stdout)["id"]
    assert re.fullmatch(r"cli-[0-9a-f]{16}", made)
    assert f"add --id {made}" in result.stderr
    assert len(result.stderr.splitlines()) == 1


def test_a_second_try_with_the_same_id_is_posted_once(shop: Path) -> None:
    first = data("topup", "1001", "50.00", "--id", "r-1")
    again = data("topup", "1001", "50.00", "--id", "r-1")
    assert (first["replayed"], again["replayed"]) == (False, True)
    assert first["seq"] == again["seq"]
    assert again["available"]["EUR"] == "120.00"
    assert "posted before" in run("topup", "1001", "50.00", "--id", "r-1").stdout


def test_an_id_with_other_content_is_one_clear_line(shop: Path) -> None:
    run("topup", "1001", "50.00", "--id", "r-1")
    said = one_line("topup", "1001", "60.00", "--id", "r-1")
    assert "'r-1'" in said
    assert "recorded before with another amount" in said


def test_a_refusal_prints_its_objections_and_exits_with_2(shop: Path) -> None:
    result = run("spend", "1001", "1000", "--asset", "points", "--id", "s-1", code=2)
    assert result.stderr == "Refused: insufficient_balance: 1000 points is more than the 25 points that may be spent\n"
    assert result.stdout == ""
    answer = data("spend", "1001", "1000", "--asset", "points", "--id", "s-1", code=2)
    assert answer["status"] == "refused"
    assert answer["replayed"]
    assert answer["objections"][0]["code"] == "insufficient_balance"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["topup", "1001", "1.005"], "more than 2 decimals"),
        (["topup", "1001", "1,50"], "is not an amount"),
        (["topup", "1001", "-5"], "not above zero"),
        (["topup", "1001", "0"], "not above zero"),
        (["topup", "1001", "99999999999999999"], "larger than any amount"),
        (["topup", "1001", "5", "--at", "yesterday"], "is not a date or time"),
        (["topup", "1001", "5", "--asset", "GPB"], "'GPB' is no currency"),
        (["spend", "1001", "5", "--asset", "point"], "did you mean 'points'?"),
        (["adjust", "1001", "0", "--reason", "r"], "moves nothing"),
        (["adjust", "1001", "5", "--reason", "r", "--expires", "2020-01-01"], "comes after it"),
        (["topup", "1001", "5", "--source", "stampbook"], "is kept for events that time brings"),
    ],
)
def test_a_bad_event_is_one_line_and_nothing_is_recorded(shop: Path, arguments: list[str], says: str) -> None:
    before = data("verify")["entries"]
    assert says in one_line(*arguments, "--id", "bad-1")
    assert data("verify")["entries"] == before


def test_an_adjustment_needs_a_reason(shop: Path) -> None:
    assert "Missing option '--reason'" in run("adjust", "1001", "5", code=2).stderr
    result = run("adjust", "1001", "-5", "--asset", "points", "--reason", "typo", "--by", "bo", "--id", "a-1")
    assert result.stdout.splitlines()[0] == "1001: withdrawal of 5 points by hand by bo: typo"


def test_points_are_extended_by_hand(shop: Path) -> None:
    arguments = ("extend", "1005", "points", "--reason", "works", "--by", "bo", "--at", "2025-04-20")
    result = run(*arguments, "--until", "2025-12-31", "--id", "x-1")
    assert result.stdout.startswith("1005: points extended by hand by bo: works; ")
    assert "good until the end of 2025-12-31" in result.stdout.splitlines()[0]
    refused = run(*arguments, "--until", "2025-12-31", "--id", "x-2", code=2)
    assert "nothing_to_extend: the account holds no points that would end before that time" in refused.stderr
    assert data("verify")["findings"] == []


def state(ref: str, *options: str) -> Any:
    return data("account", "show", ref, *options)


def test_an_account_lives(shop: Path) -> None:
    run("account", "open", "3001", "--id", "o", "--at", "2025-06-01")
    assert state("3001")["status"] == "open"
    run("account", "freeze", "3001", "--reason", "lost", "--by", "anna", "--id", "f")
    assert state("3001")["status"] == "frozen"
    assert "account_frozen" in run("topup", "3001", "5", "--id", "t", code=2).stderr
    run("account", "unfreeze", "3001", "--id", "u")
    run("account", "close", "3001", "--id", "c", "--reason", "moved")
    assert state("3001")["status"] == "closed"
    assert "account_closed" in run("account", "freeze", "3001", "--id", "f2", code=2).stderr
    assert "account_exists" in run("account", "open", "3001", "--id", "o2", code=2).stderr
    words = [line["words"] for line in data("statement", "3001")["lines"] if line["accepted"]]
    assert words[-3:] == ["account frozen by anna: lost", "account unfrozen", "account closed: moved"]


def test_an_account_with_money_is_not_closed(shop: Path) -> None:
    assert "balance_left: 70.00 EUR is left" in run("account", "close", "1001", "--id", "c", code=2).stderr


def test_a_refusal_of_an_unknown_account_is_told(shop: Path) -> None:
    strict = (shop / "coffee_shop.toml").read_text(encoding="utf-8").replace('"on first event"', '"refuse"')
    (shop / "strict.toml").write_text(strict, encoding="utf-8")
    run("apply", "strict.toml", "--from", "2025-06-01")
    result = run("topup", "9999", "5", "--id", "t", code=2)
    assert result.stderr == "Refused: unknown_account: no account 9999; open it first\n"
    assert data("explain", "t")["objections"][0]["code"] == "unknown_account"


def test_a_page_of_accounts_goes_on_where_the_last_one_ended(shop: Path) -> None:
    seen: list[str] = []
    after = ""
    while True:
        page = data("account", "list", "--limit", "4", "--after", after)
        assert len(page["accounts"]) <= 4
        seen += [row["account"] for row in page["accounts"]]
        if page["next"] is None:
            break
        after = page["next"]
    assert seen == [*map(str, range(1001, 1009)), "1010"]
    assert page["counts"] == {"open": 8, "frozen": 1}
    assert "More: stampbook account list --after 1004" in run("account", "list", "--limit", "4").stdout


def test_accounts_are_listed_by_status(shop: Path) -> None:
    assert [row["account"] for row in data("account", "list", "--status", "frozen")["accounts"]] == ["1004"]
    assert "0 of 9 accounts (1 frozen, 8 open)" in run("account", "list", "--status", "closed").stdout
    assert "Invalid value for '--status'" in run("account", "list", "--status", "lost", code=2).stderr


def test_an_event_that_was_not_posted_has_no_id_to_note(shop: Path) -> None:
    assert "is not an amount" in one_line("topup", "1001", "much")
    assert run("spend", "1001", "5000", code=2).stderr.startswith("Refused: insufficient_balance")
    assert len(run("spend", "1001", "5000", code=2).stderr.splitlines()) == 1


@pytest.mark.parametrize("error", [StoreError("the database went away"), KeyboardInterrupt()])
def test_where_nobody_knows_whether_it_was_posted_the_id_is_told_with_the_error(
    shop: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    from stampbook import Engine

    original = Engine.post

    def lost(self: Engine, event: dict[str, Any]) -> None:
        original(self, event)
        raise error

    monkeypatch.setattr(Engine, "post", lost)
    said = one_line("topup", "1001", "5")
    monkeypatch.undo()
    monkeypatch.chdir(shop)
    made = re.search(r"to try again, add --id (cli-[0-9a-f]{16}), lest it counts twice$", said)
    assert made is not None
    assert data("topup", "1001", "5", "--id", made[1])["replayed"]
