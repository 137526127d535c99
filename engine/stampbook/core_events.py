"""What the core kinds of event do to an account: one handler each, working on a draft."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stampbook.account import CLOSED, FROZEN, OPEN
from stampbook.closing import closed
from stampbook.events import (
    OWN_SOURCE,
    AccountClosed,
    AccountDescribed,
    AccountFrozen,
    AccountOpened,
    AccountUnfrozen,
    Adjust,
    EarlierSettled,
    Event,
    Expiry,
    Extend,
    HoldAuthorised,
    HoldCaptured,
    HoldChanged,
    HoldLapsed,
    HoldVoided,
    LotsFrozen,
    LotsUnfrozen,
    Purchase,
    PurchaseCancelled,
    PurchaseCompleted,
    Return,
    SegmentChanged,
    Spend,
    TopUp,
)
from stampbook.freezing import lots_frozen, lots_unfrozen
from stampbook.holding import authorised, captured, changed, lapsed, shrink, voided
from stampbook.ledger import (
    ADJUSTMENTS,
    BREAKAGE,
    CASH,
    SALES,
    UNNAMED,
    MetricChange,
    Posting,
    emptied,
)
from stampbook.lots import PAID
from stampbook.maturing import completed, described, segment_changed
from stampbook.owing import repay_out_of
from stampbook.partial import settle
from stampbook.paying import pay_for
from stampbook.periods import NEVER
from stampbook.returning import cancelled, is_charged_back, refuse_closed, returned

if TYPE_CHECKING:
    from stampbook.draft import Draft
    from stampbook.refunding import Past


_WHILE_FROZEN = (AccountUnfrozen, AccountClosed, AccountFrozen, Adjust, Extend, LotsFrozen, LotsUnfrozen)


def check_status(draft: Draft) -> None:
    """Object in a fixed order: unknown, closed, frozen. Time passes on every account."""
    status, event = draft.account.status, draft.event
    if told := draft.registry.is_none_for(event):
        draft.object("no_customer", told)
        return
    if isinstance(event, AccountOpened):
        if status:
            draft.object("account_exists", f"account {event.account} was opened before and is {status}")
    elif not status:
        meant = draft.registry.meant(event.account)
        told = f"{UNNAMED}; {meant}" if meant else f"no account {event.account}; open it first"
        draft.object("unknown_account", told)
    elif draft.account.merged_into and not event.on_closed:
        into = draft.account.merged_into
        draft.object("account_merged", f"account {draft.account.ref} was merged into {into}; send it there")
    elif status == CLOSED and not event.on_closed and not is_charged_back(event):
        if isinstance(event, Return):
            refuse_closed(draft)
        else:
            draft.object("account_closed", f"account {event.account} is closed")
    elif (
        status == FROZEN and event.source != OWN_SOURCE and not (isinstance(event, _WHILE_FROZEN) or event.while_frozen)
    ):
        draft.object("account_frozen", f"account {event.account} is frozen; unfreeze it first")


def _opened(draft: Draft, _: Past | None) -> None:
    draft.status = OPEN
    if isinstance(draft.event, AccountOpened) and draft.event.attributes:
        described(draft)


def _described(draft: Draft, _: Past | None) -> None:
    described(draft)


def _segment_changed(draft: Draft, _: Past | None) -> None:
    segment_changed(draft)


def _frozen(draft: Draft, _: Past | None) -> None:
    if draft.account.status == FROZEN:
        draft.object("account_frozen", f"account {draft.event.account} is frozen already")
    draft.status = FROZEN


def _unfrozen(draft: Draft, _: Past | None) -> None:
    if draft.account.status == OPEN:
        draft.object("account_open", f"account {draft.event.account} is not frozen")
    draft.status = OPEN


def _purchase(draft: Draft, _: Past | None) -> None:
    assert isinstance(draft.event, Purchase)  # noqa: S101 - narrows for the type checker
    currency = draft.registry.context.currency.code
    order = draft.order = draft.event.order_in(currency)
    if order.tenders and any(tender.partial for tender in draft.event.tenders):
        settle(draft)
        if draft.objections:
            return
        order = draft.order = draft.event.order_in(currency)
    if order.stored_value or draft.event.hold is not None or (order.tenders and draft.registry.has_payers):
        pay_for(draft, order)


def _topup(draft: Draft, _: Past | None) -> None:
    assert isinstance(draft.event, TopUp)  # noqa: S101 - narrows for the type checker
    event = draft.event
    asset = event.currency or draft.registry.context.currency.code
    repays = event.debt == "repay" if event.debt else asset in draft.registry.context.repaid
    left = event.amount - (repay_out_of(draft, asset, event.amount, CASH, "topup") if repays else 0)
    if left:
        lot = draft.open((asset, PAID, event.at, NEVER, 0))
        draft.postings.append(Posting(asset, left, CASH, lot, "topup"))


def _spend(draft: Draft, _: Past | None) -> None:
    assert isinstance(draft.event, Spend)  # noqa: S101 - narrows for the type checker
    if draft.event.partial:
        settle(draft)
        if draft.objections:
            return
    event = draft.event
    draft.draw(event.asset or draft.registry.context.currency.code, event.amount, SALES, "spend")


def _authorised(draft: Draft, past: Past | None) -> None:
    assert isinstance(draft.event, HoldAuthorised)  # noqa: S101 - narrows for the type checker
    if draft.event.partial:
        settle(draft)
        if draft.objections:
            return
    authorised(draft, past)


def _adjust(draft: Draft, _: Past | None) -> None:
    assert isinstance(draft.event, Adjust)  # noqa: S101 - narrows for the type checker
    event = draft.event
    asset = event.asset or draft.registry.context.currency.code
    if event.amount > 0:
        expires = NEVER if event.expires is None else event.expires
        draft.grant((asset, event.kind, event.at, expires, 0), event.amount, ADJUSTMENTS, "adjust")
    else:
        draft.draw(asset, -event.amount, ADJUSTMENTS, "adjust", anywhere=True)


def _extended(draft: Draft, _: Past | None) -> None:
    assert isinstance(draft.event, Extend)  # noqa: S101 - narrows for the type checker
    event = draft.event
    for lot in draft.view.lots:
        meant = lot.number in event.lots if event.lots else lot.asset == event.asset
        if meant and lot.asset == event.asset and lot.remaining > 0 and event.at < lot.expires_at:
            draft.extend(lot.number, event.until, "extend")
    if not draft.extended:
        lots = f" in lot {' or '.join(map(str, event.lots))}" if event.lots else ""
        draft.object("nothing_to_extend", f"the account holds no {event.asset}{lots} that would end before that time")


def _expired(draft: Draft, _: Past | None) -> None:
    assert isinstance(draft.event, Expiry)  # noqa: S101 - narrows for the type checker
    lot = draft.account.lots[draft.event.lot]
    over = lot.free
    if lot.asset in draft.registry.context.shrinking:
        over = lot.remaining
        shrink(draft, lot)
    draft.postings.extend(emptied(lot.asset, over, lot.number, BREAKAGE, "expiry"))


def _settled(draft: Draft, _: Past | None) -> None:
    event = draft.event
    assert isinstance(event, EarlierSettled)  # noqa: S101 - narrows for the type checker
    draft.about = event.position
    draft.memo = event.memo
    draft.metrics = [MetricChange(*change) for change in event.metrics]


HANDLERS: dict[type[Event], Any] = {
    AccountOpened: _opened,
    AccountFrozen: _frozen,
    AccountUnfrozen: _unfrozen,
    AccountClosed: closed,
    Purchase: _purchase,
    Return: returned,
    PurchaseCancelled: cancelled,
    PurchaseCompleted: completed,
    AccountDescribed: _described,
    SegmentChanged: _segment_changed,
    TopUp: _topup,
    Spend: _spend,
    Adjust: _adjust,
    Extend: _extended,
    LotsFrozen: lots_frozen,
    LotsUnfrozen: lots_unfrozen,
    Expiry: _expired,
    HoldAuthorised: _authorised,
    HoldCaptured: captured,
    HoldVoided: voided,
    HoldChanged: changed,
    HoldLapsed: lapsed,
    EarlierSettled: _settled,
}
