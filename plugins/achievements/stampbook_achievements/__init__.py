"""Achievements and streaks: so many visits, different things or weeks in a row, once or again and again."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, NamedTuple

from stampbook import (
    NEVER,
    AmountError,
    Earned,
    Entitlement,
    Fact,
    Need,
    Plugin,
    PluginError,
    Progress,
    Window,
    hookimpl,
)
from stampbook_achievements.config import AchievementsConfig
from stampbook_achievements.rules import Count, Days, Goal, Standing, count

if TYPE_CHECKING:
    from collections.abc import Callable

    from stampbook import AccountView, Asset, Event
    from stampbook_achievements.config import Achievement

__all__ = ["Achievements"]

_FIRST, _LAST = 1, 4_000_000


class _Ready(NamedTuple):
    """An achievement with what is worked out once; its rule in the ledger is also the name of its fact."""

    rule: str
    metric: str
    goal: Goal
    words: str
    first: int
    last: int
    asset: str
    units: int
    kind: str
    pending: Callable[[int], int] | None
    ends: Callable[[int, int], int] | None
    priority: int
    takes_back: bool
    spent: str


class Achievements(Plugin[AchievementsConfig]):
    """Keeps how often each achievement was earned as the fact ``<table>.<achievement>`` and grants what it is worth."""

    Config = AchievementsConfig
    alone = True

    def prepare(self) -> None:
        """Read the goals in their metrics' own units."""
        asset, assets = self.config.asset, self.program.assets
        by_table = any(each.grants is not None and each.asset is None for each in self.config.achievements)
        if asset is not None and asset not in assets and by_table:
            raise PluginError(f"asset: {asset!r} is not an asset of the program, which has {', '.join(assets)}")
        self._ready = [self._worked_out(achievement) for achievement in self.config.achievements]
        self._by_fact = {ready.rule: ready for ready in self._ready}
        self._metrics = frozenset(ready.metric for ready in self._ready)
        for ready in self._ready:
            self.program.need_days(ready.metric, ready.first)

    def _worked_out(self, achievement: Achievement) -> _Ready:
        name, metric = achievement.name, achievement.metric
        if metric not in self.program.metric_decimals:
            known = ", ".join(self.program.metric_decimals) or "none"
            message = f"achievement {name!r}: metric {metric!r} is not declared under [metrics], which has {known}"
            raise PluginError(message)
        if metric in self.program.granted:
            message = (
                f"achievement {name!r}: metric {metric!r} counts what rules granted, after achievements are judged"
            )
            raise PluginError(message)
        measure, row = self.program.metric_asset(metric), achievement.in_a_row
        if metric in self.program.distinct and achievement.once_a_day:
            message = f"achievement {name!r}: metric {metric!r} counts different values; leave out once_a_day"
            raise PluginError(message)
        window = achievement.window or self.program.windows.get(metric, Window())
        if achievement.repeat == "once a window" and (row or not (window.calendar_months or window.is_week)):
            message = f"achievement {name!r}: repeat = 'once a window' needs a window such as 'calendar month'"
            raise PluginError(message)
        asset, units = self._grant(achievement)
        goal = Goal(
            int(achievement.goal) if row else self._units(name, "goal", measure, achievement.goal),
            window,
            row,
            self._units(name, "each", measure, achievement.each or "1") if row else 1,
            achievement.week_starts,
            achievement.repeat == "once a window",
            achievement.once_a_day,
            1 if achievement.repeat == "once" else achievement.most,
        )
        calendar, validity = self.program.calendar, achievement.expires or self.config.expires
        return _Ready(
            f"{self.name}.{name}",
            metric,
            goal,
            f"{goal.need} {row} in a row" if row else f"{metric} {measure.text(goal.need)}",
            self._day(name, "from", achievement.from_day, _FIRST),
            self._day(name, "until", achievement.until_day, _LAST),
            asset,
            units,
            achievement.kind,
            None if achievement.pending is None else achievement.pending.ends(calendar),
            None if validity is None else validity.ends(calendar),
            achievement.priority,
            (achievement.on_return or self.config.on_return) == "take back",
            self._spent(achievement, asset),
        )

    def _spent(self, achievement: Achievement, asset: str) -> str:
        """Return what is done where what is to be taken back is spent; only what may be owed is."""
        spent = achievement.spent or self.config.spent
        if spent == "debt" and asset and not self.program.asset(asset).debt:
            message = (
                f"achievement {achievement.name!r}: spent = 'debt' needs an asset that may be owed: "
                f"[assets.{asset}] debt = true"
            )
            raise PluginError(message)
        return spent

    def _grant(self, achievement: Achievement) -> tuple[str, int]:
        """Return the asset and how much of it, in smallest units."""
        code = achievement.asset or self.config.asset
        if achievement.grants is None:
            if achievement.asset is not None:
                message = f'achievement {achievement.name!r} has an asset and grants nothing; write grants = "1"'
                raise PluginError(message)
            return "", 0
        if code is None or code not in self.program.assets:
            known = ", ".join(self.program.assets)
            what = "names no asset" if code is None else f"grants {code!r}, which is not an asset of the program"
            message = f"achievement {achievement.name!r} {what}; there are {known}"
            raise PluginError(message)
        return code, self._units(achievement.name, "grants", self.program.asset(code), achievement.grants)

    def _units(self, name: str, key: str, asset: Asset, text: str) -> int:
        try:
            return asset.units(text)
        except AmountError as error:
            message = f"achievement {name!r}: {key}: {error}"
            raise PluginError(message) from None

    def _day(self, name: str, key: str, text: str | None, absent: int) -> int:
        if text is None:
            return absent
        try:
            return date.fromisoformat(text).toordinal()
        except ValueError:
            message = f"achievement {name!r}: {key}: {text!r} is no day of the calendar"
            raise PluginError(message) from None

    @hookimpl
    def assess(self, account: AccountView, at: int, event: Event) -> list[Fact]:
        """Conclude how often each achievement is earned, where the event changes what it counts."""
        counted = account.counted
        if self._metrics.isdisjoint(counted):
            return []
        facts: list[Fact] = []
        taken: dict[str, int] = {}
        for ready in self._ready:
            if ready.metric not in counted:
                continue
            before = self._count(ready, account, before=True).times
            now = self._count(ready, account).times
            if before == now:
                continue
            held = _held(account, ready.rule)
            can_take = own = 0
            if now < before and ready.takes_back:
                own = account.kept_of(event, self._earned(ready)) if ready.units else 0
                can_take = before - now
                if own and ready.spent == "make up":
                    can_take = (account.takeable(ready.asset) - taken.get(ready.asset, 0)) // own
            standing = held.after(before, now, can_take)
            if standing.granted < held.granted:
                lost = (held.granted - standing.granted) * own
                taken[ready.asset] = taken.get(ready.asset, 0) + lost
            facts.append(Fact(ready.rule, str(standing), at, NEVER, _reason(ready, held, standing, up=now > before)))
        return facts

    def _earned(self, ready: _Ready) -> Earned:
        return Earned(ready.rule, ready.asset, ready.units, ready.kind, 0, NEVER, ready.priority)

    @hookimpl
    def reward(self, event: Event, account: AccountView) -> list[Entitlement]:
        """Grant what is newly earned, and take back what no longer is."""
        wanted: list[Entitlement] = []
        for fact in account.learned:
            ready = self._by_fact.get(fact.name)
            if ready is None or not ready.units:
                continue
            times = Standing.read(fact.value).granted - _held(account, ready.rule).granted
            if times:
                at = event.at if times > 0 else _last_granted(account, ready.rule)
                effective_at = at if ready.pending is None else ready.pending(at)
                ends_at = NEVER if ready.ends is None else ready.ends(at, account.opened_at or at)
                terms = (ready.kind, effective_at, ends_at, ready.priority)
                owed = ready.spent == "debt"
                wanted.append(Entitlement(ready.rule, ready.asset, times * ready.units, *terms, owed))
        return wanted

    @hookimpl
    def progress(self, account: AccountView) -> list[Progress]:
        """Tell how far the next time is."""
        return [self._progress(ready, account) for ready in self._ready if account.day <= ready.last]

    def _progress(self, ready: _Ready, account: AccountView) -> Progress:
        have, need = self._count(ready, account).have, ready.goal.need
        measure = self.program.metric_asset(ready.metric)
        texts = [str(n) if ready.goal.in_a_row else measure.text(n) for n in (have, need, max(need - have, 0))]
        name = ready.goal.in_a_row or ready.metric
        window, until = ready.goal.window, NEVER
        if not ready.goal.in_a_row and (window.calendar_months or window.is_week):
            until = self.program.calendar.start_of(window.next_start(account.day, self.program.calendar))
        if ready.last < _LAST:
            until = min(until, self.program.calendar.start_of(ready.last + 1))
        goal = ready.rule.removeprefix(f"{self.name}.")
        return Progress(self.name, "reach", goal, (Need(name, *texts),), until=until)

    def _count(self, ready: _Ready, account: AccountView, *, before: bool = False) -> Count:
        if ready.metric in self.program.distinct:
            days = Days(values=account.metric_values(ready.metric, ready.first, last=ready.last, before=before))
        else:
            amounts = account.metric_days(ready.metric, ready.first, before=before)
            days = Days([each for each in amounts if each[0] <= ready.last] if ready.last < _LAST else amounts)
        return count(ready.goal, days, self.program.calendar, account.day)


def _held(account: AccountView, rule: str) -> Standing:
    facts = account.facts(rule)
    return Standing.read(facts[-1].value) if facts else Standing()


def _last_granted(account: AccountView, rule: str) -> int:
    """Return the instant at which an achievement was granted last."""
    last = before = 0
    for fact in account.facts(rule):
        granted = Standing.read(fact.value).granted
        if granted > before:
            last = fact.since
        before = granted
    return last or account.at


def _reason(ready: _Ready, held: Standing, standing: Standing, *, up: bool) -> str:
    if up:
        return f"{ready.words} reached" + (", which makes up for what was kept" if standing.ahead < held.ahead else "")
    kept = standing.ahead - held.ahead
    return f"{ready.words} no longer reached" + (", and what was granted is kept" if kept else "")
