"""The chance of another purchase, by several scorers, each tried on the past before one of them is believed.

The back-test goes back by the horizon: every scorer sees what was known then, and is measured by who bought since. Its
AUC is the chance that of two customers, one of whom bought, the buyer has the higher score, ties counting half
(Hanley & McNeil 1982, "The meaning and use of the area under a receiver operating characteristic (ROC) curve",
Radiology 143(1), 29-36). Scores become chances by tenths of the customers of the back-test with equal scores together:
the share of buyers of the tenth in which a score falls. The Brier score is the mean square of chance less outcome
(Brier 1950, "Verification of Forecasts Expressed in Terms of Probability", Monthly Weather Review 78(1), 1-3).

Chances are tried as they are used: what the back-test foretells is told by the tenths of the time before it, which is
as long again. Told by its own tenths it would always be right. Where the history does not go back so far, only the
order of scores is tried.

The chance that somebody is alive is among the scorers to be compared with: in the BG/NBD everybody who bought once is
surely alive, and it ranks worse than a coin.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import narwhals as nw
import numpy as np
import polars as pl

from stampbook import BgNbd, MbgNbd, ParetoNbd, distinct_visits, fit, usual_gaps, visits

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from numpy.typing import NDArray

    from stampbook_churn.config import ChurnConfig

    Array = NDArray[np.float64]

_MODELS: Final[dict[str, type[BgNbd | ParetoNbd]]] = {"bg_nbd": BgNbd, "mbg_nbd": MbgNbd, "pareto_nbd": ParetoNbd}
_LEAST_ACCOUNTS: Final = 30
_LEAST_AGAIN: Final = 10
_DIGITS: Final = 6
_TENTHS: Final = 10
_CURVE: Final = 50


class _Seen(NamedTuple):
    """One row an account, sorted: what it did, and what every scorer says of it, more being better."""

    frame: pl.DataFrame
    scores: Mapping[str, Array]
    warnings: list[str]


def segment(history: nw.LazyFrame[Any], at: datetime, config: ChurnConfig) -> tuple[nw.LazyFrame[Any], dict[str, Any]]:
    """Return the level of every account with a row up to an instant, and the back-test."""
    now = _scored(history, at, config)
    then = _scored(history, at - timedelta(days=config.horizon_days), config)
    found: dict[str, Any] = {"model": config.model, "warnings": now.warnings}
    before = _scored(history, at - timedelta(days=2 * config.horizon_days), config)
    chances = _chances(before, then, now, config, found)
    shares = [float(level.rstrip("%")) / 100 for level in config.levels]
    named = np.array(config.names)[np.sum(chances[:, None] < np.array(shares)[None, :], axis=1)] if len(chances) else []
    told = now.frame.select("account", "days_since", "usual_gap").with_columns(
        segment=pl.Series(named, dtype=pl.String), p_buy=pl.Series(np.round(chances, _DIGITS), dtype=pl.Float64)
    )
    everyone = history.filter(nw.col("at") <= at).group_by("account").agg(_rows=nw.len()).select("account")
    refs: pl.DataFrame = everyone.collect("polars").to_native()
    result = refs.join(told, on="account", how="left").with_columns(pl.col("segment").fill_null(config.none))
    return nw.from_native(result.select("account", "segment", "p_buy", "days_since", "usual_gap").lazy()), found


def _scored(history: nw.LazyFrame[Any], at: datetime, config: ChurnConfig) -> _Seen:
    frame: pl.DataFrame = visits(history, at).collect("polars").to_native().sort("account")
    own, of_all = usual_gaps(history, at, float(config.cover.rstrip("%")) / 100, config.least_gaps)
    frame = (
        frame.join(own, on="account", how="left")
        .sort("account")
        .with_columns(days_since=pl.col("T") - pl.col("t_x"), usual_gap=pl.coalesce("gap", pl.lit(of_all, pl.Int64)))
    )
    since = frame["days_since"].to_numpy().astype(np.float64)
    gap = frame["usual_gap"].fill_null(1).to_numpy().astype(np.float64)
    scores: dict[str, Array] = {
        "recency": -since,
        "own_gap": -since / np.maximum(gap, 1.0),
        "population_gap": -since / max(float(of_all or 1), 1.0),
    }
    modelled, warnings = _modelled(frame, config)
    return _Seen(frame, {**modelled, **scores}, warnings)


def _modelled(frame: pl.DataFrame, config: ChurnConfig) -> tuple[dict[str, Array], list[str]]:
    """Return what the model says of each account, or why it cannot be asked."""
    again = int((frame["x"] > 0).sum())
    if len(frame) < _LEAST_ACCOUNTS or again < _LEAST_AGAIN:
        return {}, [f"{len(frame)} accounts, {again} of which came again, are too few to fit a model to"]
    ways, seen = distinct_visits(frame, config.unit_days)
    model = _MODELS[config.model](seen)
    fitted = fit(model)
    if fitted.warnings:
        return {}, [*fitted.warnings, "so the model is not asked"]
    horizon = config.horizon_days / config.unit_days
    said = ways.with_columns(
        model=pl.Series(model.any_in(fitted.parameters, horizon)),
        expected=pl.Series(model.expected(fitted.parameters, horizon)),
        alive=pl.Series(model.alive(fitted.parameters)),
    )
    told = frame.select("account", "x", "t_x", "T").join(said, on=["x", "t_x", "T"], how="left").sort("account")
    return {name: np.round(told[name].to_numpy().astype(np.float64), 9) for name in ("model", "expected", "alive")}, []


def _outcome(then: pl.DataFrame, now: pl.DataFrame) -> Array:
    """Return 1 for accounts of then that bought since, and 0 for the others."""
    later = now.select("account", later="x")
    both = then.join(later, on="account", how="left").sort("account")
    return np.asarray((both["later"].fill_null(0) > both["x"]).to_numpy().astype(np.float64))


def _chances(before: _Seen, then: _Seen, now: _Seen, config: ChurnConfig, found: dict[str, Any]) -> Array:
    """Choose a scorer by the back-test, and return the chance of a purchase of every account."""
    outcome, earlier = _outcome(then.frame, now.frame), _outcome(before.frame, then.frame)
    names = [name for name in now.scores if name in then.scores]
    if config.choose != "best" and config.choose not in names:
        found["warnings"].append(f"{config.choose} cannot tell here; the best of the others does")
    if not 0 < outcome.sum() < len(outcome):
        found["warnings"].append("there is no back-test: of those who were there before, nobody or everybody bought")
        name = "model" if "model" in now.scores else "recency"
        rate = float(outcome.mean()) if len(outcome) else 0.0
        return now.scores["model"] if name == "model" else np.full(len(now.frame), rate)
    learnt = before.scores if 0 < earlier.sum() < len(earlier) else {}
    tried = {
        name: _Tried(
            then.scores[name],
            outcome,
            is_chance=name == "model",
            earlier=_Tenths(learnt[name], earlier) if name in learnt else None,
        )
        for name in names
    }
    best = max(tried, key=lambda name: (round(tried[name].auc, _DIGITS), -names.index(name)))
    chosen = config.choose if config.choose in tried else best
    if tried[chosen].brier is None:
        days = 2 * config.horizon_days
        found["warnings"].append(
            f"only the order of scores was tried, not the chances: {chosen} could tell nothing {days} days ago"
        )
    found["backtest"] = {
        "days": config.horizon_days,
        "accounts": len(outcome),
        "bought": int(outcome.sum()),
        "scorers": [
            {
                "name": name,
                "auc": round(each.auc, 4),
                "brier": None if each.brier is None else round(each.brier, 4),
                "chosen": name == chosen,
            }
            for name, each in tried.items()
        ],
        "calibration": tried[chosen].calibration(),
        "roc": tried[chosen].curve(),
    }
    if chosen == "model":
        return now.scores[chosen]
    return _Tenths(then.scores[chosen], outcome).chance(now.scores[chosen])


class _Tenths:
    """The share of buyers in each tenth of the customers by a score, equal scores together."""

    def __init__(self, scores: Array, outcome: Array) -> None:
        values, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
        bought = np.bincount(places, weights=outcome, minlength=len(values))
        tenth = np.minimum((np.cumsum(counts) - 1) * _TENTHS // len(outcome), _TENTHS - 1)
        known = np.unique(tenth)
        self.of_account: Array = tenth[places]
        self._tops: Array = np.array([values[tenth == each].max() for each in known])
        self._rates: Array = np.array([bought[tenth == each].sum() / counts[tenth == each].sum() for each in known])

    def chance(self, scores: Array) -> Array:
        """Return what scores mean, as those here had come out."""
        return np.asarray(self._rates[np.minimum(np.searchsorted(self._tops, scores), len(self._tops) - 1)])


class _Tried:
    """A scorer as it did in the back-test.

    Attributes:
        auc: the area under its curve.
        brier: the mean square of its chances less what came; None where nothing told chances before.
    """

    def __init__(self, scores: Array, outcome: Array, *, is_chance: bool, earlier: _Tenths | None = None) -> None:
        self._scores, self._outcome = scores, outcome
        values, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
        bought = np.bincount(places, weights=outcome, minlength=len(values))
        below = np.concatenate([[0.0], np.cumsum(counts - bought)[:-1]])
        total, buyers = float(len(outcome)), float(outcome.sum())
        self.auc = float(np.dot(bought, below + (counts - bought) / 2) / (buyers * (total - buyers)))
        self._foretold = scores if is_chance else None if earlier is None else earlier.chance(scores)
        self.brier = None if self._foretold is None else float(np.mean((self._foretold - outcome) ** 2))

    def calibration(self) -> list[dict[str, Any]]:
        """Return by tenths of the customers what was predicted and what came; nothing where nothing was predicted."""
        if self._foretold is None:
            return []
        tenth = _Tenths(self._scores, self._outcome).of_account
        return [
            {
                "decile": int(each) + 1,
                "accounts": int(np.sum(tenth == each)),
                "predicted": round(float(self._foretold[tenth == each].mean()), 4),
                "actual": round(float(self._outcome[tenth == each].mean()), 4),
            }
            for each in np.unique(tenth)
        ]

    def curve(self) -> list[list[float]]:
        """Return points of the curve: the shares of others and of buyers that are told, from the highest score down."""
        values, places, counts = np.unique(-self._scores, return_inverse=True, return_counts=True)
        bought = np.cumsum(np.bincount(places, weights=self._outcome, minlength=len(values)))
        others = np.cumsum(counts) - bought
        shown = np.unique(np.linspace(0, len(values) - 1, _CURVE).round().astype(int))
        points = [[float(others[each] / others[-1]), float(bought[each] / bought[-1])] for each in shown]
        return [[0.0, 0.0], *([round(one, 4), round(two, 4)] for one, two in points)]
