"""What was there before an event: the earlier event that it names, or the same event, sent again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from stampbook.errors import DuplicateEventError
from stampbook.event_reading import first_difference
from stampbook.journal import earlier_of, happened_of
from stampbook.store.reading import accepted_entries

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stampbook.account import Account
    from stampbook.batch import Batch
    from stampbook.earlier import Earlier, Happened
    from stampbook.event_reading import EventReader
    from stampbook.events import Event
    from stampbook.ledger import Entry
    from stampbook.store import Key


def earlier_named(batch: Batch, key: Key, event: Event) -> Earlier | None:
    """Return the event that stands at a key, with those that named it since, where it was accepted.

    The lots that it moved are at hand afterwards, empty ones included.
    """
    if not hasattr(event, "about"):
        return None
    entries = entries_about(batch, key)
    return earlier_of(entries, batch.programs.judge_of(entries[0])) if entries else None


def entries_about(batch: Batch, key: Key) -> list[Entry]:
    """Return the entry of an accepted event, followed by those of the accepted events that named it since.

    The lots that it moved are at hand afterwards, empty ones included.
    """
    id_, seq = key
    kept = batch.session.related([key]).get(key, []) if seq <= batch.positions[id_] else []
    written = [entry for account, entry in batch.changes.entries if account.id == id_ and entry.accepted]
    entries = [*kept, *[entry for entry in written if seq in {entry.seq, entry.about}]]
    if not entries or entries[0].seq != seq:
        return []
    lots = batch.by_id[id_].lots
    ends = {end for posting in entries[0].postings for end in posting[2:4] if isinstance(end, int)}
    empty = {(id_, lot) for lot in ends if lot not in lots}
    if empty:
        batch.session.lots(batch.by_id, empty)
    return entries


def history_of(batch: Batch, account: Account) -> tuple[Happened, ...]:
    """Return all accepted events of an account, those of this batch included that are not written yet."""
    if not account.id:  # nobody's: what names no account is refused, whatever was before
        return ()
    kept = accepted_entries(batch.session, account.ref) if batch.positions.get(account.id) else []
    written = [entry for of, entry in batch.changes.entries if of.id == account.id]
    return happened_of([*kept, *written], batch.programs.judge_of)


def history_with_lots(batch: Batch, account: Account) -> tuple[Happened, ...]:
    """Return the same, with the lots at hand of which something expired: what looks back may put that right."""
    batch.load_expired([account.id])
    return history_of(batch, account)


def check_same(data: Mapping[str, Any], entry: Entry, reader: EventReader) -> None:
    """Check that an event that was sent again says what it said.

    Args:
        data: the event as it is sent now.
        entry: what was recorded under its id.
        reader: of the program that judged it.

    Raises:
        DuplicateEventError: it differs; the message names the key.
    """
    before = reader.read(orjson.loads(entry.payload), own=True)
    again = reader.read(data, own=True)
    if name := first_difference(before, again, reader.currency):
        message = (
            f"event {again.id!r} of source {again.source!r} was recorded before with another {name}; "
            "send new facts under a new id"
        )
        raise DuplicateEventError(message)
