"""Reading for people and reports: pages of accounts, totals of books, facts."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import orjson

from stampbook.errors import StoreError
from stampbook.periods import NEVER
from stampbook.store.rows import ACCEPTED, HEADS, WHOLE_ACCOUNTS, Key, accepted_entry_of, account_of, every_posting
from stampbook.store.session import Session, SqlSession

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from stampbook.account import Account
    from stampbook.ledger import Entry, Posting
    from stampbook.store.database import Store


Head = tuple[int, str, int, "int | None", "tuple[Posting, ...]"]
"""Position, type, instant, what is named and postings of a journal entry."""


def sql_session(session: Session) -> SqlSession:
    """Return a session that understands SQL.

    Raises:
        StoreError: the books are kept in memory.
    """
    if not isinstance(session, SqlSession):
        message = "books in memory have no tables to ask; use a database"
        raise StoreError(message)
    return session


def accounts_page(store: Store, *, status: str = "", after: str = "", limit: int = 50) -> list[Account]:
    """Return accounts in the order of their refs, with open lots and facts, from behind one on.

    Args:
        store: an open database.
        status: only accounts of this status.
        after: the ref that ended the page before.
        limit: how many at most.
    """
    with store.reader() as reader:
        session = sql_session(reader)
        found = session.rows(
            f"{WHOLE_ACCOUNTS} WHERE a.id > 0 AND a.ref > ? AND (? = '' OR a.status = ?) ORDER BY a.ref LIMIT ?",
            [after, status, status, limit],
        )
        accounts = [account_of(row) for row in found]
        session.fill(accounts, None)
        return accounts


def count_accounts(store: Store) -> dict[str, int]:
    """Return how many accounts there are of each status."""
    with store.reader() as reader:
        rows = sql_session(reader).rows("SELECT status, count(*) FROM account WHERE id > 0 GROUP BY status")
        return {row[0]: row[1] for row in rows}


def refs_like(store: Store, prefix: str, limit: int = 50) -> list[str]:
    """Return refs that begin with a text, in order."""
    with store.reader() as reader:
        rows = sql_session(reader).rows(
            "SELECT ref FROM account WHERE id > 0 AND substr(ref, 1, ?) = ? ORDER BY ref LIMIT ?",
            [len(prefix), prefix, limit],
        )
        return [row[0] for row in rows]


def refs_with_holds(store: Store) -> list[str]:
    """Return the refs of accounts with something set aside, in order."""
    with store.reader() as reader:
        rows = sql_session(reader).rows(
            "SELECT ref FROM account WHERE id IN (SELECT account_id FROM hold WHERE units <> '[]') ORDER BY ref"
        )
        return [row[0] for row in rows]


def accepted_heads(session: SqlSession, account_id: int) -> list[Head]:
    """Return the heads of an account's accepted entries, in order."""
    rows = session.rows(
        f"SELECT {', '.join(HEADS)} FROM journal WHERE account_id = ? AND accepted = 1 ORDER BY seq",  # noqa: S608 - own columns
        [account_id],
    )
    moved = every_posting([row[4] for row in rows])
    return [(row[0], row[1], row[2], row[3], postings) for row, postings in zip(rows, moved, strict=True)]


def told_entries(session: SqlSession, keys: Collection[Key]) -> list[Entry]:
    """Return journal entries as plugins are told of them, without trace and hash, by where they stand."""
    table, parameters = session.pairs(keys, ("bigint", "bigint"))
    rows = session.rows(
        f"SELECT {', '.join(f'j.{name}' for name in ACCEPTED)} FROM {table} CROSS JOIN journal j "  # noqa: S608 - own columns
        "WHERE j.account_id = p.a AND j.seq = p.b",
        parameters,
    )
    return [accepted_entry_of(row, session.programs) for row in rows]


def book_totals(session: Session) -> list[tuple[str, str, str, int]]:
    """Return the sums of all postings by asset, source and destination; lots are called ``lot``."""
    totals: dict[tuple[str, str, str], int] = defaultdict(int)
    for (text,) in sql_session(session).stream("SELECT postings FROM journal WHERE postings <> '[]'"):
        for asset, amount, source, destination, _ in orjson.loads(text):
            taken, given = ("lot" if type(end) is int else end for end in (source, destination))
            totals[asset, taken, given] += amount
    return [(*key, amount) for key, amount in sorted(totals.items())]


def standing(session: Session) -> dict[str, int]:
    """Return what all lots hold together, by asset."""
    rows = sql_session(session).rows("SELECT asset, sum(remaining) FROM lot GROUP BY asset ORDER BY asset")
    return {asset: int(amount) for asset, amount in rows}


def fact_counts(session: Session, name: str, at: int) -> dict[str, int]:
    """Return how many open accounts hold each value of a fact at an instant."""
    rows = sql_session(session).rows(
        "SELECT f.value, count(*) FROM fact f JOIN account a ON a.id = f.account_id "
        "WHERE f.name = ? AND f.since <= ? AND f.until > ? AND a.status <> 'closed' "
        "GROUP BY f.value ORDER BY 2 DESC, 1",
        [name, at, at],
    )
    return {value: int(count) for value, count in rows}


def links(session: Session, name: str) -> Iterator[tuple[str, str]]:
    """Yield the account and the value of every fact of a name that holds without an end, and is not empty."""
    sql = (
        "SELECT a.ref, f.value FROM fact f JOIN account a ON a.id = f.account_id "
        "WHERE f.name = ? AND f.until >= ? AND f.value <> ''"
    )
    for row in sql_session(session).stream(sql, [name, NEVER]):
        yield row[0], row[1]
