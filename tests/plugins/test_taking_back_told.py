"""`explain` names the policy by which an award came back, and what it went by, in words and in JSON."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from stampbook.cli import cli
from stampbook.engine import Engine
from tests.plugins.test_taking_back import EACH, UTC, program, rule

if TYPE_CHECKING:
    from pathlib import Path

VISIT = rule("3", name="visit")
LINES = rule("line.net / 7", "per = 'line'", name="lines")


def told(
    path: Path, policy: str, rules: str, *parts: dict[str, Any], head: str = "", before: str = ""
) -> tuple[str, list[dict[str, Any]]]:
    """Return what `explain` says of the last return of 21.90, in words, and the awards in JSON."""
    database = f"sqlite:///{path / 'shop.db'}"
    lines = [{"sku": "a", "amount": "10.00"}, {"sku": "b", "amount": "11.90"}]
    sold = {"type": "purchase", "id": "p", "account": "ann", "source": "till", "at": "2025-03-01", "lines": lines}
    with Engine.open(database, create=True) as engine:
        if before:
            engine.put_text_in_force(before)
            assert engine.post(sold).accepted
        later = UTC.parse("2025-03-01T12:00") if before else None
        engine.put_text_in_force(program(policy, rules, head=head), effective_from=later)
        if not before:
            assert engine.post(sold).accepted
        for number, part in enumerate(parts):
            back = {"type": "return", "id": f"r{number}", "account": "ann", "source": "till", "purchase": "p"}
            assert engine.post({**back, "at": f"2025-03-0{number + 2}", **part}).accepted
    last = ["explain", f"r{len(parts) - 1}", "--db", database]
    words = CliRunner().invoke(cli, last)
    plain = CliRunner().invoke(cli, [*last, "--json"])
    assert (words.exit_code, plain.exit_code) == (0, 0), words.output
    return words.output, json.loads(plain.output)["refund"]["taken_back"]


@pytest.mark.parametrize(
    ("policy", "because"),
    [
        ("proportional", "proportional: 54.79 % of what earned it has come back: 1 of 2 points, rounded down; now 1"),
        ("increments", "increments: 1 of 2 whole steps came back, worth 1 each: 1 of 2 points; now 1"),
        ("anew", "anew: the 45.2 % that stay would have earned 0, by 0 whole steps of 2: 2 of 2 points; now 2"),
    ],
)
def test_each_policy_says_what_it_went_by(policy: str, because: str, tmp_path: Path) -> None:
    words, awards = told(tmp_path, policy, EACH, {"amount": "12.00"})
    assert f"  points.base: {because}\n" in words
    assert f"takes back what the purchase earned, by take_back = '{policy}'" in words
    [award] = awards
    assert (award["policy"], award["because"], award["share"]) == (policy, because, "40/73")
    assert (award["granted"], award["settled_before"]) == ("2", "0")
    assert award["due"] == award["comes_to"] == because[-1]


def test_steps_their_worth_and_what_was_settled_before_are_told(tmp_path: Path) -> None:
    head = '[limits.most]\nmax = "3"\nper = "transaction"\n'
    rules = EACH.replace('"1"', '"2"')
    words, awards = told(tmp_path, "increments", rules, {"amount": "10.00"}, {"amount": "10.50"}, head=head)
    assert "increments: 2 of 2 whole steps came back, worth 1.5 each: 3 of 3 points, of which 1 before; now 2" in words
    [award] = awards
    assert (award["steps"], award["of_steps"], award["each"]) == (2, 2, "1.5")
    assert (award["settled_before"], award["comes_to"], award["due"]) == ("1", "3", "2")


def test_what_takes_nothing_says_why(tmp_path: Path) -> None:
    words, awards = told(tmp_path, "anew", VISIT + LINES, {"lines": [{"line": 1, "amount": "2.00"}]})
    assert "points.visit: anew: it was the same however much was bought, and 9.13 % of what earned it" in words
    assert [(award["rule"], award["due"]) for award in awards] == [("points.lines", "1"), ("points.visit", "0")]


def test_all_of_it_is_all(tmp_path: Path) -> None:
    words, _ = told(tmp_path, "increments", EACH, {"amount": "5.00"}, {})
    assert "increments: all of what earned it has come back: all 2 points; now 2" in words


def test_a_purchase_of_a_program_that_kept_less_goes_back_in_proportion_and_says_so(tmp_path: Path) -> None:
    words, [award] = told(tmp_path, "anew", EACH, {"amount": "12.00"}, before=program("proportional"))
    assert award["policy"] == "proportional"
    assert "(the program of the purchase had not kept what other policies need)" in words


def test_the_part_of_a_pool_is_told_apart(tmp_path: Path) -> None:
    database = f"sqlite:///{tmp_path / 'shop.db'}"
    more = '[[plugin]]\nuse = "households"\nshare = "50"\n'
    with Engine.open(database, create=True) as engine:
        engine.put_text_in_force(program("increments", EACH.replace('"1"', '"10"'), more=more))
        for event in (
            {"type": "account.opened", "account": "home"},
            {"type": "account.opened", "account": "ann"},
            {"type": "household.joined", "account": "ann", "to": "home"},
            {"type": "purchase", "account": "ann", "amount": "21.90"},
            {"type": "return", "account": "ann", "amount": "12.00", "purchase": "e3"},
        ):
            name = {"purchase": "e3", "return": "r"}.get(event["type"], f"{event['type']} {event['account']}")
            assert engine.post({"id": name, "source": "till", "at": "2025-03-01", **event}).accepted
    words = CliRunner().invoke(cli, ["explain", "r", "--db", database])
    assert "points.base: increments: 1 of 2 whole steps came back, worth 5 each: 5 of 10 points; now 5" in words.output
    assert "points.base of another account: increments: 1 of 2 whole steps came back, worth 5 each" in words.output
