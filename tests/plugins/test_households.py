"""Households: what members earn goes in part to a pool, comes back with a return, and is spent by those who may."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stampbook import ProgramError
from stampbook.loading import load
from stampbook.testing import Ledger, check_plugin
from stampbook_together import Households
from tests.effort import examples
from tests.plugins.proof import findings, ledger_of, picture

PROGRAM = """
[program]
name = "Families"
currency = "EUR"
time_zone = "Europe/Vienna"
open_accounts = "on first event"

[assets.points]
debt = true

[[plugin]]
use = "households"
share = "50"
OPTIONS

[[plugin]]
use = "points"
expires = "12 months"
[[plugin.rule]]
name = "base"
earn = "order.net"
[[plugin.rule]]
name = "books"
per = "line"
when = "line.category == 'books'"
earn = "line.net"

[[plugin]]
use = "refunds"
points_spent = "debt"

[[plugin]]
use = "merging"
undo = "30 days"

[[plugin]]
use = "transfers"
asset = "points"
"""


def program(options: str = "", share: str = "50") -> str:
    return PROGRAM.replace("OPTIONS", options).replace('share = "50"', f'share = "{share}"')


def family(options: str = "", share: str = "50", members: str = "ann bob") -> Ledger:
    books = Ledger(program(options, share))
    for ref in ("home", *members.split(), "stranger"):
        books.post(type="account.opened", account=ref, at="2025-01-01T10:00")
    for ref in members.split():
        assert join(books, ref) == []
    return books


def join(books: Ledger, ref: str, to: str = "home", **fields: Any) -> list[str]:
    return say(books, "household.joined", ref, to=to, **fields)


def say(books: Ledger, kind: str, ref: str, **fields: Any) -> list[str]:
    return [each.code for each in books.post(type=kind, account=ref, **fields).objections]


def buy(books: Ledger, ref: str, amount: str, **fields: Any) -> None:
    assert books.post(type="purchase", account=ref, amount=amount, **fields).accepted


def held(books: Ledger, *refs: str) -> list[str]:
    return [books.balance("points", account=ref) for ref in refs]


@pytest.mark.parametrize(
    ("share", "options", "pool", "member"),
    [
        ("50", "", "3", "4"),
        ("50", 'rounding = "ceil"', "4", "3"),
        ("33.3", "", "2", "5"),
        ("33.3", 'rounding = "half_up"', "2", "5"),
        ("100", "", "7", "0"),
        ("0.1", "", "0", "7"),
        ("50", 'assets = ["EUR"]', "0", "7"),
        ("50", 'rules = ["points.books"]', "0", "7"),
        ("50", 'rules = ["points.base"]', "3", "4"),
    ],
)
def test_a_share_goes_to_the_pool_and_no_unit_is_lost(share: str, options: str, pool: str, member: str) -> None:
    books = family(options, share)
    buy(books, "ann", "7.00")
    assert held(books, "home", "ann", "bob") == [pool, member, "0"]


def test_what_is_pooled_keeps_its_terms_and_the_member_is_told() -> None:
    books = family()
    buy(books, "ann", "7.00", at="2025-02-01T10:00")
    (lot,) = books.view(account="home").lots
    assert (lot.kind, lot.expires_at) == ("earned", books.registry.context.calendar.parse("2026-02-02"))
    assert books.trace("ann")["shared"] == [["points.base", "home", 3]]
    assert [posting.rule for posting in books.journal("home")[-1].postings] == ["households.points.base"]


def test_who_has_left_earns_alone() -> None:
    books = family()
    buy(books, "bob", "10.00")
    assert say(books, "household.left", "bob") == []
    buy(books, "bob", "10.00")
    assert held(books, "home", "bob") == ["5", "15"]
    assert (books.fact("household", account="bob"), books.fact("household_members", account="home")) == ("", "1")
    assert say(books, "household.left", "bob") == ["in_no_household"]
    assert join(books, "bob") == []


def test_a_late_purchase_of_the_time_before_joining_is_not_shared() -> None:
    books = family(members="ann")
    buy(books, "ann", "10.00", at="2025-01-01T10:01")
    assert held(books, "home", "ann") == ["0", "10"]


# Returns


@pytest.mark.parametrize("parts", [["10.01"], ["5.00", "5.01"], ["0.01"] * 3 + ["9.98"], ["3.33", "3.33", "3.35"]])
def test_returns_take_back_both_parts_and_in_all_exactly_them(parts: list[str]) -> None:
    books = family()
    buy(books, "ann", "10.01", id="p")
    assert held(books, "home", "ann") == ["5", "5"]
    for part in parts:
        assert say(books, "return", "ann", purchase="p", amount=part) == []
    assert held(books, "home", "ann") == ["0", "0"]


def test_of_a_line_what_that_line_had_brought() -> None:
    books = family('rules = ["points.books"]')
    lines = [{"amount": "9.00", "category": "books", "sku": "b"}, {"amount": "5.00", "category": "games", "sku": "g"}]
    assert books.post(type="purchase", id="p", account="ann", lines=lines).accepted
    assert held(books, "home", "ann") == ["4", "19"]
    say(books, "return", "ann", purchase="p", lines=[{"sku": "g"}])
    assert held(books, "home", "ann") == ["4", "14"]
    say(books, "return", "ann", purchase="p", lines=[{"sku": "b"}])
    assert held(books, "home", "ann") == ["0", "0"]


def test_a_return_after_leaving_still_takes_back_from_the_pool() -> None:
    books = family()
    buy(books, "ann", "10.00", id="p")
    buy(books, "bob", "10.00", id="q")
    say(books, "household.left", "bob")
    assert say(books, "purchase.cancelled", "bob", purchase="q") == []
    assert held(books, "home", "ann", "bob") == ["5", "5", "0"]


@pytest.mark.parametrize(("options", "owed"), [("", "0"), ('points_spent = "debt"', "5")])
def test_what_the_pool_has_spent_is_let_go_or_owed(options: str, owed: str) -> None:
    books = family(options)
    buy(books, "ann", "10.00", id="p")
    assert say(books, "household.spent", "home", member="bob", asset="points", amount="5") == []
    assert say(books, "return", "ann", purchase="p") == []
    assert (held(books, "home", "ann"), books.owed("points", account="home")) == (["0", "0"], owed)


def test_limits_get_back_what_a_pool_gives_back() -> None:
    limit = '\n[limits.most]\nasset = "points"\nmax = "10"\nwindow = "lifetime"\n'
    books = Ledger(program(share="100").replace("[[plugin]]", limit + "\n[[plugin]]", 1))
    for ref in ("home", "ann"):
        books.post(type="account.opened", account=ref, at="2025-01-01T10:00")
    join(books, "ann")
    buy(books, "ann", "10.00", id="p")
    buy(books, "ann", "10.00", id="q")
    assert held(books, "home", "ann") == ["10", "0"]
    say(books, "return", "ann", purchase="p", amount="4.00")
    buy(books, "ann", "10.00")
    assert held(books, "home", "ann") == ["10", "0"]


# Spending


@pytest.mark.parametrize(
    ("spenders", "may"),
    [("members", ["ann", "bob", "cy"]), ("named", ["ann", "bob"]), ("owner", ["ann"])],
)
def test_who_may_spend(spenders: str, may: list[str]) -> None:
    books = family(f'spenders = "{spenders}"', "100", "ann bob cy")
    assert say(books, "household.role", "home", member="bob", role="spender") == []
    buy(books, "cy", "100.00")
    for ref in ("ann", "bob", "cy"):
        refused = [] if ref in may else ["may_not_spend"]
        assert say(books, "household.spent", "home", member=ref, asset="points", amount="1") == refused
        assert say(books, "household.released", "home", to=ref, asset="points", amount="1") == refused
    assert say(books, "household.spent", "home", member="stranger", asset="points", amount="1") == ["not_a_member"]
    released = {"to": "stranger", "by": "ann", "asset": "points", "amount": "1"}
    assert say(books, "household.released", "home", **released) == ["not_a_member"]
    assert held(books, "home", "stranger") == [str(100 - 2 * len(may)), "0"]


def test_an_owner_hands_over_before_leaving() -> None:
    books = family('spenders = "owner"')
    assert say(books, "household.left", "ann") == ["owner_leaves_last"]
    assert say(books, "household.role", "home", member="ann", role="member") == ["owner"]
    assert say(books, "household.role", "home", member="bob", role="owner") == []
    assert say(books, "household.left", "ann") == []
    assert say(books, "household.left", "bob") == []
    assert books.fact("household_owner", account="home") == ""
    assert join(books, "ann") == []
    assert books.fact("household_owner", account="home") == "ann"


def test_what_is_released_is_the_members_own() -> None:
    books = family(share="100")
    buy(books, "ann", "10.00", at="2025-02-01T10:00")
    assert say(books, "household.released", "home", to="bob", asset="points", amount="4", at="2025-02-02T10:00") == []
    assert held(books, "home", "bob") == ["6", "4"]
    (lot,) = books.view(account="bob").lots
    assert lot.expires_at == books.registry.context.calendar.parse("2026-02-02")
    outcome = books.post(type="household.released", account="home", to="bob", asset="points", amount="7")
    assert [each.message for each in outcome.objections] == ["7 points is more than the 6 points in the pool"]


LIMITS = """
[[plugin.limit]]
name = "pocket"
asset = "points"
most = "10"
window = "calendar month"
but_owner = true
[[plugin.limit]]
name = "all"
asset = "points"
most = "40"
window = "7 days"
of = "all"
"""


def test_limits_hold_for_each_member_and_for_all() -> None:
    books = family(LIMITS, "100", "ann bob cy")
    buy(books, "cy", "100.00", at="2025-01-02T10:00")

    def spend(ref: str, amount: str, day: str = "2025-01-03") -> list[str]:
        fields = {"member": ref, "asset": "points", "amount": amount, "at": f"{day}T10:00"}
        return say(books, "household.spent", "home", **fields)

    assert spend("bob", "11") == ["limit_reached"]
    assert spend("bob", "8") == []
    assert spend("bob", "3") == ["limit_reached"]
    assert spend("cy", "10") == []
    assert spend("ann", "22") == []  # the owner is free of the first limit
    assert spend("ann", "1") == ["limit_reached"]
    assert spend("ann", "30", "2025-01-10") == []
    assert spend("bob", "10", "2025-02-01") == []


@pytest.mark.parametrize(
    "event",
    [
        {"type": "spend", "asset": "points", "amount": "1"},
        {"type": "hold.authorised", "asset": "points", "amount": "1"},
        {"type": "transfer", "to": "stranger", "asset": "points", "amount": "1"},
    ],
)
def test_a_pool_is_spent_in_a_members_name(event: dict[str, Any]) -> None:
    for options, codes in (("", ["names_no_member"]), ('direct = "allow"', [])):
        books = family(options)
        buy(books, "ann", "10.00")
        assert say(books, event["type"], "home", **{k: v for k, v in event.items() if k != "type"}) == codes


# Joining


def test_who_cannot_join() -> None:
    books = family("most_members = 2")
    assert join(books, "home", "home") == ["same_account"]
    assert join(books, "ann") == ["in_household"]
    assert join(books, "stranger") == ["household_full"]
    assert join(books, "stranger", "ann") == ["in_household"]
    assert join(books, "home", "stranger") == ["has_members"]
    assert join(books, "stranger", "nowhere") == ["unknown_account"]
    assert join(books, "nobody") == ["unknown_account"]


def test_an_account_that_others_count_on_does_not_end() -> None:
    books = family()
    assert say(books, "account.closed", "home") == ["has_members"]
    assert say(books, "account.closed", "ann") == ["in_household"]
    assert say(books, "account.merged", "ann", to="stranger") == ["in_household"]
    assert say(books, "account.merged", "home", to="stranger") == ["has_members"]
    assert say(books, "account.merged", "stranger", to="home") == []


def test_a_frozen_pool_still_earns_and_is_not_spent() -> None:
    books = family(share="100")
    say(books, "account.frozen", "home")
    buy(books, "ann", "10.00")
    assert held(books, "home") == ["10"]
    assert say(books, "household.spent", "home", member="ann", asset="points", amount="1") == ["account_frozen"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ('assets = ["pionts"]', "'pionts' is not an asset"),
        ('[[plugin.limit]]\nname = "x"\nasset = "points"\nmost = "0.5"\nwindow = "7 days"', "limit 'x': most"),
        (
            '[[plugin]]\nuse = "households"\nname = "more"',
            "one table of households: an account is in one household",
        ),
    ],
)
def test_mistakes_of_a_program_are_told(options: str, message: str) -> None:
    with pytest.raises(ProgramError, match=message):
        load(program(options))


@pytest.mark.parametrize("share", ["0", "100.1"])
def test_a_share_is_a_part(share: str) -> None:
    with pytest.raises(ProgramError, match="a part of a hundred"):
        load(program(share=share))


def test_it_keeps_the_contract() -> None:
    check_plugin(Households, {"share": "40"})


# Whatever a family does, the books add up.

SHORT = program('points_spent = "debt"').replace('expires = "12 months"', 'expires = "6 days"')
REGISTRY = load(SHORT)
REFS = ("ann", "bob", "cy", "home", "villa")
MEMBERS, POOLS = REFS[:3], REFS[3:]
doings = st.lists(
    st.tuples(
        st.sampled_from(
            ["purchase", "purchase", "return", "household.joined", "household.left", "household.spent", "transfer"]
        ),
        st.sampled_from(MEMBERS),
        st.sampled_from(POOLS),
        st.integers(1, 60),
    ),
    max_size=30,
)


def events_of(drawn: list[tuple[str, str, str, int]]) -> list[dict[str, Any]]:
    events: list[dict[str, Any]] = [
        {"type": "account.opened", "id": f"o{ref}", "account": ref, "at": "2025-01-01T10:00"} for ref in REFS
    ] + [
        {"type": "household.joined", "id": f"j{ref}", "account": ref, "to": "home", "at": "2025-01-01T11:00"}
        for ref in ("ann", "bob")
    ]
    for number, (kind, ref, pool, amount) in enumerate(drawn):
        data: dict[str, Any] = {
            "type": kind,
            "id": f"e{number}",
            "account": ref,
            "at": f"2025-01-{2 + number // 2:02}T{10 + number % 2}:00",
        }
        points = {"asset": "points", "amount": str(amount)}
        match kind:
            case "purchase":
                category = "books" if amount % 3 else "games"
                data["lines"] = [
                    {"amount": f"{amount}.00", "category": category},
                    {"amount": "3.50", "category": "books"},
                ]
            case "return":
                bought = [each for each in events if each["type"] == "purchase" and each["account"] == ref]
                if not bought:
                    continue
                data |= {"purchase": bought[amount % len(bought)]["id"], "amount": f"{1 + amount % 9}.25"}
            case "household.joined":
                data["to"] = pool
            case "household.spent":
                data |= {"account": pool, "member": ref, **points}
            case "transfer":
                data |= {"to": MEMBERS[amount % 3], **points}
            case _:
                pass
        events.append(data)
    return events


@examples(40)
@given(doings, st.integers(1, 9), st.integers(0, 4))
def test_families_make_and_lose_nothing(drawn: list[tuple[str, str, str, int]], size: int, batch: int) -> None:
    events = events_of(drawn)
    books = ledger_of(REGISTRY, events)
    place = min(batch * size, len(events) - 1)
    ticked = ledger_of(REGISTRY, events, size, {batch: REGISTRY.context.calendar.parse(events[place]["at"])})
    flows: dict[str, int] = {}
    for ref in REFS:
        for entry in books.entries(ref):
            for posting in entry.postings:
                for end, sign in ((posting.source, -1), (posting.destination, 1)):
                    book = end if isinstance(end, str) else "accounts"
                    flows[book] = flows.get(book, 0) + sign * posting.amount
    held = sum(lot.remaining for ref in REFS for lot in books.account(ref).lots.values())
    assert flows.get("transfers", 0) == 0
    assert flows.get("accounts", 0) == held
    assert sum(flows.values()) == 0
    for ledger in (books, ticked):
        for _ in ledger.tick(REGISTRY.context.calendar.parse("2025-03-01")):
            pass
    for ref in REFS:
        assert [entry.hash for entry in books.entries(ref)] == [entry.hash for entry in ticked.entries(ref)]
        assert picture(books.account(ref)) == picture(ticked.account(ref))


@examples(30)
@given(st.lists(st.integers(1, 900), min_size=1, max_size=4), st.sampled_from(["33.3", "50", "100"]), st.data())
def test_what_all_returns_take_back_is_what_was_earned(cents: list[int], share: str, data: st.DataObject) -> None:
    books = family(share=share)
    lines = [{"amount": f"{each / 100:.2f}", "category": "books"} for each in cents]
    assert books.post(type="purchase", id="p", account="ann", lines=lines).accepted
    left = sum(cents)
    while left:
        part = data.draw(st.integers(1, left))
        left -= part
        assert say(books, "return", "ann", purchase="p", amount=f"{part / 100:.2f}") == []
    assert held(books, "home", "ann") == ["0", "0"]
    assert (books.owed("points", account="home"), books.owed("points", account="ann")) == ("0", "0")


@examples(8)
@given(doings, st.integers(1, 9))
def test_the_books_are_sound(drawn: list[tuple[str, str, str, int]], size: int) -> None:
    assert findings(SHORT, events_of(drawn), size) == ()
