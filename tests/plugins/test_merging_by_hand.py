"""Mergers of accounts that operators described, or whose levels they locked, granted and invited to."""

from __future__ import annotations

from typing import Any

import pytest

from stampbook.engine import Engine
from stampbook.testing import Ledger
from stampbook.verifying import verify

PROGRAM = """
[program]
name = "One"
currency = "EUR"
open_accounts = "on first event"
[assets.points]
[attributes]
birthday = "month and day"
segment = "text"
[metrics.spend]
sum = "order.net"
[[plugin]]
use = "merging"
undo = "30 days"
{options}
[[plugin]]
use = "tiers"
metric = "spend"
[[plugin.level]]
name = "blue"
[[plugin.level]]
name = "silver"
reach = "100"
[[plugin.level]]
name = "gold"
reach = "200"
[[plugin.level]]
name = "black"
reach = "100"
invitation = true
"""


def books(options: str = "") -> Ledger:
    ledger = Ledger(PROGRAM.format(options=options))
    for ref in ("old", "new"):
        ledger.post(type="account.opened", account=ref, at="2025-01-01")
    return ledger


def by_hand(ledger: Ledger, kind: str, ref: str, **fields: Any) -> None:
    assert ledger.post(type=kind, account=ref, reason="by hand", at="2025-01-02", **fields).accepted


def merge(ledger: Ledger) -> None:
    assert ledger.post(type="account.merged", account="old", to="new", at="2025-01-10").accepted


def part(ledger: Ledger) -> None:
    assert ledger.post(type="account.unmerged", account="new", to="old", at="2025-01-20").accepted


@pytest.mark.parametrize(
    ("options", "segment", "birthday"),
    [
        ("", "own", "03-14"),
        ("attributes = 'leave'", "own", ""),
        ("[[plugin.fact]]\nname = 'segment'\ntake = 'theirs'", "theirs", "03-14"),
    ],
)
def test_attributes_are_filled_and_kept(options: str, segment: str, birthday: str) -> None:
    ledger = books(options)
    theirs, own = {"segment": "theirs", "birthday": "03-14"}, {"segment": "own"}
    ledger.post(type="account.described", account="old", attributes=theirs, at="2025-01-02")
    ledger.post(type="account.described", account="new", attributes=own, at="2025-01-02")
    merge(ledger)
    assert (ledger.fact("segment", account="new"), ledger.fact("birthday", account="new")) == (segment, birthday)
    part(ledger)
    assert (ledger.fact("segment", account="new"), ledger.fact("birthday", account="new")) == ("own", "")
    assert (ledger.fact("segment", account="old"), ledger.fact("birthday", account="old")) == ("theirs", "03-14")


def test_a_lock_comes_along_holds_ends_and_goes_back() -> None:
    ledger = books()
    by_hand(ledger, "tier.locked", "old", level="silver", until="2025-03-01")
    ledger.post(type="purchase", account="new", amount="300.00", at="2025-01-03")
    merge(ledger)
    assert ledger.fact("tier", account="new") == "silver"
    assert ledger.fact("tier_locked", account="new") == "silver"
    ledger.post(type="purchase", account="new", amount="1.00", at="2025-01-11")
    assert ledger.fact("tier", account="new") == "silver"
    assert ledger.fact("tier", account="new", at="2025-03-01") == "gold"
    part(ledger)
    assert (ledger.fact("tier", account="new"), ledger.fact("tier_locked", account="new")) == ("gold", "")
    assert ledger.fact("tier_locked", account="old") == "silver"
    assert ledger.fact("tier", account="new", at="2025-04-01") == "gold"


@pytest.mark.parametrize(
    ("kind", "old", "new", "taken"),
    [
        ("tier.locked", ("silver", "2025-03-01"), ("gold", "2025-04-01"), "gold"),
        ("tier.locked", ("gold", "2025-05-01"), ("silver", "2025-04-01"), "gold"),
        ("tier.locked", ("silver", "2025-04-01"), ("gold", "2025-04-01"), "silver"),
        ("tier.granted", ("gold", "2025-03-01"), ("silver", "2025-04-01"), "gold"),
        ("tier.granted", ("silver", "2025-05-01"), ("gold", "2025-04-01"), "gold"),
        ("tier.granted", ("silver", "2025-05-01"), None, "silver"),
        ("tier.granted", None, ("silver", "2025-05-01"), "silver"),
    ],
)
def test_of_two_the_stricter_holds(
    kind: str, old: tuple[str, str] | None, new: tuple[str, str] | None, taken: str
) -> None:
    ledger = books()
    for ref, hand in (("old", old), ("new", new)):
        if hand is not None:
            by_hand(ledger, kind, ref, level=hand[0], until=hand[1])
    merge(ledger)
    assert ledger.fact("tier", account="new") == taken
    part(ledger)
    assert ledger.fact(kind.replace(".", "_"), account="new") == ("" if new is None else new[0])


def test_an_invitation_comes_along_and_is_used() -> None:
    ledger = books()
    by_hand(ledger, "tier.invited", "old", level="black")
    ledger.post(type="purchase", account="new", amount="150.00", at="2025-01-03")
    merge(ledger)
    assert ledger.fact("tier", account="new") == "black"


def test_a_lock_that_was_ended_since_does_not_come_back() -> None:
    ledger = books()
    by_hand(ledger, "tier.locked", "new", level="gold", until="2025-02-01")
    by_hand(ledger, "tier.locked", "old", level="silver")
    merge(ledger)
    assert ledger.post(type="tier.unlocked", account="new", reason="put right", at="2025-01-15").accepted
    part(ledger)
    assert ledger.fact("tier_locked", account="new") == ""


def test_the_books_prove_themselves(any_db: str) -> None:
    with Engine.open(any_db, create=True) as engine:
        engine.put_text_in_force(PROGRAM.format(options=""))
        told: list[dict[str, Any]] = [
            {"type": "account.opened", "account": "old", "attributes": {"segment": "a"}},
            {"type": "account.opened", "account": "new"},
            {"type": "tier.locked", "account": "old", "level": "silver", "reason": "r"},
            {"type": "account.merged", "account": "old", "to": "new"},
            {"type": "account.unmerged", "account": "new", "to": "old"},
        ]
        for number, event in enumerate(told):
            assert engine.post({**event, "id": str(number), "at": f"2025-01-0{number + 1}"}).accepted
        assert verify(engine).findings == ()
