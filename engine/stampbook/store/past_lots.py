"""What moved in and out of all lots up to an instant, page by page of accounts, so that memory stays flat."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from stampbook.event_base import OWN_SOURCE
from stampbook.periods import NEVER
from stampbook.store.reading import sql_session

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from stampbook.store.session import Session, SqlSession

_PAGE = 500
"""How many accounts are read at once."""

OPERATORS = ("adjust", "extend", "account.frozen", "account.unfrozen", "account.described")
"""Events that are not the customer's own doing, whoever sends them."""

RawPosting = tuple[str, int, int | str, int | str, str]


class Terms(NamedTuple):
    """What a lot is, and until when it was good as of the instant that was asked for."""

    asset: str
    kind: str
    effective_at: int
    expires_at: int


class Moved(NamedTuple):
    """An accepted journal entry that moved something.

    `payload` is there for purchases only, `trace` for those that granted something on other accounts too, `effects` for
    those that were paid as far as there was something to spend, and `id` for events of the engine's own; `program` is a
    hash.
    """

    at: int
    seq: int
    type: str
    about: int | None
    postings: Sequence[RawPosting]
    payload: str = ""
    program: str = ""
    trace: str = ""
    id: str = ""
    effects: str = ""


class PastAccount:
    """An account with its lots and all that moved in them up to an instant.

    `behind` says that time has brought something since that is not in the journal. `active_at` is the instant of the
    customer's last own event, which is not before the account's beginning.
    """

    __slots__ = ("active_at", "behind", "id", "lots", "moved", "ref")

    def __init__(self, id_: int, ref: str, active_at: int, *, behind: bool) -> None:
        self.id = id_
        self.ref = ref
        self.active_at = active_at
        self.behind = behind
        self.lots: dict[int, Terms] = {}
        self.moved: list[Moved] = []


def past_accounts(session: Session, as_of: int, known_at: int = NEVER) -> Iterator[PastAccount]:
    """Yield every account that ever had a lot, with what moved in its lots.

    Args:
        session: one reading transaction.
        as_of: leave out what happened later.
        known_at: leave out what was recorded later.
    """
    reader = sql_session(session)
    after = 0
    while True:
        rows = reader.rows(
            "SELECT a.id, a.ref, c.due_at, a.opened_at FROM account a JOIN chain c ON c.account_id = a.id "
            "WHERE a.id > ? ORDER BY a.id LIMIT ?",
            [after, _PAGE],
        )
        if not rows:
            return
        first, after = rows[0][0], rows[-1][0]
        accounts = {
            id_: PastAccount(id_, ref, opened_at, behind=due_at <= as_of) for id_, ref, due_at, opened_at in rows
        }
        yield from _filled(reader, accounts, (first, after), as_of, known_at)


def _filled(
    session: SqlSession, accounts: dict[int, PastAccount], ids: tuple[int, int], as_of: int, known_at: int
) -> Iterator[PastAccount]:
    for account_id, number, *terms in session.rows(
        "SELECT account_id, number, asset, kind, effective_at, expires_at FROM lot WHERE account_id BETWEEN ? AND ?",
        list(ids),
    ):
        accounts[account_id].lots[number] = Terms._make(terms)
    _forget_extensions(session, accounts, ids, as_of, known_at)
    if known_at < NEVER:
        for (account_id,) in session.rows(
            "SELECT DISTINCT account_id FROM journal WHERE account_id BETWEEN ? AND ? AND at <= ? AND recorded_at > ?",
            [*ids, as_of, known_at],
        ):
            accounts[account_id].behind = True
    marks = ", ".join("?" * len(OPERATORS))
    for account_id, active_at in session.rows(
        "SELECT account_id, max(at) FROM journal WHERE account_id BETWEEN ? AND ? AND accepted = 1 AND at <= ? "  # noqa: S608 - marks only
        f"AND recorded_at <= ? AND source <> ? AND type NOT IN ({marks}) GROUP BY account_id",
        [*ids, as_of, known_at, OWN_SOURCE, *OPERATORS],
    ):
        accounts[account_id].active_at = active_at
    sql = (
        f"SELECT account_id, {_MOVED} FROM journal "  # noqa: S608 - own columns
        "WHERE account_id BETWEEN ? AND ? AND at <= ? AND recorded_at <= ? AND postings <> '[]' "
        "ORDER BY account_id, at, seq"
    )
    programs, current = session.programs, 0
    for account_id, *columns in session.stream(sql, [*_MARKS, *ids, as_of, known_at]):
        if account_id != current:
            if current:
                yield accounts.pop(current)
            current = account_id
        accounts[account_id].moved.append(_moved(columns, programs))
    yield from (account for account in accounts.values() if account.moved or account.behind)


_MOVED = (
    "at, seq, type, about, postings, program_id, CASE WHEN type = 'purchase' THEN payload ELSE '' END, "
    "CASE WHEN type = 'purchase' AND trace LIKE ? THEN trace ELSE '' END, "
    "CASE WHEN source = ? THEN event_id ELSE '' END, "
    "CASE WHEN type = 'purchase' AND effects LIKE ? THEN effects ELSE '' END"
)


_MARKS = ('%"shared"%', OWN_SOURCE, '%"partial"%')
"""What `_MOVED` asks for."""


def _moved(columns: Sequence[Any], programs: Mapping[int, str]) -> Moved:
    at, seq, type_, about, postings, program, payload, trace, id_, effects = columns
    return Moved(at, seq, type_, about, orjson.loads(postings), payload, programs[program], trace, id_, effects)


def sale(session: Session, ref: str, seq: int) -> Moved | None:
    """Return an accepted purchase by its account and its position there; None if that is something else."""
    reader = sql_session(session)
    rows = reader.rows(
        f"SELECT {_MOVED} FROM journal WHERE account_id = (SELECT id FROM account WHERE ref = ?) AND seq = ? "  # noqa: S608 - own columns
        "AND type = 'purchase' AND accepted = 1",
        [*_MARKS, ref, seq],
    )
    return _moved(rows[0], reader.programs) if rows else None


def _forget_extensions(
    session: SqlSession, accounts: dict[int, PastAccount], ids: tuple[int, int], as_of: int, known_at: int
) -> None:
    """Give lots the ends that they had, where what came later, or was not known yet, has put them off since."""
    original: dict[tuple[int, int], int] = {}
    counted: dict[tuple[int, int], int] = {}
    later: set[tuple[int, int]] = set()
    for account_id, at, recorded_at, effects in session.stream(
        "SELECT account_id, at, recorded_at, effects FROM journal WHERE account_id BETWEEN ? AND ? AND accepted = 1 "
        "AND effects LIKE ?",
        [*ids, '%"extended"%'],
    ):
        for number, _, _, before, expires_at, _ in orjson.loads(effects).get("extended", ()):
            lot = (account_id, number)
            original[lot] = min(before, original.get(lot, NEVER))
            if at > as_of or recorded_at > known_at:
                later.add(lot)
            else:
                counted[lot] = max(expires_at, counted.get(lot, expires_at))
    for account_id, number in later:
        lot = (account_id, number)
        lots = accounts[account_id].lots
        lots[number] = lots[number]._replace(expires_at=max(original[lot], counted.get(lot, original[lot])))
