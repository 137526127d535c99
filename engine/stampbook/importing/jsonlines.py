"""JSON Lines: one object a line."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import IO, TYPE_CHECKING, Any

import orjson

from stampbook.errors import InputError
from stampbook.importing.rows import LONGEST_LINE, Problem, Row, Rows, shown, without_mark

if TYPE_CHECKING:
    from collections.abc import Iterator

_DIGITS = bytes(ord("0") if chr(byte) in "0123456789." else ord(" ") for byte in range(256))
_LONG = b"0" * 17
"""A number that a float does not hold has more than 15 digits, and a point."""


class JsonRows(Rows):
    """JSON Lines: one object a line; blank lines are no rows."""

    def __init__(
        self, path: str, stream: IO[bytes], raw: IO[bytes], total: int | None, *, keep_digits: bool = False
    ) -> None:
        self.total = total
        self._keep_digits = keep_digits
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
                        if _is_plain(text, values):
                            yield Row(number, line, values, None, text)
                            continue
                        values, problem = _looked_at_again(text, keep_digits=self._keep_digits)
                        if problem is None:
                            yield Row(number, line, values)
                            continue
                    else:
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


def _is_plain(text: bytes, values: dict[str, Any]) -> bool:
    """Return whether a line holds no key twice and no number of more digits than a float has; quick, and unsure of no.

    Of another line orjson would keep the last of two keys, and the first digits of a number.
    """
    if b'" ' in text or b'"\t' in text:  # perhaps before a colon
        return False
    return text.count(b'":') == _count_keys(values) and _LONG not in text.translate(_DIGITS)


def _count_keys(values: dict[str, Any]) -> int:
    count = len(values)
    for value in values.values():
        kind = type(value)
        if kind is list:
            for item in value:
                if type(item) is dict:
                    count += len(item)
        elif kind is dict:
            count += _count_keys(value)
    return count


def _looked_at_again(text: bytes, *, keep_digits: bool) -> tuple[Any, Problem | None]:
    """Return the values of a line with all digits of its numbers, and what is wrong with it."""
    twice: list[str] = []
    inexact: list[str] = []

    def pairs(found: list[tuple[str, Any]]) -> dict[str, Any]:
        values = dict(found)
        if len(values) < len(found):
            names = [name for name, _ in found]
            twice.extend(name for name in values if names.count(name) > 1)
        return values

    def number(digits: str) -> float | Decimal:
        read = float(digits)
        exact = Decimal(digits)
        if exact == Decimal(repr(read)):
            return read
        inexact.append(digits)
        return exact

    try:
        values = json.loads(text, object_pairs_hook=pairs, parse_float=number, parse_int=_whole)
    except (RecursionError, ArithmeticError):
        return None, Problem("invalid_json", "not JSON that can be read: nested too deeply, or a number out of bounds")
    if twice:
        return None, Problem("duplicate_key", f"the key {_short(twice[0])} stands twice in one object; write it once")
    if inexact and not keep_digits:
        what = f"the number {_short(inexact[0])} has more digits than a JSON number is read with"
        return None, Problem("inexact_number", f"{what}; write it in quotes")
    return values, None


def _whole(digits: str) -> float:
    return int(digits) if len(digits) < 20 else float(digits)  # noqa: PLR2004 - as orjson does, at 64 bits


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "…")  # noqa: PLR2004 - one line stays one line


def _json_problem(text: bytes, error: orjson.JSONDecodeError) -> Problem:
    try:
        text.decode()
    except UnicodeDecodeError as invalid:
        return Problem("invalid_utf8", f"not UTF-8 text (byte {invalid.start + 1} of the line)")
    return Problem("invalid_json", f"not JSON: {error.msg} (column {error.colno})")
