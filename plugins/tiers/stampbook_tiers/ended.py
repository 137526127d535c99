"""A ladder that is no more: who has a level of it loses it, with all that was noted of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stampbook import NEVER, Due, Fact

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stampbook import AccountView, Event, Progress
    from stampbook_tiers.by_hand import ByHand


class Ended:
    """Stands where the judge of a ladder stands, and ends its facts."""

    def __init__(self, name: str, fact: str, by_hand: ByHand) -> None:
        self._name = name
        hands = (by_hand.granted, by_hand.locked, by_hand.invited)
        self._facts = (fact, *hands, f"{fact}_forgiven", f"_{fact}_period")

    def facts(self, account: AccountView, at: int, event: Event, by_hand: Sequence[Fact]) -> list[Fact]:  # noqa: ARG002 - as the judge's
        """Return that nothing of the ladder holds any more."""
        return [Fact(name, "", at, NEVER, "the ladder has ended") for name in self._facts if account.text(name)]

    def due(self, account: AccountView) -> list[Due]:
        """Return that it ends at the first instant that is left."""
        if not any(account.text(name) for name in self._facts):
            return []
        return [Due(account.at + 1, "tier.due", f"{self._name}:{account.ref}:ended", {"why": "ended"})]

    def is_review(self, account: AccountView, at: int, history: Sequence[Fact]) -> bool:  # noqa: ARG002 - as the judge's
        """Return that there are no reviews."""
        return False

    def standing(self, account: AccountView) -> str:  # noqa: ARG002 - as the judge's
        """Return that nobody has a level."""
        return ""

    def progress(self, account: AccountView) -> list[Progress]:  # noqa: ARG002 - as the judge's
        """Return that there is nothing to reach."""
        return []
