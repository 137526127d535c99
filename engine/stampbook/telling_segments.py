"""Telling accounts in which segment they are: an event for each that changed, so that rules can ask and react."""

from __future__ import annotations

from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from stampbook.errors import StampbookError
from stampbook.periods import moment_of
from stampbook.segment_tables import SCORE_DECIMALS, score_fact, segment_fact
from stampbook.store.segment_runs import closed_accounts, fact_values, members

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from stampbook.engine import Engine
    from stampbook.registry import Registry
    from stampbook.store.segment_runs import KeptRun

_TOLD_AT_ONCE = 1_000


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
    names = (*table.scores, *table.texts)
    with engine.store.reader() as session:
        segments = fact_values(session, segment_fact(run.scheme), run.at)
        known = {name: fact_values(session, score_fact(run.scheme, name), run.at) for name in names}
        closed = closed_accounts(session)
    at = moment_of(run.at).isoformat()
    for member in members(engine.store, run.scheme, run.at):
        ref, before = member.account, segments.get(member.account, "")
        if ref in closed or registry.owner(ref) is not None:
            continue
        said: Mapping[str, Any] = orjson.loads(member.scores) if names else {}
        scores = {name: _text(said[name]) for name in names if name in said}
        scores = {name: value for name, value in scores.items() if value or known[name].get(ref)}
        if member.segment == before and all(known[name].get(ref, "") == value for name, value in scores.items()):
            continue
        event: dict[str, Any] = {
            "type": "segment.changed",
            "source": f"segments:{run.scheme}",
            "account": ref,
            "at": at,
            "scheme": run.scheme,
            "segment": member.segment,
            "definition": run.definition[:8],
        }
        if before:
            event["before"] = before
        if scores:
            event["scores"] = scores
        yield {**event, "id": _id(event, run)}


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
