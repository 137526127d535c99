"""What is expected of customers: models fitted to a population, and what they say of each way to have bought.

Accounts with equal x, t_x, T and repeat value always get equal answers: models are fitted to counts of the different
ways to have bought, in sorted order, and what they say is rounded to six digits before anything is compared.

The value of an account is its expected purchases times the expected value of one, times the margin. With a discount d
a year, the purchases expected in each step of 30 days are worth 1/(1+d)^(days to the middle of the step / 365).

The interval is that of a mixture: with 1 - P(alive) nothing comes; else a negative binomial number of purchases with
shape r + x (x + 1 without a model) and the expected number as its mean. So drop-out within the horizon lowers the mean
and does not widen the interval, and the value of one purchase counts as known.
"""

from __future__ import annotations

from datetime import timedelta
from fractions import Fraction
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import narwhals as nw
import numpy as np
import polars as pl

from stampbook import (
    BgNbd,
    GammaGamma,
    MbgNbd,
    ParetoNbd,
    PluginError,
    by_borders,
    distinct_visits,
    fit,
    standing,
    top_class,
    visits,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from numpy.typing import NDArray

    from stampbook import Visits
    from stampbook_clv.config import ClvConfig

    Array = NDArray[np.float64]

_MODELS: Final[dict[str, type[BgNbd | ParetoNbd]]] = {"bg_nbd": BgNbd, "mbg_nbd": MbgNbd, "pareto_nbd": ParetoNbd}
_LEAST_ACCOUNTS: Final = 30
_LEAST_AGAIN: Final = 10
_CORRELATED: Final = 0.3
_STEP_DAYS: Final = 30
_YEAR_DAYS: Final = 365
_MOST_SHOWN: Final = 7
_DIGITS: Final = 6


def segment(
    history: nw.LazyFrame[Any],
    at: datetime,
    *,
    since: datetime | None,
    config: ClvConfig,
    amounts: Sequence[int],
) -> tuple[nw.LazyFrame[Any], dict[str, Any]]:
    """Return what is expected of every account with a row up to an instant, and what was found out on the way."""
    seen: pl.DataFrame = visits(history, at, since=since).collect("polars").to_native()
    told = _Expectation(seen, config)
    found = told.found
    if config.holdout_days:
        found["holdout"] = _holdout(history, at, since, seen, config)
        if config.calibrate and found["holdout"]:
            told.scale(found["holdout"]["actual"] / found["holdout"]["predicted"])
    frame = told.valued()
    everyone = history.filter(nw.col("at") <= at).group_by("account").agg(_rows=nw.len()).select("account")
    refs: pl.DataFrame = everyone.collect("polars").to_native()
    known = nw.from_native(frame.lazy())
    if amounts:
        named = known.with_columns(segment=by_borders(nw.col("expected_value"), amounts, config.names))
    else:
        ends = list(accumulate(Fraction(share.rstrip("%")) / 100 for share in config.shares))
        placed = standing(known, "expected_value")
        named = placed.with_columns(segment=top_class(nw.col("better"), nw.col("n"), ends, config.names))
    columns = ("expected_purchases", "expected_value", "low", "high", "p_alive", "x", "days_since", "days_known")
    result = nw.from_native(refs.lazy()).join(named.select("account", "segment", *columns), on="account", how="left")
    return result.with_columns(nw.col("segment").fill_null(config.none)).select("account", "segment", *columns), found


class _Fitted(NamedTuple):
    """What a model says of each way to have bought: alive, expected purchases, and the shape of their number."""

    alive: Array
    expected: Array
    shape: Array


class _Expectation:
    """Models fitted to a population.

    Attributes:
        found: parameters, errors and warnings as plain JSON.
    """

    def __init__(self, seen: pl.DataFrame, config: ClvConfig) -> None:
        self._seen, self._config = seen, config
        self.found: dict[str, Any] = {
            "model": config.model,
            "horizon_days": config.horizon_days,
            "accounts": len(seen),
            "warnings": [],
        }
        self._ways, ways = distinct_visits(seen, config.unit_days)
        self._said = self._buying(ways)
        self._value = self._worth()
        self._scale = 1.0

    def scale(self, factor: float) -> None:
        """Multiply what is expected."""
        self._scale = factor
        self.found["calibrated_by"] = round(factor, _DIGITS)

    def _buying(self, ways: Visits) -> _Fitted:
        config, horizon = self._config, self._config.horizon_days / self._config.unit_days
        trouble = self._trouble(ways)
        if not trouble:
            model = _MODELS[config.model](ways)
            fitted = fit(model)
            self.found["fit"] = fitted.to_plain()
            trouble = list(fitted.warnings)
            if not trouble:
                expected = self._discounted(model, fitted.parameters, horizon)
                return _Fitted(model.alive(fitted.parameters), expected, fitted.parameters["r"] + ways.x)
        if config.fallback == "refuse":
            message = f"no model can be fitted: {'; '.join(trouble)}; write fallback = 'rate' to let own rates go on"
            raise PluginError(message)
        self.found["warnings"] += [*trouble, "so everybody's own rate of purchases so far is taken to go on"]
        rate = np.divide(ways.x, ways.T, out=np.zeros_like(ways.x), where=ways.T > 0)
        return _Fitted(np.ones_like(rate), rate * horizon * self._discount_of_all(), ways.x + 1)

    def _trouble(self, ways: Visits) -> list[str]:
        if len(self._seen) < _LEAST_ACCOUNTS:
            return [f"{len(self._seen)} accounts are too few to fit a model to, {_LEAST_ACCOUNTS} are needed"]
        again = float(np.dot(ways.x > 0, ways.accounts))
        if again < _LEAST_AGAIN:
            return [f"{again:.0f} accounts came again, {_LEAST_AGAIN} are needed to fit a model"]
        return []

    def _steps(self) -> list[tuple[float, float]]:
        """Return the steps of the horizon: when each ends, in days, and what money is worth in its middle."""
        days, rate = self._config.horizon_days, float(self._config.discount.rstrip("%")) / 100
        if not rate:
            return [(float(days), 1.0)]
        ends = [*range(_STEP_DAYS, days, _STEP_DAYS), days]
        middles = [(start + end) / 2 for start, end in zip([0, *ends], ends, strict=False)]
        return [(float(end), (1 + rate) ** (-middle / _YEAR_DAYS)) for end, middle in zip(ends, middles, strict=True)]

    def _discounted(self, model: BgNbd | ParetoNbd, parameters: Mapping[str, float], horizon: float) -> Array:
        steps = self._steps()
        if len(steps) == 1:
            return model.expected(parameters, horizon)
        total, before = np.zeros(len(self._ways)), np.zeros(len(self._ways))
        for end, worth in steps:
            reached = model.expected(parameters, end / self._config.unit_days)
            total += (reached - before) * worth
            before = reached
        return total

    def _discount_of_all(self) -> float:
        steps, before, total = self._steps(), 0.0, 0.0
        for end, worth in steps:
            total += (end - before) * worth
            before = end
        return total / self._config.horizon_days

    def _worth(self) -> pl.DataFrame:
        """Return x, repeat_value and worth: what one purchase is expected to be worth, in minor units."""
        ways = self._seen.group_by("x", "repeat_value").agg(count=pl.len()).sort("x", "repeat_value")
        again = ways.filter((pl.col("x") > 0) & (pl.col("repeat_value") > 0))
        x, count = (again[name].to_numpy().astype(np.float64) for name in ("x", "count"))
        m = again["repeat_value"].to_numpy() / np.maximum(x, 1)
        mean = float(np.dot(m * x, count) / np.dot(x, count)) if len(again) else 0.0
        told = ways.with_columns(
            worth=pl.when((pl.col("x") > 0) & (pl.col("repeat_value") > 0))
            .then(pl.col("repeat_value") / pl.col("x"))
            .otherwise(pl.lit(mean))
        )
        if self._config.value == "mean" or count.sum() < _LEAST_AGAIN:
            return told.drop("count")
        model = GammaGamma(x, m, count)
        fitted = fit(model)
        self.found["value"] = {**fitted.to_plain(), "correlation": round(model.correlation(), 4)}
        if abs(model.correlation()) > _CORRELATED:
            self.found["warnings"].append(
                f"how often and how much go together ({model.correlation():.2f}), which the Gamma-Gamma model denies"
            )
        if fitted.warnings:
            self.found["warnings"] += [*fitted.warnings, "so a purchase is taken to be worth one's own mean"]
            return told.drop("count")
        all_x, all_m = ways["x"].to_numpy().astype(np.float64), ways["repeat_value"].to_numpy().astype(np.float64)
        paid = np.where(all_m > 0, all_x, 0.0)
        worth = GammaGamma.expected(fitted.parameters, paid, all_m / np.maximum(all_x, 1))
        return ways.with_columns(worth=pl.Series(worth)).drop("count")

    def valued(self) -> pl.DataFrame:
        """Return what is expected of each account, one row an account."""
        from scipy.stats import nbinom

        said, config = self._said, self._config
        expected = np.maximum(said.expected * self._scale, 0.0)
        alive = np.clip(said.alive, 0.0, 1.0)
        mean = np.divide(expected, alive, out=np.zeros_like(expected), where=alive > 0)
        tail = (1 - float(Fraction(config.interval.rstrip("%")) / 100)) / 2
        bounds = []
        for level in (tail, 1 - tail):
            within = np.clip(np.divide(level - (1 - alive), alive, out=np.zeros_like(alive), where=alive > 0), 0.0, 1.0)
            chance = said.shape / (said.shape + np.maximum(mean, 1e-12))
            bounds.append(np.where(within > 0, nbinom.ppf(within, said.shape, chance), 0.0))
        ways = self._ways.drop("count").with_columns(
            expected_purchases=pl.Series(np.round(expected, _DIGITS)),
            p_alive=pl.Series(np.round(alive, _DIGITS)),
            _low=pl.Series(bounds[0]),
            _high=pl.Series(bounds[1]),
        )
        margin = float(config.margin.rstrip("%")) / 100
        one = pl.col("worth").round(_DIGITS) * margin
        money = [
            (pl.col("expected_purchases") * one, "expected_value"),
            (pl.col("_low") * one, "low"),
            (pl.col("_high") * one, "high"),
        ]
        return (
            self._seen.join(ways, on=["x", "t_x", "T"], how="left")
            .join(self._value, on=["x", "repeat_value"], how="left")
            .with_columns(*(amount.round(0).cast(pl.Int64).alias(name) for amount, name in money))
            .with_columns(days_since=pl.col("T") - pl.col("t_x"), days_known=pl.col("T"))
            .drop("_low", "_high", "worth", "repeat_value", "t_x", "T")
        )

    def expected_by_way(self) -> pl.DataFrame:
        """Return x, t_x, T, count and the purchases expected of one such account."""
        return self._ways.with_columns(expected=pl.Series(self._said.expected))


def _holdout(
    history: nw.LazyFrame[Any], at: datetime, since: datetime | None, seen: pl.DataFrame, config: ClvConfig
) -> dict[str, Any]:
    """Fit to what was known before the holdout, and compare with the purchases that came; empty if too little."""
    days = config.holdout_days
    if max(seen["T"].to_list(), default=0) < 3 * days:
        return {}
    then = at - timedelta(days=days)
    before: pl.DataFrame = visits(history, then, since=since).collect("polars").to_native()
    plain = config.model_copy(update={"horizon_days": days, "discount": "0%", "fallback": "rate", "value": "mean"})
    if before.is_empty():
        return {}
    told = _Expectation(before, plain)
    came = before.join(seen.select("account", now="x"), on="account", how="left").with_columns(
        actual=(pl.col("now").fill_null(pl.col("x")) - pl.col("x")).clip(lower_bound=0)
    )
    compared = (
        came.join(told.expected_by_way().drop("count"), on=["x", "t_x", "T"], how="left")
        .group_by(frequency=pl.col("x").clip(upper_bound=_MOST_SHOWN))
        .agg(accounts=pl.len(), predicted=pl.col("expected").mean(), actual=pl.col("actual").mean())
        .sort("frequency")
    )
    rows = [
        {**row, "predicted": round(row["predicted"], _DIGITS), "actual": round(row["actual"], _DIGITS)}
        for row in compared.to_dicts()
    ]
    predicted = sum(row["predicted"] * row["accounts"] for row in rows)
    actual = sum(row["actual"] * row["accounts"] for row in rows)
    if not predicted:
        return {}
    return {
        "days": days,
        "predicted": round(predicted, 2),
        "actual": round(actual, 2),
        "most": _MOST_SHOWN,
        "by_frequency": rows,
        "warnings": told.found["warnings"],
    }
