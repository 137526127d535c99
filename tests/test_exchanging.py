"""Exchanges: what comes back and what is bought instead, both or neither."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stampbook import Event, Message, Plugin, PluginConfig, Purchase, hookimpl
from stampbook.engine import Engine
from stampbook.errors import DuplicateEventError, EventError
from stampbook.statements import statement
from stampbook.states import account_state
from stampbook.testing import Ledger
from stampbook.verifying import verify

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stampbook.engine import Outcome

PROGRAM = """
[program]
name = "Exchanges"
currency = "GBP"
open_accounts = "on first event"
[assets.points]
[metrics.spend]
sum = "order.net"
[metrics.visits]
count = true
[[plugin]]
use = "points"
[[plugin.rule]]
name = "base"
earn = "floor(order.net)"
[[plugin]]
use = "refunds"
to_stored_value = {}
"""

LINES = [{"sku": "coat", "amount": "30.00"}, {"sku": "hat", "quantity": "2", "amount": "20.00"}]


def shop(*tenders: tuple[str, str]) -> Ledger:
    ledger = Ledger(PROGRAM)
    ledger.post(type="topup", amount="100.00", at="2025-01-01")
    paid = [{"kind": kind, "amount": amount} for kind, amount in tenders]
    outcome = ledger.post(type="purchase", id="p", lines=LINES, tenders=paid, at="2025-01-02")
    assert outcome.accepted, outcome.objections
    return ledger


def swap(ledger: Ledger, price: str, *tenders: tuple[str, str], **exchange: Any) -> Outcome:
    paid = [{"kind": kind, "amount": part} for kind, part in tenders]
    exchange = {"purchase": "p", **exchange}
    return ledger.post(type="purchase", id="x", amount=price, tenders=paid, exchange=exchange, at="2025-01-05")


COAT = [{"sku": "coat"}]


def test_a_dearer_thing_is_paid_by_what_comes_back_and_the_rest() -> None:
    ledger = shop(("card", "50.00"))
    outcome = swap(ledger, "45.00", ("exchange", "30.00"), ("cash", "15.00"), lines=COAT)
    assert outcome.exchange == {"event": "exchange:customer:4", "exchanged": 3000}
    assert ledger.balance("points") == "65"
    assert [entry.type for entry in ledger.journal()][-2:] == ["return", "purchase"]


def test_of_a_cheaper_one_the_rest_goes_back_by_the_tenders_that_paid() -> None:
    ledger = shop(("card", "25.00"), ("cash", "25.00"))
    outcome = swap(ledger, "10.00", ("exchange", "10.00"), lines=COAT)
    assert outcome.exchange is not None
    assert (outcome.exchange["exchanged"], outcome.exchange["outside"]) == (1000, 2000)
    assert outcome.exchange["tenders"] == [[1, "card", 1500, 500], [2, "cash", 1500, 1500]]


def test_of_a_cheaper_one_the_rest_becomes_stored_value_where_the_customer_wants_that() -> None:
    ledger = shop(("card", "50.00"))
    outcome = swap(ledger, "10.00", ("exchange", "10.00"), lines=COAT, refund_to="stored_value")
    assert outcome.exchange == {"event": "exchange:customer:4", "exchanged": 1000, "credited": 2000}
    assert ledger.balance("GBP") == "120.00"


def test_stored_value_that_comes_back_pays_for_what_is_taken_instead() -> None:
    ledger = Ledger(PROGRAM)
    ledger.post(type="topup", amount="50.00", at="2025-01-01")
    paid = [{"kind": "stored_value", "amount": "50.00"}]
    ledger.post(type="purchase", id="p", lines=LINES, tenders=paid, at="2025-01-02")
    assert ledger.balance("GBP") == "0.00"
    assert swap(ledger, "28.00", ("stored_value", "28.00"), lines=COAT).accepted
    assert ledger.balance("GBP") == "2.00"


@pytest.mark.parametrize(
    ("amount", "tenders", "exchange", "code"),
    [
        ("45.00", [("exchange", "45.00")], {"lines": COAT}, "over_exchange"),
        ("500.00", [("stored_value", "500.00")], {"lines": COAT}, "insufficient_balance"),
        ("45.00", [("card", "45.00")], {"amount": "50.01"}, "over_return"),
        ("45.00", [("card", "45.00")], {"purchase": "q"}, "unknown_purchase"),
    ],
)
def test_where_one_half_is_refused_neither_is_kept(
    amount: str, tenders: list[tuple[str, str]], exchange: dict[str, Any], code: str
) -> None:
    ledger = shop(("card", "50.00"))
    outcome = swap(ledger, amount, *tenders, **exchange)
    assert [each.code for each in outcome.objections] == [code]
    assert (ledger.balance("points"), ledger.balance("GBP")) == ("50", "100.00")
    assert [entry.type for entry in ledger.journal()].count("return") == 0
    assert ledger.post(type="return", purchase="p", at="2025-01-06").accepted, "all of it can still come back"


def test_an_exchange_can_be_returned_and_exchanged_again() -> None:
    ledger = shop(("card", "50.00"))
    swap(ledger, "45.00", ("exchange", "30.00"), ("cash", "15.00"), lines=COAT)
    outcome = ledger.post(type="return", purchase="x", amount="9.00", at="2025-01-06")
    assert outcome.memo["tenders"] == [[1, "exchange", 600, 600], [2, "cash", 300, 300]]
    again = ledger.post(
        type="purchase", id="y", amount="36.00", tenders=[{"kind": "exchange", "amount": "36.00"}],
        exchange={"purchase": "x"}, at="2025-01-07",
    )  # fmt: skip
    assert again.accepted, again.objections
    assert ledger.post(type="return", purchase="x", at="2025-01-08").objections[0].code == "nothing_left"


def test_nobody_else_says_how_much_of_a_return_is_exchanged() -> None:
    ledger = shop(("card", "50.00"))
    with pytest.raises(EventError, match="a purchase that names its `exchange` says what is taken instead"):
        ledger.post(type="return", purchase="p", exchanged="5.00")


def events() -> list[dict[str, Any]]:
    told: list[dict[str, Any]] = [
        {"type": "purchase", "id": "p", "lines": LINES, "tenders": [{"kind": "card", "amount": "50.00"}]},
        {"type": "purchase", "id": "no", "amount": "60.00", "tenders": [{"kind": "exchange", "amount": "60.00"}],
         "exchange": {"purchase": "p"}},
        {"type": "purchase", "id": "x", "amount": "45.00", "exchange": {
            "purchase": "p", "lines": [{"sku": "coat"}, {"line": 2, "quantity": "0.5"}]},
         "tenders": [{"kind": "exchange", "amount": "35.00"}, {"kind": "cash", "amount": "10.00"}]},
        {"type": "purchase", "id": "y", "amount": "1.00", "exchange": {"purchase": "x", "amount": "12.50"}},
        {"type": "return", "id": "r", "purchase": "x"},
    ]  # fmt: skip
    return [{**each, "account": "ann", "at": f"2025-01-0{n}T12:00:00Z"} for n, each in enumerate(told, 1)]


@pytest.mark.parametrize("size", [1, 2, 5])
def test_the_books_agree_whatever_the_batches_and_again_is_no_second_time(any_db: str, size: int) -> None:
    with Engine.open(any_db, create=True) as engine:
        engine.put_text_in_force(PROGRAM)
        outcomes = [one for n in range(0, 5, size) for one in engine.process(events()[n : n + size])]
        assert [one.status for one in outcomes] == ["accepted", "refused", "accepted", "accepted", "accepted"]
        assert verify(engine).findings == ()
        again = engine.process(events())
        assert all(one.replayed for one in again)
        assert [(one.status, one.seq, one.exchange) for one in again] == [
            (one.status, one.seq, one.exchange) for one in outcomes
        ]
        other = {**events()[2], "exchange": {"purchase": "p"}}
        with pytest.raises(DuplicateEventError):
            engine.post(other)
        assert verify(engine).findings == ()


@given(st.integers(1, 6000), st.integers(1, 8000), st.integers(0, 100), st.booleans())
def test_an_exchange_does_what_a_return_and_a_purchase_do_or_nothing(
    back: int,
    price: int,
    share: int,
    stored: bool,  # noqa: FBT001 - drawn by Hypothesis
) -> None:
    """What the exchange pays from outside apart, balances and counts are those of the two events, one by one."""
    whole, halves = (
        shop(("card", "20.00"), ("stored_value", "30.00")),
        shop(("card", "20.00"), ("stored_value", "30.00")),
    )
    before = (whole.balance("GBP"), whole.balance("points"))
    rest = "stored_value" if stored else "cash"
    part = price * share // 100
    tenders = [(kind, f"{amount / 100:.2f}") for kind, amount in (("exchange", part), (rest, price - part)) if amount]
    outcome = swap(whole, f"{price / 100:.2f}", *tenders, amount=f"{back / 100:.2f}")
    first = halves.post(type="return", purchase="p", amount=f"{back / 100:.2f}", at="2025-01-05")
    second = halves.post(
        type="purchase", amount=f"{price / 100:.2f}", at="2025-01-05",
        tenders=[{"kind": kind, "amount": amount} for kind, amount in tenders],
    )  # fmt: skip
    if outcome.accepted:
        assert first.accepted
        assert second.accepted
        assert first.memo["outside"] == (outcome.exchange or {}).get("outside", 0) + part
        assert whole.balance("GBP") == halves.balance("GBP")
        assert whole.balance("points") == halves.balance("points")
        assert whole.view().metric("visits") == halves.view().metric("visits")
        assert whole.view().metric("spend") == halves.view().metric("spend")
    else:
        assert not first.accepted or not second.accepted or part > first.memo["outside"]
        assert (whole.balance("GBP"), whole.balance("points")) == before


def test_the_statement_tells_what_came_back_and_where_that_went(sqlite_db: str) -> None:
    told: list[dict[str, Any]] = [
        {"type": "purchase", "id": "p", "amount": "50.00", "tenders": [
            {"kind": "card", "amount": "25.00"}, {"kind": "cash", "amount": "25.00"}]},
        {"type": "purchase", "id": "x", "amount": "10.00", "tenders": [{"kind": "exchange", "amount": "10.00"}],
         "exchange": {"purchase": "p", "amount": "30.00", "reason": "too small"}},
    ]  # fmt: skip
    with Engine.open(sqlite_db, create=True) as engine:
        engine.put_text_in_force(PROGRAM)
        engine.process([{**each, "account": "ann", "at": f"2025-01-0{n}"} for n, each in enumerate(told, 1)])
        rest = "; 20.00 GBP to give back by other means (5.00 GBP card, 15.00 GBP cash)"
        rest += "; 10.00 GBP for what was taken instead"
        assert [line.words for line in statement(engine, "ann").lines][-2:] == [
            f"return of 30.00 GBP from purchase p: too small{rest}",
            f"purchase of 10.00 GBP in exchange for what came back of purchase p{rest}",
        ]


def test_late_news_of_an_exchange_is_judged_at_its_own_time(any_db: str) -> None:
    told = [
        *events()[:1],
        {"type": "spend", "id": "s", "asset": "points", "amount": "45", "account": "ann", "at": "2025-02-01"},
        *events()[1:],
    ]
    with Engine.open(any_db, create=True) as engine:
        engine.put_text_in_force(PROGRAM)
        outcomes = engine.process(told)
        assert [one.status for one in outcomes] == [*["accepted"] * 2, "refused", *["accepted"] * 3]
        assert verify(engine).findings == ()


def test_what_was_bought_on_an_account_that_was_merged_is_exchanged_on_the_one_that_took_it_in(any_db: str) -> None:
    merging = PROGRAM + '[[plugin]]\nuse = "merging"\nlater_events = "forward"\n'
    told: list[dict[str, Any]] = [
        {"type": "purchase", "id": "p", "account": "old", "amount": "50.00"},
        {"type": "purchase", "id": "q", "account": "new", "amount": "1.00"},
        {"type": "account.merged", "id": "m", "account": "old", "to": "new"},
        {"type": "purchase", "id": "no", "account": "new", "amount": "60.00",
         "tenders": [{"kind": "exchange", "amount": "60.00"}], "exchange": {"purchase": "p"}},
        {"type": "purchase", "id": "x", "account": "new", "amount": "20.00",
         "tenders": [{"kind": "exchange", "amount": "20.00"}], "exchange": {"purchase": "p"}},
        {"type": "return", "id": "r", "account": "old", "purchase": "p"},
    ]  # fmt: skip
    with Engine.open(any_db, create=True) as engine:
        engine.put_text_in_force(merging)
        outcomes = engine.process([{**each, "at": f"2025-01-0{n}"} for n, each in enumerate(told, 1)])
        assert [one.status for one in outcomes] == [*["accepted"] * 3, "refused", "accepted", "refused"]
        assert [each.code for each in outcomes[5].objections] == ["nothing_left"]
        assert account_state(engine, "new").holdings[0].available.text == "21"
        assert verify(engine).findings == ()


class Partner(Plugin[PluginConfig]):
    """Asks another account for its consent to each purchase in a store."""

    Config = PluginConfig

    @hookimpl
    def reward(self, event: Event) -> Iterable[Any]:
        if isinstance(event, Purchase) and event.store:
            yield Message(event.store, "spend", {"asset": "points", "amount": "5"})


@pytest.mark.parametrize("size", [1, 4])
def test_where_another_account_refuses_what_is_bought_nothing_comes_back(any_db: str, size: int) -> None:
    told = [
        {"type": "account.opened", "id": "o", "account": "shop-1", "at": "2025-01-01"},
        *events()[:1],
        {**events()[2], "store": "shop-1"},
        events()[4] | {"purchase": "p"},
    ]
    program = PROGRAM + '[[plugin]]\nuse = "partner"\n'
    with Engine.open(any_db, create=True, plugins={"partner": Partner}) as engine:
        engine.put_text_in_force(program)
        outcomes = [one for n in range(0, 4, size) for one in engine.process(told[n : n + size])]
        assert [one.status for one in outcomes] == ["accepted", "accepted", "malformed", "accepted"]
        assert "nothing of the exchange is kept" in str(outcomes[2].error)
        assert sum(value for _, _, value in outcomes[3].memo["came"]) == 5000, "all of it was there to come back"
        assert verify(engine).findings == ()
