"""Segments of a ledger: its journal as a history, the schemes of its program run over it, what they said kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC
from importlib.util import find_spec
from itertools import islice
from typing import TYPE_CHECKING, Any

import orjson

from stampbook.account import OPEN
from stampbook.amounts import read_units
from stampbook.errors import PluginError, StampbookError, near
from stampbook.events import Purchase
from stampbook.periods import instant_of, moment_of
from stampbook.segments import SegmentRun, definition, run_segments, share_table
from stampbook.states import Judges
from stampbook.store.reading import history as history_rows
from stampbook.store.segment_runs import KeptRun, Membership, find_run, keep_run, members

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    import polars as pl

    from stampbook.engine import Engine
    from stampbook.registry import Registry
    from stampbook.store.reading import HistoryRow
    from stampbook.store.session import Session

_CHUNK = 50_000
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


@dataclass(frozen=True, slots=True)
class History:
    """Purchases and returns as segmentation sees them, and how many were left out: in another currency."""

    frame: pl.LazyFrame
    rows: int
    left_out: int


def segment(
    engine: Engine,
    *,
    at: int | None = None,
    schemes: Collection[str] | None = None,
    on_progress: Callable[[int], None] | None = None,
) -> tuple[list[Segmentation], History]:
    """Run the segmentation schemes of the program in force and keep what they say.

    A run for an instant and a definition that were run before is shown as it was kept, whatever was learned since.

    Args:
        engine: the ledger.
        at: the instant as of which accounts are judged, now where absent.
        schemes: names of those to run; None runs all.
        on_progress: called with how many purchases and returns have been read.

    Raises:
        PluginError: the program has no such scheme, or a scheme breaks its contract.
        StampbookError: the analytics extra is not installed.
    """
    if not (find_spec("narwhals") and find_spec("polars")):
        raise StampbookError("segments need the analytics extra: pip install 'stampbook[analytics]'")
    until = engine.clock() if at is None else at
    registry = engine.registry(until)
    plugins = registry.segmenters()
    if not plugins:
        raise PluginError(f"{registry.context.name} has no segmentation scheme; add [[plugin]] use = 'rfm' to it")
    names = [name for name, _ in plugins]
    for scheme in schemes or ():
        if scheme not in names:
            raise PluginError(
                f"no segmentation scheme {scheme!r}{near(scheme, names)}; the program has {', '.join(names)}"
            )
    moment = moment_of(until)
    past = history(engine, until, on_progress=on_progress)
    found: list[Segmentation] = []
    for name, plugin in plugins:
        if schemes is not None and name not in schemes:
            continue
        with engine.store.reader() as session:
            kept = find_run(session, name, until, definition(name, plugin))
        if kept is not None:
            shares = share_table(_kept_frame(engine, kept), past.frame)
            found.append(Segmentation(kept, shares, past.rows, is_new=False))
            continue
        run = run_segments([(name, plugin)], past.frame, moment)[0]
        found.append(Segmentation(_keep(engine, run), share_table(run, past.frame), past.rows, is_new=True))
    return found, past


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


def history(engine: Engine, until: int, *, on_progress: Callable[[int], None] | None = None) -> History:
    """Return accepted purchases and returns up to an instant as a frame; see `segments.HISTORY_COLUMNS`.

    Amounts are the order's total, and what of it came back. Those in another currency than the program's
    are left out: they cannot be added up.
    """
    import polars as pl

    schema = {
        "account": pl.String,
        "at": pl.Int64,
        "kind": pl.String,
        "amount": pl.Int64,
        "event": pl.String,
        "about": pl.String,
    }
    currency = engine.registry(until).context.currency.code
    judges = Judges(engine)
    frames: list[pl.DataFrame] = []
    chunk: list[tuple[Any, ...]] = []
    left_out = 0
    with engine.store.reader() as session:
        for row in _rows(session, until, judges, currency):
            if row is None:
                left_out += 1
                continue
            chunk.append(row)
            if len(chunk) == _CHUNK:
                frames.append(pl.DataFrame(chunk, schema=schema, orient="row"))
                chunk = []
                if on_progress is not None:
                    on_progress(len(frames) * _CHUNK)
    frames.append(pl.DataFrame(chunk, schema=schema, orient="row"))
    frame = pl.concat(frames).with_columns(pl.col("at").cast(pl.Datetime("us", "UTC")))
    return History(frame.lazy(), len(frame), left_out)


def _rows(session: Session, until: int, judges: Judges, currency: str) -> Iterator[tuple[Any, ...] | None]:
    for row in history_rows(session, until):
        registry = judges[row.program]
        payload = orjson.loads(row.payload)
        if (payload.get("currency") or registry.context.currency.code) != currency:
            yield None
            continue
        about = payload.get("purchase")
        if row.type == "purchase":
            amount, about = _total(payload, registry), None
        else:
            amount = _came_back(row)
            about = about and _name(payload.get("purchase_source") or row.source, about)
        yield row.ref, row.at, row.type, amount, _name(row.source, row.event_id), about


def _name(source: str, event_id: str) -> str:
    """Return an event's name that is unique over all sources: no source and no id holds a tab."""
    return event_id if source == "default" else f"{source}\t{event_id}"


def _total(payload: dict[str, Any], registry: Registry) -> int:
    """Return an order's total; its event was checked when it was recorded, so that what it says of itself holds."""
    decimals = registry.context.currency.decimals
    if payload.get("total") is not None:
        return read_units(payload["total"], decimals)
    if not any(payload.get(key) for key in ("lines", "discount", "tax_added")):
        return read_units(payload["amount"], decimals)
    event = registry.reader.read(payload, own=True)
    assert isinstance(event, Purchase)  # noqa: S101 - narrows for the type checker
    return event.order_in(registry.context.currency.code).total


def _came_back(row: HistoryRow) -> int:
    memo = orjson.loads(row.effects).get("memo", {})
    if memo.get("unknown_purchase"):
        return int(memo["outside"])
    return sum(value for _, _, value in memo.get("came", ()))


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
