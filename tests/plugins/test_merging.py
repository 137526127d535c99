"""Mergers: two accounts become one, with lots, metrics and facts, and for a time two again; what is taken over."""

from __future__ import annotations

from typing import Any

import pytest

from stampbook.testing import Ledger, check_plugin
from stampbook_together import Merging

PROGRAM = """
[program]
name = "One"
currency = "EUR"
time_zone = "Europe/Vienna"
open_accounts = "on first event"

[assets.points]
debt = true

[metrics.spend]
sum = "order.net"
window = "12 months"

[metrics.departments]
per = "line"
distinct = "line.category"
window = "lifetime"

[[plugin]]
use = "merging"
undo = "30 days"
debt = "move"
[[plugin.fact]]
name = "tier"
order = ["silver", "gold", "black"]

[[plugin]]
use = "tiers"
metric = "spend"
review = "calendar year"
[[plugin.level]]
name = "silver"
reach = "100"
[[plugin.level]]
name = "gold"
reach = "200"
[[plugin.level]]
name = "black"
reach = "9000"

[[plugin]]
use = "points"
expires = "12 months"
[[plugin.rule]]
name = "base"
earn = "order.net"
pending = "14 days"

[[plugin]]
use = "refunds"
points_spent = "debt"

[[plugin]]
use = "legacy"
[[plugin.ladder]]
levels = ["silver", "gold", "black"]
"""


def ledger(program: str = PROGRAM) -> Ledger:
    books = Ledger(program)
    buy(books, "old", "2025-01-10", "120.00", "books")
    buy(books, "new", "2025-01-20", "150.00", "books")
    buy(books, "old", "2025-02-01", "30.00", "games")
    books.post(type="topup", account="old", at="2025-02-01T11:00", amount="40.00")
    return books


def buy(books: Ledger, ref: str, day: str, amount: str, category: str = "", **fields: Any) -> None:
    line = {"amount": amount, "category": category}
    assert books.post(type="purchase", account=ref, at=f"{day}T10:00", lines=[line], **fields).accepted


def codes(books: Ledger, kind: str, ref: str, to: str, day: str = "2025-02-02", **fields: Any) -> list[str]:
    outcome = books.post(type=kind, account=ref, to=to, at=f"{day}T12:00", **fields)
    return [objection.code for objection in outcome.objections]


def standing(books: Ledger, ref: str) -> tuple[str, str, str, int, int, str]:
    view = books.view(account=ref)
    metrics = view.metric("spend"), view.metric("departments")
    return (
        books.balance("points", account=ref),
        books.pending("points", account=ref),
        books.balance("EUR", account=ref),
        *metrics,
        view.text("tier"),
    )


def test_everything_goes_to_the_other_account() -> None:
    books = ledger()
    assert codes(books, "account.merged", "old", "new") == []
    assert standing(books, "new") == ("120", "180", "40.00", 30000, 2, "gold")
    old = books.engine.account("old")
    assert old.status == "closed"
    assert not any(lot.remaining for lot in old.lots.values())
    assert books.fact("merged_into", account="old") == "new"
    assert [entry.type for entry in books.journal("old")][-1] == "account.merged"


def test_lots_keep_their_terms() -> None:
    books = ledger()
    before = {(*lot.terms, lot.remaining) for ref in ("old", "new") for lot in books.view(account=ref).lots}
    codes(books, "account.merged", "old", "new")
    assert {(*lot.terms, lot.remaining) for lot in books.view(account="new").lots} == before


def test_a_merger_is_undone_with_what_is_still_there() -> None:
    books = ledger()
    now = standing(books, "new")
    codes(books, "account.merged", "old", "new")
    books.post(type="spend", account="new", asset="points", amount="100", at="2025-02-03T10:00")
    assert codes(books, "account.unmerged", "new", "old", "2025-02-03") == []
    assert standing(books, "old") == ("20", "30", "40.00", 15000, 2, "silver")
    assert standing(books, "new")[:5] == ("0", "150", *now[2:5])
    assert books.engine.account("old").status == "open"
    assert books.fact("merged_into", account="old") == ""
    assert codes(books, "account.unmerged", "new", "old", "2025-02-03") == ["not_merged"]
    assert codes(books, "account.merged", "old", "new", "2025-02-04") == []


def test_what_was_earned_since_stays() -> None:
    books = ledger()
    codes(books, "account.merged", "old", "new")
    buy(books, "new", "2025-02-02", "10.00")
    codes(books, "account.unmerged", "new", "old", "2025-02-03")
    assert standing(books, "new")[:2] == ("0", "160")


def test_it_is_undone_within_the_time_only() -> None:
    books = ledger()
    codes(books, "account.merged", "old", "new")
    assert codes(books, "account.unmerged", "new", "old", "2025-03-05") == ["not_merged"]
    assert books.engine.account("old").status == "closed"


@pytest.mark.parametrize(
    ("ref", "to", "code"),
    [("old", "old", "same_account"), ("old", "nobody", "unknown_account"), ("new", "gone", "account_closed")],
)
def test_what_cannot_be_merged(ref: str, to: str, code: str) -> None:
    books = ledger()
    for kind in ("account.opened", "account.closed"):
        books.post(type=kind, account="gone", at="2025-02-01T12:00")
    before = standing(books, ref)
    assert codes(books, "account.merged", ref, to) == [code]
    assert standing(books, ref) == before


def test_what_is_held_is_not_merged() -> None:
    books = ledger()
    books.post(type="hold.authorised", account="old", at="2025-02-01T12:00", amount="5.00")
    assert codes(books, "account.merged", "old", "new") == ["open_holds"]


def test_a_second_merger_of_the_same_account_is_refused_and_the_same_event_is_no_second() -> None:
    books = ledger()
    event = {"type": "account.merged", "id": "m", "account": "old", "to": "new", "at": "2025-02-02T10:00"}
    assert books.post(**event).accepted
    assert books.post(**event).replayed
    assert codes(books, "account.merged", "old", "new") == ["account_merged"]


def owing() -> Ledger:
    books = ledger()
    buy(books, "low", "2025-01-10", "50.00", id="tv")
    books.post(type="spend", account="low", asset="points", amount="50", at="2025-01-25T10:00")
    books.post(type="return", account="low", purchase="tv", at="2025-01-26T10:00")
    assert books.owed("points", account="low") == "50"
    return books


def test_debt_goes_along_and_is_paid_from_what_is_there() -> None:
    books = owing()
    assert codes(books, "account.merged", "low", "old") == []
    assert (books.balance("points", account="old"), books.owed("points", account="old")) == ("70", "0")
    assert books.owed("points", account="low") == "0"
    books = owing()
    assert codes(books, "account.merged", "low", "new") == []  # all of new is pending
    assert (books.pending("points", account="new"), books.owed("points", account="new")) == ("150", "50")


def test_or_an_account_that_owes_is_not_merged() -> None:
    books = owing()
    strict = Ledger(PROGRAM.replace('debt = "move"', ""))
    buy(strict, "low", "2025-01-10", "50.00", id="tv")
    strict.post(type="spend", account="low", asset="points", amount="50", at="2025-01-25T10:00")
    strict.post(type="return", account="low", purchase="tv", at="2025-01-26T10:00")
    buy(strict, "new", "2025-01-10", "50.00")
    assert codes(strict, "account.merged", "low", "new") == ["debt"]
    assert codes(books, "account.merged", "new", "low") == []
    assert books.owed("points", account="low") == "0"


@pytest.mark.parametrize(
    ("rule", "tier"),
    [
        ('order = ["silver", "gold", "black"]', "black"),
        ('order = ["black", "silver", "gold"]', "silver"),
        ('take = "theirs"', "black"),
        ('take = "keep"', "silver"),
    ],
)
def test_the_tier_is_a_policy(rule: str, tier: str) -> None:
    text = PROGRAM.replace('order = ["silver", "gold", "black"]', rule).replace('undo = "30 days"', 'metrics = "leave"')
    books = ledger(text)
    assert books.post(type="legacy.imported", account="old", level="black", at="2025-02-01T12:00").accepted
    codes(books, "account.merged", "old", "new")
    assert books.fact("tier", account="new") == tier
    assert books.view(account="new").metric("spend") == 15000


def test_it_keeps_the_contract() -> None:
    check_plugin(Merging, {"undo": "30 days"})
