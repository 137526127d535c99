from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cli.shop import PROGRAM, data, one_line, run

if TYPE_CHECKING:
    from pathlib import Path


def test_an_account_is_shown_with_its_lots_and_what_expires_next(shop: Path) -> None:
    shown = run("account", "show", "1001", "--as-of", "2025-04-01").stdout
    assert "status  open" in shown
    assert "tier    regular, since 2025-03-30 11:00 (visits 3 reached 3)" in shown
    assert "44 points expire at the end of 2025-09-30." in shown
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    assert "EUR 100.00 0.00 0.00 0.00" in lines
    assert "points 69 0 0 0" in lines


def test_as_of_and_known_at_are_two_questions(shop: Path) -> None:
    def points(*options: str) -> str:
        state = data("account", "show", "1001", *options)
        return str(next(holding["total"]["amount"] for holding in state["holdings"] if holding["asset"] == "points"))

    # the sale of 30 March was sent in on 5 April
    then = points("--as-of", "2025-03-31")
    known_then = points("--as-of", "2025-03-31", "--known-at", "2025-03-31")
    assert int(then) - int(known_then) == 15  # the third visit makes a regular: 10 × 1.5
    assert points("--as-of", "2025-03-31", "--known-at", "2025-04-05") == then


def test_a_date_means_the_end_of_that_day_and_a_time_its_moment(shop: Path) -> None:
    assert data("account", "show", "1001", "--as-of", "2025-03-06")["as_of"] == "2025-03-06T23:59:59.999999+01:00"
    assert data("account", "show", "1001", "--as-of", "2025-03-06T09:00")["as_of"] == "2025-03-06T09:00:00+01:00"
    assert data("account", "show", "1001", "--as-of", "2025-03-06T08:00Z")["as_of"] == "2025-03-06T09:00:00+01:00"


def test_a_moment_to_come_shows_what_time_will_bring(shop: Path) -> None:
    later = data("account", "show", "1001", "--as-of", "2099-01-01")
    points = next(holding for holding in later["holdings"] if holding["asset"] == "points")
    assert points["available"]["amount"] == "25"
    assert not later["expiring"]


def test_a_statement_reads_like_one(shop: Path) -> None:
    shown = run("statement", "1001", "--as-of", "2025-04-30").stdout
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    assert lines[0] == "Statement of account 1001 of Corner Coffee Card: open, tier regular"
    assert lines[1] == "From the beginning to 2025-04-30 23:59:59 (Europe/Vienna)"
    assert "2025-03-01 08:05 top-up of 100.00 EUR by anna +100.00 EUR 100.00 EUR" in lines
    assert "2025-03-06 09:00 purchase of 12.00 EUR at Graben +22 points 22 points" in lines
    returned = next(
        line for line in lines if line.startswith("2025-03-25 10:00 return of 7.80 EUR from purchase sale-1")
    )
    assert returned.endswith("-17 points 54 points")
    assert "2025-03-26 10:00 refused: spend of 500 points" in lines
    assert any(line.startswith("because 500 points is more than the 54 points") for line in lines)
    assert "(learned on 2025-04-05 09:00)" in lines
    assert "70.00 EUR can be spent." in lines
    assert any("expire at the end of 2025-09-30." in line for line in lines)


def test_the_lines_of_a_statement_add_up(shop: Path) -> None:
    for options in (
        [],
        ["--from", "2025-03-20"],
        ["--until", "2025-03-25"],
        ["--from", "2025-03-20", "--until", "2025-03-31"],
    ):
        made = data("statement", "1001", *options)
        held = {each["asset"]: float(each["amount"]) for each in made["opening"]}
        for line in made["lines"]:
            for change in line["changes"]:
                held[change["asset"]] = held.get(change["asset"], 0) + float(change["amount"])
            assert {each["asset"]: float(each["amount"]) for each in line["balances"]} == pytest.approx(held)
        assert {each["asset"]: float(each["amount"]) for each in made["closing"]} == pytest.approx(held)
    whole = data("statement", "1001")
    assert {each["asset"]: each["amount"] for each in whole["closing"]} == {
        holding["asset"]: holding["total"]["amount"] for holding in whole["account"]["holdings"]
    }


def test_a_statement_of_some_days_brings_the_rest_forward(shop: Path) -> None:
    shown = run("statement", "1001", "--from", "2025-03-20", "--until", "2025-03-25").stdout
    assert "brought forward" in shown
    assert "sale" not in shown.split("brought forward")[0]
    assert "top-up" not in shown
    assert len(data("statement", "1001", "--from", "2025-03-20", "--until", "2025-03-25")["lines"]) == 2


def test_what_time_brought_stands_in_a_statement_ticked_or_not(shop: Path) -> None:
    def told() -> list[tuple[str, str]]:
        lines = data("statement", "1001")["lines"]
        return [(line["at"], line["words"].partition(";")[0]) for line in lines if line["type"] == "expiry"]

    before = told()
    assert before
    run("tick")
    assert told() == before


def test_a_purchase_is_explained_by_its_rules_and_their_numbers(shop: Path) -> None:
    shown = run("explain", "sale-1").stdout
    for text in (
        "sale-1: purchase of 12.00 EUR at Graben",
        "program   Corner Coffee Card (coffee_shop.toml,",
        "floor(order.net) = 12",
        "points.base: granted 12 points",
        "points.big: does not apply",
        "not so: order.net >= 20",
        "not so: order.channel == 'till'",
        "points.cake: granted 10 points",
        "line 1, melange (coffee) 4.20: does not count",
        "line 2, sacher (cake) 7.80: 10",
        "visits: 1 on 2025-03-06",
    ):
        assert text in shown, text


def test_a_multiplier_is_explained(shop: Path) -> None:
    rules = {rule["rule"]: rule for rule in data("explain", "sale-late")["rules"]}
    assert rules["points.base"]["granted"] == {"asset": "points", "amount": "15"}
    assert rules["points.base"]["earned"] == "10"
    assert rules["points.base"]["multipliers"] == ["tiers.regular × 1.5"]
    assert rules["points.base"]["read"]["order.net"] == "10.00"


def test_a_return_is_explained_by_its_arithmetic(shop: Path) -> None:
    refund = data("explain", "return-1")["refund"]
    assert refund["purchase"] == "sale-1"
    assert refund["total"] == {"asset": "EUR", "amount": "12.00"}
    assert refund["value"] == refund["outside"] == {"asset": "EUR", "amount": "7.80"}
    taken = {grant["rule"]: (grant["granted"]["amount"], grant["settled"]["amount"]) for grant in refund["grants"]}
    assert taken == {"points.base": ("12", "7"), "points.cake": ("10", "10")}


def test_a_refusal_is_explained_by_its_objections(shop: Path) -> None:
    shown = run("explain", "cup-1").stdout
    assert "Refused: insufficient_balance: 500 points is more than the 54 points that may be spent" in shown


def test_an_account_is_explained_by_its_lots(shop: Path) -> None:
    whole = data("explain", "1001", "--as-of", "2025-04-30")
    for asset, lots in whole["lots"].items():
        holding = next(each for each in whole["state"]["holdings"] if each["asset"] == asset)
        assert sum(float(lot["lot"]["remaining"]["amount"]) for lot in lots) == float(holding["total"]["amount"])
        for lot in lots:
            moved = sum(float(move["amount"]["amount"]) for move in lot["moves"])
            assert moved == float(lot["lot"]["remaining"]["amount"])
    shown = run("explain", "1001", "--as-of", "2025-04-30").stdout
    assert "tier is regular since 2025-03-30 11:00: visits 3 reached 3" in shown
    assert "visits is 1 (calendar month: from 2025-04-01 to 2025-04-30)" in shown


def test_a_name_of_both_an_event_and_an_account_is_asked_about(shop: Path) -> None:
    run("topup", "1002", "5", "--id", "1001")
    assert one_line("explain", "1001") == "Error: 1001 is an account and an event: add --account or --event"
    assert data("explain", "1001", "--event")["type"] == "topup"
    assert data("explain", "1001", "--account")["state"]["ref"] == "1001"


def test_an_id_of_two_sources_is_asked_about(shop: Path) -> None:
    run("topup", "1002", "5", "--id", "sale-1", "--source", "web")
    assert (
        one_line("explain", "sale-1") == "Error: several sources sent an event sale-1: add --source, one of till, web"
    )
    assert data("explain", "sale-1", "--source", "web")["type"] == "topup"


def test_names_of_customers_are_not_read_as_marks(shop: Path) -> None:
    run("account", "open", "[bold]x[/bold] :smile:", "--id", "o")
    assert "[bold]x[/bold] :smile:" in run("account", "list").stdout
    assert "[bold]x[/bold] :smile:" in run("account", "show", "[bold]x[/bold] :smile:").stdout


@pytest.mark.parametrize(
    ("arguments", "names"),
    [
        (["statement", "1001", "--from", "2025-04-01", "--until", "2025-03-31"], "--from and --until"),
        (["export", "csv", "--since", "2025-04-01", "--until", "2025-03-31"], "--since and --until"),
    ],
)
def test_a_stretch_of_time_that_ends_before_it_begins_is_a_mistake(
    shop: Path, arguments: list[str], names: str
) -> None:
    wrong = f"Error: {names}: 2025-04-01 comes after 2025-03-31, so nothing lies between them"
    assert one_line(*arguments) == wrong
    run(*[argument.replace("2025-04-01", "2025-03-31") for argument in arguments])


def test_one_point_is_not_many(shop: Path) -> None:
    (shop / "one.jsonl").write_text(
        '{"type": "purchase", "id": "one", "account": "1002", "at": "2025-05-01", "amount": "1.00"}\n', "utf-8"
    )
    run("import", "one.jsonl")
    assert "points.base: granted 1 point\n" in run("explain", "one").stdout
    assert "points.base: granted 12 points\n" in run("explain", "sale-1").stdout


CUTS = """
[limits.basket]
asset = "points"
max = "8"
per = "transaction"
rules = ["points.base"]

[campaigns.spring]
asset = "points"
budget = "1"
rules = ["points.cake"]
over = "refuse award"

[limits.life]
asset = "points"
max = "5"
rules = ["points.base"]
"""


def test_an_award_that_was_cut_is_explained_by_what_cut_it(shop: Path) -> None:
    (shop / "new.toml").write_text(
        PROGRAM.partition("[[example]]")[0].replace("[stacking]", CUTS + "[stacking]"), "utf-8"
    )
    run("apply", "new.toml")
    lines = '[{"sku": "pie", "category": "cake", "amount": "12.00"}]'
    run("post", "purchase", "2001", f"lines={lines}", "--id", "cut")
    shown = run("explain", "cut").stdout
    assert "points.base: granted 5 points\n" in shown
    assert "    cut by basket: 12 points to 8 points\n    cut by life: 8 points to 5 points\n" in shown
    assert "points.cake: came to nothing\n    cut by spring: 5 points to 0 points\n" in shown
    assert ", cut by basket, cut by life" in shown.partition("Rules")[0], "the posting says so as well"
    rules = {rule["rule"]: rule for rule in data("explain", "cut")["rules"]}
    assert rules["points.base"]["limited"] == [
        {
            "limit": "basket",
            "desired": {"asset": "points", "amount": "12"},
            "granted": {"asset": "points", "amount": "8"},
        },
        {"limit": "life", "desired": {"asset": "points", "amount": "8"}, "granted": {"asset": "points", "amount": "5"}},
    ]
    assert data("explain", "sale-1")["rules"][0]["limited"] == []


def test_segments_of_nobody_are_a_mistake(shop: Path) -> None:
    run("segments", "run", "--at", "2025-03-31")
    assert one_line("segments", "show", "--account", "NOBODY") == "Error: no account NOBODY"
    assert "no account 101 (did you mean" in one_line("segments", "show", "--account", "101")
    assert "no segments of scheme rmf were made yet (did you mean 'rfm'?)" in one_line(
        "segments", "show", "--account", "1001", "--scheme", "rmf"
    )
    assert "(did you mean 'rfm'?)" in one_line("segments", "show", "--scheme", "rmf")
    assert run("segments", "show", "--account", "1010").stdout == "No run has put account 1010 into a segment.\n"
