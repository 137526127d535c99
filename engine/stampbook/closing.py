"""What becomes of what an account holds when it is closed: refused, forfeit or paid out, asset by asset."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stampbook.account import CLOSED, FROZEN
from stampbook.amounts import amount_text
from stampbook.events import AccountClosed
from stampbook.hookspecs import Note
from stampbook.ledger import BREAKAGE, PROMOTION, REFUNDS, emptied
from stampbook.lots import DEBT, PAID
from stampbook.owing import settling
from stampbook.proposing import carry_out

if TYPE_CHECKING:
    from stampbook.draft import Draft
    from stampbook.refunding import Past

PAY_OUT = "pay_out"
RULE = "close"


def closed(draft: Draft, _: Past | None) -> None:
    """Close an account, or object for what is left in it."""
    draft.status = CLOSED
    assets, registry = draft.registry.context.assets, draft.registry
    if any(hold.remaining for hold in draft.account.holds.values()):
        draft.object("open_holds", "something is held; capture or void it first")
    left: set[str] = set()
    for lot in draft.account.lots.values():
        if not lot.remaining:
            continue
        asset = assets[lot.asset]
        table = registry.file.assets.get(lot.asset)
        policy = (table and table.on_close) or ("refuse" if asset.is_currency else "forfeit")
        if lot.kind == DEBT:
            owed = -lot.remaining
            draft.object("debt", f"{amount_text(owed, asset)} is owed; {settling(draft.event.account, asset, owed)}")
        elif policy == "refuse":
            draft.object("balance_left", f"{amount_text(lot.remaining, asset)} is left in lot {lot.number}")
        elif policy == PAY_OUT:
            left.add(lot.asset)
        elif not lot.held:
            draft.postings.extend(emptied(lot.asset, lot.remaining, lot.number, BREAKAGE, RULE))
    if draft.objections:
        return
    for code in sorted(registry.context.paid_out):
        if code in left or registry.owner(draft.account.ref) is None:
            _pay_out(draft, code)
    if draft.account.status == FROZEN and any(posting.destination == REFUNDS for posting in draft.postings):
        told = f"account {draft.account.ref} is frozen, and closing it would pay out what it holds; unfreeze it first"
        draft.object("account_frozen", told)


def _pay_out(draft: Draft, code: str) -> None:
    """Pay out what is left of an asset: as a plugin says, or what was paid in at par, and the rest is let go."""
    assert isinstance(draft.event, AccountClosed)  # noqa: S101 - narrows for the type checker
    found = draft.registry.pay_out(draft.event, code, draft.view)
    if found is not None:
        for stamped in found:
            if isinstance(stamped.value, Note):
                lines = draft.trace.setdefault("paid_out", [])
                lines.extend([name, str(text)] for name, text in stamped.value.read.items())
            else:
                carry_out(draft, stamped.plugin, stamped.value, None)
        return
    for lot in draft.account.lots.values():
        if lot.asset == code and lot.remaining:
            book = REFUNDS if lot.kind == PAID else PROMOTION
            draft.postings.extend(emptied(code, lot.remaining, lot.number, book, RULE))
