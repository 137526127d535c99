"""Events that wait for one process: those of an account stand together, and who has waited longest goes first."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stampbook.spooling import Spool

_BESIDES = 60
"""How many bytes of memory a text takes besides its own, and a ticket in all."""

_ACCOUNT = 200
"""How many bytes of memory an account takes for which something waits."""


class Waiting:
    """The events that wait for a process, as text, by account: the first in memory, and the others in a spool.

    To take many events of few accounts at once is what makes bulk work fast: each account is loaded and written once.

    Args:
        spool: where texts wait that memory is not to hold; without room there, memory holds them all the same.
        most: how many bytes of memory texts may take before others are spooled.
    """

    def __init__(self, spool: Spool, most: int) -> None:
        self.count = 0
        self.size = 0
        """How many bytes of memory all that waits takes."""
        self._spool = spool
        self._most = most
        self._texts: dict[str, list[bytes | int]] = {}
        self._order: deque[str] = deque()

    def put(self, ref: str, text: bytes) -> None:
        """Put an event behind those of its account."""
        texts = self._texts.get(ref)
        if texts is None:
            texts = self._texts[ref] = []
            self._order.append(ref)
            self.size += _ACCOUNT
        texts.append(self._kept(text))
        self.count += 1

    def _kept(self, text: bytes) -> bytes | int:
        if self.size >= self._most and (ticket := self._spool.put(text)):
            self.size += _BESIDES
            return ticket
        self.size += _BESIDES + len(text)
        return text

    def join(self, ref: str, other: str) -> None:
        """Let what waits for another account wait behind what waits for one; from now on they are one."""
        texts = self._texts.pop(other, None)
        if texts is None:
            return
        if ref in self._texts:
            self._texts[ref].extend(texts)
            self.size -= _ACCOUNT
        else:
            self._texts[ref] = texts
            self._order.append(ref)

    def take(self, most: int, most_bytes: int) -> list[bytes]:
        """Take the next events: so many at most, and no more once they have so many bytes."""
        taken: list[bytes] = []
        size = 0
        while self._order and len(taken) < most and size < most_bytes:
            ref = self._order[0]
            texts = self._texts.get(ref, [])
            number = 0
            while number < len(texts) and len(taken) < most and size < most_bytes:
                text = self._taken(texts[number])
                taken.append(text)
                size += len(text)
                number += 1
            if number < len(texts):
                del texts[:number]
                break
            self._order.popleft()
            if self._texts.pop(ref, None) is not None:
                self.size -= _ACCOUNT
        self.count -= len(taken)
        return taken

    def _taken(self, kept: bytes | int) -> bytes:
        self.size -= _BESIDES
        if isinstance(kept, int):
            return self._spool.take(kept)
        self.size -= len(kept)
        return kept
