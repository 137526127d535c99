"""CSV with a header line."""

from __future__ import annotations

import csv
import gzip
import io
from typing import IO, TYPE_CHECKING, Any, cast

from stampbook.errors import InputError
from stampbook.importing.rows import LONGEST_LINE, Problem, Row, Rows, shown, without_mark

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


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


class CsvRows(Rows):
    """CSV with a header line; a quoted cell may hold line breaks."""

    def __init__(
        self, path: str, stream: IO[bytes], raw: IO[bytes], total: int | None, *, delimiter: str, encoding: str
    ) -> None:
        self.total = total
        self._path = path
        self._raw = raw
        self._utf8 = encoding.lower().replace("_", "-") in {"utf-8", "utf8", "utf-8-sig"}
        self._delimiter = delimiter
        first = stream.peek(4)[:4] if isinstance(stream, (io.BufferedReader, gzip.GzipFile)) else b""
        if self._utf8:
            without_mark(first, path)
        text = io.TextIOWrapper(
            cast("Any", stream), encoding="utf-8-sig" if self._utf8 else encoding, errors="surrogateescape", newline=""
        )
        self._lines = _Lines(text)
        header = next(self._records(), None)
        if header is None or header.problem is not None:
            why = "it is empty" if header is None else f"line 1: {header.problem.message if header.problem else ''}"
            message = f"{path} has no header line: {why}"
            raise InputError(message)
        self._columns = [name.strip() for name in header.values]
        twice = {name for name in self._columns if name and self._columns.count(name) > 1}
        if twice:
            message = f"{path}: line {header.line}: column {min(twice)!r} appears twice; rename one of them"
            raise InputError(message)

    @property
    def columns(self) -> Sequence[str]:
        """The names in the header line."""
        return self._columns

    def taken(self) -> int:
        """Return how many characters of rows were read."""
        return self._lines.taken

    def done(self) -> int:
        """Return how many bytes of the file are read."""
        return self._raw.tell() if self.total is not None else self._lines.taken

    def __iter__(self) -> Iterator[Row]:
        """Yield the rows after the header."""
        width = len(self._columns)
        for number, (_, line, values, unreadable, _) in enumerate(self._records(), 1):
            problem = unreadable
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
