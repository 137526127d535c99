"""The whole journal as a stream, for exports: every function reads in flat memory, whatever the books hold."""

from __future__ import annotations

from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Literal, NamedTuple

from stampbook.periods import NEVER
from stampbook.store.reading import sql_session
from stampbook.store.rows import Key

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from stampbook.ledger import Entry
    from stampbook.store.session import Session, SqlSession

Order = Literal["recorded", "happened"]

_CHUNK = 2000
"""How many journal entries are fetched at once."""

_ORDERS: Mapping[Order, str] = {
    "recorded": "recorded_at, account_id, seq",
    "happened": "at, recorded_at, account_id, seq",
}


class Span(NamedTuple):
    """Which entries: those of events that happened from `since` until just before `until`."""

    since: int = -NEVER
    until: int = NEVER


class Journalled(NamedTuple):
    """A journal entry with the ref of its account (empty where it had none) and the kinds of the lots it names."""

    ref: str
    entry: Entry
    kinds: Mapping[int, str]


class Balance(NamedTuple):
    """What one account has of an asset in lots of one kind."""

    ref: str
    kind: str
    asset: str
    units: int


def count_entries(session: Session, span: Span) -> int:
    """Return how many entries `journal_stream` will yield."""
    sql = "SELECT count(*) FROM journal WHERE at >= ? AND at < ?"
    number: int = sql_session(session).rows(sql, list(span))[0][0]
    return number


def first_posted(session: Session) -> int | None:
    """Return the earliest instant at which anything moved; None where nothing did."""
    sql = "SELECT min(at) FROM journal WHERE postings <> '[]'"
    earliest: int | None = sql_session(session).rows(sql)[0][0]
    return earliest


def journal_stream(session: Session, order: Order, span: Span) -> Iterator[Journalled]:
    """Yield all journal entries.

    Args:
        session: one reading transaction.
        order: as they were recorded (then by account and position), or as they happened (then as recorded).
            Either way the entries of one account that share an instant keep their order.
        span: which of them.
    """
    sql = f"SELECT account_id, seq FROM journal WHERE at >= ? AND at < ? ORDER BY {_ORDERS[order]}"  # noqa: S608 - own columns
    reader = sql_session(session)
    chunk: list[Key] = []
    for account_id, seq in reader.stream(sql, list(span)):
        chunk.append(Key(account_id, seq))
        if len(chunk) == _CHUNK:
            yield from _journalled(reader, chunk)
            chunk = []
    yield from _journalled(reader, chunk)


def entries_of(session: Session, kinds: Collection[str], span: Span) -> Iterator[Entry]:
    """Yield the accepted entries of some kinds of event, in the order in which they happened."""
    reader = sql_session(session)
    sql = (
        f"SELECT account_id, seq FROM journal WHERE accepted = 1 AND {reader.among('type')} AND at >= ? AND at < ? "  # noqa: S608 - no value is spliced in
        "ORDER BY at, recorded_at, account_id, seq"
    )
    keys = [Key(account_id, seq) for account_id, seq in reader.rows(sql, [reader.listed(sorted(kinds)), *span])]
    for first in range(0, len(keys), _CHUNK):
        some = keys[first : first + _CHUNK]
        entries = reader.entries(some)
        yield from (entries[key] for key in some)


def _journalled(session: SqlSession, keys: list[Key]) -> Iterator[Journalled]:
    if not keys:
        return
    entries = session.entries(keys)
    refs: dict[int, str] = dict(
        session.rows(
            f"SELECT id, ref FROM account WHERE {session.among('id')}",  # noqa: S608 - no value is spliced in
            [session.listed({key.account_id for key in keys})],
        )
    )
    wanted = {
        (key.account_id, end)
        for key, entry in entries.items()
        for posting in entry.postings
        for end in (posting.source, posting.destination)
        if isinstance(end, int)
    }
    kinds: dict[int, dict[int, str]] = {}
    if wanted:
        table, parameters = session.pairs(wanted, ("bigint", "bigint"))
        sql = (
            f"SELECT l.account_id, l.number, l.kind FROM {table} "  # noqa: S608 - no value is spliced in
            "CROSS JOIN lot l WHERE l.account_id = p.a AND l.number = p.b"
        )
        for account_id, number, kind in session.rows(sql, parameters):
            kinds.setdefault(account_id, {})[number] = kind
    for key in keys:
        yield Journalled(refs.get(key.account_id, ""), entries[key], kinds.get(key.account_id, {}))


def lot_kinds(session: Session) -> Iterator[tuple[str, str, list[str]]]:
    """Yield each account's kinds of lot with the assets that it ever had of them, in the order of accounts."""
    sql = (
        "SELECT DISTINCT l.account_id, l.kind, l.asset, a.ref FROM lot l JOIN account a ON a.id = l.account_id "
        "ORDER BY l.account_id, l.kind, l.asset"
    )
    for (_, kind, ref), rows in groupby(sql_session(session).stream(sql), key=itemgetter(0, 1, 3)):
        yield ref, kind, [row[2] for row in rows]


def books(session: Session) -> list[str]:
    """Return the names of all books that anything was posted to or from."""
    sql = (
        "SELECT source_book FROM posting WHERE source_book IS NOT NULL "
        "UNION SELECT destination_book FROM posting WHERE destination_book IS NOT NULL"
    )
    return sorted(row[0] for row in sql_session(session).rows(sql))


def balances(session: Session, before: int = NEVER) -> Iterator[Balance]:
    """Yield what each account has by asset and kind of lot, in the order of accounts.

    Args:
        session: one reading transaction.
        before: as of the postings of events that happened before this instant; the lots themselves by default.
    """
    if before == NEVER:
        sql = (
            "SELECT a.ref, l.kind, l.asset, l.account_id, sum(l.remaining) FROM lot l "
            "JOIN account a ON a.id = l.account_id "
            "GROUP BY l.account_id, l.kind, l.asset, a.ref ORDER BY l.account_id, l.kind, l.asset"
        )
        parameters: list[int] = []
    else:
        sql = (
            "SELECT a.ref, l.kind, l.asset, l.account_id, sum(m.delta) FROM ("
            "SELECT account_id, seq, source_lot AS lot, -amount AS delta FROM posting WHERE source_lot IS NOT NULL "
            "UNION ALL "
            "SELECT account_id, seq, destination_lot, amount FROM posting WHERE destination_lot IS NOT NULL) m "
            "JOIN journal j ON j.account_id = m.account_id AND j.seq = m.seq "
            "JOIN lot l ON l.account_id = m.account_id AND l.number = m.lot "
            "JOIN account a ON a.id = m.account_id WHERE j.at < ? "
            "GROUP BY l.account_id, l.kind, l.asset, a.ref ORDER BY l.account_id, l.kind, l.asset"
        )
        parameters = [before]
    for ref, kind, asset, _, units in sql_session(session).stream(sql, parameters):
        yield Balance(ref, kind, asset, int(units))
