# ruff: noqa: E501 - a message is one line, and so is its case
from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any, ClassVar, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stampbook.amounts import Asset, currency
from stampbook.errors import EventError
from stampbook.event_reading import EventReader
from stampbook.events import CORE_EVENTS, Adjust, Event, Expiry, Purchase, Return, Spend, TopUp
from stampbook.periods import Calendar

AT = "2025-01-31T10:00:00+08:00"
CALENDAR = Calendar("Asia/Shanghai")


class Survey(Event):
    asset_field: ClassVar[str] = "asset"
    type: Literal["survey.done"] = "survey.done"
    asset: str | None = None


READER = EventReader(
    assets={
        "CNY": currency("CNY"),
        "USD": currency("USD"),
        "JPY": currency("JPY"),
        "points": Asset("points", 1),
    },
    currency="CNY",
    calendar=CALENDAR,
    kinds=(*CORE_EVENTS, Expiry, Survey),
)


def read(type_: str, **fields: Any) -> Event:
    return READER.read({"type": type_, "id": "e1", "account": "ann", "at": AT, **fields})


def refusal(type_: str, **fields: Any) -> str:
    with pytest.raises(EventError) as refused:
        read(type_, **fields)
    message = str(refused.value)
    assert "\n" not in message
    prefix = "event 'e1': "
    assert message.startswith(prefix)
    return message.removeprefix(prefix)


# ---- what is read


def test_an_event_has_an_id_a_source_an_account_and_an_instant() -> None:
    event = read("account.opened")
    assert (event.type, event.source, event.id, event.account) == ("account.opened", "default", "e1", "ann")
    assert CALENDAR.iso(event.at) == AT


def test_a_time_without_offset_is_local_to_the_program() -> None:
    local, aware = (
        read("account.opened", at="2025-01-31T10:00"),
        read("account.opened", at=datetime(2025, 1, 31, 2, tzinfo=UTC)),
    )
    assert local.at == aware.at == read("account.opened").at


def test_money_is_counted_in_the_smallest_unit_of_its_asset() -> None:
    assert read("topup", amount="12.50").model_dump()["amount"] == 1250
    assert read("topup", amount="1250", currency="JPY").model_dump()["amount"] == 1250
    assert read("spend", amount="12.5", asset="points").model_dump()["amount"] == 125
    assert read("adjust", amount=-3, reason="goodwill").model_dump()["amount"] == -300


def test_an_order_shares_its_discount_over_its_lines() -> None:
    event = read(
        "purchase",
        lines=[
            {"sku": "tea", "category": "drinks", "quantity": 2, "unit_price": "3.33"},
            {"sku": "rice", "quantity": "0.333", "unit_price": "10"},
            {"sku": "gift", "amount": "0"},
        ],
        discount="1",
        tax="0.60",
        tenders=[{"kind": "card", "amount": "5.99"}, {"kind": "stored_value", "amount": "3.00"}],
    )
    assert isinstance(event, Purchase)
    order = event.order_in("CNY")
    assert [(line.number, line.amount, line.discount, line.net) for line in order.lines] == [
        (1, 666, 67, 599),
        (2, 333, 33, 300),
        (3, 0, 0, 0),
    ]
    assert (order.gross, order.discount, order.net, order.tax, order.total) == (999, 100, 899, 60, 899)
    assert (order.quantity, order.line_count, order.stored_value) == (3_333_000, 3, 300)
    assert order.skus == {"tea", "rice", "gift"}
    assert order.categories == {"drinks", ""}


def test_tax_that_comes_on_top_is_part_of_the_total() -> None:
    event = read("purchase", amount="10", discount="1", tax="0.90", tax_added=True, total="9.90")
    assert isinstance(event, Purchase)
    order = event.order_in("CNY")
    assert (order.net, order.total) == (900, 990)
    assert [(line.number, line.net) for line in order.lines] == [(1, 900)]


def test_a_return_names_its_purchase_and_whose_id_that_is() -> None:
    event = read("return", purchase="p1")
    assert isinstance(event, Return)
    assert event.names == ("default", "p1")
    event = read("return", purchase="p1", purchase_source="web", source="till")
    assert isinstance(event, Return)
    assert event.names == ("web", "p1")
    event = read("return", amount="1")
    assert isinstance(event, Return)
    assert event.names is None


def test_a_plugins_kind_of_event_is_read_like_any() -> None:
    assert isinstance(read("survey.done"), Survey)
    assert READER.kinds["survey.done"] is Survey


# ---- what is refused


AMOUNTS = {
    "12.345": "amount: '12.345' has more than 2 decimals",
    12.345: "amount: '12.345' has more than 2 decimals",
    0.1 + 0.2: "amount: '0.30000000000000004' is a float, with more than 2 decimals; send decimal text such as '0.30'",
    "3.80000000000000000001": "amount: '3.80000000000000000001' has more than 2 decimals",
    float("nan"): "amount: 'nan' is not an amount; write a plain decimal number such as '12.50'",
    float("-inf"): "amount: '-inf' is not an amount; write a plain decimal number such as '12.50'",
    Decimal("NaN"): "amount: 'NaN' is not an amount; write a plain decimal number such as '12.50'",
    None: "amount: 'None' is not an amount; write a decimal number in quotes such as '12.50'",
    True: "amount: 'True' is not an amount; write a decimal number in quotes such as '12.50'",
    "a lot": "amount: 'a lot' is not an amount; write a plain decimal number such as '12.50'",
    "0": "amount: '0' is not above zero",
    "-1": "amount: '-1' is not above zero",
    "99999999999999": "amount: '99999999999999' is larger than any amount that is kept (10000000000000.00)",
    10**40: f"amount: '1{'0' * 36}…' is larger than any amount that is kept (10000000000000.00)",
}


@pytest.mark.parametrize(("amount", "message"), AMOUNTS.items(), ids=str)
def test_a_bad_amount_is_refused(amount: object, message: str) -> None:
    assert refusal("topup", amount=amount) == message
    assert refusal("spend", amount=amount) == message


@pytest.mark.parametrize(
    ("type_", "fields", "message"),
    [
        ("topup", {}, "amount: missing"),
        ("topup", {"amount": "1", "currency": "EUR"}, "currency: 'EUR' is no currency for a topup; this program has CNY, USD, JPY"),
        ("topup", {"amount": "1", "currency": "points"}, "currency: 'points' is no currency for a topup; this program has CNY, USD, JPY"),
        ("topup", {"amount": "1", "currency": "CNX"}, "currency: 'CNX' is no currency for a topup (did you mean 'CNY'?); this program has CNY, USD, JPY"),
        ("topup", {"amount": "1", "currency": ["CNY"]}, "currency: \"['CNY']\" is no currency for a topup (did you mean 'CNY'?); this program has CNY, USD, JPY"),
        ("topup", {"amount": "1.5", "currency": "JPY"}, "amount: '1.5' has more than 0 decimals"),
        ("purchase", {"amount": "1", "currency": "JPY"}, "currency: 'JPY' is no currency for a purchase; this program has CNY, USD"),
        ("purchase", {"amount": "1", "currency": "points"}, "currency: 'points' is no currency for a purchase; this program has CNY, USD"),
        ("spend", {"amount": "1", "asset": "point"}, "asset: 'point' is no asset for a spend (did you mean 'points'?); this program has CNY, USD, JPY, points"),
        ("spend", {"amount": "1", "amout": "1"}, "amout: no such key (did you mean 'amount'?)"),
        ("purchase", {"lines": [{"skus": "a", "amount": "1"}]}, "lines.1.skus: no such key (did you mean 'sku'?)"),
        ("purchase", {"amount": "1", "tenders": [{"type": "card", "amount": "1"}]}, "tenders.1.kind: missing; tenders.1.type: no such key; there are kind, amount, asset, partial, rest"),
        ("purchase", {"lines": {"sku": "a"}}, "lines: an object {…} is not a list; write it in [ ]"),
        ("purchase", {"lines": "a"}, "lines: 'a' is not a list; write it in [ ]"),
        ("purchase", {"lines": ["a"]}, "lines.1: 'a' is not an object {…}"),
        ("purchase", {"amount": "1", "tax_added": "on top"}, "tax_added: 'on top' is neither true nor false; write it without quotes"),
        ("purchase", {"amount": "1", "channel": ["web"]}, "channel: a list is not text; write it in quotes"),
        ("return", {"purchase": "p", "lines": [{"line": "first"}]}, "lines.1.line: 'first' is not a whole number; write it without quotes"),
        ("adjust", {"amount": "1", "reason": "r", "kind": "bonu"}, "kind: 'bonu' is not one of 'adjusted', 'earned', 'bonus' (did you mean 'bonus'?)"),
        ("topup", {"amount": "1", "reason": "a\x00"}, "reason: 'a\\x00' holds the character U+0000; leave it out"),
        ("purchase", {}, "a purchase has either lines or one amount"),
        ("purchase", {"amount": "1", "lines": [{"amount": "1"}]}, "a purchase has either lines or one amount"),
        ("purchase", {"lines": [{"sku": "a"}]}, "lines.1: a line needs its amount or its unit_price"),
        ("purchase", {"lines": [{"amount": "1"}, {"amount": "-1"}]}, "lines.2.amount: '-1' is below zero"),
        ("purchase", {"lines": [{"amount": "1", "quantity": "0"}]}, "lines.1.quantity: '0' is not above zero"),
        ("purchase", {"lines": [{"amount": "1", "quantity": "-2"}]}, "lines.1.quantity: '-2' is not above zero"),
        ("purchase", {"lines": [{"amount": "1", "quantity": "two"}]}, "lines.1.quantity: 'two' is not a quantity; write a plain decimal number such as '12.50'"),
        ("purchase", {"lines": [{"amount": "1", "quantity": 0.1234567}]}, "lines.1.quantity: '0.1234567' has more than 6 decimals"),
        ("purchase", {"lines": [{"unit_price": "9999999999999", "quantity": "9999"}]}, "lines.1: quantity times unit_price is larger than any amount that is kept"),
        ("purchase", {"lines": [{"amount": "9999999999999"}] * 2}, "the order is larger than any amount that is kept"),
        ("purchase", {"amount": "10", "discount": "10.01"}, "the discount is larger than the order"),
        ("purchase", {"amount": "10", "discount": "4", "tax": "6.01"}, "the tax is larger than the order, which is 6.00 CNY with it"),
        ("purchase", {"amount": "10", "tenders": [{"kind": "card", "amount": "4"}, {"kind": "stored_vlaue", "amount": "6"}]}, "tenders.2.kind: 'stored_vlaue' is nearly 'stored_value'; write that, or name it less like it"),
        ("purchase", {"amount": "10", "tenders": [{"kind": "Stored Value", "amount": "10"}]}, "tenders.1.kind: 'Stored Value' is nearly 'stored_value'; write that, or name it less like it"),
        ("purchase", {"amount": "10", "tenders": [{"kind": "point", "amount": "10"}]}, "tenders.1.kind: 'point' is nearly 'points'; write that, or name it less like it"),
        ("purchase", {"amount": "10", "discount": "1", "total": "10"}, "the total is not lines - discount, which is 9.00 CNY"),
        ("purchase", {"amount": "10", "tax": "1", "tax_added": True, "total": "10"}, "the total is not lines - discount + tax, which is 11.00 CNY"),
        ("purchase", {"amount": "10", "tenders": [{"kind": "card", "amount": "9.99"}]}, "the tenders sum to 9.99 CNY, not to the total of 10.00 CNY"),
        ("purchase", {"amount": "10", "tenders": [{"kind": "card", "amount": "-10"}]}, "tenders.1.amount: '-10' is below zero"),
        ("purchase", {"amount": "10", "tenders": [{"amount": "10"}]}, "tenders.1.kind: missing"),
        ("return", {}, "a return names its purchase, or has an amount"),
        ("return", {"lines": [{"line": 1}]}, "a return names its purchase, or has an amount"),
        ("return", {"purchase": "p", "amount": "1", "lines": [{"line": 1}]}, "a return has either lines or one amount"),
        ("return", {"purchase": "p", "amount": "0"}, "amount: '0' is not above zero"),
        ("return", {"purchase": "p", "lines": [{}]}, "lines.1: a returned line is named by either line or sku"),
        ("return", {"purchase": "p", "lines": [{"line": 1, "sku": "a"}]}, "lines.1: a returned line is named by either line or sku"),
        ("return", {"purchase": "p", "lines": [{"line": 1, "quantity": "1", "amount": "1"}]}, "lines.1: a returned line is counted by either quantity or amount"),
        ("return", {"purchase": "p", "lines": [{"line": 0}]}, "lines.1.line: 0 is less than 1"),
        ("adjust", {"amount": "0", "reason": "r"}, "an adjustment of zero moves nothing"),
        ("adjust", {"amount": "1"}, "reason: missing"),
        ("adjust", {"amount": "1", "reason": ""}, "reason: must not be empty"),
        ("adjust", {"amount": "1", "reason": "r", "expires": "2025-01-31T10:00"}, "expires belongs to a grant, and comes after it"),
        ("adjust", {"amount": "-1", "reason": "r", "expires": "2026-01-31"}, "expires belongs to a grant, and comes after it"),
        ("account.opened", {"at": "soon"}, "at: 'soon' is not a date or time; write 2025-01-31 or 2025-01-31T10:00:00+08:00"),
        ("account.opened", {"at": 1738288800}, "at: 1738288800 is not a time; write 2025-01-31T10:00:00+08:00"),
        ("account.opened", {"at": "9999-01-01"}, "at: 9999-01-01T00:00:00+08:00 lies outside the years that are kept (1900 to 8900)"),
        ("account.opened", {"account": ""}, "account: must not be empty"),
        ("account.opened", {"source": "stampbook"}, "source: 'stampbook' is kept for events that time brings; name your own"),
        ("expiry", {"lot": 1}, "type: 'expiry' is brought by time and cannot be sent"),
        ("xyz", {}, "type: 'xyz' is no kind of event of this program; one of account.opened, account.described, segment.changed, account.frozen, account.unfrozen, account.closed, purchase, purchase.completed, purchase.cancelled, return, topup, spend, adjust, extend, lots.frozen, lots.unfrozen, hold.authorised, hold.captured, hold.voided, hold.changed, survey.done"),
        ("top-up", {}, "type: 'top-up' is no kind of event of this program (did you mean 'topup'?)"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_in_one_clear_line(type_: str, fields: dict[str, Any], message: str) -> None:
    assert refusal(type_, **fields) == message


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a\nb", r"id: 'a\\nb' holds a control character, such as the end of a line; leave it out$"),
        ("a\x00", r"id: 'a\\x00' holds a control character"),
        ("\x7f", r"id: '\\x7f' holds a control character"),
        ("x" * 256, "id: is longer than 255 characters$"),
        (4711, "id: 4711 is not text; write it in quotes$"),
    ],
)
def test_an_id_is_printable_text_and_not_too_long(name: Any, message: str) -> None:
    with pytest.raises(EventError, match=message):
        read("account.opened", id=name)


@pytest.mark.parametrize("name", ["0", "x" * 255, "订单-1", "ɑ", "a b"])
def test_an_id_may_be_any_text(name: str) -> None:
    assert read("account.opened", id=name).id == name


def test_every_mistake_of_an_event_is_named() -> None:
    assert refusal("topup", amount="x", stor="1", at="y") == (
        "at: 'y' is not a date or time; write 2025-01-31 or 2025-01-31T10:00:00+08:00; "
        "amount: 'x' is not an amount; write a plain decimal number such as '12.50'; "
        "stor: no such key (did you mean 'store'?)"
    )


@pytest.mark.parametrize(
    "data", [{}, [], "x", None, 3, {"type": []}, {"type": None}, {"type": "purchase", "id": "\ud800"}]
)
def test_anything_may_arrive(data: Any) -> None:
    with pytest.raises(EventError, match=r"^event .*: "):
        READER.read(data)


JSON = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=5), inner, max_size=2),
    max_leaves=4,
)
KEYS = sorted({field for kind in CORE_EVENTS for field in kind.model_fields} - {"type"})


@given(st.sampled_from(CORE_EVENTS), st.dictionaries(st.sampled_from(KEYS), JSON, max_size=4))
def test_no_input_is_a_crash(kind: type[Event], fields: dict[str, Any]) -> None:
    try:
        event = read(kind.model_fields["type"].default, **fields)
    except EventError as refused:
        assert "\n" not in str(refused)  # noqa: PT017 - one of two outcomes
    else:
        assert isinstance(event, kind)


def test_the_engines_own_events_may_use_its_source() -> None:
    event = READER.read(
        {"type": "expiry", "id": "x", "source": "stampbook", "account": "ann", "at": AT, "lot": 1}, own=True
    )
    assert isinstance(event, Expiry)


def test_an_event_without_a_reader_takes_only_whole_smallest_units() -> None:
    assert TopUp(id="1", account="ann", at=0, amount=1250).amount == 1250
    assert Spend(id="1", account="ann", at=0, amount=5, asset="points").amount == 5
    for wrong in ({"amount": "12.50"}, {"at": AT}, {"amount": True}):
        with pytest.raises(ValueError, match="read it with EventReader"):
            Adjust.model_validate({"id": "1", "account": "ann", "at": 0, "amount": 1, "reason": "r", **wrong})
