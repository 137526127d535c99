"""Runs of segmentation schemes: what each said about every account, kept for ever."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from stampbook.store.reading import sql_session

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from stampbook.store.database import Store
    from stampbook.store.session import Session, SqlSession

_CHUNK = 10_000


class KeptRun(NamedTuple):
    """One run of a scheme over the whole population as of an instant."""

    id: int
    scheme: str
    at: int
    definition: str
    recorded_at: int
    accounts: int
    took_ms: int


class Membership(NamedTuple):
    """In which segment a run put an account; `scores` is JSON."""

    account: str
    segment: str
    scores: str


_COLUMNS = "id, scheme, at, definition, recorded_at, accounts, took_ms"


def find_run(session: Session, scheme: str, at: int, definition: str) -> KeptRun | None:
    """Return the run of a scheme as of an instant by a definition, if it was made before."""
    rows = sql_session(session).rows(
        f"SELECT {_COLUMNS} FROM segment_run WHERE scheme = ? AND at = ? AND definition = ?",  # noqa: S608 - own columns
        [scheme, at, definition],
    )
    return KeptRun(*rows[0]) if rows else None


def keep_run(session: Session, run: KeptRun, members: Iterable[Membership]) -> KeptRun:
    """Keep a run and all its memberships; one that was made before is left as it is.

    Args:
        session: a writing transaction.
        run: its id is given here.
        members: each account once; accounts that are not in the books are left out.
    """
    before = find_run(session, run.scheme, run.at, run.definition)
    if before is not None:
        return before
    sql = sql_session(session)
    last: int = sql.rows("SELECT coalesce(max(id), 0) FROM segment_run")[0][0]
    run = run._replace(id=last + 1)
    sql.run(f"INSERT INTO segment_run ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)", run)  # noqa: S608 - own columns
    by_segment: dict[str, list[tuple[str, str]]] = {}
    for member in members:
        pairs = by_segment.setdefault(member.segment, [])
        pairs.append((member.account, member.scores))
        if len(pairs) == _CHUNK:
            _insert(sql, run.id, member.segment, by_segment.pop(member.segment))
    for segment, pairs in by_segment.items():
        _insert(sql, run.id, segment, pairs)
    return run


def _insert(session: SqlSession, run_id: int, segment: str, pairs: list[tuple[str, str]]) -> None:
    table, parameters = session.pairs(pairs, ("text", "text"))
    session.run(
        "INSERT INTO segment_member (account_id, run_id, segment, scores) "  # noqa: S608 - no value is spliced in
        f"SELECT a.id, CAST(? AS bigint), CAST(? AS text), p.b FROM {table} CROSS JOIN account a WHERE a.ref = p.a",
        [run_id, segment, *parameters],
    )


def runs(store: Store, *, scheme: str = "", until: int | None = None, known_at: int | None = None) -> list[KeptRun]:
    """Return runs, the latest first: those of one scheme, as of an instant or before, known at another."""
    with store.reader() as reader:
        rows = sql_session(reader).rows(
            f"SELECT {_COLUMNS} FROM segment_run WHERE (? = '' OR scheme = ?) ORDER BY at DESC, id DESC",  # noqa: S608 - table and column names of our own
            [scheme, scheme],
        )
    kept = [KeptRun(*row) for row in rows]
    return [
        run for run in kept if (until is None or run.at <= until) and (known_at is None or run.recorded_at <= known_at)
    ]


def members(store: Store, run_id: int, *, segment: str = "") -> Iterator[Membership]:
    """Yield the memberships of a run in the order of the accounts' refs."""
    with store.reader() as reader:
        yield from (
            Membership(*row)
            for row in sql_session(reader).stream(
                "SELECT a.ref, m.segment, m.scores FROM segment_member m JOIN account a ON a.id = m.account_id "
                "WHERE m.run_id = ? AND (? = '' OR m.segment = ?) ORDER BY a.ref",
                [run_id, segment, segment],
            )
        )


def memberships_of(store: Store, ref: str) -> list[tuple[KeptRun, Membership]]:
    """Return all that runs ever said about one account, the latest first."""
    with store.reader() as reader:
        rows = sql_session(reader).rows(
            f"SELECT {', '.join('r.' + name for name in _COLUMNS.split(', '))}, a.ref, m.segment, m.scores "  # noqa: S608 - table and column names of our own
            "FROM account a JOIN segment_member m ON m.account_id = a.id JOIN segment_run r ON r.id = m.run_id "
            "WHERE a.ref = ? ORDER BY r.at DESC, r.id DESC",
            [ref],
        )
    return [(KeptRun(*row[:7]), Membership(*row[7:])) for row in rows]


def sizes(store: Store, run_id: int) -> dict[str, int]:
    """Return how many accounts a run put into each segment, the largest first."""
    with store.reader() as reader:
        rows = sql_session(reader).rows(
            "SELECT segment, count(*) FROM segment_member WHERE run_id = ? GROUP BY segment "
            "ORDER BY count(*) DESC, segment",
            [run_id],
        )
    return {row[0]: row[1] for row in rows}
