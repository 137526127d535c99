"""One event and one account in, one transaction out. Pure: no clock, no database, no randomness."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stampbook.account import CLOSED, FROZEN, OPEN, Account, AccountView
from stampbook.amounts import amount_text, divide
from stampbook.awards import settle
from stampbook.errors import InvariantError, PluginError
from stampbook.events import (
    OWN_SOURCE,
    AccountClosed,
    AccountFrozen,
    AccountOpened,
    AccountUnfrozen,
    Adjust,
    Event,
    Expiry,
    Order,
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
    Decision,
    MetricChange,
    Objection,
    Posting,
    Transaction,
)
from stampbook.lots import DEBT, PAID, Lot
from stampbook.periods import NEVER
from stampbook.refunding import refund_request, taken_metrics

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stampbook.hookspecs import Award, Due, Multiplier, Note
    from stampbook.refunding import Past
    from stampbook.registry import Registry


def decide(registry: Registry, account: Account, event: Event, past: Past | None = None) -> list[Decision]:
    """Judge one event of one account.

    Args:
        registry: the program in force at the event's instant.
        account: its state; not changed.
        event: what happened.
        past: for a return, the purchase that it names with its earlier returns.

    Returns:
        what time brings before the event, each at its own instant; the event's decision; and what time brings
        at once because of it (a late grant that has expired since). Applying them in order, with `apply`,
        brings the account up to date.
    """
    decisions: list[Decision] = []
    work = account
    if account.due_at <= event.at:
        work = account.copy()
        _catch_up(registry, work, event.at, decisions)
    if past is not None:
        past = past.after(posting for brought in decisions for posting in _postings(brought))
    decision = judge(registry, work, event, past)
    decisions.append(decision)
    now = max(work.clock, event.at)
    if decision.transaction is not None and _opens_overdue(work, decision.transaction, now):
        work = work.copy() if work is account else work
        apply(registry, work, decision)
        _catch_up(registry, work, now, decisions, not_before=event.at)
    return decisions


def _postings(decision: Decision) -> tuple[Posting, ...]:
    return () if decision.transaction is None else decision.transaction.postings


def catch_up(registry: Registry, account: Account, until: int) -> list[Decision]:
    """Return what time brings to an account up to an instant; the account is not changed."""
    decisions: list[Decision] = []
    if account.due_at <= until:
        _catch_up(registry, account.copy(), until, decisions)
    return decisions


def apply(registry: Registry, account: Account, decision: Decision) -> None:
    """Change an account by a decision: its transaction if it has one, its clock, and what is due next."""
    transaction, at = decision.transaction, decision.event.at
    account.seq += 1
    account.clock = max(account.clock, at)
    if transaction is None:
        return
    if not account.status:
        account.opened_at = at
    account.apply(transaction)
    account.due_at = next_due(registry, account)


def next_due(registry: Registry, account: Account) -> int:
    """Return the earliest instant at which time brings something to an account."""
    earliest = account.next_expiry()
    if registry.has_dues and account.status not in {"", CLOSED}:
        view = AccountView(account, account.clock, registry.context)
        for due in registry.due(view, NEVER):
            earliest = min(earliest, due.at)
    return earliest


def _catch_up(
    registry: Registry, account: Account, until: int, decisions: list[Decision], *, not_before: int = -NEVER
) -> None:
    for _ in range(100_000):
        lots, dues = _earliest(registry, account, until)
        if not lots and not dues:
            return
        for lot in lots:
            name = f"expiry:{account.ref}:{account.seq + 1}"
            at = max(lot.expires_at, not_before)
            _bring(
                registry,
                account,
                Expiry(id=name, source=OWN_SOURCE, account=account.ref, at=at, lot=lot.number),
                decisions,
            )
        for due in dues:
            kind, at = registry.reader.kinds[due.type], max(due.at, not_before)
            _bring(
                registry,
                account,
                kind(type=due.type, id=due.id, source=OWN_SOURCE, account=account.ref, at=at),
                decisions,
            )
    message = f"account {account.ref}: a plugin's due events never end"
    raise PluginError(message)


def _bring(registry: Registry, account: Account, event: Event, decisions: list[Decision]) -> None:
    decision = judge(registry, account, event, None)
    if decision.transaction is None:
        message = f"time brings {event.id}, which is refused: {decision.objections[0].message}"
        raise PluginError(message)
    apply(registry, account, decision)
    decisions.append(decision)


def _earliest(registry: Registry, account: Account, until: int) -> tuple[list[Lot], list[Due]]:
    """Return all that the earliest instant brings: what one plugin does must not hide what another is due."""
    lots = [lot for lot in account.lots.values() if lot.remaining > lot.held and lot.expires_at <= until]
    dues: list[Due] = []
    if registry.has_dues:
        view = AccountView(account, account.clock, registry.context)
        dues = [due for due in registry.due(view, until) if due.at <= until]
    first = min([lot.expires_at for lot in lots] + [due.at for due in dues], default=NEVER)
    return (
        sorted((lot for lot in lots if lot.expires_at == first), key=lambda lot: lot.number),
        [due for due in dues if due.at == first],
    )


def _opens_overdue(account: Account, transaction: Transaction, now: int) -> bool:
    opened = {lot.number: lot for lot in transaction.opened}
    for posting in transaction.postings:
        end = posting.destination
        if isinstance(end, int) and (opened.get(end) or account.lots[end]).expires_at <= now:
            return True
    return False


Terms = tuple[str, str, int, int, int]
"""The terms of a lot, in its own order: asset, kind, effective_at, expires_at, priority."""


@dataclass(slots=True)
class _Draft:
    """A transaction while it is being worked out."""

    registry: Registry
    account: Account
    event: Event
    view: AccountView
    postings: list[Posting]
    opened: list[Lot]
    objections: list[Objection]
    trace: dict[str, Any]
    memo: dict[str, Any]
    order: Order | None = None
    status: str | None = None
    about: int | None = None
    metrics: Sequence[MetricChange] = ()

    def object(self, code: str, message: str) -> None:
        self.objections.append(Objection(code, message))

    def draw(self, asset: str, amount: int, destination: str, rule: str) -> None:
        drawn, short = self.view.draw(asset, amount)
        if short:
            kind = self.registry.context.assets[asset]
            self.object(
                "insufficient_balance",
                f"{amount_text(amount, kind)} is more than the {amount_text(amount - short, kind)} that may be spent",
            )
            return
        self.postings.extend(Posting(asset, units, lot, destination, rule) for lot, units in drawn)

    def grant(self, terms: Terms, amount: int, source: str, rule: str) -> list[tuple[int, int]]:
        """Post a grant: debt is repaid first, then a lot of equal terms is filled, or a new one."""
        asset, parts = terms[0], []
        for debt in self.account.lots.values():
            if debt.remaining < 0 and debt.asset == asset:  # only debt is; also what an older program allowed
                owed = -debt.remaining - sum(p.amount for p in self.postings if p.destination == debt.number)
                repaid = min(owed, amount)
                if repaid > 0:
                    self.postings.append(Posting(asset, repaid, source, debt.number, rule))
                    parts.append((debt.number, repaid))
                    amount -= repaid
        if amount:
            number = self._lot(terms)
            self.postings.append(Posting(asset, amount, source, number, rule))
            parts.append((number, amount))
        return parts

    def _lot(self, terms: Terms) -> int:
        """Return the number of a lot of equal terms, or open one; an empty lot may be out of sight and is left."""
        at = self.event.at
        asset, kind, effective_at, expires_at, priority = terms
        for lots in (self.account.lots.values(), self.opened):
            for lot in lots:
                if (
                    lot.expires_at == expires_at
                    and lot.asset == asset
                    and lot.kind == kind
                    and lot.priority == priority
                    and (lot.effective_at == effective_at or lot.effective_at <= at >= effective_at)
                    and (lot.remaining or lots is self.opened)
                ):
                    return lot.number
        return self.open(terms)

    def open(self, terms: Terms) -> int:
        number = self.account.next_lot + len(self.opened)
        self.opened.append(Lot(number, *terms, self.account.seq + 1, 0))
        return number


def judge(registry: Registry, account: Account, event: Event, past: Past | None) -> Decision:
    """Judge one event on an account to which time has caught up; what time brings is left out."""
    view = AccountView(account, event.at, registry.context)
    draft = _Draft(registry, account, event, view, [], [], [], {}, {})
    handler = _HANDLERS.get(type(event))
    _check_status(draft)
    if not draft.objections:
        if handler is not None:
            handler(draft, past)
        elif event.type in registry.own_events:
            draft.postings.extend(registry.propose(event, view))
    if draft.objections:
        return _refused(draft)
    counted = _count(draft)
    draft.metrics = [*draft.metrics, *counted] if draft.metrics else counted
    facts = []
    if registry.has_assessments:
        now = max(account.clock, event.at)
        outlook = AccountView(account, now, registry.context, pending=draft.metrics)
        for stamped in registry.assess(outlook, now, event):
            held = account.fact(stamped.value.name, stamped.value.since)
            if held is None or held.value != stamped.value.value:
                facts.append(stamped.value)
    if handler is not _time_passes:
        if facts:
            view = AccountView(account, event.at, registry.context, learned=facts)
        _reward(draft, registry.reward(event, draft.order, view))
    transaction = Transaction(
        tuple(draft.postings),
        tuple(draft.opened),
        tuple(draft.metrics),
        tuple(facts),
        (),
        draft.status,
        draft.memo,
    )
    account.check(transaction, event.at)
    if draft.status == CLOSED:
        _check_closed(account, transaction)
    if registry.has_reviews:
        draft.objections.extend(registry.review(transaction, view, event))
        if draft.objections:
            return _refused(draft)
    return Decision(event, registry.hash, transaction, (), draft.trace, draft.about)


def _refused(draft: _Draft) -> Decision:
    return Decision(draft.event, draft.registry.hash, None, tuple(draft.objections), draft.trace, draft.about)


def _check_status(draft: _Draft) -> None:
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


_WHILE_FROZEN = (AccountUnfrozen, AccountClosed, AccountFrozen, Adjust)


def _check_closed(account: Account, transaction: Transaction) -> None:
    left: dict[int, int] = {lot.number: lot.remaining for lot in account.lots.values()}
    for posting in transaction.postings:
        for end, sign in ((posting.source, -1), (posting.destination, 1)):
            if isinstance(end, int):
                left[end] = left.get(end, 0) + sign * posting.amount
    if any(left.values()):
        raise InvariantError("I24", f"account {account.ref} would be closed with something in it")


def _opened(draft: _Draft, _: Past | None) -> None:
    draft.status = OPEN


def _frozen(draft: _Draft, _: Past | None) -> None:
    if draft.account.status == FROZEN:
        draft.object("account_frozen", f"account {draft.event.account} is frozen already")
    draft.status = FROZEN


def _unfrozen(draft: _Draft, _: Past | None) -> None:
    if draft.account.status == OPEN:
        draft.object("account_open", f"account {draft.event.account} is not frozen")
    draft.status = OPEN


def _closed(draft: _Draft, _: Past | None) -> None:
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


def _purchase(draft: _Draft, _: Past | None) -> None:
    assert isinstance(draft.event, Purchase)  # noqa: S101 - narrows for the type checker
    currency = draft.registry.context.currency.code
    order = draft.order = draft.event.order_in(currency)
    if order.stored_value:
        draft.draw(order.currency, order.stored_value, SALES, "purchase")


def _topup(draft: _Draft, _: Past | None) -> None:
    assert isinstance(draft.event, TopUp)  # noqa: S101 - narrows for the type checker
    event = draft.event
    asset = event.currency or draft.registry.context.currency.code
    lot = draft.open((asset, PAID, event.at, NEVER, 0))
    draft.postings.append(Posting(asset, event.amount, CASH, lot, "topup"))


def _spend(draft: _Draft, _: Past | None) -> None:
    assert isinstance(draft.event, Spend)  # noqa: S101 - narrows for the type checker
    event = draft.event
    draft.draw(event.asset or draft.registry.context.currency.code, event.amount, SALES, "spend")


def _adjust(draft: _Draft, _: Past | None) -> None:
    assert isinstance(draft.event, Adjust)  # noqa: S101 - narrows for the type checker
    event = draft.event
    asset = event.asset or draft.registry.context.currency.code
    if event.amount > 0:
        expires = NEVER if event.expires is None else event.expires
        draft.grant((asset, event.kind, event.at, expires, 0), event.amount, ADJUSTMENTS, "adjust")
    else:
        draft.draw(asset, -event.amount, ADJUSTMENTS, "adjust")


def _time_passes(draft: _Draft, _: Past | None) -> None:
    assert isinstance(draft.event, Expiry)  # noqa: S101 - narrows for the type checker
    lot = draft.account.lots[draft.event.lot]
    draft.postings.append(Posting(lot.asset, lot.free, lot.number, BREAKAGE, "expiry"))


def _return(draft: _Draft, past: Past | None) -> None:
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
        "outside": plan.outside,
        "stored_value": plan.stored_value,
        "deducted": plan.deducted,
        "metrics": [(change.metric, change.delta) for change in draft.metrics],
    }
    if plan.notes:
        draft.trace["refund"] = plan.notes


def _return_of_unknown(draft: _Draft, event: Return) -> None:
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


def _owe(draft: _Draft, asset: str, amount: int, rule: str) -> None:
    if not amount:
        return
    if not draft.registry.context.assets[asset].debt:
        raise InvariantError("I6", f"the program allows no debt of {asset}")
    lots = draft.account.lots.values()
    number = next((lot.number for lot in lots if lot.asset == asset and lot.kind == DEBT), None)
    if number is None:
        number = draft.open((asset, DEBT, draft.event.at, NEVER, 0))
    draft.postings.append(Posting(asset, amount, number, PROMOTION, rule))


def _count(draft: _Draft) -> list[MetricChange]:
    event = draft.event
    tables = draft.registry.metrics.get(event.type)
    if not tables:
        return []
    changes: list[MetricChange] = []
    view, order, day = draft.view, draft.order, draft.view.day
    places = draft.registry.context.metric_decimals
    for name, table in tables:
        numerator, denominator = 0, 1
        for line in order.lines if table.per == "line" and order is not None else (None,):
            if table.when is not None and not table.when.test(event, order, line, view, None):
                continue
            top, bottom = (1, 1) if table.sum is None else table.sum.ratio(event, order, line, view, None)
            if bottom == denominator:
                numerator += top
            else:
                numerator, denominator = numerator * bottom + top * denominator, denominator * bottom
        delta = divide(numerator * 10 ** places[name], denominator, table.rounding)
        if delta:
            changes.append(MetricChange(name, day, delta))
    return changes


def _reward(draft: _Draft, wanted: list[Award | Multiplier | Note]) -> None:
    if not wanted:
        return
    file = draft.registry.file
    grants, trace = settle(
        wanted, assets=draft.registry.context.assets, stacking=file.stacking, multipliers=file.multipliers
    )
    draft.trace.update(trace)
    granted: list[Any] = []
    for award, units, by_line in grants:
        _, asset, _, _, _, kind, effective_at, expires_at, priority, _, _ = award
        parts = draft.grant((asset, kind, effective_at, expires_at, priority), units, PROMOTION, award.rule)
        granted.append((award.rule, asset, units, parts, by_line))
    if granted:
        draft.memo["granted"] = granted


_HANDLERS: dict[type[Event], Any] = {
    AccountOpened: _opened,
    AccountFrozen: _frozen,
    AccountUnfrozen: _unfrozen,
    AccountClosed: _closed,
    Purchase: _purchase,
    Return: _return,
    TopUp: _topup,
    Spend: _spend,
    Adjust: _adjust,
    Expiry: _time_passes,
}
