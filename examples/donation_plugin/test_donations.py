"""The tests of the plugin: by its program, by the contract, and by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from stampbook_donations import Donations

from stampbook import ProgramError, load_program, load_program_file
from stampbook.testing import Ledger, check_examples, plugin_checks
from stampbook.testing.strategies import histories

PROGRAM = (Path(__file__).parent / "program.toml").read_text(encoding="utf-8")
GIFT = {"type": "donation", "account": "a", "asset": "points", "charity": "hedgehogs"}
GIFTS = [
    {**GIFT, "id": "gift-1", "at": "2025-06-01T10:00", "amount": "5"},
    {**GIFT, "id": "gift-2", "at": "2025-06-02T10:00", "amount": "9999999"},
]


@pytest.mark.parametrize("check", plugin_checks(Donations, {"charities": ["hedgehogs"]}, events=GIFTS), ids=str)
def test_it_keeps_the_contract(check: Any) -> None:
    check()


def test_the_examples_of_its_program_hold() -> None:
    registry = load_program_file(Path(__file__).parent / "program.toml", plugins={"donations": Donations})
    assert [result for result in check_examples(registry) if not result.ok] == []


def test_a_gift_is_in_the_books_of_its_charity() -> None:
    ledger = Ledger(PROGRAM, plugins={"donations": Donations})
    ledger.post(type="purchase", amount="100.00")
    outcome = ledger.post(type="donation", asset="points", amount="60", charity="lifeboats")
    [posting] = outcome.postings
    assert (posting.amount, posting.destination) == (60, "charity:lifeboats")
    assert ledger.balance("points") == "40"


def test_a_patron_is_one_until_the_year_is_over() -> None:
    ledger = Ledger(PROGRAM, plugins={"donations": Donations})
    ledger.post(type="purchase", amount="600.00", at="2025-11-01T10:00")
    ledger.post(type="donation", asset="points", amount="500", charity="lifeboats")
    assert ledger.fact("patron") == "yes"
    ledger.post(type="purchase", amount="1.00", at="2026-01-01T10:00")
    assert ledger.fact("patron") == ""


def test_options_that_do_not_fit_the_program_are_mistakes_of_the_program() -> None:
    wrong = PROGRAM.replace('metric = "given"', 'metric = "gven"').replace('least = "50"', 'least = "0.5"')
    with pytest.raises(ProgramError, match="has more than 0 decimals"):
        load_program(wrong, plugins={"donations": Donations})


_gifts = st.builds(
    lambda amount, charity: {"type": "donation", "asset": "points", "amount": str(amount), "charity": charity},
    st.integers(1, 400),
    st.sampled_from(["lifeboats", "hedgehogs", "pandas"]),
)


@given(histories(more=_gifts))
def test_nothing_is_given_twice_and_nothing_is_lost(events: list[dict[str, Any]]) -> None:
    ledger = Ledger(PROGRAM, plugins={"donations": Donations})
    given_away = granted = 0
    for event in events:
        outcome = ledger.post(**event)
        for posting in outcome.postings:
            if posting.asset == "points":
                granted += posting.amount if isinstance(posting.destination, int) else -posting.amount
                given_away += posting.amount if str(posting.destination).startswith("charity:") else 0
    assert given_away >= 0
    assert granted == int(ledger.balance("points"))
