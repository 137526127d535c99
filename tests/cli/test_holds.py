"""Holds, returns, transfers and frozen lots on the command line: what an operator can read out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.cli.shop import data, one_line, run

if TYPE_CHECKING:
    from pathlib import Path

AT = ("--at", "2025-05-02T10:00")


def authorise(amount: str = "20.00", hold: str = "table-7") -> None:
    run("hold", "authorise", "1001", amount, "--id", hold, *AT, "--source", "till")


def test_value_is_set_aside_and_listed_by_lot(shop: Path) -> None:
    authorise()
    assert run("hold", "list", "1001").stdout.splitlines() == [
        "1001: 20.00 EUR set aside on 2025-05-02 10:00 until it is captured or released (table-7): 20.00 of lot 1"
    ]
    [hold] = data("hold", "list", "1001")["holds"]
    assert (hold["hold"], hold["source"], hold["remaining"]) == ("table-7", "till", "20.00")
    assert hold["lots"] == [{"lot": 1, "amount": "20.00"}]
    assert run("hold", "list", "1002").stdout == "1002: nothing is set aside\n"


def test_a_hold_of_another_sender_is_found_by_its_id_alone(shop: Path) -> None:
    authorise()
    told = run("hold", "capture", "1001", "table-7", "12.50", "--keep-rest", "--by", "anna").stdout.splitlines()
    assert told[0] == "1001: 12.50 EUR captured of what was set aside (table-7) by anna"
    assert data("hold", "list", "1001")["holds"][0]["remaining"] == "7.50"
    run("hold", "change", "1001", "table-7", "10.00")
    run("hold", "void", "1001", "table-7", "4.00")
    assert data("hold", "capture", "1001", "table-7")["available"]["EUR"] == "51.50"


def test_what_is_not_there_or_too_much_is_refused_with_a_sentence(shop: Path) -> None:
    authorise()
    said = run("hold", "capture", "1001", "table-7", "20.01", code=2).stderr
    assert said == "Refused: over_capture: 20.01 EUR is more than the 20.00 EUR set aside\n"
    assert "has no hold 'table-9'" in run("hold", "void", "1001", "table-9", code=2).stderr


def test_an_id_that_two_senders_used_is_asked_about(shop: Path) -> None:
    authorise("5.00")
    run("hold", "authorise", "1001", "5.00", "--id", "table-7", *AT)
    assert "cli, till all sent an event 'table-7'" in one_line("hold", "void", "1001", "table-7")
    run("hold", "void", "1001", "table-7", "--hold-source", "till")


def test_a_purchase_comes_back_by_line_by_amount_or_whole(shop: Path) -> None:
    told = run("return", "1001", "sale-1", "--line", "1", *AT).stdout.splitlines()
    assert told[0].startswith("1001: return of 4.20 EUR from purchase sale-1")
    assert data("return", "1001", "sale-3", "--amount", "12.00", *AT)["available"]["EUR"] == "82.00"
    assert data("return", "1001", "sale-3", *AT)["available"]["EUR"] == "100.00"
    assert "write the number of the line" in run("return", "1001", "sale-1", "--line", "cake", code=2).stderr


def test_pieces_of_a_line_come_back_by_its_sku(shop: Path) -> None:
    lines = 'lines=[{"sku": "sacher", "quantity": "3", "unit_price": "3.90"}]'
    run("post", "purchase", "1002", lines, "--id", "cakes", *AT)
    told = run("return", "1002", "cakes", "--sku", "sacher=2", *AT).stdout
    assert "return of 7.80 EUR" in told


def test_an_exchange_is_told_with_its_rate_and_refused_at_another(shop: Path) -> None:
    program = (shop / "coffee_shop.toml").read_text(encoding="utf-8").partition("[[example]]")[0]
    rate = (
        '[assets.CHF]\n[[plugin]]\nuse = "stored_value"\n[[plugin.exchange]]\nfrom = "EUR"\nto = "CHF"\nrate = "0.94"\n'
    )
    (shop / "chf.toml").write_text(program + rate, encoding="utf-8")
    run("apply", "chf.toml")
    told = data("exchange", "1001", "50.00", "--to", "CHF", "--rate", "0.94")
    assert told["available"]["CHF"] == "47.00"
    assert told["remembered"] == {"rate": "0.94 CHF for 1 EUR, floor", "got": "47.00 CHF"}
    said = run("exchange", "1001", "1.00", "--to", "CHF", "--rate", "0.95", code=2).stderr
    assert said == "Refused: other_rate: the rate from EUR to CHF is 0.94, not 0.95 (plugin stored_value)\n"
    assert "EUR is not changed into points" in run("exchange", "1001", "1.00", "--to", "points", code=2).stderr


def test_a_transfer_needs_a_program_that_allows_it(shop: Path) -> None:
    assert "the program in force knows no transfer" in one_line("transfer", "1001", "1002", "5", "--asset", "points")


def test_a_lot_is_frozen_and_unfrozen(shop: Path) -> None:
    told = run("account", "freeze", "1001", "--lot", "1", "--reason", "disputed", "--by", "anna").stdout
    assert told.splitlines()[0] == "1001: lots frozen: lot 1 by anna: disputed"
    assert data("account", "show", "1001")["holdings"][0]["available"] == {"asset": "EUR", "amount": "0.00"}
    assert "frozen" in run("account", "show", "1001").stdout
    run("account", "unfreeze", "1001", "--lot", "1", "--reason", "settled")
    assert data("account", "show", "1001")["holdings"][0]["available"] == {"asset": "EUR", "amount": "70.00"}
