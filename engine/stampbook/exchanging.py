"""Exchanges: a purchase in which something of an earlier one comes back, both or neither."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stampbook.amounts import currency
from stampbook.event_fields import QUANTITY_DECIMALS
from stampbook.events import OF_PURCHASES, OWN_SOURCE, Event, Purchase, Return
from stampbook.ledger import Decision

if TYPE_CHECKING:
    from stampbook.account import Account
    from stampbook.registry import Registry

EXCHANGE = "exchange"
"""The kind of tender that is what comes back; and in the trace of a purchase, what came back by it."""

_TOLD = ("outside", "stored_value", "credited", "exchanged", "deducted", "tenders", "paid")
_PIECE = 10**QUANTITY_DECIMALS


def is_exchange(event: Event) -> bool:
    """Whether an event is a purchase in which something of an earlier one comes back."""
    return isinstance(event, Purchase) and event.exchange is not None


def is_of_purchase(event: Event) -> bool:
    """Whether an event needs all that is known of the purchase that it names."""
    return isinstance(event, OF_PURCHASES) or is_exchange(event)


def return_in(event: Event, registry: Registry, account: Account) -> Return:
    """Return what comes back in an exchange, as an event with an id derived from the account's next place."""
    assert isinstance(event, Purchase)  # noqa: S101 - narrows for the type checker
    part = event.exchange
    assert part is not None  # noqa: S101 - narrows for the type checker
    return Return(
        id=f"exchange:{account.ref}:{account.seq + 1}",
        source=OWN_SOURCE,
        account=event.account,
        at=event.at,
        currency=event.currency or registry.context.currency.code,
        purchase=part.purchase,
        purchase_source=part.purchase_source or event.source,
        lines=part.lines,
        amount=part.amount,
        refund_to=part.refund_to,
        exchanged=sum([tender.amount for tender in event.tenders if tender.kind == EXCHANGE]),
        reason=part.reason,
    )


def note(bought: Decision, returned: Decision) -> None:
    """Note with a purchase, for the till that asked, what came back by it and where that goes."""
    memo: dict[str, Any] = {} if returned.transaction is None else dict(returned.transaction.memo)
    told = {name: memo[name] for name in _TOLD if memo.get(name)}
    bought.trace[EXCHANGE] = {"event": returned.event.id, **told}


def refused(event: Event, registry: Registry, about: int | None, decision: Decision) -> Decision:
    """Return the refusal of a whole exchange for what is said against one half of it."""
    return Decision(event, registry.hash, None, decision.objections, decision.trace, about, pick=decision.pick)


def plain_return(event: Return) -> dict[str, Any]:
    """Return a return as a sender would write it: amounts and quantities as decimal text."""
    money = currency(event.currency or "")
    data: dict[str, Any] = {name: value for name, value in event.__dict__.items() if value not in {None, ""}}
    for name in ("amount", "exchanged"):
        if data.get(name):
            data[name] = money.text(data[name])
        else:
            data.pop(name, None)
    data["lines"] = [
        {
            name: money.text(value) if name == "amount" else _pieces(value) if name == "quantity" else value
            for name, value in line.__dict__.items()
            if value is not None
        }
        for line in event.lines
    ]
    return data


def _pieces(quantity: int) -> str:
    return f"{quantity // _PIECE}.{quantity % _PIECE:0{QUANTITY_DECIMALS}d}"
