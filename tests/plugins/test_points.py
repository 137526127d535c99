# ruff: noqa: E501 - a message is one line, and so is its case
from __future__ import annotations

from typing import Any

import pytest

from stampbook.errors import ProgramError
from tests.properties.driver import Till, program

HEADER = """
[program]
name = "Points"
currency = "GBP"
time_zone = "Europe/London"
[assets.points]
[assets.miles]
decimals = 1
[metrics.visits]
count = true
[stacking]
promo = "best"
[[plugin]]
use = "points"
"""


def shop(rules: str, at: str = "2025-01-01") -> Till:
    return Till(HEADER + rules).opened(at)


def rule(name: str = "base", earn: str = "order.net", **keys: Any) -> str:
    lines = "\n".join(f"{key} = {value!r}" for key, value in keys.items())
    return f'[[plugin.rule]]\nname = \'{name}\'\nearn = """{earn}"""\n{lines}\n'


TEA = {"sku": "tea", "category": "drinks", "quantity": 2, "amount": "7.60"}
CAKE = {"sku": "cake", "category": "food", "quantity": 1, "amount": "4.30"}


def test_one_point_a_pound_rounded_down_once() -> None:
    till = shop(rule())
    till.tell("purchase", amount="12.99")
    assert till.balance() == "12"


def test_points_are_earned_on_what_discounts_leave() -> None:
    till = shop(rule() + rule("gross", "order.gross", asset="miles"))
    till.tell("purchase", lines=[TEA, CAKE], discount="1.90")
    assert (till.balance(), till.balance("miles")) == ("10", "11.9")


@pytest.mark.parametrize(("rounding", "points"), [("floor", "3"), ("ceil", "4"), ("half_up", "4"), ("half_even", "4")])
def test_rounding_is_named(rounding: str, points: str) -> None:
    till = shop(rule(rounding=rounding))
    till.tell("purchase", amount="3.50")
    assert till.balance() == points


def test_lines_are_added_up_exactly_and_rounded_once() -> None:
    till = shop(rule(per="line", earn="line.net"))
    till.tell("purchase", lines=[TEA, CAKE])
    assert till.balance() == "11", "7.60 + 4.30, not 7 + 4 of each rounded"


def test_a_rule_by_line_judges_each_line() -> None:
    till = shop(rule(per="line", when="line.category == 'drinks'", earn="line.quantity * 3"))
    till.tell("purchase", lines=[TEA, CAKE])
    assert till.balance() == "6"
    till.tell("purchase", lines=[CAKE])
    assert till.balance() == "6"


def test_lines_earn_by_formulas_with_fractions() -> None:
    till = shop(rule(per="line", earn="line.net / 3 + line.quantity / 7", asset="miles"))
    till.tell("purchase", lines=[TEA, CAKE])
    assert till.balance("miles") == "4.3", "11.90 / 3 + 3 / 7 = 4.395…"


def test_a_rule_that_does_not_apply_earns_nothing() -> None:
    till = shop(rule(when="order.net >= 10"))
    till.tell("purchase", amount="9.99")
    assert till.balance() == "0"
    till.tell("purchase", amount="10")
    assert till.balance() == "10"


def test_a_formula_below_zero_earns_nothing() -> None:
    till = shop(rule(earn="order.net - 10"))
    till.tell("purchase", amount="4")
    assert till.balance() == "0"


def test_a_rule_may_look_at_the_account_and_its_metrics() -> None:
    till = shop(rule("third", "100", when="metric.visits == 2"))
    for _ in range(4):
        till.tell("purchase", amount="1")
    assert till.balance() == "100"


def test_other_events_may_earn() -> None:
    till = shop(rule("welcome", "50", on=["account.opened"]) + rule("load", "event.amount / 10", on=["topup"]))
    assert till.balance() == "50"
    till.tell("topup", amount="29.90")
    assert till.balance() == "52"


def test_an_events_own_amount_is_read_in_whole_units_of_its_own_asset() -> None:
    till = shop(rule("burn", "event.amount", on=["spend", "adjust"], asset="miles"))
    till.tell("adjust", amount="30", asset="points", reason="goodwill")
    till.tell("spend", amount="5", asset="points")
    till.tell("adjust", amount="2.50", reason="goodwill")
    assert till.balance("miles") == "37.5"


def test_points_are_good_through_their_last_day() -> None:
    till = shop(rule(expires="1 month"))
    till.tell("purchase", amount="8", at="2025-01-31T23:30")
    assert till.balance(at="2025-02-28T23:59:59") == "8"
    assert till.balance(at="2025-03-01T00:00") == "0"


def test_expiry_is_posted_at_its_own_instant() -> None:
    till = shop(rule(expires="2 months, end of month"))
    till.tell("purchase", amount="8", at="2025-01-15")
    assert till.tick("2025-03-31T23:59:59") == []
    [expiry] = till.tick("2025-04-02")
    assert till.registry.context.calendar.iso(expiry.event.at) == "2025-04-01T00:00:00+01:00"
    assert till.books["points", "breakage"] == 8
    assert till.tick("2026-01-01") == []


def test_a_rule_may_outlive_its_table() -> None:
    till = Till(f"{HEADER}expires = '1 month'\n{rule()}{rule('ever', expires='never')}").opened("2025-01-01")
    till.tell("purchase", amount="5", at="2025-01-01")
    assert (till.balance(at="2025-01-02"), till.balance(at="2025-06-01")) == ("10", "5")


def test_pending_points_are_not_spendable_until_they_mature() -> None:
    till = shop(rule(pending="14 days"))
    till.tell("purchase", amount="5", at="2025-01-01T12:00")
    assert (till.balance(), till.view().pending("points")) == ("0", 5)
    assert till.refusal("spend", asset="points", amount="1", at="2025-01-15T23:59") == ["insufficient_balance"]
    assert till.balance(at="2025-01-16") == "5"
    assert till.refusal("spend", asset="points", amount="5", at="2025-01-16") == []


def test_what_expires_before_it_matures_just_lapses() -> None:
    till = shop(rule(pending="2 months", expires="1 month"))
    till.tell("purchase", amount="5", at="2025-01-01")
    assert till.tell("purchase", amount="7", at="2025-02-10").accepted
    assert till.books["points", "breakage"] == 5


def test_grants_of_equal_terms_share_a_lot() -> None:
    till = shop(rule(expires="1 month, end of month"))
    for day in (1, 10, 20):
        till.tell("purchase", amount="5", at=f"2025-01-{day:02}")
    assert [(lot.number, lot.remaining) for lot in till.account().lots.values()] == [(1, 15)]
    till.tell("purchase", amount="5", at="2025-02-01")
    assert len(till.account().lots) == 2


def test_kind_and_priority_say_which_points_go_first() -> None:
    till = shop(rule("slow", priority=5) + rule("gift", kind="bonus"))
    till.tell("purchase", amount="5")
    till.tell("spend", asset="points", amount="6")
    assert [(lot.kind, lot.priority, lot.remaining) for lot in till.account().lots.values()] == [
        ("earned", 5, 4),
        ("bonus", 0, 0),
    ]


def test_of_a_group_only_the_best_counts() -> None:
    till = shop(
        rule("one", "order.net", group="promo") + rule("two", "order.net * 2", group="promo") + rule("three", "1")
    )
    till.tell("purchase", amount="10")
    assert till.balance() == "21"


def test_the_trace_says_what_was_read_and_granted() -> None:
    till = shop(rule(when="'food' in order.categories and order.net >= 10"))
    decision = till.tell("purchase", lines=[TEA, CAKE])
    assert decision.trace == {
        "read": {"points": {"order.categories": ["drinks", "food"], "order.net": 1190}},
        "awards": [("points.base", "points", 11)],
    }


def test_two_uses_of_the_plugin_keep_their_names_apart() -> None:
    text = (
        HEADER + rule() + "[[plugin]]\nuse = 'points'\nname = 'extra'\nasset = 'miles'\n" + rule(earn="order.net / 2")
    )
    till = Till(text).opened()
    decision = till.tell("purchase", amount="5")
    assert decision.trace["awards"] == [("points.base", "points", 5), ("extra.base", "miles", 25)]


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        ("", "plugin[1].rule: missing"),
        ("rule = []", "plugin[1].rule: must not be empty"),
        (rule() + rule(), "plugin[1]: two rules are named 'base'; give one of them another name"),
        (rule(asset="stamps"), "plugin[1].rule[1]: rule 'base' grants 'stamps', which is not an asset of the program (GBP, points, miles)"),
        (rule(group="promos"), "plugin[1].rule[1]: rule 'base' names the group 'promos', which [stacking] does not have"),
        (rule(earn="line.net"), "plugin[1].rule[1]: line.net needs per = 'line'"),
        (rule(on=["topup"]), "plugin[1].rule[1]: order.net is known of a purchase only, not of 'topup'; make two rules"),
        (rule(earn="event.amount"), "plugin[1].rule[1]: event.amount is not known of 'purchase'; use order.total"),
        (rule(kind="paid"), "plugin[1].rule[1].kind: 'paid' is not one of 'earned', 'bonus'"),
        (rule(priority="1"), "plugin[1].rule[1].priority: '1' is not a whole number"),
    ],
)  # fmt: skip
def test_a_wrong_rule_is_a_mistake_of_the_program(rules: str, says: str) -> None:
    with pytest.raises(ProgramError) as wrong:
        program(HEADER + rules)
    [mistake] = wrong.value.mistakes
    assert says in str(mistake)
