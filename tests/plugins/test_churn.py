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
from stampbook_churn.backtest import Tried
from tests.plugins.histories import buys, gives_back, history, program
from tests.plugins.test_clv import END, ODD, cdnow, run

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
    assert sum(each["accounts"] for each in found["backtest"]["calibration"]) == found["backtest"]["accounts"]


def test_who_bought_once_is_not_surely_safe() -> None:
    frame = run("churn").frame
    once = frame.filter((pl.col("days_since") > 400) & pl.col("p_buy").is_not_null())
    assert (once["p_buy"] < 0.5).all()


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
    tried = Tried(np.array([float(s) for s, _ in pairs]), np.array([float(b) for _, b in pairs]), is_chance=False)
    buyers, others = ([s for s, b in pairs if b is kind] for kind in (True, False))
    wins = sum((one > two) + (one == two) / 2 for one in buyers for two in others)
    assert tried.auc == pytest.approx(wins / (len(buyers) * len(others)))
    assert sum(each["accounts"] for each in tried.calibration()) == len(pairs)
    assert tried.curve()[-1] == [1.0, 1.0]


@given(
    pairs=st.lists(st.tuples(st.integers(0, 8), st.booleans()), min_size=2, max_size=60).filter(
        lambda pairs: len({bought for _, bought in pairs}) == 2
    )
)
def test_chances_rise_with_the_score_and_are_never_certain(pairs: list[tuple[int, bool]]) -> None:
    tried = Tried(np.array([float(s) for s, _ in pairs]), np.array([float(b) for _, b in pairs]), is_chance=False)
    chances = tried.chance(np.arange(-1.0, 11))
    assert (np.diff(chances) >= 0).all()
    assert ((chances > 0) & (chances < 1)).all()


def test_a_score_that_says_nothing_does_not_look_good_on_its_own_outcomes() -> None:
    chance = np.random.default_rng(4)
    worse = 0
    for _ in range(20):
        outcome = (chance.random(100) < 0.3).astype(float)
        worse += Tried(chance.random(100), outcome, is_chance=False).brier > outcome.mean() * (1 - outcome.mean())
    assert worse >= 17


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("options", ["horizon_days = 30", 'horizon_days = 365\nmodel = "pareto_nbd"\nchoose = "model"'])
def test_what_no_model_fits_ends_in_a_warning(name: str, options: str) -> None:
    at = datetime(2025, 4, 11, tzinfo=UTC)
    made = run("churn", options, history(ODD[name]), at)
    assert any("there is no back-test" in each for each in made.findings["warnings"])
    frame = made.frame.filter(pl.col("segment") != "none")
    chances = frame["p_buy"].drop_nulls()
    assert ((chances > 0) & (chances < 1)).all()
    assert (frame.filter(pl.col("p_buy").is_null())["segment"] == "unknown").all()
    if "365" in options:
        assert len(chances) == 0
    [(_, scheme)] = load(program("churn", options)).segmenters()
    if len(frame):
        assert scheme.reasons(frame.row(0, named=True), made.findings)[0].startswith(frame["segment"][0])


def test_a_return_of_an_older_purchase_hides_no_buyer() -> None:
    rows = [buys(f"a{number:02}", each, 100) for number in range(20) for each in (0, 10, 20)]
    rows += [buys(f"a{number:02}", 60, 100) for number in range(10)]
    back = [gives_back(f"a{number:02}", 65, 100, f"a{number:02}@10") for number in range(10)]
    at = datetime(2025, 3, 12, tzinfo=UTC)
    plain, returned = (run("churn", "horizon_days = 30", history(each), at) for each in (rows, [*rows, *back]))
    assert plain.findings["backtest"]["bought"] == returned.findings["backtest"]["bought"] == 10
    gone = [gives_back(f"a{number:02}", 66, 100, f"a{number:02}@60") for number in range(5)]
    assert run("churn", "horizon_days = 30", history([*rows, *gone]), at).findings["backtest"]["bought"] == 5


def test_what_comes_after_does_not_reach_the_scores_of_the_back_test() -> None:
    rows = cdnow().collect()
    fewer = rows.filter((pl.col("at") <= END - timedelta(days=90)) | (pl.col("event").cast(pl.Int64) % 3 == 0))
    one, two = (run("churn", 'choose = "model"', each.lazy()).findings["backtest"] for each in (rows, fewer))
    assert one["bought"] > two["bought"] > 0
    assert [each["predicted"] for each in one["calibration"]] == [each["predicted"] for each in two["calibration"]]


def test_who_bought_once_or_twice_has_the_usual_gap_of_all() -> None:
    rows = [buys(f"a{number:02}", each, 100) for number in range(12) for each in range(number, 110, 10)]
    rows += [buys("once", 80, 100), buys("twice", 50, 100), buys("twice", 90, 100)]
    frame = run("churn", "horizon_days = 30", history(rows), datetime(2025, 4, 25, tzinfo=UTC)).frame
    gaps = dict(frame.select("account", "usual_gap").rows())
    assert gaps["once"] == gaps["twice"] == gaps["a00"] == 10
    alone = run("churn", "horizon_days = 30", history([buys("a", 1, 100)]), datetime(2025, 4, 1, tzinfo=UTC))
    assert alone.frame["usual_gap"].to_list() == [None]
