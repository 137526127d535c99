"""What time brings next to an account, and whether a transaction makes something that time ends at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stampbook.account import CLOSED, Account
from stampbook.account_view import AccountView
from stampbook.periods import NEVER

if TYPE_CHECKING:
    from stampbook.account import Hold
    from stampbook.hookspecs import Due
    from stampbook.ledger import Transaction
    from stampbook.lots import Lot
    from stampbook.registry import Registry


def earliest_due(
    registry: Registry, account: Account, until: int, since: int
) -> tuple[list[Hold], list[Lot], list[Due]]:
    """Return all that the earliest instant brings: what one plugin does must not hide what another is due."""
    holds = [hold for hold in account.holds.values() if hold.left and hold.lapses_at <= until]
    shrinking = registry.context.shrinking
    lots = [
        lot
        for lot in account.lots.values()
        if lot.expires_at <= until and (lot.remaining > lot.held or (lot.held and lot.asset in shrinking))
    ]
    dues: list[Due] = []
    if registry.has_dues and account.status not in {"", CLOSED}:
        view = AccountView(account, max(account.clock, since - 1), registry.context)
        dues = [due for due in registry.due(view, until) if due.at <= until]
    times = [lot.expires_at for lot in lots] + [due.at for due in dues] + [hold.lapses_at for hold in holds]
    first = min(times, default=NEVER)
    return (
        [hold for hold in holds if hold.lapses_at == first],
        sorted((lot for lot in lots if lot.expires_at == first), key=lambda lot: lot.number),
        [due for due in dues if due.at == first],
    )


def opens_overdue(account: Account, transaction: Transaction, now: int) -> bool:
    """Whether a transaction brings something into a lot whose time is over by now."""
    opened = {lot.number: lot for lot in transaction.opened}
    for posting in transaction.postings:
        end = posting.destination
        if isinstance(end, int) and (opened.get(end) or account.lots[end]).expires_at <= now:
            return True
    return bool(transaction.holds) and any(
        account.lots[lot].expires_at <= now
        for change in transaction.holds
        if change.action in {"void", "lapse"}
        for lot, _ in change.units
    )
