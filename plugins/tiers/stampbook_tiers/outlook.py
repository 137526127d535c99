"""How far an account is from the next level, and from keeping the one that it has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stampbook import NEVER, Need, Progress
from stampbook_tiers.measures import TENURE

if TYPE_CHECKING:
    from stampbook import AccountView
    from stampbook_tiers.measures import Measures
    from stampbook_tiers.rules import Goal


def progress(scheme: str, goal: Goal, measures: Measures, account: AccountView, *, day: int, since: int) -> Progress:
    """Return how far an account had come to a goal on a day; way, name and end are left to the caller.

    Args:
        scheme: the fact of the ladder.
        goal: what is wanted.
        measures: reads it.
        account: at the instant.
        day: the last day that counts.
        since: the first day that counts where it begins with the level.
    """
    needs = []
    for want in goal.wants:
        if want.tenure is not None:
            there = measures.tenure_day(want, account)
            opened = measures.opened(account)
            left = max(0, there - day)
            missing = f"{left} day{'' if left == 1 else 's'}" if left else "0"
            needs.append(Need(TENURE, f"{max(0, day - opened)} days", str(want.tenure), missing))
            continue
        value = measures.value(want.metric, account, day, since)
        left = max(0, want.units - value)
        texts = [measures.text(want, units) for units in (value, want.units, left)]
        needs.append(Need(want.metric, texts[0], texts[1], texts[2] if left else "0"))
    return Progress(scheme, "reach", "", tuple(needs), "any" if goal.any_one else "all", NEVER)
