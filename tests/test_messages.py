"""What one account's event does to another account: both decide, in one transaction, or neither does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import pytest

from stampbook import (
    NEVER,
    Award,
    Deposit,
    Event,
    Message,
    Objection,
    Order,
    Plugin,
    PluginConfig,
    PositiveAmount,
    Purchase,
    Withdrawal,
    hookimpl,
)
from stampbook.engine import Engine
from stampbook.errors import PluginError, StampbookError
from stampbook.verifying import verify

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from stampbook.outcomes import Outcome

PROGRAM = """
[program]
name = "Two"
currency = "EUR"
time_zone = "UTC"
open_accounts = "on first event"

[assets.points]
decimals = 0

[[plugin]]
use = "gifts"
"""


class Gift(Event):
    asset_field = "asset"
    type: Literal["gift"] = "gift"
    to: str
    asset: str | None = None
    amount: PositiveAmount


class GiftReceived(Event):
    brought_by_time = True
    asset_field = "asset"
    type: Literal["gift.received"] = "gift.received"
    giver: str
    asset: str | None = None
    amount: PositiveAmount


class Thanked(Event):
    brought_by_time = True
    type: Literal["thanked"] = "thanked"


class Config(PluginConfig):
    """Nothing to choose."""


class Gifts(Plugin[Config]):
    """Gives points away, and thanks a friend for each purchase in the friend's own shop."""

    Config = Config

    @hookimpl
    def register_events(self) -> list[type[Event]]:
        return [Gift, GiftReceived, Thanked]

    @hookimpl
    def propose(self, event: Event) -> Iterable[Any]:
        if isinstance(event, Gift):
            yield Withdrawal("points", event.amount, "transfers")
            data = {"giver": event.account, "asset": "points", "amount": str(event.amount)}
            yield Message(event.to, "gift.received", data)
        elif isinstance(event, GiftReceived):
            if event.amount > 50:
                yield Objection("too_much", "more than 50 points are not accepted")
            yield Deposit("points", event.amount, "transfers", expires_at=NEVER)

    @hookimpl
    def reward(self, event: Event, order: Order | None) -> Iterable[Any]:
        if isinstance(event, Purchase):
            yield Award(f"{self.name}.base", "points", order.net if order else 0, 100)
            if event.store:
                yield Message(event.store, "thanked", {}, required=False)
        elif isinstance(event, Thanked):
            yield Award(f"{self.name}.thanks", "points", 5)


class Shop:
    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.count = 0

    def data(self, kind: str, account: str, **fields: Any) -> dict[str, Any]:
        self.count += 1
        return {"type": kind, "id": f"e{self.count}", "account": account, "at": "2025-01-10T10:00", **fields}

    def __call__(self, kind: str, account: str, **fields: Any) -> Outcome:
        return self.engine.post(self.data(kind, account, **fields))

    def points(self, ref: str) -> int:
        with self.engine.store.reader() as session:
            account = session.accounts([ref])[ref]
            session.fill([account], None)
        return account.total("points")


@pytest.fixture
def shop(any_db: str) -> Iterator[Shop]:
    with Engine.open(any_db, create=True, plugins={"gifts": Gifts}, clock=lambda: 2 * 10**15) as engine:
        engine.put_text_in_force(PROGRAM)
        shop = Shop(engine)
        shop("purchase", "ann", amount="100.00")
        yield shop
        assert verify(engine).findings == ()


def test_what_one_account_gives_the_other_gets(shop: Shop) -> None:
    shop("account.opened", "bob")
    assert shop("gift", "ann", to="bob", asset="points", amount="30").accepted
    assert (shop.points("ann"), shop.points("bob")) == (70, 30)


@pytest.mark.parametrize(
    ("amount", "to", "code", "message"),
    [
        ("60", "bob", "too_much", "bob: more than 50 points are not accepted"),
        ("10", "nobody", "unknown_account", "nobody: there is no such other account"),
        ("10", "ann", "unknown_account", "ann: there is no such other account"),
        ("101", "bob", "insufficient_balance", "101 points is more than the 100 points that may be spent"),
    ],
)
def test_where_one_refuses_nothing_moves(shop: Shop, amount: str, to: str, code: str, message: str) -> None:
    shop("account.opened", "bob")
    outcome = shop("gift", "ann", to=to, asset="points", amount=amount)
    assert [(o.code, o.message) for o in outcome.objections] == [(code, message)]
    assert (shop.points("ann"), shop.points("bob")) == (100, 0)
    with shop.engine.store.reader() as session:
        assert [entry.type for entry in session.journal("bob")] == ["account.opened"]


def test_the_same_gift_sent_again_is_given_once(shop: Shop) -> None:
    shop("account.opened", "bob")
    gift = shop.data("gift", "ann", to="bob", asset="points", amount="30")
    assert shop.engine.post(gift).accepted
    assert shop.engine.post(gift).replayed
    assert (shop.points("ann"), shop.points("bob")) == (70, 30)


def test_a_message_that_need_not_be_accepted_holds_nothing_up(shop: Shop) -> None:
    shop("account.opened", "shop-1")
    assert shop("purchase", "ann", amount="10.00", store="shop-1").accepted
    assert (shop.points("ann"), shop.points("shop-1")) == (110, 5)
    shop("account.frozen", "shop-1")
    assert shop("purchase", "ann", amount="10.00", store="shop-1").accepted
    assert shop("purchase", "ann", amount="10.00", store="unheard-of").accepted
    assert shop.points("ann") == 130


def test_what_fails_where_another_account_hears_of_it_leaves_nothing_half_done(any_db: str) -> None:
    """Ann's purchase is decided before her shop is thanked; the rule that fails on that undoes her purchase too."""
    program = (
        PROGRAM
        + """
[metrics.spends]
on = ["spend"]
count = true
[[plugin]]
use = "points"
[[plugin.rule]]
name = "odd"
on = ["thanked"]
earn = "1 / metric.spends"
"""
    )
    with Engine.open(any_db, create=True, plugins={"gifts": Gifts}, clock=lambda: 2 * 10**15) as engine:
        engine.put_text_in_force(program)
        shop = Shop(engine)
        for ref in ("ann", "shop-1"):
            shop("account.opened", ref)
        bad = shop.data("purchase", "ann", amount="10.00", store="shop-1")
        outcomes = engine.process(
            [
                shop.data("purchase", "ann", amount="1.00"),
                bad,
                shop.data("gift", "ann", to="shop-1", asset="points", amount="1"),
            ]
        )
        assert [outcome.status for outcome in outcomes] == ["accepted", "failed", "accepted"]
        assert "points.odd fails on event 'thanked:ann:3:0': division by zero" in str(outcomes[1].error)
        assert (shop.points("ann"), shop.points("shop-1")) == (0, 1)
        assert engine.process([bad])[0].status == "failed", "nothing of it is known"
        with pytest.raises(StampbookError, match=r"points\.odd fails on event"):
            engine.preview(bad)
        assert verify(engine).findings == ()


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_any_split_into_batches_gives_the_same_books(shop: Shop, tmp_path: Any, size: int) -> None:
    del shop
    with Engine.open(f"sqlite:///{tmp_path}/a.db", create=True, plugins={"gifts": Gifts}, clock=lambda: 0) as engine:
        engine.put_text_in_force(PROGRAM)
        other = Shop(engine)
        events = [
            other.data("purchase", "ann", amount="40.00"),
            other.data("account.opened", "bob"),
            other.data("gift", "ann", to="bob", asset="points", amount="30"),
            other.data("gift", "bob", to="ann", asset="points", amount="25"),
            other.data("gift", "bob", to="cy", asset="points", amount="5"),
            other.data("purchase", "cy", amount="7.00", store="bob"),
            other.data("gift", "bob", to="cy", asset="points", amount="10"),
            other.data("gift", "ann", to="cy", asset="points", amount="36"),
        ]
        outcomes = [
            outcome.status
            for first in range(0, len(events), size)
            for outcome in engine.process(events[first : first + size])
        ]
        assert outcomes == ["accepted"] * 4 + ["refused"] + ["accepted"] * 2 + ["refused"]
        assert [other.points(ref) for ref in ("ann", "bob", "cy")] == [35, 0, 17]
        assert verify(engine).findings == ()


def test_what_was_sent_and_did_not_arrive_is_found(shop: Shop) -> None:
    shop("account.opened", "bob")
    shop("gift", "ann", to="bob", asset="points", amount="30")
    with shop.engine.store.writer() as session:
        for table, row in (("journal", "seq = 2"), ("event_key", "seq = 2"), ("state", "part = 1 AND number = 1")):
            session.run(f"DELETE FROM {table} WHERE account_id = 2 AND {row}")  # type: ignore[attr-defined]
        session.run("UPDATE state SET seq = 1 WHERE account_id = 2 AND part = 0")  # type: ignore[attr-defined]
    assert "I27" in {finding.code for finding in verify(shop.engine).findings}
    with shop.engine.store.writer() as session:
        for table in ("journal", "event_key", "sale", "state", "fact", "account"):
            session.run(f"DELETE FROM {table}{' WHERE id > 0' if table == 'account' else ''}")  # type: ignore[attr-defined]


def test_a_plugin_that_said_it_stands_alone_cannot_speak_to_another_account(tmp_path: Path) -> None:
    class Alone(Gifts):
        alone = True

    with Engine.open(f"sqlite:///{tmp_path}/a.db", create=True, plugins={"gifts": Alone}) as engine:
        engine.put_text_in_force(PROGRAM)
        gift = {"type": "gift", "id": "g", "account": "ann", "to": "ben", "amount": "1", "at": "2025-01-02T10:00"}
        granted = {"type": "adjust", "id": "a", "account": "ann", "asset": "points", "amount": "5", "reason": "welcome"}
        assert engine.post(granted | {"at": "2025-01-01T10:00"}).accepted
        with pytest.raises(PluginError, match="'g': a message goes to ben, but all plugins say that they are `alone`"):
            engine.post(gift | {"asset": "points"})
        assert verify(engine).ok
