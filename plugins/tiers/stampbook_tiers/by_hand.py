"""What operators do to a level by hand: grants, locks and invitations, each a fact with until and reason."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from stampbook import NEVER, Fact, Objection
from stampbook_tiers.events import TierGranted, TierInvited, TierLocked, TierUnlocked

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stampbook import AccountView, Event

BY_HAND = (TierGranted, TierLocked, TierUnlocked, TierInvited)


class ByHand:
    """The facts of one ladder that operators set: ``tier_granted``, ``tier_locked``, ``tier_invited``."""

    def __init__(self, fact: str, ranks: Mapping[str, int]) -> None:
        self._fact = fact
        self._ranks = ranks
        self.granted = f"{fact}_granted"
        self.locked = f"{fact}_locked"
        self.invited = f"{fact}_invited"
        self.undone = {name: f"_{name}.undone" for name in (self.granted, self.locked)}

    def objections(self, event: Event, account: AccountView) -> list[Objection]:
        """Return why what an operator wants cannot be done."""
        if isinstance(event, TierUnlocked):
            if account.text(self.granted) or account.text(self.locked):
                return []
            return [Objection("nothing_locked", f"no level of {self._fact} is granted or locked on this account")]
        level = getattr(event, "level", None)
        if level is None:
            if account.text(self._fact):
                return []
            return [Objection("no_level", f"the account has no {self._fact} that could be locked; name a level")]
        if level in self._ranks:
            return []
        known = ", ".join(self._ranks) or "none"
        return [Objection("unknown_level", f"{level!r} is no level of {self._fact}; there are {known}")]

    def facts(self, event: Event, account: AccountView, at: int) -> list[Fact]:
        """Return the facts that an operator's event sets."""
        if isinstance(event, TierUnlocked):
            return [
                Fact(name, "", at, NEVER, event.reason) for name in (self.granted, self.locked) if account.text(name)
            ]
        if not isinstance(event, TierGranted | TierLocked | TierInvited):
            return []
        until = NEVER if event.until is None else event.until
        if until <= at:
            return []
        kinds: dict[type[Event], str] = {TierGranted: self.granted, TierLocked: self.locked}
        name = kinds.get(type(event), self.invited)
        return [Fact(name, event.level or account.text(self._fact), at, until, event.reason)]

    def bound(self, account: AccountView, rank: int, after: int) -> int:
        """Return a level as grants and locks allow it.

        Args:
            account: at the instant.
            rank: the level that it has.
            after: the one that it should get.
        """
        if not account.facts(self.locked) and not account.facts(self.granted):
            return after
        locked = account.text(self.locked)
        if locked:
            return self._ranks.get(locked, rank)
        return max(after, self._ranks.get(account.text(self.granted), -1))

    def bound_at(self, account: AccountView, later: int) -> int:
        """Return the level that a grant or lock holds until a later instant at least, or -1."""
        facts = [fact for name in (self.granted, self.locked) if (fact := account.fact(name)) is not None]
        return max((self._ranks.get(fact.value, -1) for fact in facts if fact.until > later), default=-1)

    def hidden(self, account: AccountView, name: str) -> Fact | None:
        """Return the level that the account had when a grant or lock that has ended, or ends now, began; or None."""
        begun = self._begun(account, name)
        held = [fact for fact in account.facts(self._fact) if fact.since < begun <= fact.until]
        return held[-1] if held else None

    def _begun(self, account: AccountView, name: str) -> int:
        begun = 0
        for fact in reversed(account.facts(name)):
            if begun and (not fact.value or fact.until != begun):
                break
            if fact.value:
                begun = fact.since  # one that was made longer began with the first of them
        return begun

    def before(self, account: AccountView, name: str) -> int:
        """Return the level to come back to when a grant or lock ends, returns since it began included; or -1."""
        held = self.hidden(account, name)
        rank = -1 if held is None else self._ranks.get(held.value, -1)
        undone = account.facts(self.undone[name])
        if undone and undone[-1].since >= self._begun(account, name):
            left = [self._ranks.get(level, -1) for level in json.loads(undone[-1].value)]
            rank = min(rank, max(left, default=-1))
        return rank

    def undo(self, name: str, level: str, at: int) -> Fact:
        """Return a fact by which a grant or lock, when it ends, comes back to no more than a level, or to none."""
        return Fact(self.undone[name], json.dumps([level] if level else []), at, NEVER)
