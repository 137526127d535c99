"""What a report needs, from a ledger or any other history: what the schemes of a program say of it at some instants.

Schemes are run anew and nothing is kept, so that a report can be made of a ledger that may only be read.
"""

from __future__ import annotations

from datetime import datetime
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

from stampbook.errors import InputError, PluginError, near
from stampbook.periods import instant_of, moment_of
from stampbook.population import Frames, frames_wanted
from stampbook.segment_report.look import needs_plots
from stampbook.segment_report.survey import Judged, Survey, leading
from stampbook.segments import run_segments

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    import polars as pl

    from stampbook.engine import Engine
    from stampbook.periods import Calendar
    from stampbook.population import Frame
    from stampbook.registry import Registry

MONTHS_BACK: Final = 3
"""How many months before the report lies the date with which it is compared, where none is named."""

DATES: Final = 6
"""At how many dates, a month apart, stages of life are counted."""


def survey_of(
    engine: Engine,
    *,
    at: int | None = None,
    since: int | None = None,
    scheme: str = "",
    on_progress: Callable[[int], None] | None = None,
) -> Survey:
    """Read a ledger and run the schemes of its program, as of an instant and of earlier ones.

    Args:
        engine: the ledger.
        at: the instant of the report, now where absent.
        since: the instant with which it is compared; three months before where absent.
        scheme: whose segments are mapped and whose moves are told.
        on_progress: called with how many purchases and returns have been read.

    Raises:
        PluginError: the program has no scheme, or none of that name, or one breaks its contract.
        InputError: `since` comes after `at`.
        StampbookError: the plots extra is not installed.
    """
    if not all(map(find_spec, ("polars", "narwhals", "altair", "vl_convert"))):
        raise needs_plots()
    from stampbook.histories import read_frames

    until = engine.clock() if at is None else at
    registry = engine.registry(until)
    _check_scheme(registry, scheme)
    wanted = frozenset[str]().union(*(frames_wanted(plugin) for _, plugin in registry.segmenters()))
    past = read_frames(engine, until, wanted, on_progress=on_progress)
    return survey(registry, past.frames, until, since=since, scheme=scheme, left_out=past.left_out)


def survey(
    registry: Registry,
    frames: pl.LazyFrame | Frames,
    at: int,
    *,
    since: int | None = None,
    scheme: str = "",
    left_out: int = 0,
) -> Survey:
    """Run the schemes of a program over a history, as of an instant and of earlier ones; see `survey_of`.

    Raises:
        PluginError: the program has no scheme, or none of that name, or one breaks its contract.
        InputError: `since` comes after `at`.
    """
    _check_scheme(registry, scheme)
    context = registry.context
    earlier = months_before(at, MONTHS_BACK, context.calendar) if since is None else since
    if earlier > at:
        raise InputError(
            f"{context.calendar.iso(earlier)} comes after {context.calendar.iso(at)}: compare with a date before"
        )
    runs = _judge(registry, frames, at)
    whose = leading(runs, scheme)
    lives = [run.scheme for run in runs if run.plugin == "lifecycle"][:1]
    dates = [months_before(at, months, context.calendar) for months in reversed(range(DATES))] if lives else []
    over_time = [run for date in dates[:-1] for run in _judge(registry, frames, date, lives)]
    over_time += [run for run in runs if run.scheme in lives]
    return Survey(
        program=context.name,
        program_hash=registry.hash,
        currency=context.currency,
        zone=context.calendar.zone,
        at=moment_of(at),
        since=moment_of(earlier),
        history=_of_polars(frames.history if isinstance(frames, Frames) else frames),
        runs=runs,
        before=() if whose is None else _judge(registry, frames, earlier, [whose.scheme]),
        over_time=tuple(over_time),
        left_out=left_out,
        main=scheme,
    )


def _check_scheme(registry: Registry, scheme: str) -> None:
    names = [name for name, _ in registry.segmenters()]
    if not names:
        raise PluginError(f"{registry.context.name} has no segmentation scheme; add [[plugin]] use = 'rfm' to it")
    if scheme and scheme not in names:
        raise PluginError(f"no segmentation scheme {scheme!r}{near(scheme, names)}; the program has {', '.join(names)}")


def _judge(
    registry: Registry, frames: pl.LazyFrame | Frames, at: int, schemes: Collection[str] | None = None
) -> tuple[Judged, ...]:
    plugins = dict(registry.segmenters())
    return tuple(
        Judged(
            run,
            type(plugins[run.scheme]).__module__.partition(".")[0].removeprefix("stampbook_"),
            run.findings,
            str(getattr(plugins[run.scheme].config, "by", "")),
        )
        for run in run_segments(plugins.items(), frames, moment_of(at), schemes)
    )


def months_before(instant: int, months: int, calendar: Calendar) -> int:
    """Return the same local time so many months before; a day that the month lacks becomes its last.

    The end of a day, its last microsecond, goes back to the end of a day, and so the end of a month to that of a month.
    """
    day = calendar.day(instant)
    if calendar.day(instant + 1) != day:
        return calendar.start_of(calendar.add_months(day + 1, -months)) - 1
    start = calendar.local(calendar.start_of(calendar.add_months(day, -months)))
    return instant_of(datetime.combine(start.date(), calendar.local(instant).timetz()))


def _of_polars(frame: Frame) -> pl.LazyFrame:
    import polars as pl

    return frame if isinstance(frame, pl.LazyFrame) else frame.collect("polars").to_native().lazy()
