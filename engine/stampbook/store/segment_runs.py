"""Runs of segmentation schemes, and since when each account has been in which segment: changes only, kept for ever.

A scheme has two lines of spells. `kept` is what holds: what rules are told and people see. `raw` is what runs said, and
is there only where a policy of the program keeps the two apart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from stampbook.account import MERGED_INTO
from stampbook.store.reading import sql_session

if TYPE_CHECKING:
    from collections.abc import Generator

    from stampbook.store.database import Store
    from stampbook.store.session import Session

KEPT: Final = "kept"
RAW: Final = "raw"


class KeptRun(NamedTuple):
    """One run of a scheme over the whole population as of an instant.

    `span` is the window that counted. JSON are `options`, those of the scheme and what it looked at, `segments`, how
    many accounts it put into each, and `findings`, what it found out besides.
    """

    id: int
    scheme: str
    at: int
    definition: str
    recorded_at: int
    accounts: int
    took_ms: int
    span: str = "lifetime"
    options: str = "{}"
    segments: str = "{}"
    findings: str = "{}"


class Membership(NamedTuple):
    """In which segment an account was; `scores` is the JSON of the latest run that judged it, or ``{}``."""

    account: str
    segment: str
    scores: str = "{}"


class Spell(NamedTuple):
    """Since when an account was in a segment, on a line of a scheme: the instant of the run that put it there."""

    scheme: str
    line: str
    since: int
    segment: str


_COLUMNS = ", ".join(KeptRun._fields)
LATEST: Final = 0
"""The run of scores that the latest run of their scheme said, whichever that is: so those that stay are not written."""
SAID_AS_OF: Final = (
    "(c.run_id IN (SELECT id FROM segment_run WHERE at = ?) "
    "OR (c.run_id = 0 AND (SELECT max(at) FROM segment_run WHERE scheme = ?) = ?))"
)
"""Whether scores of a scheme `c` were said as of an instant: parameters are the instant, the scheme and the instant."""
_NOT_MERGED: Final = (
    "s.account_id NOT IN (SELECT account_id FROM fact WHERE name = ? AND since <= ? AND until > ? AND value <> '')"
)
"""What was merged into another account by an instant is no longer anywhere by itself."""


def keep_alone(session: Session) -> None:
    """Wait until nobody else keeps a run: each one's spells follow from those that were there before."""
    sql = sql_session(session)
    sql.rows(f"SELECT id FROM in_force ORDER BY id LIMIT 1{sql.for_update}")  # noqa: S608 - own words; a row for a lock


def find_run(session: Session, scheme: str, at: int, definition: str) -> KeptRun | None:
    """Return the last run of a scheme as of an instant, if it was by this definition.

    One that another definition followed is no longer what is kept: who was where is kept of the last one only.
    """
    rows = sql_session(session).rows(
        f"SELECT {_COLUMNS} FROM segment_run WHERE scheme = ? AND at = ? ORDER BY id DESC LIMIT 1",  # noqa: S608 - own columns
        [scheme, at],
    )
    last = KeptRun(*rows[0]) if rows else None
    return last if last is not None and last.definition == definition else None


def add_run(session: Session, run: KeptRun) -> KeptRun:
    """Keep a run under a new number."""
    sql = sql_session(session)
    last: int = sql.rows("SELECT coalesce(max(id), 0) FROM segment_run")[0][0]
    run = run._replace(id=last + 1)
    marks = ", ".join("?" * len(run))
    sql.run(f"INSERT INTO segment_run ({_COLUMNS}) VALUES ({marks})", run)  # noqa: S608 - own columns
    return run


def run_instants(session: Session, scheme: str) -> list[int]:
    """Return the instants as of which a scheme was run, each once, in order."""
    rows = sql_session(session).rows("SELECT DISTINCT at FROM segment_run WHERE scheme = ? ORDER BY at", [scheme])
    return [row[0] for row in rows]


def spells_from(session: Session, scheme: str, line: str, at: int) -> dict[int, list[tuple[int, str]]]:
    """Return by account id the spells that began at an instant or later, in order."""
    found: dict[int, list[tuple[int, str]]] = {}
    rows = sql_session(session).stream(
        "SELECT account_id, since, segment FROM segment_spell WHERE scheme = ? AND line = ? AND since >= ? "
        "ORDER BY account_id, since",
        [scheme, line, at],
    )
    for account, since, segment in rows:
        found.setdefault(account, []).append((since, segment))
    return found


def has_line(session: Session, scheme: str, line: str) -> bool:
    """Return whether a scheme has spells on a line."""
    sql = "SELECT 1 FROM segment_spell WHERE scheme = ? AND line = ? LIMIT 1"
    return bool(sql_session(session).rows(sql, [scheme, line]))


def copy_line(session: Session, scheme: str, line: str, copy: str) -> None:
    """Write the spells of a line of a scheme into another line, too."""
    sql_session(session).run(
        "INSERT INTO segment_spell (account_id, scheme, line, since, segment) "
        "SELECT account_id, scheme, ?, since, segment FROM segment_spell WHERE scheme = ? AND line = ?",
        [copy, scheme, line],
    )


def fact_values(session: Session, name: str, at: int) -> dict[str, str]:
    """Return by account what a fact says at an instant."""
    rows = sql_session(session).stream(
        "SELECT a.ref, f.value FROM fact f JOIN account a ON a.id = f.account_id "
        "WHERE f.name = ? AND f.since <= ? AND f.until > ?",
        [name, at, at],
    )
    return dict(rows)


def runs(store: Store, *, scheme: str = "", until: int | None = None, known_at: int | None = None) -> list[KeptRun]:
    """Return runs, the latest first: those of one scheme, as of an instant or before, known at another."""
    with store.reader() as reader:
        rows = sql_session(reader).rows(
            f"SELECT {_COLUMNS} FROM segment_run WHERE (? = '' OR scheme = ?) ORDER BY at DESC, id DESC",  # noqa: S608 - own columns
            [scheme, scheme],
        )
    kept = [KeptRun(*row) for row in rows]
    return [
        run for run in kept if (until is None or run.at <= until) and (known_at is None or run.recorded_at <= known_at)
    ]


def members(store: Store, scheme: str, at: int, *, segment: str = "", line: str = KEPT) -> Generator[Membership]:
    """Yield who was in which segment of a scheme at an instant, in the order of the accounts' refs.

    An account that had been merged into another by then was in none.

    Scores are those of the scheme's latest run where that is as of the instant, and absent elsewhere.
    """
    with store.reader() as reader:
        rows = sql_session(reader).stream(
            "SELECT a.ref, s.segment, coalesce(c.scores, '{}') FROM segment_spell s "  # noqa: S608 - own text
            "JOIN account a ON a.id = s.account_id "
            f"LEFT JOIN segment_score c ON c.account_id = s.account_id AND c.scheme = s.scheme AND {SAID_AS_OF} "
            f"WHERE s.scheme = ? AND s.line = ? AND (? = '' OR s.segment = ?) AND {_NOT_MERGED} "
            "AND s.since = (SELECT max(o.since) FROM segment_spell o WHERE o.account_id = s.account_id "
            "AND o.scheme = s.scheme AND o.line = s.line AND o.since <= ?) ORDER BY a.ref",
            [at, scheme, at, scheme, line, segment, segment, MERGED_INTO, at, at, at],
        )
        yield from (Membership(*row) for row in rows)


def spells_of(store: Store, ref: str) -> list[Spell]:
    """Return all spells of one account, scheme by scheme, in order."""
    with store.reader() as reader:
        rows = sql_session(reader).rows(
            "SELECT s.scheme, s.line, s.since, s.segment FROM account a "
            "JOIN segment_spell s ON s.account_id = a.id WHERE a.ref = ? ORDER BY s.scheme, s.line, s.since",
            [ref],
        )
    return [Spell(*row) for row in rows]


def scores_of(store: Store, ref: str) -> list[tuple[KeptRun, Membership]]:
    """Return what the latest run of each scheme said of one account."""
    with store.reader() as reader:
        rows = sql_session(reader).rows(
            f"SELECT {', '.join('r.' + name for name in KeptRun._fields)}, a.ref, c.segment, c.scores "  # noqa: S608 - own columns
            "FROM account a JOIN segment_score c ON c.account_id = a.id JOIN segment_run r ON r.id = "
            "CASE WHEN c.run_id = 0 THEN (SELECT o.id FROM segment_run o WHERE o.scheme = c.scheme "
            "ORDER BY o.at DESC, o.id DESC LIMIT 1) ELSE c.run_id END "
            "WHERE a.ref = ? ORDER BY r.scheme",
            [ref],
        )
    width = len(KeptRun._fields)
    return [(KeptRun(*row[:width]), Membership(*row[width:])) for row in rows]


def sizes(store: Store, scheme: str, at: int) -> dict[str, int]:
    """Return how many accounts were in each segment of a scheme at an instant, the largest first."""
    with store.reader() as reader:
        rows = sql_session(reader).rows(
            f"SELECT s.segment, count(*) FROM segment_spell s WHERE s.scheme = ? AND s.line = ? AND {_NOT_MERGED} "  # noqa: S608 - own text
            "AND s.since = (SELECT max(o.since) FROM segment_spell o WHERE o.account_id = s.account_id "
            "AND o.scheme = s.scheme AND o.line = s.line AND o.since <= ?) GROUP BY s.segment ORDER BY 2 DESC, 1",
            [scheme, KEPT, MERGED_INTO, at, at, at],
        )
    return {row[0]: row[1] for row in rows}
