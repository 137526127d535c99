"""Reading the table of sales by column: of PostgreSQL here, of a large SQLite file in processes of their own.

The driver that reads columns brings a copy of SQLite. A second copy in one process drops the locks that the first one
holds as soon as it closes the file, so it must never be loaded here. The table is only ever appended to by one writer:
rows up to the last one that a transaction sees are the same for whoever reads them later, so several may read at once.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from shutil import rmtree
from tempfile import gettempdir, mkdtemp
from time import time
from typing import TYPE_CHECKING, Any, Final
from weakref import finalize

from stampbook.errors import StoreError
from stampbook.store.reading import sql_session
from stampbook.store.rows import BETWEEN, BOUGHT, COLUMNS
from stampbook.store.sqlite import READ_ONLY, WRITABLE, SqliteStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import polars as pl

    from stampbook.store.database import Store
    from stampbook.store.session import Session

ROWS_AT_ONCE: Final = 500_000
FEW_ROWS: Final = 200_000
"""Up to so many are read here: to start a process takes as long."""

_PROCESSES: Final = 2
_FOLDER: Final = "stampbook-sales-"
_SECONDS_TO_LOCK: Final = 60
"""How old a folder that nobody holds must be: whoever makes one holds it a moment later."""
_COLUMNS: Final = COLUMNS["sale"]
_TEXTS: Final = frozenset({"currency", "event", "about", "channel", "store"})
_SALES: Final = f"SELECT {', '.join(_COLUMNS)} FROM sale WHERE at <= "  # noqa: S608 - own names
_PACKED: Final = ("currency", "channel", "store")
"""Texts of which there are few: the driver hands over one column of them in a third of the time of three."""
_PACKED_SALES: Final = _SALES.replace("currency, ", "").replace(
    "channel, store", f"currency || char({ord(BETWEEN)}) || channel || char({ord(BETWEEN)}) || store AS packed"
)
_ACCOUNTS: Final = "SELECT id, ref FROM account"
_BEGIN: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); from stampbook.store.sale_child import main; main()"
)
_NONE: Final = subprocess.DEVNULL
_NOT_READ: Final = "the database cannot be read by column"
ENDED: Final = f"{_NOT_READ}: the process that reads it ended unexpectedly; try again"


@dataclass(slots=True, weakref_slot=True)
class KeptSales:
    """Sales of one state of a ledger, part by part: in memory, or in files that end with this object.

    Attributes:
        accounts: `id` and `ref` of all accounts.
        parts: what the table says of sales, or the Arrow file that has it.
        untold: account_id and seq of those that stand in the journal alone.
        currencies: how many of the others there are by currency.
    """

    accounts: pl.DataFrame
    parts: list[pl.DataFrame | Path] = field(default_factory=list)
    untold: list[pl.DataFrame] = field(default_factory=list)
    currencies: dict[str, int] = field(default_factory=dict)

    @property
    def rows(self) -> int:
        """How many sales the table tells of."""
        return sum(self.currencies.values())

    def count(self, currencies: dict[str, int]) -> None:
        """Add how many sales a part has by currency."""
        for code, rows in currencies.items():
            self.currencies[code] = self.currencies.get(code, 0) + rows


def divided(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame, dict[str, int]]:
    """Return those of some rows of the table that say all, where the others stand, and the currencies of the first."""
    import polars as pl

    told = rows.filter(pl.col("amount").is_not_null()).drop("seq")
    untold = rows.filter(pl.col("amount").is_null()).select("account_id", "seq")
    told = told.with_columns(pl.col("kind") == BOUGHT, pl.col(_PACKED).cast(pl.Categorical))
    counts = told.group_by(pl.col("currency").cast(pl.String)).len()
    return told, untold, dict(counts.iter_rows())


def unpacked(rows: pl.DataFrame) -> pl.DataFrame:
    """Return rows with the texts that they have in one column in columns of their own."""
    import polars as pl

    texts = rows.select(pl.col("packed").unique())
    parts = pl.col("packed").str.split_exact(BETWEEN, len(_PACKED) - 1).struct.rename_fields(_PACKED)
    apart = texts.with_columns(parts.alias("parts")).unnest("parts").with_columns(pl.col(_PACKED).cast(pl.Categorical))
    return rows.join(apart, on="packed", how="left", maintain_order="left").drop("packed")


def kept_sales(store: Store, until: int, on_progress: Callable[[int], None] | None = None) -> KeptSales:
    """Return what the table of sales says up to an instant, of one state.

    Args:
        store: a database.
        until: nothing after it is read.
        on_progress: called with how many were read.

    Raises:
        StoreError: the database cannot be read so.
    """
    if isinstance(store, SqliteStore):
        with store.reader() as session:  # open until all is read: nobody can begin the file anew meanwhile
            return _of_sqlite(store, session, until, on_progress)
    return _of_postgres(store, until, on_progress)


def _of_sqlite(
    store: SqliteStore, session: Session, until: int, on_progress: Callable[[int], None] | None
) -> KeptSales:
    rows = sql_session(session).rows
    # Each by itself: SQLite looks for both together in all rows.
    [(low, high)] = rows(
        "SELECT coalesce((SELECT min(rowid) FROM sale), 1), coalesce((SELECT max(rowid) FROM sale), 0)"
    )
    executable = _executable()
    if high - low < FEW_ROWS or executable is None:
        kept = KeptSales(_frame(rows(_ACCOUNTS), ("id", "ref")))
        for start in range(low, high + 1, ROWS_AT_ONCE):
            end = min(high, start + ROWS_AT_ONCE - 1)
            found = rows(f"{_SALES}{until} AND rowid BETWEEN {start} AND {end}")
            _add(kept, _frame(found, _COLUMNS), on_progress)
        return kept
    file, _, mode = store.address.rpartition("?")
    address = f"{file}?{READ_ONLY if mode == WRITABLE else mode}"
    return _of_processes(executable, address, until, (low, high), on_progress)


def _executable() -> str | None:
    """Return the Python that can read columns in a process of its own; None where there is none."""
    from multiprocessing.spawn import get_executable

    found = get_executable()
    if not found or find_spec("adbc_driver_sqlite") is None:
        return None
    return os.fsdecode(found)


def _of_processes(
    executable: str, address: str, until: int, bounds: tuple[int, int], on_progress: Callable[[int], None] | None
) -> KeptSales:
    """Let each of several processes read some of the rows into files."""
    import polars as pl

    kept = KeptSales(pl.DataFrame())
    folder = _folder_of(kept)
    low, high = bounds
    share = -(-(high - low + 1) // _PROCESSES)
    with ExitStack() as ending:
        readers: list[subprocess.Popen[str]] = []
        for number in range(_PROCESSES):
            start = low + number * share
            said = {
                "address": address,
                "accounts": "" if number else _ACCOUNTS,
                "sales": f"{_PACKED_SALES}{until} AND rowid BETWEEN ",
                "low": start,
                "high": min(high, start + share - 1),
                "step": ROWS_AT_ONCE,
                "file": str(Path(folder) / f"{number}-"),
            }
            readers.append(_started(ending, [executable, "-c", _BEGIN, json.dumps(sys.path), json.dumps(said)]))
        for reader in readers:
            for line in _lines(reader):
                _note(kept, line, on_progress)
    return kept


def _folder_of(kept: KeptSales) -> str:
    """Return a new folder that ends with what is kept in it; take out those of processes that were killed."""
    import fcntl

    def locked(folder: str | Path) -> int:
        """Return what holds a folder for as long as this process lives, or until it is closed."""
        held = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(held)
            raise
        return held

    for left in Path(gettempdir()).glob(f"{_FOLDER}*"):
        with suppress(OSError):  # somebody's who still reads, or of another user
            if time() - left.stat().st_mtime > _SECONDS_TO_LOCK:
                held = locked(left)
                rmtree(left, ignore_errors=True)
                os.close(held)
    folder = mkdtemp(prefix=_FOLDER)
    finalize(kept, rmtree, folder, ignore_errors=True)
    finalize(kept, os.close, locked(folder))
    return folder


def _started(ending: ExitStack, command: Sequence[str]) -> subprocess.Popen[str]:
    """Start a process that does not outlive what it is read for."""
    try:
        process = subprocess.Popen(command, stdin=_NONE, stdout=subprocess.PIPE, stderr=_NONE, text=True)  # noqa: S603 - Python, with a text of our own
    except OSError as error:
        message = f"{_NOT_READ}: no process can be started for it: {error.strerror}"
        raise StoreError(message) from error
    ending.enter_context(process)  # waits, and closes what it said
    ending.callback(process.kill)
    return process


def _lines(process: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
    """Yield what a reading process says, to its end.

    Raises:
        StoreError: it could not go on, or is gone.
    """
    assert process.stdout is not None  # noqa: S101 - it was asked for
    done = False
    for line in process.stdout:
        try:
            answer: dict[str, Any] = json.loads(line)
        except ValueError:
            raise StoreError(ENDED) from None
        if "error" in answer:
            message = f"{_NOT_READ}: {answer['error']}"
            raise StoreError(message)
        done = "done" in answer
        yield answer
    if process.wait() or not done:
        raise StoreError(ENDED)


def _note(kept: KeptSales, said: dict[str, Any], on_progress: Callable[[int], None] | None) -> None:
    """Take over what a process has read."""
    import polars as pl

    if "accounts" in said:
        kept.accounts = pl.read_ipc(said["accounts"])
    if "untold" in said:
        kept.untold.append(pl.read_ipc(said["untold"]))
    if "part" in said:
        kept.parts.append(Path(said["part"]))
        kept.count(said["currencies"])
        if on_progress is not None:
            on_progress(kept.rows)


def _frame(rows: Sequence[Sequence[Any]], names: Sequence[str]) -> pl.DataFrame:
    import polars as pl

    schema = {name: pl.String if name in _TEXTS or name == "ref" else pl.Int64 for name in names}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _add(kept: KeptSales, rows: pl.DataFrame, on_progress: Callable[[int], None] | None) -> None:
    told, untold, currencies = divided(rows)
    if len(told):
        kept.parts.append(told)
        kept.count(currencies)
    if len(untold):
        kept.untold.append(untold)
    if on_progress is not None:
        on_progress(kept.rows)


def _of_postgres(store: Store, until: int, on_progress: Callable[[int], None] | None) -> KeptSales:
    import polars as pl
    from adbc_driver_postgresql import dbapi

    try:
        with dbapi.connect(store.url) as connection, connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")

            def fetched(sql: str) -> pl.DataFrame:
                cursor.execute(sql)
                stream: Any = cursor.fetch_arrow()
                return pl.DataFrame(stream)

            kept = KeptSales(fetched(_ACCOUNTS))
            low, high, count = fetched("SELECT min(account_id), max(account_id), count(*) FROM sale").row(0)
            step = max(1, (high - low + 1) * ROWS_AT_ONCE // count) if count else 1
            for start in range(low, high + 1, step) if count else ():
                some = f"{_SALES}{until} AND account_id BETWEEN {start} AND {start + step - 1}"
                _add(kept, fetched(some), on_progress)
            return kept
    except dbapi.Error as error:
        line = str(error).strip().partition("\n")[0]
        message = f"{_NOT_READ}: {line}"
        raise StoreError(message) from error
