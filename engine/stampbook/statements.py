"""What happened on an account, line by line and in words, with what it held after each."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

from stampbook.journal import event_of
from stampbook.periods import DAY
from stampbook.states import Past
from stampbook.telling import told

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

    from stampbook.engine import Engine
    from stampbook.events import Event
    from stampbook.ledger import Entry, Posting
    from stampbook.states import AccountState, Sum


class Part(NamedTuple):
    """What of a change concerns lots of one kind: paid, bonus, earned."""

    kind: str
    amount: Sum


@dataclass(frozen=True, slots=True)
class StatementLine:
    """One thing that happened.

    `parts` tells the changes by the kind of lot, so that paid and granted value stay apart. `balances` is all that
    the account holds after it, pending and held value included. `recorded_at` is None for what time has brought but
    no tick has posted yet; `late` marks what the books learned a day or more after it happened (and after the
    account was first brought into them).
    """

    at: datetime
    type: str
    words: str
    accepted: bool = True
    recorded_at: datetime | None = None
    seq: int | None = None
    source: str = ""
    event: str = ""
    reasons: tuple[str, ...] = ()
    late: bool = False
    parts: tuple[Part, ...] = ()
    changes: tuple[Sum, ...] = ()
    balances: tuple[Sum, ...] = ()


@dataclass(frozen=True, slots=True)
class Statement:
    """What happened on an account from one instant to another, and where it stands."""

    account: AccountState
    since: datetime | None
    until: datetime
    opening: tuple[Sum, ...]
    lines: tuple[StatementLine, ...]
    closing: tuple[Sum, ...]


def statement(
    engine: Engine,
    ref: str,
    *,
    since: int | None = None,
    until: int | None = None,
    as_of: int | None = None,
    known_at: int | None = None,
) -> Statement:
    """Return what happened on an account, in the order in which it happened.

    Args:
        engine: the ledger.
        ref: the account.
        since: the first instant to list; what was before is summed up.
        until: the last instant to list.
        as_of: leave out all that happened later.
        known_at: leave out all that was recorded later.

    Raises:
        UnknownAccountError: there is no such account, or there was none yet.
    """
    past = Past(engine, ref, as_of, known_at)
    local = past.calendar.local
    last = past.until if until is None else min(until, past.until)
    running: dict[str, int] = defaultdict(int)
    opening: tuple[Sum, ...] | None = None
    lines: list[StatementLine] = []
    for at, line, changes in _lines(past):
        if at > last:
            break
        listed = since is None or at >= since
        if listed and opening is None:
            opening = past.sums(running)
        for asset, units in changes.items():
            running[asset] += units
        if listed:
            changed = tuple(past.sum(asset, units) for asset, units in changes.items())
            lines.append(replace(line, changes=changed, balances=past.sums(running)))
    closing = past.sums(running)
    return Statement(
        past.state(),
        None if since is None else local(since),
        local(last),
        closing if opening is None else opening,
        tuple(lines),
        closing,
    )


def net_changes(postings: Iterable[Posting]) -> dict[str, int]:
    """Return what postings add to the account's lots and take from them, by asset, in the order of mention."""
    changes: dict[str, int] = {}
    for asset, amount, source, destination, _ in postings:
        delta = (amount if isinstance(destination, int) else 0) - (amount if isinstance(source, int) else 0)
        changes[asset] = changes.get(asset, 0) + delta
    return changes


def _lines(past: Past) -> list[tuple[int, StatementLine, dict[str, int]]]:
    """Return instant, line and changes by asset of all that happened, in the order in which it did."""
    lines = [(entry.at, _line(past, entry), net_changes(entry.postings)) for entry in past.entries]
    return sorted([*lines, *_unposted(past)], key=lambda item: item[0])


def _line(past: Past, entry: Entry) -> StatementLine:
    registry = past.judges[entry.program]
    words, reasons = told(entry, event_of(entry, registry), registry)
    local = past.calendar.local
    return StatementLine(
        local(entry.at),
        entry.type,
        words,
        entry.accepted,
        local(entry.recorded_at),
        entry.seq,
        entry.source,
        entry.id,
        reasons,
        entry.recorded_at - max(entry.at, past.entries[0].recorded_at) > DAY,
        _parts(past, entry.postings),
    )


def _parts(past: Past, postings: Iterable[Posting]) -> tuple[Part, ...]:
    units: dict[tuple[str, str], int] = defaultdict(int)
    for asset, amount, source, destination, _ in postings:
        for end, sign in ((source, -1), (destination, 1)):
            if isinstance(end, int):
                units[asset, past.account.lots[end].kind] += sign * amount
    return tuple(Part(kind, past.sum(asset, amount)) for (asset, kind), amount in units.items() if amount)


def movements(past: Past) -> Iterator[tuple[int, str, str, Sequence[Posting]]]:
    """Yield instant, id, words and postings of all that moved value, last what no tick has posted yet."""
    for entry in past.entries:
        if entry.postings:
            registry = past.judges[entry.program]
            yield entry.at, entry.id, told(entry, event_of(entry, registry), registry)[0], entry.postings
    for decision in past.brought:
        if decision.transaction is not None:
            event, postings = decision.event, decision.transaction.postings
            yield event.at, event.id, _brought_words(past, event, net_changes(postings)), postings


def _brought_words(past: Past, event: Event, changes: Mapping[str, int]) -> str:
    """Return in words what time has brought and no tick has posted yet."""
    if event.type != "expiry":
        return str(event.type).replace(".", " ").replace("_", " ")
    return f"{', '.join(str(past.sum(asset, abs(units))) for asset, units in changes.items() if units)} expired"


def _unposted(past: Past) -> Iterator[tuple[int, StatementLine, dict[str, int]]]:
    """Yield what time has brought since the journal's last entry; a tick would post the same."""
    local = past.calendar.local
    for decision in past.brought:
        event, transaction = decision.event, decision.transaction
        if transaction is None:
            continue
        changes = net_changes(transaction.postings)
        if any(changes.values()):
            words = _brought_words(past, event, changes)
            line = StatementLine(local(event.at), event.type, words, parts=_parts(past, transaction.postings))
            yield event.at, line, changes
        for fact in transaction.facts:
            if fact.name.startswith("_"):
                continue
            words = f"{fact.name} is now {fact.value or 'none'}{f' ({fact.reason})' if fact.reason else ''}"
            yield fact.since, StatementLine(local(fact.since), "review", words), {}
