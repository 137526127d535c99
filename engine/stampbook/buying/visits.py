"""A history as what the models look at: how often an account came again, and over how long.

Of an account x is the number of days with a purchase after the first such day, t_x the time from the first to the last,
T the time from the first to the instant of the run. A day is a whole span of 86,400 s back from that instant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import narwhals as nw
import numpy as np

from stampbook.netting import days_since, from_on, net_purchases

if TYPE_CHECKING:
    from datetime import datetime

    import polars as pl
    from numpy.typing import NDArray

_ALMOST: Final = 1e-9
VISIT_COLUMNS: Final = ("account", "x", "t_x", "T", "repeat_value", "value", "returned")


class Visits(NamedTuple):
    """Different ways to have bought, each with how many accounts it has: arrays of one length.

    `x` are repeat purchases, `t_x` and `T` times in units of the model, `accounts` how many have these.
    """

    x: NDArray[np.float64]
    t_x: NDArray[np.float64]
    T: NDArray[np.float64]
    accounts: NDArray[np.float64]

    def sample(self, most: int) -> Visits:
        """Return the ways of every k-th account in their order, so that there are about so many accounts in all."""
        drawn, again = every_kth(self.accounts, most)
        return Visits(self.x[drawn], self.t_x[drawn], self.T[drawn], again)


def every_kth(accounts: NDArray[np.float64], most: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """Return the places of rows in which every k-th account is, and how many such accounts each has."""
    total = float(accounts.sum())
    if total <= most:
        return np.arange(len(accounts)), accounts
    chosen = (np.arange(most) + 0.5) * (total / most)
    places, counts = np.unique(np.searchsorted(np.cumsum(accounts), chosen), return_counts=True)
    return places, counts.astype(np.float64)


def added(weights: NDArray[np.float64], places: NDArray[np.intp], length: int) -> NDArray[np.float64]:
    """Return the sums of weights by place."""
    return np.bincount(places, weights=weights, minlength=length).astype(np.float64, copy=False)


def visits(history: nw.LazyFrame[Any], at: datetime, *, since: datetime | None = None) -> nw.LazyFrame[Any]:
    """Return account, x, t_x, T (days), repeat_value, value and returned (minor units), whole numbers.

    Values are net: of all days but the first, and of all. `returned` is what came back beyond that: without a
    purchase named, or more than was paid for it.

    Args:
        history: one row a purchase or return.
        at: rows after this instant are not seen.
        since: purchases before it are not seen; None counts everything.

    Returns:
        One row an account that kept something of a purchase.
    """
    seen = from_on(net_purchases(history, at), since)
    lonely = seen.filter(nw.col("net") < 0).group_by("account").agg(_lonely=nw.col("net").sum())
    days = (
        seen.filter(nw.col("counted"))
        .with_columns(age=days_since(nw.col("at"), at, history.implementation))
        .group_by("account", "age")
        .agg(value=nw.col("net").sum())
        .with_columns(first=nw.col("age").max().over("account"))
    )
    again = nw.when(nw.col("age") < nw.col("first")).then(nw.col("value")).otherwise(0)
    return (
        days.with_columns(_again=again)
        .group_by("account")
        .agg(
            _days=nw.len(),
            _last=nw.col("age").min(),
            T=nw.col("age").max(),
            repeat_value=nw.col("_again").sum(),
            value=nw.col("value").sum(),
        )
        .join(lonely, on="account", how="left")
        .select(
            "account",
            x=nw.col("_days").cast(nw.Int64) - 1,
            t_x=nw.col("T") - nw.col("_last"),
            T=nw.col("T"),
            repeat_value=nw.col("repeat_value").cast(nw.Int64),
            value=nw.col("value").cast(nw.Int64),
            returned=(-nw.col("_lonely").fill_null(0)).cast(nw.Int64),
        )
    )


def bought_since(history: nw.LazyFrame[Any], at: datetime, days: int) -> nw.LazyFrame[Any]:
    """Return account and came: on how many of the last days it kept something of a purchase, of those with any.

    The days are those of `visits` as of the same instant. What came back of earlier purchases takes nothing off.

    Args:
        history: one row a purchase or return.
        at: rows after this instant are not seen.
        days: how many, counted back from that instant.
    """
    kept = net_purchases(history, at).filter(nw.col("counted"))
    ages = kept.select("account", age=days_since(nw.col("at"), at, history.implementation))
    recent = ages.filter(nw.col("age") < days).unique(["account", "age"])
    return recent.group_by("account").agg(came=nw.len()).with_columns(came=nw.col("came").cast(nw.Int64))


def distinct_visits(frame: pl.DataFrame, unit_days: float) -> tuple[pl.DataFrame, Visits]:
    """Return the different (x, t_x, T) of accounts, sorted, as a frame and as arrays in units of so many days."""
    import polars as pl

    found = frame.group_by("x", "t_x", "T").agg(count=pl.len()).sort("x", "t_x", "T")
    x, t_x, T, count = (found[name].to_numpy().astype(np.float64) for name in ("x", "t_x", "T", "count"))  # noqa: N806 - as in print
    return found, Visits(x, t_x / unit_days, T / unit_days, count)


def usual_gaps(history: nw.LazyFrame[Any], at: datetime, share: float, least: int) -> tuple[pl.DataFrame, int | None]:
    """Return account and gap: the shortest gap that at least a share of one's own gaps do not exceed, in days.

    Args:
        history: one row a purchase or return.
        at: rows after this instant are not seen.
        share: such as 0.8.
        least: of how many gaps it is told; accounts with fewer are left out.

    Returns:
        the frame, and the same of all gaps of all accounts; None where nobody came again.
    """
    import polars as pl

    kept = net_purchases(history, at).filter(nw.col("counted"))
    days = kept.select("account", age=days_since(nw.col("at"), at, history.implementation)).unique()
    ages: pl.DataFrame = days.collect("polars").to_native().sort("account", "age")
    gaps = ages.select("account", gap=pl.col("age").shift(-1).over("account") - pl.col("age")).drop_nulls().sort("gap")
    if gaps.is_empty():
        return gaps, None
    place = (pl.len() * share - _ALMOST).ceil().cast(pl.Int64) - 1
    own = gaps.group_by("account").agg(gap=pl.col("gap").get(place), many=pl.len())
    every = gaps.select(pl.col("gap").get(place)).item()
    return own.filter(pl.col("many") >= least).select("account", "gap"), int(every)
