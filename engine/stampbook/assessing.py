"""What plugins conclude of an account from what an event counted: facts, before its rewards and again after them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stampbook.account_view import AccountView

if TYPE_CHECKING:
    from stampbook.draft import Draft
    from stampbook.ledger import Fact


def concluded(draft: Draft, facts: list[Fact]) -> list[Fact]:
    """Return what plugins conclude, where it differs from what holds, and all of a name whose history is told anew.

    Args:
        draft: the transaction, with what its event counted.
        facts: what is known of the event already; plugins see it.
    """
    account, registry, at = draft.account, draft.registry, draft.event.at
    now = max(account.clock, at)
    seen, told = list(facts), set[str]()
    outlook = AccountView(account, now, registry.context, draft.metrics, seen, draft.postings, draft.view.named, at)
    outlook.remembers = draft.memo.get("remembered", {})
    for stamped in registry.assess(outlook, now, draft.event):
        fact = stamped.value
        held = account.fact(fact.name, fact.since)
        if held is None or (held.value, held.until) != (fact.value, fact.until) or fact.name in told:
            told.add(fact.name)
            seen.append(fact)
    return seen[len(facts) :]


def judge_again(draft: Draft, facts: list[Fact]) -> None:
    """Conclude once more, from what rewards counted; of one name the last conclusion holds."""
    known = {(fact.name, fact.value, fact.until) for fact in facts}
    again = concluded(draft, facts)
    names = {fact.name for fact in again if (fact.name, fact.value, fact.until) not in known}
    facts[:] = [fact for fact in facts if fact.name not in names] + [fact for fact in again if fact.name in names]
