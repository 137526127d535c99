"""When levels are reviewed, and which days count: pure arithmetic of local days."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING

from stampbook import Period, PeriodError, Window

if TYPE_CHECKING:
    from stampbook import Calendar

AT_ONCE = "at once"
SINCE_CHANGE = "since last change"
MEMBERSHIP = "membership year"
_YEAR = 366
_SNAPS = {"": 0, "end of month": 31, "end of quarter": 92, "end of year": _YEAR}


@lru_cache(maxsize=65_536)
def _membership_end(opened: int, years: int, snap: Period | None, calendar: Calendar) -> int:
    """Return the first day after a number of membership years."""
    day = calendar.add_months(opened, 12 * years)
    return day if snap is None else snap.last_day(day - 1, calendar) + 1


def membership_end(opened: int, day: int, snap: Period | None, calendar: Calendar) -> int:
    """Return the end of the membership year in which a day lies: the first day after it."""
    years = max(1, (day - opened) // _YEAR - 1)
    while _membership_end(opened, years, snap, calendar) <= day:
        years += 1
    return _membership_end(opened, years, snap, calendar)


def membership_start(opened: int, day: int, snap: Period | None, calendar: Calendar) -> int:
    """Return the first day of the membership year in which a day lies."""
    years = max(1, (day - opened) // _YEAR - 1)
    while _membership_end(opened, years, snap, calendar) <= day:
        years += 1
    return opened if years == 1 else _membership_end(opened, years - 1, snap, calendar)


def longest(window: Window | Period) -> int:
    """Return how many days a window or period spans at most."""
    months = window.months + getattr(window, "calendar_months", 0)
    snap = _SNAPS[str(getattr(window, "snap", ""))]
    return months // 12 * _YEAR + months % 12 * 31 + window.days + snap


def shortest(window: Window) -> int:
    """Return how many days a rolling window spans at least."""
    return window.months // 12 * 365 + window.months % 12 * 28 + window.days


@dataclass(frozen=True, slots=True)
class Review:
    """When levels are reviewed: at the end of a calendar unit, of the membership year, of a term, or at once."""

    calendar_unit: Window | None = None
    membership: bool = False
    snap: Period | None = None
    term: Period | None = None

    @classmethod
    def parse(cls, text: str) -> Review:
        """Read "calendar year", "membership year, end of month", "12 months, end of month" or "at once".

        Raises:
            PeriodError: it says no such thing.
        """
        if text == AT_ONCE:
            return cls()
        if text.startswith("calendar "):
            return cls(calendar_unit=Window.parse(text))
        if text == MEMBERSHIP:
            return cls(membership=True)
        if text.startswith(f"{MEMBERSHIP}, "):
            snap = Period.parse(text.removeprefix(f"{MEMBERSHIP}, "))
            if not snap.months and not snap.days:
                return cls(membership=True, snap=snap)
        try:
            return cls(term=Period.parse(text))
        except PeriodError:
            message = (
                f"{text!r} is no time for a review; write a calendar unit such as 'calendar year', 'membership year', "
                "'membership year, end of month', how long a level is held, such as '12 months', or 'at once'"
            )
            raise PeriodError(message) from None

    @property
    def at_once(self) -> bool:
        """Whether levels fall on the day that no longer keeps them."""
        return self.calendar_unit is None and not self.membership and self.term is None

    def next_end(self, day: int, opened: int, since: int, calendar: Calendar) -> int:
        """Return the first day after the period in which a day lies.

        Args:
            day: a local day.
            opened: the day on which the account was opened.
            since: the day on which its level was entered.
            calendar: of the program.
        """
        if self.calendar_unit is not None:
            return self.calendar_unit.next_start(day, calendar)
        if self.membership:
            return membership_end(opened, day, self.snap, calendar)
        if self.term is None:
            message = "levels that fall at once have no periods"
            raise PeriodError(message)
        return _term_end(self.term, since, day, calendar)


@lru_cache(maxsize=65_536)
def _term_end(term: Period, since: int, day: int, calendar: Calendar) -> int:
    """Return the first day after the term, counted on from the day of the change, in which a day lies."""
    if not term.months and not term.days:
        end = term.last_day(since, calendar) + 1
        while end <= day:
            end = term.last_day(end, calendar) + 1
        return end
    terms = max(1, (day - since) // (term.months * 31 + term.days))
    while True:
        end = replace(term, months=term.months * terms, days=term.days * terms).last_day(since, calendar) + 1
        if end > day:
            return end
        terms += 1


@dataclass(frozen=True, slots=True)
class Count:
    """Which days count for a level: those of a window, of the membership year, or since the level last changed."""

    window: Window | None = None
    membership: bool = False

    @classmethod
    def parse(cls, text: str) -> Count:
        """Read "12 months", "calendar year", "lifetime", "membership year" or "since last change".

        Raises:
            PeriodError: it says no such thing.
        """
        if text == MEMBERSHIP:
            return cls(membership=True)
        if text == SINCE_CHANGE:
            return cls()
        try:
            return cls(window=Window.parse(text))
        except PeriodError:
            message = (
                f"{text!r} is no period that counts; write a window such as '12 months', 'calendar year' or "
                "'lifetime', or 'membership year', or 'since last change'"
            )
            raise PeriodError(message) from None

    @property
    def since_change(self) -> bool:
        """Whether the count begins anew with each change of the level."""
        return self.window is None and not self.membership

    def span(self, snap: Period | None, grace: Period | None) -> int | None:
        """Return how many days before a review may count, or None where there is no bound."""
        late = 0 if grace is None else longest(grace) + 1
        if self.membership:
            return _YEAR + (0 if snap is None else longest(snap)) + late
        if self.window is None or self.window.is_lifetime:
            return None
        return longest(self.window) + late
