"""Pure arithmetic of achievements: how often the days of an account reach a goal, and how far it is to the next time.

All of it looks at days, never at the order of events: so a late event, a batch or a tick makes no difference. More
on a day never makes it fewer times, which is why what was earned stays earned until something is returned.
"""

from __future__ import annotations

from collections import deque
from datetime import date
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from stampbook import Calendar, Window

WEEK = 7
_SHIFTS = {"monday": 0, "sunday": 1, "saturday": 2}
_MONTHS = {"months": 1, "quarters": 3, "years": 12}


class Goal(NamedTuple):
    """What is to be reached.

    `need` is in the metric's smallest units, a number of different values, or a number of periods of `in_a_row`, of
    which each has at least `each`. `most` is how often at most.
    """

    need: int
    window: Window
    in_a_row: str | None = None
    each: int = 1
    week_starts: str = "monday"
    once_a_window: bool = False
    once_a_day: bool = False
    most: int | None = None


class Count(NamedTuple):
    """How often a goal was reached, and what there is towards the next time."""

    times: int
    have: int


class Days(NamedTuple):
    """What counts: amounts by day, in order, or different values by day."""

    amounts: Sequence[tuple[int, int]] = ()
    values: Sequence[tuple[int, Collection[str]]] = ()


def count(goal: Goal, days: Days, calendar: Calendar, today: int) -> Count:
    """Return how often a goal was reached on all days, and how far the next time is as of a day."""
    amounts = days.amounts
    if goal.once_a_day:
        amounts = [(day, 1) for day, amount in amounts if amount > 0]
    if goal.in_a_row is not None:
        found = _streaks(goal, amounts, days.values, today)
    elif goal.window.is_lifetime:
        total = sum(amount for _, amount in amounts) + len({v for _, values in days.values for v in values})
        found = Count(max(total, 0) // goal.need, max(total, 0) % goal.need)
    elif goal.window.calendar_months or goal.window.is_week:
        found = _by_window(goal, amounts, days.values, calendar, today)
    elif days.values:
        found = _rolling_values(goal, days.values, calendar, today)
    else:
        found = _rolling(goal, amounts, calendar, today)
    if goal.most is not None and found.times >= goal.most:
        return Count(goal.most, goal.need)
    return found


def _by_window(
    goal: Goal,
    amounts: Iterable[tuple[int, int]],
    values: Iterable[tuple[int, Collection[str]]],
    calendar: Calendar,
    today: int,
) -> Count:
    totals: dict[int, int] = {}
    different: dict[int, set[str]] = {}
    for day, amount in amounts:
        start = goal.window.first_day(day, calendar)
        totals[start] = totals.get(start, 0) + amount
    for day, some in values:
        different.setdefault(goal.window.first_day(day, calendar), set()).update(some)
    totals.update((start, len(several)) for start, several in different.items())
    now = max(totals.get(goal.window.first_day(today, calendar), 0), 0)
    if goal.once_a_window:
        return Count(sum(total >= goal.need for total in totals.values()), min(now, goal.need))
    return Count(sum(max(total, 0) // goal.need for total in totals.values()), now % goal.need)


def _rolling(goal: Goal, amounts: Iterable[tuple[int, int]], calendar: Calendar, today: int) -> Count:
    """Take the earliest days that reach the goal within the window, use them up, and begin again with what is over."""
    times = total = 0
    waiting: deque[tuple[int, int]] = deque()
    for day, amount in (*amounts, (today, 0)):
        first = goal.window.first_day(day, calendar)
        while waiting and waiting[0][0] < first:
            total -= waiting.popleft()[1]
        if amount <= 0:
            continue
        total += amount
        waiting.append((day, amount))
        if total >= goal.need:
            times += total // goal.need
            total %= goal.need
            waiting.clear()
            if total:
                waiting.append((day, total))
    return Count(times, total)


def _rolling_values(goal: Goal, values: Iterable[tuple[int, Collection[str]]], calendar: Calendar, today: int) -> Count:
    """As `_rolling`, of different values; all of the day on which the goal is reached is used up."""
    times = 0
    waiting: deque[tuple[int, Collection[str]]] = deque()
    for day, some in (*values, (today, ())):
        first = goal.window.first_day(day, calendar)
        while waiting and waiting[0][0] < first:
            waiting.popleft()
        if some:
            waiting.append((day, some))
            if len({value for _, several in waiting for value in several}) >= goal.need:
                times += 1
                waiting.clear()
    return Count(times, len({value for _, several in waiting for value in several}))


def _streaks(
    goal: Goal,
    amounts: Iterable[tuple[int, int]],
    values: Iterable[tuple[int, Collection[str]]],
    today: int,
) -> Count:
    totals: dict[int, int] = {}
    different: dict[int, set[str]] = {}
    for day, amount in amounts:
        place = period_of(day, goal)
        totals[place] = totals.get(place, 0) + amount
    for day, some in values:
        different.setdefault(period_of(day, goal), set()).update(some)
    totals.update((place, len(several)) for place, several in different.items())
    times = length = 0
    last = None
    for place in sorted(place for place, total in totals.items() if total >= goal.each):
        length = length + 1 if last is not None and place == last + 1 else 1
        times += length % goal.need == 0
        last = place
    alive = last is not None and last >= period_of(today, goal) - 1
    return Count(times, length % goal.need if alive else 0)


def period_of(day: int, goal: Goal) -> int:
    """Return the number of the period that a day is in: the period after it has the next number, across years."""
    if goal.in_a_row == "weeks":
        return (day - 1 + _SHIFTS[goal.week_starts]) // WEEK
    months = _MONTHS.get(goal.in_a_row or "")
    if months is None:
        return day
    local = date.fromordinal(day)
    return (local.year * 12 + local.month - 1) // months


class Standing(NamedTuple):
    """What an account has of an achievement: how often it was granted, and how often more than it is now reached.

    Something is `ahead` where a return undid the achievement and what was granted stayed, since it was spent already
    or the program lets it be kept. The next time it is reached makes up for that and is not granted again.
    """

    granted: int = 0
    ahead: int = 0

    @classmethod
    def read(cls, text: str) -> Standing:
        """Read what `str` wrote."""
        granted, _, ahead = text.partition(", ")
        return cls(int(granted or 0), int(ahead.partition(" ")[0] or 0))

    def __str__(self) -> str:
        return f"{self.granted}, {self.ahead} ahead" if self.ahead else str(self.granted)

    def after(self, before: int, now: int, can_take: int) -> Standing:
        """Return the standing after an event.

        Args:
            before: how often the goal was reached without the event.
            now: how often with it.
            can_take: how many grants can be taken back.
        """
        if now >= before:
            made_up = min(self.ahead, now - before)
            return Standing(self.granted + now - before - made_up, self.ahead - made_up)
        taken = min(before - now, self.granted, can_take)
        return Standing(self.granted - taken, self.ahead + before - now - taken)
