"""Random histories of accounts, for property tests with Hypothesis, which has to be installed for this module.

::

    from hypothesis import given
    from stampbook.testing import Ledger
    from stampbook.testing.strategies import histories

    @given(histories())
    def test_a_balance_is_never_below_zero(events):
        ledger = Ledger(PROGRAM, plugins={"mine": Mine})
        for event in events:
            ledger.post(**event)
            assert int(ledger.balance("points")) >= 0

Each strategy gives plain data as a sender writes it. Returns name purchases of the same history, sometimes by
lines, sometimes by amount, sometimes more than is left; refusals are part of a history.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

Event = dict[str, Any]

_START = datetime(2024, 2, 1, tzinfo=UTC)


def amounts(most: str = "500.00", *, least: str = "0.01", decimals: int = 2) -> st.SearchStrategy[str]:
    """Return decimal text between two amounts, both included."""
    scale = 10**decimals
    units = st.integers(int(Decimal(least) * scale), int(Decimal(most) * scale))
    return units.map(lambda number: f"{Decimal(number) / scale:.{decimals}f}")


@st.composite
def lines(draw: st.DrawFn) -> Event:
    """Draw one line of an order: pieces at a price, or a weight."""
    sku, category = draw(st.sampled_from([("tea", "drinks"), ("pears", "produce"), ("cigars", "tobacco"), ("bag", "")]))
    if draw(st.booleans()):
        return {"sku": sku, "category": category, "amount": draw(amounts(least="0.00"))}
    quantity = draw(st.one_of(st.integers(1, 12).map(str), st.sampled_from(["0.5", "1.235", "0.001"])))
    return {"sku": sku, "category": category, "quantity": quantity, "unit_price": draw(amounts("40.00", least="0.00"))}


@st.composite
def purchases(draw: st.DrawFn) -> Event:
    """Draw a purchase without its id, account and instant: one amount, or lines."""
    event: Event = {"type": "purchase"}
    if draw(st.booleans()):
        event["amount"] = draw(amounts(least="0.00"))
    else:
        event["lines"] = draw(st.lists(lines(), min_size=1, max_size=4))
    return event


@st.composite
def histories(
    draw: st.DrawFn,
    *,
    account: str = "customer",
    more: st.SearchStrategy[Event] | None = None,
    most: int = 12,
    points: str = "points",
) -> list[Event]:
    """Draw up to `most` events of one account in the order of time, over a few months around a 29 February.

    Args:
        account: its ref.
        more: events of a plugin's own kinds, without id, account and instant.
        most: the longest history.
        points: an asset without decimals that the program has, to spend and to adjust.
    """
    ordinary = st.one_of(
        purchases(),
        st.builds(lambda amount: {"type": "topup", "amount": amount}, amounts()),
        st.builds(lambda amount: {"type": "spend", "amount": amount}, amounts("50.00")),
        st.builds(lambda amount: {"type": "spend", "asset": points, "amount": str(amount)}, st.integers(1, 300)),
        st.builds(
            lambda amount: {"type": "adjust", "asset": points, "amount": str(amount), "reason": "drawn"},
            st.integers(-50, 50).filter(bool),
        ),
        st.just({"type": "return"}),
    )
    kinds = ordinary if more is None else st.one_of(ordinary, more)
    at = _START
    bought: list[Event] = []
    events: list[Event] = []
    for number in range(draw(st.integers(1, most))):
        event = dict(draw(kinds))
        if event["type"] == "return":
            event |= draw(_what_comes_back(bought))
        at += timedelta(hours=draw(st.integers(0, 24 * 40)), minutes=draw(st.integers(0, 59)))
        event |= {"id": f"{account}-{number}", "source": "drawn", "account": account, "at": at.isoformat()}
        if event["type"] == "purchase":
            bought.append(event)
        events.append(event)
    return events


@st.composite
def _what_comes_back(draw: st.DrawFn, bought: list[Event]) -> Event:
    if not bought:
        return {"purchase": "unknown"}
    purchase = draw(st.sampled_from(bought))
    named: Event = {"purchase": purchase["id"]}
    how = draw(st.sampled_from(["all", "amount", "line"]))
    if how == "amount":
        return named | {"amount": draw(amounts("60.00"))}
    if how == "line" and "lines" in purchase:
        return named | {"lines": [{"line": draw(st.integers(1, len(purchase["lines"])))}]}
    return named
