"""What was there before an event: the earlier event that it names, or the same event, sent again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from stampbook.earlier import Happened
from stampbook.errors import DuplicateEventError
from stampbook.event_reading import first_difference
from stampbook.journal import AtHand, earlier_of, event_of
from stampbook.store.reading import accepted_heads, told_entries
from stampbook.store.rows import Key
from stampbook.store.session import SqlSession

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from stampbook.account import Account
    from stampbook.batch import Batch
    from stampbook.earlier import Earlier
    from stampbook.event_reading import EventReader
    from stampbook.events import Event
    from stampbook.ledger import Entry
    from stampbook.registry import Registry
    from stampbook.store.reading import Head


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
    written = AtHand((entry for of, entry in batch.changes.entries if of.id == account.id), batch.programs.judge_of)
    return (*_kept(batch, account), *written.history())


def _kept(batch: Batch, account: Account) -> list[Happened]:
    session = batch.session
    if not batch.positions.get(account.id):
        return []
    if not isinstance(session, SqlSession):
        return AtHand(session.journal(account.ref), batch.programs.judge_of).history()
    heads = accepted_heads(session, account.id)
    pages = _InBooks(session, account.id, heads, batch.programs.judge_of)
    return [Happened(*head, pages) for head in heads]


class _InBooks:
    """The accepted entries in the books: those of a type are read together, when the first is asked for."""

    def __init__(
        self, session: SqlSession, account_id: int, heads: Sequence[Head], judge_of: Callable[[Entry], Registry]
    ) -> None:
        self._session = session
        self._account_id = account_id
        self._heads = heads
        self._judge_of = judge_of
        self._entries: dict[int, Entry] = {}

    def entry(self, seq: int, type_: str) -> Entry:
        if seq not in self._entries:
            keys = [Key(self._account_id, head[0]) for head in self._heads if head[1] == type_]
            self._entries.update((entry.seq, entry) for entry in told_entries(self._session, keys))
        return self._entries[seq]

    def event(self, entry: Entry) -> Event:
        return event_of(entry, self._judge_of(entry))


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
