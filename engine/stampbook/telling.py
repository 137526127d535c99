"""What an event was, in words for a customer on the phone."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import TYPE_CHECKING, Any

import orjson

from stampbook.amounts import amount_text
from stampbook.declared_events import DeclaredEvent
from stampbook.events import (
    AccountClosed,
    AccountFrozen,
    AccountOpened,
    AccountUnfrozen,
    Adjust,
    Event,
    Expiry,
    Extend,
    HoldAuthorised,
    HoldCaptured,
    HoldChanged,
    HoldLapsed,
    HoldVoided,
    Purchase,
    Return,
    Spend,
    TopUp,
)
from stampbook.ledger import FEES, PROMOTION, REFUNDS, SALES
from stampbook.partial import as_paid, in_part
from stampbook.partial import told as part_told
from stampbook.periods import NEVER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from stampbook.ledger import Entry
    from stampbook.periods import Calendar
    from stampbook.registry import Registry
    from stampbook.vocabulary import Context


def told(entry: Entry, event: Event, registry: Registry) -> tuple[str, tuple[str, ...]]:
    """Return what an entry says happened, and the reasons of a refusal.

    Args:
        entry: the journal entry.
        event: its event.
        registry: the program that judged it.
    """
    context = registry.context
    effects = orjson.loads(entry.effects)
    words = _event(event, entry, effects, context)
    if not entry.accepted:
        objections = orjson.loads(entry.trace).get("objections", ())
        return f"refused: {words}", tuple(message for _, message, *_ in objections)
    for name, value, _, _, reason in effects.get("facts", ()):
        if not name.startswith("_"):
            words += f"; {name} is now {value or 'none'}" + (f" ({reason})" if reason else "")
    if b'"repaid"' in entry.trace:
        repaid: Mapping[str, int] = orjson.loads(entry.trace).get("repaid", {})
        words += "".join(
            f"; {amount_text(units, context.assets[asset])} repay what was owed" for asset, units in repaid.items()
        )
    if b'"let_go"' in entry.trace:
        taken: Mapping[str, int] = orjson.loads(entry.trace).get("let_go", {})
        words += "".join(
            f"; {amount_text(units, context.assets[asset])} of it taken back, which a return had let go"
            for asset, units in taken.items()
        )
    return words + _extended(effects.get("extended", ()), context), ()


def _extended(extensions: Iterable[Any], context: Context) -> str:
    """Tell what is good for longer now: what ends together is told together."""
    sums: dict[tuple[str, int], int] = defaultdict(int)
    for _, asset, amount, _, until, _ in extensions:
        sums[asset, until] += amount
    words = ""
    for (asset, until), amount in sums.items():
        words += f"; {amount_text(amount, context.assets[asset])} good "
        words += "for ever" if until == NEVER else f"until {_last_moment(until, context.calendar)}"
    return words


def _last_moment(until: int, calendar: Calendar) -> str:
    day = calendar.day(until)
    if calendar.start_of(day) == until:
        return f"the end of {date.fromordinal(day - 1)}"
    return f"{calendar.local(until):%Y-%m-%d %H:%M}"


def _event(event: Event, entry: Entry, effects: Mapping[str, Any], context: Context) -> str:  # noqa: PLR0911 - one case a kind of event
    match event:
        case AccountOpened():
            return "account opened"
        case AccountFrozen() | AccountUnfrozen():
            return f"account {event.type.partition('.')[2]}{_after(event)}"
        case AccountClosed():
            return f"account closed{_after(event)}{_paid_out(entry, context)}"
        case Purchase():
            return _purchase(event, effects.get("memo", {}), entry, context)
        case Return():
            return _return(event, effects.get("memo", {}), entry, context)
        case TopUp():
            return f"top-up of {_money(event.amount, event.currency, context)}{_place(event)}{_after(event)}"
        case Spend():
            memo = effects.get("memo", {})
            amount = as_paid(event, memo).amount
            words = f"spend of {_money(amount, event.asset, context)}{_place(event)}{_after(event)}"
            return words + _in_part(memo, context)
        case Adjust():
            verb = "grant" if event.amount > 0 else "withdrawal"
            return f"{verb} of {_money(abs(event.amount), event.asset, context)} by hand{_after(event)}"
        case Extend():
            return f"{event.asset} extended by hand{_after(event)}"
        case Expiry():
            gone = [amount_text(posting.amount, context.assets[posting.asset]) for posting in entry.postings]
            return f"{', '.join(gone) or 'a lot'} expired"
        case HoldAuthorised() | HoldCaptured() | HoldVoided() | HoldChanged() | HoldLapsed():
            return _hold(event, effects, context)
        case _:
            kept = effects.get("memo", {}).get("remembered", {}).items()
            told = [f"; {name.replace('_', ' ')} {value}" for name, value in kept if not name.startswith("_")]
            return _brought(event, context) + "".join(told)


def _paid_out(entry: Entry, context: Context) -> str:
    """Tell what closing an account paid out, and what it let go with that."""
    words = ""
    for book, what in (
        (REFUNDS, "paid out"),
        (FEES, "kept as a fee"),
        (SALES, "for what was consumed"),
        (PROMOTION, "of bonus let go"),
    ):
        sums: dict[str, int] = defaultdict(int)
        for posting in entry.postings:
            if posting.destination == book:
                sums[posting.asset] += posting.amount
        words += "".join(f"; {_money(units, asset, context)} {what}" for asset, units in sums.items())
    return words


def _money(units: int, code: str | None, context: Context) -> str:
    return amount_text(units, context.assets[code or context.currency.code])


_HELD = {
    "authorise": "set aside",
    "raise": "more set aside",
    "capture": "captured of what was set aside",
    "void": "released of what was set aside",
    "lapse": "no longer set aside: its time was over",
}


def _hold(event: Event, effects: Mapping[str, Any], context: Context) -> str:
    moves = [
        f"{amount_text(sum(units for _, units in lots), context.assets[asset])} {_HELD[action]}"
        for _, action, asset, lots, _ in effects.get("holds", ())
    ]
    if not moves:
        return _brought(event, context)
    lapses_at = getattr(event, "lapses_at", None)
    until = f" until {context.calendar.iso(lapses_at)}" if lapses_at else ""
    hold = getattr(event, "hold", None)
    name = f" ({hold})" if isinstance(hold, str) else ""
    return f"{', '.join(moves)}{until}{name}{_after(event)}{_in_part(effects.get('memo', {}), context)}"


_OTHERS = ("giver", "other", "pool", "member")
"""Fields of plugins' events that name an account besides `to`."""


def _brought(event: Event, context: Context) -> str:
    """Tell of an event that a plugin brought or the program declares: its kind, its amount and its fields, if any."""
    words = str(event.type).replace(".", " ").replace("_", " ")
    amount, code = getattr(event, "amount", None), getattr(event, type(event).asset_field, None)
    if isinstance(amount, int) and (code or context.currency.code) in context.assets:
        words += f" of {_money(amount, code, context)}"
    if event.words:
        words += f": {event.words}"
    if isinstance(event, DeclaredEvent):
        return words + f": {event.told(context)}".rstrip(": ")
    if isinstance(to := getattr(event, "to", None), str):
        words += f" to {to}"
    others = [other for name in _OTHERS if isinstance(other := getattr(event, name, None), str)]
    words += f" ({others[0]})" if others else ""
    return words + _after(event)


def _place(event: Purchase | TopUp | Spend) -> str:
    where = ", ".join(filter(None, (event.store, event.channel)))
    return f" at {where}" if where else ""


def _after(event: Event) -> str:
    by = getattr(event, "operator", "")
    reason = getattr(event, "reason", "")
    return (f" by {by}" if by else "") + (f": {reason}" if reason else "")


def _purchase(event: Purchase, memo: Mapping[str, Any], entry: Entry, context: Context) -> str:
    order = as_paid(event, memo).order_in(context.currency.code)
    words = f"purchase of {_money(order.total, order.currency, context)}{_place(event)}"
    if event.exchange is not None:
        back = _ways_back(orjson.loads(entry.trace).get("exchange", {}), event.currency, context)
        words += f" in exchange for what came back of purchase {event.exchange.purchase}{back}"
    if order.stored_value:
        words += f", {_money(order.stored_value, order.currency, context)} of it from stored value"
    for asset, value, units in memo.get("paid", ()):
        words += f", {_money(value, order.currency, context)} of it for {_money(units, asset, context)}"
    return words + _in_part(memo, context)


def _in_part(memo: Mapping[str, Any], context: Context) -> str:
    """Tell what was asked for and is left to pay where an event was paid as far as there was something to spend."""
    return "".join(part_told(part, context.assets) for part in in_part(memo))


_WAYS_BACK = {
    "stored_value": "back to stored value",
    "outside": "to give back by other means",
    "credited": "as new stored value",
    "charged_back": "taken back by the payment system",
    "exchanged": "for what was taken instead",
    "deducted": "kept for points that were spent already",
}
"""Under which names a return notes where the money goes, in the order in which that is told."""


def _ways_back(memo: Mapping[str, Any], code: str | None, context: Context) -> str:
    """Tell where the money of a return goes."""
    words = ""
    for key, what in _WAYS_BACK.items():
        if memo.get(key):
            words += f"; {_money(memo[key], code, context)} {what}"
            if key == "outside":
                words += _by_tender(memo.get("tenders", ()), code, context)
    return words


def _by_tender(parts: Iterable[tuple[int, str, int, int]], code: str | None, context: Context) -> str:
    told = [f"{_money(back, code, context)} {kind}" for _, kind, _, back in parts if back]
    return f" ({', '.join(told)})" if told else ""


def _return(event: Return, memo: Mapping[str, Any], entry: Entry, context: Context) -> str:
    purchase = f" from purchase {event.purchase}" if event.purchase else ""
    if not entry.accepted or memo.get("unknown_purchase"):
        amount = f" of {_money(event.amount, event.currency, context)}" if event.amount else ""
        return f"return{amount}{purchase}{_after(event)}"
    paid: Mapping[str, int] = memo.get("paid", {})
    value = sum(memo.get(key, 0) for key in _WAYS_BACK) + sum(paid.values())
    words = f"return of {_money(value, event.currency, context)}{purchase}{_after(event)}"
    words += _ways_back(memo, event.currency, context)
    for asset, part in paid.items():
        units = sum(it.amount for it in entry.postings if it.asset == asset and it.source == SALES)
        words += f"; {_money(part, event.currency, context)} back as {_money(units, asset, context)}"
    notes = orjson.loads(entry.trace).get("refund", {})
    return words + "".join(_short(note) for note in notes.get("short", ()) if isinstance(note, dict))


def _short(note: Mapping[str, str]) -> str:
    """Tell what became of points that a return should have taken back and that were spent already."""
    if "waived" in note:
        return f"; {note['waived']} from {note.get('rule', 'a rule')} were spent already and let go"
    if "owed" in note:
        return f"; {note['owed']} from {note.get('rule', 'a rule')} were spent already and are owed"
    return ""
