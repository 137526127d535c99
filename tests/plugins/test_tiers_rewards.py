"""Rewards of the catalogue that a level gives: on entry, once, each period; a thing, an asset or a voucher."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest

from stampbook import ProgramError, load_program
from stampbook.engine import Engine
from stampbook.testing import Ledger
from stampbook.verifying import verify
from tests.plugins.proof import findings, ledger_of, picture

if TYPE_CHECKING:
    from collections.abc import Sequence

PROGRAM = """
[program]
name = "Free"
currency = "GBP"
time_zone = "Europe/London"
open_accounts = "on first event"
[assets.points]
[assets.mugs]
[assets.vouchers]
[metrics.spend]
sum = "order.net"
window = "calendar year"
[[plugin]]
use = "tiers"
metric = "spend"
review = "calendar year"
returns = "at once"
[[plugin.level]]
name = "blue"
[[plugin.level]]
name = "gold"
reach = "50"
{gift}
[[plugin]]
use = "redemption"
[[plugin.reward]]
name = "mug"
price = "500"
gives = "1"
gives_asset = "mugs"
item = "MUG-1"
when = "account.ref == 'nobody'"
most = 1
[[plugin.reward]]
name = "fiver"
price = "50"
voucher = "fiver"
[[plugin.reward]]
name = "scarce"
price = "50"
stock = 3
[[plugin.reward]]
name = "film"
price = "50"
voucher = "film"
[[plugin.series]]
name = "fiver"
prefix = "FIVE-"
holder = "account"
expires = "3 months"
[[plugin.series]]
name = "film"
pool = true
[[plugin]]
use = "refunds"
"""


def gift(reward: str = "mug", **keys: Any) -> str:
    lines = "".join(
        f"{key} = {str(value).lower() if isinstance(value, bool) else repr(value)}\n" for key, value in keys.items()
    )
    return f'[[plugin.level.gift]]\nname = "welcome"\nreward = "{reward}"\n{lines}'


def shop(gifts: str) -> Ledger:
    return Ledger(PROGRAM.format(gift=gifts))


def buy(books: Ledger, at: str, amount: str = "60.00", **event: Any) -> None:
    assert books.post(type="purchase", amount=amount, at=at, **event).accepted


def remembered(books: Ledger, place: int = -1) -> dict[str, str]:
    texts: dict[str, str] = orjson.loads(books.journal()[place].effects)["memo"]["remembered"]
    return texts


def mugs(books: Ledger, at: str | None = None) -> str:
    return books.balance("mugs", at=at)


def test_who_enters_a_level_has_a_reward_whatever_the_catalogue_asks_for() -> None:
    books = shop(gift())
    buy(books, "2025-03-01", "10.00")
    assert mugs(books) == "0"
    buy(books, "2025-03-02")
    assert mugs(books) == "1"
    buy(books, "2025-03-03")
    assert [entry.type for entry in books.journal()][-4:] == ["purchase", "tier.raised", "reward.given", "purchase"]
    given = remembered(books, -2)
    assert given == {"item": "MUG-1"}
    assert mugs(books) == "1"


@pytest.mark.parametrize(("once", "mugs_at_last"), [(False, "2"), (True, "1")])
def test_it_is_given_again_on_entering_again_or_once(once: bool, mugs_at_last: str) -> None:  # noqa: FBT001 - a case of the table
    books = shop(gift(once=once))
    buy(books, "2025-03-01")
    books.tick("2026-03-01")
    books.tick("2027-03-01")
    assert books.fact("tier") == "blue"
    buy(books, "2027-03-02")
    assert (books.fact("tier"), mugs(books)) == ("gold", mugs_at_last)


def test_a_reward_given_once_is_not_given_again_to_who_was_merged() -> None:
    books = Ledger(PROGRAM.format(gift=gift(once=True)) + '[[plugin]]\nuse = "merging"\n')
    for ref, amount in (("old", "60.00"), ("new", "40.00")):
        books.post(type="account.opened", account=ref, at="2025-01-01")
        books.post(type="purchase", account=ref, amount=amount, at="2025-03-01")
    assert books.balance("mugs", account="old") == "1"
    assert books.post(type="account.merged", account="old", to="new", at="2025-03-02").accepted
    assert (books.fact("tier", account="new"), books.balance("mugs", account="new")) == ("gold", "1")


def test_each_period_it_is_given_on_entry_and_at_each_review_that_keeps_the_level() -> None:
    books = shop(gift(given="each period"))
    buy(books, "2025-03-01")
    buy(books, "2026-03-01")
    books.tick("2026-12-31")
    assert mugs(books) == "2"  # entered in 2025 and kept at its end
    books.tick("2028-02-01")  # kept at the end of 2026, lost at the end of 2027
    assert (books.fact("tier"), mugs(books)) == ("blue", "3")


def test_a_level_to_which_a_review_lowers_gives_what_it_gives_each_period() -> None:
    books = shop(
        gift().replace("welcome", "hello") + '[[plugin.level]]\nname = "black"\nreach = "500"\n' + gift("fiver")
    )
    books.post(type="tier.granted", level="black", until="2025-06-01T00:00", reason="a friend", at="2025-01-01")
    assert mugs(books) == "0"  # gold was jumped over
    books.tick("2025-07-01")
    assert (books.fact("tier"), mugs(books)) == ("blue", "0")


def test_a_voucher_is_made_for_who_enters() -> None:
    books = shop(gift("fiver"))
    buy(books, "2025-03-02")
    code = remembered(books)["code"]
    ref = f"voucher:{code.replace('-', '').replace('I', '1')}"
    assert (books.balance("vouchers", account=ref), books.fact("redemption.holder", account=ref)) == ("1", "customer")
    assert books.post(type="voucher.redeemed", code=code, at="2025-03-03").accepted
    assert not books.post(type="voucher.redeemed", code=code, at="2025-03-04").accepted


def test_what_was_given_stays_when_a_return_undoes_the_level() -> None:
    books = shop(gift())
    buy(books, "2025-03-01", id="p")
    books.post(type="return", purchase="p", at="2025-03-02")
    assert (books.fact("tier"), mugs(books)) == ("blue", "1")


@pytest.mark.parametrize(
    ("gifts", "message"),
    [
        (gift("mgu"), r"plugin\[1\]\.level\[2\]\.gift\[1\]\.reward: there is no reward 'mgu' \(did you mean 'mug'\?\)"),
        (gift("scarce"), "reward scarce cannot be given: it has a stock, which may be used up"),
        (gift("film"), "reward film cannot be given: series 'film' is a pool"),
        (gift(amount="5"), "a gift is either an amount or a reward of the catalogue"),
        ('[[plugin.level.gift]]\nname = "x"\n', "a gift is either an amount or a reward of the catalogue"),
        (gift(expires="1 month", take_back=True), "expires, take_back: a reward has terms of its own"),
    ],
)
def test_mistakes_are_named(gifts: str, message: str) -> None:
    with pytest.raises(ProgramError, match=message):
        load_program(PROGRAM.format(gift=gifts))


def test_a_program_without_a_catalogue_has_no_rewards_to_give() -> None:
    text = PROGRAM.format(gift=gift()).partition('[[plugin]]\nuse = "redemption"')[0]
    with pytest.raises(ProgramError, match="there is no reward 'mug'; there are none"):
        load_program(text)


EVENTS: Sequence[dict[str, Any]] = [
    {"type": "purchase", "id": f"{ref}{at}", "account": ref, "amount": amount, "at": at}
    for at, amount in (("2024-03-01", "60.00"), ("2025-03-01", "55.00"), ("2026-05-01", "70.00"))
    for ref in ("ann", "bob")
]


@pytest.mark.parametrize("reward", ["mug", "fiver"])
def test_batches_and_ticks_make_no_difference(reward: str) -> None:
    program = PROGRAM.format(gift=gift(reward, given="each period"))
    one = ledger_of(program, EVENTS)
    at = load_program(program).context.calendar.parse("2026-04-01")
    many = ledger_of(program, EVENTS, 1, {4: at})
    assert [picture(one.account(ref)) for ref in ("ann", "bob")] == [
        picture(many.account(ref)) for ref in ("ann", "bob")
    ]
    assert findings(program, EVENTS) == ()


def test_the_books_verify(any_db: str) -> None:
    with Engine.open(any_db, create=True) as engine:
        engine.put_text_in_force(PROGRAM.format(gift=gift("fiver", given="each period")))
        for event in EVENTS:
            engine.post(event)
        for _ in engine.tick():
            pass
        assert verify(engine).findings == ()
