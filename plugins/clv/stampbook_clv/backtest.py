"""How far a model comes true: it is fitted to what was known before, and compared with what came."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

import polars as pl

from stampbook import bought_since, visits
from stampbook_clv.models import Buying

if TYPE_CHECKING:
    from datetime import datetime

    import narwhals as nw

    from stampbook_clv.config import ClvConfig

_MOST_SHOWN: Final = 7
_DIGITS: Final = 6


def holdout(
    history: nw.LazyFrame[Any], at: datetime, since: datetime | None, known_days: int, config: ClvConfig
) -> dict[str, Any]:
    """Return what was predicted of the last days and what came, by x; empty where the history is too short.

    What came are days with a purchase of which something is kept by now. The fit sees nothing of these days.
    """
    days = config.holdout_days
    if known_days < 3 * days:
        return {}
    before: pl.DataFrame = visits(history, at - timedelta(days=days), since=since).collect("polars").to_native()
    if before.is_empty():
        return {}
    plain = config.model_copy(update={"horizon_days": days, "discount": "0%", "fallback": "rate"})
    found: dict[str, Any] = {"warnings": [], "notes": []}
    told = Buying(before, plain, found)
    since_then: pl.DataFrame = bought_since(history, at, days).collect("polars").to_native()
    compared = (
        before.join(since_then, on="account", how="left")
        .join(told.expected_by_way(), on=["x", "t_x", "T"], how="left")
        .group_by(frequency=pl.col("x").clip(upper_bound=_MOST_SHOWN))
        .agg(
            accounts=pl.len(),
            predicted=pl.col("expected").mean().round(_DIGITS),
            actual=pl.col("came").fill_null(0).mean().round(_DIGITS),
        )
        .sort("frequency")
    )
    predicted, actual = ((compared[name] * compared["accounts"]).sum() for name in ("predicted", "actual"))
    return {
        "days": days,
        "predicted": round(predicted, 2),
        "actual": round(actual, 2),
        "most": _MOST_SHOWN,
        "by_frequency": compared.to_dicts(),
        "warnings": found["warnings"],
    }


def factor(tested: dict[str, Any], warnings: list[str]) -> float:
    """Return by what the expected purchases are to be multiplied; 1, with a warning, where the holdout cannot tell."""
    if not tested:
        warnings.append("nothing is calibrated: the history is less than three times as long as holdout_days")
    elif tested["warnings"]:
        warnings.append("nothing is calibrated: no model could be fitted to what was known before the holdout")
    elif not (tested["predicted"] > 0 and tested["actual"] > 0):
        warnings.append("nothing is calibrated: no purchases were expected, or none came, in the holdout")
    else:
        return float(tested["actual"] / tested["predicted"])
    return 1.0
