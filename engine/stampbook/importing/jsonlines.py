"""JSON Lines: one object a line."""

from __future__ import annotations

from typing import IO, TYPE_CHECKING

import orjson

from stampbook.errors import InputError
from stampbook.importing.rows import LONGEST_LINE, Problem, Row, Rows, shown, without_mark

if TYPE_CHECKING:
    from collections.abc import Iterator


class JsonRows(Rows):
    """JSON Lines: one object a line; blank lines are no rows."""

    def __init__(self, path: str, stream: IO[bytes], raw: IO[bytes], total: int | None) -> None:
        self.total = total
        self._taken = 0
        self._path = path
        self._stream = stream
        self._raw = raw

    def done(self) -> int:
        """Return how many bytes of the file are read."""
        return self._raw.tell() if self.total is not None else self._taken

    def taken(self) -> int:
        """Return how many bytes of lines were read."""
        return self._taken

    def __iter__(self) -> Iterator[Row]:
        """Yield the rows."""
        number, line, read = 0, 0, self._stream.readline
        while text := read(LONGEST_LINE + 1):
            line += 1
            self._taken += len(text)
            if line == 1:
                text = without_mark(text, self._path)
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
            self._taken += len(piece)


def _json_problem(text: bytes, error: orjson.JSONDecodeError) -> Problem:
    try:
        text.decode()
    except UnicodeDecodeError as invalid:
        return Problem("invalid_utf8", f"not UTF-8 text (byte {invalid.start + 1} of the line)")
    return Problem("invalid_json", f"not JSON: {error.msg} (column {error.colno})")
