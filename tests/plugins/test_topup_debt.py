"""A top-up on an account that owes money: it repays that, or leaves it, as the program or who sends it says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stampbook.errors import ProgramError
from stampbook.testing import Ledger
from tests.cli.shop import run
from tests.effort import examples
from tests.plugins.proof import findings

if TYPE_CHECKING:
    from pathlib import Path

HEAD = """
[program]
name = "Debts"
currency = "GBP"
open_accounts = "on first event"
[assets.GBP]
debt = true
on_close = "forfeit"
{policy}
[[plugin]]
use = "refunds"
[plugin.topup_return]
[plugin.chargeback]
freeze = false
[[plugin]]
use = "stored_value"
[[plugin.topup]]
ceiling = "100"
[[plugin]]
use = "payouts"
packs = ["contract"]
refunds = "balance"
"""
REPAY = 'topup_debt = "repay"'


def in_debt(policy: str = "") -> Ledger:
    """Return a shop whose customer owes 30.00."""
    ledger = Ledger(HEAD.format(policy=policy))
    ledger.post(type="topup", id="t", amount="100.00")
    ledger.post(type="spend", amount="30.00")
    assert ledger.post(type="topup.charged_back", about="t").accepted
    assert ledger.owed("GBP") == "30.00"
    return ledger


def standing(ledger: Ledger) -> tuple[str, str]:
    return ledger.balance("GBP"), ledger.owed("GBP")


@pytest.mark.parametrize(("policy", "said", "expected"), [
    ("", {}, ("50.00", "30.00")),
    ("", {"debt": "repay"}, ("20.00", "0.00")),
    (REPAY, {}, ("20.00", "0.00")),
    (REPAY, {"debt": "keep"}, ("50.00", "30.00")),
])  # fmt: skip
def test_the_program_says_what_a_top_up_does_unless_the_sender_does(
    policy: str, said: dict[str, str], expected: tuple[str, str]
) -> None:
    ledger = in_debt(policy)
    assert ledger.post(type="topup", id="u", amount="50.00", **said).accepted
    assert standing(ledger) == expected


def test_the_statement_tells_what_was_repaid() -> None:
    ledger = in_debt(REPAY)
    ledger.post(type="topup", id="u", amount="20.00")
    assert b'"repaid":{"GBP":2000}' in ledger.journal()[-1].trace
    assert standing(ledger) == ("0.00", "10.00")


def test_what_repays_a_debt_does_not_count_for_the_ceiling() -> None:
    ledger = in_debt(REPAY)
    assert ledger.post(type="topup", amount="130.01").objections[0].code == "balance_ceiling"
    assert ledger.post(type="topup", amount="130.00").accepted
    assert standing(ledger) == ("100.00", "0.00")


def test_a_refund_is_refused_with_the_command_that_settles_the_debt(tmp_path: Path) -> None:
    ledger = in_debt()
    ledger.post(type="topup", amount="50.00")
    [refused] = ledger.post(type="refund.requested").objections
    assert refused.message == (
        "30.00 GBP is owed; settle it first: stampbook topup customer 30.00 --asset GBP --debt repay; "
        "or let go of it: stampbook adjust customer 30.00 --asset GBP --reason WHY"
    )
    [refused] = ledger.post(type="account.closed").objections
    assert refused.message.startswith("30.00 GBP is owed; settle it first: stampbook topup customer 30.00 --asset GBP")
    program, db = tmp_path / "program.toml", f"sqlite:///{tmp_path}/books.db"
    program.write_text(HEAD.format(policy=""), encoding="utf-8")
    run("--db", db, "init")
    run("--db", db, "apply", str(program))
    for event in (
        ("topup", "customer", "100.00", "--id", "t"),
        ("spend", "customer", "30.00"),
        ("post", "topup.charged_back", "customer", "about=t"),
        ("topup", "customer", "50.00"),
        ("topup", "customer", "30.00", "--asset", "GBP", "--debt", "repay"),
        ("refund", "request", "customer"),
    ):
        run("--db", db, *event)
    run("--db", db, "verify")


def test_the_other_command_lets_go_of_it() -> None:
    ledger = in_debt()
    assert ledger.post(type="adjust", asset="GBP", amount="30.00", reason="bad luck").accepted
    assert standing(ledger) == ("0.00", "0.00")
    assert ledger.post(type="account.closed").accepted


def test_only_what_a_top_up_left_goes_back_and_all_of_it_may_be_charged_back() -> None:
    ledger = in_debt(REPAY)
    ledger.post(type="topup", id="u", amount="50.00")
    outcome = ledger.post(type="topup.returned", about="u", amount="20.01")
    assert outcome.objections[0].message == "20.01 GBP is more than the 20.00 that are left of that top-up"
    assert ledger.post(type="topup.charged_back", about="u").accepted
    assert standing(ledger) == ("0.00", "30.00"), "the debt that it had repaid is there again"
    ledger.post(type="topup", id="v", amount="10.00")
    assert ledger.post(type="topup.returned", about="v").objections[0].code == "nothing_left"


def test_a_currency_that_cannot_be_owed_has_nothing_to_repay() -> None:
    with pytest.raises(ProgramError, match="topup_debt = 'repay' goes with debt = true"):
        Ledger(HEAD.format(policy=REPAY).replace("debt = true", "").replace("[plugin.chargeback]\nfreeze = false", ""))


@examples(25, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["topup", "keep", "repay", "spend", "back", "refund"]), st.integers(1, 9000)),
        max_size=10,
    ),
    st.sampled_from(["", REPAY]),
)
def test_a_debt_is_repaid_to_the_penny_and_never_twice(steps: list[tuple[str, int]], policy: str) -> None:
    program = HEAD.format(policy=policy).replace('ceiling = "100"', 'ceiling = "100000"')
    ledger, sent, topups = Ledger(program), list[dict[str, Any]](), ["e0"]

    def post(**event: Any) -> Any:
        number = len(sent)
        at = f"2025-02-{number // 20 + 1:02}T{number % 20:02}:00"
        sent.append({"id": f"e{number}", "source": "till", "account": "customer", "at": at, **event})
        return ledger.post(**sent[-1])

    post(type="topup", amount="60.00")
    for kind, pence in steps:
        view, amount = ledger.view(), f"{pence / 100:.2f}"
        owed, there = view.owed("GBP"), view.balance("GBP")
        if kind in {"topup", "keep", "repay"}:
            assert post(type="topup", amount=amount, **({"debt": kind} if kind != "topup" else {})).accepted
            topups.append(sent[-1]["id"])
            repaid = min(owed, pence) if kind == "repay" or (kind == "topup" and policy) else 0
            after = ledger.view()
            assert (after.owed("GBP"), after.balance("GBP")) == (owed - repaid, there + pence - repaid)
        elif kind == "spend":
            post(type="spend", amount=amount)
        elif kind == "back":
            outcome = post(type="topup.charged_back", about=topups[pence % len(topups)], amount=amount)
            after = ledger.view()
            change = after.balance("GBP") - after.owed("GBP") - there + owed
            assert change == (-pence if outcome.accepted else 0)
        else:
            asked = post(type="refund.requested")
            assert not (asked.accepted and owed), "nothing is paid out while something is owed"
    assert not findings(program, sent)
