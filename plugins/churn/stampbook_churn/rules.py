"""The chance of another purchase, by several scorers, each tried on the past before one of them is believed.

The back-test goes back by the horizon: every scorer sees what was known then, and is measured by who bought since and
kept something of it. Returns of older purchases do not matter.

The chance that somebody is alive is among the scorers to be compared with: in the BG/NBD everybody who bought once is
surely alive, and it ranks worse than a coin.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import narwhals as nw
import numpy as np
import polars as pl

from stampbook import BgNbd, MbgNbd, ParetoNbd, bought_since, distinct_visits, fit, usual_gaps, visits
from stampbook_churn.backtest import Tried

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
_FEW: Final = 10


class _Seen(NamedTuple):
    """One row an account, sorted: what it did, and what every scorer says of it, more being better."""

    frame: pl.DataFrame
    scores: Mapping[str, Array]
    warnings: list[str]


def segment(history: nw.LazyFrame[Any], at: datetime, config: ChurnConfig) -> tuple[nw.LazyFrame[Any], dict[str, Any]]:
    """Return the level of every account with a row up to an instant, and the back-test."""
    now = _scored(history, at, config)
    then = _scored(history, at - timedelta(days=config.horizon_days), config)
    came: pl.DataFrame = bought_since(history, at, config.horizon_days).collect("polars").to_native()
    both = then.frame.select("account").join(came, on="account", how="left").sort("account")
    outcome = (both["came"].fill_null(0) > 0).to_numpy().astype(np.float64)
    warnings = [*now.warnings, *(f"in the back-test, {each}" for each in then.warnings if not now.warnings)]
    found: dict[str, Any] = {"model": config.model, "warnings": warnings}
    chances = _chances(now, then, outcome, config, found)
    shares = [float(level.rstrip("%")) / 100 for level in config.levels]
    if chances is None:
        named, chances = [config.unknown] * len(now.frame), np.full(len(now.frame), np.nan)
    else:
        chances = np.round(chances, _DIGITS)
        named = [config.names[place] for place in np.sum(chances[:, None] < np.array(shares)[None, :], axis=1)]
    told = now.frame.select("account", "days_since", "usual_gap").with_columns(
        segment=pl.Series(named, dtype=pl.String), p_buy=pl.Series(chances, dtype=pl.Float64).fill_nan(None)
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


def _chances(now: _Seen, then: _Seen, outcome: Array, config: ChurnConfig, found: dict[str, Any]) -> Array | None:
    """Choose a scorer by the back-test, and return the chance of a purchase of every account; None if nothing tells."""
    names = [name for name in now.scores if name in then.scores]
    if config.choose != "best" and config.choose not in names:
        found["warnings"].append(f"{config.choose} cannot tell here; the best of the others does")
    if not 0 < outcome.sum() < len(outcome):
        return _without(now, outcome, config, found["warnings"])
    if min(outcome.sum(), len(outcome) - outcome.sum()) < _FEW:
        found["warnings"].append(
            f"the back-test is of {len(outcome)} accounts, {outcome.sum():.0f} of which bought: too few to choose by"
        )
    tried = {name: Tried(then.scores[name], outcome, is_chance=name == "model") for name in names}
    best = max(tried, key=lambda name: (round(tried[name].auc, _DIGITS), -names.index(name)))
    chosen = config.choose if config.choose in tried else best
    found["backtest"] = {
        "days": config.horizon_days,
        "accounts": len(outcome),
        "bought": int(outcome.sum()),
        "scorers": [
            {"name": name, "auc": round(each.auc, 4), "brier": round(each.brier, 4), "chosen": name == chosen}
            for name, each in tried.items()
        ],
        "calibration": tried[chosen].calibration(),
        "roc": tried[chosen].curve(),
    }
    return tried[chosen].chance(now.scores[chosen])


def _without(now: _Seen, outcome: Array, config: ChurnConfig, warnings: list[str]) -> Array | None:
    """Return chances without a back-test: the model's, or else that of all, or none."""
    many, bought = len(outcome), float(outcome.sum())
    if not many:
        warnings.append(f"there is no back-test: nothing is known of {config.horizon_days} days ago")
    else:
        warnings.append(f"there is no back-test: of {many} accounts known before, {bought:.0f} bought since")
    if "model" in now.scores:
        warnings.append("so the model tells, untried")
        return now.scores["model"]
    if not many:
        warnings.append(f"so nothing tells who will buy, and everybody is {config.unknown}")
        return None
    rate = (bought + 1) / (many + 2)
    warnings.append(f"so everybody has the chance of all, {rate:.2f}")
    return np.full(len(now.frame), rate)
