"""Rows out of files: JSON Lines, CSV and Parquet, as streams in flat memory.

Whatever the bytes are, a row that cannot be read becomes a `Row` with a `Problem` and the rest goes on; only a file of
which nothing more can be read is an `InputError`.
"""

from __future__ import annotations

import csv
import gzip
import io
import sys
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, BinaryIO, NamedTuple, Protocol, cast

import orjson

from stampbook.errors import InputError, near

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LONGEST_LINE = 1 << 20
"""How many bytes (characters in CSV) a line may have; a longer one is malformed and is never held whole."""

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
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_UTF8_MARK = b"\xef\xbb\xbf"
_SHOWN = 10_000
_ROWS_AT_ONCE = 20_000


class Problem(NamedTuple):
    """Why a row cannot be used: a stable code and a sentence."""

    code: str
    message: str


class Row(NamedTuple):
    """One row: its number (from 1), the line of the file at which it starts (None in Parquet), and its values.

    `values` are a dict (JSON Lines) or a sequence in the order of the columns; with a problem they are what can be
    shown of it.
    """

    number: int
    line: int | None
    values: Any
    problem: Problem | None = None


class Rows(Protocol):
    """A file that is being read."""

    columns: Sequence[str] | None
    """The names of its columns; None where every row brings its own."""
    total: int | None
    """How large it is, in the measure of `done`; None if nobody knows."""
    taken: int
    """How many bytes of rows were handed out: what bounds a batch of large rows."""

    def __iter__(self) -> Iterator[Row]:
        """Yield the rows."""
        ...

    def done(self) -> int:
        """Return how far reading has come: bytes, or rows of a Parquet file."""
        ...


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
        hint = "write one event a line and name it .jsonl" if extension == ".json" else "or name its format"
        message = f"{path}: the extension says no format; use one of {', '.join(_EXTENSIONS)}, {hint}"
        raise InputError(message) from None


@contextmanager
def opened(
    path: str,
    format: str,
    *,
    delimiter: str | None = None,
    encoding: str = "utf-8",
    needed: Sequence[str] | None = None,  # noqa: A002
) -> Iterator[Rows]:
    """Open a file (``-`` is standard input) as rows.

    Args:
        path: its name.
        format: one of `FORMATS`.
        delimiter: between the columns of a CSV file; by default a comma, or a tab in ``.tsv``.
        encoding: of a CSV file.
        needed: the columns of a Parquet file that are read; all by default.

    Raises:
        InputError: it cannot be read, in one line that says why.
    """
    if format == "parquet":
        with _reported(path):
            rows: Rows = ParquetRows(path, needed)
            yield rows
        return
    with _reported(path):
        raw = cast("IO[bytes]", sys.stdin.buffer) if path == "-" else Path(path).open("rb", buffering=1 << 20)
    try:
        with _reported(path):
            total = Path(path).stat().st_size if path != "-" and Path(path).is_file() else None
            if total == 0:
                message = f"{path} is empty; there is nothing to import"
                raise InputError(message)
            stream = cast("BinaryIO", gzip.GzipFile(fileobj=raw)) if path.lower().endswith(".gz") else raw
            buffered = io.BufferedReader(cast("Any", stream), 1 << 20) if stream is not raw else cast("Any", raw)
            if format == "jsonl":
                rows = JsonRows(path, buffered, raw, total)
            else:
                if delimiter is None:
                    delimiter = "\t" if ".tsv" in Path(path).suffixes else ","
                rows = CsvRows(path, buffered, raw, total, delimiter=delimiter, encoding=encoding)
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
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror or error}"
        raise InputError(message) from None


class _Watched:
    """Rows whose failures to read are reported; what is raised by those who use the rows is left alone."""

    def __init__(self, path: str, rows: Rows) -> None:
        self._path = path
        self._rows = rows
        self.columns = rows.columns
        self.total = rows.total

    @property
    def taken(self) -> int:
        return self._rows.taken

    def __iter__(self) -> Iterator[Row]:
        rows = iter(self._rows)
        while True:
            with _reported(self._path):
                row = next(rows, None)
            if row is None:
                return
            yield row

    def done(self) -> int:
        return self._rows.done()


class JsonRows:
    """JSON Lines: one object a line; blank lines are no rows."""

    columns = None

    def __init__(self, path: str, stream: IO[bytes], raw: IO[bytes], total: int | None) -> None:
        self.total = total
        self.taken = 0
        self._path = path
        self._stream = stream
        self._raw = raw

    def done(self) -> int:
        """Return how many bytes of the file are read."""
        return self._raw.tell() if self.total is not None else self.taken

    def __iter__(self) -> Iterator[Row]:
        """Yield the rows."""
        number, line, read = 0, 0, self._stream.readline
        while text := read(LONGEST_LINE + 1):
            line += 1
            self.taken += len(text)
            if line == 1:
                text = _without_mark(text, self._path)
            problem = None
            if len(text) > LONGEST_LINE and not text.endswith(b"\n"):
                self._skip_line()
                problem = Problem("too_long", f"the line is longer than {LONGEST_LINE} bytes")
            elif not text.strip():
                continue
            number += 1
            if problem is None:
                try:
                    values = orjson.loads(text)
                except orjson.JSONDecodeError as error:
                    problem = _json_problem(text, error)
                else:
                    if type(values) is dict:
                        yield Row(number, line, values)
                        continue
                    problem = Problem(
                        "not_an_object", "the line is JSON, but not an object {…}: write one event a line"
                    )
            yield Row(number, line, shown(text), problem)
        if not number:
            message = f"{'standard input' if self._path == '-' else self._path} is empty; there is nothing to import"
            raise InputError(message)

    def _skip_line(self) -> None:
        while (piece := self._stream.readline(LONGEST_LINE)) and not piece.endswith(b"\n"):
            self.taken += len(piece)


def _without_mark(text: bytes, path: str) -> bytes:
    if text.startswith(_UTF16):
        message = f"{path} is UTF-16; save it as UTF-8"
        raise InputError(message)
    if text.startswith(b"PAR1"):
        message = f"{path} is a Parquet file; name it .parquet or give its format"
        raise InputError(message)
    return text.removeprefix(_UTF8_MARK)


def _json_problem(text: bytes, error: orjson.JSONDecodeError) -> Problem:
    try:
        text.decode()
    except UnicodeDecodeError as invalid:
        return Problem("invalid_utf8", f"not UTF-8 text (byte {invalid.start + 1} of the line)")
    return Problem("invalid_json", f"not JSON: {error.msg} (column {error.colno})")


def shown(text: bytes) -> str:
    """Return bytes as text that can be shown, cut off where it is very long."""
    return text[:_SHOWN].decode("utf-8", "backslashreplace").rstrip("\r\n") + ("…" if len(text) > _SHOWN else "")


class _TooLong(Exception):  # noqa: N818 - never seen outside
    """A record of a CSV file goes on and on."""


class _Lines:
    """The lines of a CSV file, of which those after the first of a broken record can be given back."""

    def __init__(self, stream: io.TextIOWrapper) -> None:
        self.number = 0
        self.taken = 0
        self.record: list[str] = []
        self._stream = stream
        self._again: list[str] = []
        self._size = 0

    def begin(self) -> None:
        self.record.clear()
        self._size = 0

    def give_back(self) -> None:
        self.number -= len(self.record) - 1
        self._again.extend(reversed(self.record[1:]))
        del self.record[1:]

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if self._again:
            text = self._again.pop()
        else:
            text = self._stream.readline(LONGEST_LINE + 1)
            if not text:
                raise StopIteration
            self.taken += len(text)
            if len(text) > LONGEST_LINE and not text.endswith(("\n", "\r")):
                self._skip_line()
        self.number += 1
        self.record.append(text)
        self._size += len(text)
        if self._size > LONGEST_LINE:
            raise _TooLong
        return text

    def _skip_line(self) -> None:
        while (piece := self._stream.readline(LONGEST_LINE)) and not piece.endswith(("\n", "\r")):
            self.taken += len(piece)


class CsvRows:
    """CSV with a header line; a quoted cell may hold line breaks."""

    def __init__(  # noqa: PLR0913 - what a CSV file is made of
        self, path: str, stream: IO[bytes], raw: IO[bytes], total: int | None, *, delimiter: str, encoding: str
    ) -> None:
        self.total = total
        self._path = path
        self._raw = raw
        self._utf8 = encoding.lower().replace("_", "-") in {"utf-8", "utf8", "utf-8-sig"}
        self._delimiter = delimiter
        first = stream.peek(4)[:4] if isinstance(stream, io.BufferedReader) else b""
        if self._utf8:
            _without_mark(first, path)
        text = io.TextIOWrapper(
            cast("Any", stream), encoding="utf-8-sig" if self._utf8 else encoding, errors="surrogateescape", newline=""
        )
        self._lines = _Lines(text)
        header = next(self._records(), None)
        if header is None or header.problem is not None:
            why = "it is empty" if header is None else f"line 1: {header.problem.message if header.problem else ''}"
            message = f"{path} has no header line: {why}"
            raise InputError(message)
        self.columns: Sequence[str] = [name.strip() for name in header.values]
        twice = {name for name in self.columns if name and self.columns.count(name) > 1}
        if twice:
            message = f"{path}: line {header.line}: column {min(twice)!r} appears twice; rename one of them"
            raise InputError(message)

    @property
    def taken(self) -> int:
        """How many characters of rows were read."""
        return self._lines.taken

    def done(self) -> int:
        """Return how many bytes of the file are read."""
        return self._raw.tell() if self.total is not None else self.taken

    def __iter__(self) -> Iterator[Row]:
        """Yield the rows after the header."""
        width = len(self.columns)
        for number, (_, line, values, problem) in enumerate(self._records(), 1):
            if problem is None and len(values) != width:
                message = f"it has {len(values)} column{'' if len(values) == 1 else 's'}, the header has {width}"
                problem = Problem("ragged", message)
            if problem is None:
                yield Row(number, line, values)
            else:
                yield Row(number, line, shown("".join(self._lines.record).encode("utf-8", "surrogateescape")), problem)

    def _records(self) -> Iterator[Row]:
        lines = self._lines
        reader = csv.reader(lines, delimiter=self._delimiter, strict=True)
        while True:
            lines.begin()
            start = lines.number + 1
            problem, values = None, []
            try:
                values = next(reader)
            except StopIteration:
                return
            except _TooLong:
                lines.give_back()
                problem = Problem(
                    "too_long", f"the row is longer than {LONGEST_LINE} characters, or a quote never ends"
                )
                reader = csv.reader(lines, delimiter=self._delimiter, strict=True)
            except csv.Error as error:
                lines.give_back()
                problem = Problem("invalid_csv", f"not CSV: {error}")
                reader = csv.reader(lines, delimiter=self._delimiter, strict=True)
            if problem is None and not values:
                continue
            if problem is None and not all(map(str.isascii, lines.record)):
                problem = self._undecoded(lines.record)
            yield Row(0, start, values, problem)

    def _undecoded(self, record: list[str]) -> Problem | None:
        try:
            "".join(record).encode()
        except UnicodeEncodeError as error:
            hint = "; if the whole file is, name its encoding in a mapping file" if self._utf8 else ""
            return Problem(
                "invalid_utf8",
                f"not {'UTF-8' if self._utf8 else 'valid'} text (character {error.start + 1} of the row){hint}",
            )
        return None


class ParquetRows:
    """Parquet, read some thousand rows at a time."""

    def __init__(self, path: str, needed: Sequence[str] | None = None) -> None:
        if path == "-":
            message = "Parquet cannot be read from standard input; name a file"
            raise InputError(message)
        if not Path(path).is_file():
            Path(path).open("rb").close()  # raises what is wrong with it
        try:
            import polars as pl  # noqa: PLC0415
        except ImportError:
            message = "reading Parquet needs Polars; run: pip install 'stampbook[analytics]'"
            raise InputError(message) from None
        self._path = path
        self._failures = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError)
        try:
            self._frame = pl.scan_parquet(path, glob=False)
            self.columns: Sequence[str] = self._frame.collect_schema().names()
            if needed is not None:
                self.columns = [name for name in self.columns if name in set(needed)]
                self._frame = self._frame.select(self.columns)
            self.total: int | None = pl.scan_parquet(path, glob=False).select(pl.len()).collect().item()
        except self._failures as error:
            message = f"{path} is no whole Parquet file: {_first_line(error)}; write it anew"
            raise InputError(message) from None
        self.taken = 0
        self._done = 0

    def done(self) -> int:
        """Return how many rows are read."""
        return self._done

    def __iter__(self) -> Iterator[Row]:
        """Yield the rows."""
        total = self.total or 0
        for start in range(0, total, _ROWS_AT_ONCE):
            try:
                values = self._frame.slice(start, _ROWS_AT_ONCE).collect().rows()
            except self._failures as error:
                message = (
                    f"{self._path}: row {start + 1}: it and those after it cannot be read ({_first_line(error)}); "
                    "what came before was imported"
                )
                raise InputError(message) from None
            for number, row in enumerate(values, start + 1):
                self._done = number
                yield Row(number, None, row)


def _first_line(error: BaseException) -> str:
    return str(error).strip().split("\n", 1)[0][:200]
