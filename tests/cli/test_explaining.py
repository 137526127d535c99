"""What `explain` says where several multipliers, several accounts or time itself had a part in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.cli.shop import data, run

if TYPE_CHECKING:
    from pathlib import Path

BOTH = """
[program]
name = "Both"
currency = "EUR"
open_accounts = "on first event"

[assets.points]
[assets.stamps]

[metrics.visits]
count = true

[[plugin]]
use = "households"
share = "SHARE"

[[plugin]]
use = "achievements"
asset = "points"

[[plugin.achievement]]
name = "second"
metric = "visits"
goal = "2"
grants = "11"

[[plugin]]
use = "tiers"
metric = "visits"

[[plugin.level]]
name = "blue"
multiplier = "2"

[[plugin]]
use = "points"
expires = "10 days"

[[plugin.rule]]
name = "base"
earn = "order.net"

[[plugin.rule]]
name = "other"
earn = "7"

[[plugin.rule]]
name = "stamp"
earn = "1"
asset = "stamps"
expires = "never"

[[plugin.rule]]
name = "warned"
on = ["points.expiring"]
earn = "5"
asset = "stamps"
expires = "never"

[[plugin.multiplier]]
name = "thrice"
by = "3"
rules = ["base"]

[[plugin]]
use = "refunds"
"""


def begun(folder: Path, share: str = "50", text: str = BOTH) -> None:
    (folder / "both.toml").write_text(text.replace("SHARE", share))
    assert run("init").exit_code == 0
    assert run("apply", "both.toml", "--from", "2024-01-01").exit_code == 0


def post(kind: str, ref: str, at: str, *words: str) -> None:
    assert run("post", kind, ref, *words, "--at", at).exit_code == 0


def test_an_award_is_explained_by_the_multipliers_that_multiplied_it_and_no_others(empty: Path) -> None:
    begun(empty)
    post("purchase", "ann", "2025-03-01", "amount=10.00", "--id", "p")
    rules = {rule["rule"]: rule["multipliers"] for rule in data("explain", "p")["rules"]}
    assert rules == {
        "points.base": ["tiers.blue × 2", "points.thrice × 3"],
        "points.other": ["tiers.blue × 2"],
        "points.stamp": [],
    }


def shared(folder: Path, share: str) -> None:
    begun(folder, share)
    for ref in ("home", "ann"):
        post("account.opened", ref, "2025-01-01")
    post("household.joined", "ann", "2025-01-02", "to=home")
    post("purchase", "ann", "2025-03-01", "amount=10.00")
    post("purchase", "ann", "2025-03-02", "amount=10.00", "--id", "p")
    post("return", "ann", "2025-03-03", "purchase=p", "--id", "r")


def test_an_achievement_of_which_the_pool_gets_its_part_is_explained(empty: Path) -> None:
    shared(empty, "50")
    assert "  achievements.second: granted\n    shared: 5 points to home\n" in run("explain", "p").stdout
    assert "  achievements.second: taken back\n    shared: 5 points asked back of home\n" in run("explain", "r").stdout
    [own] = [each for each in data("explain", "p")["postings"] if each["rule"] == "achievements.second"]
    assert (own["amount"]["amount"], own["because"]) == ("6", "metric visits, goal 2, grants 11")


def test_an_achievement_of_which_the_pool_gets_all_is_explained(empty: Path) -> None:
    shared(empty, "100")
    assert "  achievements.second: granted\n    shared: 11 points to home\n" in run("explain", "p").stdout
    assert "  achievements.second: taken back\n    shared: 11 points asked back of home\n" in run("explain", "r").stdout


def test_a_lot_that_time_has_brought_is_explained_before_any_tick(empty: Path) -> None:
    begun(empty, text=BOTH.replace('expires = "10 days"', 'expires = "10 days"\nwarn = ["2 days"]'))
    post("purchase", "ann", "2025-03-01", "amount=10.00", "--id", "p")
    [stamps] = data("explain", "ann", "--as-of", "2025-03-10")["lots"]["stamps"]
    moves = [(move["amount"]["amount"], move["words"]) for move in stamps["moves"]]
    assert moves == [("1", "purchase of 10.00 EUR"), ("5", "points expiring")]
    assert stamps["lot"]["remaining"]["amount"] == "6"


def test_a_return_says_what_had_expired_of_what_it_would_take_back(empty: Path) -> None:
    begun(empty)
    post("purchase", "ann", "2025-03-01", "amount=10.00", "--id", "p")
    post("return", "ann", "2025-04-01", "purchase=p", "--id", "r")
    assert "  points.base: 60 points had expired: not taken, and not owed\n" in run("explain", "r").stdout
    assert [grant["expired"]["amount"] for grant in data("explain", "r")["refund"]["grants"]] == ["60", "14", "0"]
