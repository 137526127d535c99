"""A card in words: what an operator can say of it on the phone, and the same as data."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stampbook import NEVER, AccountView, EventError
from stampbook_cards.card import CLAIMED, ISSUED, REPLACED, Card
from stampbook_cards.card_numbers import account_of, grouped, number_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stampbook import Engine


def card_state(engine: Engine, name: str, typed: str) -> dict[str, Any]:
    """Return what is known of a card now; its PIN and the hash of it are not.

    Raises:
        EventError: no such card was issued.
    """
    ref, now = account_of(typed), engine.clock()
    context = engine.registry().context
    with engine.store.reader() as session:
        account = session.accounts([ref]).get(ref)
        if account is not None:
            session.fill([account], None)
    view = None if account is None else AccountView(account, now, context)
    card = None if view is None else Card(name, view)
    if account is None or view is None or card is None or not card.state:
        message = f"no card {grouped(number_of(ref))} was issued"
        raise EventError(message)
    currency = context.currency
    held = sum(hold.remaining for hold in account.holds.values() if hold.asset == currency.code)
    return {
        "number": number_of(ref),
        "account": ref,
        "state": card.state,
        "currency": currency.code,
        "balance": currency.text(view.balance(currency.code)),
        "held": currency.text(held),
        "good_until": None if card.until >= NEVER else context.calendar.iso(card.until),
        "over": card.over,
        "holder": card.holder or None,
        "blocked": card.blocked or None,
        "pin": bool(card.pin),
        "locked": card.locked,
        "wrong_pins": len(card.wrong),
        "batch": view.text(f"{name}.batch") or None,
        "stands_for": [number_of(each) for each in card.before],
        "goes_on": card.goes_on or None,
    }


def sentences(state: dict[str, Any]) -> Iterator[str]:
    """Yield what is known of a card as sentences."""
    card, money = f"Card {grouped(state['number'])}", f"{state['balance']} {state['currency']}"
    if state["state"] == ISSUED:
        yield f"{card} was issued and not sold yet."
    elif state["state"] == CLAIMED:
        yield f"{card} was claimed for account {state['goes_on']}, where its money is now."
    elif state["state"] == REPLACED:
        yield f"{card} was replaced by {grouped(number_of(state['goes_on']))} and can never be used again."
    elif state["over"]:
        yield f"{card} was good until {state['good_until'][:10]}; the {money} on it are still there. Re-activate it."
    else:
        until = "for ever" if state["good_until"] is None else f"until {state['good_until'][:10]}"
        yield f"{card} has {money} on it and is good {until}."
    if state["held"].strip("0."):
        yield f"{state['held']} {state['currency']} more are held for a payment."
    if state["holder"]:
        yield f"It is registered for account {state['holder']}."
    if state["blocked"]:
        yield f"It is blocked: {state['blocked']}"
    if state["locked"]:
        yield "Too many wrong PINs were given; unlock it."
    elif state["wrong_pins"]:
        yield f"Wrong PINs given since the last right one: {state['wrong_pins']}."
    if state["stands_for"]:
        yield f"It stands for {', '.join(map(grouped, state['stands_for']))}."
