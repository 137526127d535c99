"""Whom another program would move: facts of all accounts, such as their tier, under both."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from stampbook.account import OPEN
from stampbook.account_view import AccountView
from stampbook.events import OWN_SOURCE, AccountUnfrozen
from stampbook.pipeline import apply

if TYPE_CHECKING:
    from stampbook.account import Account
    from stampbook.engine import Engine
    from stampbook.registry import Registry

BATCH = 1_000

When = Literal["at the next event", "at a review"]


@dataclass(frozen=True, slots=True)
class Move:
    """Accounts whose fact changes in one way: at once, with their next event, or where both are judged anew today.

    Judged anew, `before` is what the program in force makes of what the account has done up to now, and `after` what
    the other one does.
    """

    fact: str
    before: str
    after: str
    when: When
    accounts: tuple[str, ...]


def moves(engine: Engine, other: Registry) -> list[Move]:
    """Return whom a program would move if it were put in force now; nothing is written.

    Each open account is brought up to now in memory and judged under both programs. What only the other program
    counts has not been counted yet. Accounts are read in batches, so memory does not grow with the ledger.

    Args:
        engine: the ledger.
        other: the program to compare with the one in force.

    Raises:
        StoreError: no program is in force.
    """
    found: dict[tuple[str, str, str, When], list[str]] = {}
    now = engine.clock()
    with engine.store.reader() as session:
        programs = engine.in_force(session)
        refs = session.refs()
        for start in range(0, len(refs), BATCH):
            accounts = session.accounts(refs[start : start + BATCH])
            session.fill(accounts.values(), 1)
            for ref in refs[start : start + BATCH]:
                account = accounts[ref]
                if account.status != OPEN:
                    continue
                for registry, decision in programs.brought(account, now):
                    apply(registry, account, decision)
                for move in _moves(account, programs.at(now), other, max(now, account.clock)):
                    found.setdefault(move, []).append(ref)
    return [Move(*move, tuple(refs)) for move, refs in sorted(found.items())]


def _moves(account: Account, mine: Registry, other: Registry, now: int) -> list[tuple[str, str, str, When]]:
    at_once = {
        name: value
        for name, value in _next(account, other, now).items()
        if value != _next(account, mine, now).get(name, _held(account, name, now))
    }
    found: list[tuple[str, str, str, When]] = [
        (name, _held(account, name, now), value, "at the next event") for name, value in at_once.items()
    ]
    before, after = _standing(account, mine, now), _standing(account, other, now)
    for name in after:  # a fact that no ladder of the new program keeps stays as it is
        pair = before.get(name, _held(account, name, now)), after[name]
        if pair[0] != pair[1] and name not in at_once:
            found.append((name, *pair, "at a review"))
    return found


def _held(account: Account, name: str, now: int) -> str:
    fact = account.fact(name, now)
    return "" if fact is None else fact.value


def _next(account: Account, registry: Registry, now: int) -> dict[str, str]:
    """Return the facts that an event which moves nothing would change."""
    event = AccountUnfrozen(id="probe", source=OWN_SOURCE, account=account.ref, at=now)
    view = AccountView(account, now, registry.context)
    facts = [stamped.value for stamped in registry.assess(view, now, event)] if registry.has_assessments else []
    return {fact.name: fact.value for fact in facts if fact.value != _held(account, fact.name, now)}


def _standing(account: Account, registry: Registry, now: int) -> dict[str, str]:
    return {fact.name: fact.value for fact in registry.standing(AccountView(account, now, registry.context))}
