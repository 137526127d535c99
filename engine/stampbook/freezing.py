"""Single lots that an operator freezes, and unfreezes: what is in them cannot be used meanwhile, whoever asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stampbook.account import FROZEN_LOTS
from stampbook.events import Expiry, LotsFrozen, LotsUnfrozen
from stampbook.ledger import Fact
from stampbook.lots import DEBT
from stampbook.periods import NEVER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stampbook.draft import Draft
    from stampbook.refunding import Past


def lots_frozen(draft: Draft, _: Past | None) -> None:
    """Freeze lots that hold something."""
    event = draft.event
    assert isinstance(event, LotsFrozen)  # noqa: S101 - narrows for the type checker
    frozen = draft.account.frozen_lots(max(draft.account.clock, event.at))
    for number in event.lots:
        lot = draft.account.lots.get(number)
        if lot is None or lot.kind == DEBT or lot.remaining <= 0:
            draft.object("unknown_lot", f"lot {number} is none of account {event.account} that holds anything")
        elif number in frozen:
            draft.object("lot_frozen", f"lot {number} is frozen already")
    _note(draft, {*frozen, *event.lots}, event.reason)


def lots_unfrozen(draft: Draft, _: Past | None) -> None:
    """Let frozen lots be used again."""
    event = draft.event
    assert isinstance(event, LotsUnfrozen)  # noqa: S101 - narrows for the type checker
    frozen = draft.account.frozen_lots(max(draft.account.clock, event.at))
    for number in event.lots:
        if number not in frozen:
            draft.object("lot_not_frozen", f"lot {number} of account {event.account} is not frozen")
    _note(draft, frozen.difference(event.lots), event.reason)


def check_frozen(draft: Draft) -> None:
    """Object where anything but the end of its time would take from a frozen lot: a capture, a merger, a closing."""
    if FROZEN_LOTS not in draft.account.facts or isinstance(draft.event, Expiry):
        return
    frozen = draft.account.frozen_lots(draft.event.at)
    stopped = sorted({posting.source for posting in draft.postings if isinstance(posting.source, int)} & frozen)
    if stopped:
        draft.object("lot_frozen", f"lot {stopped[0]} is frozen; unfreeze it first")


def _note(draft: Draft, frozen: Iterable[int], reason: str) -> None:
    now = max(draft.account.clock, draft.event.at)
    value = ",".join(map(str, sorted(frozen)))
    draft.facts.append(Fact(FROZEN_LOTS, value, now, NEVER, reason))
