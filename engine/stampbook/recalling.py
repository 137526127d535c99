"""Accounts to which others lead: a pool, the one merged into; and what was before on accounts that were merged.

Their earlier events are recalled on the account that took them in, where an event names one. Its own journal then says
all that deciding needs: it stays the fold of its own journal.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from stampbook.events import OWN_SOURCE, EarlierRecalled
from stampbook.exchanging import is_of_purchase
from stampbook.journal import earlier_of, kind_of, past_of
from stampbook.looking_back import entries_about
from stampbook.pipeline import decide
from stampbook.recalled import told

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stampbook.account import Account
    from stampbook.batch import Batch
    from stampbook.earlier import Earlier
    from stampbook.events import Event
    from stampbook.gathering import Gathered
    from stampbook.refunding import Past
    from stampbook.registry import Registry
    from stampbook.store import Key


def recalled(
    batch: Batch, registry: Registry, account: Account, key: Key, event: Event
) -> tuple[int | None, Past | Earlier | None]:
    """Recall what an event names, if it is of an account that was merged into its own.

    Args:
        batch: at hand.
        registry: the program that judges the event.
        account: whose event it is.
        key: where what it names stands.
        event: names an earlier event.

    Returns:
        the place in the account's own journal where it is recalled, and what is known of it; or nothing.
    """
    other = batch.by_id.get(key.account_id)
    of_purchase = is_of_purchase(event)
    if other is None or not (of_purchase or hasattr(event, "about")):
        return None, None
    path = _path(batch, other, account, event.at)
    entries = entries_about(batch, key) if path else []
    if not entries:
        return None, None
    past = batch.past(key, other) if of_purchase else None
    if of_purchase and past is None:
        return None, None
    batch.load_expired([other.id, account.id])
    data = told(
        other,
        entries,
        None if past is None else past.order,
        registry.context,
        registry.context.calendar.day(event.at),
        map(kind_of, entries[1:]),
    )
    seq = account.seq + 1
    recall = EarlierRecalled(
        id=f"earlier.recalled:{account.ref}:{seq}",
        source=OWN_SOURCE,
        account=account.ref,
        at=event.at,
        other=other.ref,
        path=path,
        position=key.seq,
        told=data,
    )
    entry = next(
        batch.enter(registry, account, decision)
        for decision in decide(registry, account, recall, budgets=batch.purse.budgets())
        if decision.event is recall
    )
    if not entry.accepted:
        return None, None
    mine = batch.programs.judge_of(entry)
    if not of_purchase:
        return entry.seq, earlier_of([entry], mine)
    past = past_of([entry], mine)
    return entry.seq, past and replace(past, expired=account.expired)


def load_linked(batch: Gathered, refs: Iterable[str], at: int) -> None:
    """Load the accounts that facts of some name, and those that their facts name: a pool, the account merged into."""
    names = frozenset[str]().union(*(registry.linked for registry in batch.programs.registries))
    while names:
        at_hand = [batch.accounts[ref] for ref in refs if ref in batch.accounts]
        facts = [past[-1] for each in at_hand for name in names if (past := each.facts.get(name))]
        refs = sorted({fact.value for fact in facts if fact.value} - batch.accounts.keys())
        if not refs:
            break
        batch.load_accounts(refs, at)


def load_strangers(batch: Gathered, named: Iterable[Key], earliest: int) -> None:
    """Load the accounts of what events name that are not at hand: one may have been merged into theirs."""
    if strange := {key.account_id for key in named} - batch.by_id.keys() - {0}:
        refs = batch.session.refs_of(strange)
        batch.load_accounts(refs, earliest)
        load_linked(batch, refs, earliest)


def _path(batch: Batch, other: Account, account: Account, at: int) -> tuple[str, ...]:
    """Return the accounts through which one came into another, or nothing where it did not."""
    path: list[str] = []
    step: Account | None = other
    while step is not None and step is not account:
        if not step.merged_into:
            return ()
        path.insert(0, step.ref)
        step = batch.accounts.get(step.merged_into) or batch.fetched(step.merged_into, at)
    return () if step is None else tuple(path)
