"""Telling accounts in which segment they are: an event for each that changed, so that rules can ask and react."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any

import orjson

from stampbook.periods import moment_of
from stampbook.segment_tables import SCORE_DECIMALS, score_fact, segment_fact
from stampbook.store.segment_runs import closed_accounts, fact_values, members

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from stampbook.engine import Engine
    from stampbook.store.segment_runs import KeptRun

_TOLD_AT_ONCE = 1_000


def tell(engine: Engine, run: KeptRun, scores: Sequence[str]) -> int:
    """Tell open and frozen accounts where a run left them, if something else is known of them; return how many.

    The event `segment.changed` tells it, at the instant of the run. So it stands in the account's journal, and telling
    twice, or again after being interrupted, does nothing.

    Args:
        engine: the ledger.
        run: the latest run of its scheme.
        scores: which scores are told with it; a change of one is told, too.
    """
    told = 0
    events = _events(engine, run, scores)
    while some := list(islice(events, _TOLD_AT_ONCE)):
        told += sum(outcome.accepted and not outcome.replayed for outcome in engine.process(some))
    return told


def _events(engine: Engine, run: KeptRun, scores: Sequence[str]) -> Iterator[dict[str, Any]]:
    with engine.store.reader() as session:
        segments = fact_values(session, segment_fact(run.scheme), run.at)
        known = {name: fact_values(session, score_fact(run.scheme, name), run.at) for name in scores}
        closed = closed_accounts(session)
    at = moment_of(run.at).isoformat()
    for member in members(engine.store, run.scheme, run.at):
        before = segments.get(member.account, "")
        found = _told(orjson.loads(member.scores), scores) if scores else {}
        same = all(known[name].get(member.account, "") == value for name, value in found.items())
        if (member.segment == before and same) or member.account in closed:
            continue
        event: dict[str, Any] = {
            "type": "segment.changed",
            "id": f"{run.at}:{run.definition[:8]}:{member.account}",
            "source": f"segments:{run.scheme}",
            "account": member.account,
            "at": at,
            "scheme": run.scheme,
            "segment": member.segment,
            "definition": run.definition[:8],
        }
        if before:
            event["before"] = before
        if found:
            event["scores"] = found
        yield event


def _told(scores: Mapping[str, Any], names: Sequence[str]) -> dict[str, str]:
    return {name: _text(scores[name]) for name in names if scores.get(name) is not None}


def _text(score: Any) -> str:
    """Return a score as decimal text; what is no number as 1, 0 or as it is."""
    if isinstance(score, bool):
        return str(int(score))
    if isinstance(score, float):
        return f"{score:.{SCORE_DECIMALS}f}".rstrip("0").rstrip(".")
    return str(score)
