"""Top-ups that go back: asked for by the customer, or taken by a payment system."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stampbook.engine import Engine
from stampbook.errors import ProgramError
from stampbook.testing import Ledger
from stampbook.totals import asset_totals
from stampbook.verifying import verify

HEAD = """
[program]
name = "Top-ups that go back"
currency = "GBP"
open_accounts = "on first event"
[assets.GBP]
debt = true
[assets.points]
debt = true
[metrics.topped_up]
on = ["topup"]
sum = "event.amount"
[[plugin]]
use = "points"
[[plugin.rule]]
name = "bonus"
on = ["topup"]
earn = "event.amount / 5"
asset = "GBP"
kind = "bonus"
[[plugin.rule]]
name = "gift"
on = ["topup"]
earn = "event.amount"
[[plugin.rule]]
name = "base"
earn = "order.net"
[[plugin]]
use = "refunds"
"""


def shop(options: str = "", amount: str = "100.00") -> Ledger:
    ledger = Ledger(HEAD + options)
    ledger.post(type="topup", id="t", amount=amount, at="2025-01-01")
    return ledger


def standing(ledger: Ledger) -> tuple[str, str, str, str]:
    return (
        ledger.balance("GBP"), ledger.owed("GBP"), ledger.balance("points"), ledger.owed("points")
    )  # fmt: skip


def spend(ledger: Ledger, amount: str, asset: str = "GBP") -> None:
    assert ledger.post(type="spend", asset=asset, amount=amount).accepted


def returned(ledger: Ledger, **fields: Any) -> Any:
    return ledger.post(type="topup.returned", about="t", **fields)


RETURN = "[plugin.topup_return]\n"


# ---- the customer asks for it


def test_a_top_up_goes_back_whole_with_all_that_came_with_it() -> None:
    ledger = shop(RETURN)
    assert standing(ledger) == ("120.00", "0.00", "100", "0")
    outcome = returned(ledger)
    assert outcome.memo["remembered"]["refund"] == "100.00"
    assert standing(ledger) == ("0.00", "0.00", "0", "0")
    assert ledger.view().metric("topped_up") == 0
    assert returned(ledger).objections[0].code == "nothing_left"


@pytest.mark.parametrize(("bonus", "left"), [("proportional", "90.00"), ("whole", "75.00"), ("keep", "95.00")])
def test_a_part_takes_back_of_the_bonus_what_the_program_says(bonus: str, left: str) -> None:
    ledger = shop(f"{RETURN}bonus = '{bonus}'\n")
    returned(ledger, amount="25.00")
    assert ledger.balance("GBP") == left


def test_only_what_is_left_of_it_goes_back() -> None:
    ledger = shop(RETURN)
    spend(ledger, "50.00")  # 20 of bonus and 30 of the money
    outcome = returned(ledger, amount="70.01")
    assert outcome.objections[0].message == "70.01 GBP is more than the 70.00 that are left of that top-up"
    outcome = returned(ledger)
    assert outcome.memo["remembered"]["refund"] == "70.00"
    assert standing(ledger) == ("0.00", "0.00", "30", "0"), "14.00 of bonus were spent already, and are let go"


def test_where_a_used_top_up_is_kept_nothing_goes_back() -> None:
    ledger = shop(f"{RETURN}used = 'refuse'\n")
    spend(ledger, "20.00")  # all bonus
    spend(ledger, "0.01")
    assert [each.message for each in returned(ledger).objections] == [
        "0.01 GBP of that top-up is used already or set aside"
    ]


def test_bonus_that_is_spent_is_kept_of_the_money_where_the_program_says_so() -> None:
    ledger = shop(f"unit_values = {{ points = '0.01' }}\n{RETURN}bonus_spent = 'deduct'\n")
    spend(ledger, "20.00")
    spend(ledger, "40", "points")
    outcome = returned(ledger)
    assert outcome.memo["remembered"]["refund"] == "79.60"
    assert outcome.memo["remembered"]["deducted"] == "20.40"
    assert standing(ledger) == ("0.00", "0.00", "0", "0")


def test_nothing_is_taken_from_money_that_was_paid_in_otherwise() -> None:
    ledger = shop(RETURN)
    spend(ledger, "20.00")
    ledger.post(type="topup", id="u", amount="0.04")
    returned(ledger)
    assert ledger.balance("GBP") == "0.04"


def test_a_program_that_does_not_say_so_takes_no_top_up_back() -> None:
    ledger = shop()
    assert returned(ledger).objections[0].code == "no_topup_returns"
    assert ledger.post(type="topup.charged_back", about="t").objections[0].code == "no_chargebacks"
    ledger = shop(RETURN)
    assert ledger.post(type="topup.returned", about="x").objections[0].code == "unknown_topup"


# ---- a payment system takes it

CHARGEBACK = "points_spent = 'debt'\n[plugin.chargeback]\n"


def charged(ledger: Ledger, **fields: Any) -> Any:
    return ledger.post(type="topup.charged_back", about="t", **fields)


def test_a_chargeback_takes_what_is_left_has_the_rest_owed_and_freezes_the_account() -> None:
    ledger = shop(CHARGEBACK)
    spend(ledger, "50.00")
    spend(ledger, "60", "points")
    outcome = charged(ledger, reason="card stolen")
    assert {name: outcome.memo["remembered"][name] for name in ("taken", "owed")} == {"taken": "70.00", "owed": "30.00"}
    assert standing(ledger) == ("0.00", "50.00", "0", "60"), "30.00 of the money and 20.00 of the bonus are owed"
    assert ledger.post(type="spend", asset="points", amount="1").objections[0].code == "account_frozen"
    assert ledger.post(type="account.unfrozen").accepted
    ledger.post(type="topup", amount="20.00")
    assert ledger.balance("GBP") == "20.00", "what is paid in is not taken for what is owed"


def test_a_frozen_account_is_charged_back_too_and_never_more_than_was_paid() -> None:
    ledger = shop(CHARGEBACK)
    assert charged(ledger, amount="40.00").accepted
    assert charged(ledger, amount="60.01").objections[0].code == "over_chargeback"
    assert charged(ledger).accepted
    assert standing(ledger) == ("0.00", "0.00", "0", "0")
    assert charged(ledger).objections[0].message == "all of that top-up went back before"


def test_the_rest_is_let_go_and_nobody_frozen_where_the_program_says_so() -> None:
    ledger = shop("[plugin.chargeback]\nrest = 'let_go'\nfreeze = false\n")
    spend(ledger, "50.00")
    outcome = charged(ledger)
    assert outcome.memo["remembered"]["lost"] == "30.00"
    assert standing(ledger) == ("0.00", "0.00", "0", "0")
    assert ledger.view().status == "open"


def test_debt_needs_a_currency_that_may_be_owed() -> None:
    with pytest.raises(ProgramError, match=r"chargeback: rest = 'debt' needs a currency that may be owed"):
        Ledger(HEAD.replace("[assets.GBP]\ndebt = true", "") + CHARGEBACK)


def test_a_purchase_that_is_charged_back_loses_its_points_and_nothing_is_paid_out() -> None:
    ledger = shop(CHARGEBACK)
    ledger.post(type="purchase", id="p", amount="50.00", tenders=[
        {"kind": "card", "amount": "30.00"}, {"kind": "stored_value", "amount": "20.00"},
    ])  # fmt: skip
    assert ledger.balance("points") == "150"
    outcome = ledger.post(type="return", purchase="p", refund_to="chargeback")
    assert outcome.objections[0].code == "over_chargeback"
    outcome = ledger.post(type="return", purchase="p", refund_to="chargeback", amount="30.00")
    assert (outcome.memo["charged_back"], outcome.memo["outside"], outcome.memo["stored_value"]) == (3000, 0, 0)
    assert (ledger.balance("points"), ledger.view().status) == ("120", "frozen")
    assert ledger.post(type="return", purchase="p").objections[0].code == "account_frozen"


# ---- whatever comes in whatever order

steps = st.lists(
    st.tuples(st.sampled_from(["spend", "points", "return", "chargeback"]), st.integers(1, 9000)), max_size=9
)


@example([("return", 1), ("chargeback", 4)], "whole", 100)
@given(steps, st.sampled_from(["proportional", "whole"]), st.integers(100, 12_000))
def test_never_more_goes_back_than_was_paid_in_and_every_cent_is_somewhere(
    told: list[tuple[str, int]], bonus: str, amount: int
) -> None:
    options = f"{CHARGEBACK}freeze = false\n{RETURN}bonus = '{bonus}'\n"
    ledger = shop(options, f"{amount / 100:.2f}")
    granted = ledger.view().balance("GBP") - amount
    back = spent = taken = 0
    for kind, pence in told:
        text = f"{pence / 100:.2f}"
        if kind == "spend":
            spent += pence if ledger.post(type="spend", amount=text).accepted else 0
        elif kind == "points":
            ledger.post(type="spend", asset="points", amount=str(max(1, pence // 100)))
        else:
            name = "topup.returned" if kind == "return" else "topup.charged_back"
            outcome = ledger.post(type=name, about="t", amount=text)
            if outcome.accepted:
                assert sum(p.amount for p in outcome.postings if p.destination == "cash") == pence
                back += pence
            else:
                assert outcome.objections[0].code in {"over_return", "nothing_left", "over_chargeback"}
        postings = [posting for entry in ledger.journal() for posting in entry.postings if posting.asset == "GBP"]
        taken = sum(p.amount for p in postings if p.destination == "promotion")
        assert taken <= granted
        assert back <= amount
        view = ledger.view()
        assert view.balance("GBP") - view.owed("GBP") == amount + granted - spent - back - taken
    if back == amount:
        assert ledger.view().metric("topped_up") == 0
        assert taken == granted


def test_the_books_agree(any_db: str) -> None:
    told: list[dict[str, Any]] = [
        {"type": "topup", "id": "t", "amount": "100.00"},
        {"type": "spend", "id": "s", "amount": "50.00"},
        {"type": "topup.returned", "id": "r", "about": "t", "amount": "10.00"},
        {"type": "topup.charged_back", "id": "c", "about": "t"},
        {"type": "topup.charged_back", "id": "d", "about": "t"},
    ]
    with Engine.open(any_db, create=True) as engine:
        engine.put_text_in_force(f"{HEAD}{CHARGEBACK}{RETURN}")
        outcomes = engine.process([{**each, "account": "ann", "at": f"2025-01-0{n}"} for n, each in enumerate(told, 1)])
        assert [outcome.status for outcome in outcomes] == [*["accepted"] * 4, "refused"]
        assert verify(engine).findings == ()
        [money] = [each for each in asset_totals(engine) if each.asset == "GBP"]
        assert (money.paid_in, money.issued, money.spent) == (0, 2000, 5000)
        assert money.paid_in + money.issued - money.spent - money.taken_back == money.outstanding


def test_a_refund_of_the_balance_does_not_pay_again_what_went_back(any_db: str) -> None:
    told: list[dict[str, Any]] = [
        {"type": "topup", "id": "t", "amount": "100.00"},
        {"type": "topup.returned", "id": "r", "about": "t", "amount": "40.00"},
        {"type": "refund.requested", "id": "q"},
    ]
    payouts = "[[plugin]]\nuse = 'payouts'\npacks = ['contract']\nrefunds = 'balance'\n"
    with Engine.open(any_db, create=True) as engine:
        engine.put_text_in_force(f"{HEAD}{RETURN}{payouts}")
        outcomes = engine.process([{**each, "account": "ann", "at": f"2025-01-0{n}"} for n, each in enumerate(told, 1)])
        assert outcomes[2].accepted, outcomes[2].objections
        assert outcomes[2].memo["remembered"]["_result"] == "60.00"
