"""One event and one account in, one transaction out. Pure: no clock, no database, no randomness."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import TYPE_CHECKING

from stampbook.account import CLOSED, Account
from stampbook.account_view import AccountView
from stampbook.assessing import concluded, judge_again
from stampbook.core_events import HANDLERS, check_status
from stampbook.counting import count
from stampbook.distinct import count_values
from stampbook.draft import Draft
from stampbook.earlier import Earlier
from stampbook.errors import ExpressionError, InvariantError, PluginError
from stampbook.events import OWN_SOURCE, Event, Expiry, HoldLapsed
from stampbook.exchanging import is_exchange, note, refused, return_in
from stampbook.failing import failed
from stampbook.freezing import check_frozen
from stampbook.hookspecs import CAMPAIGN
from stampbook.ledger import (
    Decision,
    Posting,
    Transaction,
)
from stampbook.moves import moves_of
from stampbook.overdue import earliest_due, opens_overdue
from stampbook.partial import as_paid
from stampbook.paying import pay_late
from stampbook.periods import NEVER
from stampbook.proposing import propose
from stampbook.rewarding import reward

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from stampbook.hookspecs import Due
    from stampbook.refunding import Past
    from stampbook.registry import Registry


MOST_DUE = 100_000
"""How often time may bring something to one account at once before a plugin is held to be at fault."""

MOST_FOLLOWING = 1_000
"""How many events may follow at once from one."""


def decide(
    registry: Registry,
    account: Account,
    event: Event,
    past: Past | Earlier | None = None,
    about: int | None = None,
    *,
    budgets: Mapping[str, int] | None = None,
    picked: tuple[str, str] | None = None,
) -> list[Decision]:
    """Judge one event of one account.

    Args:
        registry: the program in force at the event's instant.
        account: its state; not changed.
        event: what happened.
        past: for a return, the purchase that it names with its earlier returns; for an event of a plugin, the
            earlier event that it names.
        about: the journal position, on this account, of the event that it names.
        budgets: what each campaign has left to grant; without bound where it is not named.
        picked: the account that was found for an earlier decision's `pick`, and what was asked of it.

    Returns:
        what time brings before the event, each at its own instant; the event's decision; what follows at once from
        the facts that it changes, or from its refusal; and what time brings at once because of it (a late grant that
        has expired since).
        Of an exchange first what comes back, then what is bought.
        Applying them in order, with `apply`, brings the account up to date.
    """
    if not is_exchange(event):
        return _decided(registry, account, event, past, about, budgets, picked)
    back = return_in(event, registry, account)
    decisions = _decided(registry, account, back, past, about, budgets, None)
    place, returned = next((place, each) for place, each in enumerate(decisions) if each.event is back)
    bought = returned
    if returned.transaction is not None:
        work = account.copy()
        for decision in decisions:
            apply(registry, work, decision)
        more = _decided(registry, work, event, None, None, budgets, picked)
        bought = next(each for each in more if each.event is event)
        if bought.transaction is not None:
            note(bought, returned)
            return [*decisions, *more]
    return [*decisions[:place], refused(event, registry, about, bought)]


def _decided(
    registry: Registry,
    account: Account,
    event: Event,
    past: Past | Earlier | None,
    about: int | None,
    budgets: Mapping[str, int] | None,
    picked: tuple[str, str] | None,
) -> list[Decision]:
    decisions: list[Decision] = []
    budgets = None if budgets is None else dict(budgets)
    work = account
    if account.due_at <= event.at:
        work = account.copy()
        for brought in catch_up(registry, work, event.at, budgets=budgets):
            apply(registry, work, brought)
            decisions.append(brought)
    if past is not None and not isinstance(past, Earlier):
        past = past.after(posting for earlier in decisions for posting in _postings(earlier))
    decision = judge(registry, work, event, past, about, budgets=budgets, picked=picked)
    _spend(budgets, decision)
    decisions.append(decision)
    now = max(work.clock, event.at)
    dues = _follow(registry, work, decision)
    prompt = registry.prompt or (decision.transaction is not None and opens_overdue(work, decision.transaction, now))
    if dues or (decision.transaction is not None and prompt):
        work = work.copy() if work is account else work
        apply(registry, work, decision)
        for brought in _following(registry, work, dues, now, budgets):
            apply(registry, work, brought)
            decisions.append(brought)
        for brought in catch_up(registry, work, now, not_before=event.at, budgets=budgets):
            apply(registry, work, brought)
            decisions.append(brought)
    return decisions


def _spend(budgets: dict[str, int] | None, decision: Decision) -> None:
    """Take what a decision grants of campaigns from what they have left."""
    if budgets and decision.transaction is not None:
        for metric, _, delta in decision.transaction.metrics:
            name = metric.removeprefix(CAMPAIGN)
            if name in budgets and name != metric:
                budgets[name] -= delta


def _postings(decision: Decision) -> tuple[Posting, ...]:
    return () if decision.transaction is None else decision.transaction.postings


def catch_up(
    registry: Registry,
    account: Account,
    until: int,
    since: int = -NEVER,
    *,
    not_before: int = -NEVER,
    budgets: dict[str, int] | None = None,
) -> Iterator[Decision]:
    """Yield what time brings to an account up to an instant, one decision after the other.

    Each decision must be applied to the account before the next is asked for.

    Args:
        registry: the program that holds from `since` to `until`; what its plugins would have brought before is not its.
        account: its state, to which time has caught up until `since`.
        until: the last instant that counts.
        since: the first.
        not_before: what was due earlier is dated at this instant.
        budgets: what each campaign has left to grant; what is granted is taken from it.

    Raises:
        PluginError: a plugin's due events never end, or the program refuses what time brings.
    """
    if account.due_at > until:
        return
    for _ in range(MOST_DUE):
        holds, lots, dues = earliest_due(registry, account, until, since)
        if not holds and not lots and not dues:
            return
        for hold in holds:
            at = not_before = max(hold.lapses_at, not_before)  # what it releases may have been over before
            name = f"hold.lapsed:{account.ref}:{account.seq + 1}"
            yield from _bring(
                registry, account, HoldLapsed(id=name, source=OWN_SOURCE, account=account.ref, at=at, hold=hold.number)
            )
        for lot in lots:
            at = max(lot.expires_at, not_before, since)  # what was held may have ended under an older program
            name = f"expiry:{account.ref}:{account.seq + 1}"
            yield from _bring(
                registry, account, Expiry(id=name, source=OWN_SOURCE, account=account.ref, at=at, lot=lot.number)
            )
        for due in dues:
            event = _event_of(registry, account, due, max(due.at, not_before))
            yield from _bring(registry, account, event, budgets)
        if account.due_at > until:  # as the last of them, applied, has left it
            return
    message = f"account {account.ref}: a plugin's due events never end"
    raise PluginError(message)


def _event_of(registry: Registry, account: Account, due: Due, at: int) -> Event:
    kind, name = registry.reader.kinds[due.type], f"{due.id}:{account.seq + 1}"
    return kind(type=due.type, id=name, source=OWN_SOURCE, account=account.ref, at=at, **due.details)


def _bring(
    registry: Registry, account: Account, event: Event, budgets: dict[str, int] | None = None
) -> Iterator[Decision]:
    """Yield what time brings, and what follows at once from the facts that it changes."""
    decision = _brought(registry, account, event, budgets)
    dues = _follow(registry, account, decision)
    yield decision
    yield from _following(registry, account, dues, event.at, budgets)


def _follow(registry: Registry, account: Account, decision: Decision) -> list[Due]:
    """Ask what follows from the facts that a decision changes, or from a refusal; it is not applied yet."""
    transaction = decision.transaction
    if transaction is None:
        return [*decision.sequel]
    if not registry.has_followers or not transaction.facts or transaction.status == CLOSED:
        return []
    view = AccountView(account, max(account.clock, decision.event.at), registry.context)
    return registry.follow(view, as_paid(decision.event, transaction.memo), transaction)


def _following(
    registry: Registry, account: Account, dues: list[Due], at: int, budgets: dict[str, int] | None
) -> Iterator[Decision]:
    """Yield the events that follow at once, and what follows from those."""
    for place, due in enumerate(dues):
        if place == MOST_FOLLOWING:
            message = f"account {account.ref}: the events that follow {dues[0].type} never end"
            raise PluginError(message)
        decision = _brought(registry, account, _event_of(registry, account, due, at), budgets)
        dues.extend(_follow(registry, account, decision))
        yield decision


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
    if account.moves is not None:
        account.moves.extend(moves_of(transaction, at))
    account.due_at = next_due(registry, account)


def next_due(registry: Registry, account: Account, since: int = -NEVER) -> int:
    """Return the earliest instant at which time brings something to an account under a program that holds `since`."""
    earliest = account.next_expiry(registry.context.shrinking)
    for hold in account.holds.values():
        if hold.left:
            earliest = min(earliest, hold.lapses_at)
    if registry.has_dues and account.status not in {"", CLOSED}:
        view = AccountView(account, max(account.clock, since - 1), registry.context)
        for due in registry.due(view, NEVER):
            earliest = min(earliest, due.at)
    return earliest


def _brought(registry: Registry, account: Account, event: Event, budgets: dict[str, int] | None = None) -> Decision:
    decision = judge(registry, account, event, budgets=budgets)
    _spend(budgets, decision)
    if decision.transaction is None:
        message = f"time brings {event.id}, which is refused: {decision.objections[0].message}"
        raise PluginError(message)
    return decision


def judge(
    registry: Registry,
    account: Account,
    event: Event,
    past: Past | Earlier | None = None,
    about: int | None = None,
    *,
    budgets: Mapping[str, int] | None = None,
    picked: tuple[str, str] | None = None,
) -> Decision:
    """Judge one event on an account to which time has caught up; what time brings is left out.

    Raises:
        PluginError: a rule of the program fails on the event, as where it divides by zero.
    """
    try:
        return _judged(registry, account, event, past, about, budgets, picked)
    except ExpressionError as error:
        raise failed(error, event.id, registry.source) from error


def _judged(
    registry: Registry,
    account: Account,
    event: Event,
    past: Past | Earlier | None,
    about: int | None,
    budgets: Mapping[str, int] | None,
    picked: tuple[str, str] | None,
) -> Decision:
    view = AccountView(account, event.at, registry.context, named=about, since=event.at)
    draft = Draft(registry, account, event, view, about)
    if picked is not None:
        view.picked = draft.trace["picked"] = picked
    handler = HANDLERS.get(type(event))
    check_status(draft)
    if not draft.objections:
        if handler is not None:
            handler(draft, past)
        elif event.type in registry.own_events:
            propose(draft, past if isinstance(past, Earlier) else None, budgets)
    _check_ending(draft)
    check_frozen(draft)
    if draft.objections:
        return _refused(draft, event)
    counted = count(draft)
    if registry.distinct:
        counted = [*counted, *count_values(draft)]
    draft.metrics = [*draft.metrics, *counted] if draft.metrics else counted
    if registry.has_assessments:
        draft.facts.extend(concluded(draft, draft.facts))
    if event.earns:
        if draft.facts:
            view = AccountView(account, event.at, registry.context, learned=draft.facts, named=about, since=event.at)
        reward(draft, registry.reward(draft.event, draft.order, view, draft.messages), budgets)
        if draft.payments:
            pay_late(draft)
        if draft.objections:
            return _refused(draft, event)
        if registry.has_assessments and "counted_grants" in draft.memo:
            judge_again(draft, draft.facts)
    transaction = _checked(draft)
    if registry.has_reviews:
        shown = replace(transaction, memo=deepcopy(draft.memo))  # what a plugin does to it must not reach the books
        draft.objections.extend(registry.review(shown, view, draft.event))
        if draft.objections:
            return _refused(draft, event)
    decision = Decision(event, registry.hash, transaction, (), draft.trace, draft.about, tuple(draft.messages))
    decision.order = draft.order
    return decision


def _refused(draft: Draft, event: Event) -> Decision:
    decision = Decision(event, draft.registry.hash, None, tuple(draft.objections), draft.trace, draft.about)
    decision.pick, decision.sequel = draft.pick, tuple(draft.sequel)
    return decision


def _check_ending(draft: Draft) -> None:
    account = draft.account
    if draft.status == CLOSED and any(move[0] > draft.event.at for move in account.moves or ()):
        draft.object("later_news", f"account {account.ref} was used since; it cannot have been closed before that")


def _checked(draft: Draft) -> Transaction:
    """Return the transaction of a draft.

    Raises:
        InvariantError: it would break a rule that never bends.
    """
    account, at = draft.account, draft.event.at
    if at < account.clock and account.expired:
        draft.bring_back()
    if draft.opened and draft.registry.context.proportions:
        draft.note_granted()
    transaction = Transaction(
        tuple(draft.postings),
        tuple(draft.opened),
        tuple(draft.metrics),
        tuple(draft.facts),
        tuple(draft.holds),
        draft.status,
        draft.memo,
        tuple(draft.extended.values()),
    )
    account.check(transaction, at)
    if at < account.clock:
        account.check_late(transaction, at)
    if draft.status == CLOSED:
        _check_closed(account, transaction)
    return transaction


def _check_closed(account: Account, transaction: Transaction) -> None:
    left: dict[int, int] = {lot.number: lot.remaining for lot in account.lots.values()}
    for posting in transaction.postings:
        for end, sign in ((posting.source, -1), (posting.destination, 1)):
            if isinstance(end, int):
                left[end] = left.get(end, 0) + sign * posting.amount
    if any(left.values()):
        raise InvariantError("I24", f"account {account.ref} would be closed with something in it")
