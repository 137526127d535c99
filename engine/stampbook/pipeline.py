"""One event and one account in, one transaction out. Pure: no clock, no database, no randomness."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from stampbook.account import CLOSED, Account, AccountView
from stampbook.amounts import LARGEST, divide
from stampbook.awards import settle
from stampbook.core_events import HANDLERS, check_status, time_passes
from stampbook.draft import Draft
from stampbook.errors import InvariantError, PluginError
from stampbook.events import (
    OWN_SOURCE,
    Event,
    Expiry,
)
from stampbook.ledger import (
    PROMOTION,
    Decision,
    MetricChange,
    Posting,
    Transaction,
)
from stampbook.periods import NEVER

if TYPE_CHECKING:
    from stampbook.hookspecs import Award, Due, Multiplier, Note
    from stampbook.lots import Lot
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


def catch_up(registry: Registry, account: Account, until: int, since: int = -NEVER) -> list[Decision]:
    """Return what time brings to an account up to an instant; the account is not changed.

    Args:
        registry: the program that holds from `since` to `until`; what its plugins would have brought before is not its.
        account: its state, to which time has caught up until `since`.
        until: the last instant that counts.
        since: the first.
    """
    decisions: list[Decision] = []
    if account.due_at <= until:
        _catch_up(registry, account.copy(), until, decisions, since=since)
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


def next_due(registry: Registry, account: Account, since: int = -NEVER) -> int:
    """Return the earliest instant at which time brings something to an account under a program that holds `since`."""
    earliest = account.next_expiry()
    if registry.has_dues and account.status not in {"", CLOSED}:
        view = AccountView(account, max(account.clock, since - 1), registry.context)
        for due in registry.due(view, NEVER):
            earliest = min(earliest, due.at)
    return earliest


def _catch_up(
    registry: Registry,
    account: Account,
    until: int,
    decisions: list[Decision],
    *,
    since: int = -NEVER,
    not_before: int = -NEVER,
) -> None:
    for _ in range(100_000):
        lots, dues = _earliest(registry, account, until, since)
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
            name = f"{due.id}:{account.seq + 1}"
            _bring(
                registry,
                account,
                kind(type=due.type, id=name, source=OWN_SOURCE, account=account.ref, at=at),
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


def _earliest(registry: Registry, account: Account, until: int, since: int) -> tuple[list[Lot], list[Due]]:
    """Return all that the earliest instant brings: what one plugin does must not hide what another is due."""
    lots = [lot for lot in account.lots.values() if lot.remaining > lot.held and lot.expires_at <= until]
    dues: list[Due] = []
    if registry.has_dues:
        view = AccountView(account, max(account.clock, since - 1), registry.context)
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


def judge(registry: Registry, account: Account, event: Event, past: Past | None) -> Decision:
    """Judge one event on an account to which time has caught up; what time brings is left out."""
    view = AccountView(account, event.at, registry.context)
    draft = Draft(registry, account, event, view, [], [], [], {}, {})
    handler = HANDLERS.get(type(event))
    check_status(draft)
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
    if handler is not time_passes:
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
        shown = replace(transaction, memo=deepcopy(draft.memo))  # what a plugin does to it must not reach the books
        draft.objections.extend(registry.review(shown, view, event))
        if draft.objections:
            return _refused(draft)
    return Decision(event, registry.hash, transaction, (), draft.trace, draft.about)


def _refused(draft: Draft) -> Decision:
    return Decision(draft.event, draft.registry.hash, None, tuple(draft.objections), draft.trace, draft.about)


def _check_closed(account: Account, transaction: Transaction) -> None:
    left: dict[int, int] = {lot.number: lot.remaining for lot in account.lots.values()}
    for posting in transaction.postings:
        for end, sign in ((posting.source, -1), (posting.destination, 1)):
            if isinstance(end, int):
                left[end] = left.get(end, 0) + sign * posting.amount
    if any(left.values()):
        raise InvariantError("I24", f"account {account.ref} would be closed with something in it")


def _count(draft: Draft) -> list[MetricChange]:
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
        if abs(delta) > LARGEST:
            raise InvariantError("I1", f"metric {name} would count {delta}, beyond the range of amounts")
        if delta:
            changes.append(MetricChange(name, day, delta))
    return changes


def _reward(draft: Draft, wanted: list[Award | Multiplier | Note]) -> None:
    if not wanted:
        return
    file = draft.registry.file
    grants, trace = settle(
        wanted, assets=draft.registry.context.assets, stacking=file.stacking, multipliers=file.multipliers
    )
    draft.trace.update(trace)
    granted: list[Any] = []
    lines = draft.order.line_count if draft.order is not None else 0
    for award, units, by_line in grants:
        if by_line and not all(0 < line <= lines for line, _ in by_line):
            message = f"rule {award.rule} awards to lines that the order has not"
            raise PluginError(message)
        _, asset, _, _, _, kind, effective_at, expires_at, priority, _, _ = award
        parts = draft.grant((asset, kind, effective_at, expires_at, priority), units, PROMOTION, award.rule)
        granted.append((award.rule, asset, units, parts, by_line))
    if granted:
        draft.memo["granted"] = granted
