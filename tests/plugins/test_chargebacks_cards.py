"""A payment system takes the money of a card's sale back: from the card, or from wherever its value went since."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stampbook.testing import Ledger
from tests.effort import examples
from tests.plugins.cards import BY, ONE, PROGRAM, TWO
from tests.plugins.proof import findings

MORE = """
[assets.GBP]
debt = true
[[plugin]]
use = "transfers"
asset = "GBP"
kinds = ["paid", "bonus"]
[[plugin]]
use = "merging"
[[plugin]]
use = "refunds"
[plugin.chargeback]
{options}
"""


class Shop:
    """A ledger whose events prove themselves on a database."""

    def __init__(self, options: str = "") -> None:
        self.text = PROGRAM + MORE.format(options=options)
        self.ledger = Ledger(self.text)
        self.sent: list[dict[str, Any]] = []

    def post(self, kind: str, account: str = ONE, **fields: Any) -> Any:
        number = len(self.sent)
        at = f"2025-03-{number // 20 + 1:02}T{number % 20:02}:00"
        event = {"type": kind, "id": f"e{number}", "source": "till", "account": account, "at": at, **fields}
        self.sent.append(event)
        return self.ledger.post(**event)

    def done(self, kind: str, account: str = ONE, **fields: Any) -> Any:
        outcome = self.post(kind, account, **fields)
        assert outcome.accepted, outcome.objections
        return outcome

    def sell(self, amount: str = "100.00", account: str = ONE) -> None:
        self.done("card.issued", account)
        self.done("card.activated", account, id=f"sale-{account}", amount=amount, tender="card")

    def charged(self, account: str = ONE, **fields: Any) -> Any:
        return self.post("topup.charged_back", account, about=f"sale-{account}", **fields)

    def standing(self, account: str) -> tuple[str, str, str]:
        ledger = self.ledger
        return (
            ledger.balance("GBP", account=account),
            ledger.owed("GBP", account=account),
            ledger.view(account=account).status,
        )

    def proved(self) -> None:
        assert not findings(self.text, self.sent)
        assert not findings(self.text, self.sent, 1)


def test_a_card_is_frozen_gives_what_is_left_and_owes_what_was_spent() -> None:
    shop = Shop()
    shop.sell()
    shop.done("card.spent", amount="30.00")
    outcome = shop.charged(reason="card stolen")
    told = outcome.memo["remembered"]
    assert (told["taken"], told["owed"]) == ("70.00", "30.00")
    assert shop.standing(ONE) == ("0.00", "30.00", "frozen")
    assert [each.code for each in shop.post("card.claimed", to="ann").objections] == ["account_frozen"]
    assert shop.charged().objections[0].message == "all of that top-up went back before"
    shop.proved()


def test_more_that_was_put_on_it_later_is_charged_back_by_itself() -> None:
    shop = Shop("freeze = false")
    shop.sell("50.00")
    shop.done("card.topped_up", id="more", amount="20.00", tender="card")
    shop.done("topup.charged_back", about="more")
    assert shop.standing(ONE) == ("50.00", "0.00", "open")
    shop.proved()


def test_a_program_that_says_nothing_of_chargebacks_refuses_it() -> None:
    shop = Shop()
    shop.text = shop.text.replace("[plugin.chargeback]", "")
    shop.ledger = Ledger(shop.text)
    shop.sell()
    assert [each.code for each in shop.charged().objections] == ["no_customer"]


def test_the_sale_of_a_card_that_is_void_cannot_be_charged_back_again() -> None:
    shop = Shop()
    shop.sell()
    shop.done("card.sale_voided", about=f"sale-{ONE}", **BY)
    assert shop.charged().objections[0].message == "all of that top-up went back before"
    assert shop.standing(ONE) == ("0.00", "0.00", "open")


def claimed(options: str = "") -> Shop:
    shop = Shop(options)
    shop.sell()
    shop.done("card.spent", amount="20.00")
    shop.done("account.opened", "ann")
    shop.done("card.claimed", to="ann")
    shop.done("topup", "ann", amount="5.00")
    shop.done("spend", "ann", amount="50.00")
    return shop


def test_what_was_claimed_is_taken_from_the_account_which_owes_all_that_was_spent() -> None:
    shop = claimed()
    outcome = shop.charged()
    assert outcome.memo["remembered"]["went on to ann"] == "100.00"
    assert shop.standing(ONE) == ("0.00", "0.00", "closed")
    assert shop.standing("ann") == ("5.00", "70.00", "frozen"), "what ann paid in herself is not taken"
    assert shop.charged().objections[0].code == "over_chargeback"
    shop.proved()


def test_in_parts_it_takes_what_is_left_first_and_then_what_was_spent() -> None:
    shop = claimed("freeze = false")
    for amount, left in [("25.00", ("10.00", "0.00")), ("25.00", ("5.00", "20.00")), ("50.00", ("5.00", "70.00"))]:
        assert shop.charged(amount=amount).accepted
        assert shop.standing("ann")[:2] == left
    assert not shop.charged(amount="0.01").accepted
    shop.proved()


def test_what_is_let_go_is_taken_as_far_as_it_is_there() -> None:
    shop = claimed('rest = "let_go"')
    outcome = shop.charged()
    assert outcome.memo["remembered"]["lost"] == "20.00"
    assert shop.standing("ann") == ("5.00", "0.00", "frozen")
    [heard] = [entry for entry in shop.ledger.journal("ann") if entry.type == "chargeback.followed"]
    assert {posting.amount for posting in heard.postings} == {30_00}
    shop.proved()


def test_it_follows_through_a_replaced_card_a_claim_and_a_merger() -> None:
    shop = Shop()
    shop.sell()
    shop.done("card.spent", amount="10.00")
    shop.done("card.issued", TWO)
    shop.done("card.replaced", to=TWO, **BY)
    shop.done("card.spent", TWO, amount="10.00")
    shop.done("account.opened", "ann")
    shop.done("account.opened", "bob")
    shop.done("card.claimed", TWO, to="ann")
    shop.done("spend", "ann", amount="10.00")
    shop.done("account.merged", "ann", to="bob")
    shop.done("spend", "bob", amount="10.00")
    assert shop.charged().accepted
    assert shop.standing("bob") == ("0.00", "40.00", "frozen")
    assert [shop.standing(ref) for ref in (ONE, TWO, "ann")] == [("0.00", "0.00", "closed")] * 3
    shop.proved()


def test_what_came_back_to_a_card_that_was_claimed_is_found_too() -> None:
    shop = Shop()
    shop.sell()
    shop.done("card.spent", id="paid", amount="60.00")
    shop.done("account.opened", "ann")
    shop.done("card.claimed", to="ann")
    shop.done("card.refunded", about="paid", amount="25.00")
    assert shop.charged().accepted
    assert shop.standing("ann") == ("0.00", "35.00", "frozen")
    shop.proved()


@pytest.mark.parametrize(("given", "ann", "bob"), [
    ("owed", ("0.00", "60.00", "frozen"), ("60.00", "0.00", "open")),
    ("followed", ("0.00", "0.00", "frozen"), ("0.00", "20.00", "frozen")),
])  # fmt: skip
def test_what_was_given_away_is_owed_or_followed_as_the_program_says(
    given: str, ann: tuple[str, ...], bob: tuple[str, ...]
) -> None:
    shop = Shop(f'given_away = "{given}"')
    shop.sell()
    shop.done("account.opened", "ann")
    shop.done("account.opened", "bob")
    shop.done("card.claimed", to="ann")
    shop.done("transfer", "ann", to="bob", amount="60.00")
    if given == "followed":
        shop.done("spend", "bob", amount="20.00")
    assert shop.charged().accepted
    assert (shop.standing("ann"), shop.standing("bob")) == (ann, bob)
    shop.proved()


@pytest.mark.parametrize(("closed", "code"), [("refuse", "account_closed"), ("reopen", "")])
def test_where_the_account_that_claimed_it_is_closed_the_program_decides(closed: str, code: str) -> None:
    shop = Shop(f'closed = "{closed}"')
    shop.sell()
    shop.done("account.opened", "ann")
    shop.done("card.claimed", to="ann")
    shop.done("spend", "ann", amount="100.00")
    shop.done("account.closed", "ann")
    outcome = shop.charged()
    assert [each.code for each in outcome.objections] == ([code] if code else [])
    assert shop.standing("ann") == (("0.00", "0.00", "closed") if code else ("0.00", "100.00", "frozen"))
    if code:
        assert outcome.objections[0].message.startswith("ann: account ann is closed; closed = 'reopen'")
    shop.proved()


def test_what_the_account_that_claimed_it_gave_up_to_the_shop_is_owed_by_nobody() -> None:
    shop = Shop('closed = "reopen"')
    shop.text = shop.text.replace("debt = true", 'debt = true\non_close = "forfeit"')
    shop.ledger = Ledger(shop.text)
    shop.sell()
    shop.done("account.opened", "ann")
    shop.done("card.claimed", to="ann")
    shop.done("spend", "ann", amount="30.00")
    shop.done("account.closed", "ann")
    assert shop.charged().accepted
    assert shop.standing("ann") == ("0.00", "30.00", "frozen")
    shop.proved()


def test_news_from_before_the_claim_says_what_to_do() -> None:
    shop = claimed()
    [refused] = shop.charged(at="2025-03-01T02:30").objections
    assert (refused.code, refused.message) == (
        "later_news", "what it paid for went on to ann since; send it as of now",
    )  # fmt: skip
    shop.proved()


moves = st.lists(
    st.tuples(
        st.sampled_from(["spend", "give", "claim", "replace", "back", "topup", "close", "thaw"]),
        st.integers(1, 6000),
        st.sampled_from([ONE, TWO, "ann", "bob"]),
    ),
    max_size=9,
)


@examples(25, deadline=None)
@given(moves, st.sampled_from(["owed", "followed"]), st.sampled_from(["true", "false"]))
def test_every_penny_that_is_charged_back_is_taken_or_owed_somewhere(
    told: list[tuple[str, int, str]], given_away: str, freeze: str
) -> None:
    shop = Shop(f'given_away = "{given_away}"\nfreeze = {freeze}\nclosed = "reopen"')
    shop.sell("60.00")
    shop.done("card.issued", TWO)
    for ref in ("ann", "bob"):
        shop.done("account.opened", ref)
    back = 0
    paid_in = 60_00
    for kind, pence, ref in told:
        amount, on_card = f"{pence / 100:.2f}", ref.startswith("card:")
        match kind:
            case "spend":
                shop.post("card.spent" if on_card else "spend", ref, amount=amount)
            case "give":
                shop.post("transfer", ref, to="bob" if ref == "ann" else "ann", amount=amount)
            case "claim":
                shop.post("card.claimed", ref if on_card else ONE, to="ann")
            case "replace":
                shop.post("card.replaced", ONE, to=TWO, **BY)
            case "back":
                back += pence * shop.charged(amount=amount).accepted
            case "topup":
                paid_in += pence * (not on_card and shop.post("topup", ref, amount=amount).accepted)
            case "close":
                shop.post("account.closed", ref)
            case _:
                shop.post("account.unfrozen", ref)
        assert back <= 60_00
        postings = [
            posting
            for account in (ONE, TWO, "ann", "bob")
            for entry in shop.ledger.journal(account)
            for posting in entry.postings
        ]
        assert sum(each.amount for each in postings if each.destination == "cash") == back
        assert sum(each.amount for each in postings if each.source == "cash") == paid_in
        assert sum(each.amount for each in postings if each.source == "transfers") == sum(
            each.amount for each in postings if each.destination == "transfers"
        )
    assert shop.charged(amount=f"{(60_00 - back) / 100:.2f}").accepted or back == 60_00
    shop.proved()
