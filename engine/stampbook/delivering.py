"""Messages: what one makes of an event at another account, of a refusal there; and what plugins hear of a commit."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from stampbook.account_view import AccountView
from stampbook.errors import EventError, PluginError
from stampbook.events import OWN_SOURCE
from stampbook.exchanging import is_exchange
from stampbook.ledger import ELSEWHERE, UNNAMED, Decision, Entry, Objection
from stampbook.partial import as_paid

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stampbook.account import Account
    from stampbook.batch import Batch
    from stampbook.ledger import Message
    from stampbook.periods import Calendar
    from stampbook.registry import Registry

log = logging.getLogger("stampbook")


def event_data(
    message: Message, number: int, sent: Decision | Entry, sender: Account, receiver: Account, calendar: Calendar
) -> dict[str, Any]:
    """Return the event that a message makes; its id is derived from the sender's account and journal position.

    Args:
        message: what is sent.
        number: its place among those of its transaction.
        sent: the sender's decision, or its entry once it has one.
        sender: the account that sends it.
        receiver: the account that gets it.
        calendar: of the program.
    """
    seq, at = (sender.seq + 1, sent.event.at) if isinstance(sent, Decision) else (sent.seq, sent.at)
    return {
        **message.data,
        "type": message.type,
        "id": f"{message.type}:{sender.ref}:{seq}:{number}",
        "source": OWN_SOURCE,
        "account": receiver.ref,
        "at": calendar.iso(at),
    }


def undeliverable(message: Message, receiver: Account | None, registry: Registry) -> Objection:
    """Return why a required message reaches nobody: there is no such account, or it is the sender itself.

    Args:
        message: what is sent.
        receiver: the account, if it was merged into the sender.
        registry: the program; it says what else a customer's name may mean, and what to type.
    """
    if receiver is not None and receiver.merged_into:
        return Objection("same_account", "it was merged into this account, and an account and itself are one")
    meant = "" if registry.owner(message.to) else registry.meant(message.to)
    told = message.absent or "there is no such other account"
    return Objection("unknown_account", f"{UNNAMED}; {meant}" if meant else told)


def refused_elsewhere(decision: Decision, message: Message, objections: Iterable[Objection]) -> Decision:
    """Return a decision as it stands when the account refuses to which its required message goes."""
    told = tuple(objection._replace(message=f"{message.to}: {objection.message}") for objection in objections)
    trace = {**decision.trace, ELSEWHERE: message.to}
    return Decision(decision.event, decision.program, None, told, trace, decision.about)


def tell_listeners(told: Iterable[tuple[Registry, Decision, Account]]) -> None:
    """Tell plugins what was committed; a failure is logged and undoes nothing."""
    for registry, decision, account in told:
        if decision.transaction is None:
            continue
        view = AccountView(account, decision.event.at, registry.context)
        for stamped in registry.committed(
            decision.transaction, view, as_paid(decision.event, decision.transaction.memo)
        ):
            log.error(
                "plugin %r failed after the commit of %s", stamped.plugin, decision.event.id, exc_info=stamped.value
            )


def spoken_alone(decision: Decision) -> PluginError:
    """Return the error of a message that none of the program's plugins may send."""
    name, ref = decision.event.id, decision.messages[0].to
    return PluginError(f"event {name!r}: a message goes to {ref}, but all plugins say that they are `alone`")


def refuse_half(batch: Batch, decision: Decision) -> None:
    """Fail where another account refuses one half of an exchange after the other was entered.

    Raises:
        EventError: it does; the batch is undone, and nothing of the exchange is kept.
    """
    if decision.transaction is not None and is_exchange(decision.event):
        batch.half_done = True
        message = (
            f"event {decision.event.id!r}: another account refuses what is bought; nothing of the exchange is kept"
        )
        raise EventError(message)
