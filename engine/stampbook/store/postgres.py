"""PostgreSQL: many writers, row locks in account order, COPY for bulk."""

# psycopg wants statements as literals; ours are put together from our own table and column names.
# pyright: reportArgumentType=false, reportCallIssue=false

from __future__ import annotations

from contextlib import contextmanager
from itertools import count
from typing import TYPE_CHECKING, Any

from stampbook.errors import StoreBusyError, StoreError
from stampbook.store.database import Store
from stampbook.store.rows import APPENDED, CHANGING, COLUMNS, Row, target
from stampbook.store.schema import check_version, upgrade
from stampbook.store.session import Session, SqlSession

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    import polars as pl
    import psycopg

    from stampbook.store.programs import KeptProgram

_COPY_FROM_ROWS = 20
"""From how many rows on COPY beats statements."""

_ESCAPES = {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}
"""How COPY wants what would end a value or a line."""
_LINES_AT_ONCE = 10_000

_BIGINT = {
    "account": "bigint text text bigint",
    "chain": "bigint bigint bigint bytea bigint bigint bigint bigint",
    "lot": "bigint bigint text text bigint bigint smallint bigint bigint bigint",
    "hold": "bigint bigint text bigint text bigint bigint bigint bigint",
    "fact": "bigint text bigint text bigint text",
    "metric": "bigint text bigint bigint",
}


def _insert(table: str) -> str:
    return f"INSERT INTO {table} VALUES ({', '.join(['%s'] * len(COLUMNS[table]))})"  # noqa: S608 - own names


def _from_arrays(table: str) -> str:
    into, columns, fixed, key = target(table)
    arrays = ", ".join(f"%s::{kind}[]" for kind in _BIGINT[table].split())
    names, values = ", ".join([*columns, *fixed]), ", ".join(["t.*", *fixed.values()])
    sql = f"INSERT INTO {into} ({names}) SELECT {values} FROM unnest({arrays}) AS t"  # noqa: S608 - own names
    return f"{sql} ON CONFLICT ({', '.join(key)}) DO UPDATE SET"


def _upsert(table: str) -> str:
    changes = ", ".join(f"{name} = excluded.{name}" for name in CHANGING[table])
    return f"{_from_arrays(table)} {changes}"


_INSERT = {table: _insert(table) for table in APPENDED}
_COPY = {table: f"COPY {table} ({', '.join(COLUMNS[table])}) FROM STDIN" for table in _INSERT}
_UPSERT = {table: _upsert(table) for table in CHANGING}
_ADD = f"{_from_arrays('metric')} value = state.value + excluded.value"


class PostgresSession(SqlSession):
    """A transaction on one PostgreSQL connection."""

    for_update = " FOR UPDATE"
    _cursors = count()

    def __init__(self, connection: psycopg.Connection[Row], *, locks: bool = True) -> None:
        self._connection = connection
        self._locks = locks
        self.programs = dict(self.rows("SELECT id, hash FROM program"))

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """Run a query and return all its rows."""
        return self._connection.execute(_translated_marks(sql), parameters).fetchall()

    def stream(self, sql: str, parameters: Sequence[Any] = ()) -> Iterator[Row]:
        """Run a query on a cursor of the server and yield its rows."""
        with self._connection.cursor(name=f"stampbook_{next(self._cursors)}") as cursor:
            cursor.itersize = 5000
            yield from cursor.execute(_translated_marks(sql), parameters)

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Run a statement and return how many rows it changed."""
        return self._connection.execute(_translated_marks(sql), parameters).rowcount

    def among(self, column: str) -> str:
        """Return SQL for a column being one of a list."""
        return f"{column} = ANY(?)"

    def listed(self, values: Iterable[Any]) -> list[Any]:
        """Return a list as an array."""
        return list(values)

    def pairs(self, pairs: Collection[tuple[Any, Any]], kinds: tuple[str, str]) -> tuple[str, list[Any]]:
        """Return SQL of a table of pairs, and its parameters."""
        first, second = kinds
        return f"unnest(?::{first}[], ?::{second}[]) AS p(a, b)", [[a for a, _ in pairs], [b for _, b in pairs]]

    def generation(self) -> int:
        """Return how often a program was put in force; for a writer that stays so until its transaction ends."""
        if self._locks:
            self.run("LOCK TABLE program IN ROW SHARE MODE")
        return super().generation()

    def kept(self) -> list[KeptProgram]:
        """Return every program that was put in force, be it since this transaction began."""
        found = super().kept()
        self.programs = dict(self.rows("SELECT id, hash FROM program"))
        return found

    def put_in_force(self, program: KeptProgram) -> None:
        """Keep a program once no batch is under way that would not know of it: it writes when its accounts are due."""
        self.run("LOCK TABLE program IN EXCLUSIVE MODE")
        super().put_in_force(program)

    def lock(self, refs: Collection[str]) -> None:
        """Lock rows in the order of their ids; later statements read what the locks protect."""
        if self._locks:
            self.run("SELECT id FROM account WHERE ref = ANY(?) ORDER BY id FOR UPDATE", [list(refs)])

    def new_account_ids(self, count: int, given: int = 0) -> list[int]:  # noqa: ARG002 - the sequence knows
        """Return ids from the sequence, which never waits for another writer."""
        return [row[0] for row in self.rows("SELECT nextval('account_id_seq') FROM generate_series(1, ?)", [count])]

    def insert(self, table: str, rows: list[Row]) -> None:
        """Append rows."""
        with self._connection.cursor() as cursor:
            if len(rows) < _COPY_FROM_ROWS:
                cursor.executemany(_INSERT[table], rows)
                return
            with cursor.copy(_COPY[table]) as copy:
                for row in rows:
                    copy.write_row(row)

    def insert_frame(self, table: str, frame: pl.DataFrame) -> None:
        """Append the rows of a frame, as one text."""
        import polars as pl

        texts = pl.col(pl.String).str.replace_many(list(_ESCAPES), list(_ESCAPES.values()))
        line = pl.concat_str(pl.all().cast(pl.String), separator="\t")
        lines = frame.with_columns(texts).select(line).to_series()
        with self._connection.cursor() as cursor, cursor.copy(_COPY[table]) as copy:
            for some in range(0, len(lines), _LINES_AT_ONCE):
                copy.write("".join(f"{each}\n" for each in lines[some : some + _LINES_AT_ONCE].to_list()))

    def upsert(self, table: str, rows: list[Row]) -> None:
        """Insert rows, or change those of the same key."""
        self._connection.execute(_UPSERT[table], _columns(rows))

    def add(self, rows: list[Row]) -> None:
        """Add to metric counters."""
        self._connection.execute(_ADD, _columns(rows))


def _columns(rows: list[Row]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]


def _translated_marks(sql: str) -> Any:
    return sql.replace("?", "%s")


class PostgresStore(Store):
    """A PostgreSQL database."""

    def __init__(self, url: str, *, create: bool, busy_seconds: float) -> None:
        try:
            import psycopg as driver
        except ImportError:
            message = "PostgreSQL needs the postgres extra: pip install 'stampbook[postgres]'"
            raise StoreError(message) from None
        self._driver = driver
        self.url = "postgresql://" + url.split("://", 1)[1]
        self._busy_seconds = busy_seconds
        with self._translating():
            if create:
                self._create()
            self._connection = self._connect()
            try:
                check_version(self._version(), "the database")
            except BaseException:
                self._connection.close()
                raise

    def _create(self) -> None:
        try:
            upgrade("postgresql+psycopg://" + self.url.split("://", 1)[1])
        except StoreError:
            raise
        except Exception as error:
            cause = getattr(error, "orig", None)
            if isinstance(cause, self._driver.Error):
                raise cause from error
            raise

    def _connect(self) -> psycopg.Connection[Row]:
        connection = self._driver.connect(self.url, autocommit=True)
        for setting in (
            f"SET lock_timeout = '{int(self._busy_seconds * 1000)}ms'",
            "SET plan_cache_mode = force_generic_plan",
            "SET enable_hashjoin = off",
            "SET enable_mergejoin = off",
            "SET enable_seqscan = off",
            "SET jit = off",
        ):
            try:
                connection.execute(setting)
            except BaseException:
                connection.close()
                raise
        return connection

    def _version(self) -> str | None:
        found = self._connection.execute("SELECT to_regclass('alembic_version')").fetchone()
        if not found or found[0] is None:
            return None
        row = self._connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return row[0] if row else None

    @contextmanager
    def _translating(self) -> Iterator[None]:
        try:
            yield
        except self._driver.Error as error:
            raise self._translated(error) from error

    def _translated(self, error: psycopg.Error) -> StoreError:
        text = " ".join(str(error).split())
        retryable = (
            self._driver.errors.SerializationFailure,
            self._driver.errors.DeadlockDetected,
            self._driver.errors.LockNotAvailable,
            self._driver.errors.UniqueViolation,
        )
        if isinstance(error, retryable):
            return StoreBusyError(f"another writer was first; nothing was written, try again ({text})")
        if isinstance(error, self._driver.errors.DiskFull):
            return StoreError(
                f"the disk of the database is full; nothing was written, make room and try again ({text})"
            )
        if isinstance(error, self._driver.errors.ReadOnlySqlTransaction):
            return StoreError(f"the database may not be written to; nothing was written ({text})")
        if isinstance(error, self._driver.OperationalError):
            return StoreError(f"the database cannot be reached, or the connection was lost: {text}")
        return StoreError(f"the database refused a statement; nothing was written: {text}")

    @contextmanager
    def writer(self) -> Iterator[Session]:
        """Begin a transaction that sees what is committed when each statement starts."""
        with self._translating():
            if self._connection.info.transaction_status != self._driver.pq.TransactionStatus.IDLE:
                self._connection.close()  # lost, or interrupted half way into a transaction
                self._connection = self._connect()
            with self._connection.transaction():
                yield PostgresSession(self._connection)

    @contextmanager
    def reader(self) -> Iterator[Session]:
        """Read one state on a connection of its own."""
        with self._translating(), self._connect() as connection:
            connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield PostgresSession(connection, locks=False)
            connection.execute("COMMIT")

    def reserved_ids(self, count: int) -> list[int]:
        """Return ids from the sequence, in a transaction of its own: readers may not take any."""
        with self.writer() as session:
            return session.new_account_ids(count)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()
