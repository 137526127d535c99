"""The alert of limited networks: more than 1,000,000 EUR in twelve months is notified (PSD2 Article 37(2))."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stampbook import Engine, ProgramError, load_program
from stampbook.periods import Calendar
from tests.cli.shop import run

TEXT = """
[program]
name = "Network"
currency = "{currency}"
time_zone = "Europe/Dublin"
open_accounts = "on first event"
[[plugin]]
use = "refunds"
[[plugin]]
use = "liability"
[[plugin.stored_value]]
jurisdiction = "{place}"
{more}
"""


def text(currency: str = "EUR", place: str = "EU", more: str = "") -> str:
    return TEXT.format(currency=currency, place=place, more=more)


def books(db: str, program: str, *spent: tuple[str, str], back: str = "") -> None:
    with Engine.open(db, create=True, clock=lambda: Calendar("Europe/Dublin").parse("2026-12-31")) as engine:
        engine.put_text_in_force(program)
        base = {"source": "till", "account": "a"}
        events: list[dict[str, Any]] = [
            {**base, "type": "topup", "id": "t", "amount": "3000000.00", "at": "2024-01-01"},
            *(
                {
                    **base, "type": "purchase", "id": f"s{number}", "amount": amount, "at": at,
                    "tenders": [{"kind": "stored_value", "amount": amount}],
                }
                for number, (at, amount) in enumerate(spent)
            ),
        ]  # fmt: skip
        if back:
            events.append({**base, "type": "return", "id": "b", "purchase": "s0", "at": back})
        assert all(outcome.accepted for outcome in engine.process(events))


def network(db: str, as_of: str) -> Any:
    [row] = json.loads(run("--db", db, "liability", "--as-of", as_of, "--json").stdout)["stored_value"]
    return row["limited_network"]


def test_exactly_a_million_is_not_notified_and_a_cent_more_is(any_db: str) -> None:
    books(any_db, text(), ("2025-03-01", "999999.99"), ("2025-03-02", "0.01"), ("2025-03-03", "0.01"))
    at = network(any_db, "2025-03-02")
    assert (at["spent"], at["euro"], at["most"], at["notify"]) == ("1000000.00", "1000000.00", "1000000.00", False)
    above = network(any_db, "2025-03-03")
    assert (above["euro"], above["notify"]) == ("1000000.01", True)
    assert "Art. 37(2)" in above["law"]


def test_twelve_months_end_with_the_instant(any_db: str) -> None:
    books(any_db, text(), ("2024-06-01T00:00", "600000.00"), ("2025-03-01", "400000.01"))
    assert network(any_db, "2025-05-31")["notify"]
    assert network(any_db, "2025-06-01")["spent"] == "400000.01"


def test_a_transaction_counts_though_it_was_returned(any_db: str) -> None:
    books(any_db, text(place="IE"), ("2025-03-01", "1000000.01"), back="2025-03-05")
    assert network(any_db, "2025-03-31")["notify"]


def test_pounds_are_counted_in_euro_at_the_rate_of_the_program(any_db: str) -> None:
    books(any_db, text("GBP", "UK", 'euro_rate = "1.17"'), ("2025-03-01", "854700.85"), ("2025-03-02", "0.01"))
    first, second = network(any_db, "2025-03-01"), network(any_db, "2025-03-02")
    assert (first["euro"], first["notify"]) == ("999999.99", False)
    assert (second["euro"], second["notify"]) == ("1000000.00", True)  # 1000000.0062
    assert "PSRs 2017 reg. 38" in second["law"]


def test_the_report_says_it_in_a_sentence(sqlite_db: str) -> None:
    books(sqlite_db, text(), ("2025-03-01", "1000000.01"))
    told = run("--db", sqlite_db, "liability", "--as-of", "2025-03-31").stdout
    assert (
        "  limited network: 1000000.01 EUR were spent in 365 days; above 1000000.00 EUR the authority is notified, "
        "and so it is now (Directive (EU) 2015/2366 Art. 37(2))\n"
    ) in told
    assert "it is not so far" in run("--db", sqlite_db, "liability", "--as-of", "2025-02-28").stdout


def test_other_laws_have_no_such_bound(sqlite_db: str) -> None:
    books(sqlite_db, text("USD", "US-DE"), ("2025-03-01", "1000000.01"))
    assert network(sqlite_db, "2025-03-31") is None


def test_without_a_rate_the_check_says_that_nobody_watches() -> None:
    [plugin] = [each for each in load_program(text("GBP", "UK")).plugins if each.name == "liability"]
    assert "PSRs 2017 reg. 38" in plugin.cautions[0][1]
    assert "without euro_rate" in plugin.cautions[0][1]
    for fine in (text(), text("GBP", "UK", 'euro_rate = "1.17"'), text("USD", "US-DE")):
        assert not [each.cautions for each in load_program(fine).plugins if each.name == "liability" and each.cautions]


@pytest.mark.parametrize(("place", "rate"), [("US-DE", "1.17"), ("UK", "0"), ("UK", "0.00")])
def test_a_rate_that_cannot_be_meant_is_a_mistake(place: str, rate: str) -> None:
    with pytest.raises(ProgramError, match="euro_rate: above zero, and only in EU, IE, UK"):
        load_program(text("GBP", place, f'euro_rate = "{rate}"'))


def test_the_pack_tells_whom_to_notify() -> None:
    program = text().replace('use = "refunds"', 'use = "payouts"\npacks = ["uk-eu"]\nrefunds = "none"')
    [plugin] = [each for each in load_program(program).plugins if each.name == "payouts"]
    assert any("37(2)" in told and "limited_network" in told for _, told in plugin.cautions)
