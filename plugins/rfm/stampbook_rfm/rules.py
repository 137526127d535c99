"""The arithmetic of RFM on narwhals frames: the same columns on Polars, DuckDB and Spark.

Three measures of an account as of an instant `at`:

* recency: whole days, of 86,400 s each, from its last counted purchase to `at`;
* frequency: its counted purchases in the window;
* monetary: what it paid in the window, net of returns, in minor units.

A purchase counts if its amount less everything returned of it is above zero, so one that was wholly returned
does not. A return belongs to the purchase that it names and enters or leaves the window with it; a return
that names no known purchase of its account stands at its own time and lowers the monetary value only.

An account is scored against its active peers, those with a counted purchase in the window. With n of them,

    score = 1 + floor(5 x number of active accounts strictly worse / n)

in whole numbers. Put another way, the k-th cut point is the smallest value that at least k/5 of the accounts
do not exceed, and a score is 1 more than the number of cut points below the value: the inverse of the
empirical distribution, type 1 in Hyndman and Fan (1996), "Sample Quantiles in Statistical Packages", The
American Statistician 50(4), 361-365. Equal values have equally many worse ones, hence equal scores: a large
tie takes the score of its worst member and leaves the scores above it empty rather than being split.
Recency is turned round first, so that 5 is always best.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, Literal

import narwhals as nw

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

CLASSES: Final = 5
_DAY_SECONDS: Final = 86_400
_SECOND_US: Final = 1_000_000

RESULT_COLUMNS: Final = ("account", "segment", "recency_days", "frequency", "monetary", "r", "f", "m")


def segment(
    history: nw.LazyFrame[Any],
    at: datetime,
    *,
    grid: Mapping[str, str],
    scores: Literal["tie_safe", "ntile"] = "tie_safe",
    since: datetime | None = None,
    count_zero_amounts: bool = False,
) -> nw.LazyFrame[Any]:
    """Measure, score and name every account that has a purchase or a return at or before `at`.

    Args:
        history: one row a purchase or return: account, at, kind, amount (minor units), event, about.
        at: the instant as of which accounts are judged; later rows are not seen.
        grid: a segment's name for each of the 25 cells, keyed "RF".
        scores: how values become scores, see `score`.
        since: the first instant of the window; None counts everything.
        count_zero_amounts: whether a purchase of amount zero counts.

    Returns:
        `RESULT_COLUMNS`, one row an account, in no particular order.
    """
    measured = measure(history, at, since=since, count_zero_amounts=count_zero_amounts)
    return name(score(measured, scores), grid).select(*RESULT_COLUMNS)


def measure(
    history: nw.LazyFrame[Any],
    at: datetime,
    *,
    since: datetime | None = None,
    count_zero_amounts: bool = False,
) -> nw.LazyFrame[Any]:
    """Return account, recency_days, frequency and monetary, one row an account; see the module for each.

    `recency_days` is null for an account without a counted purchase; a purchase before the window counts for
    recency, so that "last order 143 days ago" is true whatever the window.
    """
    rows = history.filter(nw.col("at") <= at)
    bought = nw.col("kind") == "purchase"
    within = nw.lit(value=True) if since is None else nw.col("at") >= since
    returned = (
        rows.filter(nw.col("kind") == "return", ~nw.col("about").is_null())
        .with_columns(_returned_within=nw.when(within).then(nw.col("amount")).otherwise(0))
        .group_by("account", "about")
        .agg(_returned=nw.col("amount").sum(), _returned_within=nw.col("_returned_within").sum())
        .rename({"about": "_order"})
    )
    amount, taken_back = nw.col("amount"), nw.col("_returned").fill_null(0)
    counted = amount > taken_back
    if count_zero_amounts:
        counted = counted | ((amount == 0) & nw.col("_returned").is_null())
    # A return in the window lowers its own row. A purchase carries all its returns itself, hence gives back
    # what they lowered; only returns that name no purchase are left standing on their own.
    kept = nw.when(within).then(amount - taken_back).otherwise(0) + nw.col("_returned_within").fill_null(0)
    return (
        rows.with_columns(_order=nw.when(bought).then(nw.col("event")))
        .join(returned, on=["account", "_order"], how="left")
        .with_columns(
            _counted_at=nw.when(bought & counted).then(nw.col("at")),
            _counted=nw.when(bought & counted & within).then(1).otherwise(0),
            _net=nw.when(bought).then(kept).otherwise(nw.when(within).then(-amount).otherwise(0)),
        )
        .group_by("account")
        .agg(
            last_at=nw.col("_counted_at").max(),
            frequency=nw.col("_counted").sum(),
            monetary=nw.col("_net").sum(),
        )
        .select(
            "account",
            recency_days=_days_since(nw.col("last_at"), at, history.implementation),
            frequency=nw.col("frequency").cast(nw.Int64),
            monetary=nw.col("monetary").cast(nw.Int64),
        )
    )


def _days_since(moment: nw.Expr, at: datetime, engine: nw.Implementation) -> nw.Expr:
    if engine.is_spark_like():
        # Spark has no durations; seconds since 1970 as a double keep the microsecond for the next 200 years.
        moment_us = (moment.cast(nw.Float64) * _SECOND_US).round().cast(nw.Int64)
        at_us = (at - datetime(1970, 1, 1, tzinfo=UTC)) // datetime.resolution
        return ((at_us - moment_us) // (_DAY_SECONDS * _SECOND_US)).cast(nw.Int64)
    return ((nw.lit(at) - moment).dt.total_seconds() // _DAY_SECONDS).cast(nw.Int64)


def score(measured: nw.LazyFrame[Any], scores: Literal["tie_safe", "ntile"] = "tie_safe") -> nw.LazyFrame[Any]:
    """Add r, f and m, whole numbers from 1 to 5 of which 5 is best, to the frame of `measure`.

    `tie_safe` is the formula of the module; besides, a monetary value of zero or less never scores above 1.
    `ntile` is SQL's NTILE(5) over the active accounts from worst to best, equal values in the order of their
    account refs: it gives classes of equal size and tears equal customers apart, and is here to agree with
    older reports. In both an account that is not active scores 1, 1, 1.
    """
    active = nw.col("frequency") > 0
    values = {"r": -nw.col("recency_days"), "f": nw.col("frequency"), "m": nw.col("monetary")}
    frame = measured.with_columns(
        _idle=nw.when(active).then(0).otherwise(1),
        _one=nw.when(active).then(1).otherwise(0),
        **{letter: nw.when(active).then(value) for letter, value in values.items()},
    ).with_columns(_n=nw.col("_one").sum().cast(nw.Int64))
    n = nw.col("_n")
    if scores == "ntile":
        frame = frame.with_columns(
            **{letter: nw.col("_one").cum_sum().over(order_by=["_idle", letter, "account"]) - 1 for letter in values}
        )
        classes = {letter: _ntile(nw.col(letter), n) for letter in values}
    else:
        frame = frame.with_columns(**{letter: nw.col(letter).rank("min").cast(nw.Int64) - 1 for letter in values})
        classes = {letter: 1 + nw.col(letter) * CLASSES // n for letter in values}
        classes["m"] = nw.when(nw.col("monetary") > 0).then(classes["m"]).otherwise(1)
    return frame.with_columns(
        **{letter: nw.when(active).then(value).otherwise(1).cast(nw.Int8) for letter, value in classes.items()}
    ).drop("_idle", "_one", "_n")


def _ntile(place: nw.Expr, n: nw.Expr) -> nw.Expr:
    # The first n mod 5 classes hold one account more than the rest; 0-based places, 1-based classes.
    small, larger = n // CLASSES, n % CLASSES
    border = larger * (small + 1)
    nonzero = nw.when(small > 0).then(small).otherwise(1)
    return nw.when(place < border).then(1 + place // (small + 1)).otherwise(1 + larger + (place - border) // nonzero)


def name(scored: nw.LazyFrame[Any], grid: Mapping[str, str]) -> nw.LazyFrame[Any]:
    """Add `segment`, the name of each account's cell in the R x F `grid`."""
    cells: dict[str, list[int]] = {}
    for cell, segment_name in grid.items():
        cells.setdefault(segment_name, []).append(int(cell))
    *others, (last, _) = cells.items()
    named = nw.lit(last)
    for segment_name, numbers in others:
        named = nw.when(nw.col("_cell").is_in(numbers)).then(nw.lit(segment_name)).otherwise(named)
    return scored.with_columns(_cell=nw.col("r") * 10 + nw.col("f")).with_columns(segment=named).drop("_cell")


@dataclass(frozen=True, slots=True)
class Cuts:
    """The cut points that a population produced, four a measure, for the scores 2, 3, 4 and 5 in this order.

    A cut point is the worst value that earned its score or a better one, hence a value that some account has;
    None where nobody earned it. Cut points may coincide: the scores between them are then empty.

    Attributes:
        r: recency in days, the most days that still earned the score.
        f: frequency in purchases, the fewest that earned it.
        m: monetary in minor units, the least that earned it.
    """

    r: tuple[int | None, ...]
    f: tuple[int | None, ...]
    m: tuple[int | None, ...]


def cuts(scored: nw.LazyFrame[Any]) -> Cuts:
    """Return the cut points of a frame of `score` or `segment`; it is evaluated for this."""
    levels = range(2, CLASSES + 1)
    row = scored.select(
        **{f"r{k}": nw.when(nw.col("r") >= k).then(nw.col("recency_days")).max() for k in levels},
        **{f"f{k}": nw.when(nw.col("f") >= k).then(nw.col("frequency")).min() for k in levels},
        **{f"m{k}": nw.when(nw.col("m") >= k).then(nw.col("monetary")).min() for k in levels},
    ).collect()
    found = {column: row[column].to_list()[0] for column in row.columns}
    return Cuts(*(tuple(found[f"{letter}{k}"] for k in levels) for letter in "rfm"))


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
    cut = points[own - 1] if own < CLASSES else None
    if cut is None:
        return ""
    reached = max(k for k, point in enumerate(points, start=2) if point == cut)
    return f", cut at {write(cut)} for {letter}={reached}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
