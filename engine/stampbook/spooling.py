"""Texts that wait on disk instead of in memory: put down one after the other, each taken up once."""

from __future__ import annotations

import os
import tempfile
from typing import IO

_SEGMENT_BITS = 40
_LENGTH_BITS = 30
_SEGMENT_BYTES = 64_000_000
_WRITTEN_AT_ONCE = 1_000_000


class Spool:
    """A row of temporary files that nobody else can open; each goes when all that is in it was taken.

    A ticket is a number that says where a text is and how long it is.
    """

    def __init__(self) -> None:
        self.size = 0
        """How many bytes the files have."""
        self._files: dict[int, IO[bytes]] = {}
        self._left: dict[int, int] = {}
        self._last = 0
        self._written = 0
        self._ahead = bytearray()
        self._is_full = False

    def put(self, text: bytes) -> int:
        """Put a text down and return its ticket; 0 where there is no room, until some of what is there was taken."""
        try:
            self._make_room()
        except OSError:
            self._is_full = True
        if self._is_full:
            return 0
        ticket = ((self._last << _SEGMENT_BITS) + self._written + len(self._ahead) << _LENGTH_BITS) + len(text)
        self._ahead += text
        self._left[self._last] += 1
        return ticket

    def _make_room(self) -> None:
        if self._is_full:
            return
        if not self._files or self._written + len(self._ahead) >= _SEGMENT_BYTES:
            self._begin()
        if len(self._ahead) >= _WRITTEN_AT_ONCE:
            self._write()

    def take(self, ticket: int) -> bytes:
        """Take up the text of a ticket, once."""
        length = ticket & (1 << _LENGTH_BITS) - 1
        place = ticket >> _LENGTH_BITS
        segment, offset = place >> _SEGMENT_BITS, place & (1 << _SEGMENT_BITS) - 1
        if segment == self._last and offset >= self._written:
            text = bytes(self._ahead[offset - self._written : offset - self._written + length])
        else:
            file = self._files[segment]
            file.seek(offset)
            text = file.read(length)
        self._left[segment] -= 1
        if not self._left[segment] and segment != self._last:
            self._end(segment)
        return text

    def close(self) -> None:
        """Forget all that was put down."""
        for segment in list(self._files):
            self._end(segment)
        self._ahead.clear()

    def _begin(self) -> None:
        file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 - it stays open until all of it was taken
        try:
            if self._files:
                self._write()
        except OSError:
            file.close()
            raise
        if self._files and not self._left[self._last]:
            self._end(self._last)
        self._last += 1
        self._files[self._last], self._left[self._last], self._written = file, 0, 0

    def _write(self) -> None:
        """Write what is ahead; where only a part of it can be written, all of it stays ahead."""
        file, written = self._files[self._last], 0
        file.seek(self._written)
        while written < len(self._ahead):
            written += file.write(self._ahead[written:])
        self._written += written
        self.size += written
        self._ahead.clear()

    def _end(self, segment: int) -> None:
        file = self._files.pop(segment)
        del self._left[segment]
        self.size -= file.seek(0, os.SEEK_END)
        file.close()
        self._is_full = False
