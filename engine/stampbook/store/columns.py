"""Reading columns of the journal as frames: of PostgreSQL past the row by row of ordinary sessions (ADBC)."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

from stampbook.errors import StoreError
from stampbook.store.reading import sql_session
from stampbook.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from collections.abc import Iterator

    import polars as pl

    from stampbook.store.database import Store
    from stampbook.store.session import Session

_ROWS_AT_ONCE: Final = 100_000
_ACCOUNTS_AT_ONCE: Final = 10_000
_SALES: Final = (
    "SELECT j.account_id, j.seq, a.ref, replace(j.type, 'purchase.cancelled', 'return') AS type, j.source, "
    "j.event_id, j.at, j.program_id, j.payload, CASE WHEN j.type <> 'purchase' THEN j.effects ELSE '' END AS effects "
    "FROM {journal} JOIN account a ON a.id = j.account_id "
    "WHERE j.type IN ('purchase', 'return', 'purchase.cancelled') AND j.accepted = 1 AND "
)


_OF_SALES: Final = (
    "account_id", "seq", "ref", "type", "source", "event_id", "at", "program_id", "payload", "effects",
)  # fmt: skip


_WHOLE: Final = {"account_id", "at", "program_id", "low", "high", "n", "id", "seq"}


class SalesColumns:
    """Accepted purchases and returns of one state of the journal, some hundred thousand at once.

    Columns: account_id, ref, type, source, event_id, at, program_id, payload and, of returns, effects (JSON texts).
    """

    def __init__(self, cursor: Any, *, is_sqlite: bool) -> None:
        self._cursor = cursor
        self._is_sqlite = is_sqlite

    def all(self, until: int | None = None) -> Iterator[pl.DataFrame]:
        """Yield all of them, up to an instant if one is given."""
        # In a SQLite file rows stand in the order in which they were recorded; so read, no page is read twice.
        place = "rowid" if self._is_sqlite else "account_id"
        bounds = f"SELECT min({place}) AS low, max({place}) AS high, count(*) AS n FROM journal"  # noqa: S608 - own names
        low, high, count = self._fetched(bounds).row(0)
        if not count:
            return
        sql = _SALES.format(journal="journal j") + (f"j.at <= {int(until)} AND " if until is not None else "")
        step = max(1, (high - low + 1) * _ROWS_AT_ONCE // count)
        for start in range(low, high + 1, step):
            yield from self._some(f"{sql} j.{place} BETWEEN {start} AND {start + step - 1}")

    def among(self, positions: pl.DataFrame, until: int) -> Iterator[pl.DataFrame]:
        """Yield those at certain positions, `account_id` and `seq`, all of which there are by an instant.

        They are looked for from the beginning, where the older entries of SQLite stand, as long as some are missing.
        """
        missing = len(positions)
        for some in self.all(until):
            if found := len(wanted := some.join(positions, on=["account_id", "seq"], how="semi")):
                yield wanted
            missing -= found
            if missing <= 0:
                return

    def after(self, positions: pl.DataFrame) -> Iterator[pl.DataFrame]:
        """Yield those behind certain positions: `id` and `seq` of accounts."""
        for some in positions.iter_slices(_ACCOUNTS_AT_ONCE):
            journal = f"{self._table(some)} JOIN journal j ON j.account_id = p.id AND j.seq > p.seq"
            yield from self._some(f"{_SALES.format(journal=journal)} 1 = 1")

    def heads(self) -> pl.DataFrame:
        """Return `id`, `seq` and `head` of all accounts: how long their chains are, and how they end."""
        return self._positions("SELECT account_id AS id, seq, head FROM chain WHERE account_id > 0 AND seq > 0")

    def hashes(self, positions: pl.DataFrame) -> Iterator[pl.DataFrame]:
        """Yield `id`, `seq` and `head` of the entries at certain positions, as far as there are such."""
        for some in positions.iter_slices(_ACCOUNTS_AT_ONCE):
            entries = "JOIN journal j ON j.account_id = p.id AND j.seq = p.seq"
            yield self._positions(f"SELECT p.id, p.seq, j.hash AS head FROM {self._table(some)} {entries}")  # noqa: S608 - whole numbers

    def _some(self, sql: str) -> Iterator[pl.DataFrame]:
        # Without any row, SQLite does not say what kinds of columns it has none of.
        if len(found := self._fetched(sql)):
            yield found

    def _positions(self, sql: str) -> pl.DataFrame:
        import polars as pl

        return self._fetched(sql).cast({"id": pl.Int64, "seq": pl.Int64, "head": pl.Binary})

    def _table(self, positions: pl.DataFrame) -> str:
        """Return SQL of a table `p` of positions."""
        ids, seqs = (positions[name].to_list() for name in ("id", "seq"))
        if self._is_sqlite:
            pairs = ",".join(f"[{account},{seq}]" for account, seq in zip(ids, seqs, strict=True))
            return f"(SELECT value ->> 0 AS id, value ->> 1 AS seq FROM json_each('[{pairs}]')) p"  # noqa: S608 - whole numbers
        arrays = (f"'{{{','.join(map(str, numbers))}}}'::bigint[]" for numbers in (ids, seqs))
        return f"unnest({', '.join(arrays)}) p(id, seq)"

    def _fetched(self, sql: str) -> pl.DataFrame:
        import polars as pl

        self._cursor.execute(sql)
        return pl.DataFrame(self._cursor.fetch_arrow())


class _Rows:
    """A session as a cursor over columns."""

    def __init__(self, session: Session) -> None:
        self._session = sql_session(session)
        self._sql = ""

    def execute(self, sql: str) -> None:
        """Keep a query until its rows are wanted."""
        self._sql = sql

    def fetch_arrow(self) -> pl.DataFrame:
        """Return the rows of the query."""
        import polars as pl

        begin = self._sql.partition(" FROM ")[0]
        names = (
            _OF_SALES if "j.payload" in begin else ("low", "high", "n") if "min(" in begin else ("id", "seq", "head")
        )
        rows = self._session.rows(self._sql)
        # with their kinds named, nobody looks through all rows for them
        schema = {name: pl.Binary if name == "head" else pl.Int64 if name in _WHOLE else pl.String for name in names}
        return pl.DataFrame(rows, schema=schema, orient="row")


@contextmanager
def sales_columns(store: Store) -> Iterator[SalesColumns]:
    """Read columns of one state of the journal, in a transaction of its own.

    Raises:
        StoreError: the database cannot be read so.
    """
    if isinstance(store, SqliteStore):
        # Another copy of SQLite in this process would drop the locks that ours holds when it closes the file.
        with store.reader() as session:
            yield SalesColumns(_Rows(session), is_sqlite=True)
        return
    from adbc_driver_postgresql import dbapi

    try:
        with dbapi.connect(store.url) as connection, connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
            yield SalesColumns(cursor, is_sqlite=False)
    except dbapi.Error as error:
        line = str(error).strip().partition("\n")[0]
        message = f"the database cannot be read by column: {line}"
        raise StoreError(message) from error
