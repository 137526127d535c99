"""Households share what waits for the completion of a purchase, and what achievements, levels and friends bring."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stampbook.testing import Ledger
from tests.plugins.proof import findings, ledger_of, picture

PROGRAM = """
[program]
name = "Families"
currency = "EUR"
open_accounts = "on first event"

[assets.points]
debt = true

[metrics.visits]
count = true
[metrics.spend]
sum = "order.net"

[[plugin]]
use = "households"
share = "SHARE"
points_spent = "debt"

[[plugin]]
use = "achievements"
[[plugin.achievement]]
name = "third"
metric = "visits"
goal = "3"
grants = "11"
asset = "points"
repeat = "every time"

[[plugin]]
use = "tiers"
metric = "spend"
returns = "at once"
[[plugin.level]]
name = "blue"
[[plugin.level]]
name = "gold"
reach = "100"
[[plugin.level.gift]]
name = "welcome"
amount = "20"
take_back = true

[[plugin]]
use = "points"
expires = "12 months"
[[plugin.rule]]
name = "base"
earn = "order.net"
matures = "on completion"

[[plugin]]
use = "refunds"
points_spent = "debt"
"""


def family(share: str = "50") -> Ledger:
    books = Ledger(PROGRAM.replace("SHARE", share))
    for ref in ("home", "ann"):
        books.post(type="account.opened", account=ref, at="2025-01-01T10:00")
    assert books.post(type="household.joined", account="ann", to="home").accepted
    return books


def say(books: Ledger, kind: str, day: int, **fields: Any) -> None:
    outcome = books.post(type=kind, account="ann", at=f"2025-02-{day:02}T10:00", **fields)
    assert outcome.accepted, outcome.objections


def both(books: Ledger) -> list[tuple[str, str]]:
    return [(books.balance("points", account=ref), books.pending("points", account=ref)) for ref in ("ann", "home")]


@pytest.mark.parametrize(("share", "ann", "home"), [("50", "4", "3"), ("100", "0", "7")])
def test_what_waits_is_shared_and_matures_on_both_sides(share: str, ann: str, home: str) -> None:
    books = family(share)
    say(books, "purchase", 1, id="p", amount="7.00")
    assert both(books) == [("0", ann), ("0", home)]
    say(books, "purchase.completed", 2, purchase="p")
    assert both(books) == [(ann, "0"), (home, "0")]


def test_what_came_back_before_does_not_mature() -> None:
    books = family()
    say(books, "purchase", 1, id="p", amount="8.00")
    say(books, "return", 2, purchase="p", amount="4.00")
    say(books, "purchase.completed", 3, purchase="p")
    assert both(books) == [("2", "0"), ("2", "0")]
    say(books, "return", 4, purchase="p")
    assert both(books) == [("0", "0"), ("0", "0")]


def test_a_cancelled_purchase_leaves_nothing_on_either_side() -> None:
    books = family()
    say(books, "purchase", 1, id="p", amount="8.00")
    say(books, "purchase.cancelled", 2, purchase="p")
    assert both(books) == [("0", "0"), ("0", "0")]


def test_a_return_takes_what_matured_and_not_what_still_waits() -> None:
    books = family("100")
    say(books, "purchase", 1, id="p", amount="8.00")
    say(books, "purchase", 1, id="q", amount="8.00")
    say(books, "purchase.completed", 2, purchase="p")
    say(books, "return", 3, purchase="p")
    assert both(books)[1] == ("0", "8")
    say(books, "purchase.completed", 4, purchase="q")
    assert both(books)[1] == ("8", "0")


def test_a_return_leaves_what_waits_where_several_matured_into_one_lot() -> None:
    books = family("100")
    for name in ("p", "q", "r"):
        say(books, "purchase", 1, id=name, amount="8.00")
    for name in ("p", "q"):
        say(books, "purchase.completed", 2 if name == "p" else 3, purchase=name)
    say(books, "return", 4, purchase="q")
    assert both(books)[1] == ("8", "8")


@pytest.mark.parametrize(("share", "spent", "pool"), [("50", 0, "0"), ("100", 0, "0"), ("50", 2, "2")])
def test_what_a_friend_brings_is_shared_and_undone_on_both_sides(share: str, spent: int, pool: str) -> None:
    table = '[[plugin]]\nuse = "referral"\nmetric = "visits"\nfriend = "6"\nreferrer = "6"\nonly_new = false\n'
    books = Ledger(PROGRAM.replace("SHARE", share) + table)
    for ref in ("home", "ann", "ben"):
        books.post(type="account.opened", account=ref, at="2025-01-01T10:00")
    assert books.post(type="household.joined", account="ann", to="home", at="2025-01-01T11:00").accepted
    say(books, "account.referred", 1, by="ben")
    say(books, "purchase", 2, id="p", amount="0.50")
    own = 6 - 6 * int(share) // 100
    assert both(books) == [(str(own), "0"), (str(6 - own), "0")]
    if spent:
        say(books, "spend", 3, asset="points", amount=str(spent))
    say(books, "return", 4, purchase="p")
    assert both(books) == [("0", "0"), (pool, "0")]  # of her 3 one may be there: so much goes of the pool's part


def test_an_achievement_is_shared_and_undone_on_both_sides() -> None:
    books = family()
    for day in (1, 2, 3):
        say(books, "purchase", day, id=f"p{day}", amount="0.50")
    assert both(books) == [("6", "0"), ("5", "0")]
    say(books, "return", 4, purchase="p3")
    assert both(books) == [("0", "0"), ("0", "0")]
    say(books, "purchase", 5, amount="0.50")
    assert both(books) == [("6", "0"), ("5", "0")]


def test_of_one_that_is_all_the_pool_s_the_pool_gives_all_back_or_owes_it() -> None:
    books = family("100")
    for day in (1, 2, 3):
        say(books, "purchase", day, id=f"p{day}", amount="0.50")
    assert both(books) == [("0", "0"), ("11", "0")]
    spent = {"member": "ann", "asset": "points", "amount": "5", "at": "2025-02-03T12:00"}
    assert books.post(type="household.spent", account="home", **spent).accepted
    say(books, "return", 4, purchase="p3")
    assert (both(books)[1], books.owed("points", account="home")) == (("0", "0"), "5")


def test_the_gift_of_a_level_is_shared_and_undone_on_both_sides() -> None:
    books = family()
    say(books, "purchase", 1, id="p", amount="100.00")
    assert both(books) == [("10", "50"), ("10", "50")]
    say(books, "return", 2, purchase="p")
    assert (both(books), books.fact("tier", account="ann")) == ([("0", "0"), ("0", "0")], "blue")


_CENTS = st.lists(st.integers(50, 900), min_size=1, max_size=6)


@given(cents=_CENTS, share=st.sampled_from(["33.3", "50", "100"]), data=st.data())
@settings(max_examples=25, deadline=None)
def test_both_sides_together_have_what_one_account_alone_would_have(
    cents: list[int], share: str, data: st.DataObject
) -> None:
    events: list[dict[str, Any]] = []
    for number, each in enumerate(cents):
        events.append({"type": "purchase", "id": f"p{number}", "amount": f"{each / 100:.2f}"})
        done = data.draw(st.sampled_from(["", "purchase.completed", "purchase.cancelled", "both"]))
        if done == "both":
            events.append({"type": "purchase.completed", "id": f"c{number}", "purchase": f"p{number}"})
        if done:
            kind = "return" if done == "both" else done
            events.append({"type": kind, "id": f"d{number}", "purchase": f"p{number}"})
    full = [{**event, "account": "ann", "at": f"2025-02-01T10:{place:02}"} for place, event in enumerate(events)]
    opened = [
        {"type": "account.opened", "id": f"o{ref}", "account": ref, "at": "2025-01-01"} for ref in ("home", "ann")
    ]
    joined = {"type": "household.joined", "id": "j", "account": "ann", "to": "home", "at": "2025-01-02"}
    text = PROGRAM.replace("SHARE", share)
    together, alone = ledger_of(text, [*opened, joined, *full]), ledger_of(text, [*opened, *full])
    at = max(together.account("ann").clock, alone.account("ann").clock)

    def sums(books: Any) -> tuple[int, int]:
        accounts = [books.account(ref) for ref in ("ann", "home")]
        free = sum(account.balance("points", at) - account.owed("points") for account in accounts)
        return free, sum(account.pending("points", at) for account in accounts)

    assert sums(together) == sums(alone)
    many = ledger_of(text, [*opened, joined, *full], 1)
    assert [picture(many.account(ref)) for ref in ("ann", "home")] == [
        picture(together.account(ref)) for ref in ("ann", "home")
    ]


def test_the_books_verify() -> None:
    events = [
        {"type": "account.opened", "id": f"o{ref}", "account": ref, "at": "2025-01-01"} for ref in ("home", "ann")
    ]
    events.append({"type": "household.joined", "id": "j", "account": "ann", "to": "home", "at": "2025-01-02"})
    bought = {"type": "purchase", "account": "ann", "amount": "60.00"}
    events.extend({**bought, "id": f"p{n}", "at": f"2025-02-0{n + 1}"} for n in range(4))
    events.append({"type": "purchase.completed", "id": "c", "account": "ann", "purchase": "p1", "at": "2025-02-05"})
    events.extend(
        {"type": "return", "id": f"r{n}", "account": "ann", "purchase": f"p{n}", "at": f"2025-02-0{6 + n}"}
        for n in range(3)
    )
    assert findings(PROGRAM.replace("SHARE", "50"), events) == ()
