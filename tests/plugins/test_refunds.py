# ruff: noqa: E501 - a message is one line, and so is its case
from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stampbook import Plugin, PluginConfig, Posting, RefundPlan, RefundRequest, hookimpl
from stampbook.errors import InvariantError, ProgramError
from stampbook.loading import load
from tests.properties.driver import Till, program

HEADER = """
[program]
name = "Refunds"
currency = "GBP"
unknown_returns = "{unknown}"
[assets.points]
debt = {debt}
[metrics.spend]
sum = "order.net"
[metrics.visits]
count = true
[[plugin]]
use = "points"
[[plugin.rule]]
name = "base"
earn = "order.net"
{terms}
"""


def rules(refunds: str = "", *, terms: str = "", debt: bool = False, unknown: str = "refuse") -> str:
    head = HEADER.format(terms=terms, debt=str(debt).lower(), unknown=unknown)
    return f"{head}\n[[plugin]]\nuse = 'refunds'\n{refunds}\n"


def shop(refunds: str = "", **options: Any) -> Till:
    return Till(rules(refunds, **options)).opened()


def bought(amount: str = "10", refunds: str = "", **options: Any) -> Till:
    till = shop(refunds, **options)
    till.tell("purchase", id="p", amount=amount, at="2025-01-10")
    return till


def back(till: Till, **fields: Any) -> dict[str, Any]:
    """Return the purchase, and what was noted of it."""
    decision = till.tell("return", purchase="p", **fields)
    assert decision.transaction is not None, decision.objections
    return decision.transaction.memo


# ---- what was granted is taken back


def test_a_full_return_takes_back_all_that_the_purchase_granted() -> None:
    till = bought()
    assert back(till)["outside"] == 1000
    assert (till.balance(), till.books["points", "promotion"]) == ("0", 0)


def test_a_part_takes_back_its_part() -> None:
    till = bought()
    back(till, amount="2.50")
    assert till.balance() == "8"


def test_three_parts_sum_to_the_whole_cent_for_cent() -> None:
    till = bought("10", terms="rounding = 'ceil'")
    parts = [back(till, amount=amount) for amount in ("3.33", "3.33", "3.34")]
    assert [memo["settled"] for memo in parts] == [{"points.base": 3}, {"points.base": 3}, {"points.base": 4}]
    assert sum(memo["outside"] for memo in parts) == 1000
    assert till.balance() == "0"


@given(st.lists(st.integers(1, 400), max_size=6), st.integers(100, 1000))
def test_any_parts_sum_to_the_whole(parts: list[int], pennies: int) -> None:
    till = bought(f"{pennies / 100:.2f}")
    outside = 0
    for part in parts:
        memo = till.tell("return", purchase="p", amount=f"{part / 100:.2f}").transaction
        outside += memo.memo["outside"] if memo else 0
    rest = till.tell("return", purchase="p").transaction
    outside += rest.memo["outside"] if rest else 0
    assert (outside, till.balance(), list(till.account().metrics)) == (pennies, "0", [])


def test_metrics_fall_cent_by_cent_and_a_visit_only_when_all_came_back() -> None:
    till = bought()
    back(till, amount="9.99")
    assert (till.view().metric("spend"), till.view().metric("visits")) == (1, 1)
    back(till)
    assert list(till.account().metrics) == []


def test_returns_are_counted_by_metrics_of_their_own() -> None:
    text = rules().replace("[metrics.visits]", "[metrics.returns]\non = ['return']\ncount = true\n[metrics.visits]")
    till = Till(text).opened()
    till.tell("purchase", id="p", amount="10")
    back(till, amount="1")
    back(till)
    assert {name: till.view().metric(name) for name in ("returns", "spend", "visits")} == {
        "returns": 2,
        "spend": 0,
        "visits": 0,
    }


LINES = [{"sku": "tea", "amount": "6", "quantity": "3"}, {"sku": "cake", "amount": "4"}]


def test_what_a_line_earned_is_taken_back_with_that_line() -> None:
    text = rules().replace('earn = "order.net"', "earn = 'line.net * 10'\nper = 'line'\nwhen = \"line.sku == 'tea'\"")
    till = Till(text).opened()
    till.tell("purchase", id="p", lines=LINES)
    assert till.balance() == "60"
    back(till, lines=[{"sku": "cake"}])
    assert till.balance() == "60"
    back(till, lines=[{"sku": "tea", "quantity": "1"}])
    assert till.balance() == "40"
    back(till)
    assert till.balance() == "0"


def test_what_the_order_earned_is_taken_back_by_value() -> None:
    till = shop()
    till.tell("purchase", id="p", lines=LINES)
    back(till, lines=[{"sku": "cake"}])
    assert till.balance() == "6"


def test_multiplied_awards_are_taken_back_multiplied() -> None:
    tiers = """
[[plugin]]
use = "tiers"
metric = "visits"
[[plugin.level]]
name = "all"
multiplier = "2.5"
"""
    till = Till(rules() + tiers).opened()
    till.tell("purchase", id="p", amount="10")
    assert till.balance() == "25"
    back(till, amount="5")
    assert till.balance() == "13"
    back(till)
    assert till.balance() == "0"


def test_pending_points_are_taken_back_from_where_they_wait() -> None:
    till = bought(terms="pending = '30 days'")
    till.tell("adjust", asset="points", amount="100", reason="goodwill")
    back(till, amount="4")
    assert (till.view().pending("points"), till.balance()) == (6, "100")


def test_its_own_points_are_taken_before_others_that_expire_earlier() -> None:
    till = bought(terms="expires = 'end of year'")
    till.tell("adjust", asset="points", amount="10", reason="goodwill", expires="2025-06-01")
    back(till)
    assert [lot.remaining for lot in till.account().lots.values()] == [0, 10]


# ---- when the points are spent already


def spent(refunds: str, **options: Any) -> Till:
    """Ten pounds bought, ten points earned, seven of them spent."""
    till = bought("10", refunds, **options)
    till.tell("spend", asset="points", amount="7")
    return till


def test_within_balance_takes_what_is_there_and_waives_the_rest() -> None:
    till = spent("points_spent = 'within_balance'")
    decision = till.tell("return", purchase="p")
    assert (till.balance(), till.view().owed("points")) == ("0", 0)
    assert decision.trace["refund"]["short"] == [{"rule": "points.base", "short": "7", "waived": "7"}]


def test_within_balance_takes_other_points_too() -> None:
    till = spent("points_spent = 'within_balance'")
    till.tell("adjust", asset="points", amount="5", reason="goodwill")
    back(till)
    assert till.balance() == "0"


def test_pending_only_leaves_what_has_matured() -> None:
    till = bought("10", "points_spent = 'pending_only'", terms="pending = '14 days'")
    back(till, amount="4", at="2025-01-20")
    assert till.balance(at="2025-02-01") == "6"
    back(till, at="2025-02-01")
    assert till.balance() == "6"


def test_debt_is_owed_and_repaid_first_by_what_is_earned_next() -> None:
    till = spent("points_spent = 'debt'", debt=True)
    back(till)
    assert (till.balance(), till.view().owed("points")) == ("0", 7)
    till.tell("purchase", amount="5")
    assert (till.balance(), till.view().owed("points")) == ("0", 2)
    till.tell("purchase", id="q", amount="5")
    assert (till.balance(), till.view().owed("points"), till.account().total("points")) == ("3", 0, 3)


def test_a_debt_is_repaid_even_where_a_later_program_allows_none() -> None:
    till = spent("points_spent = 'debt'", debt=True)
    back(till)
    till.registry = program(rules())
    till.tell("purchase", amount="9")
    assert (till.balance(), till.view().owed("points")) == ("2", 0)


def test_points_that_repaid_a_debt_are_owed_again_when_their_purchase_comes_back() -> None:
    till = spent("points_spent = 'debt'", debt=True)
    back(till)
    till.tell("purchase", id="q", amount="9")
    till.tell("return", purchase="q")
    assert (till.balance(), till.view().owed("points")) == ("0", 7)


def test_refuse_refuses_the_return() -> None:
    till = spent("points_spent = 'refuse'")
    [objection] = till.tell("return", purchase="p").objections
    assert (objection.code, objection.message, objection.plugin) == (
        "points_spent",
        "7 points to take back are spent already",
        "refunds",
    )
    assert till.refusal("return", purchase="p", amount="3") == []


def test_deduct_from_refund_keeps_the_value_of_what_is_gone() -> None:
    till = spent("points_spent = 'deduct_from_refund'\nunit_values = { points = '0.05' }")
    memo = back(till)
    assert (memo["outside"], memo["deducted"]) == (965, 35)


def test_no_more_is_deducted_than_is_refunded() -> None:
    till = spent("points_spent = 'deduct_from_refund'\nunit_values = { points = '2' }")
    memo = back(till)
    assert (memo["outside"], memo["deducted"]) == (0, 1000)


def test_what_was_waived_once_is_not_asked_for_again() -> None:
    till = spent("points_spent = 'within_balance'")
    back(till, amount="5")
    till.tell("adjust", asset="points", amount="50", reason="goodwill")
    back(till)
    assert till.balance() == "45"


def test_held_and_expired_points_are_not_taken() -> None:
    till = bought(terms="expires = '1 month'")
    back(till, at="2025-03-01")
    assert (till.books["points", "breakage"], till.books["points", "promotion"]) == (10, -10)


# ---- what paid for it goes back


def paid(total: str, stored: str, mode: str = "proportional", **options: Any) -> Till:
    till = shop(f"stored_value = '{mode}'", **options)
    till.tell("topup", amount="6")
    till.tell("adjust", amount="2", kind="bonus", reason="present")
    till.tell("topup", amount="50")
    card = f"{float(total) - float(stored):.2f}"
    tenders = [{"kind": "stored_value", "amount": stored}, {"kind": "card", "amount": card}]
    assert till.tell("purchase", id="p", amount=total, tenders=tenders).accepted
    return till


def lots(till: Till) -> list[int]:
    return [lot.remaining for lot in till.account().lots.values() if lot.asset == "GBP"]


def test_stored_value_goes_back_to_its_lots_newest_use_first() -> None:
    till = paid("10", "10")
    assert lots(till) == [0, 0, 4800], "the bonus, then the older top-up, then the newer"
    back(till, amount="5")
    assert lots(till) == [300, 0, 5000]
    back(till, amount="4")
    assert lots(till) == [600, 100, 5000]
    back(till)
    assert lots(till) == [600, 200, 5000]
    assert till.books["GBP", "sales"] == 0


@pytest.mark.parametrize(
    ("mode", "parts"),
    [
        ("proportional", [(76, 25), (75, 25), (599, 200)]),
        ("first", [(101, 0), (100, 0), (549, 250)]),
        ("last", [(0, 101), (0, 100), (750, 49)]),
    ],
)
def test_of_a_purchase_paid_in_two_ways_the_program_says_what_comes_back(
    mode: str, parts: list[tuple[int, int]]
) -> None:
    till = paid("10", "7.50", mode)
    memos = [back(till, amount="1.01"), back(till, amount="1.00"), back(till)]
    assert [(memo["stored_value"], memo["outside"]) for memo in memos] == parts
    assert lots(till) == [600, 200, 5000]


@given(
    st.integers(0, 1000), st.lists(st.integers(1, 300), max_size=5), st.sampled_from(["proportional", "first", "last"])
)
def test_no_tender_gives_back_more_than_it_paid(stored: int, parts: list[int], mode: str) -> None:
    till = paid("10", f"{stored / 100:.2f}", mode)
    for part in parts:
        till.tell("return", purchase="p", amount=f"{part / 100:.2f}")
    till.tell("return", purchase="p")
    memos = [d.transaction.memo for d in till.journal["ann"] if d.about and d.transaction]
    assert sum(memo["stored_value"] for memo in memos) == stored
    assert sum(memo["outside"] for memo in memos) == 1000 - stored
    assert lots(till) == [600, 200, 5000]


def test_money_that_goes_back_to_a_lot_that_has_expired_expires_at_once() -> None:
    till = shop()
    till.tell("adjust", amount="5", kind="bonus", reason="present", at="2025-01-02", expires="2025-02-01")
    till.tell("purchase", id="p", amount="5", tenders=[{"kind": "stored_value", "amount": "5"}])
    assert back(till, at="2025-03-01")["stored_value"] == 500
    assert (till.balance("GBP"), till.books["GBP", "breakage"]) == ("0.00", 500)


def test_points_are_taken_from_cash_back_before_bought_value() -> None:
    text = rules().replace('earn = "order.net"', "earn = 'order.net / 10'\nasset = 'GBP'\nkind = 'bonus'")
    till = Till(text).opened()
    till.tell("topup", amount="5")
    till.tell("purchase", id="p", amount="20")
    till.tell("spend", amount="2")
    till.tell("purchase", amount="10")
    back(till)
    assert [(lot.kind, lot.remaining) for lot in till.account().lots.values() if lot.remaining] == [("paid", 400)]


# ---- what happened counts, not today's rules


def test_a_return_after_the_program_changed_takes_back_what_was_granted_then() -> None:
    till = bought("10")
    till.registry = program(rules().replace('"order.net"', '"order.net * 100"').replace("base", "other"))
    back(till, amount="5")
    assert till.balance() == "5"
    till.registry = program("[program]\nname = 'x'\ncurrency = 'GBP'\n[assets.points]\n[[plugin]]\nuse = 'refunds'")
    back(till)
    assert till.balance() == "0"


def test_without_a_refund_plugin_nothing_is_refunded() -> None:
    till = bought("10")
    till.registry = program("[program]\nname = 'x'\ncurrency = 'GBP'\n[assets.points]")
    assert till.refusal("return", purchase="p") == ["no_refund_policy"]


# ---- what other systems' users complain of


def test_complaint_1_a_refund_uses_todays_rule() -> None:
    till = bought("50")
    till.registry = program(rules().replace('"order.net"', '"order.net * 2"'))
    back(till)
    assert (till.balance(), till.view().owed("points")) == ("0", 0)


def test_complaint_2_buy_earn_refund_keep_the_points() -> None:
    till = bought()
    for _ in range(3):
        till.tell("return", purchase="p")
    assert till.balance() == "0"


def test_complaint_3_a_sale_cannot_be_returned_once_its_points_are_spent() -> None:
    for policy in ("within_balance", "pending_only"):
        assert back(spent(f"points_spent = '{policy}'"))["outside"] == 1000


def test_complaint_4_redeemed_value_is_charged_a_second_time_on_refund() -> None:
    till = paid("10", "10")
    before = till.balance("GBP")
    back(till)
    assert (before, till.balance("GBP")) == ("48.00", "58.00")


# ---- what is no return


def test_a_return_cannot_be_returned() -> None:
    till = bought()
    till.tell("return", id="r", purchase="p", amount="1")
    assert till.refusal("return", purchase="r") == ["unknown_purchase"]


def test_more_than_was_bought_cannot_come_back() -> None:
    till = bought()
    back(till, amount="4")
    assert till.refusal("return", purchase="p", amount="6.01") == ["over_return"]
    assert till.refusal("return", purchase="p", lines=[{"line": 2}]) == ["no_such_line"]
    back(till)
    assert till.refusal("return", purchase="p") == ["nothing_left"]
    assert till.refusal("return", purchase="p", amount="0.01") == ["over_return"]


def test_a_purchase_of_another_sender_is_another_purchase() -> None:
    till = bought()
    assert till.refusal("return", purchase="p", source="web") == ["unknown_purchase"]
    assert till.refusal("return", purchase="p", source="web", purchase_source="default") == []


def test_a_refused_purchase_is_none() -> None:
    till = shop()
    till.tell("purchase", id="p", amount="1", tenders=[{"kind": "stored_value", "amount": "1"}])
    assert till.refusal("return", purchase="p") == ["unknown_purchase"]


def test_a_return_without_a_purchase_may_be_kept_where_the_program_says_so() -> None:
    till = shop(unknown="accept")
    memo = till.tell("return", amount="5").transaction
    assert memo is not None
    assert memo.memo == {"unknown_purchase": True, "outside": 500}
    assert memo.postings == ()
    assert till.refusal("return", purchase="nowhere", amount="5") == []
    assert till.refusal("return", purchase="nowhere") == ["unknown_purchase"]


def test_free_goods_come_back_by_their_pieces() -> None:
    text = rules().replace('earn = "order.net"', "earn = 'order.quantity * 10'")
    till = Till(text).opened()
    till.tell("purchase", id="p", lines=[{"sku": "gift", "amount": "0", "quantity": "4"}])
    back(till, lines=[{"sku": "gift", "quantity": "1"}])
    assert till.balance() == "30"
    back(till)
    assert till.balance() == "0"


# ---- the engine checks every plan


class Generous(Plugin[PluginConfig]):
    plan = RefundPlan()

    @hookimpl
    def refund(self, request: RefundRequest) -> RefundPlan:
        assert request.total == 1000
        return self.plan


@pytest.mark.parametrize(
    "plan",
    [
        RefundPlan(),
        RefundPlan(outside=1001),
        RefundPlan(outside=1001, deducted=-1),
        RefundPlan(outside=-1, deducted=1001),
        RefundPlan(outside=900, stored_value=100),
        RefundPlan([Posting("GBP", 401, "sales", 2)], outside=599, stored_value=401),
        RefundPlan([Posting("GBP", 100, "sales", 1)], outside=1000),
        RefundPlan([Posting("GBP", 100, "sales", 3)], outside=900, stored_value=100),
        RefundPlan([Posting("GBP", 100, "cash", 1)], outside=900, stored_value=100),
        RefundPlan([Posting("points", 11, 3, "promotion")], outside=1000),
        RefundPlan([Posting("points", 1, 3, "sales")], outside=1000),
        RefundPlan(outside=1000, settled={"points.base": 11}),
        RefundPlan(outside=1000, settled={"points.base": -1}),
    ],
    ids=repr,
)
def test_no_plan_gives_back_more_than_was_paid_or_takes_more_than_was_granted(plan: RefundPlan) -> None:
    text = rules().replace("use = 'refunds'", "use = 'generous'")
    till = Till(load(text, plugins={"generous": Generous})).opened()
    till.tell("adjust", amount="1", kind="bonus", reason="present")
    till.tell("topup", amount="9")
    tenders = [{"kind": "stored_value", "amount": "4"}, {"kind": "card", "amount": "6"}]
    till.tell("purchase", id="p", amount="10", tenders=tenders)
    till.tell("adjust", asset="points", amount="50", reason="so that there is something to take")
    Generous.plan = plan
    before = till.state()
    with pytest.raises(InvariantError, match=r"^I15: "):
        till.tell("return", purchase="p")
    assert till.state() == before


def test_no_plan_owes_what_the_program_does_not_let_it_owe() -> None:
    till = Till(load(rules().replace("use = 'refunds'", "use = 'generous'"), plugins={"generous": Generous})).opened()
    till.tell("purchase", id="p", amount="10")
    Generous.plan = RefundPlan(outside=1000, debts={"points": 1})
    with pytest.raises(InvariantError, match=r"^I6: the program allows no debt of points"):
        till.tell("return", purchase="p")


@pytest.mark.parametrize(
    ("refunds", "says"),
    [
        ("points_spent = 'debt'", "points_spent = 'debt' needs an asset that allows it: [assets.points] debt = true"),
        ("points_spent = 'within balance'", "(did you mean 'within_balance'?)"),
        ("points_spent = 'deduct_from_refund'", "unit_values goes with points_spent = 'deduct_from_refund', and only with it"),
        ("unit_values = { points = '1' }", "unit_values goes with points_spent = 'deduct_from_refund', and only with it"),
        ("points_spent = 'deduct_from_refund'\nunit_values = { miles = '1' }", "unit_values: 'miles' is not an asset of the program"),
        ("points_spent = 'deduct_from_refund'\nunit_values = { points = '-1' }", "unit_values.points: '-1' is not a number that can stand here; write '12.5'"),
    ],
)  # fmt: skip
def test_a_wrong_policy_is_a_mistake_of_the_program(refunds: str, says: str) -> None:
    with pytest.raises(ProgramError) as wrong:
        program(rules(refunds))
    assert says in str(wrong.value)
