"""Histories by column: the same numbers, to the unit, as the engine works out order by order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stampbook import Engine
from stampbook.events import Purchase
from stampbook.histories import read_frames
from stampbook.periods import Calendar
from tests.effort import examples

if TYPE_CHECKING:
    from collections.abc import Iterator

AT = Calendar().parse
NOW = AT("2025-06-01")
PROGRAM = """
[program]
name = "Shop"
currency = "EUR"
open_accounts = "on first event"
unknown_returns = "accept"

[assets.points]
[assets.USD]

[attributes]
region = "text"
industry = "text"

[[plugin]]
use = "stored_value"

[[plugin]]
use = "refunds"

[[plugin]]
use = "merging"
later_events = "forward"
"""


@pytest.fixture
def engine(any_db: str) -> Iterator[Engine]:
    with opened(any_db) as engine:
        yield engine


def opened(url: str, program: str = PROGRAM) -> Engine:
    engine = Engine.open(url, create=True, clock=lambda: NOW)
    engine.put_text_in_force(program)
    return engine


def tell(engine: Engine, *events: dict[str, Any]) -> None:
    for outcome in engine.process([{"id": f"e{number}", **event} for number, event in enumerate(events)]):
        assert outcome.accepted, outcome


def rows(frame: Any) -> list[dict[str, Any]]:
    collected: list[dict[str, Any]] = frame.collect().to_dicts()
    return collected


MONEY = st.one_of(
    st.decimals(0, 100_000, places=2).map(str),
    st.integers(0, 99_999).map(str),
    st.integers(0, 99_999),
    st.sampled_from(["0", "0.0", "1.5", "007.50", "+3.20", "12345678901.99", "1.500"]),
)
QUANTITIES = st.sampled_from([1, 2, 17, "1", "3", "0.250", "2.0", "1.333333", "12"])
TEXT = st.one_of(st.just(""), st.sampled_from(["x", 'a"b', "tee\\", "日本", "{}", "a\tb"]))


def lines() -> st.SearchStrategy[dict[str, Any]]:
    said = {"sku": TEXT, "category": TEXT, "quantity": QUANTITIES, "labels": st.lists(TEXT.filter(bool), max_size=2)}
    own = st.fixed_dictionaries({"amount": MONEY}, optional={**said, "unit_price": MONEY})
    priced = st.fixed_dictionaries({"unit_price": MONEY}, optional=said)
    kinds = st.sampled_from([{}, {}, {"kind": "goods"}, {"kind": "shipping"}])
    return st.tuples(st.one_of(own, priced), kinds).map(lambda both: {**both[0], **both[1]})


def purchases() -> st.SearchStrategy[dict[str, Any]]:
    optional: dict[str, Any] = {
        "discount": MONEY,
        "tax": MONEY,
        "tax_added": st.booleans(),
        "channel": TEXT,
        "store": TEXT,
        "currency": st.sampled_from(["EUR", "EUR", "USD"]),
        "source": st.sampled_from(["default", "web"]),
    }
    whole = st.fixed_dictionaries({"amount": MONEY}, optional=optional)
    parts = st.fixed_dictionaries({"lines": st.lists(lines(), min_size=1, max_size=4)}, optional=optional)
    return st.one_of(whole, parts)


def model(engine: Engine, event: dict[str, Any]) -> tuple[dict[str, Any], list[tuple[Any, ...]]] | None:
    """What the engine says of one order, worked out from its event alone."""
    read = engine.registry().reader.read(event)
    assert isinstance(read, Purchase)
    order = read.order_in("EUR")
    if order.currency != "EUR":
        return None
    name = event["id"] if read.source == "default" else f"{read.source}\t{event['id']}"
    sale = {
        "account": event["account"],
        "kind": "purchase",
        "amount": order.total,
        "event": name,
        "about": None,
        "discount": order.discount,
        "channel": order.channel or None,
        "store": order.store or None,
    }
    sold = [
        (name, line.sku, line.category, "\t".join(line.labels), line.quantity, line.net)
        for line in order.lines
        if line.kind == "goods" and "lines" in event
    ]
    return sale, sold


@examples(10)
@given(st.lists(st.tuples(st.sampled_from(["ann", "bob"]), purchases()), max_size=25))
def test_columns_say_what_the_engine_says(
    tmp_path_factory: pytest.TempPathFactory, orders: list[tuple[str, dict[str, Any]]]
) -> None:
    with opened(f"sqlite:///{tmp_path_factory.mktemp('db') / 'l.db'}") as engine:
        events = [
            {"type": "purchase", "id": f"p{number}", "account": account, "at": "2025-02-01", **order}
            for number, (account, order) in enumerate(orders)
        ]
        accepted = [
            event
            for event, outcome in zip(events, engine.process(events), strict=True)
            if outcome.accepted and not outcome.error
        ]
        expected = [model(engine, event) for event in accepted]
        told = [each for each in expected if each is not None]
        for wanted in ({"history"}, {"history", "lines"}):
            past = read_frames(engine, NOW, wanted)
            found = past.frames.history
            assert isinstance(found, pl.LazyFrame)
            assert past.left_out == expected.count(None)
            assert past.rows == len(told)
            by_event = sorted(rows(found.drop("at")), key=lambda row: row["event"])
            assert by_event == sorted((sale for sale, _ in told), key=lambda row: row["event"])
        past = read_frames(engine, NOW, {"lines"})
        assert isinstance(past.frames.lines, pl.LazyFrame)
        columns = ("event", "sku", "category", "labels", "quantity", "amount")
        assert sorted(past.frames.lines.select(columns).collect().rows()) == sorted(
            line for _, sold in told for line in sold
        )


def test_frames_of_a_ledger(engine: Engine) -> None:
    base: dict[str, Any] = {"account": "ann", "at": "2025-02-01"}
    tell(
        engine,
        {"type": "account.described", "id": "d1", "account": "ann", "at": "2025-01-01", "attributes": {"region": "n"}},
        {"type": "account.described", "id": "d2", "account": "ann", "at": "2025-04-01", "attributes": {"region": "s"}},
        {"type": "account.opened", "id": "o", "account": "bob", "at": "2025-03-01"},
        {"type": "topup", "id": "t", **base, "amount": "50.00"},
        {"type": "purchase", "id": "p", **base, "lines": [{"sku": "x", "category": "tea", "labels": ["a", "b"],
         "amount": "10.00"}, {"sku": "y", "amount": "20.00"}], "discount": "3.00", "store": "s1",
         "tenders": [{"kind": "stored_value", "amount": "27.00"}]},
        {"type": "return", "id": "r", **base, "at": "2025-03-05", "purchase": "p", "lines": [{"line": 1}],
         "reason": "broken"},
        {"type": "account.frozen", "id": "f", "account": "bob", "at": "2025-05-01"},
    )  # fmt: skip
    everything = {"history", "lines", "accounts", "movements", "activity"}
    frames = read_frames(engine, NOW, everything).frames
    history = {row["event"]: row for row in rows(frames.history)}
    assert (history["p"]["amount"], history["p"]["discount"], history["p"]["store"]) == (2700, 300, "s1")
    assert (history["r"]["amount"], history["r"]["about"]) == (900, "p")
    lines = {(row["event"], row["sku"]): row for row in rows(frames.lines)}
    assert {key: row["amount"] for key, row in lines.items()} == {("p", "x"): 900, ("p", "y"): 1800, ("r", "x"): 900}
    assert (lines["r", "x"]["category"], lines["r", "x"]["labels"]) == ("tea", "a\tb")
    accounts = {row["account"]: row for row in rows(frames.accounts)}
    assert (accounts["ann"]["region"], accounts["ann"]["industry"], accounts["ann"]["status"]) == ("s", None, "open")
    assert accounts["bob"]["status"] == "frozen"
    moved = [(row["account"], row["kind"], row["amount"]) for row in rows(frames.movements)]
    assert sorted(moved) == [("ann", "purchase", -2700), ("ann", "return", 900), ("ann", "topup", 5000)]
    happened = {(row["account"], row["kind"], row["reason"]) for row in rows(frames.activity)}
    assert ("ann", "return", "broken") in happened
    then = read_frames(engine, AT("2025-02-15"), everything).frames
    assert [(row["account"], row["region"], row["status"]) for row in rows(then.accounts)] == [("ann", "n", "open")]
    assert len(rows(then.history)) == 1
    assert len(rows(then.lines)) == 2


def test_what_a_merged_account_bought_belongs_to_the_other(engine: Engine) -> None:
    tell(
        engine,
        {"type": "purchase", "id": "p1", "account": "old", "at": "2025-01-01", "amount": "10.00"},
        {"type": "purchase", "id": "p2", "account": "new", "at": "2025-01-02", "amount": "20.00"},
        {"type": "account.merged", "id": "m", "account": "old", "at": "2025-02-01", "to": "new"},
    )
    bought = {(row["account"], row["event"]) for row in rows(read_frames(engine, NOW, ()).frames.history)}
    assert bought == {("new", "p1"), ("new", "p2")}
    before = {row["account"] for row in rows(read_frames(engine, AT("2025-01-15"), ()).frames.history)}
    assert before == {"old", "new"}
