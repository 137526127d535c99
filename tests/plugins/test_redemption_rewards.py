"""Rewards: price, stock, limits, days, who may have them, what they give; and a cancelled one was never there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from stampbook import EventError, PluginError, ProgramError
from stampbook.engine import Engine
from stampbook.explaining import explain_entry
from stampbook.statements import statement
from stampbook.testing import Ledger
from stampbook.verifying import verify

if TYPE_CHECKING:
    from stampbook import Outcome

PROGRAM = """
[program]
name = "Rewards"
currency = "GBP"
time_zone = "Europe/London"
open_accounts = "on first event"
[assets.points]
[assets.stamps]
[assets.coffee]
[metrics.rewards]
on = ["reward.redeemed"]
count = true
[[plugin]]
use = "points"
expires = "1 month"
[[plugin.rule]]
name = "base"
earn = "floor(order.net)"
[[plugin]]
use = "redemption"
{options}
[[plugin.reward]]
name = "thing"
price = "50"
{reward}
[[plugin]]
use = "refunds"
"""


def ledger(reward: str = "", options: str = "", **points: str) -> Ledger:
    books = Ledger(PROGRAM.format(reward=reward, options=options))
    for account in points or {"customer": "100"}:
        add(books, account, points.get(account, "100"))
    return books


def add(books: Ledger, account: str, amount: str, asset: str = "points") -> None:
    books.post(type="adjust", account=account, asset=asset, amount=amount, reason="a start", at="2025-01-01T12:00")


def test_a_reservation_ends_when_what_was_set_aside_for_it_has_expired() -> None:
    text = PROGRAM.replace("[assets.points]\n", '[assets.points]\nheld_expired = "expire"\n')
    books = Ledger(text.format(reward="stock = 1", options=""))
    add(books, "ben", "100")
    books.post(type="adjust", account="ann", asset="points", amount="60", reason="a start", expires="2025-01-03T12:00")
    set_aside = {"type": "reward.reserved", "reward": "thing", "lapses_at": "2025-02-01T12:00"}
    assert books.post(id="v", account="ann", at="2025-01-02T12:00", **set_aside).accepted
    assert books.post(account="ben", at="2025-01-03T11:00", type="reward.redeemed", reward="thing").objections
    books.tick("2025-01-03T12:00")
    late = books.post(account="ann", type="reward.redeemed", reward="thing", hold="v", at="2025-01-03T13:00")
    assert late.objections
    assert books.post(account="ben", type="reward.redeemed", reward="thing", at="2025-01-03T14:00").accepted
    books.tick("2025-02-02T12:00")
    assert books.post(account="ben", type="reward.redeemed", reward="thing", at="2025-02-03T14:00").objections


def redeem(books: Ledger, **event: Any) -> Outcome:
    return books.post(**{"type": "reward.redeemed", "reward": "thing", **event})


def codes(outcome: Outcome) -> list[str]:
    return [objection.code for objection in outcome.objections]


def test_a_reward_takes_its_price_and_says_what_it_is() -> None:
    books = ledger('about = "A mug with our name"\nitem = "MUG-1"')
    outcome = redeem(books, store="High Street")
    assert outcome.accepted
    assert outcome.memo["remembered"] == {"which is": "A mug with our name", "item": "MUG-1"}
    assert [(it.amount, it.destination, it.rule) for it in outcome.postings] == [(50, "rewards", "redemption.thing")]
    line = statement(books.engine, "customer").lines[-1]
    assert line.words == "reward redeemed: thing; item MUG-1; which is A mug with our name"
    told = explain_entry(books.engine, "customer", books.journal()[-1])
    assert "redemption.thing" in str(told)
    assert codes(redeem(books)) == []
    assert codes(redeem(books)) == ["insufficient_balance"]


def test_a_price_in_several_assets_is_paid_in_all_or_none() -> None:
    books = Ledger(
        PROGRAM.format(reward="", options="").replace(
            'price = "50"', 'prices = { points = "50", GBP = "2.00", stamps = "3" }'
        )
    )
    add(books, "customer", "100")
    add(books, "customer", "3", "stamps")
    assert codes(redeem(books)) == ["insufficient_balance"]
    assert (books.balance("points"), books.balance("stamps")) == ("100", "3")
    books.post(type="topup", amount="5.00")
    redeem(books, id="r")
    assert [books.balance(asset) for asset in ("points", "stamps", "GBP")] == ["50", "0", "3.00"]
    books.post(type="reward.cancelled", about="r")
    assert [books.balance(asset) for asset in ("points", "stamps", "GBP")] == ["100", "3", "5.00"]


def test_the_stock_is_for_all_accounts_and_comes_back() -> None:
    books = ledger("stock = 2", ann="100", bob="100", cy="100")
    assert redeem(books, account="ann", id="a").accepted
    assert redeem(books, account="bob").accepted
    outcome = redeem(books, account="cy")
    assert [(it.code, it.message) for it in outcome.objections] == [
        ("out_of_stock", "reward 'thing': none is left of 2")
    ]
    books.post(type="reward.cancelled", account="ann", about="a")
    assert redeem(books, account="cy").accepted
    assert codes(redeem(books, account="ann")) == ["out_of_stock"]


def test_a_limit_is_for_each_account_and_window_and_comes_back() -> None:
    books = ledger('most = 1\nwindow = "calendar month"', ann="500", bob="100")
    assert redeem(books, account="ann", id="a", at="2025-01-10T12:00").accepted
    outcome = redeem(books, account="ann", at="2025-01-31T23:59")
    assert [(it.code, it.message) for it in outcome.objections] == [
        ("limit_reached", "reward 'thing': an account may have 1 in calendar month")
    ]
    assert redeem(books, account="bob", at="2025-01-31T23:59").accepted
    assert redeem(books, account="ann", at="2025-02-01T00:00").accepted
    books.post(type="reward.cancelled", account="ann", about="a", at="2025-02-02T12:00")
    assert codes(redeem(books, account="ann", at="2025-02-03T12:00")) == ["limit_reached"], "January has room again"
    assert redeem(books, account="ann", at="2025-01-20T12:00").accepted


@pytest.mark.parametrize(
    ("at", "expected"),
    [
        ("2025-02-28T23:59", ["not_yet"]),
        ("2025-03-01T00:00", []),
        ("2025-03-31T23:59", []),
        ("2025-04-01", ["no_longer"]),
    ],
)
def test_it_may_be_had_from_its_first_day_to_its_last(at: str, expected: list[str]) -> None:
    assert codes(redeem(ledger('from = "2025-03-01"\nuntil = "2025-03-31"'), at=at)) == expected


def test_it_may_be_for_some_accounts_only() -> None:
    program = PROGRAM.format(reward="when = \"account.club == 'yes'\"", options="")
    books = Ledger(program.replace("[assets.points]", '[attributes]\nclub = "text"\n[assets.points]'))
    add(books, "customer", "100")
    outcome = redeem(books)
    assert [(it.code, it.message) for it in outcome.objections] == [
        ("not_entitled", "reward 'thing' is for accounts where account.club == 'yes'")
    ]
    books.post(type="account.described", attributes={"club": "yes"})
    assert redeem(books).accepted


def test_a_reward_that_is_not_there_is_named_with_a_near_one() -> None:
    outcome = redeem(ledger(), reward="thin")
    assert outcome.objections[0].message == "there is no reward 'thin' (did you mean 'thing'?)"


def test_what_it_gives_is_put_on_the_account_and_taken_back() -> None:
    books = ledger('gives = "2"\ngives_asset = "coffee"\ngives_expires = "1 month"')
    redeem(books, id="r", at="2025-01-10T12:00")
    assert (books.balance("coffee"), books.balance("coffee", at="2025-02-11T12:00")) == ("2", "0")
    books.post(type="reward.cancelled", about="r")
    assert (books.balance("points"), books.balance("coffee")) == ("100", "0")


def test_what_is_used_cannot_be_cancelled() -> None:
    books = ledger('gives = "2"\ngives_asset = "coffee"')
    redeem(books, id="r")
    books.post(type="spend", asset="coffee", amount="1")
    assert codes(books.post(type="reward.cancelled", about="r")) == ["used"]
    assert (books.balance("points"), books.balance("coffee")) == ("50", "1")


def test_what_is_set_aside_or_over_cannot_be_cancelled() -> None:
    books = ledger('gives = "2"\ngives_asset = "coffee"\ngives_expires = "1 day"')
    redeem(books, id="r", at="2025-01-10T12:00")
    books.post(type="hold.authorised", id="h", asset="coffee", amount="1", at="2025-01-10T13:00")
    assert codes(books.post(type="reward.cancelled", about="r", at="2025-01-10T14:00")) == ["used"]
    books.post(type="hold.voided", hold="h", asset="coffee", at="2025-01-10T15:00")
    assert codes(books.post(type="reward.cancelled", about="r", at="2025-01-20T14:00")) == ["used"]


def test_it_is_cancelled_once_and_only_what_was_redeemed() -> None:
    books = ledger()
    redeem(books, id="r")
    redeem(books, id="refused", reward="nothing")
    assert books.post(type="reward.cancelled", id="c", about="r").accepted
    assert codes(books.post(type="reward.cancelled", about="r")) == ["cancelled"]
    for about in ("never", "refused", "c", "event-1"):
        assert codes(books.post(type="reward.cancelled", about=about)) == ["unknown_redemption"]
    assert codes(books.post(type="reward.cancelled", account="bob", about="r")) == ["unknown_redemption"]
    assert books.balance("points") == "100"


def test_it_is_cancelled_within_its_time_and_not_before_it_was_redeemed() -> None:
    books = ledger('cancel_within = "14 days"')
    redeem(books, id="r", at="2025-01-10T12:00")
    assert codes(books.post(type="reward.cancelled", about="r", at="2025-01-10T11:00")) == ["before_redemption"]
    assert codes(books.post(type="reward.cancelled", about="r", at="2025-01-25T00:00")) == ["too_late"]
    assert books.post(type="reward.cancelled", about="r", at="2025-01-24T23:59").accepted


def test_points_go_back_to_their_own_lots_with_their_terms() -> None:
    books = ledger()
    books.post(type="purchase", amount="30.00", at="2025-01-02T12:00")
    books.post(type="purchase", amount="30.00", at="2025-01-03T12:00")
    before = books.view(at="2025-01-05T12:00").lots
    redeem(books, id="r", at="2025-01-04T12:00")
    assert books.view().lots != before
    books.post(type="reward.cancelled", about="r", at="2025-01-05T12:00")
    assert books.view().lots == before


@pytest.mark.parametrize(
    ("options", "balance", "much_later"),
    [
        ("", "100", "100"),
        ('expired = "forfeit"', "100", "100"),
        ('expired = "extend"\nextend_by = "1 month"', "130", "100"),
    ],
)
def test_points_that_have_expired_since(options: str, balance: str, much_later: str) -> None:
    books = ledger(options=options)
    books.post(type="purchase", amount="30.00", at="2025-01-02T12:00")  # until 2 February
    redeem(books, id="r", at="2025-01-04T12:00")  # 30 of them, and 20 that never end
    cancelled = books.post(type="reward.cancelled", about="r", at="2025-03-01T12:00")
    assert cancelled.accepted
    assert books.balance("points") == balance
    assert books.balance("points", at="2025-04-01T23:59") == balance
    assert books.balance("points", at="2025-04-02T00:00") == much_later
    assert (cancelled.memo.get("remembered") == {"forfeited": "30 points"}) == ("forfeit" in options)
    assert books.journal()[-1].type == ("reward.cancelled" if options else "expiry")


def test_all_that_is_forfeited_is_told_once() -> None:
    books = ledger(options='expired = "forfeit"', customer="1")
    for day in ("02", "03"):
        books.post(type="purchase", amount="30.00", at=f"2025-01-{day}T12:00")
    redeem(books, id="r", at="2025-01-04T12:00")
    cancelled = books.post(type="reward.cancelled", about="r", at="2025-03-01T12:00")
    assert cancelled.memo["remembered"] == {"forfeited": "50 points"}
    assert books.balance("points") == "1"


def test_a_metric_that_counted_the_reward_counts_it_no_more() -> None:
    books = ledger()
    redeem(books, id="r")
    assert books.view().metric("rewards") == 1
    books.post(type="reward.cancelled", about="r")
    assert books.view().metric("rewards") == 0


def test_a_reward_is_paid_from_a_hold_captured_or_lapsed() -> None:
    books = ledger()
    books.post(
        type="hold.authorised", id="h", asset="points", amount="50", lapses_at="2025-01-02T12:00", at="2025-01-01T13:00"
    )
    books.post(
        type="hold.authorised", id="i", asset="points", amount="50", lapses_at="2025-01-02T12:00", at="2025-01-01T13:00"
    )
    assert codes(redeem(books, at="2025-01-01T14:00")) == ["insufficient_balance"]
    assert redeem(books, id="r", hold="h", at="2025-01-01T14:00").accepted
    assert books.balance("points") == "0"
    assert codes(redeem(books, hold="i", at="2025-01-02T12:00")) == ["hold_ended"]
    assert books.balance("points") == "50"
    books.post(type="reward.cancelled", about="r")
    assert books.balance("points") == "100"


def test_a_hold_of_another_asset_pays_for_no_reward() -> None:
    books = ledger()
    books.post(type="topup", amount="5.00")
    books.post(type="hold.authorised", id="h", amount="5.00")
    assert codes(redeem(books, hold="h")) == ["wrong_asset"]


def reserve(books: Ledger, id_: str, account: str = "ann", **event: Any) -> Outcome:
    times = {"at": "2025-01-02T12:00", "lapses_at": "2025-01-02T12:15"}
    return books.post(**{"type": "reward.reserved", "id": id_, "account": account, "reward": "thing", **times, **event})


def test_a_reserved_reward_is_nobody_elses_and_is_redeemed_from_its_hold() -> None:
    books = ledger("stock = 1\nmost = 1", ann="60", bob="100")
    assert reserve(books, "v").accepted
    assert books.balance("points", account="ann") == "10"
    assert codes(redeem(books, account="bob", at="2025-01-02T12:10")) == ["out_of_stock"]
    assert codes(reserve(books, "w", "ann")) == ["limit_reached", "out_of_stock", "insufficient_balance"]
    assert redeem(books, id="r", account="ann", hold="v", at="2025-01-02T12:14").accepted
    assert codes(redeem(books, account="bob", at="2025-01-02T13:00")) == ["out_of_stock"]
    assert books.post(type="reward.cancelled", account="ann", about="r").accepted
    assert books.balance("points", account="ann") == "60"
    assert redeem(books, account="bob").accepted
    assert codes(redeem(books, account="ann")) == ["out_of_stock"], "its own limit has room again"


@pytest.mark.parametrize(
    "end",
    [
        {"type": "topup", "amount": "1.00", "at": "2025-01-02T12:15"},
        {"type": "hold.voided", "hold": "v", "asset": "points", "at": "2025-01-02T12:10"},
        {"type": "hold.captured", "hold": "v", "asset": "points", "amount": "5", "at": "2025-01-02T12:10"},
        {"type": "reward.redeemed", "reward": "other", "hold": "v", "at": "2025-01-02T12:10"},
    ],
)
def test_a_reserved_reward_that_is_not_taken_is_there_for_others(end: dict[str, Any]) -> None:
    other = '[[plugin.reward]]\nname = "other"\nprice = "20"'
    books = ledger(f"stock = 1\nmost = 1\n{other}", ann="100", bob="100")
    reserve(books, "v")
    assert books.post(account="ann", **end).accepted
    assert [entry.type for entry in books.journal("ann")].count("reward.released") == 1
    assert not [metric for metric in books.engine.account("ann").metrics if metric[0].startswith(("cap/", "campaign/"))]
    assert redeem(books, account="bob", at="2025-01-02T13:00").accepted


def test_a_tick_or_none_makes_no_difference_to_what_is_reserved() -> None:
    ticked, not_ticked = (ledger("stock = 1", ann="100", bob="100") for _ in range(2))
    for books in (ticked, not_ticked):
        reserve(books, "v")
    ticked.tick("2025-01-02T12:15")
    for books in (ticked, not_ticked):
        assert codes(redeem(books, account="ann", hold="v", at="2025-01-02T12:15")) == ["hold_ended"]
        assert redeem(books, account="ann", at="2025-01-02T12:16").accepted


def two_prices(stamps: str = "10") -> Ledger:
    more = '[plugin.pay]\npoints = "10"\nvalue = "1.00"\n'
    program = PROGRAM.format(reward="stock = 1", options="").replace("[[plugin.reward]]", more + "[[plugin.reward]]", 1)
    books = Ledger(program.replace('price = "50"', 'prices = { points = "50", stamps = "3", GBP = "1.00" }'))
    add(books, "ann", "100")
    add(books, "ann", stamps, "stamps")
    books.post(type="topup", account="ann", amount="5.00", at="2025-01-01T12:00")
    return books


def set_aside(books: Ledger) -> dict[str, int]:
    return {hold.asset: hold.remaining for hold in books.engine.account("ann").holds.values() if hold.left}


def left(books: Ledger) -> list[str]:
    return [books.balance(asset, account="ann") for asset in ("points", "stamps", "GBP")]


def test_a_price_in_several_assets_is_set_aside_and_taken_whole() -> None:
    books = two_prices()
    assert reserve(books, "v").accepted
    assert (set_aside(books), left(books)) == ({"points": 50, "stamps": 3, "GBP": 100}, ["50", "7", "4.00"])
    assert redeem(books, account="ann", hold="v", at="2025-01-02T12:10").accepted
    assert (set_aside(books), left(books)) == ({}, ["50", "7", "4.00"])
    assert codes(redeem(books, account="ann", hold="v", at="2025-01-02T12:11"))[:1] == ["out_of_stock"]
    books.post(type="reward.cancelled", account="ann", about=books.journal("ann")[-2].id, at="2025-01-02T12:12")


@pytest.mark.parametrize("asset", ["points", "stamps", "GBP"])
def test_who_voids_one_of_them_voids_all(asset: str) -> None:
    books = two_prices()
    reserve(books, "v")
    assert books.post(type="hold.voided", account="ann", hold="v", asset=asset, at="2025-01-02T12:10").accepted
    assert (set_aside(books), left(books)) == ({}, ["100", "10", "5.00"])
    assert [entry.type for entry in books.journal("ann")].count("reward.released") == 1
    assert reserve(books, "w").accepted


def test_all_of_them_lapse_and_the_piece_is_released_once() -> None:
    books = two_prices()
    reserve(books, "v")
    books.tick("2025-01-02T12:16")
    assert (set_aside(books), left(books)) == ({}, ["100", "10", "5.00"])
    assert [entry.type for entry in books.journal("ann")].count("reward.released") == 1
    assert codes(redeem(books, account="ann", hold="v", at="2025-01-02T12:17")) == ["hold_ended"]


def test_a_purchase_may_take_what_it_needs_of_them_and_the_rest_is_released() -> None:
    books = two_prices()
    reserve(books, "v")
    paid = [{"kind": "points", "amount": "2.00"}, {"kind": "stored_value", "amount": "0.50"}]
    bought = books.post(type="purchase", account="ann", amount="2.50", hold="v", tenders=paid, at="2025-01-02T12:10")
    assert bought.accepted, bought.objections
    assert set_aside(books) == {}
    assert left(books)[1:] == ["10", "4.50"]


def test_what_cannot_be_reserved() -> None:
    books = two_prices(stamps="2")
    assert codes(reserve(books, "v")) == ["insufficient_balance"]
    assert set_aside(books) == {}
    assert codes(reserve(books, "w", reward="nothing")) == ["unknown_reward"]
    with pytest.raises(EventError, match="lapses_at comes after the event"):
        reserve(books, "x", lapses_at="2025-01-02T12:00")


def test_a_frozen_account_redeems_nothing() -> None:
    books = ledger()
    books.post(type="account.frozen", reason="lost card")
    assert codes(redeem(books)) == ["account_frozen"]


def test_a_late_reward_is_paid_by_points_that_were_good_then() -> None:
    books = ledger(customer="1")
    books.post(type="purchase", amount="60.00", at="2025-01-02T12:00")
    books.tick("2025-03-01T12:00")
    assert books.balance("points") == "1"
    assert redeem(books, id="r", at="2025-01-10T12:00").accepted
    assert books.post(type="reward.cancelled", about="r", at="2025-01-11T12:00").accepted
    assert books.balance("points") == "1"


def test_a_changed_program_gives_back_what_was_paid_under_the_old_one(any_db: str) -> None:
    def sent(number: int, kind: str, at: str, **more: Any) -> dict[str, Any]:
        return {"type": kind, "id": f"e{number}", "account": "ann", "at": at, **more}

    old = PROGRAM.format(reward="stock = 1\nmost = 1", options="")
    with Engine.open(any_db, create=True) as engine:
        engine.put_text_in_force(old)
        engine.post(sent(1, "adjust", "2025-01-01T12:00", asset="points", amount="100", reason="a start"))
        assert engine.post(sent(2, "reward.redeemed", "2025-01-02T12:00", reward="thing")).accepted
        engine.put_text_in_force(
            old.replace('name = "thing"\nprice = "50"', 'name = "other"\nprice = "70"'),
            effective_from=engine.registry().context.calendar.parse("2025-02-01"),
        )
        assert engine.post(sent(3, "reward.cancelled", "2025-02-02T12:00", about="e2")).accepted
        with engine.store.reader() as session:
            account = session.accounts(["ann"])["ann"]
            session.fill([account], None)
        assert account.total("points") == 100
        assert not [metric for metric in account.metrics if metric[0].startswith(("cap/", "campaign/"))]
        assert verify(engine).findings == ()


@pytest.mark.parametrize(
    ("reward", "options", "message"),
    [
        ('gives = "1"', "", "gives and gives_asset go together"),
        ('gives = "1"\ngives_asset = "tea"', "", "'tea' is not an asset"),
        ('voucher = "none"', "", "no series 'none'; there are none"),
        ('window = "1 month"', "", "window goes with most"),
        ('expired = "extend"', "", "extend_by goes with expired = 'extend'"),
        ("", 'extend_by = "1 month"', "extend_by goes with expired = 'extend'"),
        ('from = "2025-03-02"\nuntil = "2025-03-01"', "", "from 2025-03-02 is after until 2025-03-01"),
        ('until = "2025-02-30"', "", "'2025-02-30' is no day of the calendar"),
        ('when = "order.net > 5"', "", "order.net is known of a purchase only"),
        ('[[plugin.reward]]\nname = "thing"\nprice = "1"', "", "'thing' is there twice"),
        ('prices = { points = "1" }', "", "either a price or prices"),
        ('[[plugin.reward]]\nname = "free"\nprice = "0"', "", "a reward that costs nothing"),
        ("", 'asset = "mils"', "'mils' is not an asset"),
    ],
)
def test_mistakes_are_named(reward: str, options: str, message: str) -> None:
    with pytest.raises((PluginError, ProgramError), match=message):
        Ledger(PROGRAM.format(reward=reward, options=options))
