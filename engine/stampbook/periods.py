"""Instants, local days, periods such as "12 months, end of month", and windows, in a program's time zone.

An instant is a whole number of microseconds since 1970-01-01T00:00Z; a day is a local date as its proleptic
Gregorian ordinal (`datetime.date.toordinal`). Both are plain ints, so they compare, hash and store exactly.
"""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Final
from zoneinfo import ZoneInfo, available_timezones

from stampbook.errors import PeriodError, near

if TYPE_CHECKING:
    from collections.abc import Callable

FAR: Final = 200_000_000_000_000_000
"""Some instant beyond all that happens, of which the calendar still knows the day."""
NEVER: Final = 2**63 - 1
"""The instant that does not come: a lot without expiry."""

SECOND: Final = 1_000_000
HOUR: Final = 3600 * SECOND
DAY: Final = 24 * HOUR
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY = date(1970, 1, 1).toordinal()
_EARLIEST = -(70 * 366) * DAY
_LATEST = 7000 * 366 * DAY
_MONTHS_IN = {"day": 0, "week": 0, "month": 1, "quarter": 3, "year": 12}
_DAYS_IN = {"day": 1, "week": 7, "month": 0, "quarter": 0, "year": 0}


class LeapDay(StrEnum):
    """What becomes of 29 February in a year that has none."""

    FEBRUARY_28 = "28 february"
    MARCH_1 = "1 march"


def instant_of(moment: datetime) -> int:
    """Return the instant of an aware datetime."""
    since = moment - _EPOCH
    return (since.days * 86_400 + since.seconds) * SECOND + since.microseconds


def moment_of(instant: int) -> datetime:
    """Return an instant as a datetime in UTC."""
    return _EPOCH + timedelta(microseconds=instant)


class Calendar:
    """Local days and times in one time zone; the place where instants become dates and back.

    Args:
        zone: an IANA name such as ``Asia/Shanghai``.
        leap_day: where a 29 February goes in common years when months are added.

    Raises:
        PeriodError: no such time zone.
    """

    def __init__(self, zone: str = "UTC", leap_day: LeapDay | str = LeapDay.FEBRUARY_28) -> None:
        try:
            self._zone = ZoneInfo(zone)
        except (KeyError, ValueError, OSError):
            message = f"no time zone {zone!r}{near(zone, available_timezones())}"
            raise PeriodError(message) from None
        self.zone = zone
        self.leap_day = LeapDay(leap_day)
        self._turns: dict[int, tuple[int, int]] = {}

    def __repr__(self) -> str:
        return f"Calendar({self.zone!r})"

    def _offset(self, instant: int) -> int:
        offset = moment_of(instant).astimezone(self._zone).utcoffset()
        return 0 if offset is None else offset // timedelta(microseconds=1)

    def local(self, instant: int) -> datetime:
        """Return the instant as an aware local datetime."""
        return moment_of(instant).astimezone(self._zone)

    def day(self, instant: int) -> int:
        """Return the local date of an instant, as an ordinal."""
        try:
            turn, day = self._turns[instant // DAY]
        except KeyError:
            turn, day = self._turn(instant // DAY)
        if turn < 0:
            return (instant + self._offset(instant)) // DAY + _EPOCH_DAY
        return day if instant % DAY < turn else day + 1

    def _turn(self, utc_day: int) -> tuple[int, int]:
        """Return how far into a day of UTC the local date turns, and the date before; -1 where a clock is changed."""
        start = utc_day * DAY
        shift = self._offset(start)
        if shift == self._offset(start + DAY - 1):
            found = (DAY - shift % DAY, (start + shift) // DAY + _EPOCH_DAY)
        else:
            found = (-1, 0)
        if len(self._turns) > 20_000:  # noqa: PLR2004 - about fifty years of days
            self._turns.clear()
        self._turns[utc_day] = found
        return found

    def hour(self, instant: int) -> int:
        """Return the local hour, 0 to 23."""
        try:
            turn, _ = self._turns[instant // DAY]
        except KeyError:
            turn, _ = self._turn(instant // DAY)
        if turn < 0:
            return (instant + self._offset(instant)) % DAY // HOUR
        return (instant - turn) % DAY // HOUR

    def weekday(self, instant: int) -> int:
        """Return the ISO weekday, 1 for Monday to 7 for Sunday."""
        return (self.day(instant) - 1) % 7 + 1

    def month(self, instant: int) -> int:
        """Return the local month, 1 to 12."""
        return date.fromordinal(self.day(instant)).month

    def day_of_month(self, instant: int) -> int:
        """Return the local day of the month, 1 to 31."""
        return date.fromordinal(self.day(instant)).day

    def start_of(self, day: int) -> int:
        """Return the first instant of a local date."""
        start = date.fromordinal(day)
        return instant_of(datetime(start.year, start.month, start.day, tzinfo=self._zone))

    def parse(self, text: str) -> int:
        """Read ``2025-01-31``, ``2025-01-31T10:00`` (local) or a time with its offset, as an instant.

        Raises:
            PeriodError: not a date or time of the years 1900 to 8900.
        """
        try:
            moment = datetime.fromisoformat(text)
        except (ValueError, TypeError):
            message = f"{text!r} is not a date or time; write 2025-01-31 or 2025-01-31T10:00:00+08:00"
            raise PeriodError(message) from None
        return self.instant(moment)

    def instant(self, moment: datetime) -> int:
        """Return the instant of a datetime; a naive one is local.

        Raises:
            PeriodError: before 1900 or after 8900.
        """
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=self._zone)
        instant = instant_of(moment)
        if not _EARLIEST < instant < _LATEST:
            message = f"{moment.isoformat()} lies outside the years that are kept (1900 to 8900)"
            raise PeriodError(message)
        return instant

    def iso(self, instant: int) -> str:
        """Write an instant as local ISO 8601 text with its offset."""
        return self.local(instant).isoformat()

    def add_months(self, day: int, months: int) -> int:
        """Return the day `months` later; a day that the month lacks becomes its last.

        A 29 February that meets a common year goes where the program says.
        """
        start = date.fromordinal(day)
        index = start.year * 12 + start.month - 1 + months
        year, month = divmod(index, 12)
        month += 1
        last = monthrange(year, month)[1]
        if start.day <= last:
            return date(year, month, start.day).toordinal()
        if start.day == 29 and start.month == 2 and month == 2 and self.leap_day is LeapDay.MARCH_1:  # noqa: PLR2004 - the calendar
            return date(year, 3, 1).toordinal()
        return date(year, month, last).toordinal()


class Snap(StrEnum):
    """To which end of a calendar unit a period is drawn out."""

    NONE = ""
    MONTH = "end of month"
    QUARTER = "end of quarter"
    YEAR = "end of year"


_COUNT = re.compile(r"(\d{1,4}) (day|week|month|quarter|year)s?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Period:
    """A length of calendar time, "12 months" or "12 months, end of month".

    It is counted in local days: the last valid day is the day of the start plus the period (or the end of
    that month, quarter or year), and `end` is the first instant after it.
    """

    months: int = 0
    days: int = 0
    snap: Snap = Snap.NONE

    @classmethod
    def parse(cls, text: str) -> Period:
        """Read "90 days", "12 months", "1 year, end of month" or "end of year".

        Raises:
            PeriodError: not a period.
        """
        length, comma, tail = (part.strip() for part in text.partition(","))
        if not comma and length in set(Snap) - {Snap.NONE}:
            return cls(snap=Snap(length))
        match = _COUNT.fullmatch(length)
        if not match or (comma and tail not in set(Snap) - {Snap.NONE}):
            message = f"{text!r} is not a period; write '90 days', '12 months' or '12 months, end of month'"
            raise PeriodError(message)
        count, unit = int(match[1]), match[2]
        if not 0 < count * max(_MONTHS_IN[unit] * 31, _DAYS_IN[unit]) <= 37_200:  # noqa: PLR2004 - a century
            message = f"{text!r} must be longer than nothing and at most 100 years"
            raise PeriodError(message)
        return cls(count * _MONTHS_IN[unit], count * _DAYS_IN[unit], Snap(tail) if comma else Snap.NONE)

    @property
    def least_months(self) -> int:
        """How many whole months it lasts for sure, whenever it starts."""
        return self.months + self.days // 31

    def last_day(self, day: int, calendar: Calendar) -> int:
        """Return the last valid day of a period that starts on `day`."""
        last = calendar.add_months(day, self.months) + self.days
        if self.snap is Snap.NONE:
            return last
        end = date.fromordinal(last)
        month = {Snap.MONTH: end.month, Snap.QUARTER: (end.month + 2) // 3 * 3, Snap.YEAR: 12}[self.snap]
        return date(end.year, month, monthrange(end.year, month)[1]).toordinal()

    def end(self, instant: int, calendar: Calendar) -> int:
        """Return the first instant after the period that starts at `instant`."""
        return _period_end(self, calendar.day(instant), calendar)

    def ends(self, calendar: Calendar) -> Callable[[int], int]:
        """Return `end` as a function of the start that remembers the days it has seen."""
        known: dict[int, int] = {}

        def end(instant: int) -> int:
            day = calendar.day(instant)
            found = known.get(day)
            if found is None:
                if len(known) > 50_000:  # noqa: PLR2004 - more than a century of days
                    known.clear()
                found = known[day] = self.end(instant, calendar)
            return found

        return end

    def __str__(self) -> str:
        count, unit = (self.days, "day") if self.days else (self.months, "month")
        length = f"{count} {unit}{'' if count == 1 else 's'}" if count else ""
        return ", ".join(filter(None, (length, self.snap.value)))


@lru_cache(maxsize=65_536)
def _period_end(period: Period, day: int, calendar: Calendar) -> int:
    return calendar.start_of(period.last_day(day, calendar) + 1)


_WEEK = 7
_CALENDAR_UNITS = {"month": 1, "quarter": 3, "year": 12}


@dataclass(frozen=True, slots=True)
class Window:
    """The days that a metric counts: rolling ("12 months"), a calendar unit ("calendar year") or "lifetime"."""

    months: int = 0
    days: int = 0
    calendar_months: int = 0
    is_week: bool = False

    @classmethod
    def parse(cls, text: str) -> Window:
        """Read "12 months", "30 days", "calendar week" (from Monday), "calendar month", … or "lifetime".

        Raises:
            PeriodError: not a window.
        """
        if text == "lifetime":
            return cls()
        if text == "calendar week":
            return cls(is_week=True)
        kind, _, unit = text.partition(" ")
        if kind == "calendar" and unit in _CALENDAR_UNITS:
            return cls(calendar_months=_CALENDAR_UNITS[unit])
        try:
            period = Period.parse(text)
        except PeriodError:
            period = None
        if period is None or period.snap is not Snap.NONE:
            message = f"{text!r} is not a window; write '12 months', 'calendar year' or 'lifetime'"
            raise PeriodError(message)
        return cls(period.months, period.days)

    @property
    def is_lifetime(self) -> bool:
        """Whether every day counts."""
        return not (self.months or self.days or self.calendar_months or self.is_week)

    def first_day(self, day: int, calendar: Calendar) -> int:
        """Return the first day that counts on `day`, which is the last."""
        return _first_day(self, day, calendar)

    def next_start(self, day: int, calendar: Calendar) -> int:
        """Return the day on which the next calendar unit starts; a calendar window only."""
        if self.is_week:
            return self.first_day(day, calendar) + _WEEK
        return calendar.add_months(self.first_day(day, calendar), self.calendar_months)

    def __str__(self) -> str:
        if self.is_lifetime:
            return "lifetime"
        if self.is_week:
            return "calendar week"
        if self.calendar_months:
            return "calendar " + {months: unit for unit, months in _CALENDAR_UNITS.items()}[self.calendar_months]
        return str(Period(self.months, self.days))


@lru_cache(maxsize=65_536)
def _first_day(window: Window, day: int, calendar: Calendar) -> int:
    if window.is_lifetime:
        return 1
    if window.is_week:
        return day - (day - 1) % _WEEK
    if window.calendar_months:
        today = date.fromordinal(day)
        month = (today.month - 1) // window.calendar_months * window.calendar_months + 1
        return date(today.year, month, 1).toordinal()
    return calendar.add_months(day, -window.months) - window.days + 1
