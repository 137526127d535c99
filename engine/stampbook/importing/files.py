"""Opening files as rows, by their format; what is wrong with a file as a whole is one line.

Whatever the bytes are, a row that cannot be read becomes a `Row` with a `Problem` and the rest goes on; only a file of
which nothing more can be read is an `InputError`.
"""

from __future__ import annotations

import gzip
import sys
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from stampbook.errors import InputError, near
from stampbook.importing.columnar import ParquetRows
from stampbook.importing.jsonlines import JsonRows
from stampbook.importing.rows import Row, Rows
from stampbook.importing.separated import CsvRows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

FORMATS = ("jsonl", "csv", "parquet")

_EXTENSIONS = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".parquet": "parquet",
    ".pq": "parquet",
}


def format_of(path: str, given: str | None) -> str:
    """Return the format of a file, by its extension unless it is given.

    Raises:
        InputError: no such format, or the extension says none.
    """
    if given is not None:
        if given not in FORMATS:
            message = f"{given!r} is no format of an import{near(given, FORMATS)}; one of {', '.join(FORMATS)}"
            raise InputError(message)
        return given
    if path == "-":
        return "jsonl"
    extension = Path(path.lower().removesuffix(".gz")).suffix
    try:
        return _EXTENSIONS[extension]
    except KeyError:
        if Path(path).is_dir():
            message = f"{path} is a folder; name a file in it"
            raise InputError(message) from None
        hint = "write one event a line and name it .jsonl" if extension == ".json" else "or name its format"
        message = f"{path}: the extension says no format; use one of {', '.join(_EXTENSIONS)}, {hint}"
        raise InputError(message) from None


@contextmanager
def opened(
    path: str,
    kind: str,
    *,
    delimiter: str | None = None,
    encoding: str = "utf-8",
    needed: Sequence[str] | None = None,
    keep_digits: bool = False,
) -> Iterator[Rows]:
    """Open a file (``-`` is standard input) as rows.

    Args:
        path: its name.
        kind: one of `FORMATS`.
        delimiter: between the columns of a CSV file; by default a comma, or a tab in ``.tsv``.
        encoding: of a CSV file.
        needed: the columns of a Parquet file that are read; all by default.
        keep_digits: of JSON, give numbers of more digits than a float has as decimals; else their rows are problems.

    Raises:
        InputError: it cannot be read, in one line that says why.
    """
    if kind == "parquet":
        with _reported(path):
            rows: Rows = ParquetRows(path, needed)
            yield rows
        return
    with _reported(path):
        raw = cast("IO[bytes]", sys.stdin.buffer) if path == "-" else Path(path).open("rb", 1 << 20)  # noqa: SIM115 - closed below
    try:
        with _reported(path):
            total = Path(path).stat().st_size if path != "-" and Path(path).is_file() else None
            if total == 0:
                message = f"{path} is empty; there is nothing to import"
                raise InputError(message)
            stream: Any = gzip.GzipFile(fileobj=raw) if path.lower().endswith(".gz") else raw
            if kind == "jsonl":
                rows = JsonRows(path, stream, raw, total, keep_digits=keep_digits)
            else:
                if delimiter is None:
                    delimiter = "\t" if ".tsv" in Path(path).suffixes else ","
                rows = CsvRows(path, stream, raw, total, delimiter=delimiter, encoding=encoding)
        yield _Watched(path, rows)
    finally:
        if path != "-":
            raw.close()


@contextmanager
def _reported(path: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        message = f"there is no file {path}"
        raise InputError(message) from None
    except IsADirectoryError:
        message = f"{path} is a folder; name a file in it"
        raise InputError(message) from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        message = f"{path}: the compressed file is cut off or damaged ({error}); what came before it was imported"
        raise InputError(message) from None
    except UnicodeError as error:
        message = f"{path} cannot be decoded: {error}; name its encoding in a mapping file"
        raise InputError(message) from None
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror or error}"
        raise InputError(message) from None


class _Watched(Rows):
    """Rows whose failures to read are reported; what is raised by those who use the rows is left alone."""

    def __init__(self, path: str, rows: Rows) -> None:
        self._path = path
        self._rows = rows
        self.total = rows.total

    @property
    def columns(self) -> Sequence[str] | None:
        return self._rows.columns

    @property
    def available(self) -> Sequence[str] | None:
        return self._rows.available

    def taken(self) -> int:
        return self._rows.taken()

    def __iter__(self) -> Iterator[Row]:
        with _reported(self._path):
            yield from self._rows

    def done(self) -> int:
        return self._rows.done()
