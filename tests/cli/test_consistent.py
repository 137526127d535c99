"""What commands have in common: who does it, holds of all accounts, and plugins that the program lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stampbook import Engine
from stampbook.cli import COMMANDS
from tests.cli.shop import data, run
from tests.plugins.cards import NUMBERS, PROGRAM
from tests.plugins.payouts import RATES, program

if TYPE_CHECKING:
    from pathlib import Path

ONE = NUMBERS[0]


def applied(folder: Path, text: str) -> None:
    (folder / "own.toml").write_text(text, encoding="utf-8")
    Engine.open("sqlite:///stampbook.db", create=True).close()
    run("apply", "own.toml")


@pytest.mark.parametrize("name", ["--by", "--operator"])
def test_who_does_it_has_one_name_and_is_known_under_the_older_one(shop: Path, name: str) -> None:
    assert " by anna" in run("topup", "1001", "5.00", name, "anna").stdout
    assert " by anna" in run("hold", "authorise", "1001", "5.00", "--id", "h", name, "anna").stdout
    assert " by anna" in run("account", "freeze", "1001", name, "anna").stdout


@pytest.mark.parametrize("name", ["--by", "--operator"])
def test_commands_of_plugins_take_it_too(empty: Path, name: str) -> None:
    applied(empty, program(more=RATES))
    run("topup", "1001", "5.00", "--at", "2025-05-10")
    run("refund", "request", "1001", "--id", "r", name, "li", "--at", "2025-06-01")
    run("refund", "approve", "r", name, "wang", "--at", "2025-06-02")
    with Engine.open("sqlite:///stampbook.db") as engine, engine.store.reader() as session:
        payloads = [entry.payload.decode() for entry in session.journal("1001")]
    assert '"operator":"li"' in payloads[-2]
    assert '"operator":"wang"' in payloads[-1]


def test_help_tells_one_name(empty: Path) -> None:
    applied(empty, PROGRAM + '[[plugin]]\nuse = "payouts"\npacks = ["contract"]\n')
    for words in (("topup",), ("hold", "void"), ("account", "close"), ("refund", "approve"), ("card", "block")):
        told = run(*words, "--help").stdout
        assert "--by NAME" in told
        assert "--operator" not in told
    missing = run("card", "block", ONE, "--reason", "x", code=2).stderr
    assert "Missing option '--by'" in missing


def test_open_holds_of_all_accounts_are_listed(shop: Path) -> None:
    assert run("hold", "list").stdout == "Nothing is set aside.\n"
    assert data("hold", "list") == {"account": None, "holds": []}
    at = ("--at", "2025-05-02T10:00")
    run("topup", "1002", "9.00", *at)
    run("hold", "authorise", "1002", "3.00", "--id", "b", *at)
    run("hold", "authorise", "1001", "20.00", "--id", "a", *at)
    run("hold", "authorise", "1001", "5.00", "--id", "gone", *at)
    run("hold", "void", "1001", "gone")
    told = run("hold", "list").stdout.splitlines()
    assert [line.partition(" set aside")[0] for line in told] == ["1001: 20.00 EUR", "1002: 3.00 EUR"]
    assert [(row["account"], row["hold"]) for row in data("hold", "list")["holds"]] == [("1001", "a"), ("1002", "b")]
    assert run("hold", "list", "1002").stdout.splitlines() == told[1:]


@pytest.mark.parametrize(
    ("words", "plugin"),
    [
        (("liability",), "liability"),
        (("refund", "list"), "payouts"),
        (("card", "show", ONE), "cards"),
        (("vouchers", "list"), "redemption"),
    ],
)
def test_a_command_of_a_plugin_that_the_program_lacks_says_how_to_have_it(
    shop: Path, words: tuple[str, ...], plugin: str
) -> None:
    told = run(*words, code=2).stderr
    assert f"there is no command {words[0]!r} here: plugin {plugin!r} brings it where the program in force uses" in told
    assert f'add a table [[plugin]] with use = "{plugin}" to the program file, then: stampbook apply FILE' in told


@pytest.mark.parametrize(
    ("words", "plugin"),
    [
        (("transfer", "1001", "1002", "1.00"), "transfers"),
        (("exchange", "1001", "1.00", "--to", "points"), "stored_value"),
    ],
)
def test_an_event_of_a_plugin_that_the_program_lacks_says_how_to_have_it(
    shop: Path, words: tuple[str, ...], plugin: str
) -> None:
    told = run(*words, code=1).stderr
    assert told == (
        f'Error: the program in force knows no {words[0]}: add a table [[plugin]] with use = "{plugin}" to the program '
        "file, then: stampbook apply FILE\n"
    )


def test_a_command_that_nobody_brings_has_a_near_name(shop: Path) -> None:
    assert "there is no command 'topap' (did you mean 'topup'?)" in run("topap", code=2).stderr
    assert "liability" not in COMMANDS


def test_a_large_purchase_says_who_buys_and_how(empty: Path) -> None:
    applied(empty, program("cn-single-purpose-card", more='card = "registered"'))
    asked = ("topup", "1001", "5000", "--buyer", "organisation", "--tender")
    assert "Refused: paid_in_cash: 5000.00 CNY: an organisation" in run(*asked, "cash", code=2).stderr
    assert run(*asked, "bank transfer", "--sale-total", "20000", "--identity", "n-17").stdout.startswith("1001: ")


def test_a_bearer_card_is_refunded_by_its_account(empty: Path) -> None:
    text = PROGRAM + '[[plugin]]\nuse = "payouts"\npacks = ["contract"]\ncards = "bearer"\n'
    applied(empty, text)
    (empty / "numbers.csv").write_text(f"{ONE}\n", encoding="utf-8")
    run("card", "issue", "numbers.csv")
    run("card", "activate", ONE, "50", "--tender", "cash", "--buyer", "person", "--identity", "n-1")
    assert "Account card:" in run("refund", "quote", f"card:{ONE}").stdout
    run("refund", "request", f"card:{ONE}", "--id", "r")
    run("refund", "approve", "r")
    paid, means = run("refund", "paid", "r").stdout.splitlines()
    assert paid == f"50.00 GBP of request r were paid out to account card:{ONE}."
    assert means.startswith("50.00 goes back in cash, as card-")
    assert "has 0.00 GBP on it" in run("card", "show", ONE).stdout
    assert run("verify").stdout
