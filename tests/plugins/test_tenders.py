"""Which tender gives back how much of a return, whatever the returns and their order."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stampbook.engine import Engine
from stampbook.errors import ProgramError
from stampbook.explaining import explain_entry
from stampbook.replay import find_entry
from stampbook.testing import Ledger
from stampbook.totals import asset_totals
from stampbook.verifying import verify

HEAD = """
[program]
name = "Mixed tenders"
currency = "GBP"
open_accounts = "on first event"
[assets.points]
[[plugin]]
use = "points"
[[plugin.rule]]
name = "gift"
on = ["topup"]
earn = "100000"
[[plugin.rule]]
name = "base"
earn = "order.paid_outside"
[[plugin]]
use = "redemption"
[[plugin.pay]]
points = "100"
value = "1.00"
[[plugin]]
use = "refunds"
"""

KINDS = ["card", "points", "stored_value", "cash"]


def money(pence: int) -> str:
    return f"{pence / 100:.2f}"


def shop(refunds: str = "") -> Ledger:
    ledger = Ledger(HEAD + refunds)
    ledger.post(type="topup", amount="1000.00", at="2025-01-01")
    return ledger


def bought(ledger: Ledger, *tenders: tuple[str, int], lines: list[dict[str, Any]] | None = None) -> None:
    paid = [{"kind": kind, "amount": money(amount)} for kind, amount in tenders]
    order: dict[str, Any] = (
        {"amount": money(sum(amount for _, amount in tenders))} if lines is None else {"lines": lines}
    )
    outcome = ledger.post(type="purchase", id="p", at="2025-01-02", tenders=paid, **order)
    assert outcome.accepted, outcome.objections


def back(ledger: Ledger, **fields: Any) -> dict[str, int]:
    """Return something, and tell what each tender gave back."""
    outcome = ledger.post(type="return", purchase="p", **fields)
    assert outcome.accepted, outcome.objections
    return by_kind(outcome.memo)


def by_kind(memo: dict[str, Any]) -> dict[str, int]:
    parts = {kind: share for _, kind, share, _ in memo.get("tenders", ())}
    found = {"stored_value": memo["stored_value"], "points": memo.get("paid", {}).get("points", 0), **parts}
    return {kind: part for kind, part in found.items() if part}


FOUR = (("card", 400), ("points", 100), ("stored_value", 200), ("cash", 300))


THIRD = {"card": 120, "points": 30, "stored_value": 60, "cash": 90}


@pytest.mark.parametrize(
    ("order", "first", "second"),
    [
        ("proportional", THIRD, THIRD),
        ("reverse", {"cash": 300}, {"stored_value": 200, "points": 100}),
        ("in_order", {"card": 300}, {"card": 100, "points": 100, "stored_value": 100}),
        ("outside_first", {"card": 300}, {"card": 100, "cash": 200}),
    ],
)  # fmt: skip
def test_the_program_says_which_tender_gives_back(order: str, first: dict[str, int], second: dict[str, int]) -> None:
    ledger = shop(f"tenders = '{order}'")
    bought(ledger, *FOUR)
    assert back(ledger, amount="3.00") == first
    assert back(ledger, amount="3.00") == second
    back(ledger)
    assert ledger.balance("GBP") == "1000.00"


def test_the_outcome_says_how_much_goes_back_by_each_tender_from_outside() -> None:
    ledger = shop()
    bought(ledger, ("card", 667), ("cash", 333))
    outcome = ledger.post(type="return", id="r", purchase="p", amount="1.00")
    assert outcome.memo["tenders"] == [[1, "card", 67, 67], [2, "cash", 33, 33]]
    assert outcome.memo["outside"] == 100


def test_what_is_kept_for_points_that_are_gone_is_kept_of_every_tender_in_proportion() -> None:
    ledger = shop("points_spent = 'deduct_from_refund'\nunit_values = { points = '0.01' }")
    bought(ledger, ("card", 600), ("cash", 400))
    ledger.post(type="spend", asset="points", amount=ledger.balance("points"))
    outcome = ledger.post(type="return", purchase="p")
    assert (outcome.memo["deducted"], outcome.memo["outside"]) == (10, 990)
    assert outcome.memo["tenders"] == [[1, "card", 600, 594], [2, "cash", 400, 396]]


# ---- against a naive model

parts_of = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(1, 700)), min_size=1, max_size=6)
asked = st.lists(st.tuples(st.booleans(), st.integers(0, 3), st.integers(1, 500)), max_size=8)


chosen = st.sampled_from(["tenders", "stored_value"])


class Model:
    """What is left of each tender: stored value and points once, where they stand first; each other one by itself."""

    def __init__(self, tenders: list[tuple[str, int]]) -> None:
        self.paid: dict[str, int] = {}
        for place, (kind, amount) in enumerate(tenders):
            name = kind if kind in {"points", "stored_value"} else f"{kind} {place + 1}"
            self.paid[name] = self.paid.get(name, 0) + amount
        self.left = dict(self.paid)

    def in_turn(self, value: int, order: str) -> dict[str, int]:
        names = list(self.paid)
        if order == "reverse":
            names.reverse()
        elif order == "outside_first":
            inside: list[str] = [name for name in ("stored_value", "points") if name in self.paid]
            names = [name for name in names if name not in inside] + inside
        parts = {}
        for name in names:
            parts[name] = min(value, self.left[name])
            value -= parts[name]
        return parts


def named(memo: dict[str, Any], tenders: list[tuple[str, int]]) -> dict[str, int]:
    outside = [place for place, (kind, _) in enumerate(tenders) if kind not in {"points", "stored_value"}]
    parts = {f"{kind} {place}": share for place, kind, share, _ in memo.get("tenders", ())}
    if len(outside) == 1:
        [place] = outside
        parts = {f"{tenders[place][0]} {place + 1}": memo["outside"] + memo["deducted"] + memo.get("credited", 0)}
    return {"stored_value": memo["stored_value"], "points": memo.get("paid", {}).get("points", 0), **parts}


@given(parts_of, asked, st.sampled_from(["proportional", "reverse", "in_order", "outside_first"]), chosen)
@example([("card", 1), ("cash", 1), ("card", 1)], [(False, 0, 1)] * 3, "proportional", "tenders")
def test_no_tender_gives_back_more_than_it_paid_and_every_cent_is_placed(
    tenders: list[tuple[str, int]], returns: list[tuple[bool, int, int]], order: str, refund_to: str
) -> None:
    ledger = shop(f"tenders = '{order}'\nto_stored_value = {{}}")
    to_stored_value = refund_to == "stored_value"
    total = sum(amount for _, amount in tenders)
    pieces = [total - total // 3, total // 3] if total // 3 else [total]
    before = ledger.balance("points")
    bought(ledger, *tenders, lines=[{"sku": f"s{n}", "amount": money(each)} for n, each in enumerate(pieces)])
    model, came, credited = Model(tenders), 0, 0
    for by_line, place, pence in [*returns, (False, -1, 0)]:
        fields: dict[str, Any] = {"amount": money(pence)} if pence else {}
        if by_line:
            fields = {"lines": [{"line": 1 + place % len(pieces), "amount": money(pence)}]}
        outcome = ledger.post(type="return", purchase="p", refund_to=refund_to, **fields)
        if not outcome.accepted:
            assert {each.code for each in outcome.objections} <= {"over_return", "nothing_left"}
            continue
        value = sum(part for _, _, part in outcome.memo["came"])
        parts = named(outcome.memo, tenders)
        assert all(part >= 0 for part in parts.values()), "no tender gives a cent back"
        assert sum(parts.values()) == value, "every cent is placed"
        if order == "proportional":
            left = sum(model.left.values())
            off = {
                name: abs(parts.get(name, 0) - Fraction(value * amount, left)) for name, amount in model.left.items()
            }
            assert max(off.values()) < len(off), "each gives its part, but for cents"
        else:
            assert {name: part for name, part in parts.items() if part} == {
                name: part for name, part in model.in_turn(value, order).items() if part
            }
        for name, part in parts.items():
            if part:
                model.left[name] -= part
                assert model.left[name] >= 0, "no tender gives back more than it paid"
        came += value
        credited += outcome.memo.get("credited", 0)
        assert outcome.memo["outside"] == 0 or not to_stored_value
    assert came == total
    assert not any(model.left.values())
    outside = sum(amount for kind, amount in tenders if kind not in {"points", "stored_value"})
    assert credited == (outside if to_stored_value else 0)
    assert ledger.balance("GBP") == money(100_000 + credited)
    assert ledger.balance("points") == before, "what was earned is taken back, and the points that paid are back"


# ---- to stored value, by the customer's choice


def test_money_from_outside_comes_back_as_a_lot_of_its_own_where_the_customer_chooses_that() -> None:
    ledger = shop("[plugin.to_stored_value]\nkind = 'credit'\ngood_for = '1 year'\n")
    bought(ledger, ("card", 400), ("stored_value", 200), ("cash", 400))
    outcome = ledger.post(type="return", purchase="p", refund_to="stored_value", amount="5.00", at="2025-02-01")
    assert outcome.memo["tenders"] == [[1, "card", 200, 0], [3, "cash", 200, 0]]
    assert (outcome.memo["credited"], outcome.memo["stored_value"], outcome.memo["outside"]) == (400, 100, 0)
    assert ledger.balance("GBP") == "1003.00"
    assert ledger.balance("GBP", at="2026-03-01") == "999.00"


def test_without_leave_of_the_program_nobody_can_choose_it() -> None:
    ledger = shop()
    bought(ledger, ("card", 400))
    outcome = ledger.post(type="return", purchase="p", refund_to="stored_value")
    assert [(each.code, each.message) for each in outcome.objections] == [
        ("not_to_stored_value", "the program gives back by the tender that paid, and not as stored value")
    ]


def test_an_order_of_all_tenders_leaves_none_for_one_of_them() -> None:
    with pytest.raises(ProgramError, match="stored_value and paid_points go with tenders = 'proportional'"):
        shop("tenders = 'reverse'\nstored_value = 'first'")


def test_the_books_agree_and_the_story_tells_every_tender(any_db: str) -> None:
    told: list[dict[str, Any]] = [
        {"type": "topup", "id": "t", "amount": "10.00"},
        {"type": "purchase", "id": "p", "amount": "10.00", "tenders": [
            {"kind": "card", "amount": "4.00"}, {"kind": "stored_value", "amount": "2.00"},
            {"kind": "cash", "amount": "4.00"},
        ]},
        {"type": "return", "id": "r", "purchase": "p", "amount": "5.00"},
        {"type": "return", "id": "s", "purchase": "p", "refund_to": "stored_value"},
    ]  # fmt: skip
    with Engine.open(any_db, create=True) as engine:
        engine.put_text_in_force(HEAD + "to_stored_value = {}")
        outcomes = engine.process([{**each, "account": "ann", "at": f"2025-01-0{n}"} for n, each in enumerate(told, 1)])
        assert [outcome.status for outcome in outcomes] == ["accepted"] * 4
        assert verify(engine).findings == ()
        refund = explain_entry(engine, *find_entry(engine, None, "r")[0]).refund
        assert refund is not None
        assert [(tender.kind, tender.share.text, tender.back.text) for tender in refund.tenders] == [
            ("card", "2.00", "2.00"),
            ("cash", "2.00", "2.00"),
        ]
        refund = explain_entry(engine, *find_entry(engine, None, "s")[0]).refund
        assert refund is not None
        assert (refund.value.text, refund.credited.text, refund.stored_value.text) == ("5.00", "4.00", "1.00")
        [money] = [each for each in asset_totals(engine) if each.asset == "GBP"]
        assert (money.paid_in, money.spent, money.given_back, money.outstanding) == (1000, 200, 600, 1400)
