"""Segments are of customers: who was merged is the other one, and cards and vouchers are nobody by themselves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pytest

from stampbook import Engine
from stampbook.histories import read_frames
from stampbook.periods import Calendar
from stampbook.segmenting import segment
from stampbook.store.segment_runs import members, sizes
from tests.cli.shop import data, run

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

AT = Calendar().parse
NOW = AT("2025-06-01")
WITHOUT_CARDS = """
[program]
name = "Shop"
currency = "EUR"
open_accounts = "on first event"

[assets.points]
[assets.vouchers]

[segments.balance]

[[plugin]]
use = "rfm"

[[plugin]]
use = "balance"
amounts = ["100", "20"]

[[plugin]]
use = "points"
[[plugin.rule]]
name = "base"
earn = "order.net"

[[plugin]]
use = "merging"
later_events = "forward"
"""
PROGRAM = (
    WITHOUT_CARDS
    + """
[[plugin]]
use = "cards"
prefix = "6035"
length = 12

[[plugin]]
use = "redemption"
[[plugin.series]]
name = "gift"
pool = true
gives = "5.00"
gives_asset = "EUR"
"""
)
CARD, OTHER, NEW = (f"card:6035000000{end}" for end in ("14", "22", "30"))


@pytest.fixture
def engine(any_db: str) -> Iterator[Engine]:
    with opened(any_db) as engine:
        yield engine


def opened(url: str) -> Engine:
    engine = Engine.open(url, create=True, clock=lambda: NOW)
    engine.put_text_in_force(PROGRAM, effective_from=AT("2024-01-01"))
    return engine


def tell(engine: Engine, *events: dict[str, Any]) -> None:
    numbered = [{"id": f"{event['type']} {event['account']} {event['at']}", **event} for event in events]
    assert [(outcome.status, outcome.objections) for outcome in engine.process(numbered)] == [("accepted", ())] * len(
        events
    )


def sold(card: str, at: str, amount: str) -> list[dict[str, Any]]:
    return [
        {"type": "card.issued", "account": card, "at": at},
        {"type": "card.activated", "account": card, "at": at, "amount": amount, "tender": "cash"},
    ]


def customers(engine: Engine) -> None:
    tell(
        engine,
        {"type": "purchase", "account": "ann", "at": "2025-01-01", "amount": "10.00"},
        {"type": "topup", "account": "ann", "at": "2025-01-02", "amount": "5.00"},
        {"type": "purchase", "account": "bob", "at": "2025-01-03", "amount": "10.00"},
    )


def balances(engine: Engine, at: str) -> dict[str, tuple[str, int]]:
    frames = read_frames(engine, AT(at), {"accounts", "movements"}).frames
    assert isinstance(frames.accounts, pl.LazyFrame)
    assert isinstance(frames.movements, pl.LazyFrame)
    held = dict(frames.movements.group_by("account").agg(pl.col("amount").sum()).collect().iter_rows())
    refs = frames.accounts.collect()["account"].to_list()
    assert not held.keys() - set(refs)
    segment(engine, at=AT(at), schemes=["balance"])
    named = {each.account: each.segment for each in members(engine.store, "balance", AT(at))}
    assert set(named) == set(refs)
    return {ref: (named[ref], held.get(ref, 0)) for ref in refs}


def test_a_card_that_nobody_claimed_is_nobodys(engine: Engine) -> None:
    customers(engine)
    tell(engine, *sold(CARD, "2025-02-01", "50.00"), *sold(OTHER, "2025-02-02", "500.00"))
    voucher = {"account": "voucher:0PEN", "at": "2025-02-02", "series": "gift", "code": "OPEN"}
    tell(engine, {"type": "voucher.loaded", **voucher})
    assert balances(engine, "2025-02-03") == {"ann": ("low", 500), "bob": ("empty", 0)}
    happened = read_frames(engine, NOW, {"activity"}).frames.activity
    assert isinstance(happened, pl.LazyFrame)
    assert set(happened.collect()["account"]) == {"ann", "bob"}


def test_what_is_on_a_registered_card_is_its_customers(engine: Engine) -> None:
    customers(engine)
    tell(engine, *sold(CARD, "2025-02-01", "50.00"), *sold(OTHER, "2025-02-02", "500.00"))
    tell(engine, {"type": "card.claimed", "account": CARD, "at": "2025-03-01", "to": "ann", "value": "stays"})
    tell(engine, {"type": "card.spent", "account": CARD, "at": "2025-03-02", "amount": "10.00"})
    assert balances(engine, "2025-02-28") == {"ann": ("low", 500), "bob": ("empty", 0)}
    assert balances(engine, "2025-03-03") == {"ann": ("middle", 4500), "bob": ("empty", 0)}
    tell(
        engine,
        {"type": "card.issued", "account": NEW, "at": "2025-03-04"},
        {"type": "card.blocked", "account": CARD, "at": "2025-03-04", "reason": "lost", "operator": "kim"},
        {"type": "card.replaced", "account": CARD, "at": "2025-03-05", "to": NEW, "reason": "lost", "operator": "kim"},
    )
    assert balances(engine, "2025-03-06")["ann"] == ("middle", 4500)
    tell(engine, {"type": "card.claimed", "account": NEW, "at": "2025-03-07", "to": "ann", "value": "moves"})
    assert balances(engine, "2025-03-08") == {"ann": ("middle", 4500), "bob": ("empty", 0)}
    tell(engine, {"type": "account.merged", "account": "ann", "at": "2025-04-01", "to": "bob"})
    assert balances(engine, "2025-04-02") == {"bob": ("middle", 4500)}


def test_cards_do_not_become_customers_when_a_program_has_no_cards_any_more(engine: Engine) -> None:
    customers(engine)
    tell(engine, *sold(CARD, "2025-02-01", "50.00"))
    tell(engine, {"type": "card.claimed", "account": CARD, "at": "2025-03-01", "to": "ann", "value": "stays"})
    engine.put_text_in_force(WITHOUT_CARDS, effective_from=AT("2025-05-01"))
    assert balances(engine, "2025-05-02") == {"ann": ("middle", 5500), "bob": ("empty", 0)}


def test_who_was_merged_is_counted_once(engine: Engine) -> None:
    customers(engine)
    segment(engine, at=AT("2025-01-31"))
    tell(engine, {"type": "account.merged", "account": "ann", "at": "2025-02-01", "to": "bob"})
    made, _ = segment(engine, at=AT("2025-02-28"))
    for each in made:
        assert sum(sizes(engine.store, each.run.scheme, each.run.at).values()) == each.run.accounts == 1
        assert [member.account for member in members(engine.store, each.run.scheme, each.run.at)] == ["bob"]
        assert each.shares["accounts"].sum() == 1
        assert len(list(members(engine.store, each.run.scheme, AT("2025-01-31")))) == 2


def test_a_flow_says_who_was_merged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with opened("sqlite:///stampbook.db") as engine:
        customers(engine)
        segment(engine, at=AT("2025-01-31"))
        tell(engine, {"type": "account.merged", "account": "ann", "at": "2025-02-01", "to": "bob"})
        segment(engine, at=AT("2025-02-28"))
    where = ("segments", "flow", "balance", "--from", "2025-01-31", "--to", "2025-02-28")
    assert {"account": "ann", "before": "low", "after": ""} in data(*where)["moved"]
    said = run(*where).stdout
    assert "ann: low -> (none)" in said
    assert "(none)" in said.splitlines()[2]


def test_what_an_heir_gives_back_is_in_the_currency_of_what_was_bought_before_the_merger(engine: Engine) -> None:
    pounds = PROGRAM.replace("[assets.points]", "[assets.points]\n[assets.GBP]") + "[[plugin]]\nuse = 'refunds'\n"
    engine.put_text_in_force(pounds, effective_from=AT("2024-06-01"))
    tell(
        engine,
        {"type": "purchase", "account": "ann", "at": "2025-01-01", "amount": "10.00", "currency": "GBP"},
        {"type": "purchase", "account": "bob", "at": "2025-01-03", "amount": "10.00"},
        {"type": "account.merged", "account": "ann", "to": "bob", "at": "2025-02-01"},
        {"type": "return", "account": "bob", "at": "2025-03-01", "purchase": "purchase ann 2025-01-01", "amount": "4"},
    )
    past = read_frames(engine, NOW, ())
    assert isinstance(past.frames.history, pl.LazyFrame)
    assert past.frames.history.collect()["amount"].to_list() == [10_00]
    assert (past.rows, past.left_out) == (1, 2)
