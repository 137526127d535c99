from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy.special import hyperu

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


def test_who_came_once_is_not_said_to_be_alive() -> None:
    """The BG/NBD gives everybody who never came again P(alive) = 1; the others can tell."""
    made = run("clv")
    once, again = made.frame.filter(pl.col("x") == 0), made.frame.filter(pl.col("x") > 0)
    assert once["p_alive"].null_count() == len(once) > 0
    assert again["p_alive"].null_count() == 0
    assert made.findings["notes"][0].startswith(f"{len(once):,} accounts never came again; the BG/NBD takes them all")
    for model in ("mbg_nbd", "pareto_nbd"):
        told = run("clv", f'model = "{model}"').frame.filter(pl.col("x") == 0)["p_alive"]
        assert told.null_count() == 0
        assert (told < 1).all()


def cohort(count: int, *on: int, amount: int = 100) -> list[dict[str, Any]]:
    return [buys(f"a{number:03}", each, amount + number) for number in range(count) for each in on]


ODD: dict[str, list[dict[str, Any]]] = {
    "nobody": [],
    "one purchase": [buys("a", 1, 100)],
    "at the very instant": [buys("a", 100, 100)],
    "all of them later": [buys("a", 150, 100)],
    "all at once": cohort(60, 100),
    "once each": cohort(60, 3),
    "all as often": cohort(60, 1, 11, 21),
    "all alike": [buys(f"a{number}", each, 100) for number in range(60) for each in (1, 11, 21)],
    "every day": cohort(40, *range(100)),
    "worth nothing": [buys(f"a{number}", each, 0) for number in range(60) for each in (1, 9)],
    "all returned": [row for n in range(60) for row in (buys(f"a{n}", 1, 9), gives_back(f"a{n}", 5, 9, f"a{n}@1"))],
    "more returned than bought": [
        *cohort(60, 1, 9),
        *(gives_back(f"a{number:03}", 20, 10_000) for number in range(60)),
    ],
    "very large amounts": cohort(60, 1, 11, 21, amount=10**15),
}


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize(
    "options",
    [
        'horizon_days = 3650\nmodel = "bg_nbd"\ncalibrate = true',
        'horizon_days = 3650\nmodel = "mbg_nbd"\ndiscount = "20%"',
        'horizon_days = 3650\nmodel = "pareto_nbd"\nunit_days = 1',
    ],
)
def test_what_no_model_fits_ends_in_a_warning(name: str, options: str) -> None:
    made = run("clv", options, history(ODD[name]), datetime(2025, 4, 11, tzinfo=UTC))
    assert any(
        "so everybody's own rate of purchases so far is taken to go on" in each for each in made.findings["warnings"]
    )
    frame = made.frame.filter(pl.col("segment") != "none")
    for column in ("expected_purchases", "expected_value", "low", "high"):
        assert frame[column].null_count() == 0
        assert frame[column].is_finite().all()
    assert (frame["low"] <= frame["high"]).all()
    assert frame["p_alive"].null_count() == len(frame)
    assert (frame.filter(pl.col("expected_value") == 0)["segment"] == "low").all()
    if name in {"nobody", "all of them later"}:
        assert made.frame.is_empty()
    if name in {"worth nothing", "all returned"}:
        assert made.frame["segment"].unique().to_list() == ["none"]
    if "calibrate" in options:
        assert any("nothing is calibrated" in each for each in made.findings["warnings"])


def test_returns_lower_the_value_with_and_without_a_purchase_named() -> None:
    rows = cdnow().collect()
    several = run("clv").frame.filter(pl.col("x") >= 4).sort("account")["account"]
    who, other = several[0], several[1]
    last = rows.filter(account=who).sort("at").row(-1, named=True)
    back = {**last, "kind": "return", "about": last["event"], "event": "back", "amount": last["amount"] // 2}
    lonely = {**back, "account": other, "about": None, "event": "lonely", "amount": 10**7}
    made = run("clv", rows=pl.concat([rows, pl.DataFrame([back, lonely], schema=rows.schema)]).lazy())
    before, after = (dict(frame.select("account", "expected_value").rows()) for frame in (run("clv").frame, made.frame))
    assert after[who] < before[who]
    assert after[other] < before[other] / 2
    assert any("gave back all" in each for each in made.findings["notes"])


def test_the_holdout_sees_nothing_of_what_comes_and_counts_all_that_came() -> None:
    rows = cdnow().collect()
    cut = END - timedelta(days=180)
    late = pl.col("at") > cut
    more = rows.filter(late).with_columns(at=pl.col("at") - timedelta(days=3, hours=1)).filter(late)
    plain = run("clv", "holdout_days = 180").findings["holdout"]
    told = run("clv", "holdout_days = 180", pl.concat([rows, more.with_columns(event="x" + pl.col("event"))]).lazy())
    assert told.findings["holdout"]["predicted"] == plain["predicted"]
    assert told.findings["holdout"]["actual"] > plain["actual"]
    # Half of the older purchases come back now: what came in the holdout came nevertheless.
    back = rows.filter(~late & (pl.col("event").cast(pl.Int64) % 2 == 0)).with_columns(
        kind=pl.lit("return"), about="event", event="r" + pl.col("event"), at=pl.lit(END, rows.schema["at"])
    )
    returned = run("clv", "holdout_days = 180", pl.concat([rows, back.select(rows.columns)]).lazy())
    assert returned.findings["holdout"]["actual"] == plain["actual"]


def test_discounting_agrees_with_the_formula_for_ever() -> None:
    """DERT of Fader, Hardie & Lee (2005), "RFM and CLV": at 200 percent a year, ten years are as good as for ever."""
    options = 'model = "pareto_nbd"\nholdout_days = 0\nhorizon_days = 3650\nvalue = "mean"\n'
    whole, less = (run("clv", options + more) for more in ("", 'discount = "200%"'))
    found = whole.findings["fit"]["parameters"]
    r, alpha, s, beta = (found[name] for name in ("r", "alpha", "s", "beta"))
    both = whole.frame.join(less.frame.select("account", less="expected_value"), on="account").filter(
        pl.col("expected_value") > 10_000
    )
    x, age = both["x"].to_numpy(), both["days_known"].to_numpy() / 7
    delta = np.log(3) * 7 / 365
    dert = both["p_alive"].to_numpy() * (r + x) / (alpha + age) * (beta + age) ** s
    dert = dert * delta ** (s - 1) * hyperu(s, s, delta * (beta + age))
    each = both["expected_value"].to_numpy() / both["expected_purchases"].to_numpy()
    assert len(both) > 100
    np.testing.assert_allclose(both["less"].to_numpy() / each, dert, rtol=3e-3)


def test_values_are_told_in_the_units_of_the_currency() -> None:
    rows = cdnow().with_columns(pl.col("amount") * 10)
    text = program("clv").replace("GBP", "KWD")
    [(_, scheme)] = schemes = load(text).segmenters()
    [made] = run_segments(schemes, rows, END)
    row = made.frame.filter(pl.col("expected_value") > 0).row(0, named=True)
    assert f"{row['expected_value'] // 1000}.{row['expected_value'] % 1000:03}" in scheme.reasons(row, made.findings)[0]
