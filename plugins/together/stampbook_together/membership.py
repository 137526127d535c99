"""Who belongs to a pool, and who may take from it: facts of the member's account and of the pool's."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stampbook import NEVER, Fact, Message, Objection
from stampbook_together.households_events import (
    HouseholdJoined,
    HouseholdLeft,
    HouseholdMemberJoined,
    HouseholdMemberLeft,
    HouseholdRole,
)

if TYPE_CHECKING:
    from stampbook import AccountView, Event

POOL = "household"
"""The fact of a member: the ref of the pool."""
MEMBERS = "household_members"
"""The fact of a pool: how many members it has."""
OWNER = "household_owner"
"""The fact of a pool: the ref of its owner."""
_ROLE = "household_role:"
"""Before the member's ref in the name of the fact of a pool that says what a member is."""


def is_pool(account: AccountView) -> bool:
    """Whether other accounts earn into this one."""
    return account.text(MEMBERS) not in {"", "0"}


class Membership:
    """The rules of joining, leaving and spending.

    Args:
        spenders: ``members``, ``named`` or ``owner``.
        most: how many members a pool may have; any number where None.
    """

    def __init__(self, spenders: str, most: int | None) -> None:
        self._spenders = spenders
        self._most = most

    def owner(self, account: AccountView) -> str:
        """Return the ref of a pool's owner."""
        return account.text(OWNER)

    def joins(self, event: HouseholdJoined, account: AccountView) -> list[Objection | Message]:
        """Return what tells the pool, or why the account cannot join."""
        if event.to == account.ref:
            return [Objection("same_account", "an account cannot earn into its own pool")]
        if account.text(POOL):
            return [Objection("in_household", f"the account earns into {account.text(POOL)}; let it leave first")]
        if is_pool(account):
            return [Objection("has_members", "other accounts earn into this one; it cannot join another")]
        return [Message(event.to, "household.member_joined", {"member": account.ref, "role": event.role})]

    def takes(self, event: HouseholdMemberJoined, account: AccountView) -> list[Objection]:
        """Return why a pool cannot take a member."""
        if account.text(POOL):
            return [Objection("in_household", f"the account itself earns into {account.text(POOL)}")]
        count = int(account.text(MEMBERS) or 0)
        if self._most is not None and count >= self._most:
            return [Objection("household_full", f"it has {count} members already, which is the most")]
        del event
        return []

    def leaves(self, account: AccountView) -> list[Objection | Message]:
        """Return what tells the pool that a member leaves."""
        pool = account.text(POOL)
        if not pool:
            return [Objection("in_no_household", "the account earns into no pool")]
        return [Message(pool, "household.member_left", {"member": account.ref})]

    def lets_go(self, event: HouseholdMemberLeft, account: AccountView) -> list[Objection]:
        """Return why a member cannot leave."""
        if self.owner(account) == event.member and account.text(MEMBERS) != "1":
            text = "the owner leaves last; make another member the owner with household.role"
            return [Objection("owner_leaves_last", text)]
        return []

    def names(self, event: HouseholdRole, account: AccountView) -> list[Objection]:
        """Return why a member cannot have a role."""
        objections = self.is_member(event.member, account)
        if not objections and event.role != "owner" and self.owner(account) == event.member:
            return [Objection("owner", "it is the owner; make another member the owner instead")]
        return objections

    def is_member(self, ref: str, account: AccountView) -> list[Objection]:
        """Return an objection where an account is no member of the pool."""
        if account.text(_ROLE + ref):
            return []
        return [Objection("not_a_member", f"{ref} is no member of {account.ref}")]

    def may_spend(self, ref: str, account: AccountView) -> list[Objection]:
        """Return an objection where somebody may not take from the pool."""
        objections = self.is_member(ref, account)
        if objections or self._spenders == "members" or self.owner(account) == ref:
            return objections
        if self._spenders == "named" and account.text(_ROLE + ref) == "spender":
            return []
        who = "its owner" if self._spenders == "owner" else "its owner and members of role 'spender'"
        return [Objection("may_not_spend", f"from {account.ref} only {who} may spend, not {ref}")]

    def facts(self, event: Event, account: AccountView, at: int) -> list[Fact]:
        """Return what an event concludes about a member or a pool."""
        count = int(account.text(MEMBERS) or 0)
        match event:
            case HouseholdJoined():
                return [Fact(POOL, event.to, at, NEVER, event.reason or "joined")]
            case HouseholdLeft():
                return [Fact(POOL, "", at, NEVER, event.reason or "left")]
            case HouseholdMemberJoined():
                why = f"{event.member} joined"
                facts = [
                    Fact(_ROLE + event.member, event.role, at, NEVER, why),
                    Fact(MEMBERS, str(count + 1), at, NEVER, why),
                ]
                return facts if count else [*facts, Fact(OWNER, event.member, at, NEVER, why)]
            case HouseholdMemberLeft():
                why = f"{event.member} left"
                facts = [Fact(_ROLE + event.member, "", at, NEVER, why), Fact(MEMBERS, str(count - 1), at, NEVER, why)]
                return facts if count > 1 else [*facts, Fact(OWNER, "", at, NEVER, why)]
            case HouseholdRole():
                name = OWNER if event.role == "owner" else _ROLE + event.member
                value = event.member if event.role == "owner" else event.role
                return [Fact(name, value, at, NEVER, event.reason or "by hand")]
            case _:
                return []
