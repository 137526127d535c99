"""Transfers: what one account gives the other gets, within limits, less a fee, under old terms or new ones."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stampbook import ProgramError
from stampbook.loading import load
from stampbook.testing import Ledger, check_plugin
from stampbook_together import Transfers
from tests.effort import examples
from tests.plugins.proof import findings, ledger_of, picture

if TYPE_CHECKING:
    from collections.abc import Sequence

HEAD = """
[program]
name = "Gifts"
currency = "EUR"
time_zone = "Europe/Vienna"
open_accounts = "on first event"

[assets.points]
debt = true

[assets.miles]
decimals = 2

[[plugin]]
use = "transfers"
asset = "points"
"""

LIMITED = (
    HEAD
    + """least = "10"
most = "100"
step = "5"
fee_percent = "10"
[[plugin.limit]]
name = "monthly"
window = "calendar month"
most = "150"
[[plugin.limit]]
name = "daily"
window = "1 day"
count = 2
[[plugin.limit]]
name = "gifts"
window = "7 days"
most = "120"
of = "receiver"

[[plugin]]
use = "transfers"
name = "miles"
asset = "miles"
"""
)


def ledger(options: str = "", program: str = HEAD) -> Ledger:
    books = Ledger(program + options)
    grant(books, "ann", "50", "2025-01-31")
    grant(books, "ann", "200", "2025-12-31")
    books.post(type="account.opened", account="bob", at="2025-01-01T10:00")
    return books


def grant(books: Ledger, ref: str, amount: str, until: str, **fields: Any) -> None:
    terms = {"kind": "earned", "asset": "points", "reason": "a start", "expires": f"{until}T23:00", **fields}
    assert books.post(type="adjust", account=ref, at="2025-01-01T10:00", amount=amount, **terms).accepted


def send(books: Ledger, amount: str, to: str = "bob", day: str = "2025-01-02", **fields: Any) -> list[str]:
    given = {"type": "transfer", "account": "ann", "to": to, "asset": "points", "at": f"{day}T10:00", **fields}
    return [each.code for each in books.post(amount=amount, **given).objections]


def held(books: Ledger, *refs: str) -> list[str]:
    return [books.balance("points", account=ref) for ref in refs]


def test_what_is_given_keeps_its_terms() -> None:
    books = ledger()
    assert send(books, "80") == []
    assert held(books, "ann", "bob") == ["170", "80"]
    lots = {(lot.kind, lot.expires_at, lot.remaining) for lot in books.view(account="bob").lots}
    parse = books.registry.context.calendar.parse
    assert lots == {("earned", parse("2025-01-31T23:00"), 50), ("earned", parse("2025-12-31T23:00"), 30)}


def test_a_late_transfer_gives_nothing_that_came_later() -> None:
    books = ledger()
    terms = {"kind": "earned", "asset": "points", "reason": "more", "expires": "2025-12-31T23:00"}
    assert books.post(type="adjust", account="ann", at="2025-01-10T10:00", amount="100", **terms).accepted
    assert len(books.view(account="ann").lots) == 2
    assert send(books, "251", day="2025-01-05") == ["insufficient_balance"]
    assert send(books, "250", day="2025-01-05") == []


def test_or_starts_anew() -> None:
    books = ledger('expiry = "restart"\nexpires = "1 month"\n')
    send(books, "80")
    (lot,) = books.view(account="bob").lots
    assert (lot.remaining, lot.expires_at) == (80, books.registry.context.calendar.parse("2025-02-03T00:00"))


@pytest.mark.parametrize(
    ("options", "last"),
    [
        ("", "2025-03-03"),  # a month, and one month more
        ('at_latest = "8 months"\n', "2025-09-02"),
        ('at_latest = "never"\n', "2026-01-11"),
    ],
)
def test_points_that_go_to_and_fro_do_not_live_for_ever(options: str, last: str) -> None:
    books = Ledger(HEAD + 'expiry = "restart"\nexpires = "1 month"\n' + options)
    grant(books, "ann", "50", "2025-07-02")
    books.post(type="account.opened", account="bob", at="2025-01-01T10:00")
    ends = 0
    for month in range(1, 13):
        giver, other = ("ann", "bob") if month % 2 else ("bob", "ann")
        if send(books, "50", account=giver, to=other, day=f"2025-{month:02}-10"):
            break
        ends = books.view(account=other).lots[0].expires_at
    assert ends == books.registry.context.calendar.parse(last)


def test_what_would_have_lived_longer_is_not_cut_by_the_bound() -> None:
    books = Ledger(HEAD + 'expiry = "restart"\nexpires = "1 month"\n')
    grant(books, "ann", "50", "2025-07-02")
    books.post(type="account.opened", account="bob", at="2025-01-01T10:00")
    send(books, "50", day="2025-06-20")
    assert books.view(account="bob").lots[0].expires_at == books.registry.context.calendar.parse("2025-07-02T23:00")


@pytest.mark.parametrize(
    ("options", "left", "arrived", "fee"),
    [
        ('fee_percent = "10"', 162, 80, 8),
        ('fee_percent = "10"\nfee_from = "amount"', 170, 72, 8),
        ('fee_fixed = "3"', 167, 80, 3),
        ('fee_fixed = "3"\nfee_percent = "1.25"', 166, 80, 4),
        ('fee_percent = "0.6"', 170, 80, 0),
        ('fee_percent = "0.6"\nfee_rounding = "ceil"', 169, 80, 1),
        ('fee_percent = "0.7"', 169, 80, 1),
        ('fee_percent = "0.7"\nfee_rounding = "floor"', 170, 80, 0),
        ('fee_percent = "1"\nfee_least = "5"', 165, 80, 5),
        ('fee_percent = "50"\nfee_most = "20"', 150, 80, 20),
    ],
)
def test_a_fee_goes_to_its_book(options: str, left: int, arrived: int, fee: int) -> None:
    books = ledger(options)
    outcome = books.post(type="transfer", account="ann", to="bob", asset="points", amount="80", at="2025-01-02T10:00")
    assert held(books, "ann", "bob") == [str(left), str(arrived)]
    assert sum(each.amount for each in outcome.postings if each.destination == "fees") == fee
    assert sum(each.amount for each in outcome.postings if each.destination == "transfers") == arrived


@pytest.mark.parametrize(
    ("amount", "to", "codes"),
    [
        ("5", "bob", ["below_least"]),
        ("105", "bob", ["above_most"]),
        ("12", "bob", ["not_a_step"]),
        ("3", "ann", ["same_account", "below_least", "not_a_step"]),
        ("100", "nobody", ["unknown_account"]),
    ],
)
def test_what_cannot_be_given(amount: str, to: str, codes: list[str]) -> None:
    books = ledger(program=LIMITED)
    assert send(books, amount, to) == codes
    assert held(books, "ann", "bob") == ["250", "0"]


def test_the_objections_say_what_would_be_possible() -> None:
    books = ledger(program=LIMITED)
    send(books, "100")
    outcome = books.post(type="transfer", account="ann", to="bob", asset="points", amount="80", at="2025-01-02T11:00")
    assert [each.message for each in outcome.objections] == ["limit monthly: 80 points is more than the 50 points left"]
    outcome = books.post(type="transfer", account="ann", to="bob", asset="points", amount="50", at="2025-01-02T12:00")
    assert [each.message for each in outcome.objections] == [
        "bob: limit gifts: 50 points is more than the 20 points left"
    ]
    plain = ledger()
    outcome = plain.post(type="transfer", account="ann", to="bob", asset="points", amount="251", at="2025-01-02T10:00")
    assert [each.message for each in outcome.objections] == ["251 points is more than the 250 points to send"]


def test_limits_count_in_their_windows() -> None:
    books = ledger(program=LIMITED)
    assert send(books, "60") == []
    assert send(books, "60", "ann2") == ["unknown_account"]
    books.post(type="account.opened", account="cy", at="2025-01-02T10:00")
    assert send(books, "60", "cy", at="2025-01-02T11:00") == []
    assert send(books, "10", "cy", at="2025-01-02T12:00") == ["limit_reached"]
    assert send(books, "10", "cy", "2025-01-03") == []
    assert send(books, "60", "bob", "2025-01-08") == ["limit_reached"]
    assert send(books, "60", "bob", "2025-02-01") == []


def test_what_may_not_be_given_stays() -> None:
    books = ledger()
    books.post(type="topup", account="ann", amount="20.00", at="2025-01-01T11:00")
    assert send(books, "5.00", asset="EUR") == ["not_transferable"]
    assert send(books, "5.00", asset="miles") == ["not_transferable"]
    money = ledger(program=HEAD + '\n[[plugin]]\nuse = "transfers"\nname = "money"\nasset = "EUR"\n')
    money.post(type="topup", account="ann", amount="20.00", at="2025-01-01T11:00")
    assert send(money, "5.00", asset="EUR") == ["insufficient_balance"]  # paid value is not among the kinds
    paid = ledger(program=HEAD + '\n[[plugin]]\nuse = "transfers"\nname = "money"\nasset = "EUR"\nkinds = ["paid"]\n')
    paid.post(type="topup", account="ann", amount="20.00", at="2025-01-01T11:00")
    assert send(paid, "5.00", asset="EUR") == []
    assert [lot.kind for lot in paid.view(account="bob").lots] == ["paid"]


def test_pending_points_and_held_points_are_not_given() -> None:
    books = ledger()
    books.post(type="hold.authorised", account="ann", asset="points", amount="240", at="2025-01-01T12:00")
    assert send(books, "20") == ["insufficient_balance"]
    assert send(books, "10") == []


def test_a_frozen_account_may_receive_unless_the_program_says_otherwise() -> None:
    for options, codes in (("", []), ("to_frozen = false\n", ["account_frozen"])):
        books = ledger(options)
        books.post(type="account.frozen", account="bob", at="2025-01-01T12:00")
        assert send(books, "10") == codes
        books.post(type="account.frozen", account="ann", at="2025-01-03T12:00")
        assert send(books, "10", day="2025-01-04") == ["account_frozen"]


def test_debt_is_repaid_by_what_arrives() -> None:
    books = Ledger(HEAD.replace("[[plugin]]", _EARNING + "[[plugin]]"))
    books.post(type="purchase", id="p", account="bob", amount="40.00", at="2025-01-01T10:00")
    books.post(type="spend", account="bob", asset="points", amount="40", at="2025-01-01T11:00")
    books.post(type="return", account="bob", purchase="p", at="2025-01-01T12:00")
    grant(books, "ann", "50", "2025-12-31")
    assert send(books, "50") == []
    assert (books.owed("points", account="bob"), held(books, "bob")) == ("0", ["10"])


_EARNING = """
[[plugin]]
use = "points"
[[plugin.rule]]
name = "base"
earn = "order.net"
[[plugin]]
use = "refunds"
points_spent = "debt"
"""


def test_the_same_transfer_is_made_once() -> None:
    books = ledger()
    event = {"type": "transfer", "id": "g", "account": "ann", "to": "bob", "asset": "points", "amount": "30"}
    assert books.post(**event, at="2025-01-02T10:00").accepted
    assert books.post(**event, at="2025-01-02T10:00").replayed
    assert held(books, "ann", "bob") == ["220", "30"]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ('expiry = "restart"', "expires goes with expiry = 'restart'"),
        ('expires = "1 month"', "expires goes with expiry = 'restart'"),
        ('at_latest = "1 month"', "at_latest goes with expiry = 'restart'"),
        ('fee_least = "1"', "fee_least and fee_most go with fee_percent"),
        ('fee_percent = "100.5"', "more than 100"),
        ('fee_book = "sales"', "'sales' is a book of the ledger's own"),
        ('least = "0.5"', "least: '0.5' has more than 0 decimals"),
        ('[[plugin.limit]]\nname = "x"\nwindow = "7 days"', "either most, an amount, or count"),
        ('[[plugin]]\nuse = "transfers"\nname = "again"\nasset = "points"', "two tables of transfers"),
        ('[[plugin]]\nuse = "transfers"\nname = "other"\nasset = "pionts"', "not an asset of the program"),
    ],
)
def test_mistakes_of_a_program_are_told(options: str, message: str) -> None:
    with pytest.raises(ProgramError, match=message):
        load(HEAD + options)


def test_it_keeps_the_contract() -> None:
    one = {"works_twice_in_a_program": "one table answers for an asset"}
    check_plugin(Transfers, {"asset": "points", "fee_percent": "5"}, known_failures=one)


# Whatever accounts give to one another, nothing is made or lost.

REGISTRY = load(LIMITED.replace('least = "10"', 'least = "1"').replace('step = "5"\n', ""))
REFS = ("ann", "bob", "cy")
gifts = st.lists(
    st.tuples(st.sampled_from(REFS), st.sampled_from(REFS), st.integers(1, 60), st.booleans()), max_size=30
)


def events_of(drawn: Sequence[tuple[str, str, int, bool]]) -> list[dict[str, Any]]:
    start = [
        {
            "type": "adjust",
            "id": f"{ref}{until}",
            "account": ref,
            "at": "2025-01-01T10:00",
            "asset": "points",
            "amount": "100",
            "reason": "a start",
            "expires": f"2025-01-{until}T23:00",
        }
        for ref in REFS
        for until in ("12", "31")
    ]
    return start + [
        {
            "type": "spend" if spends else "transfer",
            "id": f"e{number}",
            "account": ref,
            **({} if spends else {"to": to}),
            "asset": "points",
            "amount": str(amount),
            "at": f"2025-01-{2 + number:02}T10:00",
        }
        for number, (ref, to, amount, spends) in enumerate(drawn)
    ]


@examples(40)
@given(gifts, st.integers(1, 9), st.integers(0, 4))
def test_gifts_make_and_lose_nothing(drawn: list[tuple[str, str, int, bool]], size: int, batch: int) -> None:
    events = events_of(drawn)
    books = ledger_of(REGISTRY, events)
    place = min(batch * size, len(events) - 1)
    ticked = ledger_of(REGISTRY, events, size, {batch: REGISTRY.context.calendar.parse(events[place]["at"])})
    flows: dict[str, int] = {}
    for ref in REFS:
        for entry in books.entries(ref):
            for posting in entry.postings:
                flows[str(posting.source)] = flows.get(str(posting.source), 0) - posting.amount
                flows[str(posting.destination)] = flows.get(str(posting.destination), 0) + posting.amount
    held = sum(lot.remaining for ref in REFS for lot in books.account(ref).lots.values())
    into = {book: units for book, units in flows.items() if not book.isdigit()}
    assert into.get("transfers", 0) == 0
    assert held == -sum(into.values())
    later = REGISTRY.context.calendar.parse("2025-03-01")
    for ledger in (books, ticked):
        for _ in ledger.tick(later):
            pass
    assert [picture(books.account(ref)) for ref in REFS] == [picture(ticked.account(ref)) for ref in REFS]


@examples(8)
@given(gifts, st.integers(1, 9))
def test_the_books_are_sound(drawn: list[tuple[str, str, int, bool]], size: int) -> None:
    assert findings(LIMITED, events_of(drawn), size) == ()
