"""What is expected of customers: models fitted to a population, and what they say of each way to have bought.

Accounts with equal x, t_x, T and repeat value always get equal answers: models are fitted to counts of the different
ways to have bought, in sorted order, and what they say is rounded to six digits before anything is compared.

The value of an account is its expected purchases times the expected value of one, times the margin. With a discount d
a year, the purchases expected in each step of 30 days are worth 1/(1+d)^(days to the middle of the step / 365).

The interval is that of the number of purchases by the model, drop-out now and later included, each worth what one is
expected to be worth: how much one purchase may differ is left out.
"""

from __future__ import annotations

from fractions import Fraction
from itertools import accumulate
from typing import TYPE_CHECKING, Any, Final

import narwhals as nw
import numpy as np
import polars as pl

from stampbook import by_borders, standing, top_class, visits
from stampbook_clv.backtest import factor, holdout
from stampbook_clv.measures import net_of_all_returns, worth
from stampbook_clv.models import Buying

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from stampbook_clv.config import ClvConfig

_DIGITS: Final = 6
_COLUMNS: Final = (
    "expected_purchases", "expected_value", "low", "high", "p_alive", "x", "days_since", "days_known"
)  # fmt: skip


def segment(
    history: nw.LazyFrame[Any],
    at: datetime,
    *,
    since: datetime | None,
    config: ClvConfig,
    amounts: Sequence[int],
) -> tuple[nw.LazyFrame[Any], dict[str, Any]]:
    """Return what is expected of every account with a row up to an instant, and what was found out on the way."""
    seen: pl.DataFrame = net_of_all_returns(visits(history, at, since=since).collect("polars").to_native())
    found: dict[str, Any] = {
        "model": config.model,
        "horizon_days": config.horizon_days,
        "accounts": len(seen),
        "warnings": [],
        "notes": [],
    }
    buying = Buying(seen, config, found)
    each = worth(seen, config, found)
    scale = 1.0
    if config.holdout_days:
        found["holdout"] = holdout(history, at, since, max(seen["T"].to_list(), default=0), config)
        if config.calibrate:
            scale = factor(found["holdout"], found["warnings"])
            found["calibrated_by"] = round(scale, _DIGITS)
    frame = _valued(seen, buying, each, scale, config)
    everyone = history.filter(nw.col("at") <= at).group_by("account").agg(_rows=nw.len()).select("account")
    refs: pl.DataFrame = everyone.collect("polars").to_native()
    known = nw.from_native(frame.lazy())
    if amounts:
        named = known.with_columns(segment=by_borders(nw.col("expected_value"), amounts, config.names))
    else:
        ends = list(accumulate(Fraction(share.rstrip("%")) / 100 for share in config.shares))
        placed = standing(known, "expected_value")
        among = top_class(nw.col("better"), nw.col("n"), ends, config.names)
        something = nw.col("expected_value") > 0
        named = placed.with_columns(segment=nw.when(something).then(among).otherwise(nw.lit(config.names[-1])))
    result = nw.from_native(refs.lazy()).join(named.select("account", "segment", *_COLUMNS), on="account", how="left")
    return result.with_columns(nw.col("segment").fill_null(config.none)).select("account", "segment", *_COLUMNS), found


def _valued(seen: pl.DataFrame, buying: Buying, each: pl.DataFrame, scale: float, config: ClvConfig) -> pl.DataFrame:
    """Return what is expected of each account, one row an account."""
    tail = (1 - float(Fraction(config.interval.rstrip("%")) / 100)) / 2
    expected, discounted = buying.expected * scale, buying.discounted * scale
    now = np.divide(discounted, buying.expected, out=np.zeros_like(expected), where=buying.expected > 0)
    ways = buying.ways.drop("count").with_columns(
        expected_purchases=pl.Series(np.round(expected, _DIGITS)),
        p_alive=pl.Series(np.round(buying.alive, _DIGITS)).fill_nan(None),
        _worth_now=pl.Series(np.round(discounted, _DIGITS)),
        _low=pl.Series(np.round(buying.likely(tail) * now, _DIGITS)),
        _high=pl.Series(np.round(buying.likely(1 - tail) * now, _DIGITS)),
    )
    one = pl.col("worth").round(_DIGITS) * (float(config.margin.rstrip("%")) / 100)
    money = {"expected_value": "_worth_now", "low": "_low", "high": "_high"}
    return (
        seen.join(ways, on=["x", "t_x", "T"], how="left")
        .join(each, on=["x", "repeat_value"], how="left")
        .with_columns((pl.col(count) * one).round(0).cast(pl.Int64).alias(name) for name, count in money.items())
        .with_columns(days_since=pl.col("T") - pl.col("t_x"), days_known=pl.col("T"))
        .select("account", *_COLUMNS)
    )
