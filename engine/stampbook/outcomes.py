"""What became of an event: the answer that its sender gets, now and whenever it is sent again."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from stampbook.ledger import Entry, Objection, Posting
from stampbook.partial import InPart, in_part

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stampbook.errors import StampbookError

log = logging.getLogger("stampbook")

ACCEPTED = "accepted"
REFUSED = "refused"
MALFORMED = "malformed"
FAILED = "failed"


@dataclass(slots=True)
class Outcome:
    """What became of one event.

    `status` is ``accepted``, ``refused`` (with `objections`; remembered like any outcome), ``malformed`` (with
    `error`; nothing was recorded) or ``failed``: a rule or plugin of the program failed on it (with `error`; nothing
    was recorded, mend the program and send the event again). `replayed` says that the id was known and this is its
    first outcome.
    `error` is the exception itself, so that a caller may raise it. `exchange` says of a purchase in exchange by which
    `event` something came back, and where that goes, as the memo of a return does.
    """

    status: str
    source: str
    id: str
    account: str
    type: str = ""
    seq: int = 0
    replayed: bool = False
    objections: tuple[Objection, ...] = ()
    postings: tuple[Posting, ...] = ()
    effects: bytes = b"{}"
    error: StampbookError | None = None
    exchange: Mapping[str, Any] | None = None

    @property
    def accepted(self) -> bool:
        """Whether the event has a transaction."""
        return self.status == ACCEPTED

    @property
    def memo(self) -> dict[str, Any]:
        """What the transaction left for later: of a return what came, what was settled and what was refunded."""
        memo: dict[str, Any] = orjson.loads(self.effects).get("memo", {})
        return memo

    @property
    def in_part(self) -> tuple[InPart, ...]:
        """What was paid of amounts that could be paid in part, and what is left to pay of each."""
        return in_part(self.memo) if self.accepted and b'"partial":' in self.effects else ()


def outcome_of(entry: Entry, ref: str) -> Outcome:
    """Return the outcome that a journal entry keeps, of an event that named the account `ref`."""
    status, objections = ACCEPTED, tuple[Objection, ...]()
    if not entry.accepted:
        status = REFUSED
        objections = tuple(Objection(*objection) for objection in orjson.loads(entry.trace)["objections"])
    return Outcome(
        status,
        entry.source,
        entry.id,
        ref,
        entry.type,
        entry.seq,
        objections=objections,
        postings=entry.postings,
        effects=entry.effects,
        exchange=orjson.loads(entry.trace).get("exchange") if b'"exchange":' in entry.trace else None,
    )
