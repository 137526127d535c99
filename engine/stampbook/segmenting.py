"""Segments of a ledger: the schemes of its program run over its journal, and what they said kept and told."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import UTC
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

import orjson

from stampbook.archive import archive_in
from stampbook.combining import combined
from stampbook.errors import InputError, PluginError, StampbookError, near
from stampbook.foreign import check_frames
from stampbook.histories import History, read_frames
from stampbook.keeping import Kept, Move, Policy, keep
from stampbook.periods import instant_of, moment_of
from stampbook.population import frames_wanted
from stampbook.segments import SegmentRun, definition, runs_of, shares_of, spent_by
from stampbook.store.segment_columns import members
from stampbook.store.segment_runs import KeptRun, find_run, runs, scores_of
from stampbook.telling_segments import Told, tell

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from pathlib import Path

    import polars as pl

    from stampbook.engine import Engine
    from stampbook.plugin import Plugin
    from stampbook.population import Frames
    from stampbook.registry import Registry


_ORIGIN: Final = "--history"
"""Under what name options of a run keep what it looked at: that of no option of a scheme."""


@dataclass(frozen=True, slots=True)
class Segmentation:
    """A kept run of a scheme, with what each segment is worth (see `segments.share_table`).

    Attributes:
        run: the run.
        shares: what its segments are worth.
        rows: purchases and returns up to its instant.
        is_new: whether it was made now, or was kept before and is only shown again.
        moved: the accounts that it moved, as the program's policy lets it: `account`, `before` and `segment`; None
            where nobody could be.
        told: how many accounts were told, and refused it; None where `[segments]` has no table of the scheme.
    """

    run: KeptRun
    shares: pl.DataFrame
    rows: int
    is_new: bool
    moved: pl.DataFrame | None = None
    told: Told | None = None

    @property
    def moves(self) -> tuple[Move, ...]:
        """The accounts that it moved, in the order of their refs."""
        return () if self.moved is None else tuple(map(Move._make, self.moved.iter_rows()))


def segment(
    engine: Engine,
    *,
    at: int | None = None,
    schemes: Collection[str] | None = None,
    on_progress: Callable[[int], None] | None = None,
    source: Callable[[frozenset[str]], Frames] | None = None,
    origin: str = "",
    archive: Path | None = None,
    also: Frames | None = None,
) -> tuple[list[Segmentation], History]:
    """Run the segmentation schemes of the program in force and keep what they say.

    A run for an instant and a definition that were run before is shown as it was kept, whatever was learned since.

    Args:
        engine: the ledger.
        at: the instant as of which accounts are judged, now where absent.
        schemes: names of those to run; None runs all.
        on_progress: called with how many purchases and returns have been read.
        source: where frames come from that are not read here, given the names of those that are wanted.
        origin: what those are of, if not of the ledger; such a run is never taken for one of the ledger.
        archive: a folder that keeps the history as Parquet, so that next time only what is new is read.
        also: what another system knew, to be looked at besides the ledger, see `combining`; `origin` says which.

    Raises:
        PluginError: the program has no such scheme, or a scheme breaks its contract.
        InputError: the instant is still to come, or frames of a source do not keep their promises.
        StampbookError: the analytics extra is not installed.
    """
    if not (find_spec("narwhals") and find_spec("polars")):
        raise StampbookError("segments need the analytics extra: pip install 'stampbook[analytics]'")
    now = engine.clock()
    instant = now if at is None else at
    registry = engine.registry(instant)
    _check_past(registry, instant, now)
    plugins = registry.segmenters()
    if not plugins:
        raise PluginError(f"{registry.context.name} has no segmentation scheme; add [[plugin]] use = 'rfm' to it")
    names = [name for name, _ in plugins]
    for scheme in schemes or ():
        if scheme not in names:
            raise PluginError(
                f"no segmentation scheme {scheme!r}{near(scheme, names)}; the program has {', '.join(names)}"
            )
    moment = moment_of(instant)
    asked = [(name, plugin) for name, plugin in plugins if schemes is None or name in schemes]
    wanted = frozenset[str]().union(*(frames_wanted(plugin) for _, plugin in asked))
    with ExitStack() as in_use:
        if source is None:
            place = None if archive is None else in_use.enter_context(archive_in(archive))
            past = read_frames(engine, instant, wanted, archive=place, on_progress=on_progress)
            past = past if also is None else combined(engine, past, also, instant)
        else:
            frames = source(wanted)
            past = History(frames, check_frames(frames, moment.astimezone(UTC)), 0)
        return list(_made(engine, registry, asked, past, instant, origin)), past


def _check_past(registry: Registry, instant: int, now: int) -> None:
    """Refuse a run as of what is to come: it would stay the latest until then, and no other could tell anybody."""
    if instant > now:
        iso = registry.context.calendar.iso
        raise InputError(
            f"segments are kept as of what has happened, and {iso(instant)} is still to come: it is {iso(now)} now; "
            "leave the time away, or name yesterday"
        )


def _made(
    engine: Engine, registry: Registry, asked: Sequence[tuple[str, Plugin[Any]]], past: History, at: int, origin: str
) -> Iterator[Segmentation]:
    """Make and keep the runs of schemes that were not made before, and tell accounts of them."""
    meanings = {name: definition(name, plugin, origin) for name, plugin in asked}
    with engine.store.reader() as session:
        known = {name: find_run(session, name, at, meaning) for name, meaning in meanings.items()}
    news = runs_of([each for each in asked if known[each[0]] is None], past.frames, moment_of(at))
    spent = spent_by(past.frames.history, moment_of(at).astimezone(UTC))
    for name, plugin in asked:
        before = known[name]
        if before is None:
            run = replace(next(news), definition=meanings[name])
            _check_scores(registry, run)
            kept, moved, everybody = _keep(engine, registry, plugin, run, origin)
        else:
            kept, moved, everybody = Kept(before, None, None)
        shares = shares_of(_kept_frame(engine, kept, everybody), spent)
        told = _tell(engine, registry, kept)
        yield Segmentation(kept, shares, past.rows, before is None, moved, told)


def reasons(engine: Engine, ref: str) -> dict[str, tuple[str, ...]]:
    """Say in sentences, scheme by scheme, why the latest runs put an account where they did.

    A scheme that has another definition by now, or is no longer in the program, says nothing.
    """
    schemes = dict(engine.registry().segmenters())
    told: dict[str, tuple[str, ...]] = {}
    for run, member in scores_of(engine.store, ref):
        plugin = schemes.get(run.scheme)
        if plugin is not None and definition(run.scheme, plugin, _origin(run)) == run.definition:
            row = {"account": ref, "segment": member.segment, **orjson.loads(member.scores)}
            told[run.scheme] = tuple(plugin.reasons(row, orjson.loads(run.findings)))
    return told


def summary(engine: Engine, run: KeptRun) -> tuple[str, ...]:
    """Say in sentences what a run found out; nothing where its scheme has another definition by now, or is gone."""
    plugin = dict(engine.registry().segmenters()).get(run.scheme)
    if plugin is None or definition(run.scheme, plugin, _origin(run)) != run.definition:
        return ()
    return tuple(plugin.summary(orjson.loads(run.findings)))


def policy_of(registry: Registry, scheme: str) -> Policy:
    """Return what holds accounts in their segments of a scheme, as the program's `[segments]` says."""
    table = registry.file.segments.get(scheme)
    if table is None:
        return Policy()
    stays = None if table.minimum_stay is None else table.minimum_stay.ends(registry.context.calendar)
    return Policy(stays, table.confirm_runs, frozenset(table.at_once))


def _origin(run: KeptRun) -> str:
    """Return what a run looked at, where that was not the ledger alone."""
    return str(orjson.loads(run.options).get(_ORIGIN, ""))


def _keep(engine: Engine, registry: Registry, plugin: Plugin[Any], run: SegmentRun, origin: str) -> Kept:
    counts = dict(run.frame.group_by("segment").len().sort("segment").iter_rows())
    config = plugin.config.model_dump(mode="json")
    kept = KeptRun(
        0,
        run.scheme,
        instant_of(run.at),
        run.definition,
        engine.clock(),
        len(run.frame),
        round(run.took_ms),
        str(config.get("window", "lifetime")),
        orjson.dumps({**config, **({_ORIGIN: origin} if origin else {})}).decode(),
        orjson.dumps(counts).decode(),
        orjson.dumps(dict(run.findings)).decode(),
    )
    with engine.store.writer() as session:
        return keep(session, kept, run.frame, policy_of(registry, run.scheme))


def _tell(engine: Engine, registry: Registry, run: KeptRun) -> Told | None:
    """Tell accounts what a run found, if rules are to know of its scheme; a run that a later one overtook is silent."""
    if run.scheme not in registry.file.segments:
        return None
    if runs(engine.store, scheme=run.scheme)[0].id != run.id:
        return Told()
    return tell(engine, registry, run)


def _check_scores(registry: Registry, run: SegmentRun) -> None:
    """Refuse scores that the program's `[segments]` has rules read and the scheme does not have, or not as numbers."""
    import polars as pl

    table = registry.file.segments.get(run.scheme)
    schema = {name: dtype for name, dtype in run.frame.schema.items() if name not in {"account", "segment"}}
    for name in () if table is None else (*table.scores, *table.texts):
        where = f"[segments.{run.scheme}] of {registry.context.name}"
        if name not in schema:
            hint = near(name, schema) or f"; it has {', '.join(schema) or 'none'}"
            raise PluginError(f"{where}: {run.scheme} has no score {name!r}{hint}")
        if table is not None and name in table.scores and not (schema[name].is_numeric() or schema[name] == pl.Boolean):
            raise PluginError(f"{where}: score {name!r} is no number; name it in texts, not in scores")


def _kept_frame(engine: Engine, kept: KeptRun, everybody: pl.DataFrame | None) -> SegmentRun:
    """Return who is where at the instant of a kept run: `everybody`, or as it stands in the books."""
    if everybody is None:
        with engine.store.reader() as session:
            everybody = members(session, kept.scheme, kept.at).select("account", "segment")
    moment = moment_of(kept.at).astimezone(UTC)
    return SegmentRun(kept.scheme, moment, kept.definition, everybody, kept.took_ms, 0, len(everybody))
