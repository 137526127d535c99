"""Returns: what comes back of a purchase, made good by a plugin's plan that the engine checks and carries out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stampbook.account import CLOSED, FROZEN, OPEN
from stampbook.amounts import amount_text, currency
from stampbook.coming_back import wait_for
from stampbook.events import Return
from stampbook.ledger import PROMOTION, RETURNS, SALES, Posting
from stampbook.limits import given_back, let_go_of
from stampbook.lots import PAID, RENEWED
from stampbook.owing import repay_first
from stampbook.paid_for import back_as_paid
from stampbook.refunding import is_completed, refund_request, taken_grants, taken_metrics
from stampbook.returns import gone_elsewhere, told_of_return
from stampbook.standing_in import StandIns
from stampbook.tendering import shares_of

if TYPE_CHECKING:
    from stampbook.draft import Draft
    from stampbook.events import Event
    from stampbook.ledger import MetricChange
    from stampbook.refund_plans import RefundPlan, RefundRequest
    from stampbook.refunding import Past
    from stampbook.returns import Came


def returned(draft: Draft, past: Past | None) -> None:
    """Make a return good, or object."""
    event = draft.event
    assert isinstance(event, Return)  # noqa: S101 - narrows for the type checker
    if past is None and draft.account.status == CLOSED:
        draft.object("account_closed", f"account {event.account} is closed")
        return
    if past is None:
        draft.about = None  # what it names, if anything, is no purchase
        _of_unknown(draft, event)
        return
    draft.about = past.purchase.seq
    bought, lots = past, None
    if past.elsewhere is not None:
        lots = StandIns(draft, past.elsewhere)
        past = lots.purchase(past)
    elif (own := StandIns.of_own(draft, past)) is not None:
        past = own.own_purchase(past)
    _made_good(draft, event, past, bought, lots)


def _set_status(draft: Draft, plan: RefundPlan) -> None:
    """Freeze an account as the plan says, and open one that was closed where anything is owed: it may owe nothing."""
    status = draft.account.status
    moves = any(isinstance(end, int) for posting in draft.postings for end in (posting.source, posting.destination))
    if plan.freezes and (status == OPEN or (status == CLOSED and moves)):
        draft.status = FROZEN
    elif status == CLOSED and moves:
        draft.status = OPEN


def refuse_closed(draft: Draft) -> None:
    """Object that nothing comes back to an account that was closed, and say what can be done instead."""
    what = "give the money back outside it, in cash or by card"
    if is_charged_back(draft.event):
        what = "closed = 'reopen' in [plugin.chargeback] of refunds has a chargeback kept"
    draft.object("account_closed", f"account {draft.event.account} was closed; {what}")


def is_charged_back(event: Event) -> bool:
    """Whether a payment system took a purchase back, which asks no account whether it is open; the plan says more."""
    return event.type == "return" and isinstance(event, Return) and event.refund_to == "chargeback"


def _made_good(draft: Draft, event: Return, past: Past, bought: Past, lots: StandIns | None) -> None:
    """Make a return good.

    Args:
        draft: the transaction.
        event: the return.
        past: its purchase, in lots of this account.
        bought: the same in lots of its own account.
        lots: those that stand in for the lots of another account, if it is that one's.
    """
    if (event.currency or past.order.currency) != past.order.currency:
        draft.object("wrong_currency", f"the purchase was in {past.order.currency}, not in {event.currency}")
        return
    if event.at < past.purchase.at:
        draft.object("before_purchase", "it is returned before it was bought")
        return
    if draft.view.late:
        past = past.seen_late(draft.account, event.at)
    request, came, objections = refund_request(event, past)
    draft.objections.extend(objections)
    if objections:
        return
    stamped = draft.registry.refund(request, draft.view)
    if stamped is None:
        draft.object("no_refund_policy", "no plugin of the program refunds purchases; add use = 'refunds'")
        return
    plan = stamped.value
    draft.objections.extend(plan.objections)
    if draft.account.status == CLOSED and not plan.reopens:
        refuse_closed(draft)
    if draft.objections:
        return
    draft.postings.extend(plan.postings)
    for asset, amount in plan.debts.items():
        if amount:
            draft.owe(asset, amount, PROMOTION, stamped.plugin)
    plan.exchanged = event.exchanged
    if event.exchanged and event.exchanged > plan.outside:
        draft.object("over_exchange", _over_exchange(event.exchanged, plan.outside, past.order.currency))
        return
    past.check_plan(request, plan, draft.postings)
    renewed = _renewed(draft, plan, stamped.plugin)
    _set_status(draft, plan)
    _credit(draft, plan, past.order.currency, stamped.plugin)
    counted = _counted(draft, past, request, plan, came)
    if renewed:
        draft.memo["renewed"] = renewed
    put_back = draft.returned = [posting for posting in plan.postings if posting.source == SALES]
    if lots is not None:
        lots.open()
    _repay(draft, past, lots)
    if plan.awaited:
        wait_for(draft, plan.awaited)
    if plan.notes:
        draft.trace["refund"] = plan.notes
    if lots is not None:
        draft.metrics, there = lots.counted(counted)
        over = [Posting(_asset_of(draft, number), units, SALES, number, "") for number, units, _ in plan.over]
        lots.tell(lots.memo_there(bought, [*put_back, *over]), there)


def _repay(draft: Draft, past: Past, lots: StandIns | None) -> None:
    """Let what comes back repay what is owed, and be paid value where money had paid for it."""
    repay_first(draft, draft.about if lots is None else None)
    if lots is None and draft.registry.context.returns_as_paid and not draft.view.late:
        back_as_paid(draft, past.purchase.seq, past.order.currency)


def _over_exchange(asked: int, back: int, code: str) -> str:
    money = currency(code)
    return (
        f"{amount_text(asked, money)} of what is taken instead is to be paid by what comes back, "
        f"which gives {amount_text(back, money)} for that"
    )


def _credit(draft: Draft, plan: RefundPlan, asset: str, rule: str) -> None:
    """Open the lot in which money from outside comes back; value that is paid for keeps a lot of its own."""
    if plan.credit is not None:
        kind, expires_at, priority = plan.credit
        terms = (asset, kind, draft.event.at, expires_at, priority)
        if kind == PAID:
            draft.postings.append(Posting(asset, plan.credited, RETURNS, draft.open(terms), rule))
        else:
            draft.grant(terms, plan.credited, RETURNS, rule)


def _asset_of(draft: Draft, number: int) -> str:
    lot = draft.view.known_lot(number)
    assert lot is not None  # noqa: S101 - the plan was checked
    return lot.asset


def _renewed(draft: Draft, plan: RefundPlan, rule: str) -> list[tuple[int, int, int]]:
    """Post what goes back under a new end; return what does not go back into its lot: that lot, another or 0, units."""
    renewed: list[tuple[int, int, int]] = []
    for number, units, expires_at in plan.over:
        lot = draft.view.known_lot(number)
        assert lot is not None  # noqa: S101 - the plan was checked
        if expires_at is None:
            renewed.append((number, 0, units))
        else:
            terms = (lot.asset, RENEWED, draft.event.at, expires_at, lot.priority)
            renewed.extend((number, into, part) for into, part in draft.grant(terms, units, SALES, rule))
    return renewed


def _counted(
    draft: Draft, past: Past, request: RefundRequest, plan: RefundPlan, came: list[Came]
) -> list[MetricChange]:
    """Take what comes back off metrics and limits, note it, and tell the accounts to which the purchase sent some."""
    told = told_of_return(past, request, plan)
    back = given_back(past, plan, request, gone_elsewhere(past, told))
    draft.metrics = [*taken_metrics(past, request), *taken_grants(past, plan), *back]
    _remember(draft, past, request, plan, came)
    if told:
        draft.messages.extend(message for _, message in told)
        draft.memo["told"] = [(place, message.data["units"]) for place, message in told]
    let_go = let_go_of(plan, request.granted)
    if let_go and "caps" in past.purchase.memo:
        draft.memo["let_go"] = let_go
    return draft.metrics


def _remember(draft: Draft, past: Past, request: RefundRequest, plan: RefundPlan, came: list[Came]) -> None:
    """Note what later returns need to know."""
    memo = draft.memo = {
        "came": came,
        "settled": plan.settled,
        "lapsed": plan.lapsed,
        "short": plan.short,
        "outside": plan.outside - plan.exchanged,
        "stored_value": plan.stored_value,
        "deducted": plan.deducted,
        "metrics": [(change.metric, change.delta) for change in draft.metrics],
    }
    if plan.paid:
        memo["paid"] = plan.paid
    if plan.credited:
        memo["credited"] = plan.credited
    if plan.charged_back:
        memo["charged_back"] = plan.charged_back
    if plan.exchanged:
        memo["exchanged"] = plan.exchanged
    if len([tender for tender in request.tenders if not tender.asset]) > 1:
        memo["tenders"] = shares_of(plan, request.tenders)
    if plan.lapsed:
        memo["lapsed_lots"] = past.lapsed_lots(request, plan.lapsed)


def cancelled(draft: Draft, past: Past | None) -> None:
    """Undo a purchase that is not completed, whole."""
    if past is not None and is_completed(past):
        draft.object("completed", "that purchase was completed; send a return")
    elif past is None:
        draft.object("unknown_purchase", "the account has no such purchase to cancel")
    else:
        returned(draft, past)


def _of_unknown(draft: Draft, event: Return) -> None:
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
