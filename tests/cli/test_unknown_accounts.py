"""Somebody names an account that there is not, and types the number of a card: each command says what to type."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stampbook import Engine
from tests.cli.shop import data, run
from tests.plugins.cards import KEY, NUMBERS, PROGRAM

if TYPE_CHECKING:
    from pathlib import Path

ONE, TWO, THREE = NUMBERS[:3]
PIN = "80417263"
WRONG = ONE[:-1] + str((int(ONE[-1]) + 1) % 10)
PAYOUTS = '[[plugin]]\nuse = "payouts"\npacks = ["contract"]\ncards = "bearer"\n'
TRANSFERS = '[[plugin]]\nuse = "transfers"\nasset = "GBP"\nkinds = ["paid"]\n'


@pytest.fixture
def shop(empty: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STAMPBOOK_CARD_KEY", KEY)
    program = PROGRAM.replace("on first event", "refuse") + PAYOUTS + TRANSFERS
    (empty / "cards.toml").write_text(program, encoding="utf-8")
    (empty / "numbers.csv").write_text(f"{ONE},{PIN}\n{THREE}\n", encoding="utf-8")
    Engine.open("sqlite:///stampbook.db", create=True).close()
    run("apply", "cards.toml")
    run("account", "open", "ann")
    run("topup", "ann", "20")
    run("card", "issue", "numbers.csv")
    for number in (ONE, THREE):
        run("card", "activate", number, "50", "--tender", "cash")
    return empty


NAMED = [
    (2, "refund", "quote", ONE),
    (2, "refund", "request", ONE),
    (1, "refund", "list", ONE),
    (1, "account", "show", ONE),
    (2, "account", "freeze", ONE, "--reason", "lost"),
    (2, "account", "close", ONE, "--reason", "gone"),
    (1, "statement", ONE),
    (1, "explain", ONE),
    (2, "topup", ONE, "5"),
    (2, "spend", ONE, "5"),
    (2, "adjust", ONE, "5", "--reason", "sorry", "--by", "kim"),
    (2, "transfer", "ann", ONE, "5", "--asset", "GBP"),
    (2, "transfer", ONE, "ann", "5", "--asset", "GBP"),
    (2, "card", "claim", THREE, ONE, "--moves"),
    (1, "hold", "list", ONE),
]


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize("command", NAMED, ids=lambda command: " ".join(command[1:3]))
def test_the_number_of_a_card_is_no_account_and_the_answer_says_what_is(command: tuple[int, ...]) -> None:
    code, *arguments = command
    result = run(*map(str, arguments), code=code)
    assert f"it looks like the number of a card, whose account is card:{ONE}: type that" in result.stderr
    assert PIN not in result.output
    assert len(result.stderr.strip().splitlines()) == 1


@pytest.mark.usefixtures("shop")
def test_what_was_told_to_type_is_right() -> None:
    spaced = f"{ONE[:4]} {ONE[4:8]}-{ONE[8:]}"
    assert f"type that: {ONE}" not in run("refund", "quote", spaced, code=2).stderr
    assert f"whose account is card:{ONE}: type that" in run("refund", "quote", spaced, code=2).stderr
    assert "50.00" in run("account", "show", f"card:{ONE}").stdout


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("typed", "told"),
    [
        (WRONG, "it looks like the number of a card, but one digit of it is wrong: its check digit does not fit"),
        (f"card:{TWO}", "no such card was issued"),
        (f"{ONE},{PIN}", f"a card is meant by its number alone, without a PIN: type card:{ONE}"),
        (f"{ONE}{PIN}", f"a card is meant by its number alone, without a PIN: type card:{ONE}"),
        (f"card:{ONE} {PIN}", f"a card is meant by its number alone, without a PIN: type card:{ONE}"),
    ],
)
def test_what_else_is_typed_for_a_card_is_told_and_no_pin_is_said_again(typed: str, told: str) -> None:
    refused = run("refund", "quote", typed, code=2).stderr
    assert refused == f"Refused: unknown_account: no account has that name; {told}\n"
    assert run("account", "show", typed, code=1).stderr == f"Error: no account has that name; {told}\n"


@pytest.mark.usefixtures("shop")
def test_what_is_no_card_is_told_as_before() -> None:
    refused = run("refund", "quote", "1234", code=2).stderr
    assert refused == "Refused: unknown_account: no account 1234; open it first\n"
    assert run("refund", "list", "nobody", code=1).stderr == "Error: no account nobody\n"


@pytest.mark.usefixtures("shop")
def test_a_ledger_with_such_a_refusal_is_sound_and_is_restored() -> None:
    run("topup", ONE, "5", "--at", "2025-03-01", code=2)
    run("account", "open", ONE)
    run("export", "jsonl", "--output", "books.jsonl")
    run("init", "--db", "again.db")
    run("import", "books.jsonl", "--as-recorded", "--db", "again.db")
    assert data("verify")["head"] == data("verify", "--db", "again.db")["head"]
