# ruff: noqa: E501 - a message is one line, and so is its case
from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stampbook.errors import ProgramError
from stampbook.testing import Ledger
from tests.properties.driver import Till, program

HEADER = """
[program]
name = "Bases"
currency = "GBP"
time_zone = "Europe/London"
[assets.points]
decimals = 2
[assets.GBP]
[attributes]
birthday = "month and day"
segment = "text"
[metrics.visits]
count = true
[stacking]
boost = "multiplied"
gain = "sum"
top = "best"
one = "first"
alone = "exclusive"
[[plugin]]
use = "refunds"
[[plugin]]
use = "points"
"""


def shop(rules: str, at: str = "2025-01-01") -> Till:
    return Till(HEADER + rules).opened(at)


def rule(name: str = "base", **keys: Any) -> str:
    lines = "\n".join(
        f"{key} = {value if isinstance(value, (int, list)) else repr(value)}" for key, value in keys.items()
    )
    return f"[[plugin.rule]]\nname = '{name}'\n{lines}\n"


def multiplier(name: str, by: str, **keys: Any) -> str:
    return rule(name, by=by, **keys).replace("plugin.rule", "plugin.multiplier")


def mistakes(rules: str) -> list[str]:
    with pytest.raises(ProgramError) as wrong:
        program(HEADER + rules)
    return [str(mistake) for mistake in wrong.value.mistakes]


GIFT = {"sku": "gift", "kind": "gift_card", "amount": "50.00"}
TEA = {"sku": "tea", "category": "drinks", "quantity": 2, "amount": "8.00", "labels": ["fair"]}
WINE = {"sku": "wine", "category": "alcohol", "quantity": "1.5", "amount": "30.00"}
CAKE = {"sku": "cake", "category": "food", "amount": "2.00", "labels": ["sale"]}


# Bases


@pytest.mark.parametrize(
    ("earn", "points"),
    [
        ("order.gross", "60.00"),
        ("order.net", "50.00"),
        ("order.net_of_tax", "45.00"),
        ("order.paid_outside", "20.00"),
        ("order.paid_outside_net_of_tax", "18.00"),
        ("order.total - order.stored_value", "40.00"),
        ("order.total - order.paid_by_points", "30.00"),
    ],
)
def test_an_order_earns_on_what_the_rule_names(earn: str, points: str) -> None:
    till = shop(rule(earn=earn))
    till.tell("topup", amount="10.00")
    tenders = [
        {"kind": "stored_value", "amount": "10.00"},
        {"kind": "points", "amount": "20.00"},
        {"kind": "card", "amount": "20.00"},
    ]
    till.tell("purchase", amount="60.00", discount="10.00", tax="5.00", tenders=tenders)
    assert till.balance() == points


@pytest.mark.parametrize(
    ("tax", "added", "outside", "points"),
    [
        ("190.00", "", "595.00", "500.00"),
        ("190.00", "", "1190.00", "1000.00"),
        ("190.00", "", "0.00", "0.00"),
        ("190.00", "on top", "690.00", "595.00"),
        ("0.00", "", "595.00", "595.00"),
        ("1190.00", "", "595.00", "0.00"),
        ("0.01", "", "595.00", "595.00"),  # 594.995, half up
    ],
)
def test_what_is_paid_outside_has_its_share_of_the_tax_and_no_more(
    tax: str, added: str, outside: str, points: str
) -> None:
    till = shop(rule(earn="order.paid_outside_net_of_tax"))
    total = Decimal("1190.00") + (Decimal(tax) if added else 0)
    tenders = [
        {"kind": "points", "amount": str(total - Decimal(outside))},
        {"kind": "transfer", "amount": outside},
    ]
    till.tell("purchase", amount="1190.00", tax=tax, tax_added=bool(added), tenders=tenders)
    assert till.balance() == points


def test_a_line_has_its_share_of_what_is_paid_outside_without_tax() -> None:
    till = shop(rule(earn="line.paid_outside_net_of_tax", per="line", when="line.sku == 'wine'"))
    lines = [{**TEA, "tax": "0.00"}, {**WINE, "tax": "5.00"}]
    tenders = [{"kind": "points", "amount": "19.00"}, {"kind": "cash", "amount": "19.00"}]
    till.tell("purchase", lines=lines, tax="5.00", tenders=tenders)
    assert till.balance() == "12.50", "half of 30.00 less 5.00"


def test_tax_on_top_is_paid_by_the_lines_that_have_it() -> None:
    till = shop(
        rule(earn="line.paid_outside", per="line", when="line.sku == 'wine'")
        + rule("part", earn="order.stored_value", only="x").replace("'x'", "{ categories = ['drinks'] }")
    )
    lines = [{**TEA, "tax": "0.00"}, {**WINE, "tax": "6.00"}]
    till.tell("purchase", lines=lines, tax="6.00", tax_added=True)
    assert till.balance() == "36.00", "30.00 and its own tax; the tea is paid outside as well"


def test_tax_that_comes_on_top_is_not_in_the_net() -> None:
    till = shop(rule(earn="order.net_of_tax", when="order.total == 55"))
    till.tell("purchase", amount="50.00", tax="5.00", tax_added=True)
    assert till.balance() == "50.00"


def test_lines_may_say_their_own_tax() -> None:
    till = shop(rule(earn="line.net_of_tax", per="line", when="line.category == 'alcohol'"))
    lines = [{**TEA, "tax": "0.00"}, {**WINE, "tax": "5.00"}]
    till.tell("purchase", lines=lines, tax="5.00")
    assert till.balance() == "25.00"


def test_a_line_has_its_share_of_tax_and_of_what_stored_value_paid() -> None:
    till = shop(rule(earn="line.paid_outside + line.net_of_tax", per="line", when="line.sku == 'tea'"))
    till.tell("topup", amount="19.00")
    tenders = [{"kind": "stored_value", "amount": "19.00"}, {"kind": "cash", "amount": "19.00"}]
    till.tell("purchase", lines=[TEA, WINE], tax="3.80", tenders=tenders)
    assert till.balance() == "11.20", "half of 8.00, and 8.00 less 0.80"


def test_pieces_earn_each_and_so_do_parts_of_them() -> None:
    till = shop(rule(earn="3", per="unit", only="x").replace("'x'", "{ categories = ['drinks', 'alcohol'] }"))
    till.tell("purchase", lines=[TEA, WINE, CAKE])
    assert till.balance() == "10.50", "2 × 3 + 1.5 × 3"


def test_a_visit_earns_once_a_day() -> None:
    till = shop(rule(earn="5", per="visit"))
    till.tell("purchase", id="a", amount="1", at="2025-01-02T10:00")
    till.tell("purchase", amount="1", at="2025-01-02T23:00")
    assert till.balance() == "5.00"
    till.tell("purchase", amount="1", at="2025-01-03T00:00")
    assert till.balance() == "10.00"
    till.tell("return", purchase="a", at="2025-01-03T08:00")
    assert till.balance() == "5.00"


def test_gift_cards_and_topups_do_not_earn_unless_the_rule_says_so() -> None:
    till = shop(
        rule(earn="order.net")
        + rule("all", earn="order.net", asset="GBP", only="x").replace("'x'", "{ kinds = ['goods', 'gift_card'] }")
    )
    till.tell("purchase", id="p", lines=[GIFT, TEA])
    assert (till.balance(), till.balance("GBP")) == ("8.00", "58.00")
    till.tell("purchase", lines=[GIFT])
    assert (till.balance(), till.balance("GBP")) == ("8.00", "108.00")
    till.tell("return", purchase="p", lines=[{"sku": "gift"}])
    assert (till.balance(), till.balance("GBP")) == ("8.00", "58.00"), "the gift card had earned nothing by the first"
    till.tell("return", purchase="p", lines=[{"sku": "tea"}])
    assert (till.balance(), till.balance("GBP")) == ("0.00", "50.00")


def test_only_and_except_choose_lines_and_orders() -> None:
    rules = (
        rule(earn="order.net")
        + "only = { labels = ['fair', 'sale'], stores = ['here'] }\nexcept = { categories = ['food'], tenders = ['voucher'] }\n"
    )
    till = shop(rules)
    till.tell("purchase", lines=[TEA, WINE, CAKE], store="there")
    assert till.balance() == "0.00"
    till.tell("purchase", lines=[TEA, WINE, CAKE], store="here", tenders=[{"kind": "voucher", "amount": "40.00"}])
    assert till.balance() == "0.00"
    decision = till.tell("purchase", lines=[TEA, WINE, CAKE], store="here", discount="10.00")
    assert till.balance() == "6.00", "8.00 less its share of the discount, 10.00 × 8 / 40"
    assert decision.trace["read"] == {"points": {"order.net": 3000}, "points.base": {"order.net": 600}}


def test_a_table_may_leave_out_what_no_rule_counts() -> None:
    till = shop("except = { categories = ['alcohol'] }\n" + rule(earn="order.net"))
    till.tell("purchase", lines=[TEA, WINE])
    assert till.balance() == "8.00"


@given(
    st.lists(st.tuples(st.integers(0, 10_000), st.booleans(), st.integers(0, 900)), min_size=1, max_size=6),
    st.integers(0, 5000),
    st.integers(0, 900),
    st.tuples(st.booleans(), st.booleans()),
    st.fractions(0, 1),
)
def test_the_part_of_an_order_that_counts_and_the_rest_are_the_order(
    lines: list[tuple[int, bool, int]], discount: int, tax: int, taxes: tuple[bool, bool], inside: Fraction
) -> None:
    own, added = taxes
    till = shop(rule(earn="1"))
    gross = sum(amount for amount, *_ in lines)
    data = [
        {"amount": f"{amount / 100:.2f}", "kind": "goods" if goods else "gift_card"}
        | ({"tax": f"{(taxed if added else min(taxed, amount)) / 100:.2f}"} if own else {})
        for amount, goods, taxed in lines
    ]
    discount = 0 if own and not added else min(discount, gross)
    if own:
        tax = sum(taxed if added else min(taxed, amount) for amount, _, taxed in lines)
    elif not added:
        tax = min(tax, gross - discount)
    total = gross - discount + (tax if added else 0)
    points = int(total * inside)
    tenders = [
        {"kind": "points", "amount": f"{points / 100:.2f}"},
        {"kind": "card", "amount": f"{(total - points) / 100:.2f}"},
    ]
    fields = {"lines": data, "discount": f"{discount / 100:.2f}", "tax": f"{tax / 100:.2f}", "tax_added": added}
    event = till.read("purchase", {**fields, "tenders": tenders})
    order = event.order_in("GBP")  # type: ignore[attr-defined]
    both = [
        order.narrowed(tuple(line for line in order.lines if (line.kind == "goods") is goods))
        for goods in (True, False)
    ]
    for name in (
        "gross", "discount", "net", "tax", "total", "quantity", "stored_value", "paid_by_points", "paid_outside",
        "paid_outside_net_of_tax",
    ):  # fmt: skip
        assert sum(getattr(part, name) for part in both) == getattr(order, name), name
    exact = Fraction((total - tax) * (total - points), total) if total else Fraction(0)
    assert order.paid_outside_net_of_tax == int(exact + Fraction(1, 2)), "half up"
    shares = [order.paid_outside_net_of_tax_of(line) for line in order.lines]
    assert sum(shares) == order.paid_outside_net_of_tax
    for line, share in zip(order.lines, shares, strict=True):
        assert 0 <= share <= order.net_of_tax_of(line)
        assert abs(share - Fraction(order.net_of_tax_of(line) * (total - points), total or 1)) < 2


# Tables


def test_one_for_each_whole_ten() -> None:
    till = shop(rule(earn="1", each="10.00"))
    till.tell("purchase", amount="39.99")
    assert till.balance() == "3.00"


def test_one_for_each_ten_in_proportion_and_of_another_base() -> None:
    till = shop(rule(earn="2", each="10", part="exact", of="order.gross"))
    till.tell("purchase", amount="39.90", discount="20.00")
    assert till.balance() == "7.98"


STEPS = "".join(
    f"[[plugin.rule.bracket]]\nfrom = '{start}'\nrate = '{rate}'\n"
    for start, rate in [("0", "0.01"), ("100", "0.02"), ("500", "0.05")]
)


@given(st.integers(0, 200_000))
def test_brackets_by_slice_earn_each_slice_at_its_own_rate(pence: int) -> None:
    till = shop(rule(rounding="floor") + STEPS)
    till.tell("purchase", amount=f"{pence / 100:.2f}")
    naive = Fraction(0)
    for penny in ((0, 10_000, 1), (10_000, 50_000, 2), (50_000, 10**9, 5)):
        naive += Fraction(max(0, min(pence, penny[1]) - penny[0]) * penny[2], 100)
    assert till.balance() == f"{int(naive) // 100}.{int(naive) % 100:02}"


@pytest.mark.parametrize(
    ("amount", "points"), [("99.99", "0.99"), ("100", "2.00"), ("499.99", "9.99"), ("500", "25.00")]
)
def test_brackets_by_whole_earn_all_at_the_rate_that_is_reached(amount: str, points: str) -> None:
    till = shop(rule(brackets="whole") + STEPS)
    till.tell("purchase", amount=amount)
    assert till.balance() == points


def test_a_bracket_may_be_a_fixed_amount() -> None:
    steps = "[[plugin.rule.bracket]]\nfrom = '20'\nfixed = '5'\n[[plugin.rule.bracket]]\nfrom = '50'\nfixed = '15'\n"
    till = shop(rule(brackets="whole") + steps)
    for amount, points in (("19.99", "0.00"), ("20", "5.00"), ("60", "20.00")):
        till.tell("purchase", amount=amount)
        assert till.balance() == points


# Multipliers, and who and when


def test_multipliers_by_weekday_and_of_some_rules_only() -> None:
    till = shop(
        rule(earn="10")
        + rule("extra", earn="1")
        + multiplier("sunday", "2", when="weekday(event.at) == 7")
        + multiplier("more", "1.5", rules=["base"])
    )
    till.tell("purchase", amount="1", at="2025-01-04")
    assert till.balance() == "16.00"
    till.tell("purchase", amount="1", at="2025-01-05")
    assert till.balance() == "48.00", "16 + 10 × 2 × 1.5 + 1 × 2"


@pytest.mark.parametrize(
    ("at", "points"),
    [
        ("2025-06-02T16:59:59", "10.00"),
        ("2025-06-02T17:00", "20.00"),
        ("2025-06-02T18:59:59", "20.00"),
        ("2025-06-02T19:00", "10.00"),
        ("2025-06-02T16:00:00Z", "20.00"),  # 17:00 in London in summer
        ("2025-12-02T16:00:00Z", "10.00"),
    ],
)
def test_a_multiplier_by_the_hour_goes_by_the_clock_of_the_program(at: str, points: str) -> None:
    till = shop(rule(earn="10") + multiplier("happy-hour", "2", when="17 <= hour(event.at) < 19"))
    till.tell("purchase", amount="1", at=at)
    assert till.balance() == points


@pytest.mark.parametrize(("chosen", "points"), [("only", ("40.00", "0.00")), ("except", ("0.00", "40.00"))])
def test_a_rule_may_be_for_some_channels(chosen: str, points: tuple[str, str]) -> None:
    for channel, earned in zip(("web", "shop"), points, strict=True):
        till = shop(rule(earn="order.net") + f"{chosen} = {{ channels = ['web'] }}\n")
        till.tell("purchase", lines=[TEA, WINE, CAKE], channel=channel)
        assert till.balance() == earned


@pytest.mark.parametrize(
    ("group", "points"), [("boost", "60.00"), ("gain", "40.00"), ("top", "30.00"), ("one", "20.00")]
)
def test_multipliers_of_a_group_make_one_factor(group: str, points: str) -> None:
    rules = rule(earn="10") + multiplier("b", "3", group=group, rank=2) + multiplier("a", "2", group=group, rank=1)
    till = shop(rules)
    till.tell("purchase", amount="1")
    assert till.balance() == points


def test_an_exclusive_multiplier_stands_alone() -> None:
    till = shop(rule(earn="10") + multiplier("a", "3") + multiplier("b", "2", group="alone"))
    till.tell("purchase", amount="1")
    assert till.balance() == "20.00"


def test_an_exclusive_award_stands_alone() -> None:
    till = shop(rule(earn="10") + rule("promo", earn="order.net", when="order.net >= 5", group="alone"))
    till.tell("purchase", amount="1")
    assert till.balance() == "10.00"
    assert till.tell("purchase", amount="5").trace["stacked_out"] == [("points.base", "alone")]
    assert till.balance() == "15.00"


def test_a_birthday_is_declared_without_a_year() -> None:
    till = shop(rule(earn="10") + multiplier("birthday", "2", when="is_day(account.birthday)"))
    assert till.refusal("account.described", attributes={"birthday": "1990-03-14"}) == ["bad_attribute"]
    assert till.refusal("account.described", attributes={"name": "Ann"}) == ["unknown_attribute"]
    till.tell("account.described", attributes={"birthday": "02-29"})
    for day in ("2025-02-27", "2025-02-28", "2025-03-01"):
        till.tell("purchase", amount="1", at=day)
    assert till.balance() == "40.00", "in a common year the birthday is 28 February"


def test_a_segment_is_declared_and_changes_in_time() -> None:
    till = shop(rule(earn="10", when="account.segment == 'champions'"))
    till.tell("account.described", attributes={"segment": "champions"}, at="2025-02-01")
    till.tell("account.described", attributes={"segment": "lost"}, at="2025-04-01")
    till.tell("account.described", attributes={"segment": "sleepers"}, at="2025-03-01")
    for day in ("2025-01-10", "2025-02-10", "2025-03-10", "2025-04-10"):
        till.tell("purchase", amount="1", at=day)
    assert till.balance() == "10.00"
    assert till.view("2025-03-10").text("segment") == "sleepers"
    assert till.view("2025-04-10").text("segment") == "lost"


def test_first_nth_and_anniversary() -> None:
    till = shop(
        rule("first", earn="1", when="metric.visits == 0")
        + rule("third", earn="3", when="(metric.visits + 1) % 3 == 0")
        + rule("year", earn="100", when="is_anniversary(account.opened_at)")
    )
    for day in ("2025-01-01", "2025-01-02", "2025-01-03", "2026-01-01"):
        till.tell("purchase", amount="1", at=day)
    assert till.balance() == "104.00"


# What is refused


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        (rule(), "a rule has either earn = '…' or [[plugin.rule.bracket]] tables"),
        (rule(earn="1", brackets="whole"), "brackets says how [[plugin.rule.bracket]] tables are used, and this rule has none"),
        ("[[plugin.bracket]]\nfrom = '0'\nrate = '1'\n" + rule(earn="1"), "plugin[2].bracket: no such key; it is a key of rule"),
        (rule(earn="1", of="order.net"), "of goes with each = '…' or with brackets"),
        (rule(earn="1", each="0"), "each: for each nothing is without end"),
        (rule(earn="1") + STEPS, "a rule has either earn = '…' or [[plugin.rule.bracket]] tables"),
        (rule() + "[[plugin.rule.bracket]]\nfrom = '0'\nfixed = '1'\n", "a slice has a rate; for fixed amounts write brackets = 'whole'"),
        (rule() + "[[plugin.rule.bracket]]\nfrom = '5'\nrate = '1'\n[[plugin.rule.bracket]]\nfrom = '5'\nrate = '2'\n", "brackets: list them from the lowest to the highest"),
        (rule(earn="1") + multiplier("m", "2", rules=["bas"]), "multiplier 'm' names 'bas', which is no rule of this table"),
        (rule(earn="1") + multiplier("m", "2", group="x"), "multiplier 'm' names the group 'x', which [stacking] does not have"),
        (rule(earn="1", group="one") + rule("b", earn="2", group="one"), "points.base and points.b have one rank in the group 'one', which counts only the first; give each a rank of its own"),
        (rule(earn="1", group="top") + rule("b", earn="2", group="top", kind="bonus"), "points.base and points.b have one rank in the group 'top', which keeps the best, and they may tie with other terms; give each a rank of its own"),
        (rule(earn="1", group="alone") + rule("b", earn="2", group="alone"), "points.base and points.b are exclusive and have one rank; give each a rank of its own"),
        (rule(earn="1", group="boost"), "points.base is in the group 'boost', which is 'multiplied'; a group of awards is one of sum, best, first, exclusive"),
        (rule(earn="1", when="is_day('31-12')"), "'31-12' is not a month and a day; write '03-14'"),
    ],
)  # fmt: skip
def test_a_wrong_rule_is_a_mistake_of_the_program(rules: str, says: str) -> None:
    assert says in "\n".join(mistakes(rules))


def test_except_leaves_out_what_meets_any_of_its_keys() -> None:
    earned = """
[program]
name = "Left out"
currency = "GBP"
open_accounts = "on first event"
[assets.points]
[[plugin]]
use = "points"
except = { skus = ["cigars"], labels = ["sale"], channels = ["outlet"] }
[[plugin.rule]]
name = "base"
earn = "order.net"
"""
    ledger = Ledger(earned)
    lines = [
        {"sku": "cigars", "amount": "100.00"},
        {"sku": "coat", "labels": ["sale"], "amount": "20.00"},
        {"sku": "hat", "amount": "3.00"},
    ]
    ledger.post(type="purchase", lines=lines)
    ledger.post(type="purchase", amount="1000.00", channel="outlet")
    assert ledger.balance("points") == "3"
