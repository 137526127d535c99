"""Looking for accounts of which nobody knows the ref: those with open holds, and the free ones of a pool."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stampbook.periods import NEVER

if TYPE_CHECKING:
    from stampbook.proposals import Pick
    from stampbook.store.session import SqlSession


def holding(session: SqlSession, until: int, limit: int) -> tuple[list[str], int]:
    """Return accounts with open holds to which time brings something up to an instant, and when it next does."""
    with_holds = "c.account_id IN (SELECT account_id FROM hold WHERE units <> '[]')"
    refs = session.rows(
        "SELECT a.ref FROM chain c JOIN account a ON a.id = c.account_id "  # noqa: S608 - own SQL
        f"WHERE {with_holds} AND c.due_at <= ? ORDER BY a.id LIMIT ?",
        [until, limit],
    )
    [(later,)] = session.rows(f"SELECT min(c.due_at) FROM chain c WHERE {with_holds} AND c.due_at > ?", [until])  # noqa: S608 - own SQL
    return [ref for (ref,) in refs], NEVER + 1 if later is None else later


def free(session: SqlSession, pick: Pick, after: int, limit: int, at: int) -> list[tuple[int, str]]:
    """Return ids and refs of free accounts of a pool, those of ids beyond one, in the order of ids."""
    sql = (
        "SELECT a.id, a.ref FROM account a WHERE a.id > ? AND substr(a.ref, 1, ?) = ? "
        "AND EXISTS (SELECT 1 FROM fact f WHERE f.account_id = a.id AND f.name = ? AND f.value = ?) "
        "AND NOT EXISTS (SELECT 1 FROM fact f WHERE f.account_id = a.id AND f.name = ?) "
        "AND EXISTS (SELECT 1 FROM lot l WHERE l.account_id = a.id AND l.remaining > l.held AND l.expires_at > ?) "
        "ORDER BY a.id LIMIT ?"
    )
    values = [after, len(pick.prefix), pick.prefix, pick.fact, pick.value, pick.lacks, at, limit]
    return [(id_, ref) for id_, ref in session.rows(sql, values)]
