from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from typing import TYPE_CHECKING, Any

import narwhals as nw
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stampbook import ProgramError, divide, load_program
from stampbook_rfm import RfmConfig, rules
from stampbook_rfm.tables import KLAVIYO_CODES, PRESETS, R_FM_GRID
from tests.plugins.buying import ACCOUNTS, PROGRAM, Row, histories, online_retail, scheme, segmented, worth

if TYPE_CHECKING:
    import random

RFM = 'use = "rfm"\n'
OWN = """
classes = 3
fm_rounding = "half_even"

[plugin.segments]
best = ["[23]33", "r = 3 and f = 3 and m in 1-2"]
new = "[2-3][12]*"
late = ["r in 2 and f = 3 and m in 1,2", "1**"]
"""


def complaint_about(options: str) -> str:
    with pytest.raises(ProgramError) as caught:
        load_program(PROGRAM + RFM + options)
    return str(caught.value)


# ---- definitions in print -----------------------------------------------------------------------


@pytest.mark.parametrize("preset", PRESETS)
def test_every_preset_names_each_combination_once(preset: Any) -> None:
    config = RfmConfig(preset=preset)
    scores = range(1, config.class_count + 1)
    assert set(config.names) == set(product(scores, scores, scores))


def test_r_and_the_mean_of_f_and_m_with_eleven_names() -> None:
    names = RfmConfig(preset="r_fm").names
    assert all(names[r, f, m] == R_FM_GRID[f"{r}{(f + m + 1) // 2}"] for r, f, m in names)
    assert Counter(R_FM_GRID.values()) == {
        "champions": 3, "loyal": 4, "potential_loyalist": 4, "new": 1, "promising": 2, "need_attention": 3,
        "about_to_sleep": 1, "at_risk": 3, "cant_lose": 2, "hibernating": 1, "lost": 1,
    }  # fmt: skip
    assert names[5, 4, 5] == "champions"
    assert RfmConfig(preset="r_fm", fm_rounding="floor").names[2, 3, 4] == "need_attention"
    assert names[2, 3, 4] == "at_risk"


def test_klaviyo_has_six_groups_of_codes() -> None:
    names = RfmConfig(preset="klaviyo").names
    codes = [code for group in KLAVIYO_CODES.values() for code in group.split()]
    assert len(codes) == len(set(codes)) == len(names) == 27
    assert names[3, 2, 3] == "champions"
    assert names[1, 2, 1] == "inactive"


def test_klaviyo_cuts_recency_at_180_and_365_days() -> None:
    ends = datetime(2026, 1, 1, tzinfo=UTC)
    history = [Row(f"{days:03}", 365 - days, "purchase", 5, "p") for days in (0, 180, 181, 365)]
    assert segmented(RFM + 'preset = "klaviyo"', history, ends)["r"].to_list() == [3, 3, 2, 2]
    history.append(Row("last", -1, "purchase", 5, "p"))
    assert segmented(RFM + 'preset = "klaviyo"', history, ends)["r"].to_list()[-1] == 1
    own = segmented(RFM + 'preset = "klaviyo"\ncuts = { r = [10, 200] }', history, ends)
    assert own["r"].to_list() == [3, 2, 2, 1, 1]


# ---- classes, cuts, weights ---------------------------------------------------------------------


@pytest.mark.parametrize("classes", range(2, 11))
def test_two_to_ten_classes(classes: int) -> None:
    history = worth(**{f"a{number:02}": number for number in range(1, classes + 1)})
    levels = "{ all = 3 }"
    result = segmented(f"{RFM}classes = {classes}\nlevels = {levels}", history)
    assert result["m"].to_list() == list(range(1, classes + 1))
    assert result["rfm"].to_list()[-1] == f"11{classes}" if classes < 10 else "1-1-10"
    assert set(result["segment"]) == {"all"}


def test_fixed_cut_points_in_days_orders_and_money() -> None:
    options = (
        RFM + 'classes = 3\nlevels = { low = 3, high = 7 }\ncuts = { r = [10, 30], f = [3, 2], m = ["1.00", "0.10"] }'
    )
    history = [Row("ann", 50, "purchase", 100, "1"), Row("ann", 50, "purchase", 0, "2")]
    history += [
        Row("bob", 49, "purchase", 5, "3"),
        Row("bob", 30, "purchase", 5, "4"),
        Row("bob", 2, "purchase", 1, "5"),
    ]
    history += [Row("cid", 29, "purchase", 9, "6"), Row("dan", 1, "return", 5, "7")]
    result = segmented(options, history)
    assert result.select("account", "rfm", "total", "segment").rows() == [
        ("ann", "313", 7, "high"), ("bob", "232", 7, "high"), ("cid", "111", 3, "low"), ("dan", "111", 3, "low")
    ]  # fmt: skip
    plugin = scheme(options)
    cut = rules.cuts(nw.from_native(result.lazy()), plugin.scoring())
    assert cut == rules.Cuts((30, 10), (2, 3), (10, 100))
    assert rules.reasons(result.to_dicts()[1], cut) == (
        "R=2: last order 11 days ago, cut at 10 for R=3",
        "F=3: 3 orders",
        "M=2: 11 net, cut at 100 for M=3",
    )


def test_who_paid_nothing_scores_1_for_money_even_by_fixed_cuts_and_ntile() -> None:
    history = [*worth(ann=10, bob=20), Row("bob", 3, "return", 25, "lonely")]
    options = RFM + 'scores = "ntile"\ncuts = { m = ["0.01", "0.02", "0.03", "0.04"] }'
    assert segmented(options, history)["m"].to_list() == [5, 1]


def test_weights_make_the_total_and_levels_name_it() -> None:
    options = RFM + "weights = { r = 5, f = 0, m = 2 }\nlevels = { rest = 0, good = 20, best = 30 }"
    result = segmented(options, worth(ann=1, bob=2, cid=3, dan=4, eve=5))
    assert result["total"].to_list() == [7, 9, 11, 13, 15]
    late = [Row(account, day, "purchase", day, account) for day, account in enumerate("abcde", 1)]
    assert segmented(options, late).select("total", "segment").rows() == [
        (7, "rest"), (14, "rest"), (21, "good"), (28, "good"), (35, "best")
    ]  # fmt: skip


@given(st.integers(1, 9), st.integers(1, 9), st.sampled_from(["half_up", "floor", "half_even"]))
def test_the_mean_of_f_and_m_is_rounded_by_name_alike_in_tables_and_frames(f: int, m: int, rounding: Any) -> None:
    config = RfmConfig(classes=9, levels={"all": 3}, fm_rounding=rounding)
    scored = pl.LazyFrame({"r": [1], "f": [f], "m": [m]}, schema=dict.fromkeys("rfm", pl.Int8))
    how = rules.Scoring(9, fm_rounding=config.rounding)
    found = rules.combine(nw.from_native(scored), how).collect("polars").to_native()
    assert found["fm"].item() == divide(f + m, 2, rounding)


# ---- tables of one's own ------------------------------------------------------------------------


def test_patterns_and_conditions_name_every_combination() -> None:
    names = scheme(RFM + OWN).config.names
    assert len(names) == 27
    assert names[3, 3, 1] == names[2, 3, 3] == "best"
    assert names[2, 3, 2] == names[1, 3, 3] == "late"
    assert names[3, 2, 3] == "new"


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ('segments = { a = "[1-4]*", b = "r = 5 and f in 2-5" }', "cell 511 (R, F, M) is in no segment"),
        ('segments = { a = "[1-4]*", b = "r in 4-5" }', "cell 411 (R, F, M) is in 'a' and in 'b'"),
        ('segments = { a = "***", b = "r = 6" }', "'r = 6': R goes from 1 to 5, not 6"),
        ('segments = { a = "q in 1-5" }', "'q' is not a score"),
        ('segments = { a = "r in 5-1" }', "'r in 5-1': 5-1 runs backwards"),
        ('segments = { a = "r in 1-5 and r = 2" }', "says r twice"),
        ('segments = { a = "r is 5" }', "'r is 5' is not a condition on scores; write 'r in 4-5 and f in 1,2'"),
        ('segments = { a = "[1-5]" }', "is not a pattern of two or three scores"),
        ('classes = 10\nsegments = { a = "***" }', "with 10 classes a score may have two digits"),
        ("classes = 4", "preset 'standard' names 5 classes, not 4; name the cells by grid, segments or levels"),
        (
            'classes = 2\ngrid = { 11 = "a", 12 = "b", 21 = "c" }',
            "cell 22 (R, F) has no name; 2 classes need all cells",
        ),
        ('grid = { 555 = "a" }', "555 is no cell of R x F with 5 classes"),
        ('grid = { 55 = "a" }\nlevels = { b = 3 }', "grid and levels both name the cells; leave one out"),
        ("levels = { a = 4, b = 9 }", "a total of 3 is below the lowest level; let one start at 3 or less"),
        ("levels = { a = 3, b = 16 }", "no total is in 'b', which starts at 16; totals go up to 15"),
        ("levels = { a = 3, b = 3 }", "both start at 3"),
        ("cuts = { r = [30, 90] }", "r has 2 cut points; 5 classes need 4"),
        ("cuts = { f = [2, 2, 3, 4] }", "two cut points are the same; the score between them would be empty"),
        ('cuts = { m = ["0", "1", "2", "3"] }', "a cut point of zero or less"),
        ('cuts = { m = ["1.005", "1", "2", "3"] }', "'1.005' has more than 2 decimals"),
        ("classes = 11", "11 is more than 10"),
    ],
)
def test_what_does_not_name_every_combination_once_is_refused(options: str, complaint: str) -> None:
    assert complaint in complaint_about(options)


def test_a_mistake_in_a_table_is_reported_at_its_line() -> None:
    assert "program:11: plugin[1].segments: cell 111" in complaint_about(
        'preset = "standard"\nsegments = { a = "5**" }'
    )


@st.composite
def tables(draw: st.DrawFn) -> dict[str, list[str]]:
    """Deal the R x F cells of three classes to two names, and perhaps lose one, or deal one twice."""
    cells = draw(st.permutations([f"{r}{f}" for r in "123" for f in "123"]))
    border = draw(st.integers(2, 7))
    first, second = cells[:border], cells[border:]
    mishap = draw(st.sampled_from(["", "lost", "twice"]))
    if mishap == "lost":
        first = first[1:]
    if mishap == "twice":
        second = [*second, first[0]]
    return {"a": first, "b": second}


@given(tables())
def test_a_table_is_taken_exactly_where_it_is_complete_and_disjoint(table: dict[str, list[str]]) -> None:
    dealt = [cell for cells in table.values() for cell in cells]
    fine = len(dealt) == len(set(dealt)) == 9
    try:
        RfmConfig(classes=3, segments={name: tuple(cells) for name, cells in table.items()})
    except ValueError:
        assert not fine
    else:
        assert fine


# ---- properties of the scheme -------------------------------------------------------------------

WAYS = st.sampled_from(["", 'preset = "r_fm"', 'preset = "klaviyo"', OWN, "classes = 10\nlevels = { x = 3, y = 20 }"])


@given(histories(), WAYS, st.randoms(use_true_random=False))
def test_the_order_of_rows_changes_nothing(rows: list[Row], way: str, chance: random.Random) -> None:
    assert segmented(RFM + way, rows).equals(segmented(RFM + way, chance.sample(rows, len(rows))))


@given(histories(), WAYS, st.sampled_from(ACCOUNTS))
def test_equal_histories_score_equally(rows: list[Row], way: str, account: str) -> None:
    twin = [replace(row, account="twin") for row in rows if row.account == account]
    found = {row[0]: row[1:] for row in segmented(RFM + way, [*rows, *twin]).rows()}
    assert found.get("twin") == found.get(account)


@given(histories(), WAYS, st.sampled_from(ACCOUNTS), st.integers(0, 50), st.integers(1, 99))
def test_one_more_purchase_never_lowers_the_scores_of_its_customer(
    rows: list[Row], way: str, account: str, day: int, amount: int
) -> None:
    columns = ("account", "f", "m")
    before = {row[0]: row[1:] for row in segmented(RFM + way, rows).select(columns).rows()}
    more = segmented(RFM + way, [*rows, Row(account, day, "purchase", amount, "one more")])
    after = {row[0]: row[1:] for row in more.select(columns).rows()}
    assert all(new >= old for new, old in zip(after[account], before.get(account, (1, 1)), strict=True))


def test_online_retail_with_its_returns() -> None:
    result = segmented(RFM, online_retail(), datetime(2012, 1, 1, tzinfo=UTC))
    assert len(result) == 4372
    losses = result.filter(pl.col("monetary") <= 0)
    assert len(losses) == 41 + 14
    assert set(losses["m"]) == {1}
    assert result["segment"].null_count() == 0
