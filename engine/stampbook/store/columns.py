"""Reading whole columns of the journal, as frames, past the row by row of ordinary sessions (ADBC)."""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from stampbook.errors import StoreError
from stampbook.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

    from stampbook.store.database import Store

_ROWS_AT_ONCE: Final = 200_000
_SALES: Final = (
    "SELECT j.account_id, a.ref, replace(j.type, 'purchase.cancelled', 'return') AS type, j.source, j.event_id, j.at, "
    "j.program_id, j.payload, CASE WHEN j.type <> 'purchase' THEN j.effects ELSE '' END AS effects "
    "FROM journal j JOIN account a ON a.id = j.account_id "
    "WHERE j.type IN ('purchase', 'return', 'purchase.cancelled') AND j.accepted = 1 AND j.at <= {until}"
)


def sales_columns(store: Store, until: int) -> Iterator[pl.DataFrame]:
    """Yield the accepted purchases and returns up to an instant, some hundred thousand at once, of one state.

    Columns: account_id, ref, type, source, event_id, at, program_id, payload and, of returns, effects (JSON texts).

    Raises:
        StoreError: the database cannot be read so.
    """
    sql = _SALES.format(until=int(until))
    # In a SQLite file rows stand in the order in which they were recorded; so read, no page is read twice.
    place = "rowid" if isinstance(store, SqliteStore) else "account_id"
    bounds = f"SELECT min({place}) AS low, max({place}) AS high, count(*) AS n FROM journal"  # noqa: S608 - own names
    with _reading(store) as cursor:
        low, high, count = _fetched(cursor, bounds).row(0)
        if not count:
            return
        step = max(1, (high - low + 1) * _ROWS_AT_ONCE // count)
        for start in range(low, high + 1, step):
            yield _fetched(cursor, f"{sql} AND j.{place} BETWEEN {start} AND {start + step - 1}")


@contextmanager
def _reading(store: Store) -> Iterator[Any]:
    """Begin a reading transaction of its own."""
    if isinstance(store, SqliteStore):
        from adbc_driver_sqlite import dbapi

        address, begin = f"{Path(store.path).absolute().as_uri()}?mode=ro", ""
    else:
        from adbc_driver_postgresql import dbapi  # type: ignore[no-redef]

        address, begin = store.url, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"
    try:
        with dbapi.connect(address) as connection, connection.cursor() as cursor:
            if begin:
                cursor.execute(begin)
            yield cursor
    except dbapi.Error as error:
        line = str(error).strip().partition("\n")[0]
        message = f"the database cannot be read by column: {line}"
        raise StoreError(message) from error


def _fetched(cursor: Any, sql: str) -> pl.DataFrame:
    import polars as pl

    cursor.execute(sql)
    return pl.DataFrame(cursor.fetch_arrow())
