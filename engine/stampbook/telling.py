"""What an event was, in words for a customer on the phone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from stampbook.amounts import amount_text
from stampbook.events import (
    AccountClosed,
    AccountFrozen,
    AccountOpened,
    AccountUnfrozen,
    Adjust,
    Event,
    Expiry,
    Purchase,
    Return,
    Spend,
    TopUp,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stampbook.ledger import Entry
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
        words += f"; {name} is now {value or 'none'}" + (f" ({reason})" if reason else "")
    return words, ()


def _event(event: Event, entry: Entry, effects: Mapping[str, Any], context: Context) -> str:  # noqa: PLR0911 - one case a kind of event
    match event:
        case AccountOpened():
            return "account opened"
        case AccountFrozen() | AccountUnfrozen() | AccountClosed():
            return f"account {event.type.partition('.')[2]}{_after(event)}"
        case Purchase():
            return _purchase(event, context)
        case Return():
            return _return(event, effects.get("memo", {}), entry, context)
        case TopUp():
            return f"top-up of {_money(event.amount, event.currency, context)}{_place(event)}{_after(event)}"
        case Spend():
            return f"spend of {_money(event.amount, event.asset, context)}{_place(event)}{_after(event)}"
        case Adjust():
            verb = "grant" if event.amount > 0 else "withdrawal"
            return f"{verb} of {_money(abs(event.amount), event.asset, context)} by hand{_after(event)}"
        case Expiry():
            gone = [amount_text(posting.amount, context.assets[posting.asset]) for posting in entry.postings]
            return f"{', '.join(gone) or 'a lot'} expired"
        case _:
            return _brought(event, context)


def _money(units: int, code: str | None, context: Context) -> str:
    return amount_text(units, context.assets[code or context.currency.code])


def _brought(event: Event, context: Context) -> str:
    """Tell of an event that a plugin brought: its kind, and its amount if it has one."""
    words = str(event.type).replace(".", " ").replace("_", " ")
    amount, code = getattr(event, "amount", None), getattr(event, type(event).asset_field, None)
    if isinstance(amount, int) and (code or context.currency.code) in context.assets:
        words += f" of {_money(amount, code, context)}"
    return words + _after(event)


def _place(event: Purchase | TopUp | Spend) -> str:
    where = ", ".join(filter(None, (event.store, event.channel)))
    return f" at {where}" if where else ""


def _after(event: Event) -> str:
    by = getattr(event, "operator", "")
    reason = getattr(event, "reason", "")
    return (f" by {by}" if by else "") + (f": {reason}" if reason else "")


def _purchase(event: Purchase, context: Context) -> str:
    order = event.order_in(context.currency.code)
    words = f"purchase of {_money(order.total, order.currency, context)}{_place(event)}"
    if order.stored_value:
        words += f", {_money(order.stored_value, order.currency, context)} of it from stored value"
    return words


def _return(event: Return, memo: Mapping[str, Any], entry: Entry, context: Context) -> str:
    purchase = f" from purchase {event.purchase}" if event.purchase else ""
    if not entry.accepted or memo.get("unknown_purchase"):
        amount = f" of {_money(event.amount, event.currency, context)}" if event.amount else ""
        return f"return{amount}{purchase}{_after(event)}"
    value = memo.get("outside", 0) + memo.get("stored_value", 0) + memo.get("deducted", 0)
    words = f"return of {_money(value, event.currency, context)}{purchase}{_after(event)}"
    for key, what in (
        ("stored_value", "back to stored value"),
        ("outside", "to give back by other means"),
        ("deducted", "kept for points that were spent already"),
    ):
        if memo.get(key):
            words += f"; {_money(memo[key], event.currency, context)} {what}"
    notes = orjson.loads(entry.trace).get("refund", {})
    return words + "".join(_short(note) for note in notes.get("short", ()) if isinstance(note, dict))


def _short(note: Mapping[str, str]) -> str:
    """Tell what became of points that a return should have taken back and that were spent already."""
    if "waived" in note:
        return f"; {note['waived']} from {note.get('rule', 'a rule')} were spent already and let go"
    if "owed" in note:
        return f"; {note['owed']} from {note.get('rule', 'a rule')} were spent already and are owed"
    return ""
