"""What one purchase of an account is expected to be worth, net of returns.

A return that names no purchase lowers the value of all that the account bought by the same share. Who gave back all of
it counts with repeat purchases worth nothing, and is left out of the fit, since Gamma-Gamma knows no value of zero.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from stampbook import GammaGamma, fit

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from stampbook_clv.config import ClvConfig

    Array = NDArray[np.float64]

LEAST_AGAIN: Final = 10
_CORRELATED: Final = 0.3


def net_of_all_returns(seen: pl.DataFrame) -> pl.DataFrame:
    """Return visits with `repeat_value` less its share of what came back beyond named purchases, 0 at least."""
    kept = (1 - pl.col("returned") / pl.col("value")).clip(lower_bound=0.0)
    less = (pl.col("repeat_value") * kept).round().cast(pl.Int64)
    return seen.with_columns(repeat_value=pl.when(pl.col("returned") > 0).then(less).otherwise(pl.col("repeat_value")))


def worth(seen: pl.DataFrame, config: ClvConfig, found: dict[str, Any]) -> pl.DataFrame:
    """Return x, repeat_value and worth: what one purchase is expected to be worth, in minor units.

    Args:
        seen: x and repeat_value of each account, net of all returns.
        config: which way to tell the worth.
        found: gets the fitted parameters as `value`, and warnings.
    """
    ways = seen.group_by("x", "repeat_value").agg(count=pl.len()).sort("x", "repeat_value")
    again = ways.filter(pl.col("x") > 0)
    nothing = int(again.filter(pl.col("repeat_value") <= 0)["count"].sum())
    if nothing:
        found["notes"].append(f"{nothing:,} accounts that came again gave back all that their purchases were worth")
    paid = again.filter(pl.col("repeat_value") > 0)
    x, count = (paid[name].to_numpy().astype(np.float64) for name in ("x", "count"))
    m = paid["repeat_value"].to_numpy() / np.maximum(x, 1)
    mean = float(np.dot(again["repeat_value"], again["count"]) / max(np.dot(again["x"], again["count"]), 1))
    own = ways.select(
        "x",
        "repeat_value",
        worth=pl.when(pl.col("x") > 0).then(pl.col("repeat_value") / pl.col("x")).otherwise(pl.lit(mean)),
    )
    if config.value == "mean":
        return own
    if count.sum() < LEAST_AGAIN:
        found["warnings"].append(
            f"{count.sum():.0f} accounts paid again, {LEAST_AGAIN} are needed to fit Gamma-Gamma, "
            "so a purchase is taken to be worth one's own mean"
        )
        return own
    model = GammaGamma(x, m, count)
    fitted, together = fit(model), model.correlation()
    found["value"] = {**fitted.to_plain(), "correlation": round(together, 4)}
    if abs(together) > _CORRELATED:
        found["warnings"].append(
            f"how often and how much go together ({together:.2f}), which the Gamma-Gamma model denies"
        )
    if fitted.warnings:
        found["warnings"] += [*fitted.warnings, "so a purchase is taken to be worth one's own mean"]
        return own
    all_x, all_value = (ways[name].to_numpy().astype(np.float64) for name in ("x", "repeat_value"))
    told = GammaGamma.expected(fitted.parameters, all_x, all_value / np.maximum(all_x, 1))
    return ways.select("x", "repeat_value", worth=pl.Series(told))
