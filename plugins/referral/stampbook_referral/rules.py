"""Pure arithmetic of referrals: where one stands, as the text of a fact, and which friends a limit still counts."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from stampbook import Calendar, Window

WAITING = "waiting"
REWARDED = "rewarded"
OVER = "over the limit"
UNDONE = "undone"

_TEXT = re.compile(rf"({WAITING}|{REWARDED}|{OVER}|{UNDONE})(?: ([\d.]+) (\S+))?(?: on (\d{{4}}-\d\d-\d\d))?")


class Standing(NamedTuple):
    """Where a referral stands on one of its two accounts.

    `amount` of `asset`, as texts, is what the account has from it: after it was undone, what could not be taken back.
    `day` is the local day on which it was given.
    """

    state: str = ""
    amount: str = ""
    asset: str = ""
    day: str = ""

    @classmethod
    def read(cls, text: str) -> Standing:
        """Read the text of a fact; a text that is none stands for nothing."""
        found = _TEXT.fullmatch(text)
        return cls() if found is None else cls(*[part or "" for part in found.groups()])

    def __str__(self) -> str:
        given = f" {self.amount} {self.asset}" if self.amount else ""
        return f"{self.state}{given}" + (f" on {self.day}" if self.day else "")


def slots_of(text: str) -> list[int]:
    """Read the days on which a referrer was rewarded."""
    return [date.fromisoformat(day).toordinal() for day in text.split()]


def slots_text(days: list[int]) -> str:
    """Write the days on which a referrer was rewarded."""
    return " ".join(date.fromordinal(day).isoformat() for day in sorted(days))


def used(days: list[int], window: Window, day: int, calendar: Calendar) -> int:
    """Return how many of the days count for a limit on a day; what was learned before of later ones counts too."""
    first = window.first_day(day, calendar)
    if window.calendar_months or window.is_week:
        after = window.next_start(day, calendar)
        return sum(first <= each < after for each in days)
    return sum(first <= each for each in days)


def kept_slots(days: list[int], window: Window, day: int, calendar: Calendar) -> list[int]:
    """Return the days without those that no limit asks for any more: before the window that precedes this one."""
    if window.is_lifetime:
        return days
    before = window.first_day(window.first_day(day, calendar) - 1, calendar)
    return [each for each in days if each >= before]
