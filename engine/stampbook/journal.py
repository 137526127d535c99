"""From a decision to a journal entry and back: sealing it into the account's chain, and reading it as a transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from stampbook.earlier import Earlier, Happened
from stampbook.errors import InvariantError
from stampbook.events import EarlierRecalled, Purchase, Return
from stampbook.exchanging import plain_return
from stampbook.ledger import (
    Decision,
    Entry,
    Fact,
    HoldChange,
    LotExtension,
    MetricChange,
    Posting,
    Transaction,
    canonical,
    digest_of,
)
from stampbook.lots import Lot
from stampbook.partial import as_paid
from stampbook.periods import moment_of
from stampbook.recalled import recalled_earlier, recalled_purchase
from stampbook.refunding import Past, Recorded

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from stampbook.account import Account
    from stampbook.events import Event
    from stampbook.registry import Registry


def own_payload(event: Event) -> bytes:
    """Return the canonical text of an event that the engine or a plugin made."""
    if isinstance(event, Return):
        data = plain_return(event)
    else:
        data = {name: value for name, value in event.__dict__.items() if value is not None}
    data["at"] = moment_of(event.at).isoformat()
    return canonical(data)


def encoded(decision: Decision) -> tuple[bytes, bytes]:
    """Return the canonical texts of a decision's effects and trace.

    Raises:
        InvariantError: I1: it holds a number beyond 64 bits, or what is no plain data.
    """
    transaction = decision.transaction
    try:
        if transaction is None:
            return b"{}", canonical({**decision.trace, "objections": decision.objections})
        return canonical(transaction.effects()), canonical(decision.trace)
    except TypeError as error:
        message = f"event {decision.event.id!r} leads to what cannot be kept: {error}"
        raise InvariantError("I1", message) from None


def seal(account: Account, decision: Decision, now: int, payload: bytes | None, texts: tuple[bytes, bytes]) -> Entry:
    """Return the journal entry of a decision that was just applied, and move the account's head to it.

    Args:
        account: after `pipeline.apply`.
        decision: what was applied.
        now: the present; what is recorded never falls behind the entry before.
        payload: the sender's event as canonical text; None for events that time brought.
        texts: what `encoded` made of the decision before it was applied.
    """
    event, transaction = decision.event, decision.transaction
    account.recorded_at = max(account.recorded_at, now)
    effects, trace = texts
    postings: tuple[Posting, ...] = () if transaction is None else transaction.postings
    if payload is None:
        payload = own_payload(event)
    about = decision.about
    head = account.head = digest_of(
        account.head,
        account.ref,
        account.seq,
        event.type,
        event.source,
        event.id,
        event.at,
        account.recorded_at,
        decision.program,
        transaction is not None,
        about,
        payload,
        effects,
        trace,
        postings,
    )
    return Entry(
        account.seq,
        event.type,
        event.source,
        event.id,
        event.at,
        account.recorded_at,
        decision.program,
        transaction is not None,
        about,
        payload,
        effects,
        trace,
        postings,
        head,
    )


def transaction_of(entry: Entry) -> Transaction:
    """Return the transaction that an accepted entry keeps."""
    effects = orjson.loads(entry.effects)
    origins = dict(effects.get("memo", {}).get("origins", ()))
    return Transaction(
        entry.postings,
        tuple(
            Lot(number, asset, kind, effective_at, expires_at, priority, origins.get(number, entry.seq), 0)
            for number, asset, kind, effective_at, expires_at, priority in effects.get("lots", ())
        ),
        tuple(MetricChange(*change) for change in effects.get("metrics", ())),
        tuple(Fact(*fact) for fact in effects.get("facts", ())),
        tuple(
            HoldChange(hold, action, asset, tuple((lot, amount) for lot, amount in units), lapses_at)
            for hold, action, asset, units, lapses_at in effects.get("holds", ())
        ),
        effects.get("status"),
        effects.get("memo", {}),
        tuple(LotExtension(*extension) for extension in effects.get("extended", ())),
    )


def event_of(entry: Entry, registry: Registry) -> Event:
    """Return the event of an entry, read as it was read when it was decided.

    Args:
        entry: a journal entry.
        registry: the program that judged it.
    """
    return registry.reader.read(orjson.loads(entry.payload), own=True)


def kind_of(entry: Entry) -> str:
    """Return what kind of event an entry keeps, or where that happened elsewhere, the kind of what happened there."""
    return str(orjson.loads(entry.payload)["kind"]) if entry.type == "earlier.settled" else entry.type


def recorded(entry: Entry) -> Recorded:
    """Return an entry as returns need it."""
    return Recorded(entry.seq, entry.at, entry.postings, orjson.loads(entry.effects))


def earlier_of(entries: Sequence[Entry], registry: Registry) -> Earlier:
    """Return what is known of an accepted event that another names.

    Args:
        entries: its entry, followed by those of the accepted events that named it since.
        registry: the program that judged it.
    """
    entry = entries[0]
    event = event_of(entry, registry)
    if isinstance(event, EarlierRecalled):
        return recalled_earlier(event, entry.seq, registry.reader)
    transaction = transaction_of(entry)
    later = tuple([kind_of(other) for other in entries[1:]])
    remembered: dict[str, str] = transaction.memo.get("remembered", {})
    return Earlier(event, entry.seq, entry.postings, transaction.metrics, later, remembered)


class AtHand:
    """Entries that are at hand, as pages of a history.

    Args:
        entries: a journal, or the beginning of one.
        judge_of: gives the program that judged an entry.
    """

    def __init__(self, entries: Iterable[Entry], judge_of: Callable[[Entry], Registry]) -> None:
        self._entries = {entry.seq: entry for entry in entries if entry.accepted}
        self._judge_of = judge_of

    def history(self) -> list[Happened]:
        """Return the accepted entries as what happened, in order."""
        return [
            Happened(entry.seq, entry.type, entry.at, entry.about, entry.postings, self)
            for entry in self._entries.values()
        ]

    def entry(self, seq: int, type_: str) -> Entry:  # noqa: ARG002 - a page needs no type where all are at hand
        """Return the entry at a position."""
        return self._entries[seq]

    def event(self, entry: Entry) -> Event:
        """Return the event of an entry, as it was read when it was decided."""
        return event_of(entry, self._judge_of(entry))


def past_of(entries: Sequence[Entry], registry: Registry) -> Past | None:
    """Return what is known of a purchase that comes back.

    Args:
        entries: the purchase's entry, followed by those of its returns.
        registry: the program that judged the purchase.

    Returns:
        None where the first entry is no purchase, or one that was refused.
    """
    purchase = entries[0]
    known = purchase.accepted and purchase.type in {"purchase", "earlier.recalled"}
    event = event_of(purchase, registry) if known else None
    if isinstance(event, EarlierRecalled):
        return recalled_purchase(event, purchase.seq)
    if not isinstance(event, Purchase):
        return None
    kept = recorded(purchase)
    order = as_paid(event, kept.memo).order_in(registry.context.currency.code)
    return Past(kept, order, tuple(recorded(entry) for entry in entries[1:]))
