"""What every kind of file is read as: rows, each with its number, its line, and perhaps a problem."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, NamedTuple

from stampbook.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

LONGEST_LINE = 1 << 20
"""How many bytes (characters in CSV) a line may have; a longer one is malformed and is never held whole."""

_UTF16 = (b"\xff\xfe", b"\xfe\xff")
_UTF8_MARK = b"\xef\xbb\xbf"
_SHOWN = 10_000


class Problem(NamedTuple):
    """Why a row cannot be used: a stable code and a sentence."""

    code: str
    message: str


class Row(NamedTuple):
    """One row: its number (from 1), the line of the file at which it starts (None in Parquet), and its values.

    `values` are a dict (JSON Lines) or a sequence in the order of the columns; with a problem they are what can be
    shown of it. `text` is the line where it says the same in JSON.
    """

    number: int
    line: int | None
    values: Any
    problem: Problem | None = None
    text: bytes = b""


class Rows(ABC):
    """A file that is being read."""

    @property
    def columns(self) -> Sequence[str] | None:
        """The names of its columns; None where every row brings its own."""
        return None

    @property
    def available(self) -> Sequence[str] | None:
        """The names of all columns of the file, those too that are not read."""
        return self.columns

    total: int | None = None
    """How large it is, in the measure of `done`; None if nobody knows."""

    @abstractmethod
    def __iter__(self) -> Iterator[Row]:
        """Yield the rows."""

    @abstractmethod
    def done(self) -> int:
        """Return how far reading has come: bytes, or rows of a Parquet file."""

    @abstractmethod
    def taken(self) -> int:
        """Return how many bytes of rows were handed out: what bounds a batch of large rows."""


def without_mark(text: bytes, path: str) -> bytes:
    """Return the start of a text file without its UTF-8 mark.

    Raises:
        InputError: it is no text in UTF-8.
    """
    if text.startswith(_UTF16):
        message = f"{path} is UTF-16; save it as UTF-8"
        raise InputError(message)
    if text.startswith(b"PAR1"):
        message = f"{path} is a Parquet file; name it .parquet or give its format"
        raise InputError(message)
    return text.removeprefix(_UTF8_MARK)


def shown(text: bytes) -> str:
    """Return bytes as text that can be shown, cut off where it is very long."""
    return text[:_SHOWN].decode("utf-8", "backslashreplace").rstrip("\r\n") + ("…" if len(text) > _SHOWN else "")
