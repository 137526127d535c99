"""Models of repeat buying: the values in print, their gradients, and fits that failed and say so."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
import pytest
from numpy.testing import assert_allclose
from scipy.special import gammaln, hyp2f1
from scipy.stats import nbinom

from stampbook.buying import (
    BgNbd,
    Fit,
    GammaGamma,
    MbgNbd,
    ParetoNbd,
    Visits,
    at_own_rate,
    distinct_visits,
    fit,
    least_reached,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

SAMPLE = Path(__file__).parent / "data" / "cdnow_sample.parquet"
WEEK = 7
# CDNOW, the sample: 39 weeks of calibration, 2,357 customers (Fader, Hardie & Lee 2005).
PRINTED = [0.0078, 0.0532, 0.1506, 1.0405, 1.0437, 1.8576]
PAPER = {"r": 0.243, "alpha": 4.414, "a": 0.793, "b": 2.426}
# Parameters within 3e-5 of those that the walkthrough of BTYD prints, and of the best, from which all of its seven
# numbers for the BG/NBD come out to the last printed digit; and the same for the six of the Pareto/NBD.
WALKTHROUGH = {"r": 0.24259677, "alpha": 4.41365791, "a": 0.79298641, "b": 2.4261576}
WALKTHROUGH_PARETO = {"r": 0.55336752, "alpha": 10.57951988, "s": 0.60590481, "beta": 11.6579265}


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


def one(x: float, t_x: float, age: float, rows: int = 1) -> Visits:
    return Visits(np.full(rows, float(x)), np.full(rows, float(t_x)), np.full(rows, float(age)), np.ones(rows))


def test_the_bg_nbd_of_the_paper(ways: Visits, fitted: dict[str, Fit]) -> None:
    found = fitted["bg"]
    precise = {"r": 0.2425945, "alpha": 4.4136019, "a": 0.7929199, "b": 2.4258881}
    assert {name: round(value, 3) for name, value in found.parameters.items()} == PAPER
    assert found.parameters == pytest.approx(precise, abs=2e-5)
    # The printed ones stopped a little before the peak, as BTYD's did.
    assert found.log_likelihood >= BgNbd(ways).likelihood(np.array(list(precise.values())))[0]
    assert round(found.log_likelihood, 1) == -9582.4
    assert round(found.log_likelihood, 3) == -9582.429
    assert found.warnings == ()
    assert found.starts == (4, 4)


def test_the_mbg_nbd_of_the_package(fitted: dict[str, Fit]) -> None:
    assert {name: round(value, 3) for name, value in fitted["mbg"].parameters.items()} == {
        "r": 0.525, "alpha": 6.183, "a": 0.891, "b": 1.614,
    }  # fmt: skip


def test_the_pareto_nbd_of_the_paper(ways: Visits, fitted: dict[str, Fit]) -> None:
    found = fitted["pareto"]
    assert {name: round(value, 3) for name, value in found.parameters.items()} == {
        "r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669,
    }  # fmt: skip
    assert round(found.log_likelihood, 3) == -9594.976
    # CLVTools prints its own stop, r = 0.55315, a little before the peak, and the errors there.
    printed = np.array([0.55315, 10.57633, 0.60625, 11.6715])
    assert found.log_likelihood - ParetoNbd(ways).likelihood(printed)[0] == pytest.approx(0, abs=1e-4)
    errors = {"r": 0.0476264, "alpha": 0.8427222, "s": 0.1872594, "beta": 6.2105448}
    assert found.errors == pytest.approx(errors, rel=2e-4)


def test_gamma_gamma_of_the_note() -> None:
    again = summary().filter((pl.col("x") > 0) & (pl.col("repeat_value") > 0))
    assert len(again) == 946
    x = again["x"].to_numpy().astype(float)
    model = GammaGamma(x, again["repeat_value"].to_numpy() / x, np.ones(len(x)))
    found = fit(model)
    assert {name: round(value, 2) for name, value in found.parameters.items()} == {"p": 6.25, "q": 3.74, "gamma": 15.44}
    assert round(found.log_likelihood, 4) == -4055.9177
    assert round(float(model.mean()), 4) == 35.0778
    printed = {"p": 6.25, "q": 3.74, "gamma": 15.44}
    everybody = GammaGamma.expected(printed, np.zeros(1), np.zeros(1))[0]
    assert round(everybody, 3) == 35.219
    everybody = summary().sort("customer_id").head(10)
    x, value = everybody["x"].to_numpy().astype(float), everybody["repeat_value"].to_numpy()
    told = GammaGamma.expected(found.parameters, np.where(value > 0, x, 0.0), value / np.maximum(x, 1))
    assert_allclose(told, [24.65, 18.91, 35.17, 35.17, 35.17, 71.46, 18.91, 35.17, 27.28, 35.17], atol=5.1e-3)


def test_what_is_expected_of_customer_1516() -> None:
    model = BgNbd(one(26, 30 + 6 / 7, 31))
    assert round(model.expected(WALKTHROUGH, 52.0)[0], 5) == 25.75659
    assert round(model.alive(WALKTHROUGH)[0], 7) == 0.9688523
    pareto = ParetoNbd(one(26, 30 + 6 / 7, 31))
    assert round(pareto.expected(WALKTHROUGH_PARETO, 52.0)[0], 5) == 25.45647
    assert round(pareto.alive(WALKTHROUGH_PARETO)[0], 6) == 0.997874


def test_the_spreadsheet_of_hardie() -> None:
    assert round(BgNbd(one(2, 30.43, 38.86)).expected(PAPER, 39.0)[0], 3) == 1.226


def test_who_bought_more_and_stayed_away_is_worth_less() -> None:
    bg = [BgNbd(one(x, 20, 39)).expected(WALKTHROUGH, 52.0)[0] for x in (10, 15, 20, 25)]
    assert [float(f"{each:.7g}") for each in bg] == [0.3474606, 0.04283391, 0.004158973, 0.0003583685]
    pareto = [ParetoNbd(one(x, 20, 39)).expected(WALKTHROUGH_PARETO, 52.0)[0] for x in (10, 15, 20, 25)]
    assert [round(each, 8) for each in pareto] == [0.7062289, 0.1442396, 0.02250658, 0.00309267]


def test_what_is_expected_of_anybody_from_the_start(fitted: dict[str, Fit]) -> None:
    times = np.array([0.1429, 1, 3, 31.8571, 32])
    assert [round(each, 4) for each in BgNbd.expected_from_start(WALKTHROUGH, times)] == PRINTED[:5]
    # The spreadsheet's last value is 0.0003 below the formula; all others agree to the last digit.
    assert BgNbd.expected_from_start(WALKTHROUGH, np.array([78.0]))[0] == pytest.approx(PRINTED[5], abs=4e-4)
    assert round(BgNbd.expected_from_start(WALKTHROUGH, np.array([52.0]))[0], 6) == 1.444004
    found = ParetoNbd.expected_from_start(fitted["pareto"].parameters, np.array([52.0]))[0]
    assert round(found, 6) == 1.473434


def test_the_example_of_the_manual_of_btyd() -> None:
    """It is from parameters of its own, not from those of CDNOW."""
    example = {"r": 0.55, "alpha": 10.56, "s": 0.61, "beta": 11.64}
    printed = [
        0.0, 0.05077821, 0.09916088, 0.14542507, 0.1897993, 0.23247466, 0.27361274, 0.31335159, 0.35181024, 0.38909211,
    ]  # fmt: skip
    assert [round(each, 8) for each in ParetoNbd.expected_from_start(example, np.arange(10.0))] == printed


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


@pytest.mark.parametrize("model", [BgNbd, MbgNbd, ParetoNbd])
def test_gradients_are_those_of_differences(ways: Visits, model: type[BgNbd | ParetoNbd]) -> None:
    made, chance = model(ways), np.random.default_rng(5)
    for _ in range(15):
        at = np.exp(chance.uniform([-2, 0, -2, 0], [1.5, 3.5, 1.5, 3.5]))
        steps = 1e-5 * np.diag(at)
        differences = [
            (made.likelihood(at + step)[0] - made.likelihood(at - step)[0]) / (2 * step.max()) for step in steps
        ]
        gradient = made.likelihood(at)[1] * at
        assert_allclose(gradient, differences * at, rtol=1e-6, atol=1e-6 * np.abs(gradient).max())


def test_the_likelihood_of_the_pareto_nbd_is_that_with_2f1() -> None:
    chance = np.random.default_rng(6)
    x = chance.choice([0.0, 1, 2, 5, 20, 60], 200)
    age = chance.uniform(20, 100, 200)
    last = np.where(x > 0, age * chance.uniform(0.1, 0.95, 200), 0.0)
    seen = Visits(x, last, age, np.ones(200))
    for _ in range(20):
        r, alpha, s, beta = at = np.exp(chance.uniform([-2, 0, -2, 0], [1.5, 4, 1.5, 4]))
        larger, apart, power = max(alpha, beta), abs(alpha - beta), r + s + x
        of = s + 1 if alpha >= beta else r + x
        early, late = (
            hyp2f1(power, of, power + 1, apart / (larger + time)) / (larger + time) ** power for time in (last, age)
        )
        alive = (alpha + age) ** -(r + x) * (beta + age) ** -s
        each = gammaln(r + x) - gammaln(r) + r * np.log(alpha) + s * np.log(beta)
        assert ParetoNbd(seen).likelihood(at)[0] == pytest.approx(
            np.sum(each + np.log(alive + s / power * (early - late))), rel=1e-9
        )


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


MODELS: dict[str, tuple[type[BgNbd | ParetoNbd], dict[str, float]]] = {
    "bg": (BgNbd, PAPER),
    "mbg": (MbgNbd, {"r": 0.525, "alpha": 6.183, "a": 0.891, "b": 1.614}),
    "pareto": (ParetoNbd, {"r": 0.553, "alpha": 10.578, "s": 0.606, "beta": 11.669}),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("horizon", [1.0, 52.0, 520.0])
def test_what_is_expected_is_the_sum_of_the_chances_to_reach_each_number(name: str, horizon: float) -> None:
    kind, parameters = MODELS[name]
    seen = Visits(np.array([0.0, 1, 3, 12]), np.array([0.0, 3, 30, 38]), np.array([39.0, 5, 39, 39]), np.ones(4))
    model = kind(seen)
    numbers = np.arange(1.0, 3000.0)
    rows = [
        model_of.at_least(parameters, numbers, horizon).sum()
        for model_of in (kind(one(seen.x[row], seen.t_x[row], seen.T[row], len(numbers))) for row in range(4))
    ]
    assert_allclose(rows, model.expected(parameters, horizon), rtol=2e-3 if name == "pareto" else 1e-6)
    assert_allclose(model.at_least(parameters, np.ones(4), horizon), model.any_in(parameters, horizon), rtol=1e-9)


@pytest.mark.parametrize("near", [1.0, 1 - 1e-12, 1 + 1e-9])
def test_there_is_no_hole_where_the_formulas_divide_by_zero(near: float) -> None:
    for name, (kind, parameters) in MODELS.items():
        at, below, above = ({**parameters, "s" if name == "pareto" else "a": one} for one in (near, 0.999, 1.001))
        model = kind(one(4, 20, 30))
        found, least, most = (model.expected(each, 52.0)[0] for each in (at, above, below))
        assert least < found < most
        found, least, most = (kind.expected_from_start(each, np.array([52.0]))[0] for each in (at, above, below))
        assert least < found < most


def test_large_counts_stay_finite() -> None:
    """From a hundred purchases on the formula in print overflows over a long horizon."""
    seen = Visits(
        np.array([101.0, 500, 3000, 3649, 100]),
        np.array([99.0, 99, 100, 521.28, 15]),
        np.array([100.0, 100, 100, 521.28, 15]),
        np.ones(5),
    )
    for kind, parameters in MODELS.values():
        model = kind(seen)
        value, gradient = model.likelihood(np.array(list(parameters.values())))
        assert np.isfinite(value)
        assert np.isfinite(gradient).all()
        for horizon in (0.15, 52.0, 521.0):
            told = model.expected(parameters, horizon)
            assert np.isfinite(told).all()
            assert (told > 0).all()
            # Nobody buys at more than the present rate.
            assert (told <= 1.001 * (seen.x + 3) / seen.T * horizon).all()
            assert ((model.any_in(parameters, horizon) > 0) & (model.any_in(parameters, horizon) <= 1)).all()


def test_a_fit_of_many_accounts_begins_with_some_of_them() -> None:
    """As many as are tried on are the same as all; of more, all have the last word."""
    chance = np.random.default_rng(2)
    age = chance.integers(200, 400, 120_000) / 7
    leaves = chance.geometric(chance.beta(0.8, 5.0, len(age)))
    x = np.minimum(chance.poisson(chance.gamma(0.8, 0.25, len(age)) * age), leaves).astype(float)
    last = np.where(x > 0, np.floor(7 * age * chance.random(len(age)) ** (1 / np.maximum(x, 1))) / 7, 0.0)
    seen = Visits(x, last, age, np.ones(len(age)))
    some = seen.sample(50_000)
    assert some.accounts.sum() == 50_000
    assert seen.sample(10**6).accounts.sum() == len(age)
    all_of_them, tried = fit(BgNbd(seen)), fit(BgNbd(some))
    assert_allclose(BgNbd(seen).likelihood(np.array(list(all_of_them.parameters.values())))[1], 0, atol=0.5)
    assert all_of_them.parameters != tried.parameters
    assert all_of_them.starts == (4, 4)
    for name, error in all_of_them.errors.items():
        wide = tried.errors[name]
        assert error is not None
        assert wide is not None
        assert error < wide
        assert abs(all_of_them.parameters[name] - tried.parameters[name]) < 4 * wide


def made_up(name: str, accounts: int, seed: int) -> tuple[Visits, NDArray[np.float64]]:
    """Return visits over 40 weeks and the purchases of the 40 weeks after, drawn one by one as the model tells it."""
    chance, parameters = np.random.default_rng(seed), MODELS[name][1]
    now, end = 40.0, 80.0
    rows, later = [], []
    for _ in range(accounts):
        rate = chance.gamma(parameters["r"], 1 / parameters["alpha"])
        if name == "pareto":
            left, life = 10**9, chance.exponential(parameters["beta"] / chance.gamma(parameters["s"]))
        else:
            left, life = chance.geometric(chance.beta(parameters["a"], parameters["b"])), end
            left -= name == "mbg"
        times = np.cumsum(chance.exponential(1 / rate, 20 + int(end * rate * 3)))[:left]
        times = times[times < min(end, life)]
        before = times[times <= now]
        rows.append((len(before), before[-1] if len(before) else 0.0))
        later.append(len(times) - len(before))
    x, last = (np.array(column, float) for column in zip(*rows, strict=True))
    return Visits(x, last, np.full(accounts, now), np.ones(accounts)), np.array(later, float)


@pytest.mark.parametrize("name", MODELS)
def test_chances_and_intervals_hold_for_customers_that_behave_as_the_model_says(name: str) -> None:
    seen, came = made_up(name, 6000, seed=11)
    kind, parameters = MODELS[name]
    model = kind(seen)
    rows = len(came)
    for number in (1.0, 2.0, 5.0):
        told = model.at_least(parameters, np.full(rows, number), 40.0)
        spread = np.sqrt(np.sum(told * (1 - told)))
        assert abs(told.sum() - (came >= number).sum()) < 4 * spread
    assert model.expected(parameters, 40.0).sum() == pytest.approx(came.sum(), rel=0.1)
    for level in (0.1, 0.5, 0.9, 0.975):
        bound = least_reached(lambda n: model.at_least(parameters, n, 40.0), level, rows)
        at, above = (model.at_least(parameters, n, 40.0) for n in (np.maximum(bound, 1), bound + 1))
        assert (above <= 1 - level + 1e-12).all()
        assert (at[bound > 0] > 1 - level).all()
        # Numbers are whole, so that a bound keeps its promise and more, by what it would fall short of one less.
        share = (1 - above).mean()
        assert share >= level
        assert (came <= bound).mean() == pytest.approx(share, abs=0.02)


def test_numbers_at_ones_own_rate_are_negative_binomial() -> None:
    shape, mean = np.array([1.0, 5.0, 40.0]), np.array([0.3, 5.0, 60.0])
    for level in (0.1, 0.9):
        found = least_reached(lambda n: at_own_rate(n, shape, mean), level, 3)
        assert_allclose(found, nbinom.ppf(level, shape, shape / (shape + mean)))
    assert (least_reached(lambda n: at_own_rate(n, shape, 0 * mean), 0.9, 3) == 0).all()
