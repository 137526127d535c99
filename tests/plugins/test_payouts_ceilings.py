"""The most that a card may hold by law holds however money comes to it: claimed, given, or changed."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stampbook.testing import Ledger
from tests.effort import examples
from tests.plugins.cards import BY, ONE, TWO
from tests.plugins.payouts import program
from tests.plugins.proof import findings

ART_18 = "(单用途商业预付卡管理办法 Art. 18)"
MORE = """
card = "{card}"
[[plugin]]
use = "cards"
prefix = "6035"
length = 12
bearer_most = "1000"
registered_most = "5000"
[assets.USD]
[[plugin]]
use = "transfers"
asset = "CNY"
kinds = ["paid", "bonus"]
[[plugin]]
use = "merging"
[[plugin]]
use = "stored_value"
[[plugin.exchange]]
from = "USD"
to = "CNY"
rate = "7"
"""


def text(card: str = "registered") -> str:
    more = MORE.format(card=card)
    return program("cn-2025", "cn-single-purpose-card", more="validity = '3 years'" * (card == "bearer") + more)


class Shop:
    def __init__(self, card: str = "registered") -> None:
        self.text = text(card)
        self.ledger, self.sent = Ledger(self.text), list[dict[str, Any]]()
        for ref in ("ann", "bob"):
            self.post("account.opened", ref)

    def post(self, what: str, ref: str, **fields: Any) -> Any:
        number = len(self.sent)
        at = f"2025-06-{number // 20 + 1:02}T{number % 20:02}:00"
        event = {"type": what, "id": f"e{number}", "source": "till", "account": ref, "at": at, **fields}
        self.sent.append(event)
        return self.ledger.post(**event)

    def balance(self, ref: str) -> str:
        return self.ledger.balance("CNY", account=ref)

    def proved(self) -> None:
        assert not findings(self.text, self.sent)


def told(outcome: Any) -> str:
    [objection] = outcome.objections
    assert objection.code == "card_limit"
    return str(objection.message)


def test_a_card_is_claimed_as_long_as_the_account_may_hold_it() -> None:
    shop = Shop()
    shop.post("topup", "ann", amount="4200.00", tender="card")
    for card in (ONE, TWO):
        shop.post("card.issued", card)
        assert shop.post("card.activated", card, amount="800.00", tender="card").accepted
    assert shop.post("card.claimed", ONE, to="ann").accepted
    assert told(shop.post("card.claimed", TWO, to="ann")) == (
        f"ann: the card would hold 5800.00 of paid-in money, and 5000.00 CNY is the most {ART_18}; "
        "nothing more is possible"
    )
    assert shop.balance(TWO) == "800.00"
    assert shop.post("card.claimed", TWO, to="ann", value="stays").accepted
    shop.proved()


def test_what_is_given_away_may_not_be_more_than_the_other_may_hold() -> None:
    shop = Shop()
    for ref in ("ann", "bob"):
        shop.post("topup", ref, amount="4800.00", tender="card")
    assert told(shop.post("transfer", "ann", to="bob", amount="200.01")) == (
        f"bob: the card would hold 5000.01 of paid-in money, and 5000.00 CNY is the most {ART_18}; "
        "200.00 CNY more is possible"
    )
    assert shop.post("transfer", "ann", to="bob", amount="200.00").accepted
    assert (shop.balance("ann"), shop.balance("bob")) == ("4600.00", "5000.00")
    shop.proved()


def test_a_bearer_card_gets_no_more_by_a_transfer_than_its_thousand() -> None:
    shop = Shop("bearer")
    for ref in ("ann", "bob"):
        assert shop.post("topup", ref, amount="600.00", tender="card").accepted
    assert "1000.00 CNY is the most" in told(shop.post("transfer", "ann", to="bob", amount="600.00"))
    shop.proved()


def test_bonus_that_is_given_does_not_count() -> None:
    shop = Shop()
    for ref in ("ann", "bob"):
        shop.post("topup", ref, amount="5000.00", tender="card")
    shop.post("adjust", "ann", amount="100.00", kind="bonus", reason="a gift")
    assert shop.post("transfer", "ann", to="bob", amount="100.00").accepted, "bonus first"
    shop.proved()


def test_money_is_not_changed_into_more_than_the_card_may_hold() -> None:
    shop = Shop()
    shop.post("topup", "ann", amount="4300.00", tender="card")
    shop.post("topup", "ann", amount="200.00", currency="USD", tender="card")
    assert told(shop.post("exchange", "ann", asset="USD", amount="100.01", to="CNY")).endswith(
        f"the most {ART_18}; 700.00 CNY more is possible"
    )
    assert shop.post("exchange", "ann", asset="USD", amount="100.00", to="CNY").accepted
    shop.proved()


@pytest.mark.parametrize("kind", ["card.replaced", "account.merged"])
def test_what_is_a_customers_already_is_reissued_and_merged_whatever_it_is(kind: str) -> None:
    shop = Shop()
    for ref in ("ann", "bob"):
        shop.post("topup", ref, amount="4000.00", tender="card")
    for card in (ONE, TWO):
        shop.post("card.issued", card)
    shop.post("card.activated", ONE, amount="1000.00", tender="card")
    if kind == "account.merged":
        assert shop.post(kind, "ann", to="bob").accepted
        assert shop.balance("bob") == "8000.00"
    else:
        assert shop.post(kind, ONE, to=TWO, **BY).accepted
        assert shop.balance(TWO) == "1000.00"
    shop.proved()


@examples(20, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["topup", "give", "change", "spend", "claim"]), st.integers(1, 400_000)), max_size=10
    )
)
def test_no_account_comes_to_hold_more_by_anything(steps: list[tuple[str, int]]) -> None:
    shop = Shop()
    shop.post("topup", "ann", amount="1000.00", currency="USD", tender="card")
    shop.post("card.issued", ONE)
    shop.post("card.activated", ONE, amount="1000.00", tender="card")
    for place, (kind, fen) in enumerate(steps):
        ref, other = ("ann", "bob") if place % 2 else ("bob", "ann")
        amount = f"{fen / 100:.2f}"
        match kind:
            case "topup":
                shop.post("topup", ref, amount=amount, tender="card")
            case "give":
                shop.post("transfer", ref, to=other, amount=amount)
            case "change":
                shop.post("exchange", "ann", asset="USD", amount=f"{fen / 500:.2f}", to="CNY")
            case "claim":
                shop.post("card.claimed", ONE, to=ref)
            case _:
                shop.post("spend", ref, amount=amount)
        assert all(shop.ledger.view(account=each).balance("CNY") <= 500_000 for each in ("ann", "bob"))
    shop.proved()
