"""Pending points: matured by a date or by the completion of their purchase, cancelled, and never after a return."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from stampbook.engine import Engine
from stampbook.states import account_state
from stampbook.testing import Ledger
from stampbook.verifying import verify

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = """
[program]
name = "Hotel"
currency = "GBP"
time_zone = "Europe/London"
open_accounts = "on first event"
[assets.points]
debt = true
[limits.life]
max = "1000"
[[plugin]]
use = "refunds"
[[plugin]]
use = "points"
[[plugin.rule]]
name = "stay"
earn = "order.net"
matures = "on completion"
expires = "1 year"
[[plugin.rule]]
name = "quick"
earn = "1"
pending = "14 days"
[[plugin.rule]]
name = "xmas"
earn = "5"
usable_from = "2025-12-24"
[[plugin.rule]]
name = "late"
earn = "2"
matures = "on completion"
pending = "30 days"
"""


class Desk:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine

    def tell(self, type_: str, id_: str, at: str, **more: Any) -> list[str]:
        outcome = self.engine.post({"type": type_, "id": id_, "account": "ann", "at": at, **more})
        return [objection.code for objection in outcome.objections]

    def points(self, at: str) -> tuple[str, str]:
        """Return what can be spent and what is pending."""
        instant = self.engine.registry().context.calendar.parse(at)
        [holding] = account_state(self.engine, "ann", as_of=instant).holdings
        return holding.available.text, holding.pending.text


@pytest.fixture
def desk(sqlite_db: str) -> Iterator[Desk]:
    with Engine.open(sqlite_db, create=True) as engine:
        engine.put_text_in_force(PROGRAM)
        desk = Desk(engine)
        desk.tell("purchase", "stay-1", "2025-03-01", amount="100")
        yield desk
        assert verify(engine).findings == ()


def test_points_wait_for_the_completion_of_their_purchase(desk: Desk) -> None:
    assert desk.points("2025-03-15") == ("0", "108")
    assert desk.points("2025-03-16") == ("1", "107")
    assert desk.points("2025-04-01") == ("3", "105"), "what also has a period does not wait for ever"
    assert desk.tell("purchase.completed", "done", "2025-04-02", purchase="stay-1") == []
    assert desk.points("2025-04-02") == ("103", "5")
    assert desk.points("2025-12-24") == ("108", "0")
    assert desk.points("2026-03-02") == ("8", "0"), "they end when they were promised to end"


def test_a_purchase_is_completed_once_and_after_it_was_bought(desk: Desk) -> None:
    assert desk.tell("purchase.completed", "a", "2025-02-01", purchase="stay-1") == ["before_purchase"]
    assert desk.tell("purchase.completed", "b", "2025-03-02", purchase="stay-9") == ["unknown_purchase"]
    assert desk.tell("purchase.completed", "c", "2025-03-02", purchase="stay-1") == []
    assert desk.tell("purchase.completed", "d", "2025-03-03", purchase="stay-1") == ["completed"]


def test_what_came_back_does_not_mature(desk: Desk) -> None:
    desk.tell("purchase", "stay-2", "2025-03-01", amount="50")
    assert desk.tell("return", "r", "2025-03-02", purchase="stay-1", amount="40.00") == []
    assert desk.tell("purchase.completed", "done", "2025-03-03", purchase="stay-1") == []
    assert desk.points("2025-03-03")[0] == "62", "60 of the 100, and 2 of 2: the return took none"
    assert desk.tell("return", "r2", "2025-03-04", purchase="stay-2") == []
    assert desk.tell("purchase.completed", "done2", "2025-03-05", purchase="stay-2") == ["returned"]


def test_a_cancelled_purchase_loses_what_is_pending_and_cannot_be_completed(desk: Desk) -> None:
    desk.tell("purchase", "stay-2", "2025-03-01", amount="50")
    assert desk.tell("purchase.cancelled", "off", "2025-03-02", purchase="stay-1") == []
    assert desk.points("2025-03-02") == ("0", "58")
    assert desk.tell("purchase.completed", "done", "2025-03-03", purchase="stay-1") == ["returned"]
    assert desk.tell("purchase.cancelled", "again", "2025-03-03", purchase="stay-1") == ["nothing_left"]
    assert desk.tell("purchase.completed", "done2", "2025-03-03", purchase="stay-2") == []
    assert desk.tell("purchase.cancelled", "off2", "2025-03-04", purchase="stay-2") == ["completed"]


def test_a_return_after_completion_takes_the_points_from_where_they_went(desk: Desk) -> None:
    desk.tell("purchase.completed", "done", "2025-03-02", purchase="stay-1")
    desk.tell("adjust", "gift", "2025-03-02", asset="points", amount="40", reason="goodwill")
    desk.tell("return", "r", "2025-03-03", purchase="stay-1")
    assert desk.points("2025-12-31") == ("40", "0")


def test_what_matures_repays_a_debt_first(desk: Desk) -> None:
    desk.engine.put_text_in_force(
        PROGRAM.replace('use = "refunds"', 'use = "refunds"\npoints_spent = "debt"'), effective_from=0
    )
    desk.tell("purchase", "b", "2025-03-01", amount="20")
    desk.tell("purchase.completed", "b-done", "2025-03-01", purchase="b")
    desk.tell("spend", "s", "2025-03-02", asset="points", amount="22")
    desk.tell("return", "r", "2025-03-03", purchase="b")
    [holding] = account_state(
        desk.engine, "ann", as_of=desk.engine.registry().context.calendar.parse("2025-03-03")
    ).holdings
    owed = int(holding.owed.text)
    assert owed > 0
    desk.tell("purchase.completed", "done", "2025-03-04", purchase="stay-1")
    assert desk.points("2025-03-04")[0] == str(102 - owed)


FREE = [{"sku": "mug", "amount": "0.00", "quantity": "2"}, {"sku": "tea", "amount": "5.00"}]


@pytest.mark.parametrize(
    ("back", "codes", "left"),
    [
        ([{"sku": "tea"}], [], "20"),
        ([{"sku": "tea"}, {"sku": "mug", "quantity": "1"}], [], "10"),
        ([{"sku": "mug"}], [], "0"),
        ([{"sku": "tea"}, {"sku": "mug"}], ["returned"], "0"),
    ],
)
def test_points_on_what_cost_nothing_mature_unless_it_came_back_too(
    back: list[dict[str, str]], codes: list[str], left: str, sqlite_db: str
) -> None:
    rule = '[[plugin]]\nuse = "points"\n[[plugin.rule]]\nname = "gift"\nearn = "10"\nper = "unit"\n'
    when = 'when = "line.sku == \'mug\'"\nmatures = "on completion"\n'
    with Engine.open(sqlite_db, create=True) as engine:
        engine.put_text_in_force(PROGRAM.partition('[[plugin]]\nuse = "points"')[0] + rule + when)
        desk = Desk(engine)
        assert desk.tell("purchase", "p", "2025-03-01", lines=FREE) == []
        assert desk.tell("return", "r", "2025-03-02", purchase="p", lines=back) == []
        assert desk.tell("purchase.completed", "c", "2025-03-03", purchase="p") == codes
        assert desk.points("2025-03-04") == (left, "0")
        assert verify(engine).findings == ()


WAITS = """
[program]
name = "Waits"
currency = "GBP"
open_accounts = "on first event"
[assets.points]
[[plugin]]
use = "refunds"
[[plugin]]
use = "points"
[[plugin.rule]]
name = "stay"
earn = "order.net"
matures = "on completion"
"""


@pytest.mark.parametrize("parts", [("2.00",), ("1.00", "3.00"), ("9.00",)])
def test_what_comes_back_before_and_after_completion_leaves_what_waits_of_other_purchases(
    parts: tuple[str, ...],
) -> None:
    ledger = Ledger(WAITS)
    for name in ("p", "q"):
        ledger.post(type="purchase", id=name, amount="10.00")
    for part in parts:
        assert ledger.post(type="return", purchase="p", amount=part).accepted
    assert ledger.post(type="purchase.completed", purchase="p").accepted
    assert ledger.post(type="return", purchase="p").accepted
    assert (ledger.balance("points"), ledger.pending("points")) == ("0", "10")
    assert ledger.post(type="purchase.completed", purchase="q").accepted
    assert (ledger.balance("points"), ledger.pending("points")) == ("10", "0")
