from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest
from click.testing import CliRunner

from stampbook import NEVER, AccountView, Engine, Fact, Plugin, PluginConfig, ProgramError, hookimpl, load_program
from stampbook.cli import cli
from stampbook.statements import statement
from stampbook.testing import Ledger
from stampbook.verifying import verify

if TYPE_CHECKING:
    from pathlib import Path

HEADER = """
[program]
name = "Expiry"
currency = "GBP"
time_zone = "Europe/London"
open_accounts = "on first event"
[assets.points]
[assets.miles]
[metrics.spend]
sum = "order.net"
[[plugin]]
use = "points"
"""
BASE = """
[[plugin.rule]]
name = "base"
earn = "order.net"
"""
REFUNDS = """
[[plugin]]
use = "refunds"
"""


class Ladder(Plugin[PluginConfig]):
    """Gold from 100.00 on."""

    @hookimpl
    def assess(self, account: AccountView, at: int) -> list[Fact]:
        gold = account.metric("spend") >= 10000 and account.text("tier") != "gold"
        return [Fact("tier", "gold", at, NEVER)] if gold else []


def shop(options: str, more: str = "") -> Ledger:
    return Ledger(HEADER + options + BASE + more, plugins={"ladder": Ladder})


def buy(books: Ledger, amount: str, at: str, **fields: Any) -> None:
    assert books.post(type="purchase", amount=amount, at=at, **fields).accepted


def ends(books: Ledger, asset: str = "points") -> list[tuple[int, str]]:
    """Return what is in each lot and its last moment to the minute."""
    calendar = books.registry.context.calendar
    return [
        (lot.remaining, calendar.iso(lot.expires_at - 60_000_000)[:16])
        for lot in books.view().lots
        if lot.asset == asset
    ]


# ---- until when


@pytest.mark.parametrize(
    ("options", "last"),
    [
        ("expires = '31 march'", "2026-03-31T23:59"),
        ("expires = '31 march'\nlast_day = 'excluded'", "2026-03-30T23:59"),
        ("expires = '31 march of the following year'", "2026-03-31T23:59"),
        ("expires = '30 june or 31 december'", "2025-06-30T23:59"),
        ("expires = '30 june or 31 december, at least 2 months'", "2025-12-31T23:59"),
        ("expires = '1 month'\nlast_day = 'excluded'", "2025-06-14T23:59"),
        ("expires = 'membership anniversary'", "2026-05-15T23:59"),
    ],
)
def test_the_last_moment_at_which_points_are_good(options: str, last: str) -> None:
    books = shop(options)
    buy(books, "10", "2025-05-15T12:00")
    assert ends(books) == [(10, last)]
    buy(books, "0", f"{last}:59")
    assert books.balance("points") == "10"
    books.tick("2030-01-01")
    assert books.balance("points") == "0"


def test_points_live_until_the_membership_anniversary_however_late_they_are_earned() -> None:
    books = shop("expires = 'membership anniversary, at least 3 months'")
    buy(books, "10", "2025-05-15T12:00")
    buy(books, "5", "2026-02-14T12:00")
    buy(books, "3", "2026-03-01T12:00")
    assert ends(books) == [(15, "2026-05-15T23:59"), (3, "2027-05-15T23:59")]


def test_a_welcome_gift_lasts_to_the_first_anniversary() -> None:
    gift = "[[plugin.rule]]\nname = 'welcome'\non = ['account.opened']\nearn = '50'\n"
    books = shop("expires = 'membership anniversary'", gift)
    buy(books, "0", "2024-02-29T12:00")
    assert ends(books) == [(50, "2025-02-28T23:59")]


def test_a_rule_may_have_a_validity_of_its_own() -> None:
    promo = "[[plugin.rule]]\nname = 'promo'\nearn = '5'\nkind = 'bonus'\nexpires = '14 days'\n"
    books = shop("expires = '12 months'", promo)
    buy(books, "10", "2025-05-15T12:00")
    assert ends(books) == [(10, "2026-05-15T23:59"), (5, "2025-05-29T23:59")]


def test_a_tier_may_have_a_validity_of_its_own() -> None:
    books = shop("expires = { by = 'tier', default = '12 months', gold = 'never' }\n", "[[plugin]]\nuse = 'ladder'\n")
    buy(books, "60", "2025-05-15T12:00")
    buy(books, "40", "2025-05-15T13:00")
    by_end = [(lot.remaining, lot.expires_at) for lot in books.view().lots]
    assert [remaining for remaining, _ in by_end] == [60, 40]
    assert books.balance("points", at="2040-01-01") == "40", "the purchase that reaches gold earns as gold"


# ---- activity


ACTIVE = "expires = '3 months'\nextend = [{ on = ['purchase', 'spend'] }]\n"


def test_every_activity_gives_all_points_their_time_anew_and_they_stay_one_lot() -> None:
    books = shop(ACTIVE)
    for at in ("2025-01-10T12:00", "2025-03-20T12:00", "2025-06-20T12:00"):
        buy(books, "10", at)
    books.post(type="spend", asset="points", amount="5", at="2025-09-20T12:00")
    assert ends(books) == [(25, "2025-12-20T23:59")]
    assert books.balance("points", at="2025-12-20T23:59") == "25"
    assert books.balance("points", at="2025-12-21") == "0"


def test_without_activity_all_points_go_together() -> None:
    books = shop(ACTIVE)
    buy(books, "10", "2025-01-10T12:00")
    assert books.tick("2025-04-10T23:59:59") == 0
    assert books.tick("2025-04-11") == 1
    buy(books, "10", "2025-04-11T12:00")
    assert ends(books) == [(10, "2025-07-11T23:59")], "what is gone does not come back"


def test_late_news_of_activity_shortens_nothing() -> None:
    books = shop(ACTIVE)
    buy(books, "10", "2025-03-10T12:00")
    buy(books, "10", "2025-01-10T12:00")
    assert ends(books) == [(10, "2025-06-10T23:59"), (10, "2025-04-10T23:59")]
    buy(books, "10", "2025-03-11T12:00")
    assert ends(books) == [(20, "2025-06-11T23:59"), (10, "2025-06-11T23:59")]


def test_what_counts_as_activity_and_what_it_extends_is_said() -> None:
    rule = "[[plugin.rule]]\nname = 'promo'\nearn = '5'\nkind = 'bonus'\nexpires = '14 days'\n"
    extend = "{ on = ['purchase'], when = 'order.net >= 5', to = '6 months, end of month', kinds = ['earned'] }"
    books = shop(f"expires = '1 month'\nextend = [{extend}]\n", rule)
    buy(books, "10", "2025-01-10T12:00")
    buy(books, "4.99", "2025-01-20T12:00")
    buy(books, "5", "2025-01-20T13:00")
    assert ends(books) == [
        (10, "2025-07-31T23:59"),
        (5, "2025-01-24T23:59"),
        (4, "2025-07-31T23:59"),
        (10, "2025-02-03T23:59"),
        (5, "2025-02-20T23:59"),
    ], "4.99 was too little; gifts are of another kind; what is earned now has the terms of its rule"


def test_what_is_held_is_extended_with_the_rest() -> None:
    books = shop(ACTIVE)
    buy(books, "10", "2025-01-10T12:00")
    assert books.post(type="hold.authorised", id="h", asset="points", amount="4", at="2025-02-01T12:00").accepted
    buy(books, "1", "2025-03-10T12:00")
    assert books.post(type="hold.voided", hold="h", asset="points", at="2025-05-01T12:00").accepted
    assert (books.balance("points"), ends(books)) == ("11", [(11, "2025-06-10T23:59")])


def test_a_return_finds_the_points_wherever_their_end_was_put() -> None:
    books = shop("expires = '3 months'\nextend = [{ on = ['purchase'] }]\n", REFUNDS)
    buy(books, "10", "2025-01-10T12:00", id="p")
    buy(books, "7", "2025-03-10T12:00")
    assert books.post(type="return", purchase="p", at="2025-05-01T12:00").accepted
    assert ends(books) == [(7, "2025-06-10T23:59")]


# ---- by hand


def test_points_are_extended_by_hand_never_shortened_and_it_is_told() -> None:
    books = shop("expires = '1 month'\n")
    buy(books, "10", "2025-01-10T12:00")
    buy(books, "10", "2025-01-20T12:00")
    extend = {"type": "extend", "asset": "points", "reason": "closed for works", "operator": "anna"}
    assert books.post(**extend, until="2025-02-15", at="2025-01-21T12:00").accepted
    assert ends(books) == [(10, "2025-02-15T23:59"), (10, "2025-02-20T23:59")]
    assert books.post(**extend, until="2025-06-30", lots=[2]).accepted
    assert ends(books) == [(10, "2025-02-15T23:59"), (10, "2025-06-30T23:59")]
    [again] = books.post(**extend, until="2025-02-01").objections
    assert again.code == "nothing_to_extend"
    assert again.message == "the account holds no points that would end before that time"
    books.tick("2025-02-16")
    [gone] = books.post(**extend, until="2026-01-01", lots=[1]).objections
    assert gone.message == "the account holds no points in lot 1 that would end before that time"


def test_stored_value_may_be_extended_as_well_and_a_frozen_account_too() -> None:
    books = shop("")
    grant = {"type": "adjust", "asset": "GBP", "amount": "5", "reason": "sorry", "at": "2025-01-01T12:00"}
    assert books.post(**grant, expires="2025-02-01").accepted
    assert books.post(type="account.frozen").accepted
    assert books.post(type="extend", asset="GBP", until="2025-02-10T18:00", reason="frozen by mistake").accepted
    assert ends(books, "GBP") == [(500, "2025-02-10T17:59")]


# ---- what is coming


WARNED = "expires = '1 month'\nwarn = ['7 days', '1 day']\n"


def warnings(books: Ledger) -> list[dict[str, Any]]:
    return [orjson.loads(entry.payload) for entry in books.journal() if entry.type == "points.expiring"]


def test_what_is_about_to_expire_is_an_event_once_for_each_day_and_length() -> None:
    books = shop(WARNED)
    buy(books, "10", "2025-02-28T12:00")
    books.post(type="spend", asset="points", amount="4", at="2025-03-25T12:00")
    books.tick("2025-04-01")
    assert [(each["at"], each["amount"], each["days"], each["last_day"]) for each in warnings(books)] == [
        ("2025-03-22T00:00:00+00:00", 10, 7, "2025-03-28"),
        ("2025-03-28T00:00:00+00:00", 6, 1, "2025-03-28"),
    ]


def test_no_warning_comes_for_what_was_spent_or_extended() -> None:
    books = shop(WARNED + "extend = [{ on = ['topup'] }]\n")
    buy(books, "10", "2025-01-10T12:00")
    books.post(type="topup", amount="1", at="2025-02-01T12:00")
    books.post(type="spend", asset="points", amount="10", at="2025-02-25T12:00")
    books.tick("2025-06-01")
    assert [each["last_day"] for each in warnings(books)] == ["2025-03-01"]


def test_rules_may_react_to_a_warning() -> None:
    rule = "[[plugin.rule]]\nname = 'rescue'\non = ['points.expiring']\nearn = 'event.amount'\nasset = 'miles'\n"
    books = shop(WARNED, rule)
    buy(books, "10", "2025-01-10T12:00")
    books.tick("2025-02-04")
    assert books.balance("miles") == "10"


# ---- in a database: new programs, statements, verify


class Shop:
    """Books in a file, with a clock that follows the events."""

    def __init__(self, folder: Path, options: str) -> None:
        self.parse = load_program(HEADER + BASE).context.calendar.parse
        self.now = self.parse("2025-01-01")
        self.engine = Engine.open(f"sqlite:///{folder / 'shop.db'}", create=True, clock=lambda: self.now)
        self.engine.put_text_in_force(HEADER + options + BASE)

    def change(self, options: str, since: str) -> None:
        self.engine.put_text_in_force(HEADER + options + BASE, effective_from=self.parse(since))

    def post(self, type_: str, at: str, **fields: Any) -> None:
        self.now = max(self.now, self.parse(at))
        event = {"type": type_, "id": f"{type_} {at}", "account": "a", "at": at, **fields}
        assert self.engine.post(event).accepted

    def tick(self, at: str) -> None:
        self.now = max(self.now, self.parse(at))
        assert sum(self.engine.tick()) >= 0

    def words(self) -> list[str]:
        return [line.words for line in statement(self.engine, "a").lines]

    def ends(self) -> list[str]:
        return [str(each) for each in statement(self.engine, "a").account.expiring]

    def sound(self) -> bool:
        return not verify(self.engine).findings


@pytest.mark.parametrize(
    ("earned", "last", "gone"),
    [
        ("2025-02-28T12:00", "2025-03-30T22:59:59Z", "2025-03-30T23:00Z"),  # the day of 23 hours ends in summer time
        ("2025-09-26T12:00", "2025-10-26T23:59:59Z", "2025-10-27T00:00Z"),  # and the one of 25 hours in winter time
    ],
)
def test_a_day_on_which_the_clocks_change_is_good_to_its_end(earned: str, last: str, gone: str) -> None:
    books = shop("expires = '30 days'\n")
    buy(books, "10", earned)
    assert (books.balance("points", at=last), books.balance("points", at=gone)) == ("10", "0")


def test_a_statement_tells_what_was_extended_and_what_expires_when(tmp_path: Path) -> None:
    shop = Shop(tmp_path, "expires = '3 months'\nextend = [{}]\nwarn = ['7 days']\n")
    shop.post("purchase", "2025-01-10T12:00", amount="10")
    shop.post("purchase", "2025-02-10T12:00", amount="5")
    shop.post("extend", "2025-02-11T12:00", asset="points", until="2025-06-30", reason="sorry", operator="bo")
    assert shop.words()[1:] == [
        "purchase of 10.00 GBP",
        "purchase of 5.00 GBP; 10 points good until the end of 2025-05-10",
        "points extended by hand by bo: sorry; 15 points good until the end of 2025-06-30",
    ]
    assert shop.ends() == ["15 points expire at the end of 2025-06-30"]
    shop.tick("2025-07-01")
    assert shop.words()[-2:] == [
        "points expiring of 15 points: they are good until the end of 2025-06-30",
        "15 points expired",
    ]
    assert shop.sound()


def test_a_look_back_sees_the_end_that_was_promised_then(tmp_path: Path) -> None:
    shop = Shop(tmp_path, "expires = '3 months'\nextend = [{}]\n")
    shop.post("purchase", "2025-01-10T12:00", amount="10")
    shop.post("purchase", "2025-02-10T12:00", amount="5")
    before = statement(shop.engine, "a", as_of=shop.parse("2025-02-01")).account
    assert [str(each) for each in before.expiring] == ["10 points expire at the end of 2025-04-10"]


@pytest.mark.parametrize(
    ("before", "policy", "after", "end"),
    [
        ("1 month", "keep", "12 months", "2025-02-10"),
        ("1 month", "better", "12 months", "2026-01-10"),
        ("1 month", "better", "end of year", "2025-12-31"),
        ("12 months", "better", "1 month", "2026-01-10"),
        ("12 months", "keep", "1 month", "2026-01-10"),
    ],
)
def test_a_new_program_shortens_nothing_and_lengthens_as_it_says(
    tmp_path: Path, before: str, policy: str, after: str, end: str
) -> None:
    shop = Shop(tmp_path, f"expires = '{before}'\n")
    shop.post("purchase", "2025-01-10T12:00", amount="10")
    shop.change(f"expires = '{after}'\non_change = '{policy}'\n", "2025-02-01")
    shop.tick("2025-02-05")
    shop.post("spend", "2025-02-06T12:00", asset="points", amount="1")
    assert shop.ends() == [f"9 points expire at the end of {end}"]
    shop.tick("2027-01-01")
    assert shop.ends() == []
    assert shop.sound()


def test_better_terms_come_with_the_program_whether_anybody_looks_or_not(tmp_path: Path) -> None:
    shop = Shop(tmp_path, "expires = '1 month'\n")
    shop.post("purchase", "2025-01-10T12:00", amount="10")
    shop.change("expires = '2 months'\non_change = 'better'\n", "2025-02-01")
    shop.change("expires = '3 months'\non_change = 'better'\n", "2025-03-01")
    shop.post("purchase", "2025-03-31T12:00", amount="1")
    terms = "points terms; points_terms is now points earned 0:"
    assert [line for line in shop.words() if "terms" in line] == [
        f"{terms} 2 months; last day included (what points are good for); 10 points good until the end of 2025-03-10",
        f"{terms} 3 months; last day included (what points are good for); 10 points good until the end of 2025-04-10",
    ]
    assert shop.sound()


def test_what_the_same_program_grants_under_a_rule_of_its_own_is_never_bettered(tmp_path: Path) -> None:
    rule = "[[plugin.rule]]\nname = 'promo'\nearn = '5'\nexpires = '14 days'\n"
    shop = Shop(tmp_path, f"expires = '12 months'\non_change = 'better'\n{rule}")
    shop.post("purchase", "2025-01-10T12:00", amount="10")
    shop.tick("2025-01-20")
    assert shop.ends() == [
        "5 points expire at the end of 2025-01-24",
        "10 points expire at the end of 2026-01-10",
    ]
    assert shop.sound()


# ---- mistakes


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("expires = 'soon'", "plugin[1].expires: 'soon' is no time to be good; write '12 months'"),
        ("expires = 5", "plugin[1].expires: 5 is not text; write it in quotes"),
        ("expires = { gold = '1 year' }", "plugin[1].expires: a table of validities needs a default"),
        ("expires = { default = '1 year', gold = 'soon' }", "plugin[1].expires: gold: 'soon' is no time to be good"),
        ("expires = { default = '1 year', by = 5 }", "plugin[1].expires: by: 5 is not the name of a fact"),
        ("extend = [{ on = ['purchase'] }]", "extend: points that never expire cannot be good for longer"),
        (
            "expires = '1 year'\nextend = [{}, {}]",
            "extend: two entries are named 'extend'; give each a name of its own, such as name = 'returns'",
        ),
        ("expires = '1 year'\nextend = [{ on = ['visit'] }]", "'visit' is no kind of event"),
        (
            "expires = '1 year'\nextend = [{ on = ['spend'], when = 'order.net > 1' }]",
            "order.net is known of a purchase",
        ),
        ("warn = ['1 month, end of month']", "warn: '1 month, end of month' is not a plain length"),
        ("last_day = 'exclusive'", "plugin[1].last_day: 'exclusive' is not one of 'included', 'excluded'"),
    ],
)
def test_a_wrong_option_is_a_mistake_of_the_program(options: str, says: str) -> None:
    with pytest.raises(ProgramError) as wrong:
        load_program(HEADER + options + BASE)
    assert says in str(wrong.value)


@pytest.mark.parametrize(
    ("pending", "expires", "told"),
    [
        ("3 months", "1 month", "what it earns is over before it can be spent"),
        ("14 days", "31 march", "what is earned on some days, such as 18 march, is over before it can be spent"),
        ("14 days", "31 march, at least 1 month", ""),
        ("14 days", "1 month", ""),
        ("14 days", "membership anniversary", ""),
        ("14 days", "never", ""),
    ],
)
def test_check_warns_of_what_is_over_before_it_can_be_spent(
    tmp_path: Path, pending: str, expires: str, told: str
) -> None:
    file = tmp_path / "program.toml"
    rule = f"[[plugin.rule]]\nname = 'base'\nearn = 'order.net'\npending = '{pending}'\nexpires = '{expires}'\n"
    file.write_text(
        "[program]\nname = 'x'\ncurrency = 'EUR'\n[assets.points]\n[[plugin]]\nuse = 'points'\n" + rule,
        encoding="utf-8",
    )
    result = CliRunner().invoke(cli, ["check", str(file), "--json"])
    [checked] = orjson.loads(result.stdout)
    warned = [(warning["key"], warning["message"]) for warning in checked["warnings"]]
    assert (checked["ok"], warned) == (True, [("plugin[1].rule[1].pending", told)] if told else [])
