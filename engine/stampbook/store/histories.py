"""Reading what segmentation looks at: sales, accounts as they were, movements, metrics, and all that happened."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import orjson

from stampbook.account import MERGED_INTO
from stampbook.store.reading import sql_session

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stampbook.store.session import Session


class SaleRow(NamedTuple):
    """One accepted purchase or return as the journal has it; JSON is text."""

    ref: str
    type: str
    source: str
    event_id: str
    at: int
    program: str
    payload: str
    effects: str


def accounts(session: Session, until: int) -> Iterator[tuple[str, int]]:
    """Yield each account that was open by an instant, and since when."""
    sql = "SELECT ref, opened_at FROM account WHERE id > 0 AND opened_at <= ?"
    for row in sql_session(session).stream(sql, [until]):
        yield row[0], row[1]


def statuses(session: Session, until: int) -> Iterator[tuple[str, str]]:
    """Yield accounts whose status was changed by an instant, with what it came to, in the order of the changes."""
    sql = (
        "SELECT a.ref, j.effects FROM journal j JOIN account a ON a.id = j.account_id "
        "WHERE j.accepted = 1 AND j.at <= ? AND j.effects LIKE ? ORDER BY j.account_id, j.seq"
    )
    for ref, effects in sql_session(session).stream(sql, [until, '%"status"%']):
        status = orjson.loads(effects).get("status")
        if status:
            yield ref, status


def attributes(session: Session, until: int) -> Iterator[tuple[str, str, str]]:
    """Yield name, account and value of every fact that held at an instant and is not empty."""
    sql = (
        "SELECT f.name, a.ref, f.value FROM fact f JOIN account a ON a.id = f.account_id "
        "WHERE f.since <= ? AND f.until > ? AND f.value <> ''"
    )
    for row in sql_session(session).stream(sql, [until, until]):
        yield row[0], row[1], row[2]


def merged(session: Session, until: int) -> Iterator[tuple[str, str]]:
    """Yield accounts that were closed into another by an instant, and that one."""
    sql = (
        "SELECT a.ref, f.value FROM fact f JOIN account a ON a.id = f.account_id "
        "WHERE f.name = ? AND f.since <= ? AND f.until > ? AND f.value <> ''"
    )
    for row in sql_session(session).stream(sql, [MERGED_INTO, until, until]):
        yield row[0], row[1]


def moved(session: Session, until: int, asset: str) -> Iterator[tuple[str, int, str, str]]:
    """Yield account, instant, kind and postings (JSON) of the events that moved some of an asset."""
    sql = (
        "SELECT a.ref, j.at, j.type, j.postings FROM journal j JOIN account a ON a.id = j.account_id "
        "WHERE j.accepted = 1 AND j.at <= ? AND j.postings LIKE ?"
    )
    for row in sql_session(session).stream(sql, [until, f'%["{asset}",%']):
        yield row[0], row[1], row[2], row[3]


def counted(session: Session, until: int) -> Iterator[tuple[str, int, str]]:
    """Yield account, instant and effects (JSON) of the events that changed a metric."""
    sql = (
        "SELECT a.ref, j.at, j.effects FROM journal j JOIN account a ON a.id = j.account_id "
        "WHERE j.accepted = 1 AND j.at <= ? AND j.effects LIKE ?"
    )
    for row in sql_session(session).stream(sql, [until, '%"metrics"%']):
        yield row[0], row[1], row[2]


def happenings(session: Session, until: int) -> Iterator[tuple[str, int, str, str]]:
    """Yield account, instant, kind and payload (JSON) of all accepted events up to an instant.

    What runs of schemes told accounts is left out, so that no run sees what the one before it said.
    """
    sql = (
        "SELECT a.ref, j.at, j.type, j.payload FROM journal j JOIN account a ON a.id = j.account_id "
        "WHERE j.accepted = 1 AND j.at <= ? AND j.type <> 'segment.changed'"
    )
    for row in sql_session(session).stream(sql, [until]):
        yield row[0], row[1], row[2], row[3]
