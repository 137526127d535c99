"""Coupons that top-ups bring out of the catalogue: each once, whatever is sent again, however it is split."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson
import pytest

from stampbook import ProgramError
from stampbook.engine import Engine
from stampbook.replay import entries_of
from stampbook.testing import Ledger
from stampbook.verifying import verify

if TYPE_CHECKING:
    from pathlib import Path

PROGRAM = """
[program]
name = "Tea House"
currency = "CNY"
time_zone = "Asia/Shanghai"
open_accounts = "on first event"
[attributes]
card = "text"
[assets.points]
[assets.tea]
[assets.USD]
[assets.vouchers]
[[plugin]]
use = "stored_value"
[[plugin.coupon]]
reward = "tea"
from = "500"
below = "1000"
[[plugin.coupon]]
reward = "pot"
from = "1000"
when = "account.card == 'registered'"
[[plugin.coupon]]
reward = "voucher"
from = "1000"
[[plugin]]
use = "redemption"
asset = "points"
[[plugin.reward]]
name = "tea"
price = "200"
gives = "1"
gives_asset = "tea"
[[plugin.reward]]
name = "pot"
price = "900"
item = "POT-1"
[[plugin.reward]]
name = "voucher"
price = "100"
voucher = "ten"
[[plugin.series]]
name = "ten"
prefix = "TEN-"
gives = "10"
gives_asset = "CNY"
"""


def topup(day: int, amount: str, **more: Any) -> dict[str, Any]:
    return {"type": "topup", "id": f"t{day}", "at": f"2025-03-{day:02}T10:00", "amount": amount, **more}


def given(ledger: Ledger) -> list[tuple[str, str]]:
    payloads = [orjson.loads(entry.payload) for entry in ledger.journal() if entry.type == "reward.given"]
    return [(payload["reward"], payload["why"]) for payload in payloads]


def registered(ledger: Ledger) -> None:
    ledger.post(type="account.opened", at="2025-03-01T09:00", attributes={"card": "registered"})


@pytest.mark.parametrize(
    ("amount", "rewards"),
    [("499.99", []), ("500", ["tea"]), ("999.99", ["tea"]), ("1000", ["pot", "voucher"]), ("5000", ["pot", "voucher"])],
)
def test_a_topup_brings_what_fits_it(amount: str, rewards: list[str]) -> None:
    ledger = Ledger(PROGRAM)
    registered(ledger)
    ledger.post(**topup(2, amount))
    assert [reward for reward, _ in given(ledger)] == rewards
    assert ledger.balance("tea") == str(rewards.count("tea"))


def test_a_coupon_under_a_condition_is_for_those_that_meet_it() -> None:
    ledger = Ledger(PROGRAM)
    ledger.post(**topup(2, "1000"))
    assert given(ledger) == [("voucher", "stored_value.voucher")]


def test_equal_topups_bring_one_each_and_the_same_one_sent_again_none() -> None:
    ledger = Ledger(PROGRAM)
    for event in (topup(2, "500"), topup(3, "500"), topup(2, "500")):
        ledger.post(**event)
    assert ledger.balance("tea") == "2"


def test_a_late_topup_brings_its_coupon_too() -> None:
    ledger = Ledger(PROGRAM)
    ledger.post(**topup(9, "500"))
    ledger.post(**topup(2, "600"))
    assert [reward for reward, _ in given(ledger)] == ["tea", "tea"]


def test_a_topup_of_another_currency_brings_nothing() -> None:
    ledger = Ledger(PROGRAM)
    ledger.post(**topup(2, "1000", currency="USD"))
    assert given(ledger) == []


def test_the_books_verify_and_one_by_one_or_together_is_the_same(tmp_path: Path) -> None:
    events = [{**topup(day, "1000"), "account": f"a{day % 2}"} for day in range(1, 9)]
    books = []
    for name, size in (("one", 1), ("all", len(events))):
        engine = Engine.open(f"sqlite:///{tmp_path / name}.db", create=True)
        engine.put_text_in_force(PROGRAM)
        for start in range(0, len(events), size):
            assert all(outcome.accepted for outcome in engine.process(events[start : start + size]))
        assert verify(engine).ok
        books.append([[(entry.type, entry.id, entry.at) for entry in entries_of(engine, ref)] for ref in ("a0", "a1")])
        engine.close()
    assert books[0] == books[1]


def test_a_coupon_that_the_catalogue_does_not_have_is_refused() -> None:
    with pytest.raises(ProgramError, match=r"coupon\[1\]\.reward: there is no reward 'cup'"):
        Ledger(PROGRAM.replace('reward = "tea"', 'reward = "cup"'))


def test_a_coupon_for_no_amount_at_all_is_refused() -> None:
    with pytest.raises(ProgramError, match="below 400 leaves nothing from 500 on"):
        Ledger(PROGRAM.replace('below = "1000"', 'below = "400"'))


@pytest.mark.parametrize("amount", ["12.345", "0.001"])
def test_a_bound_of_more_decimals_than_the_currency_has_is_refused(amount: str) -> None:
    with pytest.raises(ProgramError, match="coupon 'tea'"):
        Ledger(PROGRAM.replace('from = "500"', f'from = "{amount}"'))
