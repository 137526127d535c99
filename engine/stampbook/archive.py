"""An archive of a ledger's purchases and returns: Parquet files beside it, which later runs only extend.

The journal stays what is true. An archive keeps, with the rows, how long the chain of each account was and the hash
with which it ended. Before it is used, those hashes are compared with the journal: an account whose chain is as long as
it was must end with the same hash, one that has grown must have had that hash at that length. So all that the archive
holds of an account is proved to come from these very entries, and whatever is behind them is new. An archive that fails
the proof, that was damaged, or that another version wrote, is made anew from the journal.

Whoever uses an archive has it to himself until he has read what he wanted, since bringing it up to date removes files
that another one might still read. What ends in the middle leaves the archive as it was, and the next one clears away
what it had begun.
"""

from __future__ import annotations

import json
import os
import re
import time
from contextlib import contextmanager, suppress
from hashlib import file_digest, sha256
from typing import TYPE_CHECKING, Any, Final, NamedTuple
from uuid import uuid4

from stampbook.errors import InputError, StoreBusyError
from stampbook.sales import LINE, SALE, Sales, frame_of
from stampbook.store.columns import sales_columns

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Sequence
    from pathlib import Path
    from typing import IO

    import polars as pl

    from stampbook.engine import Engine
    from stampbook.sales import Sold
    from stampbook.store.columns import SalesColumns

FORMAT: Final = 2
"""Raised whenever the same entries would be archived otherwise: older archives are then made anew."""
_MANIFEST: Final = "archive.json"
_LOCK: Final = "archive.lock"
_OURS: Final = re.compile(r"(?:(?:sales|lines|heads)-[0-9a-f]{32}\.parquet|archive-[0-9a-f]{32}\.json)")
WAIT_SECONDS: Final = 60.0
"""How long one run waits for another that uses the same archive."""


class Part(NamedTuple):
    """One file of an archive: its name, how many rows it has, and the SHA-256 of its bytes."""

    name: str
    rows: int
    digest: str


class Manifest(NamedTuple):
    """What an archive consists of."""

    format: int
    currency: str
    heads: Part
    sales: tuple[Part, ...]
    lines: tuple[Part, ...] | None


class Archived(NamedTuple):
    """What an archive holds; `lines` are None where it has none."""

    sales: pl.LazyFrame
    lines: pl.LazyFrame | None


class Archive:
    """The folder of an archive while nobody else uses it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def up_to_date(
        self,
        engine: Engine,
        currency: str,
        *,
        with_lines: bool = False,
        on_progress: Callable[[int], None] | None = None,
    ) -> Archived:
        """Bring the archive up to the journal, and return all that it holds, of whatever instant.

        The frames are files of the archive: they can be read as long as it is in use.

        Args:
            engine: the ledger.
            currency: amounts in others are left out.
            with_lines: whether lines of orders are wanted; an archive that has them keeps them.
            on_progress: called with how many rows were read of the journal.

        Raises:
            InputError: the folder cannot be written to.
        """
        folder = self._folder
        with _told(folder):
            old = _manifest(folder, currency)
            _clear(folder, old)
            with sales_columns(engine.store) as columns:
                ends = columns.heads()
                new = None if old is None or (with_lines and old.lines is None) else _behind(folder, old, columns, ends)
                kept = None if new is None else old
                with_lines |= kept is not None and kept.lines is not None
                if kept is None or new is None or len(new):
                    sales = Sales(engine, currency, with_lines=with_lines)
                    rows = columns.all() if new is None else columns.after(new)
                    sold = _counted(map(sales.told, rows), on_progress)
                    manifest = _extended(folder, kept, currency, sold, ends, with_lines=with_lines)
                    _put(folder, manifest)
                else:
                    manifest = kept
        lines = None if manifest.lines is None else _scanned(folder, manifest.lines, LINE)
        return Archived(_scanned(folder, manifest.sales, SALE), lines)


@contextmanager
def archive_in(folder: Path, *, wait_seconds: float = WAIT_SECONDS) -> Generator[Archive]:
    """Have the archive in a folder to oneself.

    Args:
        folder: where the files are; made where it is not there yet.
        wait_seconds: how long to wait for somebody else who uses it.

    Raises:
        InputError: the folder holds other things, or cannot be written to.
        StoreBusyError: somebody else used it all the time.
    """
    with _told(folder):
        folder.mkdir(parents=True, exist_ok=True)
        _check_folder(folder)
        lock = (folder / _LOCK).open("ab")
    with lock:
        _wait_for(lock, folder, wait_seconds)
        yield Archive(folder)


def _check_folder(folder: Path) -> None:
    """Refuse a folder that has never been an archive and holds anything: what it holds might be somebody's own."""
    names = sorted(path.name for path in folder.iterdir())
    if _LOCK in names or any(name.startswith("heads-") and _is_ours(name) for name in names):
        return
    if names:
        message = f"{folder} is no archive, it holds {names[0]}; name an empty folder, or none that is there"
        raise InputError(message)


def _wait_for(lock: IO[bytes], folder: Path, seconds: float) -> None:
    """Lock a file; the system unlocks it when it is closed, however the process ends."""
    import fcntl

    until = time.monotonic() + seconds
    with _told(folder):
        while True:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= until:
                    message = f"the archive {folder} is in use by another run; try again when that is done"
                    raise StoreBusyError(message) from None
                time.sleep(0.05)
            else:
                return


@contextmanager
def _told(folder: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        message = f"the archive {folder} cannot be kept: {error.strerror or error}"
        raise InputError(message) from error


def _counted(sold: Iterator[Sold], on_progress: Callable[[int], None] | None) -> Iterator[Sold]:
    rows = 0
    for each in sold:
        yield each
        rows += len(each.sales)
        if on_progress is not None:
            on_progress(rows)


def _manifest(folder: Path, currency: str) -> Manifest | None:
    """Return what the archive says it consists of, if all of it is there as it was written."""
    with suppress(ValueError, TypeError, AttributeError, KeyError, RecursionError, OSError):
        said = json.loads((folder / _MANIFEST).read_bytes())
        if said.pop("seal") == _seal(said) and said["format"] == FORMAT and said["currency"] == currency:
            lines = None if said["lines"] is None else tuple(Part(*part) for part in said["lines"])
            found = Manifest(
                FORMAT, currency, Part(*said["heads"]), tuple(Part(*part) for part in said["sales"]), lines
            )
            if all(_digest(folder / part.name) == part.digest for part in _parts(found)):
                return found
    return None


def _behind(folder: Path, old: Manifest, columns: SalesColumns, ends: pl.DataFrame) -> pl.DataFrame | None:
    """Return from where on accounts have what the archive does not hold; None where it is of other chains."""
    import polars as pl

    known = pl.read_parquet(folder / old.heads.name)
    both = ends.join(known, on="id", how="left", suffix="_known")
    grown = both.filter(pl.col("seq_known") < pl.col("seq"))
    same = both.filter(pl.col("seq_known") == pl.col("seq"))
    there = len(grown) + len(same) == len(known)
    if not there or not (same["head"] == same["head_known"]).all():
        return None
    was = grown.select("id", seq="seq_known", head="head_known")
    proved = sum(len(found.join(was, on=["id", "seq", "head"])) for found in columns.hashes(was))
    if proved < len(was):
        return None
    fresh = both.filter(pl.col("seq_known").is_null()).select("id", seq=pl.lit(0, pl.Int64))
    return pl.concat([was.select("id", "seq"), fresh]).sort("id")


def _extended(
    folder: Path, old: Manifest | None, currency: str, sold: Iterator[Sold], ends: pl.DataFrame, *, with_lines: bool
) -> Manifest:
    """Write what is new, and return what the archive consists of with it."""
    sales = _Growing(folder, "sales", old.sales if old else ())
    lines = _Growing(folder, "lines", (old and old.lines) or ())
    for each in sold:
        sales.add(each.sales)
        if each.lines is not None:
            lines.add(each.lines)
    heads = _write(folder, "heads", ends.lazy())
    return Manifest(FORMAT, currency, heads, sales.parts(), lines.parts() if with_lines else None)


class _Growing:
    """The files of one frame of an archive, and what is added to them."""

    def __init__(self, folder: Path, name: str, parts: tuple[Part, ...]) -> None:
        self._folder = folder
        self._name = name
        self._old = parts
        self._new: list[Part] = []

    def add(self, rows: pl.DataFrame) -> None:
        """Write some rows as a file of their own, so that they need no memory."""
        if len(rows):
            self._new.append(_write(self._folder, self._name, rows.lazy()))

    def parts(self) -> tuple[Part, ...]:
        """Join what is new with files that are not much larger, so that there are never many; return all files."""
        if not self._new:
            return self._old
        small, rows = self._new, sum(part.rows for part in self._new)
        old = list(self._old)
        while old and old[-1].rows <= 2 * rows:
            small = [old.pop(), *small]
            rows = sum(part.rows for part in small)
        joined = small[0] if len(small) == 1 else _write(self._folder, self._name, _scanned(self._folder, small, ()))
        for part in self._new:
            if part != joined:
                (self._folder / part.name).unlink()
        return (*old, joined)


def _scanned(folder: Path, parts: Sequence[Part], columns: Sequence[str]) -> pl.LazyFrame:
    import polars as pl

    if not parts:
        return frame_of((), columns).lazy()
    return pl.scan_parquet([folder / part.name for part in parts])


def _write(folder: Path, name: str, frame: pl.LazyFrame) -> Part:
    import polars as pl

    path = folder / f"{name}-{uuid4().hex}.parquet"
    frame.sink_parquet(path)
    with path.open("rb") as written:
        os.fsync(written.fileno())
    rows = pl.scan_parquet(path).select(pl.len()).collect().item()
    return Part(path.name, rows, _digest(path))


def _put(folder: Path, manifest: Manifest) -> None:
    """Make the archive consist of what a manifest says, all at once, and remove what it no longer names."""
    said = manifest._asdict()
    new = folder / f"archive-{uuid4().hex}.json"
    with new.open("xb") as file:
        file.write(json.dumps({**said, "seal": _seal(said)}).encode())
        file.flush()
        os.fsync(file.fileno())
    new.replace(folder / _MANIFEST)
    _clear(folder, manifest)


def _seal(said: dict[str, Any]) -> str:
    """Return what a manifest bears, so that one that was damaged is not believed."""
    return sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def _clear(folder: Path, manifest: Manifest | None) -> None:
    """Remove files of an archive that a manifest does not name: those that it replaced, and what was never finished."""
    named = {_MANIFEST, _LOCK, *(() if manifest is None else (part.name for part in _parts(manifest)))}
    for path in sorted(folder.iterdir()):
        if _is_ours(path.name) and path.name not in named:
            path.unlink(missing_ok=True)


def _parts(manifest: Manifest) -> tuple[Part, ...]:
    return (manifest.heads, *manifest.sales, *(manifest.lines or ()))


def _is_ours(name: str) -> bool:
    return name in {_MANIFEST, _LOCK} or _OURS.fullmatch(name) is not None


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()
