"""Which grant of a shared lot is used, taken back and given back, and when its customer last did anything."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from stampbook import Engine, StoreError, grants_of_all
from stampbook.loading import load
from stampbook.periods import Calendar
from stampbook.replay import MemoryLedger

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = """
[program]
name = "Shop"
currency = "GBP"
open_accounts = "on first event"

[assets.GBP]
[assets.points]
debt = true

[[plugin]]
use = "points"
[[plugin.rule]]
name = "base"
earn = "floor(order.net)"

[[plugin]]
use = "refunds"
points_spent = "debt"
"""
AT = Calendar().parse


@pytest.fixture
def engine(sqlite_db: str) -> Iterator[Engine]:
    with Engine.open(sqlite_db, create=True, clock=lambda: AT("2025-12-31")) as engine:
        engine.put_text_in_force(PROGRAM)
        yield engine


def post(engine: Engine, kind: str, day: str, **fields: Any) -> None:
    event = {"type": kind, "id": f"{kind}-{day}", "account": "ann", "at": f"2025-{day}", **fields}
    outcome = engine.post(event)
    assert outcome.accepted, outcome.objections


def points(engine: Engine, as_of: str = "12-31") -> list[tuple[str, int, int]]:
    """Return of each grant of points its day, its units and what is left of it."""
    [account] = grants_of_all(engine, as_of=AT(f"2025-{as_of}"))
    return [
        (Calendar().iso(grant.at)[5:10], grant.units, grant.left) for grant in account.grants if grant.asset == "points"
    ]


def bought(engine: Engine) -> None:
    """Buy in three months; points without an end share one lot."""
    for day, amount in (("01-10", "10.00"), ("02-10", "20.00"), ("03-10", "30.00")):
        post(engine, "purchase", day, amount=amount)


def test_the_oldest_grant_of_a_lot_is_used_first(engine: Engine) -> None:
    bought(engine)
    post(engine, "spend", "04-01", asset="points", amount="25")
    assert points(engine) == [("01-10", 10, 0), ("02-10", 20, 5), ("03-10", 30, 30)]
    assert points(engine, "03-31") == [("01-10", 10, 10), ("02-10", 20, 20), ("03-10", 30, 30)]
    [account] = grants_of_all(engine)
    assert {grant.lot for grant in account.grants} == {1}


def test_a_return_takes_back_what_its_purchase_had_granted(engine: Engine) -> None:
    bought(engine)
    post(engine, "return", "04-01", purchase="purchase-02-10", amount="15.00")
    assert points(engine) == [("01-10", 10, 10), ("02-10", 20, 5), ("03-10", 30, 30)]


def test_what_its_purchase_has_no_more_comes_from_the_oldest(engine: Engine) -> None:
    bought(engine)
    post(engine, "spend", "04-01", asset="points", amount="25")
    post(engine, "return", "04-02", purchase="purchase-02-10")
    assert points(engine) == [("01-10", 10, 0), ("02-10", 20, 0), ("03-10", 30, 15)]


def test_late_news_uses_what_was_there_at_its_own_instant(engine: Engine) -> None:
    bought(engine)
    post(engine, "spend", "04-01", asset="points", amount="25")
    post(engine, "spend", "02-01", asset="points", amount="10")
    assert points(engine) == [("01-10", 10, 0), ("02-10", 20, 0), ("03-10", 30, 25)]
    assert points(engine, "02-05") == [("01-10", 10, 0)]


def test_stored_value_that_comes_back_goes_to_its_top_up(engine: Engine) -> None:
    post(engine, "topup", "01-10", amount="10.00")
    tender = [{"kind": "stored_value", "amount": "8.00"}]
    post(engine, "purchase", "02-10", amount="8.00", tenders=tender)
    post(engine, "return", "03-10", purchase="purchase-02-10", amount="3.00")
    [account] = grants_of_all(engine)
    [paid] = [grant for grant in account.grants if grant.asset == "GBP"]
    assert (paid.units, paid.left, paid.book, paid.event) == (1000, 500, "cash", "topup")
    assert [(step.units, step.book) for step in paid.steps] == [(-800, "sales"), (300, "sales")]


def test_debt_is_below_zero_and_the_oldest_is_repaid_first(engine: Engine) -> None:
    post(engine, "purchase", "01-10", amount="10.00")
    post(engine, "purchase", "01-11", amount="20.00")
    post(engine, "spend", "01-12", asset="points", amount="30")
    post(engine, "return", "02-01", purchase="purchase-01-10")
    post(engine, "return", "03-01", purchase="purchase-01-11")
    post(engine, "purchase", "04-01", amount="12.00")
    [account] = grants_of_all(engine)
    debts = [(grant.units, grant.left) for grant in account.grants if grant.kind == "debt"]
    assert debts == [(-10, 0), (-20, -18)]


def test_the_sale_comes_along_where_it_is_asked_for(engine: Engine) -> None:
    bought(engine)
    [account] = grants_of_all(engine, sales=True)
    assert [grant.sale.order.net if grant.sale else None for grant in account.grants] == [1000, 2000, 3000]
    [account] = grants_of_all(engine)
    assert [grant.sale for grant in account.grants] == [None] * 3


def test_only_what_customers_do_themselves_is_activity(engine: Engine) -> None:
    bought(engine)
    post(engine, "adjust", "05-01", asset="points", amount="5", reason="sorry")
    [account] = grants_of_all(engine)
    assert account.active_at == AT("2025-03-10")
    [account] = grants_of_all(engine, as_of=AT("2025-02-28"))
    assert account.active_at == AT("2025-02-10")


def test_books_in_memory_say_that_they_have_no_tables() -> None:
    ledger = MemoryLedger(load(PROGRAM))
    with pytest.raises(StoreError, match="use a database"):
        list(grants_of_all(ledger))
