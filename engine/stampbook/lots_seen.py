"""Lots as an event finds them: as they were when late news happened, and those that are frozen as held."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stampbook.account import FROZEN_LOTS
from stampbook.lots import DEBT

if TYPE_CHECKING:
    from stampbook.account import Account
    from stampbook.lots import Lot


def lots_seen(account: Account, at: int, since: int) -> dict[int, Lot]:
    """Return the lots of an account as an event finds them.

    Late news finds what has expired since its instant still there, and as held whatever was not free at every
    instant since. Of a lot that is frozen all is held.

    Args:
        account: whose lots.
        at: the instant at which they are looked at.
        since: the instant of the event.

    Raises:
        MovesNotLoadedError: the event is late, and what came and went is not at hand.
    """
    lots = account.lots if since >= account.clock else _as_late_news_finds_them(account, at, since)
    frozen = account.frozen_lots(at) if FROZEN_LOTS in account.facts else frozenset()
    if not frozen:
        return lots
    return {number: lot._replace(held=lot.remaining) if number in frozen else lot for number, lot in lots.items()}


def _as_late_news_finds_them(account: Account, at: int, since: int) -> dict[int, Lot]:
    later, expired = account.later(since), account.expired
    seen: dict[int, Lot] = {}
    for number, lot in account.lots.items():
        if lot.kind != DEBT:
            back = expired.get(number, 0) if at < lot.expires_at else 0
            free = max(0, lot.free + back + later.get(number, 0))
            remaining = lot.remaining + back
            seen[number] = lot._replace(remaining=remaining, held=remaining - free)
        else:
            seen[number] = lot
    return seen
