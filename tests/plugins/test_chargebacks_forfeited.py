"""A payment system takes money back that the shop has kept by then: its income is undone, and nobody owes it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from shutil import which
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stampbook.engine import Engine
from stampbook.testing import Ledger
from stampbook.totals import asset_totals
from stampbook.verifying import verify
from tests.cli.shop import run
from tests.effort import examples
from tests.plugins.cards import ONE
from tests.plugins.cards import PROGRAM as CARDS
from tests.plugins.proof import findings

HEAD = """
[program]
name = "Kept"
currency = "GBP"
open_accounts = "on first event"
[assets.GBP]
debt = {debt}
on_close = "forfeit"
[assets.points]
debt = true
[[plugin]]
use = "points"
[[plugin.rule]]
name = "bonus"
on = ["topup"]
earn = "event.amount / 10"
asset = "GBP"
kind = "bonus"
[[plugin.rule]]
name = "gift"
on = ["topup"]
earn = "event.amount"
[[plugin]]
use = "refunds"
points_spent = "debt"
[plugin.chargeback]
closed = "reopen"
{options}
"""


def text(options: str = "", debt: str = "true") -> str:
    return HEAD.format(options=options, debt=debt)


TOLD: list[dict[str, Any]] = [
    {"type": "topup", "id": "t", "amount": "100.00"},
    {"type": "spend", "id": "s", "amount": "40.00"},
    {"type": "spend", "id": "p", "asset": "points", "amount": "25"},
    {"type": "account.closed", "id": "c"},
    {"type": "topup.charged_back", "id": "b", "about": "t"},
]
EVENTS = [{**each, "source": "till", "account": "customer", "at": f"2025-01-{n:02}"} for n, each in enumerate(TOLD, 1)]


def told(program: str) -> Ledger:
    ledger = Ledger(program)
    for event in EVENTS[:-1]:
        assert ledger.post(**event).accepted
    return ledger


def test_the_account_owes_what_was_spent_and_not_what_the_shop_had_kept() -> None:
    ledger = told(text())
    outcome = ledger.post(**EVENTS[-1])
    kept = outcome.memo["remembered"]
    assert (kept["taken"], kept["forfeited"], kept["owed"]) == ("0.00", "70.00", "30.00"), "10.00 of bonus went first"
    assert (ledger.owed("GBP"), ledger.owed("points")) == ("40.00", "25"), "with 10.00 of bonus that was spent"
    assert ledger.view().status == "frozen"


def test_in_parts_the_income_of_the_shop_is_undone_first() -> None:
    ledger = told(text())
    first, second, third = (
        ledger.post(type="topup.charged_back", source="till", about="t", amount=amount)
        for amount in ("60.00", "25.00", "15.00")
    )
    assert first.memo["remembered"]["forfeited"] == "60.00"
    assert (second.memo["remembered"]["forfeited"], second.memo["remembered"]["owed"]) == ("10.00", "15.00")
    assert third.memo["remembered"]["owed"] == "15.00"
    assert (ledger.owed("GBP"), ledger.owed("points")) == ("40.00", "25")


def test_news_from_before_the_closing_finds_the_same() -> None:
    late = {**EVENTS[-1], "at": "2025-01-03T12:00"}
    ledger = told(text())
    assert ledger.post(**late).memo["remembered"]["owed"] == "30.00"
    assert ledger.owed("GBP") == "40.00"
    assert not findings(text(), [*EVENTS[:-1], late])


def test_it_is_so_where_nothing_is_owed_at_all() -> None:
    ledger = told(text('rest = "let_go"', debt="false"))
    kept = ledger.post(**EVENTS[-1]).memo["remembered"]
    assert (kept["forfeited"], kept["lost"]) == ("70.00", "30.00")
    assert ledger.owed("GBP") == "0.00"


def test_the_books_have_no_income_of_what_was_charged_back(any_db: str, tmp_path: Path) -> None:
    with Engine.open(any_db, create=True) as engine:
        engine.put_text_in_force(text())
        assert all(outcome.accepted for outcome in engine.process(EVENTS))
        assert verify(engine).findings == ()
        [money] = [each for each in asset_totals(engine) if each.asset == "GBP"]
        assert (money.paid_in, money.expired, money.spent, money.outstanding) == (0, 0, 40_00, -40_00)
    for kind, checks in (
        ("beancount", [str(Path(sys.executable).parent / "bean-check")]),
        ("hledger", ["hledger", "check", "-s", "ordereddates", "assertions", "-f"]),
    ):
        path = tmp_path / f"books.{kind}"
        run("--db", any_db, "export", kind, "--output", str(path))
        if which(checks[0]) is None:
            pytest.skip(f"{kind} is not installed")
        checked = subprocess.run([*checks, str(path)], check=False, capture_output=True, text=True)
        assert not checked.returncode, checked.stdout + checked.stderr


def test_a_card_that_has_lapsed_is_charged_back_out_of_the_income_too() -> None:
    more = '\nexpires = "12 months"\nover = "lapses"\n[assets.GBP]\ndebt = true\n'
    program = CARDS + more + '[[plugin]]\nuse = "refunds"\n[plugin.chargeback]\n'
    events = [
        {"type": "card.issued", "id": "i", "at": "2025-01-01"},
        {"type": "card.activated", "id": "a", "at": "2025-01-02", "amount": "50.00", "tender": "card"},
        {"type": "card.spent", "id": "s", "at": "2025-02-02", "amount": "20.00"},
        {"type": "topup.charged_back", "id": "b", "at": "2026-03-01", "about": "a"},
    ]
    events = [{**each, "source": "till", "account": ONE} for each in events]
    ledger = Ledger(program)
    *_, outcome = [ledger.post(**event) for event in events]
    kept = outcome.memo["remembered"]
    assert (kept["forfeited"], kept["owed"], ledger.owed("GBP", account=ONE)) == ("30.00", "20.00", "20.00")
    assert not findings(program, events)


@examples(25, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["back", "spend", "close", "topup"]), st.integers(1, 7000)), max_size=9),
    st.booleans(),
)
def test_income_debt_and_what_is_left_come_to_what_was_charged_back(steps: list[tuple[str, int]], owes: bool) -> None:  # noqa: FBT001
    program = text("freeze = false" + ("" if owes else '\nrest = "let_go"'), str(owes).lower())
    ledger, sent = Ledger(program), [EVENTS[0]]
    ledger.post(**EVENTS[0])
    back = 0
    for number, (kind, pence) in enumerate(steps, 2):
        event: dict[str, Any] = {
            "id": f"e{number}",
            "source": "till",
            "account": "customer",
            "at": f"2025-01-{number:02}",
        }
        event |= {"amount": f"{pence / 100:.2f}"} if kind != "close" else {}
        names = {"back": "topup.charged_back", "spend": "spend", "close": "account.closed", "topup": "topup"}
        event |= {"type": names[kind], **({"about": "t"} if kind == "back" else {})}
        sent.append(event)
        outcome = ledger.post(**event)
        if kind == "back" and outcome.accepted:
            kept = outcome.memo["remembered"]
            parts = (kept.get(name, "0") for name in ("taken", "forfeited", "owed", "lost"))
            assert sum(round(float(part) * 100) for part in parts) == pence
            back += pence
        postings = [each for entry in ledger.journal("customer") for each in entry.postings if each.asset == "GBP"]
        income = sum(
            each.amount * ((each.destination == "breakage") - (each.source == "breakage")) for each in postings
        )
        assert income >= 0, "no more income is undone than there was"
        assert back <= 100_00
    assert not findings(program, sent)
    assert not findings(program, sent, 1)
