"""What is known of earlier events of the account: of one that an event names, or of all of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from stampbook.event_base import Event
    from stampbook.ledger import MetricChange, Posting
    from stampbook.lots import Lot


class Elsewhere(NamedTuple):
    """Where an earlier event stands that is of an account which was merged into the one at hand.

    Attributes:
        path: the accounts through which it came: that which was merged into the one at hand first, its own one last.
        position: in the journal of its own account.
        lots: the terms of the lots there that it moved: asset, kind, effective at, expires at, priority.
        expired: what had expired of them there, and no return counted.
        there: metrics and days that still count there; all others count at hand.
    """

    path: tuple[str, ...]
    position: int
    lots: Mapping[int, tuple[str, str, int, int, int]]
    expired: Mapping[int, int]
    there: frozenset[tuple[str, int]]

    @property
    def ref(self) -> str:
        """The account whose event it was."""
        return self.path[-1]


@dataclass(frozen=True, slots=True)
class Earlier:
    """An accepted event of the same account that an event names in `about`, and what became of it.

    `metrics` are what it counted, limits included; `later` the kinds of the accepted events that named it since,
    `remembered` what it was to remember. Where it is of an account that was merged into this one, its postings name
    lots of this one that stand for those of the other.
    """

    event: Event
    seq: int
    postings: tuple[Posting, ...]
    metrics: tuple[MetricChange, ...]
    later: tuple[str, ...] = ()
    remembered: Mapping[str, str] = field(default_factory=dict)
    elsewhere: Elsewhere | None = None


class Happened:
    """An accepted event of the account, as its journal has it, and what it moved.

    `about` is the journal position of the event that it names, `opened` are the lots that it began. The event itself is
    read when it is asked for: a long history is mostly looked through.
    """

    __slots__ = (
        "_event", "_read", "about", "at", "id", "opened", "payload", "postings", "remembered", "seq", "source",
        "type",
    )  # fmt: skip

    def __init__(  # noqa: PLR0913 - what an entry has, by name
        self,
        *,
        seq: int,
        type: str,  # noqa: A002 - an entry's own names
        source: str,
        id: str,  # noqa: A002 - the same
        at: int,
        about: int | None,
        payload: bytes,
        postings: tuple[Posting, ...],
        opened: tuple[Lot, ...],
        remembered: Mapping[str, str],
        read: Callable[[], Event],
    ) -> None:
        self.seq = seq
        self.type = type
        self.source = source
        self.id = id
        self.at = at
        self.about = about
        self.payload = payload
        self.postings = postings
        self.opened = opened
        self.remembered = remembered
        self._read = read
        self._event: Event | None = None

    @property
    def event(self) -> Event:
        """The event, read as it was read when it was decided."""
        if self._event is None:
            self._event = self._read()
        return self._event
