"""Postings, transactions, journal entries, and the rules that never bend."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - mypyc reads the fields of named tuples when it runs
from dataclasses import dataclass, field
from decimal import Decimal
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from stampbook.amounts import LARGEST
from stampbook.errors import InvariantError
from stampbook.lots import DEBT
from stampbook.periods import NEVER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stampbook.events import Event
    from stampbook.lots import Lot

CASH: Final = "cash"
SALES: Final = "sales"
PROMOTION: Final = "promotion"
BREAKAGE: Final = "breakage"
REFUNDS: Final = "refunds"
FEES: Final = "fees"
ADJUSTMENTS: Final = "adjustments"
EXCHANGE: Final = "exchange"
"""Where one asset of an account goes, and another comes from, when it is exchanged at a rate."""

ELSEWHERE: Final = "refused_by"
"""In the trace of a refusal: the other account whose refusal it is. It cannot be decided again from one journal."""

OPENING: Final = "opening"
"""What accounts brought along from another system."""

RETURNS: Final = "returns"
"""What customers chose to have as stored value for what came back, where they had paid from outside."""

TRANSFERS: Final = "transfers"
"""What is on its way between two accounts: nothing, once both have decided."""

UNNAMED: Final = "no account has that name"
"""What is said of an account that there is not, where what was typed may hold a secret: that is not said again."""

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
    "I26": "each event is judged by the program that held at its instant, as far as was known when it was recorded",
    "I29": "a campaign grants no more than its budget, and what its leases say",
    "I27": "what left one account for another has arrived there: the book of transfers holds nothing",
    "I28": "the end of a lot is only ever put off, and only while the lot is good",
    "I30": "the table of sales has one row of each accepted purchase and return, and says what its entry says",
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
    """What a plugin concluded about an account, from `since` until `until`, and why.

    One whose name starts with an underscore is what a plugin remembers for itself; statements do not tell it.
    """

    name: str
    value: str
    since: int
    until: int
    reason: str = ""


_PARTS = 1 << 40


def part_number(authorised: int, place: int) -> int:
    """Return the number of a hold: the journal position of its event, and of several assets the place of its own."""
    return authorised + place * _PARTS


def authorised_by(hold: int) -> int:
    """Return the journal position of the event that made a hold; of several assets each has a hold of its own."""
    return hold % _PARTS


class HoldChange(NamedTuple):
    """One step in the life of a hold: `action` is authorise, raise, capture, void or lapse.

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


class LotExtension(NamedTuple):
    """A lot is good until `expires_at` instead of `before`; `amount` is what it held then."""

    lot: int
    asset: str
    amount: int
    before: int
    expires_at: int
    rule: str = ""


@dataclass(slots=True)
class Transaction:
    """All that one event changes on an account, all or none.

    `opened` are the lots that it begins (with nothing in them: postings fill them), `extended` those that it makes
    good for longer. `memo` is what a later return needs to know: what came back, what was taken, what was refunded.
    """

    postings: tuple[Posting, ...] = ()
    opened: tuple[Lot, ...] = ()
    metrics: tuple[MetricChange, ...] = ()
    facts: tuple[Fact, ...] = ()
    holds: tuple[HoldChange, ...] = ()
    status: str | None = None
    memo: dict[str, Any] = field(default_factory=dict)
    extended: tuple[LotExtension, ...] = ()

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
        if self.extended:
            effects["extended"] = [tuple(extension) for extension in self.extended]
        return effects


class Message(NamedTuple):
    """An event for another account, decided there in the same database transaction as the one that sends it.

    `data` are the event's fields but id, source, account and time, as a sender would write them. Where it is
    `required`, its refusal refuses the sender's event as well; else the refusal stands in the other's journal alone.

    A message that a purchase sends may name in `on_return` the kind of event that tells the same account when the
    purchase, or a part of it, comes back: with the same data, but in ``units`` the part of ``data["units"]`` that comes
    back, rounded cumulatively; nothing is told of no unit. `by_line` are pairs of line number and units where lines
    had their own part; empty means the whole order. It may also name in `on_completion` the kind of event that tells it
    when the purchase is completed, with the units that have not come back; what comes back later is told with the
    instant of that in ``data["completed_at"]``. With `opens` the other account is opened if there is none;
    else `absent` says what it means that there is none.
    """

    to: str
    type: str
    data: Mapping[str, Any]
    required: bool = True
    on_return: str = ""
    by_line: tuple[tuple[int, int], ...] = ()
    opens: bool = False
    absent: str = ""
    on_completion: str = ""


class Decision:
    """One event, judged: its transaction, or the objections that refused it, and why.

    `about` is the journal position of the event of this account that it names: a purchase, a hold. `messages` go to
    other accounts. `pick` (`proposals.Pick`) is what it lacks that only the books can tell: one of many accounts.
    `sequel` are events (`hookspecs.Due`) that follow at once because it is refused. `order` (`orders.Order`) is that of
    an accepted purchase.
    """

    __slots__ = (
        "about",
        "event",
        "messages",
        "objections",
        "order",
        "pick",
        "program",
        "sequel",
        "trace",
        "transaction",
    )

    def __init__(
        self,
        event: Event,
        program: str,
        transaction: Transaction | None,
        objections: tuple[Objection, ...] = (),
        trace: dict[str, Any] | None = None,
        about: int | None = None,
        messages: tuple[Message, ...] = (),
        pick: Any = None,
    ) -> None:
        self.pick = pick
        self.sequel: tuple[Any, ...] = ()
        self.order: Any = None
        self.event = event
        self.program = program
        self.transaction = transaction
        self.objections = objections
        self.trace = {} if trace is None else trace
        self.about = about
        self.messages = messages

    def _fields(self) -> tuple[Any, ...]:
        return self.event, self.program, self.transaction, self.objections, self.trace, self.about, self.messages

    def __eq__(self, other: object) -> bool:
        """Whether two decisions say the same."""
        return isinstance(other, Decision) and self._fields() == other._fields()

    __hash__ = None  # type: ignore[assignment]  # its trace may change while it is worked out

    def __repr__(self) -> str:
        return f"Decision{self._fields()}"

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


_SHA256 = sha256()
"""Copied for each hash: to make a new one costs as much as all the hashing."""


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
    names = f"{ref}\x00{seq}\x00{type}\x00{source}\x00{id}\x00{at}\x00{recorded_at}"
    head = f"{names}\x00{program}\x00{1 if accepted else 0}\x00{about or 0}\x00"
    hashed = _SHA256.copy()
    hashed.update(b"\x00".join((previous, head.encode(), payload, effects, trace, postings_text(postings))))
    return hashed.digest()


def postings_text(postings: tuple[Posting, ...]) -> bytes:
    """Return postings as they are kept and hashed: JSON, each a list of its fields."""
    return orjson.dumps([tuple(posting) for posting in postings]) if postings else b"[]"


def emptied(asset: str, amount: int, lot: int, book: str, rule: str) -> list[Posting]:
    """Return the postings that move an amount from a lot to a book: one, unless a shared lot holds more than it may."""
    full, rest = divmod(amount, LARGEST)
    return [Posting(asset, part, lot, book, rule) for part in (*[LARGEST] * full, rest) if part]


def check_postings(postings: Iterable[tuple[Any, ...]]) -> None:
    """Check the shape of postings, which plugins may have made of anything.

    Raises:
        InvariantError: I1.
    """
    for asset, amount, source, destination, _ in postings:
        if type(amount) is not int or not 0 < amount <= LARGEST:
            raise InvariantError("I1", f"a posting of {amount!r} {asset} is not a positive whole amount within range")
        if source == destination or not (_is_end(source) and _is_end(destination)):
            raise InvariantError("I1", f"a posting from {source!r} to {destination!r} has no two ends")


def check_extended(lots: Mapping[int, Lot], extended: Iterable[LotExtension], at: int) -> None:
    """Check that lots are made good for longer at an instant at which they are good.

    Raises:
        InvariantError: I28.
    """
    for number, asset, _, before, expires_at, _ in extended:
        lot = lots.get(number)
        if lot is None or lot.asset != asset or lot.kind == DEBT:
            raise InvariantError("I28", f"there is no lot {number} of {asset} to extend")
        if not at < lot.expires_at == before < expires_at <= NEVER:
            raise InvariantError("I28", f"lot {number} has ended, or would end no later")


def _is_end(end: object) -> bool:
    return (type(end) is int and end > 0) or (type(end) is str and end != "")
