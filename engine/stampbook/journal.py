"""From a decision to a journal entry and back: sealing it into the account's chain, and reading it as a transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from stampbook.ledger import (
    Decision,
    Entry,
    Fact,
    HoldChange,
    MetricChange,
    Transaction,
    canonical,
    digest,
)
from stampbook.lots import Lot
from stampbook.periods import moment_of

if TYPE_CHECKING:
    from stampbook.account import Account
    from stampbook.events import Event


def own_payload(event: Event) -> bytes:
    """Return the canonical text of an event that the engine or a plugin made."""
    data = event.model_dump(exclude_none=True)
    data["at"] = moment_of(event.at).isoformat()
    return canonical(data)


def seal(account: Account, decision: Decision, now: int, payload: bytes | None) -> Entry:
    """Return the journal entry of a decision that was just applied, and move the account's head to it.

    Args:
        account: after `pipeline.apply`.
        decision: what was applied.
        now: the present; what is recorded never falls behind the entry before.
        payload: the sender's event as canonical text; None for events that time brought.
    """
    event, transaction = decision.event, decision.transaction
    account.recorded_at = max(account.recorded_at, now)
    if transaction is None:
        effects = b"{}"
        trace = canonical({**decision.trace, "objections": decision.objections})
        postings = ()
    else:
        effects = canonical(transaction.effects())
        trace = canonical(decision.trace)
        postings = transaction.postings
    entry = Entry(
        account.seq,
        event.type,
        event.source,
        event.id,
        event.at,
        account.recorded_at,
        decision.program,
        transaction is not None,
        decision.about,
        own_payload(event) if payload is None else payload,
        effects,
        trace,
        postings,
        b"",
    )
    account.head = digest(account.head, account.ref, entry)
    return entry._replace(hash=account.head)


def transaction_of(entry: Entry) -> Transaction:
    """Return the transaction that an accepted entry keeps."""
    effects = orjson.loads(entry.effects)
    return Transaction(
        entry.postings,
        tuple(Lot(*lot, origin=entry.seq, remaining=0) for lot in effects.get("lots", ())),
        tuple(MetricChange(*change) for change in effects.get("metrics", ())),
        tuple(Fact(*fact) for fact in effects.get("facts", ())),
        tuple(
            HoldChange(hold, action, asset, tuple((lot, amount) for lot, amount in units), lapses_at)
            for hold, action, asset, units, lapses_at in effects.get("holds", ())
        ),
        effects.get("status"),
        effects.get("memo", {}),
    )
