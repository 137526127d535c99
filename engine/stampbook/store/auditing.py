"""Reading a whole database row by row, to compare it with what its journals say."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from stampbook.errors import StoreError
from stampbook.store.programs import KeptProgram
from stampbook.store.rows import Row, columns, entry_of
from stampbook.store.session import Session, SqlSession

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from stampbook.ledger import Entry

TABLES = ("account", "chain", "lot", "hold", "metric", "fact", "sale")
"""The tables that are derived from the journal, each ordered by account."""


class Audited(NamedTuple):
    """All rows of one account; `unreadable` are positions of entries whose postings are damaged, and left out."""

    account_id: int
    entries: list[Entry]
    rows: dict[str, list[Row]]
    unreadable: list[int]


def audited(session: Session) -> Iterator[Audited]:
    """Yield every account that any table names, in the order of ids, holding one at a time."""
    if not isinstance(session, SqlSession):
        message = "only books in a database can be audited"
        raise StoreError(message)
    streams = {
        "journal": _by_account(
            session.stream(f"SELECT {columns('journal')} FROM journal ORDER BY account_id, seq")  # noqa: S608 - table and column names of our own
        ),
    }
    for table in TABLES:
        key = "id" if table == "account" else "account_id, seq" if table == "sale" else "account_id"
        streams[table] = _by_account(session.stream(f"SELECT {columns(table)} FROM {table} ORDER BY {key}"))  # noqa: S608 - table and column names of our own
    heads = {table: next(stream, None) for table, stream in streams.items()}
    while any(heads.values()):
        account_id = min(head[0] for head in heads.values() if head is not None)
        rows: dict[str, list[Row]] = {}
        for table, head in heads.items():
            if head is not None and head[0] == account_id:
                rows[table] = head[1]
        for table in rows:
            heads[table] = next(streams[table], None)
        yield _audited(session, account_id, rows)


def _by_account(rows: Iterable[Row]) -> Iterator[tuple[int, list[Row]]]:
    for account_id, group in groupby(rows, key=lambda row: row[0]):
        yield account_id, list(group)


def _audited(session: SqlSession, account_id: int, rows: dict[str, list[Row]]) -> Audited:
    entries: list[Entry] = []
    unreadable: list[int] = []
    for row in rows.get("journal", ()):
        try:
            entries.append(entry_of(row[1:], session.programs))
        except StoreError:
            unreadable.append(row[1])
            entries.append(entry_of((*row[1:-1], "[]"), session.programs))
    return Audited(account_id, entries, {table: rows.get(table, []) for table in TABLES}, unreadable)


def counts(session: Session) -> tuple[int, int]:
    """Return how many accounts and journal entries there are."""
    if not isinstance(session, SqlSession):
        return 0, 0
    accounts: int = session.rows("SELECT count(*) FROM account")[0][0]
    entries: int = session.rows("SELECT count(*) FROM journal")[0][0]
    return accounts, entries


def key_mismatches(session: Session) -> list[tuple[str, str]]:
    """Return event ids (source, id) whose key names no entry of theirs, or whose entry has no key."""
    if not isinstance(session, SqlSession):
        return []
    found = session.rows(
        "SELECT k.source, k.event_id FROM event_key k LEFT JOIN journal j "
        "ON j.account_id = k.account_id AND j.seq = k.seq AND j.source = k.source AND j.event_id = k.event_id "
        "WHERE j.account_id IS NULL "
        "UNION ALL SELECT j.source, j.event_id FROM journal j LEFT JOIN event_key k "
        "ON k.source = j.source AND k.event_id = j.event_id AND k.account_id = j.account_id AND k.seq = j.seq "
        "WHERE k.source IS NULL LIMIT 1000"
    )
    return [(source, event_id) for source, event_id in found]


class PutInForce(NamedTuple):
    """The programs in the order in which they were put in force, without their texts, and what is wrong with that."""

    programs: list[KeptProgram]
    problems: list[str]


def put_in_force(session: Session) -> PutInForce:
    """Return which programs were put in force; none may be gone since."""
    if not isinstance(session, SqlSession):
        return PutInForce([], [])
    rows = session.rows(
        "SELECT f.id, p.hash, p.file, f.effective_from, f.recorded_at "
        "FROM in_force f LEFT JOIN program p ON p.id = f.program_id ORDER BY f.id"
    )
    unused = session.rows(
        "SELECT p.file, p.hash FROM program p LEFT JOIN in_force f ON f.program_id = p.id "
        "WHERE f.id IS NULL ORDER BY p.id"
    )
    numbers = [row[0] for row in rows]
    missing = sorted(set(range(1, max(numbers, default=0))) - set(numbers))
    problems = [f"the program that was put in force as number {number} is gone" for number in missing]
    problems += [f"number {row[0]} of those put in force is no program that is kept" for row in rows if row[1] is None]
    problems += [f"program {file} ({digest[:12]}) is kept and was never put in force" for file, digest in unused]
    return PutInForce(
        [KeptProgram(digest, file, "", start, at) for _, digest, file, start, at in rows if digest is not None],
        problems,
    )


def damage(session: Session) -> list[str]:
    """Return what the database itself finds wrong with its pages, where it can look."""
    check = getattr(session, "integrity_problems", None)
    return [] if check is None else check()


def heads(session: Session) -> Iterator[tuple[str, bytes]]:
    """Yield the ref and chain head of every account, in the order of refs."""
    if not isinstance(session, SqlSession):
        return
    for ref, head in session.stream(
        "SELECT a.ref, c.head FROM account a JOIN chain c ON c.account_id = a.id ORDER BY a.id"
    ):
        yield ref, bytes(head or b"")
