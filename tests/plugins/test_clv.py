from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from stampbook import PluginError, ProgramError
from stampbook.loading import load
from stampbook.segments import SegmentRun, run_segments
from tests.plugins.histories import buys, gives_back, history, program

SAMPLE = Path(__file__).parents[1] / "data" / "cdnow_sample.parquet"
END = datetime(1998, 6, 30, 23, tzinfo=UTC)


def cdnow() -> pl.LazyFrame:
    rows = pl.read_parquet(SAMPLE).with_row_index("row")
    return rows.select(
        account="customer_id",
        at=pl.col("date").cast(pl.Datetime("us")).dt.replace_time_zone("UTC"),
        kind=pl.lit("purchase"),
        amount=(pl.col("dollar_value") * 100).round().cast(pl.Int64),
        event=pl.col("row").cast(pl.String),
        about=pl.lit(None, pl.String),
    ).lazy()


def run(use: str, options: str = "", rows: pl.LazyFrame | None = None, at: datetime = END) -> SegmentRun:
    [made] = run_segments(load(program(use, options)).segmenters(), cdnow() if rows is None else rows, at)
    return made


def bought(made: SegmentRun) -> float:
    return float(sum(each or 0 for each in made.frame["expected_purchases"].to_list()))


def test_values_of_a_real_shop_have_parameters_errors_and_a_holdout() -> None:
    made = run("clv", "holdout_days = 180")
    found = made.findings
    assert found["warnings"] == []
    assert set(found["fit"]["errors"]) == {"r", "alpha", "a", "b"}
    assert found["fit"]["agreeing_starts"] == 4
    assert abs(found["value"]["correlation"]) < 0.3
    assert found["holdout"]["by_frequency"][0]["frequency"] == 0
    assert found["holdout"]["predicted"] == pytest.approx(found["holdout"]["actual"], rel=0.2)
    frame = made.frame.filter(pl.col("segment") != "none")
    assert (frame["low"] <= frame["high"]).all()
    high, low = (frame.filter(segment=name)["expected_value"].to_list() for name in ("high", "low"))
    assert min(high) > max(low) >= 0


def test_equal_histories_have_equal_values_whatever_the_order_of_rows() -> None:
    rows = cdnow().collect()
    one, two = run("clv").frame, run("clv", rows=rows.sample(fraction=1.0, shuffle=True, seed=3).lazy()).frame
    assert one.equals(two)
    seen = one.select("x", "days_since", "days_known", "expected_purchases").unique()
    assert seen.select("x", "days_since", "days_known").is_unique().all()


def test_margin_discount_and_calibration_scale_what_is_expected() -> None:
    whole, half = (
        run("clv").frame["expected_value"].drop_nulls().to_list(),
        run("clv", 'margin = "50%"').frame["expected_value"].drop_nulls().to_list(),
    )
    assert sum(half) == pytest.approx(sum(whole) / 2, rel=1e-3)
    less = run("clv", 'discount = "10%"').frame["expected_value"].drop_nulls().to_list()
    assert 0.9 < sum(less) / sum(whole) < 0.97
    scaled = run("clv", "calibrate = true\nholdout_days = 180")
    plain = run("clv", "holdout_days = 180")
    factor = scaled.findings["calibrated_by"]
    assert bought(scaled) == pytest.approx(bought(plain) * factor, rel=1e-4)


@pytest.mark.parametrize("model", ["mbg_nbd", "pareto_nbd"])
def test_other_models_tell_of_the_same_customers(model: str) -> None:
    made = run("clv", f'model = "{model}"')
    assert made.findings["warnings"] == []
    assert made.frame["expected_purchases"].sum() == pytest.approx(
        run("clv").frame["expected_purchases"].sum(), rel=0.15
    )


def small() -> pl.LazyFrame:
    rows = [buys("a", 1, 100), buys("a", 11, 100), buys("b", 1, 100), gives_back("c", 1, 5)]
    return history([*rows, buys("d", 1, 50), gives_back("d", 2, 50, "d@1")])


def test_too_few_accounts_are_said_and_their_own_rate_goes_on() -> None:
    at = datetime(2025, 1, 21, 12, tzinfo=UTC)
    made = run("clv", "horizon_days = 38", small(), at)
    assert made.findings["warnings"][0] == "2 accounts are too few to fit a model to, 30 are needed"
    told: dict[str, dict[str, Any]] = {row["account"]: row for row in made.frame.to_dicts()}
    # One more purchase at the rate of all, 1 in 38 days, is added to what each did: 2 in 57, and 1 in 57.
    assert told["a"]["expected_purchases"] == pytest.approx(38 * 2 / 57)
    assert told["b"]["expected_purchases"] == pytest.approx(38 * 1 / 57)
    assert [told[name]["p_alive"] for name in "abcd"] == [None] * 4
    assert (told["b"]["expected_value"], told["c"]["segment"], told["d"]["segment"]) == (67, "none", "none")
    with pytest.raises(PluginError, match="write fallback = 'rate'"):
        run("clv", 'fallback = "refuse"', small(), at)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("calibrate = true\nholdout_days = 0", "needs holdout_days"),
        ('shares = ["60%", "40%"]', "leave some"),
        ('amounts = ["1", "5"]', "highest to the lowest"),
        ('interval = "100%"', "interval"),
        ('none = "low"', "one name"),
        ('model = "bgnbd"', "model"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(options: str, said: str) -> None:
    with pytest.raises(ProgramError, match=said):
        load(program("clv", options))


def test_a_value_is_explained_in_sentences() -> None:
    [(_, scheme)] = load(program("clv")).segmenters()
    made = run("clv")
    row = made.frame.filter(pl.col("x") == 5).row(0, named=True)
    said = scheme.reasons(row, made.findings)
    assert "expected in 365 days" in said[0]
    assert said[1].startswith("came again on 5 days in ")
    assert scheme.reasons({"segment": "none", "x": None}, {}) == ("none: never kept a purchase",)
