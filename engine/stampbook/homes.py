"""Which worker decides for an account: by its ref alone, until an event joins it with another account."""

from __future__ import annotations

from typing import TYPE_CHECKING
from zlib import crc32

if TYPE_CHECKING:
    from collections.abc import Callable


class Homes:
    """The worker of each account. Accounts that events have joined, directly or through others, have one in common.

    Args:
        count: how many workers there are; they are numbered from 0.
    """

    def __init__(self, count: int) -> None:
        self._count = count
        self._above: dict[str, str] = {}
        self._moved: dict[str, int] = {}

    def of(self, ref: str) -> tuple[str, int]:
        """Return the account that stands for an account and all that were joined with it, and its worker's number."""
        head = self._head(ref) if ref in self._above else ref
        place = self._moved.get(head)
        return head, crc32(head.encode()) % self._count if place is None else place

    def join(self, ref: str, other: str, is_idle: Callable[[int], bool]) -> bool:
        """Give two accounts one worker, or return False while that of the other account has something left to do.

        Args:
            ref: the account whose worker stays.
            other: the account that comes over to it, with all that were joined with it before.
            is_idle: whether a worker has done all that it was given.
        """
        (head, place), (moved, from_place) = self.of(ref), self.of(other)
        if place != from_place and not is_idle(from_place):
            return False
        if head != moved:
            self._above[moved] = head
            self._moved[head] = place
        return True

    def _head(self, ref: str) -> str:
        """Return the account that stands for all that were joined with one."""
        head = ref
        while (above := self._above.get(head)) is not None:
            head = above
        while ref != head:
            self._above[ref], ref = head, self._above[ref]
        return head
