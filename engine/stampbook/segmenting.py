"""Segments of a ledger: its journal as a history, the schemes of its program run over it, what they said kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from importlib.util import find_spec
from itertools import islice
from typing import TYPE_CHECKING

import orjson

from stampbook.account import OPEN
from stampbook.errors import PluginError, StampbookError, near
from stampbook.histories import History, read_frames
from stampbook.periods import instant_of, moment_of
from stampbook.population import frames_wanted, until
from stampbook.segments import SegmentRun, definition, run_segments, share_table
from stampbook.store.segment_runs import KeptRun, Membership, find_run, keep_run, members

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from datetime import datetime

    import polars as pl

    from stampbook.engine import Engine
    from stampbook.population import Frames

_TOLD_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Segmentation:
    """A kept run of a scheme, with what each segment is worth (see `segments.share_table`).

    `is_new` says whether the run was made now, or was kept before and is only shown again.
    """

    run: KeptRun
    shares: pl.DataFrame
    rows: int
    is_new: bool


def segment(
    engine: Engine,
    *,
    at: int | None = None,
    schemes: Collection[str] | None = None,
    on_progress: Callable[[int], None] | None = None,
    source: Callable[[frozenset[str]], Frames] | None = None,
) -> tuple[list[Segmentation], History]:
    """Run the segmentation schemes of the program in force and keep what they say.

    A run for an instant and a definition that were run before is shown as it was kept, whatever was learned since.

    Args:
        engine: the ledger.
        at: the instant as of which accounts are judged, now where absent.
        schemes: names of those to run; None runs all.
        on_progress: called with how many purchases and returns have been read.
        source: where frames come from that are not the ledger's own, given the names of those that are wanted.

    Raises:
        PluginError: the program has no such scheme, or a scheme breaks its contract.
        StampbookError: the analytics extra is not installed.
    """
    if not (find_spec("narwhals") and find_spec("polars")):
        raise StampbookError("segments need the analytics extra: pip install 'stampbook[analytics]'")
    instant = engine.clock() if at is None else at
    registry = engine.registry(instant)
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
    past = (
        read_frames(engine, instant, wanted, on_progress=on_progress)
        if source is None
        else _counted(source(wanted), moment.astimezone(UTC))
    )
    found: list[Segmentation] = []
    for name, plugin in asked:
        with engine.store.reader() as session:
            kept = find_run(session, name, instant, definition(name, plugin))
        if kept is not None:
            shares = share_table(_kept_frame(engine, kept), past.frames.history)
            found.append(Segmentation(kept, shares, past.rows, is_new=False))
            continue
        [run] = run_segments([(name, plugin)], past.frames, moment)
        found.append(Segmentation(_keep(engine, run), share_table(run, past.frames.history), past.rows, is_new=True))
    return found, past


def _counted(frames: Frames, at: datetime) -> History:
    import narwhals as nw

    rows = until(frames.history, at, "history").select(rows=nw.len()).collect("polars")
    return History(frames, int(rows.item()), 0)


def declare(engine: Engine, run: KeptRun, attribute: str) -> int:
    """Tell accounts in which segment a run put them, as an attribute that rules read; return how many were told.

    The event `account.described` tells it, at the instant as of which the run was made, to open accounts of which
    something else is known. So it stands in their journals, and doing it twice does nothing.

    Raises:
        PluginError: the program declares no such attribute of text.
    """
    attributes = engine.registry(run.at).context.attributes
    if attributes.get(attribute) != "text":
        raise PluginError(f"no attribute {attribute!r} of text{near(attribute, attributes)}; declare it: [attributes]")
    told = 0
    found = members(engine.store, run.id)
    while some := list(islice(found, _TOLD_AT_ONCE)):
        with engine.store.reader() as session:
            accounts = session.accounts([member.account for member in some])
            session.fill(accounts.values(), None)
        events = [
            {
                "type": "account.described",
                "id": f"{run.at}:{run.definition[:8]}:{member.account}",
                "source": f"segments:{run.scheme}",
                "account": member.account,
                "at": moment_of(run.at).isoformat(),
                "attributes": {attribute: member.segment},
            }
            for member in some
            if accounts[member.account].status == OPEN
            and ((fact := accounts[member.account].fact(attribute, run.at)) is None or fact.value != member.segment)
        ]
        told += sum(outcome.accepted and not outcome.replayed for outcome in engine.process(events))
    return told


def _keep(engine: Engine, run: SegmentRun) -> KeptRun:
    kept = KeptRun(
        0, run.scheme, instant_of(run.at), run.definition, engine.clock(), len(run.frame), round(run.took_ms)
    )
    scores = [column for column in run.frame.columns if column not in {"account", "segment"}]
    with engine.store.writer() as session:
        return keep_run(
            session,
            kept,
            (
                Membership(row["account"], row["segment"], orjson.dumps({name: row[name] for name in scores}).decode())
                for row in run.frame.iter_rows(named=True)
            ),
        )


def _kept_frame(engine: Engine, kept: KeptRun) -> SegmentRun:
    import polars as pl

    rows = [(member.account, member.segment) for member in members(engine.store, kept.id)]
    frame = pl.DataFrame(rows, schema={"account": pl.String, "segment": pl.String}, orient="row")
    return SegmentRun(
        kept.scheme, moment_of(kept.at).astimezone(UTC), kept.definition, frame, kept.took_ms, 0, len(frame)
    )
