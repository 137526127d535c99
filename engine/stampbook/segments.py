"""Segments, set-based: the history of all accounts in, one segment an account and scheme out.

A scheme is a plugin with a `segment` hook, known by the name of its table in the program. It sees the
history up to the instant of the run and nothing later, and answers for every account in it exactly once; an
answer that does not is refused as a whole. History may be a Polars frame or a narwhals frame over any
engine; results come back in Polars, sorted by account, so that the order of a history's rows never shows.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from importlib.util import find_spec
from inspect import signature
from time import perf_counter_ns
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from stampbook.errors import PeriodError, PluginError, StampbookError, near
from stampbook.population import Frames, collected, frames_wanted, until
from stampbook.run_frames import RunFrames

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    import polars as pl

    from stampbook.plugin import Plugin
    from stampbook.population import Frame

RESULT_COLUMNS: Final[Mapping[str, str]] = MappingProxyType({"account": "String", "segment": "String"})
"""The columns that every scheme returns; others are scores: numbers, texts, truth values, dates or times."""


@dataclass(frozen=True, slots=True)
class SegmentRun:
    """What one scheme said about every account at one instant.

    Attributes:
        scheme: the name of the plugin in the program.
        at: the instant as of which it judged, in UTC.
        definition: a hash of the scheme, its options and its definition version; equal hashes, equal meaning.
        frame: one row an account, sorted by account: account, segment, then the scheme's scores.
        took_ms: milliseconds from the call of the hook to the checked result.
        rows: purchases and returns up to `at`.
        accounts: how many it judged.
        findings: what the scheme found out besides, as plain JSON.
    """

    scheme: str
    at: datetime
    definition: str
    frame: pl.DataFrame
    took_ms: float
    rows: int
    accounts: int
    findings: Mapping[str, Any] = field(default_factory=dict)


def run_segments(
    plugins: Iterable[tuple[str, Plugin[Any]]],
    frames: Frame | Frames,
    at: datetime,
    schemes: Collection[str] | None = None,
) -> list[SegmentRun]:
    """Run the `segment` hooks over a population as of `at`, in the order of `plugins`.

    Args:
        plugins: name and plugin; those without a `segment` hook are passed over.
        frames: what they look at, or the history alone; rows may come in any order.
        at: an instant with a time zone; rows after it are hidden from the schemes.
        schemes: names of those to run; None runs all.

    Raises:
        PluginError: no scheme of a name, or a result that breaks the contract; the message names the plugin.
        InputError: a frame without the right columns, or one that a scheme needs and that is not there.
        PeriodError: `at` has no time zone.
    """
    return list(runs_of(_choose(plugins, schemes), frames, at))


def runs_of(chosen: Sequence[tuple[str, Plugin[Any]]], frames: Frame | Frames, at: datetime) -> Iterator[SegmentRun]:
    """Yield what each of some schemes says, as `run_segments` does; what several of them look at is worked out once."""
    if not chosen:
        return
    moment = _utc(at)
    _need_extra()
    given = frames if isinstance(frames, Frames) else Frames(frames)
    keeps = sum("purchases" in frames_wanted(plugin) for _, plugin in chosen) > 1
    seen = RunFrames(given, moment, keeps=keeps)
    for scheme, plugin in chosen:
        start_ns = perf_counter_ns()
        accounts = seen.population("accounts" if "accounts" in frames_wanted(plugin) else "history")
        frame = check_result(scheme, _ask(scheme, plugin, seen, moment), accounts)
        took_ms = (perf_counter_ns() - start_ns) / 1e6
        counts = seen.rows, len(accounts)
        found = plugin.findings(frame, moment)
        yield SegmentRun(scheme, moment, definition(scheme, plugin), frame, took_ms, *counts, found)


def definition(scheme: str, plugin: Plugin[Any], origin: str = "") -> str:
    """Return 64 hexadecimal digits that stand for what a scheme means.

    They change with its name, its class, any option, and the plugin's `definition_version`, a number that its
    author raises when the same options come to mean something else; without one it counts as 1. `origin` is empty where
    a ledger is judged, and says what else is.
    """
    kind = type(plugin)
    meaning = {
        "scheme": scheme,
        "plugin": f"{kind.__module__}:{kind.__qualname__}",
        "version": getattr(plugin, "definition_version", 1),
        "config": plugin.config.model_dump(mode="json"),
        **({"origin": origin} if origin else {}),
    }
    text = json.dumps(meaning, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return sha256(text.encode()).hexdigest()


def check_result(scheme: str, result: object, accounts: pl.Series) -> pl.DataFrame:
    """Return what a `segment` hook returned as a Polars frame sorted by account, if it keeps its promise.

    The promise: a narwhals LazyFrame with `RESULT_COLUMNS`, every account of the history exactly once and no
    other, no empty segment, scores of plain types without NaN.

    Args:
        scheme: the name of the plugin, for the message.
        result: what the hook returned; it is evaluated here.
        accounts: each account of the history once, sorted.

    Raises:
        PluginError: the first promise that is broken, with an account or column as witness.
    """
    import narwhals as nw
    import polars as pl
    from narwhals.exceptions import NarwhalsError

    if not isinstance(result, nw.LazyFrame):
        kind = type(result)
        given = (
            kind.__name__
            if kind.__module__ == "builtins"
            else f"{kind.__name__} of {kind.__module__.partition('.')[0]}"
        )
        raise PluginError(f"plugin {scheme!r}: segment returned {given}, not a narwhals LazyFrame")
    try:
        frame = collected(result)
    except (NarwhalsError, pl.exceptions.PolarsError) as error:
        line = str(error).strip().partition("\n")[0]
        raise PluginError(f"plugin {scheme!r}: segment failed with {type(error).__name__}: {line}") from error
    problem = _wrong_columns(frame)
    if not problem:
        if not frame["account"].equals(accounts):
            frame = frame.lazy().sort("account").collect(engine="streaming")
        problem = _wrong_accounts(frame, accounts) or _wrong_values(frame)
    if problem:
        raise PluginError(f"plugin {scheme!r}: {problem}")
    scores = [column for column in frame.columns if column not in RESULT_COLUMNS]
    return frame.select(*RESULT_COLUMNS, *scores)


def share_table(run: SegmentRun, history: Frame) -> pl.DataFrame:
    """Return what each segment is worth, the best first.

    All of the history up to the run counts, whatever window the scheme looks at. One row a segment:

    * `segment`, `accounts`, `accounts_percent`;
    * `revenue`, in minor units: purchases less returns; `revenue_percent`, null if there is none in total;
    * `orders`: purchases, returned or not; `mean_order_value`, in minor units a purchase, before returns;
    * `mean_recency_days`: whole days of 86,400 s from an account's last purchase to the instant of the run,
      the mean over the accounts that bought.
    """
    return shares_of(run, spent_by(history, run.at))


def spent_by(history: Frame, at: datetime) -> pl.DataFrame:
    """Return of each account up to an instant: revenue, ordered, orders and bought_at, for `shares_of`."""
    import narwhals as nw

    bought = nw.col("kind") == "purchase"
    return collected(
        until(history, at, "history")
        .with_columns(
            revenue=nw.when(bought).then(nw.col("amount")).otherwise(-nw.col("amount")),
            ordered=nw.when(bought).then(nw.col("amount")).otherwise(0),
            orders=nw.when(bought).then(1).otherwise(0),
            bought_at=nw.when(bought).then(nw.col("at")),
        )
        .group_by("account")
        .agg(nw.col("revenue", "ordered", "orders").sum(), nw.col("bought_at").max())
    )


def shares_of(run: SegmentRun, spent: pl.DataFrame) -> pl.DataFrame:
    """Return what each segment is worth, as `share_table` does, by what each account spent up to the run."""
    import polars as pl

    elapsed = pl.lit(run.at) - pl.col("bought_at")
    return (
        run.frame.select("account", "segment")
        .join(spent, on="account", how="left")
        .group_by("segment")
        .agg(
            pl.len().cast(pl.Int64).alias("accounts"),
            pl.col("revenue", "ordered", "orders").sum().cast(pl.Int64),
            (elapsed.dt.total_seconds() // 86_400).mean().alias("mean_recency_days"),
        )
        .sort(["revenue", "segment"], descending=[True, False])
        .select(
            "segment",
            "accounts",
            (100 * pl.col("accounts") / pl.col("accounts").sum()).alias("accounts_percent"),
            "revenue",
            pl.when(pl.col("revenue").sum() > 0)
            .then(100 * pl.col("revenue") / pl.col("revenue").sum())
            .alias("revenue_percent"),
            "orders",
            pl.when(pl.col("orders") > 0).then(pl.col("ordered") / pl.col("orders")).alias("mean_order_value"),
            "mean_recency_days",
        )
    )


def _choose(
    plugins: Iterable[tuple[str, Plugin[Any]]], schemes: Collection[str] | None
) -> list[tuple[str, Plugin[Any]]]:
    known = [(scheme, plugin) for scheme, plugin in plugins if callable(getattr(plugin, "segment", None))]
    names = [scheme for scheme, _ in known]
    for scheme in schemes or ():
        if scheme not in names:
            have = f"; the program has {', '.join(names)}" if names else "; the program has none"
            raise PluginError(f"no segmentation scheme {scheme!r}{near(scheme, names)}{have}")
    return [(scheme, plugin) for scheme, plugin in known if schemes is None or scheme in schemes]


def _utc(at: datetime) -> datetime:
    if at.utcoffset() is None:
        raise PeriodError(f"segments are as of an instant, and {at.isoformat()} has no time zone")
    return at.astimezone(UTC)


def _need_extra() -> None:
    if not (find_spec("narwhals") and find_spec("polars")):
        raise StampbookError("segments need the analytics extra: pip install 'stampbook[analytics]'")


def _ask(scheme: str, plugin: Any, seen: RunFrames, at: datetime) -> object:
    named = signature(plugin.segment).parameters
    arguments: dict[str, Any] = {name: seen.frame(name, scheme) for name in frames_wanted(plugin) if name in named}
    if "at" in named:
        arguments["at"] = at
    try:
        return plugin.segment(**arguments)
    except Exception as error:
        error.add_note(f"in the segment hook of plugin {scheme!r}")
        raise


def _wrong_columns(frame: pl.DataFrame) -> str:
    import polars as pl

    for column, expected in RESULT_COLUMNS.items():
        if column not in frame.columns:
            return f"segment returned no column {column!r}{near(column, frame.columns)}"
        if frame.schema[column] != pl.String:
            return f"column {column!r} is {frame.schema[column]}, not {expected}"
    for column, dtype in frame.schema.items():
        if not (dtype.is_numeric() or dtype.is_temporal() or dtype in {pl.String, pl.Boolean}):
            return f"column {column!r} is {dtype}, not a number, text, truth value, date or time"
    return ""


def _wrong_accounts(frame: pl.DataFrame, accounts: pl.Series) -> str:
    import polars as pl

    given = frame["account"]
    if given.equals(accounts):
        return ""
    if given.n_unique() < len(given):
        twice = given.filter(given.is_duplicated()).sort()
        return f"account {twice[0]!r} has {(twice.eq_missing(twice[0])).sum()} rows instead of one"
    known = pl.DataFrame({"account": accounts})
    extra = frame.select("account").join(known, on="account", how="anti", nulls_equal=True)["account"].sort()
    if len(extra):
        return f"account {extra[0]!r} is not in the history{_and_more(len(extra))}"
    if len(given) < len(accounts):
        missing = known.join(frame, on="account", how="anti", nulls_equal=True)["account"].sort()
        return f"account {missing[0]!r} of the history has no segment{_and_more(len(missing))}"
    return ""


def _wrong_values(frame: pl.DataFrame) -> str:
    import polars as pl

    unnamed = frame.filter(pl.col("segment").str.strip_chars().fill_null("") == "")["account"].sort()
    if len(unnamed):
        return f"account {unnamed[0]!r} has an empty segment{_and_more(len(unnamed))}"
    for column, dtype in frame.schema.items():
        if dtype.is_float() and frame[column].is_nan().any():
            return f"column {column!r} holds NaN; a score that is not known is null"
    return ""


def _and_more(count: int) -> str:
    return f" (and {count - 1} more)" if count > 1 else ""
