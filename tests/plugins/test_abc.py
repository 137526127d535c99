from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stampbook import ProgramError, load_program
from stampbook.population import Frames, frames_wanted
from stampbook.segments import run_segments
from stampbook_abc import rules
from tests.plugins.buying import (
    ACCOUNTS,
    END,
    PROGRAM,
    Row,
    frame,
    histories,
    named,
    online_retail,
    scheme,
    segmented,
    worth,
)

if TYPE_CHECKING:
    import random

ABC = 'use = "abc"\n'


# ---- borders ------------------------------------------------------------------------------------


def test_the_account_that_crosses_a_border_is_in_the_better_class_or_out_of_it() -> None:
    history = worth(ann=70, bob=20, cid=6, dan=4)
    assert named(ABC, history) == {"ann": "A", "bob": "A", "cid": "B", "dan": "C"}
    assert named(ABC + 'crossing = "out"', history) == {"ann": "A", "bob": "B", "cid": "C", "dan": "C"}


def test_a_share_that_ends_on_the_border_ends_the_class() -> None:
    history = worth(ann=80, bob=15, cid=5)
    assert named(ABC, history) == named(ABC + 'crossing = "out"', history) == {"ann": "A", "bob": "B", "cid": "C"}


def test_one_account_alone_crosses_every_border() -> None:
    assert named(ABC, worth(ann=10)) == {"ann": "A"}
    assert named(ABC + 'crossing = "out"', worth(ann=10)) == {"ann": "C"}


def test_equal_accounts_cross_together() -> None:
    history = worth(ann=10, bob=10, cid=10, dan=10)
    assert set(named(ABC, history).values()) == {"A"}
    assert set(named(ABC + 'crossing = "out"', history).values()) == {"C"}


def test_own_borders_and_names() -> None:
    options = ABC + 'a = 50\nb = 90\nnames = ["gold", "silver", "other"]'
    assert named(options, worth(ann=50, bob=40, cid=10)) == {"ann": "gold", "bob": "silver", "cid": "other"}


def test_zero_or_less_is_last_and_no_part_of_the_total() -> None:
    history = [*worth(ann=100, bob=0), Row("cid", 1, "return", 30, "back")]
    result = segmented(ABC, history)
    assert result["segment"].to_list() == ["A", "C", "C"]
    assert result["share"].to_list() == [1.0, 0.0, -0.3]
    assert result["cumulative_share"].to_list() == [1.0, None, None]
    assert result["rank"].to_list() == [1, 2, 3]


def test_nobody_and_nothing() -> None:
    for options in (ABC, ABC + 'method = "computed"'):
        assert segmented(options, []).is_empty()
        nothing = segmented(options, worth(ann=0))
        assert nothing.select("segment", "share", "cumulative_share").row(0) == ("C", None, None)


# ---- computed -----------------------------------------------------------------------------------


def test_borders_computed_by_hand() -> None:
    # Of 100, points (x, y): (.1, .50), (.2, .72), (.3, .82), (.4, .87), (.5, .91), … Nearest to (0, 1) is .2, with
    # .04 + .0784; the mean is 10, so break-even is at .3. Nearest to (.3, 1) is .4, with .01 + .0169.
    values = dict(zip("abcdefghij", (50, 22, 10, 5, 4, 3, 3, 2, 1, 0), strict=True))
    found = named(ABC + 'method = "computed"', worth(**values))
    assert "".join(found[account] for account in values) == "AABBCCCCCC"


def test_break_even_before_the_pareto_point_ends_a() -> None:
    # Of 100 among 11, the mean is 9.09, so break-even is at 1/11; nearest to (0, 1) is 3/11, with .0744 + .1089.
    # Nearest to (3/11, 1) is 5/11, with .0331 + .04.
    values = dict(zip("abcdefghijk", (50, 9, 8, 7, 6, 5, 5, 4, 3, 2, 1), strict=True))
    found = named(ABC + 'method = "computed"', worth(**values))
    assert "".join(found[account] for account in values) == "ABBBBCCCCCC"


# ---- metrics ------------------------------------------------------------------------------------

BOUGHT = [
    Row("ann", 1, "purchase", 1000, "p1"),
    Row("ann", 40, "purchase", 100, "p2"),
    Row("bob", 2, "purchase", 900, "p3"),
]
BOUGHT += [Row("bob", 45, "return", 900, "r1", "p3"), Row("cid", 50, "purchase", 300, "p4")]


def lines() -> pl.LazyFrame:
    categories = {"p1": "tea", "p2": "cups", "p3": "tea", "r1": "tea", "p4": None}
    own = frame(BOUGHT).with_columns(
        sku=pl.lit("x"),
        category=pl.col("event").replace_strict(categories, return_dtype=pl.String),
        labels=pl.lit(""),
        quantity=pl.lit(2_000_000, pl.Int64),
    )
    return own.select("account", "at", "kind", "event", "about", "sku", "category", "labels", "quantity", "amount")


@pytest.mark.parametrize(
    ("options", "values"),
    [
        ("", [1100, 0, 300]),
        ('window = "30 days"', [100, 0, 300]),
        ('by = "orders"', [2, 0, 1]),
        ('by = "quantity"', [4_000_000, 0, 2_000_000]),
        ('by = "quantity"\nwindow = "30 days"', [2_000_000, 0, 2_000_000]),
        ('by = "margin"\nmargin = "0.10"\nmargin_of = { tea = "0.5555" }', [565, 0, 30]),
        ('by = "margin"\nmargin_of = { cups = "-0.255" }', [-25, 0, 0]),
    ],
)
def test_what_accounts_are_worth(options: str, values: list[int]) -> None:
    frames = {"lines": lines()} if "quantity" in options or "margin" in options else {}
    assert segmented(ABC + options, BOUGHT, END, **frames)["value"].to_list() == values


def test_lines_are_read_for_metrics_of_lines_only() -> None:
    assert frames_wanted(scheme(ABC)) == {"history"}
    of_lines = scheme(ABC + 'by = "quantity"')
    assert frames_wanted(of_lines) == {"history", "lines"}
    (run,) = run_segments([("abc", of_lines)], Frames(frame(BOUGHT), lines()), END)
    assert run.frame["value"].to_list() == [4_000_000, 0, 2_000_000]


# ---- properties ---------------------------------------------------------------------------------

WAYS = st.sampled_from(["", 'crossing = "out"', 'by = "orders"', "a = 30\nb = 60", 'method = "computed"'])


def naive(values: dict[str, int], borders: tuple[int, int], crossing: str) -> dict[str, str]:
    total = sum(value for value in values.values() if value > 0)
    found = {}
    for account, value in values.items():
        above = sum(other for other in values.values() if other > max(value, 0))
        equal = sum(other for other in values.values() if other == value)
        reached = [
            100 * above < border * total if crossing == "in" else 100 * (above + equal) <= border * total
            for border in borders
        ]
        found[account] = "C" if value <= 0 else "A" if reached[0] else "B" if reached[1] else "C"
    return found


@given(rows=histories(), a=st.integers(1, 98), crossing=st.sampled_from(["in", "out"]))
def test_the_frames_agree_with_the_naive_model(rows: list[Row], a: int, crossing: str) -> None:
    result = segmented(f'{ABC}a = {a}\nb = {a + 1}\ncrossing = "{crossing}"', rows)
    values = dict(result.select("account", "value").rows())
    assert dict(result.select("account", "segment").rows()) == naive(values, (a, a + 1), crossing)
    assert result["account"].to_list() == sorted({row.account for row in rows})


@given(histories(), WAYS, st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(rows: list[Row], way: str, chance: random.Random) -> None:
    shuffled = chance.sample(rows, len(rows))
    assert segmented(ABC + way, rows).equals(segmented(ABC + way, shuffled))


@given(histories(), WAYS, st.sampled_from(ACCOUNTS))
def test_equal_histories_are_in_one_class(rows: list[Row], way: str, account: str) -> None:
    twin = [replace(row, account="twin") for row in rows if row.account == account]
    found = named(ABC + way, [*rows, *twin])
    assert found.get("twin") == found.get(account)


@given(histories(), WAYS)
def test_who_is_worth_more_is_never_in_a_lower_class(rows: list[Row], way: str) -> None:
    result = segmented(ABC + way, rows).sort("value", descending=True)
    assert result["segment"].is_sorted()
    assert result["rank"].is_sorted()


# ---- real data ----------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["", 'crossing = "out"', 'method = "computed"'])
def test_online_retail_with_its_returns(way: str) -> None:
    result = segmented(ABC + way, online_retail(), datetime(2012, 1, 1, tzinfo=UTC))
    losses = result.filter(pl.col("value") < 0)
    assert (len(result), len(losses), len(result.filter(pl.col("value") == 0))) == (4372, 41, 14)
    assert set(losses["segment"]) == {"C"}
    sizes = Counter(result["segment"])
    assert sizes["A"] < sizes["C"]
    best: list[float] = result.filter(pl.col("segment") == "A").sort("rank")["cumulative_share"].to_list()
    if not way:
        assert best[-2] < 0.8 <= best[-1]
    if "out" in way:
        first_of_b: list[float] = result.filter(pl.col("segment") == "B").sort("rank")["cumulative_share"].to_list()
        assert best[-1] <= 0.8 < first_of_b[0]


# ---- options and reasons ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ("a = 95\nb = 80", "b must be above a: 80 is not above 95"),
        ('by = "margin"', "by = 'margin' needs margin, margin_of, or both"),
        ('margin = "0.3"', "margins are read by by = 'margin' only, not by 'revenue'"),
        ('names = ["x", "x", "y"]', "two classes have one name"),
        ('by = "marign"', "by"),
    ],
)
def test_wrong_options_are_refused(options: str, complaint: str) -> None:
    with pytest.raises(ProgramError) as caught:
        load_program(PROGRAM + ABC + options)
    assert complaint in str(caught.value)


def test_a_person_is_told_why() -> None:
    history = worth(ann=70, bob=20, cid=6, dan=0)
    rows = {row["account"]: row for row in segmented(ABC, history).to_dicts()}
    assert rules.reason(rows["bob"], rules.Borders(), "0.20 GBP") == (
        "A: 0.20 GBP, rank 2; with those above it 93.8 % of all, borders at 80 and 95 %, who crosses one is in"
    )
    assert rules.reason(rows["dan"], rules.Borders(), "0.00 GBP") == (
        "C: 0.00 GBP, rank 4; zero or less is always in the last class"
    )
    assert rules.reason(rows["ann"], rules.Borders(computed=True), "0.70 GBP").endswith(
        "72.9 % of all, borders computed from the curve"
    )


def test_computed_borders_of_one_place() -> None:
    assert rules.computed_borders([(7, 3, 21, 21)]) == (7, 7)
