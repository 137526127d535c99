"""What other plugins keep of an account that is merged: referrals, codes, gifts of levels, rewards; there and back."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from stampbook.engine import Engine
from stampbook.verifying import verify
from tests.plugins.proof import LATER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stampbook import Outcome

PROGRAM = """
[program]
name = "One"
currency = "GBP"
time_zone = "Europe/London"
open_accounts = "on first event"
[assets.points]
[assets.vouchers]
[metrics.orders]
count = true
[metrics.spend]
sum = "order.net"
[[plugin]]
use = "merging"
undo = "90 days"
later_events = "forward"
[[plugin.fact]]
name = "tier"
order = ["gold"]
[[plugin]]
use = "refunds"
[[plugin]]
use = "transfers"
asset = "points"
[[plugin]]
use = "referral"
metric = "orders"
friend = "100"
referrer = "500"
most = 1
[[plugin]]
use = "tiers"
metric = "spend"
returns = "at once"
[[plugin.level]]
name = "gold"
reach = "100"
[[plugin.level.gift]]
name = "welcome"
amount = "1000"
once = true
take_back = true
[[plugin]]
use = "redemption"
[[plugin.reward]]
name = "swap"
price = "10"
gives = "7"
gives_asset = "vouchers"
[[plugin.reward]]
name = "code"
price = "10"
voucher = "mine"
[[plugin.series]]
name = "mine"
prefix = "MINE-"
holder = "account"
"""
_NUMBERS = count(1)


class Shop:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.day = 0

    def __call__(self, kind: str, account: str, **fields: Any) -> Outcome:
        self.day += 1
        at = f"2025-{1 + self.day // 28:02}-{1 + self.day % 28:02}T10:00"
        return self.engine.post({"type": kind, "id": f"e{next(_NUMBERS)}", "account": account, "at": at, **fields})

    def do(self, kind: str, account: str, **fields: Any) -> Outcome:
        outcome = self(kind, account, **fields)
        assert outcome.accepted, outcome.objections
        return outcome

    def buy(self, account: str, amount: str = "10.00") -> str:
        return str(self.do("purchase", account, amount=amount).id)

    def points(self, *refs: str) -> list[int]:
        with self.engine.store.reader() as session:
            accounts = session.accounts(refs)
            session.fill(accounts.values(), None)
            return [accounts[ref].total("points") for ref in refs]

    def fact(self, name: str, ref: str) -> str:
        with self.engine.store.reader() as session:
            account = session.accounts([ref])[ref]
            session.fill([account], None)
            facts = account.facts.get(name, ())
            return facts[-1].value if facts else ""


@pytest.fixture
def shop(any_db: str) -> Iterator[Shop]:
    with Engine.open(any_db, create=True, clock=lambda: LATER) as engine:
        engine.put_text_in_force(PROGRAM)
        yield Shop(engine)
        assert verify(engine).findings == ()


def referred(shop: Shop, friend: str, by: str) -> None:
    shop.do("account.opened", friend)
    shop.do("account.referred", friend, by=by)


def test_a_merger_does_not_reward_a_referrer_past_the_most(shop: Shop) -> None:
    for ref in ("ann", "new"):
        shop.do("account.opened", ref)
    referred(shop, "ben", "ann")
    referred(shop, "cy", "ann")
    shop.buy("ben")
    assert shop.points("ann") == [500]
    shop.do("account.merged", "ann", to="new")
    shop.buy("cy")
    assert shop.points("new") == [500]
    assert shop.fact("referral.of.cy", "new") == "over the limit"
    assert shop.fact("referral.friends", "new") == "1"


def test_a_friend_who_gets_there_again_is_not_rewarded_again_on_the_other_account(shop: Shop) -> None:
    for ref in ("ann", "new"):
        shop.do("account.opened", ref)
    referred(shop, "ben", "ann")
    purchase = shop.buy("ben")
    shop.do("account.merged", "ann", to="new")
    shop.do("return", "ben", purchase=purchase)
    assert shop.points("new", "ben") == [0, 0]
    assert shop.fact("referral.of.ben", "new") == "undone"
    shop.do("account.unmerged", "new", to="ann")
    assert shop.fact("referral.of.ben", "new") == ""
    assert shop.fact("referral.of.ben", "ann") == "undone"
    assert (shop.fact("referral.friends", "ann"), shop.fact("referral.days", "ann")) == ("0", "")
    shop.buy("ben")
    assert shop.points("ann", "new", "ben") == [500, 0, 100]


def test_what_friends_did_while_merged_is_known_after_it_is_undone(shop: Shop) -> None:
    for ref in ("ann", "new"):
        shop.do("account.opened", ref)
    referred(shop, "ben", "ann")
    shop.do("account.merged", "ann", to="new")
    shop.buy("ben")
    assert shop.points("new") == [500]  # which nobody brought: it stays
    shop.do("account.unmerged", "new", to="ann")
    assert shop.fact("referral.of.ben", "ann") == ""
    assert shop.fact("referral.of.ben", "new").startswith("rewarded 500 points")


def test_a_friend_who_is_merged_keeps_her_referral(shop: Shop) -> None:
    for ref in ("ann", "new"):
        shop.do("account.opened", ref)
    referred(shop, "ben", "ann")
    shop.do("account.merged", "ben", to="new")
    assert (shop.fact("referral", "new"), shop.fact("referral.by", "new")) == ("waiting", "ann")
    purchase = shop.buy("new")
    assert shop.points("ann", "new") == [500, 100]
    assert shop.fact("referral.of.ben", "ann").startswith("rewarded 500 points")
    shop.do("return", "new", purchase=purchase)
    assert shop.points("ann", "new") == [0, 0]
    shop.do("account.unmerged", "new", to="ben")
    assert shop.fact("referral.by", "new") == ""
    assert shop.fact("referral", "ben") == "undone"
    shop.buy("ben")
    assert shop.points("ann", "ben", "new") == [500, 100, 0]


def test_who_was_a_customer_before_is_no_new_friend_by_a_merger(shop: Shop) -> None:
    shop.do("account.opened", "ann")
    shop.buy("known")
    referred(shop, "ben", "ann")
    shop.do("account.merged", "ben", to="known")
    shop.buy("known")
    assert shop.points("ann", "known") == [0, 0]


def test_what_was_rewarded_before_the_merger_is_taken_back_after_it(shop: Shop) -> None:
    for ref in ("ann", "new"):
        shop.do("account.opened", ref)
    referred(shop, "ben", "ann")
    purchase = shop.buy("ben")
    shop.do("account.merged", "ben", to="new")
    assert shop.points("ann", "new") == [500, 100]
    shop.do("return", "new", purchase=purchase)
    assert shop.points("ann", "new") == [0, 0]
    shop.do("account.unmerged", "new", to="ben")
    assert [each.code for each in shop("return", "ben", purchase=purchase).objections] == ["nothing_left"]
    shop.buy("ben")
    assert shop.points("ann", "ben", "new") == [500, 100, 0]


def granted(shop: Shop, ref: str, points: str) -> None:
    shop.do("adjust", ref, asset="points", amount=points, reason="a start")


def test_a_code_that_is_bound_to_an_account_is_good_on_the_one_that_took_it_in(shop: Shop) -> None:
    granted(shop, "old", "20")
    shop.do("account.opened", "new")
    shop.do("account.opened", "last")
    code, other = (shop.do("reward.redeemed", "old", reward="code").memo["remembered"]["code"] for _ in range(2))
    shop.do("account.merged", "old", to="new")
    assert [each.code for each in shop("voucher.redeemed", "last", code=code).objections] == ["not_yours"]
    shop.do("account.merged", "new", to="last")
    shop.do("voucher.redeemed", "last", code=code)
    shop.do("account.unmerged", "last", to="new")
    assert [each.code for each in shop("voucher.redeemed", "last", code=other).objections] == ["not_yours"]
    shop.do("voucher.redeemed", "new", code=other)


def test_a_code_that_was_had_on_the_other_account_goes_back_with_its_reward(shop: Shop) -> None:
    shop.do("account.opened", "old")
    granted(shop, "new", "10")
    shop.do("account.merged", "old", to="new")
    taken = shop.do("reward.redeemed", "old", reward="code")
    shop.do("reward.cancelled", "old", about=taken.id)
    assert shop.points("new") == [10]


def test_a_gift_that_is_given_once_is_not_given_again_by_a_merger(shop: Shop) -> None:
    shop.buy("old", "100.00")
    shop.buy("new", "10.00")
    assert shop.points("old", "new") == [1000, 0]
    shop.do("account.merged", "old", to="new")
    assert shop.fact("tier", "new") == "gold"
    assert shop.points("new") == [1000]
    shop.do("account.unmerged", "new", to="old")
    assert (shop.fact("tier", "new"), shop.points("old", "new")) == ("", [1000, 0])
    purchase = shop.buy("new", "90.00")
    assert shop.points("new") == [1000]  # its own first time
    shop.do("return", "new", purchase=purchase)
    assert shop.points("new") == [0]


def test_what_only_both_reach_together_is_given_once(shop: Shop) -> None:
    shop.buy("old", "60.00")
    shop.buy("new", "60.00")
    shop.do("account.merged", "old", to="new")
    assert (shop.fact("tier", "new"), shop.points("new")) == ("gold", [1000])


def test_a_reward_that_gave_something_can_be_cancelled_after_a_merger_was_undone(shop: Shop) -> None:
    granted(shop, "old", "10")
    shop.do("account.opened", "new")
    taken = shop.do("reward.redeemed", "old", reward="swap")
    shop.do("account.merged", "old", to="new")
    shop.do("account.unmerged", "new", to="old")
    shop.do("reward.cancelled", "old", about=taken.id)
    assert shop.points("old", "new") == [10, 0]


def test_a_gift_to_an_account_that_is_ones_own_by_now_is_one_to_oneself(shop: Shop) -> None:
    shop.do("account.opened", "old")
    granted(shop, "new", "10")
    shop.do("account.merged", "old", to="new")
    (objection,) = shop("transfer", "new", to="old", asset="points", amount="5").objections
    assert objection[:2] == (
        "same_account",
        "old: it was merged into this account, and an account and itself are one",
    )
