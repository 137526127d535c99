"""What operators do with cards on the command line, in sentences for the phone."""

from __future__ import annotations

import json
import stat
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from stampbook import Engine
from stampbook.cli import cli
from stampbook.verifying import verify
from tests.cli.shop import data, run
from tests.plugins.cards import KEY, NUMBERS, PROGRAM

if TYPE_CHECKING:
    from pathlib import Path

ONE, TWO, THREE = NUMBERS[:3]
SPACED = f"{ONE[:4]} {ONE[4:8]} {ONE[8:]}"
BY = ("--reason", "lost on a train", "--by", "kim")
PIN, WRONG = "80417263", "91528374"


@pytest.fixture(params=["on first event", "refuse"])
def shop(empty: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("STAMPBOOK_CARD_KEY", KEY)
    text = (
        PROGRAM.replace("on first event", request.param) + 'expires = "3 years"\nbearer_most = "1000"\nwrong_pins = 2\n'
    )
    (empty / "cards.toml").write_text(text, encoding="utf-8")
    (empty / "numbers.csv").write_text(f"{ONE},{PIN}\n{TWO}\n{THREE}\n", encoding="utf-8")
    Engine.open("sqlite:///stampbook.db", create=True).close()
    run("apply", "cards.toml")
    run("account", "open", "ann")
    assert run("card", "issue", "numbers.csv", "--batch", "spring").output == "3 cards issued\n"
    return empty


def typed(pin: str, *arguments: str, code: int = 0) -> Result:
    """Run a command that asks for a PIN, and give it."""
    result = CliRunner().invoke(cli, arguments, input=f"{pin}\n", prog_name="stampbook", catch_exceptions=False)
    assert result.exit_code == code, result.output
    assert PIN not in result.output
    return result


@pytest.mark.usefixtures("shop")
def test_a_card_from_sale_to_claim() -> None:
    assert run("card", "show", ONE).output == f"Card {SPACED} was issued and not sold yet.\n"
    sold = run("card", "activate", SPACED, "50", "--tender", "cash").output
    assert sold.startswith(f"Card {SPACED} has 50.00 GBP on it and is good until 20")
    refused = run("card", "activate", ONE, "50", "--tender", "cash", code=2)
    assert refused.stderr == "Refused: not_issued: the card cannot be activated: it was activated before\n"
    assert run("card", "topup", ONE, "950.01", "--tender", "cash", code=2).stderr == (
        "Refused: above_ceiling: a bearer card holds 1000.00 GBP at most; it would hold 1000.01 GBP\n"
    )
    assert run("card", "claim", ONE, "ann", code=2).stderr == (
        "Refused: pin_required: the card has a PIN, which is asked for\n"
    )
    claimed = typed(PIN, "card", "claim", ONE, "ann", "--pin")
    assert claimed.stdout.endswith(f"Card {SPACED} was claimed for account ann, where its money is now.\n")


@pytest.mark.usefixtures("shop")
def test_a_lost_card_is_blocked_and_replaced() -> None:
    run("card", "activate", TWO, "20", "--tender", "card")
    assert "It is blocked: lost on a train\n" in run("card", "block", TWO, *BY).output
    assert run("card", "block", TWO, "--reason", "x", code=2).stderr.count("--by")
    assert run("card", "unblock", TWO, *BY).output.count("\n") == 1
    replaced = run("card", "replace", TWO, THREE, *BY).output
    new = f"{THREE[:4]} {THREE[4:8]} {THREE[8:]}"
    assert f"was replaced by {new} and can never be used again.\n" in replaced
    assert "has 20.00 GBP on it" in run("card", "show", THREE).output
    assert "It stands for " in run("card", "show", THREE).output
    assert run("card", "unblock", TWO, *BY, code=2).stderr.startswith("Refused: account_closed: ")


@pytest.mark.usefixtures("shop")
def test_wrong_pins_lock_a_card_and_an_operator_unlocks_it() -> None:
    run("card", "activate", ONE, "50", "--tender", "cash")
    assert "has 50.00 GBP" in typed(PIN, "card", "balance", ONE, "--pin").stdout
    assert "1 try is left" in typed(WRONG, "card", "balance", ONE, "--pin", code=2).stderr
    assert "Wrong PINs given since the last right one: 1." in run("card", "show", ONE).output
    assert "locked now" in typed(WRONG, "card", "balance", ONE, "--pin", code=2).stderr
    assert "Too many wrong PINs were given; unlock it." in run("card", "show", ONE).output
    run("card", "unlock", ONE, *BY)
    typed("1234", "card", "pin", ONE, *BY)
    assert "has 50.00 GBP" in typed("1234", "card", "balance", ONE, "--pin").stdout


@pytest.mark.usefixtures("shop")
def test_json_says_the_same_as_the_sentences() -> None:
    state = data("card", "activate", TWO, "20", "--tender", "cash")
    expected = {
        "number": TWO,
        "state": "active",
        "balance": "20.00",
        "currency": "GBP",
        "batch": "spring",
        "pin": False,
    }
    assert {key: state[key] for key in expected} == expected
    assert data("card", "show", TWO) == {key: value for key, value in state.items() if key != "event"}
    refused: dict[str, Any] = json.loads(run("card", "reactivate", TWO, *BY, "--json", code=2).stdout)
    assert [each["code"] for each in refused["objections"]] == ["not_over"]
    assert data("card", "claim", TWO, "ann", "--stays")["holder"] == "ann"
    assert run("card", "show", TWO).output.endswith("It is registered for account ann.\n")


@pytest.mark.usefixtures("shop")
def test_an_id_of_ones_own_is_posted_once() -> None:
    for _ in range(2):
        run("card", "activate", TWO, "20", "--tender", "cash", "--id", "sale-1")
    assert data("card", "show", TWO)["balance"] == "20.00"


def test_a_list_of_cards_is_issued_again_from_the_start(shop: Path) -> None:
    (shop / "more.csv").write_text(f"{ONE},1234\n{NUMBERS[3]}\n603512345678\n", encoding="utf-8")
    issued = run("card", "issue", "more.csv", code=2)
    assert issued.stdout == "1 cards issued, 1 there already, 1 refused\n"
    assert "603512345678" in issued.stderr


def test_numbers_are_made_with_pins_into_a_file_of_ones_own(shop: Path) -> None:
    run("card", "make", "50", "new.csv", "--pin-digits", "6")
    path = shop / "new.csv"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    rows = [line.split(",") for line in path.read_text(encoding="utf-8").splitlines()]
    assert len({number for number, _ in rows}) == 50
    assert {len(pin) for _, pin in rows} == {6}
    assert run("card", "make", "5", "new.csv", code=1).stderr.startswith("Error: new.csv cannot be written")
    assert run("card", "issue", "new.csv").output == "50 cards issued\n"
    with Engine.open("sqlite:///stampbook.db") as engine:
        assert verify(engine).findings == ()


@pytest.mark.usefixtures("shop")
def test_a_number_that_is_none_is_told_in_one_line() -> None:
    told = run("card", "show", "6035 9999 9999", code=1).stderr
    assert told == "Error: no card 6035 9999 9999 was issued\n"
