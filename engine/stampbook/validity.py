"""How long a grant is good: for a period, to a date of the calendar, to the membership anniversary, or for ever."""

from __future__ import annotations

import re
from calendar import month_name, monthrange
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final

from stampbook.errors import PeriodError
from stampbook.periods import NEVER, LeapDay, Period

if TYPE_CHECKING:
    from collections.abc import Callable

    from stampbook.periods import Calendar

_MONTHS: Final = {name.lower(): month for month, name in enumerate(month_name) if name}
_DATE = re.compile(rf"(\d{{1,2}}) ({'|'.join(_MONTHS)})", re.ASCII)
_FOLLOWING = " of the following year"
_AT_LEAST = ", at least "
_ANNIVERSARY = "membership anniversary"
_LEAP_YEAR = 2000
_FEBRUARY_29 = (2, 29)


@dataclass(frozen=True, slots=True)
class Validity:
    """Until when something is good that began on a day: exactly one of `period`, `dates` and `anniversary`, or never.

    `dates` are pairs of month and day; the first that comes is meant, counted from the following year on where
    `following`. `at_least` is the least that is granted before a date or an anniversary counts.
    """

    period: Period | None = None
    dates: tuple[tuple[int, int], ...] = ()
    following: bool = False
    anniversary: bool = False
    at_least: Period | None = None

    @classmethod
    def parse(cls, text: str) -> Validity:
        """Read "never", "12 months, end of month", "30 june or 31 december" or "membership anniversary".

        Dates may end in "of the following year"; dates and the anniversary in ", at least 3 months".

        Raises:
            PeriodError: it says no such thing, or names a day that no year has.
        """
        if text == "never":
            return cls()
        main, least, length = text.partition(_AT_LEAST)
        at_least = Period.parse(length) if least else None
        if main == _ANNIVERSARY:
            return cls(anniversary=True, at_least=at_least)
        days = main.lower().removesuffix(_FOLLOWING)
        found = [_DATE.fullmatch(day) for day in days.split(" or ")]
        dates = sorted(_date(match[0], int(match[1]), match[2]) for match in found if match is not None)
        if len(dates) == len(found):
            return cls(dates=tuple(dates), following=days != main.lower(), at_least=at_least)
        if not least:
            try:
                return cls(Period.parse(text))
            except PeriodError as error:
                if "is not a period" not in str(error):
                    raise
        message = (
            f"{text!r} is no time to be good; write '12 months', '12 months, end of month', '31 march', "
            "'31 march of the following year, at least 6 months', 'membership anniversary' or 'never'"
        )
        raise PeriodError(message)

    @property
    def never(self) -> bool:
        """Whether it never ends."""
        return self.period is None and not self.dates and not self.anniversary

    @property
    def least_months(self) -> int | None:
        """How many whole months it lasts for sure, whenever it starts; None where it never ends."""
        if self.never:
            return None
        least = self.at_least if self.period is None else self.period
        return 0 if least is None else least.least_months

    def last_day(self, day: int, calendar: Calendar, member_since: int = 0) -> int:
        """Return the named day: the last of the period, the date, or the anniversary.

        Args:
            day: on which it begins, as an ordinal.
            calendar: of the program.
            member_since: the day on which the account was opened; an anniversary only.

        Raises:
            PeriodError: it never ends.
        """
        if self.period is not None:
            return self.period.last_day(day, calendar)
        earliest = day if self.at_least is None else self.at_least.last_day(day, calendar)
        if self.anniversary:
            return _anniversary_from(max(earliest, day + 1), calendar, member_since)
        if not self.dates:
            message = "what is good for ever has no last day"
            raise PeriodError(message)
        year = date.fromordinal(day).year + self.following
        while True:
            for each in self.dates:
                found = _in_year(year, each, calendar)
                if found >= earliest:
                    return found
            year += 1

    def ends(self, calendar: Calendar, *, included: bool = True) -> Callable[[int, int], int]:
        """Return a function of the start and the account's opening, both instants: the first instant after it.

        Args:
            calendar: of the program.
            included: whether the named day is still good. Where it is not, a start on the named day itself goes on to
                the next one: nothing is over before it began.
        """
        if self.never:
            return lambda _instant, _opened_at: NEVER
        known: dict[tuple[int, int], int] = {}
        day_of, by_account = calendar.day, self.anniversary

        def end(instant: int, opened_at: int) -> int:
            day = day_of(instant)
            key = (day, day_of(opened_at) if by_account else 0)
            found = known.get(key)
            if found is None:
                if len(known) > 50_000:  # noqa: PLR2004 - more than a century of days
                    known.clear()
                found = known[key] = calendar.start_of(self._first_day_after(*key, calendar, included=included))
            return found

        return end

    def _first_day_after(self, day: int, member_since: int, calendar: Calendar, *, included: bool) -> int:
        last = self.last_day(day, calendar, member_since)
        if included:
            return last + 1
        return last if last > day else self.last_day(day + 1, calendar, member_since)

    def __str__(self) -> str:
        if self.period is not None:
            return str(self.period)
        if self.never:
            return "never"
        dates = " or ".join(f"{day} {month_name[month].lower()}" for month, day in self.dates)
        words = _ANNIVERSARY if self.anniversary else f"{dates}{_FOLLOWING if self.following else ''}"
        return words if self.at_least is None else f"{words}{_AT_LEAST}{self.at_least}"


def _date(text: str, day: int, name: str) -> tuple[int, int]:
    month = _MONTHS[name]
    if not 1 <= day <= monthrange(_LEAP_YEAR, month)[1]:
        message = f"{text!r} is a day that no year has"
        raise PeriodError(message)
    return month, day


def _in_year(year: int, month_and_day: tuple[int, int], calendar: Calendar) -> int:
    """Return a date in a year; a 29 February that it lacks goes where the program says."""
    month, day = month_and_day
    if month_and_day == _FEBRUARY_29 and monthrange(year, 2)[1] < day:
        month, day = (3, 1) if calendar.leap_day is LeapDay.MARCH_1 else (2, 28)
    return date(year, month, day).toordinal()


def _anniversary_from(earliest: int, calendar: Calendar, member_since: int) -> int:
    """Return the first anniversary on or after a day: the first is a year after the opening."""
    years = max(1, date.fromordinal(earliest).year - date.fromordinal(member_since).year)
    found = calendar.add_months(member_since, 12 * years)
    return found if found >= earliest else calendar.add_months(member_since, 12 * (years + 1))
