"""What the core kinds of event do to an account: one handler each, working on a draft."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stampbook.account import CLOSED, FROZEN, OPEN
from stampbook.amounts import amount_text
from stampbook.errors import InvariantError
from stampbook.events import (
    OWN_SOURCE,
    AccountClosed,
    AccountFrozen,
    AccountOpened,
    AccountUnfrozen,
    Adjust,
    Event,
    Expiry,
    Purchase,
    Return,
    Spend,
    TopUp,
)
from stampbook.ledger import (
    ADJUSTMENTS,
    BREAKAGE,
    CASH,
    PROMOTION,
    SALES,
    Posting,
)
from stampbook.lots import DEBT, PAID
from stampbook.periods import NEVER
from stampbook.refunding import refund_request, taken_metrics

if TYPE_CHECKING:
    from stampbook.draft import Draft
    from stampbook.refunding import Past


_WHILE_FROZEN = (AccountUnfrozen, AccountClosed, AccountFrozen, Adjust)


def check_status(draft: Draft) -> None:
    """Object in a fixed order: unknown, closed, frozen. Time passes on every account."""
    status, event = draft.account.status, draft.event
    if isinstance(event, AccountOpened):
        if status:
            draft.object("account_exists", f"account {event.account} was opened before and is {status}")
    elif not status:
        draft.object("unknown_account", f"no account {event.account}; open it first")
    elif status == CLOSED:
        draft.object("account_closed", f"account {event.account} is closed")
    elif status == FROZEN and event.source != OWN_SOURCE and not isinstance(event, _WHILE_FROZEN):
        draft.object("account_frozen", f"account {event.account} is frozen; unfreeze it first")


def _opened(draft: Draft, _: Past | None) -> None:
    draft.status = OPEN


def _frozen(draft: Draft, _: Past | None) -> None:
    if draft.account.status == FROZEN:
        draft.object("account_frozen", f"account {draft.event.account} is frozen already")
    draft.status = FROZEN


def _unfrozen(draft: Draft, _: Past | None) -> None:
    if draft.account.status == OPEN:
        draft.object("account_open", f"account {draft.event.account} is not frozen")
    draft.status = OPEN


def _closed(draft: Draft, _: Past | None) -> None:
    draft.status = CLOSED
    assets, file = draft.registry.context.assets, draft.registry.file
    if any(hold.remaining for hold in draft.account.holds.values()):
        draft.object("open_holds", "something is held; capture or void it first")
    for lot in draft.account.lots.values():
        if not lot.remaining:
            continue
        asset = assets[lot.asset]
        table = file.assets.get(lot.asset)
        policy = (table and table.on_close) or ("refuse" if asset.is_currency else "forfeit")
        if lot.kind == DEBT:
            draft.object("debt", f"{amount_text(-lot.remaining, asset)} is owed")
        elif policy == "refuse":
            draft.object("balance_left", f"{amount_text(lot.remaining, asset)} is left in lot {lot.number}")
        elif not lot.held:
            draft.postings.append(Posting(lot.asset, lot.remaining, lot.number, BREAKAGE, "close"))


def _purchase(draft: Draft, _: Past | None) -> None:
    assert isinstance(draft.event, Purchase)  # noqa: S101 - narrows for the type checker
    currency = draft.registry.context.currency.code
    order = draft.order = draft.event.order_in(currency)
    if order.stored_value:
        draft.draw(order.currency, order.stored_value, SALES, "purchase")


def _topup(draft: Draft, _: Past | None) -> None:
    assert isinstance(draft.event, TopUp)  # noqa: S101 - narrows for the type checker
    event = draft.event
    asset = event.currency or draft.registry.context.currency.code
    lot = draft.open((asset, PAID, event.at, NEVER, 0))
    draft.postings.append(Posting(asset, event.amount, CASH, lot, "topup"))


def _spend(draft: Draft, _: Past | None) -> None:
    assert isinstance(draft.event, Spend)  # noqa: S101 - narrows for the type checker
    event = draft.event
    draft.draw(event.asset or draft.registry.context.currency.code, event.amount, SALES, "spend")


def _adjust(draft: Draft, _: Past | None) -> None:
    assert isinstance(draft.event, Adjust)  # noqa: S101 - narrows for the type checker
    event = draft.event
    asset = event.asset or draft.registry.context.currency.code
    if event.amount > 0:
        expires = NEVER if event.expires is None else event.expires
        draft.grant((asset, event.kind, event.at, expires, 0), event.amount, ADJUSTMENTS, "adjust")
    else:
        draft.draw(asset, -event.amount, ADJUSTMENTS, "adjust")


def time_passes(draft: Draft, _: Past | None) -> None:
    assert isinstance(draft.event, Expiry)  # noqa: S101 - narrows for the type checker
    lot = draft.account.lots[draft.event.lot]
    draft.postings.append(Posting(lot.asset, lot.free, lot.number, BREAKAGE, "expiry"))


def _return(draft: Draft, past: Past | None) -> None:
    event, registry = draft.event, draft.registry
    assert isinstance(event, Return)  # noqa: S101 - narrows for the type checker
    if past is None:
        _return_of_unknown(draft, event)
        return
    draft.about = past.purchase.seq
    if (event.currency or past.order.currency) != past.order.currency:
        draft.object("wrong_currency", f"the purchase was in {past.order.currency}, not in {event.currency}")
        return
    if event.at < past.purchase.at:
        draft.object("before_purchase", "it is returned before it was bought")
        return
    request, came, objections = refund_request(event, past)
    draft.objections.extend(objections)
    if objections:
        return
    stamped = registry.refund(request, draft.view)
    if stamped is None:
        draft.object("no_refund_policy", "no plugin of the program refunds purchases; add use = 'refunds'")
        return
    plan = stamped.value
    draft.objections.extend(plan.objections)
    if draft.objections:
        return
    draft.postings.extend(plan.postings)
    for asset, amount in plan.debts.items():
        _owe(draft, asset, amount, stamped.plugin)
    past.check_plan(request, plan, draft.postings)
    draft.metrics = taken_metrics(past, request)
    draft.memo = {
        "came": came,
        "settled": plan.settled,
        "lapsed": plan.lapsed,
        "short": plan.short,
        "outside": plan.outside,
        "stored_value": plan.stored_value,
        "deducted": plan.deducted,
        "metrics": [(change.metric, change.delta) for change in draft.metrics],
    }
    if plan.notes:
        draft.trace["refund"] = plan.notes


def _return_of_unknown(draft: Draft, event: Return) -> None:
    named = event.names
    if draft.registry.file.program.unknown_returns == "refuse" or event.amount is None:
        what = (
            f"names purchase {named[1]!r} of source {named[0]!r}, which this account has not"
            if named
            else ("names no purchase")
        )
        draft.object("unknown_purchase", f"the return {what}")
        return
    draft.memo = {"unknown_purchase": True, "outside": event.amount}


def _owe(draft: Draft, asset: str, amount: int, rule: str) -> None:
    if not amount:
        return
    if not draft.registry.context.assets[asset].debt:
        raise InvariantError("I6", f"the program allows no debt of {asset}")
    lots = draft.account.lots.values()
    number = next((lot.number for lot in lots if lot.asset == asset and lot.kind == DEBT and lot.remaining), None)
    if number is None:
        number = draft.open((asset, DEBT, draft.event.at, NEVER, 0))
    draft.postings.append(Posting(asset, amount, number, PROMOTION, rule))


HANDLERS: dict[type[Event], Any] = {
    AccountOpened: _opened,
    AccountFrozen: _frozen,
    AccountUnfrozen: _unfrozen,
    AccountClosed: _closed,
    Purchase: _purchase,
    Return: _return,
    TopUp: _topup,
    Spend: _spend,
    Adjust: _adjust,
    Expiry: time_passes,
}
