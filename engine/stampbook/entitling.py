"""What an account came to be entitled to, or no longer is: granted exactly, or taken back within what can be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stampbook.account_view import AccountView
from stampbook.amounts import LARGEST
from stampbook.errors import PluginError
from stampbook.ledger import PROMOTION, Posting
from stampbook.lots import DEBT, PAID
from stampbook.periods import NEVER
from stampbook.proposals import Earned

if TYPE_CHECKING:
    from stampbook.draft import Draft
    from stampbook.hookspecs import Entitlement
    from stampbook.lots import Lot


def entitle(draft: Draft, wish: Entitlement) -> None:
    """Post an entitlement.

    Raises:
        PluginError: its terms are none that a lot can have.
    """
    rule, asset, units, kind, effective_at, expires_at, priority, owed = wish
    if asset not in draft.registry.context.assets:
        message = f"rule {rule} grants {asset!r}, which is not an asset of the program"
        raise PluginError(message)
    if type(units) is not int or abs(units) > LARGEST or kind in {PAID, DEBT} or not kind.isprintable():
        message = f"rule {rule} grants {wish}, which is no amount of a lot that rewards may open"
        raise PluginError(message)
    if not (-NEVER <= effective_at <= NEVER and -NEVER <= expires_at <= NEVER):
        message = f"rule {rule} grants at times that cannot be kept"
        raise PluginError(message)
    if units > 0:
        draft.grant((asset, kind, effective_at, expires_at, priority), units, PROMOTION, rule)
    else:
        at, left = max(draft.account.clock, draft.event.at), -units
        view = AccountView(draft.account, at, draft.registry.context, since=draft.event.at)
        is_over = owed and expires_at <= draft.event.at
        free_lots = [] if is_over else view.takeable_lots(asset, draft.postings)
        lots, terms = draft.account.lots, (kind, expires_at, priority)
        free_lots.sort(key=lambda each: _strange(lots[each[0]], terms, effective_at, at))
        for lot, free in free_lots:
            part = min(free, left)
            if part:
                draft.postings.append(Posting(asset, part, lot, PROMOTION, rule))
                left -= part
        if left and owed and not is_over and draft.registry.context.assets[asset].debt:
            draft.owe(asset, left, PROMOTION, rule)
            left = 0
        units += left
    if units:
        draft.trace.setdefault("entitled", []).append((rule, asset, units))


def earned_of(wish: Entitlement) -> Earned:
    """Return an entitlement, or one that is taken back, as something earned, to be shared."""
    return Earned(wish.rule, wish.asset, abs(wish.units), *wish[3:7])


def _strange(lot: Lot, terms: tuple[str, int, int], effective_at: int, at: int) -> tuple[bool, bool]:
    """Say by what a lot is none that units of these terms went to; those that can be spent by now may share one."""
    alike = lot.effective_at == effective_at or max(lot.effective_at, effective_at) <= at
    return (lot.kind, lot.expires_at, lot.priority) != terms, not alike
