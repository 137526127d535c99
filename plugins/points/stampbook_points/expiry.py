"""Until when points are good: the end of each grant, what puts it off, and when it is announced."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, NamedTuple

from pydantic import Field

from stampbook import NEVER, Due, Event, ExpressionError, Extension, Fact, PluginError, Validity

if TYPE_CHECKING:
    from collections.abc import Callable

    from stampbook import AccountView, Calendar, Lot, Order, Period
    from stampbook_points.config import PointsConfig
    from stampbook_points.expiry_options import ByFact

    End = Callable[[int, AccountView], int]

_MOST_KNOWN = 50_000
_LONGEST_TERMS = 500
_LEAP_YEAR = date(2028, 1, 1).toordinal()


class PointsExpiring(Event):
    """Points of one day are about to expire: `amount` smallest units, whose last day is `last_day`, in `days` days."""

    asset_field: ClassVar[str] = "asset"
    brought_by_time: ClassVar[bool] = True

    type: Literal["points.expiring"] = "points.expiring"
    asset: str
    amount: Annotated[int, Field(strict=True, gt=0)]
    days: Annotated[int, Field(strict=True, gt=0)]
    last_day: str
    reason: str = ""


class PointsTerms(Event):
    """A program with other terms holds from now on, and points from before get them where they are better."""

    brought_by_time: ClassVar[bool] = True

    type: Literal["points.terms"] = "points.terms"


def end_of(expires: Validity | ByFact, calendar: Calendar, *, included: bool) -> End | None:
    """Return the first instant at which something is no longer good, by its start and account; None for never."""
    if isinstance(expires, Validity):
        return None if expires.never else _ending(expires, calendar, included=included)
    default = _ending(expires.default, calendar, included=included)
    ends = {value: _ending(validity, calendar, included=included) for value, validity in expires.values.items()}
    name = expires.fact

    def end(at: int, account: AccountView) -> int:
        return ends.get(account.text(name), default)(at, account)

    return end


def lost(expires: Validity | ByFact, pending: Period, calendar: Calendar, *, included: bool) -> str:
    """Say what is over before it can be spent, if anything, by how long it waits; '' where nothing is.

    A week apart, the days of a leap year stand for all; an anniversary is each account's own.
    """
    begins = pending.ends(calendar)
    for validity in (expires,) if isinstance(expires, Validity) else (expires.default, *expires.values.values()):
        if validity.never or validity.anniversary:
            continue
        ends = validity.ends(calendar, included=included)
        starts = [calendar.start_of(day) for day in range(_LEAP_YEAR, _LEAP_YEAR + 366, 7)]
        over = [at for at in starts if begins(at) >= ends(at, 0)]
        if len(over) == len(starts):
            return "what it earns is over before it can be spent"
        if over:
            day = f"{calendar.local(over[0]):%d %B}".lstrip("0").lower()
            return f"what is earned on some days, such as {day}, is over before it can be spent"
    return ""


def _ending(validity: Validity, calendar: Calendar, *, included: bool) -> End:
    ends = validity.ends(calendar, included=included)
    if not validity.anniversary:
        return lambda at, _account: ends(at, 0)
    # While an account is being opened it has no instant of opening yet.
    return lambda at, account: ends(at, account.opened_at if account.status else at)


class _Extends(NamedTuple):
    """A rule that extends, with what is worked out once."""

    rule: str
    when: Callable[..., bool] | None
    end: End
    kinds: tuple[str, ...]


class Expiry:
    """What one table of points says about expiry.

    Attributes:
        extending: the kinds of event on which lots may be extended.
        idle: the hooks for which there is nothing to do.
    """

    def __init__(self, name: str, config: PointsConfig, calendar: Calendar) -> None:
        self._name = name
        self._config = config
        self._calendar = calendar
        self._assets = {config.asset, *(rule.asset for rule in config.rules if rule.asset)}
        self._extends: dict[str, list[_Extends]] = defaultdict(list)
        for option in config.extend:
            test = None if option.when is None else option.when.test
            ready = _Extends(f"{name}.{option.name}", test, self.end(option.to) or _never, option.kinds)
            for kind in option.on:
                self._extends[kind].append(ready)
        self._grants: dict[tuple[str, str, int], list[End]] = defaultdict(list)
        self._terms = ""
        if config.on_change == "better":
            self._read_terms()
        self._warnings: dict[int, list[tuple[int, int]]] = {}
        self.extending = frozenset(self._extends) | (frozenset({"points.terms"}) if self._terms else frozenset())
        self.idle = frozenset(
            hook for hook, needed in (("assess", self._terms), ("due", self._terms or config.warn)) if not needed
        )

    def end(self, expires: Validity | ByFact | None) -> End | None:
        """Return how a grant ends: by a validity of its own, or by that of the table."""
        chosen = self._config.expires if expires is None else expires
        return end_of(chosen, self._calendar, included=self._config.last_day == "included")

    def _read_terms(self) -> None:
        """Note how lots of each sort end in this program, and write down its terms in one line."""
        terms: dict[str, None] = {}
        for rule in self._config.rules:
            asset = rule.asset or self._config.asset
            self._grants[asset, rule.kind, rule.priority].append(self.end(rule.expires) or _never)
            expires = self._config.expires if rule.expires is None else rule.expires
            terms[f"{asset} {rule.kind} {rule.priority}: {expires}"] = None
        self._terms = "; ".join(terms) + f"; last day {self._config.last_day}"
        if len(self._terms) > _LONGEST_TERMS:
            message = f"on_change = 'better': the terms of {len(terms)} sorts of points are too many to keep track of"
            raise PluginError(message)

    def extensions(self, event: Event, order: Order | None, account: AccountView) -> list[Extension]:
        """Return which lots an event makes good for longer, and until when."""
        if event.type == "points.terms":
            return self._bettered(event, account)
        found: list[Extension] = []
        for rule, when, end, kinds in self._extends[event.type]:
            try:
                if when is not None and not when(event, order, None, account, None):
                    continue
            except ExpressionError as error:
                error.rule = rule
                raise
            until = end(event.at, account)
            found.extend(
                Extension(rule, lot.number, until)
                for lot in account.lots
                if lot.asset == self._config.asset
                and event.at < lot.expires_at < until
                and lot.remaining > 0
                and (not kinds or lot.kind in kinds)
            )
        return found

    def _bettered(self, event: Event, account: AccountView) -> list[Extension]:
        if not event.id.startswith(f"{self._name}.terms:"):
            return []
        rule = f"{self._name}.terms"
        return [
            Extension(rule, lot.number, until)
            for lot in account.lots
            if event.at < lot.expires_at < (until := self._end_now(lot, account))
        ]

    def _end_now(self, lot: Lot, account: AccountView) -> int:
        """Return how long a lot would be good at least had this program granted it when it became effective."""
        ends = self._grants.get((lot.asset, lot.kind, lot.priority), ())
        return min((end(lot.effective_at, account) for end in ends), default=0)

    def assess(self, account: AccountView, at: int, event: Event) -> list[Fact]:
        """Note under which terms an account stands: from its opening, or from the change to a new program on."""
        if event.type == "points.terms":
            if not event.id.startswith(f"{self._name}.terms:"):
                return []
        elif account.status or event.type != "account.opened":
            return []
        return [Fact(f"{self._name}_terms", self._terms, at, NEVER, "what points are good for")]

    def due(self, account: AccountView) -> list[Due]:
        """Return the warnings to come, and the change to this program's terms if it has not been made."""
        if account.status in {"", "closed"}:
            return []
        dues: list[Due] = []
        if self._terms and account.text(f"{self._name}_terms") != self._terms:
            dues.append(Due(account.at + 1, "points.terms", f"{self._name}.terms:{account.ref}"))
        if self._config.warn:
            dues.extend(self._expiring(account))
        return dues

    def _expiring(self, account: AccountView) -> list[Due]:
        amounts: dict[tuple[int, str], int] = defaultdict(int)
        for lot in account.lots:
            if lot.free > 0 and account.at < lot.expires_at < NEVER and lot.asset in self._assets:
                amounts[lot.expires_at, lot.asset] += lot.free
        name = f"{self._name}.expiring:{account.ref}"
        dues: list[Due] = []
        for (expires_at, asset), amount in amounts.items():
            for at, days in self._warned_at(expires_at):
                if at > account.at:
                    last = date.fromordinal(self._calendar.day(expires_at - 1)).isoformat()
                    told = f"they are good until the end of {last}"
                    details = {"asset": asset, "amount": amount, "days": days, "last_day": last, "reason": told}
                    dues.append(Due(at, "points.expiring", name, details))
        return dues

    def _warned_at(self, expires_at: int) -> list[tuple[int, int]]:
        """Return the instants at which an end is announced, each with the days that are left then."""
        found = self._warnings.get(expires_at)
        if found is None:
            if len(self._warnings) > _MOST_KNOWN:
                self._warnings.clear()
            day = self._calendar.day(expires_at)
            days = {self._calendar.add_months(day, -period.months) - period.days for period in self._config.warn}
            found = [(self._calendar.start_of(each), day - each) for each in sorted(days)]
            self._warnings[expires_at] = found
        return found


def _never(_at: int, _account: AccountView) -> int:
    return NEVER
