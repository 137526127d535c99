"""What comes back to an account that owes: what repays, what does not, and how that is told."""

from __future__ import annotations

from typing import Any

from stampbook.statements import statement
from stampbook.testing import Ledger

PROGRAM = """
[program]
name = "Owing"
currency = "EUR"
time_zone = "UTC"
open_accounts = "on first event"
[assets.EUR]
debt = true
[assets.points]
debt = true
[[plugin]]
use = "points"
[[plugin.rule]]
name = "base"
earn = "order.paid_outside"
[[plugin.rule]]
name = "money"
asset = "EUR"
earn = "order.paid_outside / 10"
[[plugin]]
use = "redemption"
[plugin.pay]
points = "1"
value = "1.00"
[[plugin]]
use = "refunds"
points_spent = "debt"
paid_points = "first"
"""


def owing(until: str = "") -> Ledger:
    """Return books of who paid 12 of 20 with points of a gift, and then came to owe 30."""
    books = Ledger(PROGRAM)
    more = {"expires": until} if until else {}
    books.post(type="adjust", asset="points", amount="12", reason="a gift", at="2025-01-02", **more)
    tenders: list[Any] = [{"kind": "points", "amount": "12.00"}, {"kind": "card", "amount": "8.00"}]
    assert books.post(type="purchase", id="q", amount="20.00", tenders=tenders, at="2025-01-03").accepted
    books.post(type="purchase", id="p", amount="30.00", at="2025-01-04")
    assert books.post(type="spend", asset="points", amount="38", at="2025-01-05").accepted
    assert books.post(type="return", purchase="p", at="2025-01-06").accepted
    assert books.owed("points") == "30"
    return books


def back(books: Ledger, at: str, **fields: Any) -> tuple[str, str]:
    assert books.post(type="return", purchase="q", at=at, **fields).accepted
    return books.balance("points"), books.owed("points")


def test_points_that_come_back_repay_and_nothing_comes_back_twice() -> None:
    books = owing()
    assert back(books, "2025-01-07", amount="5.00") == ("0", "27")  # 5 of 12 points back, 2 of 8 to take
    assert books.trace()["repaid"] == {"points": 3}  # what the same return takes is settled first
    assert "; 3 points repay what was owed" in statement(books.engine, "customer").lines[-1].words
    assert back(books, "2025-01-08") == ("0", "26")  # the other 7, and the other 6
    again = books.post(type="return", purchase="q", at="2025-01-09")
    assert [objection.code for objection in again.objections] == ["nothing_left"]


def test_points_whose_time_is_over_lapse_and_repay_nothing() -> None:
    books = owing("2025-01-06T12:00")
    assert back(books, "2025-01-07", amount="5.00") == ("0", "32")
    assert "repaid" not in books.trace()


def test_paid_money_stays_whole() -> None:
    books = Ledger(PROGRAM)
    books.post(type="purchase", id="p", amount="30.00", at="2025-01-02")
    assert books.post(type="spend", amount="3.00", at="2025-01-03").accepted
    books.post(type="topup", amount="10.00", at="2025-01-04")
    tenders = [{"kind": "stored_value", "amount": "10.00"}]
    books.post(type="purchase", id="q", amount="10.00", tenders=tenders, at="2025-01-05")
    assert books.post(type="return", purchase="p", at="2025-01-06").accepted
    assert books.owed("EUR") == "3.00"
    assert books.post(type="return", purchase="q", at="2025-01-07").accepted
    assert (books.balance("EUR"), books.owed("EUR")) == ("10.00", "3.00")
