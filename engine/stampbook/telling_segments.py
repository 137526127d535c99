"""Telling accounts in which segment they are: an event for each that changed, so that rules can ask and react."""

from __future__ import annotations

from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from stampbook.errors import StampbookError
from stampbook.periods import moment_of
from stampbook.segment_tables import SCORE_DECIMALS, score_fact, segment_fact
from stampbook.store import segment_columns

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import polars as pl

    from stampbook.engine import Engine
    from stampbook.registry import Registry
    from stampbook.store.segment_runs import KeptRun
    from stampbook.store.session import Session

_TOLD_AT_ONCE = 1_000
_NEWS = ("account", "segment", "before", "scores")
"""The columns of what there is to tell; scores are JSON of texts."""


class Told(NamedTuple):
    """How many accounts were told of a run, and how many refused it: by a limit of the program, for example."""

    told: int = 0
    refused: int = 0


def tell(engine: Engine, registry: Registry, run: KeptRun) -> Told:
    """Tell open and frozen accounts where a run left them, if something else is known of them.

    The event `segment.changed` tells it, at the instant of the run. So it stands in the account's journal, and telling
    twice, or again after being interrupted, does nothing.

    Args:
        engine: the ledger.
        registry: the program of the run's instant, with a `[segments]` table of its scheme.
        run: the latest run of its scheme.

    Raises:
        StampbookError: a rule failed on some of the events; all others are told.
    """
    told = refused = 0
    failed: list[str] = []
    events = _events(engine, registry, run)
    while some := list(islice(events, _TOLD_AT_ONCE)):
        for event, outcome in zip(some, engine.process(some), strict=True):
            if outcome.error is not None:
                failed.append(f"account {event['account']}: {outcome.error}")
            elif not outcome.replayed:
                told += outcome.accepted
                refused += not outcome.accepted
    if failed:
        raise StampbookError(
            f"{run.scheme} was run and kept, and {told} accounts were told, but {len(failed)} could not be: "
            f"{failed[0]}; mend the program and run it again for the same instant"
        )
    return Told(told, refused)


def _events(engine: Engine, registry: Registry, run: KeptRun) -> Iterator[dict[str, Any]]:
    table = registry.file.segments[run.scheme]
    with engine.store.reader() as session:
        news = _news(session, run, (*table.scores, *table.texts))
    at = moment_of(run.at).isoformat()
    for ref, segment, before, told in news.iter_rows():
        if registry.owner(ref) is not None:
            continue
        event: dict[str, Any] = {
            "type": "segment.changed",
            "source": f"segments:{run.scheme}",
            "account": ref,
            "at": at,
            "scheme": run.scheme,
            "segment": segment,
            "definition": run.definition[:8],
        }
        if before:
            event["before"] = before
        if scores := orjson.loads(told):
            event["scores"] = scores
        yield {**event, "id": _id(event, run)}


def _news(session: Session, run: KeptRun, names: Sequence[str]) -> pl.DataFrame:
    """Return what accounts are not known to be, those that are closed left out, in the order of their refs."""
    import polars as pl

    there = segment_columns.members(session, run.scheme, run.at)
    there = there.join(segment_columns.closed(session), on="id", how="anti")
    known = segment_columns.facts(session, segment_fact(run.scheme), run.at)
    there = there.join(known.rename({"value": "before"}), on="id", how="left").with_columns(
        pl.col("before").fill_null("")
    )
    is_elsewhere = pl.col("segment") != pl.col("before")
    if not names:
        return there.filter(is_elsewhere).with_columns(scores=pl.lit("{}")).select(_NEWS).sort("account")
    for place, name in enumerate(names):
        known = segment_columns.facts(session, score_fact(run.scheme, name), run.at)
        there = there.join(known.rename({"value": f"known {place}"}), on="id", how="left")
    found, scored = [], [there.select("id").clear()]
    for some in segment_columns.scores(session, run):
        scored.append(some.select("id"))
        found.append(_differing(there.join(some, on="id"), names))
    others = there.join(pl.concat(scored), on="id", how="anti").filter(is_elsewhere)
    found.append(others.with_columns(scores=pl.lit("{}")).select(_NEWS))
    return pl.concat(found).sort("account")


def _differing(some: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    """Return those of whom a segment or a score is not known as a run said it, with their scores as they are told."""
    import polars as pl

    said = orjson.loads(f"[{','.join(some['scores'].to_list())}]")
    known = [some[f"known {place}"].to_list() for place in range(len(names))]
    there = some.select("account", "segment", "before").iter_rows()
    rows = []
    for (ref, segment, before), scores, *knew in zip(there, said, *known, strict=True):
        texts = {
            name: (_text(scores[name]), was or "") for name, was in zip(names, knew, strict=True) if name in scores
        }
        told = {name: value for name, (value, was) in texts.items() if value or was}
        if segment != before or any(value != was for value, was in texts.values()):
            rows.append((ref, segment, before, orjson.dumps(told).decode()))
    return pl.DataFrame(rows, schema=dict.fromkeys(_NEWS, pl.String), orient="row")


def _id(event: Mapping[str, Any], run: KeptRun) -> str:
    """Return an id by the run and all that an event says: with other scores, or by another run, it was another."""
    return sha256(orjson.dumps({**event, "run": run.id}, option=orjson.OPT_SORT_KEYS)).hexdigest()[:32]


def _text(score: Any) -> str:
    """Return a score as decimal text, and one that is not known as an empty one; what is no number as it is."""
    if score is None:
        return ""
    if isinstance(score, bool):
        return str(int(score))
    if isinstance(score, float):
        return f"{score:.{SCORE_DECIMALS}f}".rstrip("0").rstrip(".")
    return str(score)
