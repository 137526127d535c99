from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import narwhals as nw
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stampbook import ProgramError, divide, load_program
from stampbook_spending import rules
from tests.plugins.buying import ACCOUNTS, PROGRAM, Row, histories, named, online_retail, scheme, segmented, worth

if TYPE_CHECKING:
    import random

SPENDING = 'use = "spending"\n'
HEAVY = SPENDING + 'names = ["heavy", "medium", "light"]\nshares = [20, 30, 50]\n'
TEN = dict(zip("abcdefghij", range(100, 0, -10), strict=True))


def letters(options: str, history: list[Row]) -> str:
    return "".join(level[0] for level in named(options, history).values())


def test_equal_parts() -> None:
    assert letters(SPENDING, worth(**{account: TEN[account] for account in "abcdef"})) == "hhmmll"


def test_heavy_medium_and_light_buyers() -> None:
    assert letters(HEAVY, worth(**TEN)) == "hhmmmlllll"


def test_a_tie_at_a_border_stays_together_below_it() -> None:
    assert letters(HEAVY, worth(**TEN | {"c": 90})) == "hmmmmlllll"
    assert letters(HEAVY, worth(**dict.fromkeys("abcdefghij", 7))) == "llllllllll"


def test_amounts() -> None:
    options = SPENDING + 'amounts = ["1.00", "0.50"]'
    assert named(options, worth(ann=100, bob=99, cid=50, dan=49)) == {
        "ann": "high", "bob": "middle", "cid": "middle", "dan": "low"
    }  # fmt: skip


def test_who_bought_nothing_that_was_kept_is_nobodys_peer() -> None:
    history = [*worth(ann=10, bob=20, cid=30), Row("dan", 1, "purchase", 5, "p"), Row("dan", 2, "return", 5, "r", "p")]
    history += [Row("eve", 3, "return", 9, "lonely")]
    result = segmented(SPENDING + 'without = "no buyer"', history)
    assert result["segment"].to_list() == ["low", "middle", "high", "no buyer", "no buyer"]
    assert result["value"].to_list() == [10, 20, 30, None, None]
    assert result["orders"].to_list() == [1, 1, 1, 0, 0]


MONTHS = [Row("ann", 0, "purchase", 300, "1"), Row("ann", 29, "purchase", 5, "2"), Row("bob", 0, "purchase", 300, "3")]
MONTHS += [Row("bob", 30, "purchase", 5, "4"), Row("bob", 58, "return", 2, "5", "4"), Row("bob", 59, "return", 4, "6")]


@pytest.mark.parametrize(
    ("options", "values"),
    [
        ("", [305, 299]),
        ('measure = "average_order"', [153, 150]),
        ('measure = "per_active_month"', [305, 150]),
        ('window = "30 days"', [None, -1]),
        ('window = "30 days"\nmeasure = "average_order"', [None, -1]),
    ],
)
def test_what_is_measured(options: str, values: list[int | None]) -> None:
    at = datetime(2025, 3, 1, tzinfo=UTC)
    assert segmented(SPENDING + options, MONTHS, at)["value"].to_list() == values


WAYS = st.sampled_from(["", "shares = [20, 30, 50]", 'amounts = ["0.10", "0.05"]', 'measure = "average_order"'])


@given(histories())
def test_averages_are_rounded_half_up(rows: list[Row]) -> None:
    totals = segmented(SPENDING, rows)
    means = segmented(SPENDING + 'measure = "average_order"', rows)
    for total, orders, mean in zip(totals["value"], totals["orders"], means["value"], strict=True):
        assert mean == (None if total is None else divide(total, orders, "half_up"))


@given(histories(), st.integers(1, 98))
def test_a_level_holds_at_most_its_share_and_no_equal_is_left_out(rows: list[Row], top: int) -> None:
    result = segmented(f'{SPENDING}names = ["top", "rest"]\nshares = [{top}, {100 - top}]', rows)
    values = [value for value in result["value"] if value is not None]
    for value, segment in result.select("value", "segment").rows():
        worse = sum(other < value for other in values) if value is not None else 0
        expected = "none" if value is None else "top" if 100 * worse >= (100 - top) * len(values) else "rest"
        assert segment == expected
    assert 100 * (result["segment"] == "top").sum() <= top * len(values)


@given(histories(), WAYS, st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(rows: list[Row], way: str, chance: random.Random) -> None:
    assert segmented(SPENDING + way, rows).equals(segmented(SPENDING + way, chance.sample(rows, len(rows))))


@given(histories(), WAYS, st.sampled_from(ACCOUNTS))
def test_equal_histories_are_in_one_level(rows: list[Row], way: str, account: str) -> None:
    twin = [replace(row, account="twin") for row in rows if row.account == account]
    found = named(SPENDING + way, [*rows, *twin])
    assert found.get("twin") == found.get(account)


@given(histories(), st.sampled_from(ACCOUNTS), st.integers(0, 50), st.integers(1, 99))
def test_one_more_purchase_never_lowers_the_level(rows: list[Row], account: str, day: int, amount: int) -> None:
    before = dict(segmented(SPENDING, rows).select("account", "level").rows())
    if before.get(account) is not None:
        after = segmented(SPENDING, [*rows, Row(account, day, "purchase", amount, "one more")])
        assert dict(after.select("account", "level").rows())[account] >= before[account]


def test_online_retail_with_its_returns() -> None:
    result = segmented(HEAVY, online_retail(), datetime(2012, 1, 1, tzinfo=UTC))
    sizes = dict(result["segment"].value_counts().iter_rows())
    buyers = len(result) - sizes["none"]
    assert 5 * sizes["heavy"] <= buyers
    assert 2 * (sizes["heavy"] + sizes["medium"]) <= buyers < 2 * (sizes["heavy"] + sizes["medium"]) + 10
    revenue = result.group_by("segment").agg(pl.col("value").sum())
    assert dict(revenue.iter_rows())["heavy"] > result["value"].sum() / 2


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ("shares = [20, 30]", "3 names need as many shares, not 2"),
        ("shares = [20, 30, 40]", "shares come to 90 percent, not 100"),
        ('amounts = ["5"]', "3 names need 2 amounts, not 1"),
        ('amounts = ["5", "5"]', "amounts must fall, the highest first"),
        (
            'shares = [20, 30, 50]\namounts = ["5", "1"]',
            "shares and amounts both say where levels begin; leave one out",
        ),
        ('without = "low"', "two of names and without are the same"),
    ],
)
def test_wrong_options_are_refused(options: str, complaint: str) -> None:
    with pytest.raises(ProgramError) as caught:
        load_program(PROGRAM + SPENDING + options)
    assert complaint in str(caught.value)


def test_a_person_is_told_why() -> None:
    result = segmented(SPENDING, [*worth(ann=100, bob=50, cid=20), Row("dan", 1, "return", 5, "r")])
    levels = scheme(SPENDING).levels()
    begins = rules.least(nw.from_native(result.lazy()), levels)
    said = [rules.reason(row, begins, lambda minor: f"{minor / 100:.2f} GBP") for row in result.to_dicts()]
    assert said == [
        "high: 1.00 GBP in 1 order",
        "middle: 0.50 GBP in 1 order, the next level begins at 1.00 GBP",
        "low: 0.20 GBP in 1 order, the next level begins at 0.50 GBP",
        "none: no order that counts in the window",
    ]
