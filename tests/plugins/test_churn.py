from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stampbook import ProgramError
from stampbook.loading import load
from stampbook.segments import run_segments
from stampbook_churn.rules import _Tenths, _Tried
from tests.plugins.histories import Row, buys, history, program
from tests.plugins.test_clv import END, run

MASTER = Path(__file__).parents[1] / "data" / "cdnow_master.parquet"


def test_the_back_test_of_cdnow() -> None:
    """The set-up of the facts in print: all 23,570 customers, 39 weeks before and 39 weeks after."""
    rows = pl.read_parquet(MASTER).with_row_index("row")
    frame = rows.select(
        account="customer_id",
        at=pl.col("date").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
        kind=pl.lit("purchase"),
        amount=(pl.col("dollar_value") * 100).round().cast(pl.Int64),
        event=pl.col("row").cast(pl.String),
        about=pl.lit(None, pl.String),
    ).lazy()
    found = run("churn", "horizon_days = 273", frame).findings
    aucs = {each["name"]: round(each["auc"], 2) for each in found["backtest"]["scorers"]}
    assert aucs == {
        "model": 0.75, "expected": 0.76, "alive": 0.32, "recency": 0.76, "own_gap": 0.73, "population_gap": 0.76,
    }  # fmt: skip
    assert [each["name"] for each in found["backtest"]["scorers"] if each["chosen"]] == ["expected"]
    assert found["backtest"]["calibration"] == [], "78 weeks before there was nobody to learn chances from"
    model = run("churn", 'horizon_days = 273\nchoose = "model"', frame).findings["backtest"]
    assert sum(each["accounts"] for each in model["calibration"]) == model["accounts"]


def test_who_bought_once_is_not_surely_safe() -> None:
    frame = run("churn").frame
    once = frame.filter((pl.col("days_since") > 400) & pl.col("p_buy").is_not_null())
    assert (once["p_buy"] < 0.5).all()


def monthly(days: int, leavers: int) -> list[Row]:
    """60 customers who come monthly for so many days; of those, some are lost over the last 30 of them."""
    return [
        buys(f"a{number:02d}", day, 100)
        for number in range(60)
        for day in range(number % 30, days if number >= leavers else days - 30, 30)
    ]


def test_chances_are_tried_on_a_time_that_did_not_teach_them() -> None:
    """All came in the time before; so all were foretold to come, and two thirds did."""
    at = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(days=239.5)
    options = 'horizon_days = 30\nchoose = "recency"'
    found = run("churn", options, history([*monthly(240, 0), buys("b", 1, 100)]), at).findings["backtest"]
    assert sum(row["accounts"] * row["predicted"] for row in found["calibration"]) == pytest.approx(
        found["bought"], abs=0.01
    )
    left = run("churn", options, history([*monthly(240, 20), buys("b", 1, 100)]), at).findings["backtest"]
    foretold = sum(row["accounts"] * row["predicted"] for row in left["calibration"])
    came = sum(row["accounts"] * row["actual"] for row in left["calibration"])
    assert came == pytest.approx(left["bought"], abs=0.01)
    assert foretold > 55
    [chosen] = [row for row in left["scorers"] if row["chosen"]]
    assert chosen["brier"] > 0.25


def test_where_the_past_is_short_only_the_order_of_scores_is_tried() -> None:
    rows = [*monthly(60, 0), buys("b", 1, 100)]
    found = run("churn", "horizon_days = 30", history(rows), datetime(2025, 3, 1, tzinfo=UTC)).findings
    assert found["backtest"]["calibration"] == []
    assert {row["brier"] for row in found["backtest"]["scorers"]} == {None}
    assert any("only the order of scores was tried" in warning for warning in found["warnings"])


def test_a_scorer_may_be_named() -> None:
    made = run("churn", 'choose = "model"')
    assert [each["name"] for each in made.findings["backtest"]["scorers"] if each["chosen"]] == ["model"]
    [(_, scheme)] = load(program("churn", 'choose = "model"')).segmenters()
    said = scheme.reasons(made.frame.row(0, named=True), made.findings)
    assert "will buy within 90 days" in said[0]
    assert said[1].startswith("told by model, whose AUC was 0.")


def test_levels_are_by_the_chance_of_a_purchase() -> None:
    options = 'choose = "model"\nlevels = ["40%", "20%"]\nnames = ["good", "fair", "poor"]'
    frame = run("churn", options).frame.drop_nulls("p_buy")
    expected = frame.select(
        pl.when(pl.col("p_buy") >= 0.4)
        .then(pl.lit("good"))
        .when(pl.col("p_buy") >= 0.2)
        .then(pl.lit("fair"))
        .otherwise(pl.lit("poor"))
    ).to_series()
    assert (frame["segment"] == expected).all()


def test_a_small_shop_is_told_by_gaps_and_a_shop_without_a_past_by_nothing() -> None:
    rows = [buys(f"a{number}", day, 100) for number in range(8) for day in range(number, 120, 5 + 6 * number)]
    at = datetime(2025, 5, 1, tzinfo=UTC)
    made = run("churn", "horizon_days = 30", history(rows), at)
    assert "too few to fit a model" in made.findings["warnings"][0]
    assert made.frame["segment"].null_count() == 0
    first = run("churn", "horizon_days = 30", history([buys("a", 1, 100)]), datetime(2025, 1, 5, tzinfo=UTC))
    assert any("no back-test" in warning for warning in first.findings["warnings"])


def test_the_order_of_rows_changes_nothing() -> None:
    rows = [buys(f"a{number}", day, 100) for number in range(40) for day in range(number, 200, 3 + 2 * number)]
    at = datetime(2025, 7, 20, tzinfo=UTC)
    schemes = load(program("churn")).segmenters()
    [one], [two] = run_segments(schemes, history(rows), at), run_segments(schemes, history(rows[::-1]), at)
    assert one.frame.equals(two.frame)
    assert one.findings == two.findings
    assert at < END.replace(year=2030)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ('levels = ["10%", "50%", "60%"]', "highest to the lowest"),
        ('levels = ["50%"]', "4, and 2 levels"),
        ('none = "safe"', "one name"),
        ('choose = "bset"', "choose"),
        ('cover = "0%"', "cover"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(options: str, said: str) -> None:
    with pytest.raises(ProgramError, match=said):
        load(program("churn", options))


@given(
    pairs=st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=40).filter(
        lambda pairs: len({bought for _, bought in pairs}) == 2
    )
)
def test_the_auc_is_that_of_all_pairs(pairs: list[tuple[int, bool]]) -> None:
    scores, outcome = (np.array([float(pair[place]) for pair in pairs]) for place in (0, 1))
    tried = _Tried(scores, outcome, is_chance=False, earlier=_Tenths(scores, outcome))
    buyers, others = ([s for s, b in pairs if b is kind] for kind in (True, False))
    wins = sum((one > two) + (one == two) / 2 for one in buyers for two in others)
    assert tried.auc == pytest.approx(wins / (len(buyers) * len(others)))
    assert sum(each["accounts"] for each in tried.calibration()) == len(pairs)
    assert tried.curve()[-1] == [1.0, 1.0]
