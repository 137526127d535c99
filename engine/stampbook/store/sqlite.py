"""SQLite: one file, one writer, durable."""

from __future__ import annotations

import os
import sqlite3
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from stampbook.errors import StoreBusyError, StoreError
from stampbook.store.database import Store
from stampbook.store.rows import APPENDED, CHANGING, Row, target
from stampbook.store.schema import check_version, upgrade
from stampbook.store.session import Session, SqlSession

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

    import polars as pl

_PRAGMAS = (
    "PRAGMA foreign_keys=ON",
    "PRAGMA trusted_schema=OFF",
    "PRAGMA synchronous=FULL",
    "PRAGMA temp_store=MEMORY",
    "PRAGMA wal_autocheckpoint=20000",
)

WRITERS_CACHE_KIB = 98_304

LARGEST_LOG = 256 << 20
"""How many bytes the write-ahead log of long work may have before it is begun anew."""
_TIDY_MILLISECONDS = 300

WRITABLE = "mode=rw"
READ_ONLY = "mode=ro"
UNCHANGING = "mode=ro&immutable=1"
"""How a file is opened. The last is for one whose folder takes no files beside it: SQLite then looks for no changes."""


def _insert(table: str) -> str:
    into, columns, fixed, _ = target(table)
    values = ", ".join([*("?" * len(columns)), *fixed.values()])
    return f"INSERT INTO {into} ({', '.join([*columns, *fixed])}) VALUES ({values})"  # noqa: S608 - own names


def _on_conflict(table: str) -> str:
    return f"{_insert(table)} ON CONFLICT ({', '.join(target(table).key)}) DO UPDATE SET"


def _upsert(table: str) -> str:
    changes = ", ".join(f"{name} = excluded.{name}" for name in CHANGING[table])
    return f"{_on_conflict(table)} {changes}"


_INSERT = {table: _insert(table) for table in APPENDED}
_UPSERT = {table: _upsert(table) for table in CHANGING}
_ADD = f"{_on_conflict('metric')} value = value + excluded.value"


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

    def new_account_ids(self, count: int, given: int = 0) -> list[int]:
        """Return the ids after the largest."""
        last: int = self.rows("SELECT coalesce(max(id), 0) FROM account")[0][0] + given
        return list(range(last + 1, last + 1 + count))

    def integrity_problems(self) -> list[str]:
        """Return what SQLite itself finds wrong with the file."""
        return [" ".join(row[0].split()) for row in self.rows("PRAGMA integrity_check(20)") if row[0] != "ok"]

    def insert(self, table: str, rows: list[Row]) -> None:
        """Append rows."""
        self._connection.executemany(_INSERT[table], rows)

    def insert_frame(self, table: str, frame: pl.DataFrame) -> None:
        """Append the rows of a frame."""
        self._connection.executemany(_INSERT[table], frame.iter_rows())

    def upsert(self, table: str, rows: list[Row]) -> None:
        """Insert rows, or change those of the same key."""
        self._connection.executemany(_UPSERT[table], rows)

    def add(self, rows: list[Row]) -> None:
        """Add to metric counters."""
        self._connection.executemany(_ADD, rows)


class SqliteStore(Store):
    """A SQLite database file; one that this process may not write to can still be read."""

    def __init__(self, url: str, *, create: bool, busy_seconds: float, writers: int = 1) -> None:
        self.url = url if url.startswith("sqlite:") else f"sqlite:///{url}"
        self.path = self.url.removeprefix("sqlite:").removeprefix("///")
        self._busy_seconds = busy_seconds
        self._cache_kib = WRITERS_CACHE_KIB // writers
        self._log_may_have = LARGEST_LOG
        self._readers: list[sqlite3.Connection] = []
        self._mode = WRITABLE
        if self.path in {"", "//", ":memory:"}:
            message = f"{url or 'an empty address'} names no file that lasts; name a file: sqlite:///stampbook.db"
            raise StoreError(message)
        with self._translated():
            self._open(create=create)

    def _open(self, *, create: bool) -> None:
        if not create and not _is_file(self.path):
            message = f"there is no database {self.path}; run: stampbook init"
            raise StoreError(message)
        if create:
            upgrade_sqlite(self.path, self.url)
        if create or os.access(self.path, os.W_OK):
            try:
                self._writer = self._checked()
            except sqlite3.OperationalError as error:
                if create or not _is_kept_from_writing(error):
                    raise
            else:
                return
        self._mode = self._reading_mode()
        try:
            self._writer = self._checked()
        except sqlite3.OperationalError as error:
            if self._mode == UNCHANGING or not _is_kept_from_writing(error) or not os.access(self.path, os.R_OK):
                raise
            message = (
                f"database {self.path} may not be written to, and cannot be read without the changes that lie beside "
                f"it ({self.path}-…); copy all of these files to a folder that may be written to"
            )
            raise StoreError(message) from error

    def _reading_mode(self) -> str:
        """Return how to open a file that may not be written to: what was committed last may lie beside it."""
        sizes = [stamp[1] for ending in ("-wal", "-journal") if (stamp := _stamp(f"{self.path}{ending}"))]
        return READ_ONLY if any(sizes) else UNCHANGING

    def _checked(self) -> sqlite3.Connection:
        connection = self._connect()
        try:
            check_version(_version(connection), f"database {self.path}")
            if self._mode == WRITABLE:
                connection.execute("PRAGMA journal_mode=WAL")
        except BaseException:
            connection.close()
            raise
        return connection

    @property
    def address(self) -> str:
        """The file as a URI, with the mode in which this process may open it."""
        return f"{Path(self.path).absolute().as_uri()}?{self._mode}"

    def _connect(self) -> sqlite3.Connection:
        address = self.address
        connection = sqlite3.connect(
            address, uri=True, isolation_level=None, timeout=self._busy_seconds, cached_statements=256
        )
        for pragma in _PRAGMAS:
            connection.execute(pragma)
        connection.execute(f"PRAGMA cache_size=-{self._cache_kib}")
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
        if self._mode != WRITABLE:
            raise StoreError(f"database {self.path} {_NOT_WRITABLE}")
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
        if self._mode != WRITABLE:
            self._mode = self._reading_mode()
        if self._mode == UNCHANGING:
            with self._translated(), self._unchanging() as session:
                yield session
            return
        with self._translated():
            connection = self._readers.pop() if self._readers else self._connect()
            try:
                connection.execute("PRAGMA query_only=ON")
                connection.execute("PRAGMA cache_size=-16384")  # what it keeps is void once somebody else has written
                connection.execute("PRAGMA temp_store=FILE")  # a sort of the whole journal belongs on the disk
                connection.execute("BEGIN")
                yield SqliteSession(connection)
                connection.execute("COMMIT")
            except BaseException:
                connection.close()
                raise
            self._readers.append(connection)

    @contextmanager
    def _unchanging(self) -> Iterator[Session]:
        """Read a file without a lock: what was read is worth nothing if somebody else changed it meanwhile."""
        before = _stamp(self.path)
        connection = self._connect()
        try:
            connection.execute("PRAGMA query_only=ON")
            yield SqliteSession(connection)
        finally:
            connection.close()
        if _stamp(self.path) != before:
            message = f"database {self.path} was changed while it was read; try again"
            raise StoreBusyError(message)

    def tidy(self) -> None:
        """Begin the write-ahead log anew once it is large; it grows for as long as somebody reads at every moment."""
        found = _stamp(f"{self.path}-wal")
        if found is None or found[1] < self._log_may_have:
            return
        self._writer.execute(f"PRAGMA busy_timeout={_TIDY_MILLISECONDS}")
        try:
            busy = self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        finally:
            self._writer.execute(f"PRAGMA busy_timeout={int(self._busy_seconds * 1000)}")
        self._log_may_have = LARGEST_LOG if not busy else found[1] + LARGEST_LOG

    def close(self) -> None:
        """Close all connections."""
        for connection in (self._writer, *self._readers):
            connection.close()
        self._readers.clear()


def _is_file(path: str) -> bool:
    try:
        return Path(path).is_file()
    except OSError as error:
        message = f"{path} cannot be opened: {error.strerror}; check the folder and its permissions"
        raise StoreError(message) from error


def _stamp(path: str) -> tuple[int, int] | None:
    """Return when a file was changed last and how large it is; None where there is none."""
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def _is_kept_from_writing(error: sqlite3.OperationalError) -> bool:
    return getattr(error, "sqlite_errorcode", 0) & 0xFF in {sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN}


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


_NOT_WRITABLE = "may not be written to; nothing was written, check its permissions"
_REMEDIES = (
    ("locked", "is held by another writer; nothing was written, try again"),
    ("busy", "is held by another writer; nothing was written, try again"),
    ("UNIQUE", "was written by another writer first; nothing was written, try again"),
    ("readonly", _NOT_WRITABLE),
    ("read-only", _NOT_WRITABLE),
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
