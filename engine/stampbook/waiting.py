"""Events that wait for one process: those of an account stand together, and who has waited longest goes first."""

from __future__ import annotations

from collections import deque

_BESIDES = 60
"""How many bytes a text takes besides its own."""


class Waiting:
    """The events that wait for a process, as text, by account.

    To take many events of few accounts at once is what makes bulk work fast: each account is loaded and written once.
    """

    def __init__(self) -> None:
        self.count = 0
        self.size = 0
        self._texts: dict[str, deque[bytes]] = {}
        self._order: deque[str] = deque()

    def put(self, ref: str, text: bytes) -> None:
        """Put an event behind those of its account."""
        texts = self._texts.get(ref)
        if texts is None:
            self._texts[ref] = deque((text,))
            self._order.append(ref)
        else:
            texts.append(text)
        self.count += 1
        self.size += len(text) + _BESIDES

    def join(self, ref: str, other: str) -> None:
        """Let what waits for another account wait behind what waits for one; from now on they are one."""
        texts = self._texts.pop(other, None)
        if texts is None:
            return
        if ref in self._texts:
            self._texts[ref].extend(texts)
        else:
            self._texts[ref] = texts
            self._order.append(ref)

    def take(self, most: int, most_bytes: int) -> list[bytes]:
        """Take the next events: so many at most, and no more once they have so many bytes."""
        taken: list[bytes] = []
        size = 0
        while self._order and len(taken) < most and size < most_bytes:
            texts = self._texts.get(self._order[0])
            while texts and len(taken) < most and size < most_bytes:
                taken.append(texts.popleft())
                size += len(taken[-1])
            if not texts:
                self._texts.pop(self._order.popleft(), None)
        self.count -= len(taken)
        self.size -= size + _BESIDES * len(taken)
        return taken
