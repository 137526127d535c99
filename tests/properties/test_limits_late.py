"""Limits by account hold whatever the order in which news arrives: no window ever grants more than its most."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.properties.driver import Till
from tests.properties.model import window_start

PROGRAM = """
[program]
name = "Limits"
currency = "GBP"
time_zone = "Europe/London"
open_accounts = "on first event"
[assets.points]
[limits.most]
max = "{most}"
counts = "{counts}"
window = "{window}"
[[plugin]]
use = "points"
[[plugin.rule]]
name = "base"
earn = "order.net"
"""
WINDOWS = ["lifetime", "calendar month", "calendar year", "7 days", "1 month"]
START = date(2025, 1, 1)


def granted(window: str, most: int, counts: str, sales: list[tuple[int, int]]) -> Counter[date]:
    """Send purchases, pairs of day and pounds, in their order of arrival; return what each day was granted."""
    till = Till(PROGRAM.format(window=window, most=most, counts=counts)).opened("2024-12-31")
    by_day: Counter[date] = Counter()
    for day, pounds in sales:
        at = START + timedelta(days=day)
        decision = till.tell("purchase", at=f"{at}T12:00:00Z", amount=f"{pounds}.00")
        assert decision.transaction is not None
        earned = sum(posting.amount for posting in decision.transaction.postings)
        by_day[at] += (earned > 0) if counts == "awards" else earned
    return by_day


@given(
    window=st.sampled_from(WINDOWS),
    most=st.integers(1, 12),
    counts=st.sampled_from(["awards", "amount"]),
    sales=st.lists(st.tuples(st.integers(0, 60), st.integers(1, 6)), min_size=1, max_size=12),
)
def test_no_window_grants_more_than_its_most(window: str, most: int, counts: str, sales: list[tuple[int, int]]) -> None:
    by_day = granted(window, most, counts, sales)
    for end in by_day:
        first = window_start(window, end)
        assert sum(units for day, units in by_day.items() if first <= day <= end) <= most


@given(
    window=st.sampled_from(WINDOWS), most=st.integers(1, 12), sales=st.lists(st.integers(0, 60), min_size=1, max_size=9)
)
def test_late_news_is_granted_what_every_window_leaves(window: str, most: int, sales: list[int]) -> None:
    """Not less than that either: what is granted is the most that keeps every window that has the day in it."""
    before: Counter[date] = Counter()
    for count in range(1, len(sales) + 1):
        after = granted(window, most, "amount", [(day, 3) for day in sales[:count]])
        today = START + timedelta(days=sales[count - 1])
        ends = [end for end in {*before, today} if window_start(window, end) <= today <= end]
        counted = [sum(n for day, n in before.items() if window_start(window, end) <= day <= end) for end in ends]
        assert after[today] - before[today] == min(3, most - max(counted))
        before = after


@pytest.mark.parametrize("days", [(4, 1, 0), (0, 1, 4), (1, 4, 0)])
def test_once_is_once_in_whatever_order_it_is_told(days: tuple[int, ...]) -> None:
    assert sum(granted("lifetime", 1, "awards", [(day, 5) for day in days]).values()) == 1
