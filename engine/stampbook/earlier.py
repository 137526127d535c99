"""What is known of earlier events of the account: of one that an event names, or of all of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

import orjson

from stampbook.lots import Lot

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stampbook.event_base import Event
    from stampbook.ledger import Entry, MetricChange, Posting


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


class Pages(Protocol):
    """Where the rest of an account's accepted events is looked up, when it is asked for."""

    def entry(self, seq: int, type_: str) -> Entry:
        """Return the entry at a position, whose type is known."""
        ...

    def event(self, entry: Entry) -> Event:
        """Return the event of an entry, as it was read when it was decided."""
        ...


class Happened:
    """An accepted event of the account, as its journal has it, and what it moved.

    What takes reading is read when it is asked for, while the event is decided that it is told to: a long history is
    mostly looked through.

    Args:
        seq: its position in the journal.
        type_: of event.
        at: when it happened.
        about: the journal position of the event that it names.
        postings: what it moved.
        pages: have the rest.
    """

    __slots__ = ("_pages", "about", "at", "postings", "seq", "type")

    def __init__(
        self, seq: int, type_: str, at: int, about: int | None, postings: tuple[Posting, ...], pages: Pages
    ) -> None:
        self.seq = seq
        self.type = type_
        self.at = at
        self.about = about
        self.postings = postings
        self._pages = pages

    @property
    def _entry(self) -> Entry:
        return self._pages.entry(self.seq, self.type)

    @property
    def source(self) -> str:
        """Who sent it."""
        return self._entry.source

    @property
    def id(self) -> str:
        """The sender's id."""
        return self._entry.id

    @property
    def payload(self) -> bytes:
        """The event as its sender wrote it: JSON with sorted keys."""
        return self._entry.payload

    @property
    def opened(self) -> tuple[Lot, ...]:
        """The lots that it began, as they were before anything came into them."""
        effects = self._entry.effects
        told: list[tuple[int, str, str, int, int, int]] = (
            orjson.loads(effects).get("lots", ()) if b'"lots":' in effects else []
        )
        return tuple(
            [
                Lot(number, asset, kind, effective_at, expires_at, priority, self.seq, 0)
                for number, asset, kind, effective_at, expires_at, priority in told
            ]
        )

    @property
    def status(self) -> str:
        """What it made of the account: ``open``, ``frozen`` or ``closed``; empty where it left it as it was."""
        effects = self._entry.effects
        return (orjson.loads(effects).get("status") or "") if b'"status":' in effects else ""

    @property
    def came(self) -> tuple[tuple[int, int, int], ...]:
        """What a return brought back, by line: its number, the quantity in millionths, and the value in money units."""
        effects = self._entry.effects
        if b'"came":' not in effects:
            return ()
        return tuple(tuple(each) for each in orjson.loads(effects).get("memo", {}).get("came", ()))

    @property
    def remembered(self) -> Mapping[str, str]:
        """What it was to remember."""
        effects = self._entry.effects
        found: Mapping[str, str] = {}
        if b'"remembered":' in effects:
            found = orjson.loads(effects).get("memo", {}).get("remembered", {})
        return found

    @property
    def event(self) -> Event:
        """The event, read as it was read when it was decided."""
        return self._pages.event(self._entry)
