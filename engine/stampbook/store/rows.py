"""Between rows and the state of accounts and journals."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from stampbook.account import Account, Hold
from stampbook.errors import StoreError
from stampbook.ledger import Entry, Fact, Posting, postings_text
from stampbook.lots import Lot

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from stampbook.ledger import Decision

Row = tuple[Any, ...]

COLUMNS = {
    "account": ("id", "ref", "status", "opened_at"),
    "chain": ("account_id", "clock", "seq", "head", "recorded_at", "due_at", "next_lot", "next_hold"),
    "journal": (
        "account_id", "seq", "type", "source", "event_id", "at", "recorded_at", "program_id", "accepted", "about",
        "payload", "effects", "trace", "hash", "postings",
    ),
    "event_key": ("source", "event_id", "account_id", "seq"),
    "sale": (
        "account_id", "seq", "at", "kind", "amount", "discount", "currency", "event", "about", "channel", "store",
    ),
    "lot": (
        "account_id", "number", "asset", "kind", "effective_at", "expires_at", "priority", "origin", "remaining",
        "held",
    ),
    "hold": ("account_id", "number", "asset", "amount", "units", "captured", "voided", "lapsed", "lapses_at"),
    "metric": ("account_id", "metric", "day", "value"),
    "fact": ("account_id", "name", "since", "value", "until", "reason"),
    "segment_spell": ("account_id", "scheme", "line", "since", "segment"),
    "segment_score": ("account_id", "scheme", "run_id", "segment", "scores"),
}  # fmt: skip
"""The columns in the order in which rows are read and written; a test holds them to the tables and views."""

STATE = {
    "chain": {"part": "0", "name": "''", "number": "0"},
    "lot": {"part": "1", "name": "''"},
    "metric": {"part": "2"},
}
"""The views of table `state`: which columns of its key are the same in all rows of one, as SQL."""

_STATE_KEY = ("account_id", "part", "name", "number")
_NAMES_IN_STATE: dict[str, dict[str, str]] = {"metric": {"metric": "name", "day": "number"}}

APPENDED = ("journal", "event_key", "sale", "segment_spell", "segment_score")
"""The tables to which rows are appended in bulk."""

ACCEPTED = (
    "seq", "type", "source", "event_id", "at", "recorded_at", "program_id", "about", "payload", "effects", "postings",
)  # fmt: skip
"""The columns of accepted journal entries of which plugins are told: without trace and hash, which they never see."""

HEADS = ("seq", "type", "at", "about", "postings")
"""The columns of accepted journal entries that whoever looks through a history needs of each."""

CHANGING = {
    "account": ("status", "opened_at"),
    "chain": ("clock", "seq", "head", "recorded_at", "due_at", "next_lot", "next_hold"),
    "lot": ("expires_at", "remaining", "held"),
    "hold": ("amount", "units", "captured", "voided", "lapsed"),
    "fact": ("value", "until", "reason"),
}
"""The columns that an upsert may change; the rest is fixed when the row begins."""

KEYS = {
    "account": ("id",),
    "hold": ("account_id", "number"),
    "fact": ("account_id", "name", "since"),
    "state": _STATE_KEY,
}


class Target(NamedTuple):
    """Where rows are written: the table, its columns in their order, what else is the same in all, and the key."""

    table: str
    columns: tuple[str, ...]
    fixed: dict[str, str]
    key: tuple[str, ...]


def target(table: str) -> Target:
    """Return where the rows of a table, or of a view of `state`, are written."""
    if table not in STATE:
        return Target(table, COLUMNS[table], {}, KEYS.get(table, ()))
    names = _NAMES_IN_STATE.get(table, {})
    columns = tuple(names[name] if name in names else name for name in COLUMNS[table])  # noqa: SIM401 - for pyright
    return Target("state", columns, STATE[table], _STATE_KEY)


BOUGHT, BACK = 1, 2
BETWEEN = "\x1f"
"""What stands in no text of a sale, so that several can be read as one."""
SALES = {"purchase": BOUGHT, "return": BACK, "purchase.cancelled": BACK}
"""The events that are kept as sales besides, once they are accepted, and what `kind` is of each."""


@cache
def columns(table: str, *, after: int = 0, of: str = "") -> str:
    """Return a table's columns as SQL, from a position on, under an alias."""
    prefix = f"{of}." if of else ""
    return ", ".join(prefix + name for name in COLUMNS[table][after:])


WHOLE_ACCOUNTS: Final = (
    f"SELECT {columns('account', of='a')}, {columns('chain', after=1, of='c')} "  # noqa: S608 - own columns
    "FROM account a JOIN chain c ON c.account_id = a.id"
)
"""SQL of accounts as `rows.account_of` reads them."""


class Key(NamedTuple):
    """Where the entry of an event id stands."""

    account_id: int
    seq: int


def account_row(account: Account) -> Row:
    """Return the row of an account."""
    return account.id, account.ref, account.status, account.opened_at


def chain_row(account: Account) -> Row:
    """Return the row that says how an account's chain ends."""
    return (
        account.id,
        account.clock,
        account.seq,
        account.head,
        account.recorded_at,
        account.due_at,
        account.next_lot,
        account.next_hold,
    )


def account_of(row: Row) -> Account:
    """Return an account without its lots, holds, metrics and facts, from its row and its chain's after the id."""
    id_, ref, status, opened_at, clock, seq, head, recorded_at, due_at, next_lot, next_hold = row
    return Account(ref, id_, status, opened_at, clock, seq, bytes(head), recorded_at, due_at, next_lot, next_hold)


def journal_row(account_id: int, program_id: int, entry: Entry) -> Row:
    """Return the row of a journal entry."""
    return (
        account_id,
        entry.seq,
        entry.type,
        entry.source,
        entry.id,
        entry.at,
        entry.recorded_at,
        program_id,
        1 if entry.accepted else 0,
        entry.about,
        entry.payload.decode(),
        entry.effects.decode(),
        entry.trace.decode(),
        entry.hash,
        postings_text(entry.postings).decode(),
    )


def sale_row(account_id: int, entry: Entry, decision: Decision, currency: str) -> Row:
    """Return the row of an accepted purchase or return.

    Args:
        account_id: whose entry it is.
        entry: of a kind among `SALES`.
        decision: what was decided.
        currency: that of the program, for an event that says none.
    """
    source = entry.source
    name = entry.id if source == "default" else f"{source}\t{entry.id}"
    if entry.type == "purchase":
        order = decision.order
        channel: str = order.channel
        store: str = order.store
        if "\x00" in channel or "\x00" in store or BETWEEN in channel or BETWEEN in store:
            return untold_sale_row(account_id, entry)
        return (
            account_id, entry.seq, entry.at, BOUGHT, order.total, order.discount, order.currency, name, "", channel,
            store,
        )  # fmt: skip
    event = decision.event
    named = event.names
    about = "" if named is None else event_name(named[0], named[1])
    memo = {} if decision.transaction is None else decision.transaction.memo
    own = getattr(event, "currency", None) or currency
    return account_id, entry.seq, entry.at, BACK, came_back(memo), 0, own, name, about, "", ""


def untold_sale_row(account_id: int, entry: Entry) -> Row:
    """Return the row of a sale that says only where to look: what it was is read from the journal."""
    return account_id, entry.seq, entry.at, SALES[entry.type], None, 0, "", "", "", "", ""


def event_name(source: str, event_id: str) -> str:
    """Return an event's name that is unique over all sources: no source and no id holds a tab."""
    return event_id if source == "default" else f"{source}\t{event_id}"


def came_back(memo: Mapping[str, Any]) -> int:
    """Return what came back by a return, in smallest units of its currency, as its memo says."""
    if memo.get("unknown_purchase"):
        return int(memo["outside"])
    return sum([value for _, _, value in memo.get("came", ())])


def postings_of(text: str) -> tuple[Posting, ...]:
    """Return the postings that a journal row keeps.

    Raises:
        StoreError: the text was damaged.
    """
    if text == "[]":
        return ()
    try:
        return tuple([Posting(*posting) for posting in orjson.loads(text)])
    except (TypeError, ValueError):
        message = f"the journal holds postings that cannot be read: {text[:60]}; run: stampbook verify"
        raise StoreError(message) from None


def every_posting(texts: Sequence[str]) -> list[tuple[Posting, ...]]:
    """Return the postings that many columns hold, read at once.

    Raises:
        StoreError: a text was damaged.
    """
    try:
        read: list[list[list[Any]]] = orjson.loads(f"[{','.join(texts)}]")
        return [tuple([Posting(*posting) for posting in postings]) for postings in read]
    except (TypeError, ValueError):
        return [postings_of(text) for text in texts]  # says which


def entry_of(row: Row, programs: Mapping[int, str]) -> Entry:
    """Return a journal entry from its row after the account's id."""
    (
        seq, type_, source, event_id, at, recorded_at, program_id, accepted, about, payload, effects, trace, digest,
        postings,
    ) = row  # fmt: skip
    return Entry(
        seq,
        type_,
        source,
        event_id,
        at,
        recorded_at,
        programs.get(program_id, ""),
        bool(accepted),
        about,
        payload.encode(),
        effects.encode(),
        trace.encode(),
        postings_of(postings),
        bytes(digest),
    )


def accepted_entry_of(row: Row, programs: Mapping[int, str]) -> Entry:
    """Return an accepted journal entry, as plugins are told of it, from its row: see `ACCEPTED`."""
    seq, type_, source, event_id, at, recorded_at, program_id, about, payload, effects, postings = row
    return Entry(
        seq,
        type_,
        source,
        event_id,
        at,
        recorded_at,
        programs.get(program_id, ""),
        True,  # noqa: FBT003 - an entry's own fields
        about,
        payload.encode(),
        effects.encode(),
        b"",
        postings_of(postings),
        b"",
    )


def lot_row(account_id: int, lot: Lot) -> Row:
    """Return the row of a lot."""
    return (account_id, *lot)


def hold_row(account_id: int, hold: Hold) -> Row:
    """Return the row of a hold."""
    return (
        account_id,
        hold.number,
        hold.asset,
        hold.amount,
        orjson.dumps(hold.left).decode(),
        hold.captured,
        hold.voided,
        hold.lapsed,
        hold.lapses_at,
    )


def hold_of(row: Row) -> Hold:
    """Return a hold from its columns after the account's id."""
    number, asset, amount, units, captured, voided, lapsed, lapses_at = row
    left = tuple((lot, held) for lot, held in orjson.loads(units))
    return Hold(number, asset, amount, left, captured, voided, lapsed, lapses_at)


def fact_row(account_id: int, fact: Fact) -> Row:
    """Return the row of a fact."""
    return (account_id, fact.name, fact.since, fact.value, fact.until, fact.reason)


def fill(
    accounts: Mapping[int, Account],
    *,
    lots: Iterable[Row],
    holds: Iterable[Row],
    metrics: Iterable[Row],
    facts: Iterable[Row],
) -> None:
    """Put rows into the accounts that they belong to, lots in the order in which they were opened."""
    disordered: set[int] = set()
    for account_id, *lot in lots:
        made = Lot(*lot)
        own = accounts[account_id].lots
        if own and made.number < next(reversed(own)):
            disordered.add(account_id)
        own[made.number] = made
    for account_id in disordered:  # of several lots of equal terms the first takes a grant
        own = accounts[account_id].lots
        in_order = sorted(own.items())
        own.clear()
        own.update(in_order)
    for account_id, *hold in holds:
        held = hold_of(tuple(hold))
        accounts[account_id].holds[held.number] = held
    days: dict[tuple[int, str], dict[int, int]] = defaultdict(dict)
    for account_id, metric, day, value in metrics:
        days[account_id, metric][day] = value
    for (account_id, metric), values in days.items():
        accounts[account_id].metrics.put(metric, values)
    history: dict[tuple[int, str], list[Fact]] = defaultdict(list)
    for account_id, name, since, value, until, reason in facts:
        history[account_id, name].append(Fact(name, value, since, until, reason))
    for (account_id, name), known in history.items():
        accounts[account_id].facts[name] = tuple(sorted(known, key=lambda fact: fact.since))


def lapsed_lots(effects: bytes | str) -> list[tuple[int, int]]:
    """Return what a return counted as lapsed, as pairs of lot number and amount."""
    counted = orjson.loads(effects).get("memo", {}).get("lapsed_lots", ())
    return [(lot, units) for _, lot, units in counted]
