"""Referrals: both sides rewarded on the friend's n-th purchase, within limits, undone by returns."""

from __future__ import annotations

from itertools import count, starmap
from typing import TYPE_CHECKING, Any

import pytest

from stampbook import AccountView, Need, ProgramError, load_program
from stampbook.engine import Engine
from stampbook.explaining import explain_entry
from stampbook.parallel import Tagged, process_in_parallel
from stampbook.replay import entries_of, fold
from stampbook.statements import statement
from stampbook.testing import Ledger, check_plugin
from stampbook.verifying import verify
from stampbook_referral import Referral
from stampbook_referral.rules import Standing

if TYPE_CHECKING:
    from stampbook.account import Account

HEAD = """
[program]
name = "Friends"
currency = "GBP"
time_zone = "Europe/London"
open_accounts = "on first event"
[assets.points]
[assets.vouchers]
[metrics.orders]
when = "order.net >= 10"
count = true
[metrics.spend]
sum = "order.net"
[metrics.skus]
per = "line"
distinct = "line.sku"
[[plugin]]
use = "refunds"
[[plugin]]
use = "referral"
metric = "orders"
friend = "100"
referrer = "500"
"""

_NUMBERS = count(1)


class Friends:
    """A shop in which customers bring friends."""

    def __init__(self, options: str = "", *, program: str = "", engine: Engine | None = None) -> None:
        self.engine: Engine = engine or Ledger(program or HEAD + options).engine

    def __call__(self, kind: str, account: str, at: str = "2025-03-01T10:00", **fields: Any) -> Any:
        return self.engine.post({"type": kind, "id": f"e{next(_NUMBERS)}", "account": account, "at": at, **fields})

    def opened(self, *refs: str) -> Friends:
        for ref in refs:
            assert self("account.opened", ref, "2025-01-01T10:00").accepted
        return self

    def refer(self, friend: str, by: str, at: str = "2025-03-01T10:00", **fields: Any) -> list[str]:
        return [objection.code for objection in self("account.referred", friend, at, by=by, **fields).objections]

    def buy(self, ref: str, at: str = "2025-03-01T12:00", amount: str = "10.00") -> str:
        outcome = self("purchase", ref, at, amount=amount)
        assert outcome.accepted
        return str(outcome.id)

    def back(self, ref: str, purchase: str, at: str = "2025-03-05T12:00", **fields: Any) -> None:
        assert self("return", ref, at, purchase=purchase, **fields).accepted

    def account(self, ref: str) -> Account:
        return fold(ref, entries_of(self.engine, ref))

    def points(self, *refs: str, asset: str = "points") -> list[int]:
        return [self.account(ref).total(asset) for ref in refs]

    def fact(self, ref: str, name: str = "referral") -> str:
        facts = self.account(ref).facts.get(name)
        return facts[-1].value if facts else ""


def test_both_are_rewarded_on_the_first_purchase_that_counts() -> None:
    shop = Friends().opened("ann", "ben")
    assert shop.refer("ben", "ann") == []
    assert shop.fact("ben") == "waiting"
    shop.buy("ben", amount="9.99")
    assert shop.points("ann", "ben") == [0, 0]
    shop.buy("ben")
    assert shop.points("ann", "ben") == [500, 100]
    shop.buy("ben", "2025-03-02T12:00")
    assert shop.points("ann", "ben") == [500, 100]
    assert (shop.fact("ben"), shop.fact("ben", "referral.by")) == ("rewarded 100 points on 2025-03-01", "ann")
    assert shop.fact("ann", "referral.of.ben") == "rewarded 500 points on 2025-03-01"
    assert shop.fact("ann", "referral.friends") == "1"


@pytest.mark.parametrize(("options", "needed"), [("goal = '3'", 3), ("goal = '1'", 1)])
def test_on_the_nth_purchase(options: str, needed: int) -> None:
    shop = Friends(options).opened("ann")
    shop.refer("ben", "ann")
    for number in range(1, 5):
        shop.buy("ben", f"2025-03-{number:02d}T12:00")
        assert shop.points("ann", "ben") == ([500, 100] if number >= needed else [0, 0])


def test_what_counts_may_be_money() -> None:
    shop = Friends(program=HEAD.replace('"orders"', '"spend"\ngoal = "50.00"')).opened("ann")
    shop.refer("ben", "ann")
    shop.buy("ben", amount="49.99")
    assert shop.points("ann", "ben") == [0, 0]
    shop.buy("ben", amount="0.01")
    assert shop.points("ann", "ben") == [500, 100]


@pytest.mark.parametrize(("side", "expected"), [("friend", [500, 0]), ("referrer", [0, 100])])
def test_one_side_may_be_left_out(side: str, expected: list[int]) -> None:
    amount = {"friend": "100", "referrer": "500"}[side]
    shop = Friends(program=HEAD.replace(f'{side} = "{amount}"\n', "")).opened("ann")
    shop.refer("ben", "ann")
    shop.buy("ben")
    assert shop.points("ann", "ben") == expected
    assert shop.fact("ann", "referral.friends") == "1"


def test_a_referral_that_may_not_be() -> None:
    shop = Friends("from = '2025-02-01'\nuntil = '2025-03-31'").opened("ann", "ben", "cy")
    assert shop.refer("ben", "ben") == ["self_referral"]
    assert shop.refer("ben", "nobody") == ["unknown_account"]
    assert shop.refer("ben", "ann", "2025-01-31T23:59") == ["not_running"]
    assert shop.refer("ben", "ann", "2025-04-01T00:00") == ["not_running"]
    shop.buy("cy", "2025-02-28T23:59")
    assert shop.refer("cy", "ann", "2025-03-01T00:00") == ["not_new"]
    assert shop.refer("ben", "ann", "2025-03-31T23:59") == []
    assert shop.refer("ben", "cy", "2025-03-31T23:59") == ["already_referred"]
    assert shop.refer("ann", "ben", "2025-03-31T23:59") == ["circular_referral"]
    assert shop("account.frozen", "cy", reason="lost card").accepted
    assert shop.refer("dan", "cy", "2025-03-31T23:59") == ["account_frozen"]
    assert shop("account.closed", "cy").accepted
    assert shop.refer("eve", "cy", "2025-03-31T23:59") == ["account_closed"]
    assert shop.fact("eve") == ""


def test_a_circle_of_three_brings_one_referral_more_than_its_chain_and_no_more() -> None:
    shop = Friends().opened("ann", "ben", "cy")
    assert [shop.refer(friend, by) for friend, by in (("ben", "ann"), ("cy", "ben"), ("ann", "cy"))] == [[], [], []]
    for _ in range(2):
        for ref in ("ann", "ben", "cy"):
            shop.buy(ref)
    assert shop.points("ann", "ben", "cy") == [600, 600, 600]
    assert shop.refer("ann", "ben") == ["already_referred"]
    late = Friends().opened("ann", "ben", "cy")
    late.buy("ann", "2025-02-28T10:00")
    late.refer("ben", "ann")
    late.refer("cy", "ben")
    assert late.refer("ann", "cy") == ["not_new"]


def test_who_has_bought_before_may_be_taken_as_a_friend() -> None:
    shop = Friends("only_new = false\ngoal = '2'").opened("ann")
    shop.buy("cy", "2025-02-28T23:59")
    assert shop.refer("cy", "ann", "2025-03-01T00:00") == []
    shop.buy("cy", "2025-03-01T00:00")
    assert shop.points("ann", "cy") == [0, 0]
    shop.buy("cy", "2025-03-02T00:00")
    assert shop.points("ann", "cy") == [500, 100]


def test_a_referral_that_is_told_after_the_purchase_of_the_day_counts_it() -> None:
    shop = Friends().opened("ann")
    shop.buy("ben", "2025-03-01T09:00")
    assert shop.refer("ben", "ann", "2025-03-01T09:05") == []
    assert shop.points("ann", "ben") == [500, 100]


def test_a_goal_within_a_time() -> None:
    shop = Friends("within = '30 days'").opened("ann")
    shop.refer("ben", "ann", "2025-03-01T10:00")
    shop.refer("cy", "ann", "2025-03-01T10:00")
    shop.buy("ben", "2025-03-31T23:59")
    shop.buy("cy", "2025-04-01T00:00")
    assert shop.points("ann", "ben", "cy") == [500, 100, 0]
    shop.buy("cy", "2025-03-20T10:00")
    assert shop.points("ann", "cy") == [1000, 100]


def test_a_limit_for_each_referrer_and_period() -> None:
    shop = Friends("most = 2\nwindow = 'calendar month'").opened("ann")
    for ref in ("ben", "cy", "dan", "eve"):
        shop.refer(ref, "ann", "2025-03-01T10:00")
    for ref in ("ben", "cy", "dan"):
        shop.buy(ref, "2025-03-31T12:00")
    assert shop.points("ann", "ben", "cy", "dan") == [1000, 100, 100, 100]
    assert shop.fact("ann", "referral.of.dan") == "over the limit"
    shop.buy("eve", "2025-04-01T12:00")
    assert shop.points("ann", "eve") == [1500, 100]
    assert shop.fact("ann", "referral.days") == "2025-03-31 2025-03-31 2025-04-01"


def test_who_has_had_the_most_cannot_be_named_any_more() -> None:
    shop = Friends("most = 1\nover = 'refuse'").opened("ann")
    shop.refer("ben", "ann")
    assert shop.refer("cy", "ann") == []
    shop.buy("ben")
    assert shop.refer("dan", "ann", "2025-03-02T10:00") == ["limit_reached"]
    shop.buy("cy", "2025-03-02T10:00")
    assert shop.points("ann", "ben", "cy") == [500, 100, 100]


def test_a_rolling_window_lets_go_of_days() -> None:
    shop = Friends("most = 1\nwindow = '30 days'").opened("ann")
    for number, ref in enumerate(("ben", "cy", "dan")):
        shop.refer(ref, "ann", "2025-03-01T10:00")
        shop.buy(ref, ("2025-03-01T12:00", "2025-03-30T12:00", "2025-03-31T12:00")[number])
    assert shop.points("ann") == [1000]


def test_the_friends_purchase_comes_back() -> None:
    shop = Friends("most = 1").opened("ann")
    shop.refer("ben", "ann")
    shop.refer("cy", "ann")
    first = shop.buy("ben")
    shop.back("ben", first, amount="4.00")
    assert shop.points("ann", "ben") == [500, 100]
    shop.back("ben", first)
    assert shop.points("ann", "ben") == [0, 0]
    assert (shop.fact("ben"), shop.fact("ann", "referral.of.ben")) == ("undone", "undone")
    assert (shop.fact("ann", "referral.friends"), shop.fact("ann", "referral.days")) == ("0", "")
    shop.buy("cy", "2025-03-06T12:00")
    assert shop.points("ann", "cy") == [500, 100]
    shop.buy("ben", "2025-03-07T12:00")
    assert shop.points("ann", "ben") == [500, 100]
    assert shop.fact("ann", "referral.of.ben") == "over the limit"
    shop.back("ben", first := shop.buy("ben", "2025-03-08T12:00"), "2025-03-08T13:00")
    assert first
    assert shop.fact("ben") == "rewarded 100 points on 2025-03-07"


def test_any_of_the_purchases_may_come_back() -> None:
    shop = Friends("goal = '2'").opened("ann")
    shop.refer("ben", "ann")
    first = shop.buy("ben")
    shop.buy("ben", "2025-03-02T12:00")
    shop.back("ben", first)
    assert shop.points("ann", "ben") == [0, 0]
    shop.buy("ben", "2025-03-07T12:00")
    assert shop.points("ann", "ben") == [500, 100]


def test_what_was_spent_is_not_given_again() -> None:
    shop = Friends("most = 5").opened("ann")
    shop.refer("ben", "ann")
    first = shop.buy("ben")
    assert shop("spend", "ann", asset="points", amount="300", at="2025-03-02T12:00").accepted
    assert shop("spend", "ben", asset="points", amount="100", at="2025-03-02T12:00").accepted
    shop.back("ben", first)
    assert shop.points("ann", "ben") == [0, 0]
    assert shop.fact("ben") == "undone 100 points on 2025-03-01"
    assert shop.fact("ann", "referral.of.ben") == "undone 300 points on 2025-03-01"
    assert shop.fact("ann", "referral.days") == "2025-03-01"
    shop.buy("ben", "2025-03-07T12:00")
    assert shop.points("ann", "ben") == [200, 0]
    assert shop.fact("ann", "referral.of.ben") == "rewarded 500 points on 2025-03-01"
    assert shop.fact("ann", "referral.days") == "2025-03-01"


def test_a_program_may_leave_both_what_they_got() -> None:
    shop = Friends("on_return = 'keep'").opened("ann")
    shop.refer("ben", "ann")
    shop.back("ben", shop.buy("ben"))
    shop.buy("ben", "2025-03-07T12:00")
    assert shop.points("ann", "ben") == [500, 100]


def test_the_terms_of_what_is_given() -> None:
    shop = Friends("pending = '14 days'\nexpires = '3 months, end of month'\nasset = 'vouchers'\npriority = -5").opened(
        "ann"
    )
    shop.refer("ben", "ann")
    shop.buy("ben")
    for ref in ("ann", "ben"):
        [lot] = shop.account(ref).lots.values()
        assert (lot.asset, lot.kind, lot.priority) == ("vouchers", "bonus", -5)
        days = [shop.engine.registry().context.calendar.iso(at)[:10] for at in (lot.effective_at, lot.expires_at)]
        assert days == ["2025-03-16", "2025-07-01"]


def test_a_closed_referrer_holds_nothing_up() -> None:
    shop = Friends().opened("ann")
    shop.refer("ben", "ann")
    assert shop("account.closed", "ann").accepted
    shop.buy("ben")
    assert shop.points("ann", "ben") == [0, 100]


def test_two_schemes_side_by_side_are_named() -> None:
    more = """
    [[plugin]]
    use = "referral"
    name = "club"
    metric = "spend"
    goal = "100"
    referrer = "1000"
    """
    shop = Friends(more).opened("ann", "ben")
    assert shop.refer("cy", "ann") == ["unknown_scheme"]
    assert shop.refer("cy", "ann", scheme="clubs") == ["unknown_scheme"]
    assert shop.refer("cy", "ann", scheme="club") == []
    assert shop.refer("cy", "ben", scheme="referral") == []
    shop.buy("cy", amount="99.00")
    assert shop.points("ann", "ben", "cy") == [0, 500, 100]
    shop.buy("cy", "2025-03-02T10:00", amount="1.00")
    assert shop.points("ann", "ben", "cy") == [1000, 500, 100]
    assert (shop.fact("cy", "club"), shop.fact("ann", "club.of.cy")) == (
        "rewarded on 2025-03-02",
        "rewarded 1000 points on 2025-03-02",
    )


def test_a_later_program_takes_back_what_was_given_then(sqlite_db: str) -> None:
    with Engine.open(sqlite_db, create=True) as engine:
        engine.put_text_in_force(HEAD)
        later_program(Friends(engine=engine).opened("ann"))


def later_program(shop: Friends) -> None:
    shop.refer("ben", "ann")
    first = shop.buy("ben")
    later = HEAD.replace('friend = "100"', 'friend = "7"\nasset = "vouchers"').replace('"500"', '"9"')
    shop.engine.put_text_in_force(later, effective_from=shop.engine.registry().context.calendar.parse("2025-03-03"))
    shop.back("ben", first)
    assert shop.points("ann", "ben") == [0, 0]
    shop.buy("ben", "2025-03-07T12:00")
    assert (shop.points("ann", "ben"), shop.points("ann", "ben", asset="vouchers")) == ([0, 0], [9, 7])


def test_what_is_missing_is_told() -> None:
    shop = Friends("goal = '3'\nwithin = '30 days'").opened("ann")
    shop.refer("ben", "ann")
    shop.buy("ben")
    registry = shop.engine.registry()
    view = AccountView(shop.account("ben"), registry.context.calendar.parse("2025-03-02"), registry.context)
    [progress] = [stamped.value for stamped in registry.progress(view)]
    assert (progress.goal, progress.needs) == ("referral", (Need("orders", "1", "3", "2"),))
    assert registry.context.calendar.iso(progress.until).startswith("2025-04-01")
    shop.buy("ben")
    shop.buy("ben")
    view = AccountView(shop.account("ben"), registry.context.calendar.parse("2025-03-02"), registry.context)
    assert registry.progress(view) == []


def test_the_reason_is_told(sqlite_db: str) -> None:
    with Engine.open(sqlite_db, create=True) as engine:
        engine.put_text_in_force(HEAD)
        shop = Friends(engine=engine).opened("ann")
        shop.refer("ben", "ann")
        shop.buy("ben")
        assert shop.account("ben").facts["referral"][-1].reason == "1 orders reached"
        reason = explain_entry(engine, "ann", entries_of(engine, "ann")[-1])
        assert [(str(each.amount), each.rule) for each in reason.postings] == [("500 points", "referral.referrer")]
        words = [line.words for line in statement(engine, "ann").lines]
        assert words[1] == "referral asked: of ben"
        assert "referral.of.ben is now rewarded 500 points on 2025-03-01" in words[2]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ("goal = '0'", "a goal of nothing"),
        ("window = 'calendar month'", "window and over go with most"),
        ("from = '2025-02-30'", "is no day of the calendar"),
        ("from = '2025-03-02'\nuntil = '2025-03-01'", "is after until"),
        ("asset = 'miles'", "asset 'miles' is not an asset of the program, which has"),
        ("goal = '1.5'", "1.5"),
    ],
)
def test_options_that_do_not_fit(options: str, message: str) -> None:
    with pytest.raises(ProgramError, match=message):
        load_program(HEAD + options)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('metric = "orders"', 'metric = "visits"', "metric 'visits' is not declared"),
        ('metric = "orders"', 'metric = "skus"', "counts different values"),
        ('friend = "100"\nreferrer = "500"', "", "neither friend nor referrer"),
        ('friend = "100"', 'friend = "0"', "leave it out"),
    ],
)
def test_options_that_name_what_is_not_there(old: str, new: str, message: str) -> None:
    with pytest.raises(ProgramError, match=message):
        load_program(HEAD.replace(old, new))


@pytest.mark.parametrize("text", ["waiting", "rewarded", "rewarded 5.00 GBP", "undone 3 points on 2025-03-01", ""])
def test_a_standing_is_written_as_it_is_read(text: str) -> None:
    assert str(Standing.read(text)) == text
    assert Standing.read("anything else") == Standing()


def test_it_keeps_the_contract() -> None:
    check_plugin(Referral, {"metric": "spend", "friend": "5"})


@pytest.mark.parametrize("size", [1, 2, 7, 100])
def test_batches_on_any_database_and_the_books_are_sound(any_db: str, size: int) -> None:
    with Engine.open(any_db, create=True) as engine:
        engine.put_text_in_force(HEAD + "most = 2")
        shop = Friends(engine=engine)
        events: list[dict[str, Any]] = [{"type": "account.opened", "account": "ann"}]
        for ref in ("ben", "cy", "dan"):
            events += [
                {"type": "account.referred", "account": ref, "by": "ann"},
                {"type": "purchase", "account": ref, "amount": "10.00", "id": f"{size}-{ref}"},
            ]
        events += [{"type": "return", "account": "ben", "purchase": f"{size}-ben"}]
        events = [{"id": f"{size}-{n}", "at": f"2025-03-01T10:{n:02d}", **event} for n, event in enumerate(events)]
        for first in range(0, len(events), size):
            assert all(outcome.accepted for outcome in engine.process(events[first : first + size]))
        assert shop.points("ann", "ben", "cy", "dan") == [500, 0, 100, 100]
        assert verify(engine).findings == ()


def test_several_processes_keep_to_the_limit_of_one_referrer(sqlite_db: str) -> None:
    with Engine.open(sqlite_db, create=True) as engine:
        engine.put_text_in_force(HEAD + "most = 10")
        shop = Friends(engine=engine).opened("ann", "amy")
        events: list[dict[str, Any]] = []
        for number in range(30):
            friend = {"account": f"f{number}", "at": "2025-02-01T10:00"}
            by = ("ann", "amy")[number % 2]
            events.append({"type": "account.referred", "id": f"c{number}", "by": by, **friend})
            events.append({"type": "purchase", "id": f"p{number}", "amount": "20.00", **friend})
        done = list(process_in_parallel(engine, starmap(Tagged, enumerate(events)), jobs=2, batch_size=7))
        assert sum(len(each.accepted) for each in done) == 60
        assert shop.points("ann", "amy", "f0", "f29") == [5000, 5000, 100, 100]
        assert verify(engine).findings == ()


def test_the_order_of_a_file_holds_where_accounts_concern_one_another(sqlite_db: str) -> None:
    with Engine.open(sqlite_db, create=True) as engine:
        engine.put_text_in_force(HEAD)
        friend = {"account": "friend", "at": "2025-02-01T10:00"}
        events: list[dict[str, Any]] = [
            {"type": "account.opened", "id": "1", **friend},
            {"type": "account.opened", "id": "2", **friend, "account": "ann"},
            {"type": "account.referred", "id": "3", **friend, "by": "ann"},
        ]
        done = list(process_in_parallel(engine, starmap(Tagged, enumerate(events)), jobs=1, batch_size=2))
        assert [tag for each in done for tag in each.accepted] == [0, 1, 2]
