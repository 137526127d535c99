"""Referrals: a friend names who sent her, does what was asked for, and both are rewarded."""

from __future__ import annotations

import json
from bisect import bisect_right
from datetime import date
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakValueDictionary

from stampbook import (
    NEVER,
    AccountJoined,
    AccountParted,
    AccountParting,
    AmountError,
    Due,
    Earned,
    Entitlement,
    Event,
    Fact,
    Message,
    Need,
    Objection,
    Plugin,
    PluginError,
    Progress,
    hookimpl,
)
from stampbook_referral.config import ReferralConfig
from stampbook_referral.events import (
    KINDS,
    AccountReferred,
    ReferralAsked,
    ReferralReached,
    ReferralRevealed,
    ReferralUndone,
)
from stampbook_referral.joining import (
    Names,
    Revealed,
    back_again,
    goes_along,
    last,
    leaving,
    of_friend,
    of_referrer,
    origin_of,
    revealed,
    two_again,
)
from stampbook_referral.rules import OVER, REWARDED, UNDONE, WAITING, Standing, kept_slots, slots_of, slots_text, used

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stampbook import AccountView

__all__ = ["AccountReferred", "Referral", "ReferralAsked", "ReferralReached", "ReferralRevealed", "ReferralUndone"]

_FIRST, _LAST = 1, 4_000_000
_TABLES: WeakKeyDictionary[object, WeakValueDictionary[str, Referral]] = WeakKeyDictionary()
"""The tables of each program by name: an event names one, and one table answers for all."""


class Referral(Plugin[ReferralConfig]):
    """Keeps who referred whom, and rewards both once the friend has done what was asked for.

    Facts of a friend, where the table is named ``referral``: ``referral.by`` is the referrer, ``referral`` how it
    stands. Facts of a referrer: ``referral.of.<friend>`` is how each stands, ``referral.friends`` how many are
    rewarded, and ``referral.days`` on which days, where there is a limit.
    """

    Config = ReferralConfig

    def prepare(self) -> None:
        """Read the goal and the rewards in their own units."""
        config, program = self.config, self.program
        if config.metric not in program.metric_decimals:
            known = ", ".join(program.metric_decimals) or "none"
            message = f"metric {config.metric!r} is not declared under [metrics], which has {known}"
            raise PluginError(message)
        if config.metric in program.distinct:
            message = f"metric {config.metric!r} counts different values, and a referral needs one that is added up"
            raise PluginError(message)
        if config.metric in program.granted:
            message = f"metric {config.metric!r} counts what rules granted, after referrals are judged; name another"
            raise PluginError(message)
        if config.asset not in program.assets:
            message = f"asset {config.asset!r} is not an asset of the program, which has {', '.join(program.assets)}"
            raise PluginError(message)
        if config.spent == "debt" and not program.assets[config.asset].debt:
            message = f"spent = 'debt' needs an asset that may be owed: [assets.{config.asset}] debt = true"
            raise PluginError(message)
        self._measure = program.metric_asset(config.metric)
        try:
            self._goal = self._measure.units(config.goal)
            self._amounts = {
                side: program.assets[config.asset].units(amount)
                for side, amount in (("friend", config.friend), ("referrer", config.referrer))
                if amount is not None
            }
        except AmountError as error:
            raise PluginError(str(error)) from None
        program.need_days(config.metric, _FIRST)
        self._names = names = Names.of_table(self.name)
        self._by, self._of, self._friends, self._days = names.by, f"{self.name}.of", names.friends, names.days
        program.carry_facts(self.name, f"{self.name}.", names.origin, names.taken)
        self._ends = None if config.expires is None else config.expires.ends(program.calendar)
        self._begins = None if config.pending is None else config.pending.ends(program.calendar)
        _TABLES.setdefault(program, WeakValueDictionary())[self.name] = self

    @hookimpl
    def register_events(self) -> list[type[Event]]:
        """Bring the referral itself, and what the referrer's account hears of it."""
        return list(KINDS)

    @hookimpl
    def propose(self, event: Event, account: AccountView) -> list[Objection | Message]:
        """Object to a referral that may not be, and ask the referrer's account."""
        tables = _TABLES[self.program]
        name = getattr(event, "scheme", None)
        if name is None and len(tables) == 1:
            name = self.name
        table = tables.get(name or "")
        if table is None:
            known = ", ".join(tables)
            what = "name the scheme" if name is None else f"{name!r} is no scheme of referrals"
            return [Objection("unknown_scheme", f"{what}; there are {known}")]
        if isinstance(event, AccountReferred):
            objections = table.refused(event, account)
            data = {"scheme": table.name, "friend": event.account, "reason": f"of {event.account}"}
            return [*objections] or [Message(event.by, "referral.asked", data)]
        return [*table.unwilling(event, account)] if isinstance(event, ReferralAsked) else []

    def refused(self, event: AccountReferred, account: AccountView) -> Iterator[Objection]:
        """Yield why a friend may not be referred."""
        config, day = self.config, date.fromordinal(account.day).isoformat()
        if event.by == event.account:
            yield Objection("self_referral", "nobody refers herself")
        if by := last(account.facts(self._by)):
            yield Objection("already_referred", f"the account was referred before, by {by}")
        if config.only_new and self._has_counted(account, account.day):
            yield Objection("not_new", f"the account is not new: it has {config.metric} from before that day")
        if not (config.from_day or day) <= day <= (config.until_day or day):
            yield Objection("not_running", f"friends are referred from {config.from_day} until {config.until_day}")

    def _has_counted(self, account: AccountView, day: int) -> bool:
        """Whether an account, as it was before the event, counted anything before a day."""
        return any(on < day and delta for on, delta in account.metric_days(self.config.metric, _FIRST, before=True))

    def unwilling(self, event: ReferralAsked, account: AccountView) -> Iterator[Objection]:
        """Yield why a referrer may not be named."""
        if account.text(self._by) == event.friend:
            yield Objection("circular_referral", f"the account was itself referred by {event.friend}")
        if account.status != "open":
            yield Objection("account_frozen", "the referrer's account is frozen")
        if self.config.over == "refuse" and self._is_full(account):
            yield Objection("limit_reached", f"the referrer has had {self.config.most} friends, the most there may be")

    def _is_full(self, account: AccountView) -> bool:
        most, calendar = self.config.most, self.program.calendar
        if most is None:
            return False
        return used(slots_of(self._last(account, self._days)), self.config.window, account.day, calendar) >= most

    @hookimpl
    def assess(self, account: AccountView, at: int, event: Event) -> list[Fact]:
        """Conclude how a referral stands: for a friend by what counts, for a referrer by what is heard of friends."""
        if isinstance(event, KINDS):
            return self._heard(event, account, at) if self._is_mine(event) else []
        if not event.earns:  # what is reached now would not be rewarded: the next event that counts reaches it
            return self._together(event, account, at)
        if self.config.metric not in account.counted or not last(account.facts(self._by)):
            return []
        return self._friend(account, at, self._first_day(account), event)

    def _heard(self, event: Event, account: AccountView, at: int) -> list[Fact]:
        if isinstance(event, AccountReferred):
            by = Fact(self._by, event.by, event.at, NEVER, f"referred by {event.by}")
            waits = [self._fact("", Standing(WAITING), at, "")]
            return [by, *(self._friend(account, at, self._day(event), event) or waits)]
        if isinstance(event, ReferralRevealed):
            return self._revealed(event, account, at)
        if isinstance(event, ReferralReached):
            return self._rewarded(event, account, at)
        return self._undone(event, account, at) if isinstance(event, ReferralUndone) else []

    def _together(self, event: Event, account: AccountView, at: int) -> list[Fact]:
        """Return what becomes of referrals where two accounts become one, or two again."""
        names, facts = self._names, list[Fact]()
        if isinstance(event, AccountJoined):
            one = revealed(names, event, account) if self.config.merged == "take back" else Revealed()
            if one.friend:
                facts.append(Fact(names.revealed, json.dumps(one), at, NEVER))
            facts.extend(of_referrer(names, event, account, at))
            waits = Standing.read(last(event.facts_of_other(names.standing))).state == WAITING
            if one.side != "friend" and goes_along(names, event, account):
                since = origin_of(event.facts_of_other(names.origin)).since or event.facts_of_other(names.by)[-1].since
                known = self.config.only_new and self._has_counted(account, self.program.calendar.day(since))
                facts.extend(() if waits and known else of_friend(names, event, at))
        elif isinstance(event, AccountParting):
            facts.extend(leaving(names, event, account, at))
        elif isinstance(event, AccountParted):
            facts.extend(back_again(names, event, account, at))
            facts.extend(two_again(names, event, account, at) if self.config.merged == "take back" else ())
        return facts

    def _first_day(self, account: AccountView) -> int:
        """Return the day of the referral, from which on it counts what a friend does."""
        origin = origin_of(account.facts(self._names.origin))
        return self.program.calendar.day(origin.since or account.facts(self._by)[-1].since)

    def _is_mine(self, event: Event) -> bool:
        scheme = getattr(event, "scheme", None)
        return scheme == self.name or (scheme is None and len(_TABLES[self.program]) == 1)

    def _day(self, event: Event) -> int:
        return self.program.calendar.day(event.at)

    def _last_day(self, first: int) -> int:
        within = self.config.within
        return _LAST if within is None else within.last_day(first, self.program.calendar)

    def _count(self, account: AccountView, first: int) -> int:
        last = self._last_day(first)
        return sum(delta for day, delta in account.metric_days(self.config.metric, first) if day <= last)

    def _friend(self, account: AccountView, at: int, first: int, event: Event) -> list[Fact]:
        """Return how a friend stands now, where that has changed, by what counts from the day of the referral on."""
        held = Standing.read(self._last(account, self.name))
        there = self._count(account, first) >= self._goal
        needed = f"{self._measure.text(self._goal)} {self.config.metric}"
        if there and held.state != REWARDED:
            return [self._fact("", self._given("friend", held, event), at, f"{needed} reached")]
        if not there and held.state == REWARDED and self.config.on_return == "take back":
            return [self._fact("", self._taken("friend", held, event, account), at, f"{needed} no longer reached")]
        return []

    def _rewarded(self, event: ReferralReached, account: AccountView, at: int) -> list[Fact]:
        held = Standing.read(self._last(account, f"{self._of}.{event.friend}"))
        if held.state == REWARDED:
            return []
        what = f"of.{event.friend}"
        if not held.amount and self._is_full(account):
            told = f"{self.config.most} friends had been rewarded in the window ({self.config.window})"
            return [self._fact(what, Standing(OVER), at, told)]
        day = self._day(event)
        standing = self._given("referrer", held, event)
        facts = [self._fact(what, standing, at, f"{event.friend} has done what was asked for")]
        return [*facts, *self._counted(account, at, +1, day if not held.day else None)]

    def _undone(self, event: ReferralUndone, account: AccountView, at: int) -> list[Fact]:
        held = Standing.read(self._last(account, f"{self._of}.{event.friend}"))
        if held.state not in {REWARDED, OVER}:
            return []
        what, told = f"of.{event.friend}", f"{event.friend} has brought back what counted"
        if held.state == OVER:
            return [self._fact(what, Standing(UNDONE), at, told)]
        standing = self._taken("referrer", held, event, account)
        gone = date.fromisoformat(held.day).toordinal() if not standing.amount else None
        return [self._fact(what, standing, at, told), *self._counted(account, at, -1, gone)]

    def _revealed(self, event: ReferralRevealed, account: AccountView, at: int) -> list[Fact]:
        """Conclude that nobody was referred where both sides are one account."""
        names, told = self._names, "friend and referrer are one customer"
        one = Revealed.read(account.facts(names.revealed))
        facts = [Fact(names.revealed, "", at, NEVER)]
        if one.side == "referrer":
            return [*facts, Fact(names.by, "", at, NEVER, told), self._fact("", Standing(UNDONE), at, told)]
        held = Standing.read(self._last(account, names.of + event.friend))
        facts.append(self._fact(f"of.{event.friend}", Standing(UNDONE), at, told))
        if held.state != REWARDED:
            return facts
        return [*facts, *self._counted(account, at, -1, date.fromisoformat(held.day).toordinal())]

    def _counted(self, account: AccountView, at: int, step: int, day: int | None) -> list[Fact]:
        """Return how many friends are rewarded now, and the days that the limit counts, where there is one."""
        number = int(self._last(account, self._friends) or 0) + step
        facts = [Fact(self._friends, str(number), at, NEVER, "friends rewarded")]
        if self.config.most is None or day is None:
            return facts
        days = slots_of(self._last(account, self._days))
        if step > 0:
            days = kept_slots([*days, day], self.config.window, day, self.program.calendar)
        elif day in days:
            days.remove(day)
        return [*facts, Fact(self._days, slots_text(days), at, NEVER, "the days on which friends got there")]

    def _given(self, side: str, held: Standing, event: Event) -> Standing:
        """Return the standing of who is rewarded; what could not be taken back before counts towards it."""
        day = held.day or date.fromordinal(self._day(event)).isoformat()
        code, units = self.config.asset, self._amounts.get(side, 0)
        if held.amount and held.asset == code:
            units = max(units, self.program.assets[code].units(held.amount))
        return Standing(REWARDED, *self._amount(code, units), day)

    def _taken(self, side: str, held: Standing, event: Event, account: AccountView) -> Standing:
        """Return the standing of whose reward is undone: what cannot be taken back stays in it."""
        if not held.amount:
            return Standing(UNDONE)
        units = self.program.asset(held.asset).units(held.amount)
        left = 0
        if self.config.spent == "make up":
            there = account.takeable(held.asset)
            earned = Earned(f"{self.name}.{side}", held.asset, units, self.config.kind, 0, NEVER, self.config.priority)
            taken = bisect_right(
                range(1, units + 1), there, key=lambda part: account.kept_of(event, earned._replace(units=part))
            )
            left = units - taken  # a pool that the account earns into gives back its own part
        return Standing(UNDONE, *self._amount(held.asset, left), held.day if left else "")

    def _amount(self, code: str, units: int) -> tuple[str, str]:
        return (self.program.assets[code].text(units), code) if units else ("", "")

    def _fact(self, what: str, standing: Standing, at: int, reason: str) -> Fact:
        return Fact(f"{self.name}.{what}" if what else self.name, str(standing), at, NEVER, reason)

    @hookimpl
    def reward(self, event: Event, account: AccountView) -> list[Entitlement | Message]:
        """Give what was newly reached or take back what no longer is, and tell the referrer's account."""
        wishes: list[Entitlement | Message] = []
        for fact in account.learned:
            if fact.name == self.name:
                side = "friend"
            elif fact.name.startswith(f"{self._of}."):
                side = "referrer"
            else:
                continue
            held, now = Standing.read(self._last(account, fact.name)), Standing.read(fact.value)
            wishes.extend(self._moved(f"{self.name}.{side}", held, now, event, account))
            if isinstance(event, ReferralRevealed):
                one = Revealed.read(account.facts(self._names.revealed))
                theirs = Standing.read(one.standing)
                wishes.extend(self._moved(f"{self.name}.{one.side}", theirs, now, event, account))
            elif side == "friend" and now.state != WAITING:
                wishes.append(self._message(account, now))
        return wishes

    @hookimpl
    def follow(self, facts: Sequence[Fact], account: AccountView, event: Event) -> list[Due]:
        """Take back what both sides of a referral got where a merger makes them one."""
        [friend] = [Revealed.read([fact]).friend for fact in facts if fact.name == self._names.revealed] or [""]
        if not friend:
            return []
        details = {"scheme": self.name, "friend": friend, "reason": f"{friend} is the same customer"}
        return [Due(event.at, "referral.revealed", f"{self.name}:{account.ref}:revealed", details)]

    def _message(self, account: AccountView, now: Standing) -> Message:
        by = [fact.value for fact in (*account.facts(self._by), *account.learned) if fact.name == self._by][-1]
        kind = "referral.reached" if now.state == REWARDED else "referral.undone"
        friend = origin_of(account.facts(self._names.origin)).friend or account.ref
        data = {"scheme": self.name, "friend": friend, "reason": f"by {friend}"}
        return Message(by, kind, data, required=False)

    def _moved(
        self, rule: str, held: Standing, now: Standing, event: Event, account: AccountView
    ) -> Iterator[Entitlement]:
        """Yield what a change of standing gives and takes."""
        amounts: dict[str, int] = {}
        for standing, sign in ((held, -1), (now, 1)):
            if standing.amount and (standing.asset == now.asset or now.state == UNDONE):
                units = self.program.asset(standing.asset).units(standing.amount)
                amounts[standing.asset] = amounts.get(standing.asset, 0) + sign * units
        for code, units in amounts.items():
            if units:
                at = event.at if units > 0 else self.program.calendar.parse(held.day or "1970-01-01")
                owed = self.config.spent == "debt" and self.program.asset(code).debt
                yield Entitlement(rule, code, units, *self._terms(at, account))._replace(owed=owed)

    def _terms(self, at: int, account: AccountView) -> tuple[Any, ...]:
        effective_at = at if self._begins is None else self._begins(at)
        ends_at = NEVER if self._ends is None else self._ends(at, account.opened_at or at)
        return self.config.kind, effective_at, ends_at, self.config.priority

    def _last(self, account: AccountView, name: str) -> str:
        return last(account.facts(name))

    @hookimpl
    def progress(self, account: AccountView) -> list[Progress]:
        """Tell a friend what is missing."""
        referred = last(account.facts(self._by))
        if not referred or Standing.read(self._last(account, self.name)).state == REWARDED:
            return []
        first = self._first_day(account)
        ends = self._last_day(first)
        if account.day > ends:
            return []
        have = self._count(account, first)
        texts = [self._measure.text(units) for units in (have, self._goal, max(self._goal - have, 0))]
        until = NEVER if ends == _LAST else self.program.calendar.start_of(ends + 1)
        return [Progress(self.name, "reach", "referral", (Need(self.config.metric, *texts),), until=until)]
