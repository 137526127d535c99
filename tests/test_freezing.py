"""Single lots that are frozen: nobody can use what is in them, all else goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stampbook.engine import Engine
from stampbook.statements import statement
from stampbook.states import account_state
from stampbook.testing import Ledger
from stampbook.verifying import verify

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """
[program]
name = "Card"
currency = "GBP"
time_zone = "Europe/London"
open_accounts = "on first event"
[[plugin]]
use = "refunds"
"""


def ledger() -> Ledger:
    books = Ledger(PROGRAM)
    for day in ("01", "02"):
        assert books.post(type="topup", amount="10.00", at=f"2025-03-{day}T10:00").accepted
    return books


def freeze(books: Ledger, *lots: int, at: str = "2025-03-03T10:00", kind: str = "frozen", **fields: Any) -> Any:
    return books.post(type=f"lots.{kind}", lots=list(lots), reason="chargeback", operator="anna", at=at, **fields)


def codes(outcome: Any) -> list[str]:
    return [objection.code for objection in outcome.objections]


def test_what_is_frozen_cannot_be_spent_and_can_be_again_once_it_is_not() -> None:
    books = ledger()
    assert freeze(books, 1).accepted
    assert books.balance("GBP") == "10.00"
    assert books.balance("GBP", at="2025-03-03T09:00") == "20.00", "it was not frozen yet"
    assert codes(books.post(type="spend", amount="10.01", at="2025-03-03T11:00")) == ["insufficient_balance"]
    books.post(type="spend", amount="5.00", at="2025-03-03T11:00")
    assert [(lot.number, lot.remaining) for lot in books.view().lots] == [(1, 1000), (2, 500)]
    assert freeze(books, 1, kind="unfrozen", at="2025-03-04T10:00").accepted
    assert books.post(type="spend", amount="15.00", at="2025-03-04T11:00").accepted


def test_what_was_set_aside_is_not_captured_while_its_lot_is_frozen() -> None:
    books = ledger()
    books.post(type="hold.authorised", id="h", amount="4.00", at="2025-03-03T09:00")
    freeze(books, 1)
    assert codes(books.post(type="hold.captured", hold="h", at="2025-03-03T11:00")) == ["lot_frozen"]
    assert books.post(type="hold.voided", hold="h", at="2025-03-03T12:00").accepted
    assert books.balance("GBP") == "10.00"


def test_a_return_into_a_frozen_lot_is_frozen_with_it() -> None:
    books = ledger()
    paid = [{"kind": "stored_value", "amount": "4.00"}]
    books.post(type="purchase", id="p", amount="4.00", tenders=paid, at="2025-03-03T09:00")
    freeze(books, 1)
    assert books.post(type="return", purchase="p", at="2025-03-03T11:00").accepted
    assert books.balance("GBP") == "10.00"
    freeze(books, 1, kind="unfrozen", at="2025-03-04T10:00")
    assert books.balance("GBP") == "20.00"


def test_only_what_is_there_and_not_frozen_is_frozen() -> None:
    books = ledger()
    assert codes(freeze(books, 7)) == ["unknown_lot"]
    freeze(books, 1)
    assert codes(freeze(books, 1, 2)) == ["lot_frozen"]
    assert codes(freeze(books, 2, kind="unfrozen")) == ["lot_not_frozen"]


def test_an_account_is_neither_closed_nor_merged_with_a_frozen_lot_in_it() -> None:
    program = PROGRAM + '[assets.GBP]\non_close = "forfeit"\n[[plugin]]\nuse = "merging"\n'
    books = Ledger(program)
    books.post(type="topup", amount="10.00", at="2025-03-01T10:00")
    books.post(type="topup", amount="10.00", account="ben", at="2025-03-01T10:00")
    freeze(books, 1)
    assert "lot_frozen" in codes(books.post(type="account.merged", to="ben", at="2025-03-04T10:00"))
    assert "lot_frozen" in codes(books.post(type="account.closed", at="2025-03-04T11:00"))
    freeze(books, 1, kind="unfrozen", at="2025-03-05T10:00")
    assert books.post(type="account.merged", to="ben", at="2025-03-05T11:00").accepted


def test_what_is_frozen_still_ends_when_its_time_is_over() -> None:
    books = Ledger(PROGRAM)
    books.post(type="adjust", amount="5.00", reason="gift", expires="2025-03-05", at="2025-03-01T10:00")
    freeze(books, 1)
    books.tick("2025-03-06")
    assert books.journal()[-1].type == "expiry"


def test_states_and_statements_tell_it() -> None:
    books = ledger()
    freeze(books, 1)
    state = account_state(books.engine, "customer")
    assert [lot.condition for lot in state.holdings[0].lots] == ["frozen", "usable"]
    assert state.holdings[0].available.text == "10.00"
    assert statement(books.engine, "customer").lines[-1].words == "lots frozen: lot 1 by anna: chargeback"


def test_the_books_prove_themselves(tmp_path: Path) -> None:
    with Engine.open(f"sqlite:///{tmp_path}/books.db", create=True) as engine:
        engine.put_text_in_force(PROGRAM)
        steps: list[dict[str, Any]] = [
            {"type": "topup", "amount": "10.00"},
            {"type": "topup", "amount": "10.00"},
            {"type": "lots.frozen", "lots": [1], "reason": "dispute"},
            {"type": "spend", "amount": "8.00"},
            {"type": "lots.unfrozen", "lots": [1], "reason": "settled"},
            {"type": "spend", "amount": "8.00"},
        ]
        for number, step in enumerate(steps, 1):
            assert engine.post({**step, "id": str(number), "account": "a", "at": f"2025-03-0{number}"}).accepted
        late = {"type": "spend", "amount": "1.00", "id": "late", "account": "a", "at": "2025-03-03T12:00"}
        assert engine.post(late).accepted
        assert not list(verify(engine).findings)
