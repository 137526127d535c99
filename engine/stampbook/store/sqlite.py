"""SQLite: one file, one writer, durable."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from stampbook.errors import StoreBusyError, StoreError
from stampbook.store.rows import CHANGING, COLUMNS, KEYS, Row
from stampbook.store.schema import check_version, upgrade
from stampbook.store.session import Session, SqlSession, Store

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

_PRAGMAS = (
    "PRAGMA foreign_keys=ON",
    "PRAGMA trusted_schema=OFF",
    "PRAGMA synchronous=FULL",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA cache_size=-131072",
    "PRAGMA wal_autocheckpoint=20000",
)


def _insert(table: str) -> str:
    return f"INSERT INTO {table} VALUES ({', '.join('?' * len(COLUMNS[table]))})"  # noqa: S608 - own names


def _upsert(table: str) -> str:
    changes = ", ".join(f"{name} = excluded.{name}" for name in CHANGING[table])
    return f"{_insert(table)} ON CONFLICT ({', '.join(KEYS[table])}) DO UPDATE SET {changes}"


_INSERT = {table: _insert(table) for table in ("journal", "posting", "event_key")}
_UPSERT = {table: _upsert(table) for table in CHANGING}
_ADD = f"{_insert('metric')} ON CONFLICT (account_id, metric, day) DO UPDATE SET value = value + excluded.value"


class SqliteSession(SqlSession):
    """A transaction on one SQLite connection."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        self.programs = dict(self.rows("SELECT id, hash FROM program"))

    def rows(self, sql: str, parameters: Sequence[Any] = ()) -> list[Row]:
        """Run a query and return all its rows."""
        return self._connection.execute(sql, parameters).fetchall()

    def stream(self, sql: str, parameters: Sequence[Any] = ()) -> Iterator[Row]:
        """Run a query and yield its rows."""
        yield from self._connection.execute(sql, parameters)

    def run(self, sql: str, parameters: Sequence[Any] = ()) -> int:
        """Run a statement and return how many rows it changed."""
        return self._connection.execute(sql, parameters).rowcount

    def among(self, column: str) -> str:
        """Return SQL for a column being one of a list."""
        return f"{column} IN (SELECT value FROM json_each(?))"  # noqa: S608 - a column of ours

    def listed(self, values: Iterable[Any]) -> str:
        """Return a list as JSON text."""
        return orjson.dumps(list(values)).decode()

    def pairs(self, pairs: Collection[tuple[Any, Any]], kinds: tuple[str, str]) -> tuple[str, list[Any]]:  # noqa: ARG002 - SQLite needs no kinds
        """Return SQL of a table of pairs, and its parameters."""
        text = orjson.dumps([tuple(pair) for pair in pairs]).decode()
        return "(SELECT json_extract(value, '$[0]') AS a, json_extract(value, '$[1]') AS b FROM json_each(?)) p", [text]

    def lock(self, refs: Collection[str]) -> None:
        """Do nothing: the one writer has the whole file."""

    def new_account_ids(self, count: int) -> list[int]:
        """Return the ids after the largest."""
        last: int = self.rows("SELECT coalesce(max(id), 0) FROM account")[0][0]
        return list(range(last + 1, last + 1 + count))

    def integrity_problems(self) -> list[str]:
        """Return what SQLite itself finds wrong with the file."""
        return [row[0] for row in self.rows("PRAGMA integrity_check(20)") if row[0] != "ok"]

    def insert(self, table: str, rows: list[Row]) -> None:
        """Append rows."""
        self._connection.executemany(_INSERT[table], rows)

    def upsert(self, table: str, rows: list[Row]) -> None:
        """Insert rows, or change those of the same key."""
        self._connection.executemany(_UPSERT[table], rows)

    def add(self, rows: list[Row]) -> None:
        """Add to metric counters."""
        self._connection.executemany(_ADD, rows)


class SqliteStore(Store):
    """A SQLite database file."""

    def __init__(self, url: str, *, create: bool, busy_seconds: float) -> None:
        self.url = url if url.startswith("sqlite:") else f"sqlite:///{url}"
        self.path = self.url.removeprefix("sqlite:").removeprefix("///")
        self._busy_seconds = busy_seconds
        self._readers: list[sqlite3.Connection] = []
        if self.path in {"", "//", ":memory:"}:
            message = f"{url or 'an empty address'} names no file that lasts; name a file: sqlite:///stampbook.db"
            raise StoreError(message)
        with self._translated():
            self._open(create=create)

    def _open(self, *, create: bool) -> None:
        if not create and not Path(self.path).is_file():
            message = f"there is no database {self.path}; run: stampbook init"
            raise StoreError(message)
        if create:
            upgrade_sqlite(self.path, self.url)
        self._writer = self._connect()
        try:
            check_version(_version(self._writer), f"database {self.path}")
            self._writer.execute("PRAGMA journal_mode=WAL")
        except BaseException:
            self._writer.close()
            raise

    def _connect(self) -> sqlite3.Connection:
        address = f"{Path(self.path).absolute().as_uri()}?mode=rw"
        connection = sqlite3.connect(
            address, uri=True, isolation_level=None, timeout=self._busy_seconds, cached_statements=256
        )
        for pragma in _PRAGMAS:
            connection.execute(pragma)
        return connection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise translated(error, self.path) from error

    @contextmanager
    def writer(self) -> Iterator[Session]:
        """Begin at once with the write lock."""
        with self._translated():
            try:
                self._writer.execute("BEGIN IMMEDIATE")
                yield SqliteSession(self._writer)
                self._writer.execute("COMMIT")
            except BaseException:
                self._undo()
                raise

    def _undo(self) -> None:
        """End the transaction without a trace; a connection that cannot even do that is replaced."""
        try:
            if self._writer.in_transaction:
                self._writer.execute("ROLLBACK")
        except sqlite3.Error:
            self._writer.close()
            self._writer = self._connect()

    @contextmanager
    def reader(self) -> Iterator[Session]:
        """Read one state on a connection of its own, so that writers go on."""
        with self._translated():
            connection = self._readers.pop() if self._readers else self._connect()
            try:
                connection.execute("PRAGMA query_only=ON")
                connection.execute("BEGIN")
                yield SqliteSession(connection)
                connection.execute("COMMIT")
            except BaseException:
                connection.close()
                raise
            self._readers.append(connection)

    def close(self) -> None:
        """Close all connections."""
        for connection in (self._writer, *self._readers):
            connection.close()
        self._readers.clear()


def _version(connection: sqlite3.Connection) -> str | None:
    try:
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    except sqlite3.OperationalError as error:
        if "no such table" in str(error):
            return None
        raise
    return row[0] if row else None


def upgrade_sqlite(path: str, url: str) -> None:
    """Create or upgrade the tables of a file; leave a file of another kind as it is."""
    if Path(path).is_file():
        connection = sqlite3.connect(f"{Path(path).absolute().as_uri()}?mode=rw", uri=True)
        try:
            found = _version(connection)
            others = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        finally:
            connection.close()
        if found is None and others:
            message = f"database {path} belongs to something else: it has a table {others[0][0]!r}"
            raise StoreError(message)
    elif not Path(path).absolute().parent.is_dir():
        message = f"there is no folder {Path(path).absolute().parent} for a database"
        raise StoreError(message)
    try:
        upgrade(url)
    except StoreError:
        raise
    except Exception as error:
        cause = getattr(error, "orig", None)
        if isinstance(cause, sqlite3.Error):
            raise translated(cause, path) from error
        raise


_REMEDIES = (
    ("locked", "is held by another writer; nothing was written, try again"),
    ("busy", "is held by another writer; nothing was written, try again"),
    ("UNIQUE", "was written by another writer first; nothing was written, try again"),
    ("readonly", "may not be written to; nothing was written, check its permissions"),
    ("read-only", "may not be written to; nothing was written, check its permissions"),
    ("full", "is on a disk that is full; nothing was written, make room and try again"),
    ("not a database", "is not a SQLite database"),
    ("unable to open", "cannot be opened; check the folder and its permissions"),
)
"""What SQLite's messages say, by a word of theirs, and what to do."""


def translated(error: sqlite3.Error, path: str) -> StoreError:
    """Return a driver's error in one line that says what to do."""
    text = str(error)
    remedy = next((remedy for word, remedy in _REMEDIES if word in text), f"answers: {text}; nothing was written")
    kind = StoreBusyError if "another writer" in remedy else StoreError
    return kind(f"database {path} {remedy}")
