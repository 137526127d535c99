"""Why a return gave back what it did: the arithmetic, as `explain` shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

    from stampbook.states import Sum


class Reckoned(NamedTuple):
    """One line of how it was worked out what closing an account pays out."""

    name: str
    text: str


class TakenBack(NamedTuple):
    """What one rule had granted for a purchase, and what its return made of that."""

    rule: str
    granted: Sum
    settled_before: Sum
    settled: Sum
    taken: Sum


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
    `tenders` is what goes back by each tender from outside, where there are several.
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
