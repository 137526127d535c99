"""What an account has come to: its metrics over the period that counts, and its tenure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stampbook import NEVER, AmountError, Period, PeriodError, PluginError, Window
from stampbook_tiers.periods import Count, Review, membership_end, membership_start, shortest
from stampbook_tiers.rules import Goal, Want

if TYPE_CHECKING:
    from collections.abc import Collection

    from stampbook import AccountView, Plugin
    from stampbook_tiers.config import Level, TiersConfig

TENURE = "tenure"
_FIRST, _LAST = 1, 4_000_000


class Measures:
    """Reads goals from options, and tells how far an account has come to them.

    Raises:
        PluginError: a metric is not there, or counts over less than the ladder needs.
    """

    def __init__(self, plugin: Plugin[TiersConfig], review: Review | None) -> None:
        config = plugin.config
        self._program = plugin.program
        self._calendar = plugin.program.calendar
        self._metric = config.metric
        self._count = None if config.period is None else Count.parse(config.period)
        self._review = review
        self._snap = None if review is None else review.snap
        self._grace = config.grace
        if config.metric is not None:
            self._known(config.metric)

    def _known(self, metric: str) -> None:
        if metric not in self._program.metric_decimals:
            known = ", ".join(self._program.metric_decimals) or "none"
            message = f"metric {metric!r} is not declared under [metrics], which has {known}"
            raise PluginError(message)
        window = self._program.windows.get(metric, Window())
        count = self._count
        if window.is_lifetime or (count is None and self._grace is None):
            return
        if count is not None and count.window == window and self._grace is None:
            return
        if count is None:
            message = f"grace looks back beyond the window of metric {metric!r}: say which days count with period, and "
        else:
            span = count.span(self._snap, self._grace)
            if span is not None and not window.calendar_months and shortest(window) >= span:
                return
            message = f"metric {metric!r} counts over {window}, which is less than the period needs: "
        raise PluginError(f"{message}write [metrics.{metric}] window = 'lifetime'")

    def goal(self, level: Level, text: str | dict[str, str] | tuple[dict[str, str], ...]) -> Goal:
        """Read what reaches or keeps a level.

        Raises:
            PluginError: an unknown metric, or a value that it cannot have; names the level.
        """
        if isinstance(text, tuple):
            return Goal.of_ways([self.goal(level, table) for table in text])
        if isinstance(text, str):
            if self._metric is None:
                if text == "0":
                    return Goal(())
                message = f"level {level.name!r}: say which metric has to come to {text}: metric = '…'"
                raise PluginError(message)
            text = {self._metric: text}
        try:
            return Goal(tuple(self._want(metric, value) for metric, value in text.items()), level.match == "any")
        except (AmountError, PeriodError) as error:
            message = f"level {level.name!r}: {error}"
            raise PluginError(message) from None

    def _want(self, metric: str, value: str) -> Want:
        if metric == TENURE and metric not in self._program.metric_decimals:
            return Want(metric, 0, Period.parse(value))
        self._known(metric)
        units = self._program.metric_asset(metric).units(value)
        if units < 0:
            message = f"{metric} = {value!r} is below zero"
            raise AmountError(message)
        return Want(metric, units)

    def first_day(self, metric: str, account: AccountView, day: int, since: int) -> int:
        """Return the first day that counts on a day, for a level entered on the day `since`."""
        count = self._count
        if count is None:
            return self._program.first_day(metric, day)
        if count.window is not None:
            return count.window.first_day(day, self._calendar)
        if count.membership:
            return membership_start(self.opened(account), day, self._snap, self._calendar)
        return since

    def opened(self, account: AccountView) -> int:
        """Return the day on which an account was opened; today while it is being opened."""
        return self._calendar.day(account.opened_at) if account.status else account.day

    def value(self, metric: str, account: AccountView, day: int, since: int, *, before: bool = False) -> int:
        """Return what a metric has come to on a day."""
        if self._count is None and not before:
            return account.metric_on(metric, day)
        return account.metric_between(metric, self.first_day(metric, account, day, since), day, before=before)

    def period_start(self, account: AccountView, at: int) -> int:
        """Return the instant since which the period runs in which gifts are given once.

        That is the period of the reviews, or the days that count where there are none; for a length of time, such as
        12 months, so long before.
        """
        review, calendar, day = self._review, self._calendar, self._calendar.day(at)
        window = self._program.windows.get(self._metric or "", Window())
        if review is not None and review.calendar_unit is not None:
            window = review.calendar_unit
        elif review is not None and review.term is not None:
            window = Window(review.term.months, review.term.days)
        elif (review is not None and review.membership) or (self._count is not None and self._count.membership):
            return calendar.start_of(membership_start(self.opened(account), day, self._snap, calendar))
        elif self._count is not None:
            window = self._count.window or Window()
        first = window.first_day(day, calendar)
        return calendar.start_of(first) if first > 1 else -NEVER

    def counted(self, account: AccountView, metrics: Collection[str]) -> list[int]:
        """Return by how much the event at hand changes each of some metrics, over all days."""
        return [
            account.metric_between(metric, _FIRST, _LAST) - account.metric_between(metric, _FIRST, _LAST, before=True)
            for metric in metrics
            if metric in account.counted
        ]

    def days(self, account: AccountView, metrics: Collection[str], since: int) -> list[int]:
        """Return the days after one on which any of some metrics counted something."""
        return sorted({day for metric in metrics for day, _ in account.metric_days(metric, since + 1)})

    def tenure_day(self, want: Want, account: AccountView) -> int:
        """Return the day on which an account has been open for a tenure."""
        opened = self.opened(account)
        return opened if want.tenure is None else want.tenure.last_day(opened, self._calendar)

    def met(self, goal: Goal, account: AccountView, day: int, since: int, *, before: bool = False) -> bool:
        """Return whether a goal is met on a day."""
        if not goal.wants:
            return True
        if goal.ways:
            return any(self.met(way, account, day, since, before=before) for way in goal.ways)
        for want in goal.wants:
            if want.tenure is not None:
                there = day >= self.tenure_day(want, account)
            else:
                there = self.value(want.metric, account, day, since, before=before) >= want.units
            if there == goal.any_one:
                return there
        return not goal.any_one

    def ways(self, goal: Goal, account: AccountView, day: int, since: int) -> list[Goal]:
        """Return the way in which a goal is met, or all ways in which it may come to be."""
        return [way for way in goal.each_way if self.met(way, account, day, since)][:1] or [*goal.each_way]

    def period_end(self, account: AccountView, day: int) -> int:
        """Return the first day after the period that counts on a day, where it has an end; else 0."""
        count = self._count
        if count is not None and count.membership:
            return membership_end(self.opened(account), day, self._snap, self._calendar)
        windows = self._program.windows
        window = windows.get(self._metric or "", Window()) if count is None else count.window
        return window.next_start(day, self._calendar) if window is not None and window.calendar_months else 0

    def loss_day(self, goal: Goal, account: AccountView, since: int) -> int:
        """Return the first day after today that no longer meets a goal if nothing else happens, or NEVER."""
        if goal.ways:
            return max(self.loss_day(way, account, since) for way in goal.ways)
        days = [NEVER if want.tenure is not None else self._loss(want, account, since) for want in goal.wants]
        return max(days, default=NEVER) if goal.any_one else min(days, default=NEVER)

    def _loss(self, want: Want, account: AccountView, since: int) -> int:
        count, today, calendar = self._count, account.day, self._calendar
        window = self._program.windows.get(want.metric, Window()) if count is None else count.window
        left = self.value(want.metric, account, today, since) - want.units
        if left < 0 or not want.units or (window is None and not (count and count.membership)):
            return NEVER
        if window is None or window.calendar_months:
            return self.period_end(account, today) or NEVER
        if window.is_lifetime:
            return NEVER
        for day, delta in account.metric_days(want.metric, window.first_day(today, calendar)):
            left -= delta if day <= today else 0
            if left < 0:
                gone = calendar.add_months(day + window.days, window.months)
                while window.first_day(gone, calendar) <= day:
                    gone += 1
                while window.first_day(gone - 1, calendar) > day:
                    gone -= 1
                return gone
        return NEVER

    def words(self, goal: Goal, account: AccountView, day: int, since: int, *, met: bool) -> str:
        """Say what of a goal is met, or is not, with the numbers."""
        if goal.ways:
            told = [way for way in goal.ways if self.met(way, account, day, since) == met]
            several = [self.words(way, account, day, since, met=met) for way in (told[:1] if met else told)]
            return ", and ".join(filter(None, several))
        parts = []
        for want in goal.wants:
            if self.met(Goal((want,)), account, day, since) != met:
                continue
            if want.tenure is not None:
                parts.append(f"tenure {'reached' if met else 'is below'} {want.tenure}")
                continue
            units = self._program.metric_asset(want.metric)
            value = units.text(self.value(want.metric, account, day, since))
            parts.append(f"{want.metric} {value} {'reached' if met else 'is below'} {units.text(want.units)}")
        return " and ".join(parts)

    def text(self, want: Want, units: int) -> str:
        """Write an amount of a metric."""
        return self._program.metric_asset(want.metric).text(units)
