"""What accounts bought, net of what they gave back: the arithmetic on histories that segmentation schemes share.

The same code runs on every engine that narwhals speaks: Polars on one machine, Spark on many.
"""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any, Final

import narwhals as nw

if TYPE_CHECKING:
    from stampbook.periods import Calendar, Window

_DAY_SECONDS: Final = 86_400
_SECOND_US: Final = 1_000_000


def net_purchases(history: nw.LazyFrame[Any], at: datetime) -> nw.LazyFrame[Any]:
    """Return purchases up to an instant with what came back of each, and the returns that belong to none.

    A return belongs to the purchase of its account that it names, and enters or leaves a window with it. A return
    that names no known purchase stands on its own at its own time: it lowers value and counts for nothing else.

    Args:
        history: one row a purchase or return, with at least the columns of `stampbook.population.HISTORY_COLUMNS`.
        at: rows after this instant are not seen.

    Returns:
        One row a purchase or lonely return: `account`, `event`, `at` (of the purchase; of a lonely return its own),
        `amount` (minor units before returns, 0 for a lonely return), `returned` (what came back of it, by whenever up
        to `at`; null where nothing did), `net` (`amount` less that), `counted` (whether it is a purchase of which
        something was kept), and whichever of `discount`, `channel` and `store` the history has.
    """
    rows = history.filter(nw.col("at") <= at)
    own = rows.collect_schema().names()
    extra = [name for name in ("discount", "channel", "store") if name in own]
    purchases = rows.filter(nw.col("kind") == "purchase").select("account", "event", "at", "amount", *extra)
    returns = rows.filter(nw.col("kind") == "return").select("account", "at", "amount", "event", "about", *extra)
    returned = (
        returns.filter(~nw.col("about").is_null())
        .group_by("account", "about")
        .agg(returned=nw.col("amount").sum().cast(nw.Int64))
        .rename({"about": "event"})
    )
    amount, taken_back = nw.col("amount"), nw.col("returned").fill_null(0)
    columns = ("account", "event", "at", "amount", "net", "returned", "counted", *extra)
    bought = (
        purchases.join(returned, on=["account", "event"], how="left")
        .with_columns(net=(amount - taken_back).cast(nw.Int64), counted=amount > taken_back)
        .select(*columns)
    )
    keys = purchases.select("account", about=nw.col("event"))
    lonely = (
        returns.join(keys, on=["account", "about"], how="anti")
        .with_columns(
            net=(-amount).cast(nw.Int64),
            returned=amount.cast(nw.Int64),
            counted=nw.lit(value=False),
            amount=(amount * 0).cast(nw.Int64),
        )
        .select(*columns)
    )
    return nw.concat([bought, lonely])


def from_on(rows: nw.LazyFrame[Any], since: datetime | None) -> nw.LazyFrame[Any]:
    """Return the rows from an instant on; all of them where it is None."""
    return rows if since is None else rows.filter(nw.col("at") >= since)


def days_since(moment: nw.Expr, at: datetime, engine: nw.Implementation) -> nw.Expr:
    """Return whole days, of 86,400 s each, from instants of a frame to `at`; null where there is none.

    Args:
        moment: an expression of a frame's instants.
        at: an instant with a time zone.
        engine: that of the frame, as its `implementation` says: Spark has no durations.
    """
    if engine.is_spark_like():
        # Seconds since 1970 as a double keep the microsecond for the next 200 years.
        moment_us = (moment.cast(nw.Float64) * _SECOND_US).round().cast(nw.Int64)
        at_us = (at - datetime(1970, 1, 1, tzinfo=UTC)) // datetime.resolution
        return ((at_us - moment_us) // (_DAY_SECONDS * _SECOND_US)).cast(nw.Int64)
    return ((nw.lit(at) - moment).dt.total_seconds() // _DAY_SECONDS).cast(nw.Int64)


def first_instant(window: Window, at: datetime, calendar: Calendar) -> datetime | None:
    """Return the first instant, in UTC, of the window of days that ends with `at`; None for a lifetime."""
    if window.is_lifetime:
        return None
    first_day = window.first_day(calendar.day(calendar.instant(at)), calendar)
    return calendar.local(calendar.start_of(first_day)).astimezone(UTC)


def window_days(window: Window, at: datetime, calendar: Calendar) -> tuple[date | None, date]:
    """Return the first and the last local day of the window that ends with `at`; no first one for a lifetime."""
    last = calendar.day(calendar.instant(at))
    first = None if window.is_lifetime else date.fromordinal(max(1, window.first_day(last, calendar)))
    return first, date.fromordinal(last)


def metric_sums(
    counts: nw.LazyFrame[Any], metric: str, at: datetime, days: tuple[date | None, date], *, distinct: bool = False
) -> nw.LazyFrame[Any]:
    """Return what a metric comes to over some days, as far as was so at an instant.

    Args:
        counts: one row a change of a metric, with the columns of `stampbook.population.COUNT_COLUMNS`.
        metric: its name.
        at: what an event after this instant counted is not seen, whatever day it counts on.
        days: the first day that counts, if there is one, and the last, as of `window_days`.
        distinct: whether the metric counts how many different texts there were: those of which something is left.

    Returns:
        `account` and `amount`, in the smallest units of the metric; who never counted anything has no row.
    """
    first, last = days
    rows = counts.filter((nw.col("at") <= at) & (nw.col("metric") == metric) & (nw.col("day") <= last))
    if first is not None:
        rows = rows.filter(nw.col("day") >= first)
    if not distinct:
        return rows.group_by("account").agg(amount=nw.col("amount").sum())
    texts = rows.group_by("account", "value").agg(amount=nw.col("amount").sum())
    return texts.filter(nw.col("amount") > 0).group_by("account").agg(amount=nw.len())


def net_lines(lines: nw.LazyFrame[Any], at: datetime) -> nw.LazyFrame[Any]:
    """Return the lines of purchases up to an instant, and what of them came back as lines below zero.

    What came back stands at the instant of its purchase, so that it enters or leaves a window with it.

    Args:
        lines: one row a line, with the columns of `stampbook.population.LINE_COLUMNS`.
        at: rows after this instant are not seen.

    Returns:
        `account`, `at`, `event` (the purchase), `sku`, `category`, `labels`, `quantity` (millionths of a piece) and
        `amount` (minor units); the last two are negative for what came back.
    """
    rows = lines.filter(nw.col("at") <= at)
    columns = ("account", "at", "event", "sku", "category", "labels", "quantity", "amount")
    bought = rows.filter(nw.col("kind") == "purchase")
    returned = rows.filter(nw.col("kind") == "return").drop("at")
    named = returned.select("account", event=nw.col("about")).unique()
    bought_at = (
        bought.select("account", "event", "at")
        .join(named, on=["account", "event"], how="semi")
        .group_by("account", "event")
        .agg(at=nw.col("at").min())
        .rename({"event": "about"})
    )
    back = returned.join(bought_at, on=["account", "about"], how="inner").with_columns(
        event=nw.col("about"), quantity=-nw.col("quantity"), amount=-nw.col("amount")
    )
    return nw.concat([bought.select(*columns), back.select(*columns)])
