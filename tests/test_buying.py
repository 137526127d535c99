"""Models of repeat buying: the values in print, their gradients, and fits that failed and say so."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose

from stampbook.buying import BgNbd, Fit, GammaGamma, MbgNbd, ParetoNbd, Visits, distinct_visits, fit

SAMPLE = Path(__file__).parent / "data" / "cdnow_sample.parquet"
WEEK = 7
# CDNOW, the sample: 39 weeks of calibration, 2,357 customers (Fader, Hardie & Lee 2005).
PRINTED = [0.0078, 0.0532, 0.1506, 1.0405, 1.0437, 1.8576]
PAPER = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}
WALKTHROUGH = {"r": 0.2425982, "alpha": 4.4136842, "a": 0.7929899, "b": 2.4261667}


def summary() -> pl.DataFrame:
    """Return x, t_x and T in days, and what the repeat days brought, at the end of 30 September 1997."""
    end = pl.date(1997, 9, 30)
    bought = pl.read_parquet(SAMPLE).with_columns(pl.col("date").cast(pl.Date)).filter(pl.col("date") <= end)
    days = bought.group_by("customer_id", "date").agg(pl.col("dollar_value").sum()).sort("customer_id", "date")
    first = pl.col("date").min()
    return days.group_by("customer_id").agg(
        x=pl.len().cast(pl.Int64) - 1,
        t_x=(pl.col("date").max() - first).dt.total_days(),
        T=(end - first).dt.total_days(),
        repeat_value=pl.col("dollar_value").filter(pl.col("date") > first).sum(),
    )


@pytest.fixture(scope="module")
def ways() -> Visits:
    return distinct_visits(summary(), WEEK)[1]


@pytest.fixture(scope="module")
def fitted(ways: Visits) -> dict[str, Fit]:
    return {"bg": fit(BgNbd(ways)), "mbg": fit(MbgNbd(ways)), "pareto": fit(ParetoNbd(ways))}


def one(x: float, t_x: float, age: float) -> Visits:
    return Visits(np.array([x]), np.array([t_x]), np.array([age]), np.ones(1))


def test_the_bg_nbd_of_the_paper(fitted: dict[str, Fit]) -> None:
    found = fitted["bg"]
    precise = {"r": 0.2425945, "alpha": 4.4136019, "a": 0.7929199, "b": 2.4258881}
    assert {name: round(value, 3) for name, value in found.parameters.items()} == PAPER
    assert found.parameters == pytest.approx(precise, abs=3e-5)
    assert found.log_likelihood == pytest.approx(-9582.429, abs=1e-3)
    assert found.warnings == ()
    assert found.starts == (4, 4)


def test_the_mbg_nbd_of_the_package(fitted: dict[str, Fit]) -> None:
    assert {name: round(value, 3) for name, value in fitted["mbg"].parameters.items()} == {
        "r": 0.525, "alpha": 6.183, "a": 0.891, "b": 1.614,
    }  # fmt: skip


def test_the_pareto_nbd_of_the_paper(fitted: dict[str, Fit]) -> None:
    found = fitted["pareto"]
    assert {name: round(value, 3) for name, value in found.parameters.items()} == pytest.approx(
        {"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669}, abs=1.1e-3
    )
    assert found.log_likelihood == pytest.approx(-9594.976, abs=1e-3)
    errors = {"r": 0.0476264, "alpha": 0.8427222, "s": 0.1872594, "beta": 6.2105448}
    assert found.errors == pytest.approx(errors, rel=1e-3)


def test_gamma_gamma_of_the_note() -> None:
    again = summary().filter((pl.col("x") > 0) & (pl.col("repeat_value") > 0))
    assert len(again) == 946
    x = again["x"].to_numpy().astype(float)
    model = GammaGamma(x, again["repeat_value"].to_numpy() / x, np.ones(len(x)))
    found = fit(model)
    assert {name: round(value, 2) for name, value in found.parameters.items()} == {"p": 6.25, "q": 3.74, "gamma": 15.44}
    assert found.log_likelihood == pytest.approx(-4055.9177, abs=1e-2)
    everybody = summary().sort("customer_id").head(10)
    x, value = everybody["x"].to_numpy().astype(float), everybody["repeat_value"].to_numpy()
    told = GammaGamma.expected(found.parameters, np.where(value > 0, x, 0.0), value / np.maximum(x, 1))
    assert_allclose(told, [24.65, 18.91, 35.17, 35.17, 35.17, 71.46, 18.91, 35.17, 27.28, 35.17], atol=0.1)


def test_what_is_expected_of_customer_1516() -> None:
    model = BgNbd(one(26, 30.85714, 31))
    assert model.expected(WALKTHROUGH, 52.0)[0] == pytest.approx(25.75659, abs=1e-4)
    assert model.alive(WALKTHROUGH)[0] == pytest.approx(0.9688523, abs=1e-6)
    pareto = {"r": 0.55315, "alpha": 10.57633, "s": 0.60625, "beta": 11.6715}
    assert ParetoNbd(one(26, 30.85714, 31)).expected(pareto, 52.0)[0] == pytest.approx(25.45647, abs=1e-3)
    assert ParetoNbd(one(26, 30.85714, 31)).alive(pareto)[0] == pytest.approx(0.997874, abs=1e-6)


def test_the_spreadsheet_of_hardie() -> None:
    assert BgNbd(one(2, 30.43, 38.86)).expected(PAPER, 39.0)[0] == pytest.approx(1.226, abs=1e-3)


def test_who_bought_more_and_stayed_away_is_worth_less() -> None:
    bg = [BgNbd(one(x, 20, 39)).expected(WALKTHROUGH, 52.0)[0] for x in (10, 15, 20, 25)]
    assert_allclose(bg, [0.3474606, 0.04283391, 0.004158973, 0.0003583685], rtol=2e-4)
    pareto = {"r": 0.55315, "alpha": 10.57633, "s": 0.60625, "beta": 11.6715}
    found = [ParetoNbd(one(x, 20, 39)).expected(pareto, 52.0)[0] for x in (10, 15, 20, 25)]
    assert_allclose(found, [0.7062289, 0.1442396, 0.02250658, 0.00309267], rtol=2e-3)  # from parameters of its own


def test_what_is_expected_of_anybody_from_the_start() -> None:
    times = np.array([0.1429, 1, 3, 31.8571, 32, 78])
    assert_allclose(BgNbd.expected_from_start(WALKTHROUGH, times), PRINTED, atol=4e-4)
    assert BgNbd.expected_from_start(WALKTHROUGH, np.array([52.0]))[0] == pytest.approx(1.444004, abs=2e-6)
    # Printed by two packages from parameters that they do not print to all digits.
    pareto = {"r": 0.55315, "alpha": 10.57633, "s": 0.60625, "beta": 11.6715}
    assert ParetoNbd.expected_from_start(pareto, np.array([52.0]))[0] == pytest.approx(1.473434, rel=1e-4)


def test_how_likely_each_number_of_purchases_is() -> None:
    assert BgNbd.probability(PAPER, 2.0, 10)[10] == pytest.approx(1.07869e-07, rel=1e-5)
    assert BgNbd.probability(PAPER, 39.0, 0)[0] == pytest.approx(0.5737864, abs=1e-7)
    printed = [
        0.0019995214, 0.0015170236, 0.001163315, 0.0009003148, 0.0007023638, 0.0005517902, 0.0004361913, 0.0003467171,
        0.0002769613, 0.000222226,
    ]  # fmt: skip
    assert_allclose(BgNbd.probability(PAPER, 30.0, 20)[11:], printed, rtol=1e-6)
    for model in (BgNbd, MbgNbd):
        chances = model.probability(PAPER, 30.0, 2000)
        assert chances.sum() == pytest.approx(1.0, abs=1e-6)
        expected = model.expected_from_start(PAPER, np.array([30.0]))[0]
        assert np.dot(chances, np.arange(2001)) == pytest.approx(expected, rel=1e-6)


def holdout() -> pl.DataFrame:
    """Return what came in the 39 weeks after the calibration, one row a customer."""
    days = (
        pl.read_parquet(SAMPLE).with_columns(pl.col("date").cast(pl.Date)).filter(pl.col("date") > pl.date(1997, 9, 30))
    )
    came = days.select("customer_id", "date").unique().group_by("customer_id").agg(came=pl.len())
    return summary().join(came, on="customer_id", how="left").with_columns(pl.col("came").fill_null(0))


def test_the_holdout_by_how_often_somebody_came_before(fitted: dict[str, Fit]) -> None:
    frame = holdout().with_columns(group=pl.col("x").clip(upper_bound=7)).sort("customer_id")
    seen = Visits(
        frame["x"].to_numpy().astype(float),
        frame["t_x"].to_numpy() / WEEK,
        frame["T"].to_numpy() / WEEK,
        np.ones(len(frame)),
    )
    told = frame.with_columns(
        bg=pl.Series(BgNbd(seen).expected(fitted["bg"].parameters, 39.0)),
        pareto=pl.Series(ParetoNbd(seen).expected(fitted["pareto"].parameters, 39.0)),
    )
    means = told.group_by("group").agg(pl.col("came", "bg", "pareto").mean(), count=pl.len()).sort("group")
    assert means["count"].to_list() == [1411, 439, 214, 100, 62, 38, 29, 64]
    actual = [0.2367116, 0.6970387, 1.392523, 1.56, 2.532258, 2.947368, 3.862069, 6.359375]
    assert_allclose(means["came"].to_list(), actual, rtol=1e-6)
    printed = [0.2250893, 0.5231364, 1.044126, 1.520256, 2.163824, 2.653789, 3.503957, 6.157036]
    assert_allclose(means["bg"].to_list(), printed, rtol=1e-3)
    assert_allclose(means["pareto"].to_list(), [0.138, 0.6, 1.196, 1.714, 2.399, 2.907, 3.819, 6.403], atol=1e-3)


@pytest.mark.parametrize("model", [BgNbd, MbgNbd])
@pytest.mark.parametrize("parameters", [(0.5, 3.0, 0.7, 2.0), (2.0, 10.0, 0.1, 5.0), (0.1, 1.0, 3.0, 0.5)])
def test_gradients_are_those_of_differences(ways: Visits, model: type[BgNbd], parameters: tuple[float, ...]) -> None:
    made, at = model(ways), np.array(parameters)
    steps = 1e-6 * np.eye(4) * at
    differences = [(made.likelihood(at + step)[0] - made.likelihood(at - step)[0]) / (2 * step.max()) for step in steps]
    assert_allclose(made.likelihood(at)[1], differences, rtol=1e-4, atol=1e-2)


def test_chances_of_any_purchase_are_between_none_and_alive(ways: Visits, fitted: dict[str, Fit]) -> None:
    models: dict[str, BgNbd | ParetoNbd] = {"bg": BgNbd(ways), "mbg": MbgNbd(ways), "pareto": ParetoNbd(ways)}
    for name, model in models.items():
        parameters = fitted[name].parameters
        soon, late = model.any_in(parameters, 1.0), model.any_in(parameters, 1000.0)
        assert ((soon >= 0) & (soon <= late) & (late <= model.alive(parameters) + 1e-9)).all()
        assert (model.any_in(parameters, 4.0) <= model.expected(parameters, 4.0) + 1e-9).all()


def test_a_population_that_never_drops_out_is_told_to_be_one() -> None:
    chance = np.random.default_rng(1)
    age = np.full(4000, 52.0)
    rates = chance.gamma(1.0, 0.2, 4000)
    x = chance.poisson(rates * age).astype(float)
    last = np.where(x > 0, age * chance.random(4000) ** (1 / np.maximum(x, 1)), 0.0)
    found = fit(BgNbd(Visits(x, last, age, np.ones(4000))))
    assert any("no drop-out" in warning for warning in found.warnings)
    assert found.to_plain()["warnings"] == list(found.warnings)


def test_large_counts_stay_finite() -> None:
    seen = Visits(np.array([500.0, 3000.0]), np.array([99.0, 100.0]), np.array([100.0, 100.0]), np.ones(2))
    for model, parameters in ((BgNbd(seen), PAPER), (MbgNbd(seen), PAPER)):
        told = model.expected(parameters, 52.0)
        assert np.isfinite(told).all()
        assert (told < seen.x).all()
        assert (told > 0).all()
