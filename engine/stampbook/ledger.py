"""Postings, transactions, journal entries, and the rules that never bend."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from stampbook.amounts import LARGEST
from stampbook.errors import InvariantError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from stampbook.events import Event
    from stampbook.lots import Lot

CASH: Final = "cash"
SALES: Final = "sales"
PROMOTION: Final = "promotion"
BREAKAGE: Final = "breakage"
ADJUSTMENTS: Final = "adjustments"

GENESIS: Final = bytes(32)
"""The hash before an account's first journal entry."""

INVARIANTS: Final[Mapping[str, str]] = {
    "I1": "every posting has a positive whole amount within range, one asset and two different ends",
    "I3": "what a lot holds equals the sum of its postings",
    "I4": "the journal of an account is numbered 1 to n without a gap or a repeat",
    "I5": "the instant of recording never falls along a journal",
    "I6": "no lot stands below zero and none is drawn beyond what is neither held, expired nor pending",
    "I7": "what lots hold aside equals what open holds have left; captured, voided, lapsed and left sum to the hold",
    "I8": "a hold ends once: captured, voided or lapsed",
    "I9": "grants and restorations of a lot equal what remains, was used, expired and was taken back",
    "I11": "lots are used in the declared order",
    "I12": "no lot is used after its expiry or before it is effective",
    "I13": "one outcome per source and event id; the same content answers the same",
    "I14": "a refusal changes nothing but the journal",
    "I15": "never more is refunded than was paid, restored than was drawn, or taken back than was awarded",
    "I16": "a journal entry and its postings never change",
    "I17": "each entry carries the hash of the one before it on its account",
    "I18": "the state as of an instant equals the fold of the journal up to it",
    "I20": "a posting never joins two assets",
    "I21": "deciding the journal's events again gives the journal",
    "I23": "the parts of a split sum to the whole",
    "I24": "a closed account holds nothing",
    "I25": "metrics, facts and status are those that the journal says, and nothing falls due unseen",
}

End = int | str
"""One end of a posting: the number of a lot of the account, or the name of a book."""


class Posting(NamedTuple):
    """`amount` smallest units of one `asset` from a source to a destination, on account of `rule`."""

    asset: str
    amount: int
    source: End
    destination: End
    rule: str = ""

    def reversed(self, rule: str = "") -> Posting:
        """Return the posting that undoes this one."""
        return Posting(self.asset, self.amount, self.destination, self.source, rule)


class Objection(NamedTuple):
    """A reason to refuse a whole transaction; `code` is stable, `message` is for people."""

    code: str
    message: str
    plugin: str = ""


class Fact(NamedTuple):
    """What a plugin concluded about an account, from `since` until `until`, and why."""

    name: str
    value: str
    since: int
    until: int
    reason: str = ""


class HoldChange(NamedTuple):
    """One step in the life of a hold: `action` is authorise, capture, void or lapse.

    `units` are pairs of lot number and amount: what is set aside, captured or released.
    """

    hold: int
    action: str
    asset: str
    units: tuple[tuple[int, int], ...]
    lapses_at: int = 0


class MetricChange(NamedTuple):
    """`delta` to add to a metric's counter of one local day."""

    metric: str
    day: int
    delta: int


@dataclass(slots=True)
class Transaction:
    """All that one event changes on an account, all or none.

    `opened` are the lots that it begins (with nothing in them: postings fill them). `memo` is what a later
    return needs to know: what came back, what was taken, what was refunded.
    """

    postings: tuple[Posting, ...] = ()
    opened: tuple[Lot, ...] = ()
    metrics: tuple[MetricChange, ...] = ()
    facts: tuple[Fact, ...] = ()
    holds: tuple[HoldChange, ...] = ()
    status: str | None = None
    memo: dict[str, Any] = field(default_factory=dict)

    def effects(self) -> dict[str, Any]:
        """Return what the postings do not say, as plain data; absent where nothing."""
        effects: dict[str, Any] = {}
        if self.opened:
            effects["lots"] = [lot[:6] for lot in self.opened]
        if self.metrics:
            effects["metrics"] = [tuple(change) for change in self.metrics]
        if self.facts:
            effects["facts"] = [tuple(change) for change in self.facts]
        if self.holds:
            effects["holds"] = [tuple(change) for change in self.holds]
        if self.status is not None:
            effects["status"] = self.status
        if self.memo:
            effects["memo"] = self.memo
        return effects


@dataclass(slots=True)
class Decision:
    """One event, judged: its transaction, or the objections that refused it, and why.

    `about` is the journal position of the purchase that a return names.
    """

    event: Event
    program: str
    transaction: Transaction | None
    objections: tuple[Objection, ...] = ()
    trace: dict[str, Any] = field(default_factory=dict)
    about: int | None = None

    @property
    def accepted(self) -> bool:
        """Whether it has a transaction."""
        return self.transaction is not None


class Entry(NamedTuple):
    """One row of an account's journal, as it is kept and hashed. JSON texts are canonical: sorted keys, UTF-8."""

    seq: int
    type: str
    source: str
    id: str
    at: int
    recorded_at: int
    program: str
    accepted: bool
    about: int | None
    payload: bytes
    effects: bytes
    trace: bytes
    postings: tuple[Posting, ...]
    hash: bytes


_HEAD = "%s\x00%d\x00%s\x00%s\x00%s\x00%d\x00%d\x00%s\x00%d\x00%d\x00"


def canonical(value: object) -> bytes:
    """Return the one JSON text of plain data: sorted keys, no spaces, UTF-8; decimals as text."""
    return orjson.dumps(value, default=_plain, option=orjson.OPT_SORT_KEYS)


def _plain(value: object) -> object:
    if isinstance(value, tuple):  # orjson hands over named tuples
        return tuple(value)
    if isinstance(value, Decimal):
        return f"{value:f}"
    message = f"{type(value).__name__} is not plain data"
    raise TypeError(message)


def digest(previous: bytes, ref: str, entry: Entry) -> bytes:
    """Return the hash of an entry; see `digest_of`."""
    return digest_of(previous, ref, *entry[:13])


def digest_of(  # noqa: PLR0913, PLR0917 - every field of an entry
    previous: bytes,
    ref: str,
    seq: int,
    type: str,  # noqa: A002 - the entry's own names
    source: str,
    id: str,  # noqa: A002 - an entry's own fields
    at: int,
    recorded_at: int,
    program: str,
    accepted: bool,  # noqa: FBT001 - an entry's own fields
    about: int | None,
    payload: bytes,
    effects: bytes,
    trace: bytes,
    postings: tuple[Posting, ...],
) -> bytes:
    """Return the hash of an entry: SHA-256 over the previous hash, the account's ref, and every field.

    Fields are joined by NUL, which no field contains: names and refs refuse it and JSON escapes it.
    """
    head = _HEAD % (ref, seq, type, source, id, at, recorded_at, program, accepted, about or 0)
    moved = orjson.dumps([tuple(posting) for posting in postings])
    return sha256(b"\x00".join((previous, head.encode(), payload, effects, trace, moved))).digest()


def check_postings(postings: Iterable[Posting]) -> None:
    """Check the shape of postings.

    Raises:
        InvariantError: I1.
    """
    for asset, amount, source, destination, _ in postings:
        if type(amount) is not int or not 0 < amount <= LARGEST:
            raise InvariantError("I1", f"a posting of {amount!r} {asset} is not a positive whole amount within range")
        if source == destination or not (_is_end(source) and _is_end(destination)):
            raise InvariantError("I1", f"a posting from {source!r} to {destination!r} has no two ends")


def _is_end(end: object) -> bool:
    return (type(end) is int and end > 0) or (type(end) is str and end != "")
