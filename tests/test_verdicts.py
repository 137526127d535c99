# ruff: noqa: E501 - a case is one line
"""T-VERDICT: every reason of the engine to refuse in its smallest case, and which of two reasons is given."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from tests.properties.driver import Till

RULES = """
[program]
name = "Verdicts"
currency = "GBP"
[assets.points]
debt = true
[assets.EUR]
[attributes]
birthday = "month and day"
[limits.most]
asset = "points"
max = "1000"
over = "refuse event"
[[plugin]]
use = "points"
[[plugin.rule]]
name = "base"
earn = "order.net"
[[plugin]]
use = "refunds"
points_spent = "debt"
"""
UNREFUNDED = RULES[: RULES.rindex("[[plugin]]")]
DAY = "2025-01-10"
EARLY, LATE = "2025-01-05", "2025-01-15"

Step = tuple[str, dict[str, Any]]
BOUGHT: Step = ("purchase", {"id": "p", "amount": "10", "at": DAY})
TOPPED: Step = ("topup", {"amount": "10", "at": DAY})
HELD: Step = ("hold.authorised", {"id": "h", "amount": "5", "at": DAY})
FROZEN: Step = ("account.frozen", {"at": LATE})
CLOSED: Step = ("account.closed", {"at": LATE})


class Case(NamedTuple):
    """An event that is refused for one reason: what happened before it, and itself."""

    code: str
    before: tuple[Step, ...]
    kind: str
    fields: dict[str, Any]
    rules: str = RULES


CASES = [
    Case("account_exists", (), "account.opened", {}),
    Case("account_open", (), "account.unfrozen", {}),
    Case("account_frozen", (FROZEN,), "topup", {"amount": "1"}),
    Case("account_closed", (CLOSED,), "topup", {"amount": "1"}),
    Case("unknown_attribute", (), "account.described", {"attributes": {"shoes": "43"}}),
    Case("bad_attribute", (), "account.described", {"attributes": {"birthday": "soon"}}),
    Case("insufficient_balance", (), "spend", {"amount": "1"}),
    Case("limit_reached", (), "purchase", {"amount": "1001"}),
    Case("unknown_purchase", (), "return", {"purchase": "p"}),
    Case("before_purchase", (BOUGHT,), "return", {"purchase": "p", "at": EARLY}),
    Case("wrong_currency", (BOUGHT,), "return", {"purchase": "p", "amount": "1", "currency": "EUR"}),
    Case("over_return", (BOUGHT,), "return", {"purchase": "p", "amount": "11"}),
    Case("no_such_line", (BOUGHT,), "return", {"purchase": "p", "lines": [{"line": 2}]}),
    Case("nothing_left", (BOUGHT, ("return", {"purchase": "p", "at": DAY})), "return", {"purchase": "p"}),
    Case("no_refund_policy", (BOUGHT,), "return", {"purchase": "p"}, UNREFUNDED),
    Case("completed", (BOUGHT, ("purchase.completed", {"purchase": "p", "at": DAY})), "purchase.completed", {"purchase": "p"}),
    Case("returned", (BOUGHT, ("return", {"purchase": "p", "at": DAY})), "purchase.completed", {"purchase": "p"}),
    Case("unknown_hold", (), "hold.captured", {"hold": "h"}),
    Case("hold_ended", (TOPPED, HELD, ("hold.voided", {"hold": "h", "at": DAY})), "hold.captured", {"hold": "h"}),
    Case("wrong_asset", (TOPPED, HELD), "hold.captured", {"hold": "h", "asset": "points"}),
    Case("before_hold", (TOPPED, HELD), "hold.captured", {"hold": "h", "at": EARLY}),
    Case("over_capture", (TOPPED, HELD), "hold.captured", {"hold": "h", "amount": "6"}),
    Case("over_void", (TOPPED, HELD), "hold.voided", {"hold": "h", "amount": "6"}),
    Case("nothing_to_extend", (), "extend", {"asset": "points", "until": "2026-01-01", "reason": "r"}),
    Case("open_holds", (BOUGHT, ("hold.authorised", {"amount": "5", "asset": "points", "at": DAY})), "account.closed", {}),
    Case("balance_left", (TOPPED,), "account.closed", {}),
    Case("debt", (BOUGHT, ("spend", {"asset": "points", "amount": "10", "at": DAY}), ("return", {"purchase": "p", "at": DAY})), "account.closed", {}),
    Case("later_news", (BOUGHT,), "account.closed", {"at": EARLY}),
]  # fmt: skip


def happened(case: Case, *more: Step) -> Till:
    till = Till(RULES).opened()
    for kind, fields in (*case.before, *more):
        assert till.tell(kind, **fields).accepted, (kind, fields)
    if case.rules != RULES:
        till.registry = Till(case.rules).registry
    return till


def refused(till: Till, case: Case, **more: Any) -> list[str]:
    return till.refusal(case.kind, **{"at": LATE, **case.fields, **more})


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.code)
def test_every_reason_stands_alone(case: Case) -> None:
    assert refused(happened(case), case) == [case.code]


WHILE_FROZEN = {"account.closed", "account.unfrozen", "extend"}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.code)
def test_the_state_of_the_account_comes_before_all_else(case: Case) -> None:
    if case.code in {"account_exists", "account_frozen", "account_closed"}:
        return  # they are that state
    assert Till(RULES).refusal(case.kind, **{"at": LATE, **case.fields}) == ["unknown_account"]
    if case.kind not in WHILE_FROZEN:
        assert refused(happened(case, FROZEN), case) == ["account_frozen"]
    till = happened(case)
    till.account().status = "closed"
    assert refused(till, case) == ["account_closed"]


BACK = ("return", {"purchase": "p", "at": DAY})
ORDER: list[tuple[str, str, tuple[Step, ...], str, dict[str, Any], str]] = [
    ("wrong_currency", "before_purchase", (BOUGHT,), "return", {"purchase": "p", "amount": "1", "currency": "EUR", "at": EARLY}, RULES),
    ("wrong_currency", "over_return", (BOUGHT,), "return", {"purchase": "p", "amount": "11", "currency": "EUR"}, RULES),
    ("wrong_currency", "nothing_left", (BOUGHT, BACK), "return", {"purchase": "p", "currency": "EUR"}, RULES),
    ("wrong_currency", "no_such_line", (BOUGHT,), "return", {"purchase": "p", "lines": [{"line": 2}], "currency": "EUR"}, RULES),
    ("wrong_currency", "no_refund_policy", (BOUGHT,), "return", {"purchase": "p", "amount": "1", "currency": "EUR"}, UNREFUNDED),
    ("before_purchase", "over_return", (BOUGHT,), "return", {"purchase": "p", "amount": "11", "at": EARLY}, RULES),
    ("before_purchase", "nothing_left", (BOUGHT, BACK), "return", {"purchase": "p", "at": EARLY}, RULES),
    ("before_purchase", "no_such_line", (BOUGHT,), "return", {"purchase": "p", "lines": [{"line": 2}], "at": EARLY}, RULES),
    ("before_purchase", "no_refund_policy", (BOUGHT,), "return", {"purchase": "p", "at": EARLY}, UNREFUNDED),
    ("over_return", "no_refund_policy", (BOUGHT,), "return", {"purchase": "p", "amount": "11"}, UNREFUNDED),
    ("no_such_line", "no_refund_policy", (BOUGHT,), "return", {"purchase": "p", "lines": [{"line": 2}]}, UNREFUNDED),
    ("nothing_left", "no_refund_policy", (BOUGHT, BACK), "return", {"purchase": "p"}, UNREFUNDED),
    ("before_purchase", "returned", (BOUGHT, BACK), "purchase.completed", {"purchase": "p", "at": EARLY}, RULES),
    ("completed", "returned", (BOUGHT, ("purchase.completed", {"purchase": "p", "at": DAY}), BACK), "purchase.completed", {"purchase": "p"}, RULES),
    ("hold_ended", "wrong_asset", (TOPPED, HELD, ("hold.voided", {"hold": "h", "at": DAY})), "hold.captured", {"hold": "h", "asset": "points"}, RULES),
    ("hold_ended", "before_hold", (TOPPED, HELD, ("hold.voided", {"hold": "h", "at": DAY})), "hold.captured", {"hold": "h", "at": EARLY}, RULES),
    ("wrong_asset", "before_hold", (TOPPED, HELD), "hold.captured", {"hold": "h", "asset": "points", "at": EARLY}, RULES),
    ("wrong_asset", "over_capture", (TOPPED, HELD), "hold.captured", {"hold": "h", "asset": "points", "amount": "60"}, RULES),
    ("before_hold", "over_capture", (TOPPED, HELD), "hold.captured", {"hold": "h", "amount": "6", "at": EARLY}, RULES),
    ("before_hold", "over_void", (TOPPED, HELD), "hold.voided", {"hold": "h", "amount": "6", "at": EARLY}, RULES),
    ("insufficient_balance", "limit_reached", (), "purchase", {"amount": "1001", "tenders": [{"kind": "stored_value", "amount": "1001"}]}, RULES),
]  # fmt: skip


@pytest.mark.parametrize(
    ("first", "second", "before", "kind", "fields", "rules"), ORDER, ids=[f"{each[0]} before {each[1]}" for each in ORDER]
)  # fmt: skip
def test_of_two_reasons_that_cannot_both_be_told_the_order_is_fixed(
    first: str, second: str, before: tuple[Step, ...], kind: str, fields: dict[str, Any], rules: str
) -> None:
    case = Case(first, before, kind, fields, rules)
    assert refused(happened(case), case) == [first]
    assert second in {each.code for each in CASES}


@pytest.mark.parametrize(
    ("codes", "before", "kind", "fields"),
    [
        (["open_holds", "balance_left"], (TOPPED, HELD), "account.closed", {}),
        (["balance_left", "later_news"], (TOPPED,), "account.closed", {"at": EARLY}),
        (["open_holds", "balance_left", "later_news"], (TOPPED, HELD), "account.closed", {"at": EARLY}),
        (["balance_left", "debt"], (TOPPED, *CASES[-2].before), "account.closed", {}),
        (["debt", "later_news"], CASES[-2].before, "account.closed", {"at": EARLY}),
        (["bad_attribute", "unknown_attribute"], (), "account.described", {"attributes": {"shoes": "43", "birthday": "soon"}}),
        (["no_such_line", "over_return"], (BOUGHT,), "return", {"purchase": "p", "lines": [{"line": 9}, {"line": 1, "amount": "11"}]}),
    ],
)  # fmt: skip
def test_reasons_that_do_not_exclude_each_other_are_told_together(
    codes: list[str], before: tuple[Step, ...], kind: str, fields: dict[str, Any]
) -> None:
    case = Case("", before, kind, fields)
    assert refused(happened(case), case) == codes
