"""Why a return gave back what it did: the arithmetic, as `explain` shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import datetime

    from stampbook.states import Sum


class Reckoned(NamedTuple):
    """One line of how it was worked out what closing an account pays out."""

    name: str
    text: str


class TakenBack(NamedTuple):
    """What one rule had granted for a purchase, and what its return made of that; `expired` was not there any more."""

    rule: str
    granted: Sum
    settled_before: Sum
    settled: Sum
    taken: Sum
    expired: Sum


class Reckoning(NamedTuple):
    """Why so much of an award came back: `policy` is that of the return, and `because` what it went by, in a sentence.

    `granted` is what the rule had granted, `share` the part of what earned it that had come back by then, as a ratio;
    `comes_to` what belongs to that, of which earlier returns had settled `settled_before`, and `due` the rest. Of those
    by steps (`each = "10.00"`) `steps` of `of_steps` came back, or with ``anew`` were left, worth `each`. `elsewhere`
    is the part that another account had got, such as the pool of a household. Amounts are in whole units, as text.
    """

    rule: str
    policy: str
    granted: str
    share: str
    settled_before: str
    comes_to: str
    due: str
    because: str
    elsewhere: bool = False
    steps: int | None = None
    of_steps: int | None = None
    each: str | None = None


class TenderBack(NamedTuple):
    """What a return gives back of one tender: its `share` of what came back, and what of that goes back by it."""

    tender: int
    kind: str
    share: Sum
    back: Sum


@dataclass(frozen=True, slots=True)
class RefundReason:
    """The arithmetic of a return: `value` of `total` came back, after `before`; where the money and points went.

    `points` is the part of the money that points had paid, and that went back as points; `credited` went back as new
    stored value, `charged_back` was taken by the payment system itself, `exchanged` paid for what was taken instead.
    `tenders` is what goes back by each tender from outside, where there are several. `taken_back` says by
    which policy how much of each award came back; it is empty of returns from before that was kept.
    """

    purchase: str
    purchase_at: datetime | None
    total: Sum | None
    before: Sum | None
    value: Sum
    stored_value: Sum
    outside: Sum
    deducted: Sum
    grants: tuple[TakenBack, ...]
    notes: tuple[str, ...]
    points: Sum
    credited: Sum
    charged_back: Sum
    exchanged: Sum
    tenders: tuple[TenderBack, ...]
    taken_back: tuple[Reckoning, ...] = ()


def reckonings(trace: Mapping[str, Any]) -> tuple[Reckoning, ...]:
    """Return why so much of each award came back, as the trace of a return has it; a plugin may say nothing of it."""
    notes: Iterable[Mapping[str, Any]] = trace.get("refund", {}).get("taken_back", ())
    return tuple([Reckoning(**{name: note[name] for name in Reckoning._fields if name in note}) for note in notes])


def by_policy(trace: Mapping[str, Any], rule: str) -> str:
    """Return the policy by which what a rule granted is taken back from the account, to be added; '' if not told."""
    policies = (each.policy for each in reckonings(trace) if each.rule == rule and not each.elsewhere)
    return next((f", by take_back = {policy!r}" for policy in policies), "")
