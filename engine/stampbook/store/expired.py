"""What expired of lots and is nobody's yet: late news may bring it back, and one return may count it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stampbook.ledger import BREAKAGE
from stampbook.moves import MARKS, moves_in_effects
from stampbook.store.rows import lapsed_lots

if TYPE_CHECKING:
    from collections.abc import Collection

    from stampbook.moves import Move
    from stampbook.store.session import SqlSession


def expired_units(session: SqlSession, accounts: Collection[int]) -> dict[tuple[int, int], int]:
    """Return what went from lots to breakage, less what came back or returns counted, by account id and lot."""
    mine, ids = session.among("account_id"), session.listed(accounts)
    sql = (
        "SELECT account_id, lot, sum(amount) FROM ("  # noqa: S608 - table and column names of our own
        f"SELECT account_id, source_lot AS lot, amount FROM posting WHERE {mine} AND destination_book = ? "
        f"UNION ALL SELECT account_id, destination_lot, -amount FROM posting WHERE {mine} AND source_book = ?"
        ") gone WHERE lot IS NOT NULL GROUP BY account_id, lot"
    )
    rows = session.rows(sql, [ids, BREAKAGE, ids, BREAKAGE])
    expired = {(account_id, lot): int(amount) for account_id, lot, amount in rows}
    if expired:
        counted = session.rows(
            f"SELECT account_id, effects FROM journal WHERE {mine} AND about IS NOT NULL AND accepted = 1 "  # noqa: S608 - own columns
            "AND effects LIKE ?",
            [session.listed({account_id for account_id, _ in expired}), '%"lapsed_lots"%'],
        )
        for account_id, effects in counted:
            for lot, units in lapsed_lots(effects):
                expired[account_id, lot] -= units
    return expired


def moved(session: SqlSession, accounts: Collection[int]) -> dict[int, list[Move]]:
    """Return by account id when what is free in lots changed, expiry and what undid it left out."""
    columns = "p.account_id, j.at, p.source_lot, p.destination_lot, p.amount"
    rows = session.rows(
        f"SELECT {columns} FROM posting p JOIN journal j ON j.account_id = p.account_id AND j.seq = p.seq "  # noqa: S608 - table and column names of our own
        f"WHERE {session.among('p.account_id')} "
        "AND coalesce(p.source_book, '') <> ? AND coalesce(p.destination_book, '') <> ?",
        [session.listed(accounts), BREAKAGE, BREAKAGE],
    )
    moves: dict[int, list[Move]] = {account_id: [] for account_id in accounts}
    for account_id, at, source, destination, amount in rows:
        if source is not None:
            moves[account_id].append((at, source, -amount, 0))
        if destination is not None:
            moves[account_id].append((at, destination, amount, 0))
    told = session.rows(
        f"SELECT account_id, at, effects FROM journal WHERE {session.among('account_id')} AND accepted = 1 "  # noqa: S608 - own columns
        f"AND ({' OR '.join('effects LIKE ?' for _ in MARKS)})",
        [session.listed(accounts), *[f"%{mark}%" for mark in MARKS]],
    )
    for account_id, at, effects in told:
        moves[account_id].extend(moves_in_effects(effects, at))
    return moves
