"""The arithmetic of RFM on narwhals frames: the same columns on Polars, DuckDB and Spark.

Three measures of an account as of an instant `at`:

* recency: whole days, of 86,400 s each, from its last counted purchase to `at`;
* frequency: its counted purchases in the window;
* monetary: what it paid in the window, net of returns, in minor units.

A purchase counts if its amount less everything returned of it is above zero, so one that was wholly returned
does not. A return belongs to the purchase that it names and enters or leaves the window with it; a return
that names no known purchase of its account stands at its own time and lowers the monetary value only.

An account is scored against its active peers, those with a counted purchase in the window, by the tie-safe quantile
classes of `stampbook.quantile_class` (Hyndman and Fan, type 1), or by fixed cut points. Recency is turned round first,
so that the highest score is always best. A monetary value of zero or less never scores above 1.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

import narwhals as nw

from stampbook import Rounding, cut_class, days_since, ntile_class, quantile_class
from stampbook_rfm.tables import LARGEST_WITH_DIGITS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from stampbook_rfm.tables import Names

RESULT_COLUMNS: Final = (
    "account", "segment", "recency_days", "frequency", "monetary", "r", "f", "m", "fm", "rfm", "total"
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Scoring:
    """How measures become scores.

    Attributes:
        classes: how many.
        scores: by tie-safe quantiles, or as SQL's NTILE does it.
        fixed: cut points of the scores that have them, from score 2 to the best: days, orders, minor units.
        fm_rounding: how the mean of F and M is rounded.
        weights: of r, f and m in the total.
    """

    classes: int = 5
    scores: Literal["tie_safe", "ntile"] = "tie_safe"
    fixed: Mapping[str, tuple[int, ...]] | None = None
    fm_rounding: Rounding = Rounding.HALF_UP
    weights: tuple[int, int, int] = (1, 1, 1)


def segment(
    purchases: nw.LazyFrame[Any],
    at: datetime,
    *,
    names: Names,
    scoring: Scoring,
    since: datetime | None = None,
    count_zero_amounts: bool = False,
) -> nw.LazyFrame[Any]:
    """Measure, score and name every account that has a purchase or a return at or before `at`.

    Args:
        purchases: up to `at`, net of returns, as `stampbook.net_purchases` gives them.
        at: the instant as of which accounts are judged.
        names: a segment's name for each combination of scores.
        scoring: how values become scores, see `score`.
        since: the first instant of the window; None counts everything.
        count_zero_amounts: whether a purchase of amount zero counts.

    Returns:
        `RESULT_COLUMNS`, one row an account, in no particular order.
    """
    measured = measure(purchases, at, since=since, count_zero_amounts=count_zero_amounts)
    return name(combine(score(measured, scoring), scoring), names).select(*RESULT_COLUMNS)


def measure(
    purchases: nw.LazyFrame[Any],
    at: datetime,
    *,
    since: datetime | None = None,
    count_zero_amounts: bool = False,
) -> nw.LazyFrame[Any]:
    """Return account, recency_days, frequency and monetary, one row an account; see the module for each.

    `recency_days` is null for an account without a counted purchase; a purchase before the window counts for
    recency, so that "last order 143 days ago" is true whatever the window.
    """
    kept, net = nw.col("counted"), nw.col("net")
    if count_zero_amounts:
        kept = kept | ((nw.col("amount") == 0) & nw.col("returned").is_null())
    counted = kept
    if since is not None:
        within = nw.col("at") >= since
        counted, net = counted & within, nw.when(within).then(net).otherwise(0)
    return (
        purchases.select(
            "account",
            _counted_at=nw.when(kept).then(nw.col("at")),
            _counted=nw.when(counted).then(1).otherwise(0),
            _net=net,
        )
        .group_by("account")
        .agg(
            last_at=nw.col("_counted_at").max(),
            frequency=nw.col("_counted").sum(),
            monetary=nw.col("_net").sum(),
        )
        .select(
            "account",
            recency_days=days_since(nw.col("last_at"), at, purchases.implementation),
            frequency=nw.col("frequency").cast(nw.Int64),
            monetary=nw.col("monetary").cast(nw.Int64),
        )
    )


def score(measured: nw.LazyFrame[Any], scoring: Scoring) -> nw.LazyFrame[Any]:
    """Add r, f and m, whole numbers from 1 to the number of classes, which is best, to the frame of `measure`.

    `tie_safe` is the formula of `stampbook.quantile_class` over the active accounts. `ntile` is SQL's NTILE over them
    from worst to best, equal values in the order of their account refs: it gives classes of equal size and tears equal
    customers apart, and is here to agree with older reports. A score with fixed cut points has those in both. In all
    of them an account that is not active scores 1, 1, 1.
    """
    active = nw.col("frequency") > 0
    values = {"r": -nw.col("recency_days"), "f": nw.col("frequency"), "m": nw.col("monetary")}
    fixed = scoring.fixed or {}
    frame = measured.with_columns(
        _idle=nw.when(active).then(0).otherwise(1),
        _one=nw.when(active).then(1).otherwise(0),
        **{letter: nw.when(active).then(value) for letter, value in values.items()},
    )
    ranked = [letter for letter in values if letter not in fixed]
    classes = {letter: quantile_class(nw.col(letter), scoring.classes) for letter in ranked}
    if scoring.scores == "ntile":
        frame = frame.with_columns(
            _n=nw.col("_one").sum().cast(nw.Int64),
            **{letter: nw.col("_one").cum_sum().over(order_by=["_idle", letter, "account"]) - 1 for letter in ranked},
        )
        classes = {letter: ntile_class(nw.col(letter), nw.col("_n"), scoring.classes) for letter in ranked}
    for letter, points in fixed.items():
        classes[letter] = cut_class(nw.col(letter), [-point for point in points] if letter == "r" else points)
    if scoring.scores == "tie_safe" or "m" in fixed:
        classes["m"] = nw.when(nw.col("monetary") > 0).then(classes["m"]).otherwise(1)
    return frame.with_columns(
        **{letter: nw.when(active).then(value).otherwise(1).cast(nw.Int8) for letter, value in classes.items()}
    ).select(*measured.collect_schema().names(), "r", "f", "m")


def combine(scored: nw.LazyFrame[Any], scoring: Scoring) -> nw.LazyFrame[Any]:
    """Add what three scores come to: `fm`, the rounded mean of F and M; `rfm`, their code; `total`, weighted."""
    r, f, m = (nw.col(letter).cast(nw.Int64) for letter in "rfm")
    both = f + m
    mean = both // 2
    if scoring.fm_rounding is Rounding.HALF_UP:
        mean = (both + 1) // 2
    elif scoring.fm_rounding is Rounding.HALF_EVEN:
        mean = mean + (both % 2) * (mean % 2)
    first, second, third = scoring.weights
    between = "" if scoring.classes <= LARGEST_WITH_DIGITS else "-"
    return scored.with_columns(
        fm=mean.cast(nw.Int8),
        rfm=nw.concat_str([nw.col(letter).cast(nw.String) for letter in "rfm"], separator=between),
        total=r * first + f * second + m * third,
    )


def name(scored: nw.LazyFrame[Any], names: Names) -> nw.LazyFrame[Any]:
    """Add `segment`, the name of each account's combination of scores."""
    without_m = {(r, f): segment_name for (r, f, _), segment_name in names.items()}
    r, f, m = (nw.col(letter).cast(nw.Int64) for letter in "rfm")
    if all(without_m[r_, f_] == segment_name for (r_, f_, _), segment_name in names.items()):
        cell, numbers = r * 100 + f, {r_ * 100 + f_: segment_name for (r_, f_), segment_name in without_m.items()}
    else:
        cell = (r * 100 + f) * 100 + m
        numbers = {(r_ * 100 + f_) * 100 + m_: segment_name for (r_, f_, m_), segment_name in names.items()}
    cells: dict[str, list[int]] = {}
    for number, segment_name in numbers.items():
        cells.setdefault(segment_name, []).append(number)
    *others, (last, _) = cells.items()
    named = nw.lit(last)
    for segment_name, its_cells in others:
        named = nw.when(nw.col("_cell").is_in(its_cells)).then(nw.lit(segment_name)).otherwise(named)
    return scored.with_columns(_cell=cell).with_columns(segment=named).drop("_cell")


@dataclass(frozen=True, slots=True)
class Cuts:
    """The cut points of a run, one fewer than classes a measure, for the scores 2, 3, … in this order.

    One that is not fixed is the worst value that earned its score or a better one, hence a value that some account
    has; None where nobody earned it. Cut points may coincide: the scores between them are then empty.

    Attributes:
        r: recency in days, the most days that still earned the score.
        f: frequency in purchases, the fewest that earned it.
        m: monetary in minor units, the least that earned it.
    """

    r: tuple[int | None, ...]
    f: tuple[int | None, ...]
    m: tuple[int | None, ...]


def cuts(scored: nw.LazyFrame[Any], scoring: Scoring | None = None) -> Cuts:
    """Return the cut points of a frame of `score` or `segment`; it is evaluated for this."""
    how = scoring or Scoring()
    levels = range(2, how.classes + 1)
    row = scored.select(
        **{f"r{k}": nw.when(nw.col("r") >= k).then(nw.col("recency_days")).max() for k in levels},
        **{f"f{k}": nw.when(nw.col("f") >= k).then(nw.col("frequency")).min() for k in levels},
        **{f"m{k}": nw.when(nw.col("m") >= k).then(nw.col("monetary")).min() for k in levels},
    ).collect()
    found = {column: row[column].to_list()[0] for column in row.columns}
    fixed = how.fixed or {}
    r, f, m = (fixed.get(letter) or tuple(found[f"{letter}{k}"] for k in levels) for letter in "rfm")
    return Cuts(r, f, m)


def reasons(account: Mapping[str, Any], at: Cuts, money: Callable[[int], str] = str) -> tuple[str, str, str]:
    """Say why an account has its scores: "R=2: last order 143 days ago, cut at 120 for R=3".

    Args:
        account: its row of the result, by column.
        at: the cut points of the same run.
        money: writes minor units for a person.
    """
    days, orders = account["recency_days"], account["frequency"]
    last = "no order that counts" if days is None else f"last order {_count(days, 'day')} ago"
    return (
        f"R={account['r']}: {last}{_next('R', account['r'], at.r, str)}",
        f"F={account['f']}: {_count(orders, 'order')}{_next('F', account['f'], at.f, str)}",
        f"M={account['m']}: {money(account['monetary'])} net{_next('M', account['m'], at.m, money)}",
    )


def _next(letter: str, own: int, points: tuple[int | None, ...], write: Callable[[int], str]) -> str:
    cut = points[own - 1] if own <= len(points) else None
    if cut is None:
        return ""
    reached = max(k for k, point in enumerate(points, start=2) if point == cut)
    return f", cut at {write(cut)} for {letter}={reached}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
