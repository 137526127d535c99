"""Messages between accounts: what one makes of an event at its receiver, and of a refusal there at its sender."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stampbook.events import OWN_SOURCE
from stampbook.ledger import ELSEWHERE, Decision, Entry, Objection

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stampbook.account import Account
    from stampbook.ledger import Message
    from stampbook.periods import Calendar


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


def undeliverable(message: Message, receiver: Account | None) -> Objection:
    """Return why a required message reaches nobody: there is no such account, or it is the sender itself."""
    if receiver is not None and receiver.merged_into:
        return Objection("same_account", "it was merged into this account, and an account and itself are one")
    return Objection("unknown_account", message.absent or "there is no such other account")


def refused_elsewhere(decision: Decision, message: Message, objections: Iterable[Objection]) -> Decision:
    """Return a decision as it stands when the account refuses to which its required message goes."""
    told = tuple(objection._replace(message=f"{message.to}: {objection.message}") for objection in objections)
    trace = {**decision.trace, ELSEWHERE: message.to}
    return Decision(decision.event, decision.program, None, told, trace, decision.about)
