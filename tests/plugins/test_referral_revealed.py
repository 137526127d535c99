"""A friend and who referred her whose accounts are merged: one customer, who referred herself."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from stampbook.engine import Engine
from stampbook.verifying import verify
from tests.plugins.proof import LATER
from tests.plugins.test_merged_rewards import PROGRAM, Shop, referred

if TYPE_CHECKING:
    from collections.abc import Iterator

TAKEN_BACK = PROGRAM.replace('referrer = "500"', 'referrer = "500"\nmerged = "take back"')


@pytest.fixture
def shop(any_db: str) -> Iterator[Shop]:
    with Engine.open(any_db, create=True, clock=lambda: LATER) as engine:
        engine.put_text_in_force(TAKEN_BACK)
        yield Shop(engine)
        assert verify(engine).findings == ()


def begun(shop: Shop) -> str:
    shop.do("account.opened", "ann")
    referred(shop, "ben", "ann")
    bought = shop.buy("ben")
    assert shop.points("ann", "ben") == [500, 100]
    return bought


def test_by_default_both_keep_what_they_got(any_db: str) -> None:
    with Engine.open(any_db, create=True, clock=lambda: LATER) as engine:
        engine.put_text_in_force(PROGRAM)
        shop = Shop(engine)
        begun(shop)
        shop.do("account.merged", "ben", to="ann")
        assert shop.points("ann") == [600]
        assert verify(engine).findings == ()


@pytest.mark.parametrize(("gone", "stays"), [("ben", "ann"), ("ann", "ben")])
def test_what_both_got_is_taken_back_whichever_account_stays(shop: Shop, gone: str, stays: str) -> None:
    begun(shop)
    shop.do("account.merged", gone, to=stays)
    assert shop.points(stays) == [0]
    shop.buy(stays)
    assert shop.points(stays) == [0]


def test_a_referral_that_came_along_with_another_account_is_found_too(shop: Shop) -> None:
    begun(shop)
    shop.do("account.opened", "new")
    shop.do("account.merged", "ben", to="new")
    shop.do("account.merged", "new", to="ann")
    assert shop.points("ann") == [0]
    assert shop.fact("referral.of.ben", "ann") == "undone"


def test_what_is_spent_already_is_let_go(shop: Shop) -> None:
    begun(shop)
    shop.do("spend", "ann", asset="points", amount="450")
    shop.do("account.merged", "ben", to="ann")
    assert shop.points("ann") == [0]


def test_a_friend_who_still_waits_is_no_friend_any_more(shop: Shop) -> None:
    shop.do("account.opened", "ann")
    referred(shop, "ben", "ann")
    shop.do("account.merged", "ann", to="ben")
    shop.buy("ben")
    assert (shop.points("ben"), shop.fact("referral.by", "ben")) == ([0], "")


def test_another_friend_takes_the_place_that_is_free_again(shop: Shop) -> None:
    begun(shop)
    shop.do("account.merged", "ben", to="ann")
    referred(shop, "cy", "ann")
    shop.buy("cy")
    assert shop.points("ann", "cy") == [500, 100]


@pytest.mark.parametrize(("gone", "stays", "again"), [("ben", "ann", [500, 100]), ("ann", "ben", [0, 0])])
def test_two_customers_after_all_have_nothing_of_it_until_the_friend_buys(
    shop: Shop, gone: str, stays: str, again: list[int]
) -> None:
    bought = begun(shop)
    shop.do("account.merged", gone, to=stays)
    shop.do("account.unmerged", stays, to=gone)
    assert shop.points("ann", "ben") == [0, 0]
    shop.buy("ben")
    assert shop.points("ann", "ben") == again
    shop.do("return", "ben", purchase=bought)
    assert shop.points("ann", "ben") == again
