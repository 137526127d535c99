"""Points: what events earn, by rules with a condition and a formula."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from stampbook import (
    NEVER,
    Choice,
    Limit,
    Multiplier,
    Note,
    Plugin,
    PluginError,
    Stake,
    Window,
    hookimpl,
)
from stampbook_points.bases import is_amount
from stampbook_points.config import MultiplierRule, PointsConfig, Rule
from stampbook_points.earning import awards_of
from stampbook_points.expiry import Expiry, PointsExpiring, PointsTerms, lost
from stampbook_points.ready import Ready

if TYPE_CHECKING:
    from collections.abc import Callable

    from stampbook import AccountView, Award, Calendar, Due, Event, Extension, Fact, Order, Period

__all__ = ["Points", "PointsExpiring", "PointsTerms"]


class _Factor(NamedTuple):
    """A multiplier with what is worked out once."""

    when: Callable[..., bool] | None
    wish: Multiplier


def _maturing(rule: Rule, calendar: Calendar) -> Callable[[int], int] | None:
    """Return a function from the instant of earning to that from which what is earned can be spent."""
    pending = None if rule.pending is None else rule.pending.ends(calendar)
    start = -NEVER if rule.usable_from is None else rule.usable_from
    if pending is None and rule.matures is not None:
        return lambda _: NEVER
    if pending is None:
        return None if rule.usable_from is None else lambda at: max(at, start)
    return lambda at: max(pending(at), start)


class Points(Plugin[PointsConfig]):
    """Awards an asset by earning rules; each rule's name in the ledger is ``<table>.<rule>``."""

    Config = PointsConfig
    alone = True

    def prepare(self) -> None:
        """Sort the rules by the kind of event that they judge."""
        self._expiry = Expiry(self.name, self.config, self.program.calendar)
        self._extending, self.idle = self._expiry.extending, self._expiry.idle
        self._check_asset()
        self._by_kind: dict[str, list[Ready]] = {}
        reads: dict[str, set[str]] = {}
        for rule in self.config.rules:
            ready = self._ready(rule)
            for kind in rule.on:
                self._by_kind.setdefault(kind, []).append(ready)
                reads.setdefault(kind, set()).update(ready.reads)
        self._factors: dict[str, list[_Factor]] = {}
        for multiplier in self.config.multipliers:
            factor = self._factor(multiplier)
            for kind in multiplier.on:
                self._factors.setdefault(kind, []).append(factor)
                reads.setdefault(kind, set()).update(() if multiplier.when is None else multiplier.when.reads)
        self.cautions = tuple(
            [
                (("rule", number, "pending"), told)
                for number, rule in enumerate(self.config.rules)
                if rule.pending is not None and rule.matures is None and (told := self._lost(rule, rule.pending))
            ]
        )
        self.kinds = frozenset(self._by_kind) | frozenset(self._factors) | self._extending
        self.stakes = (*map(self._stake, self.config.rules), *map(self._stake_of_factor, self.config.multipliers))
        self.limits = tuple(
            Limit(
                f"{self.name}.{rule.name}",
                "account",
                rule.asset or self.config.asset,
                1,
                "awards",
                (f"{self.name}.{rule.name}",),
                Window(days=1),
                "refuse award",
            )
            for rule in self.config.rules
            if rule.per == "visit"
        )
        self._readers = {kind: self.program.reader(names) for kind, names in reads.items()}
        rules = [ready for of_kind in self._by_kind.values() for ready in of_kind]
        self._readers_of_parts = {ready.name: self.program.reader(ready.reads) for ready in rules}

    def _check_asset(self) -> None:
        """Check the table's own asset where a rule goes by it."""
        asset, assets = self.config.asset, self.program.assets
        own = [*(rule.asset for rule in self.config.rules), *(factor.asset for factor in self.config.multipliers)]
        if asset not in assets and not all(own):
            raise PluginError(f"asset: {asset!r} is not an asset of the program, which has {', '.join(assets)}")

    def _check(self, rule: Rule | MultiplierRule) -> str:
        """Return the asset of a rule, which the program has, as it has its group."""
        asset = rule.asset or self.config.asset
        what = "rule" if isinstance(rule, Rule) else "multiplier"
        if asset not in self.program.assets:
            known = ", ".join(self.program.assets)
            message = f"{what} {rule.name!r} grants {asset!r}, which is not an asset of the program ({known})"
            raise PluginError(message)
        if rule.group and rule.group not in self.program.stacking:
            message = f"{what} {rule.name!r} names the group {rule.group!r}, which [stacking] does not have"
            raise PluginError(message)
        return asset

    def _factor(self, rule: MultiplierRule) -> _Factor:
        asset = self._check(rule)
        whole, _, fraction = rule.by.partition(".")
        wish = Multiplier(
            f"{self.name}.{rule.name}",
            asset,
            int(whole + fraction),
            10 ** len(fraction),
            tuple([f"{self.name}.{name}" for name in rule.rules]),
            rule.group,
            rule.rank,
        )
        return _Factor(None if rule.when is None else rule.when.test, wish)

    def _lost(self, rule: Rule, pending: Period) -> str:
        included = self.config.last_day == "included"
        return lost(rule.expires or self.config.expires, pending, self.program.calendar, included=included)

    def _stake(self, rule: Rule) -> Stake:
        lot = (rule.kind, rule.expires, rule.pending, rule.matures, rule.usable_from, rule.priority, rule.rounding)
        terms = " ".join(map(str, lot))
        asset = rule.asset or self.config.asset
        return Stake(f"{self.name}.{rule.name}", asset, "award", rule.group, rule.rank, terms, rule.on)

    def _stake_of_factor(self, rule: MultiplierRule) -> Stake:
        asset = rule.asset or self.config.asset
        terms = ",".join(rule.rules)
        return Stake(f"{self.name}.{rule.name}", asset, "multiplier", rule.group, rule.rank, terms, rule.on)

    def _ready(self, rule: Rule) -> Ready:
        asset = self._check(rule)
        calendar = self.program.calendar
        return Ready(
            f"{self.name}.{rule.name}",
            asset,
            None if rule.when is None else rule.when.test,
            rule.formula.ratio,
            rule.by_line,
            rule.rounding,
            rule.kind,
            _maturing(rule, calendar),
            self._expiry.end(rule.expires),
            rule.priority,
            rule.group,
            rule.rank,
            rule.per == "unit",
            rule.matures is not None,
            Choice((self.config.only, rule.only), (self.config.without, rule.without)),
            rule.formula.reads | (rule.when.reads if rule.when is not None else frozenset()),
            None if rule.count is None else rule.count.ratio,
            not rule.by_line and not any(is_amount(name) for name in rule.formula.reads),
        )

    @hookimpl
    def register_events(self) -> list[type[Event]]:
        """Bring what time brings to points: that they are about to expire, and that a program changed their terms."""
        return [PointsExpiring, PointsTerms]

    @hookimpl
    def assess(self, account: AccountView, at: int, event: Event) -> list[Fact]:
        """Note the terms under which the account stands, where a change of them matters."""
        return self._expiry.assess(account, at, event)

    @hookimpl
    def due(self, account: AccountView) -> list[Due]:
        """Announce what is about to expire, and bring a new program's better terms."""
        return self._expiry.due(account)

    @hookimpl
    def reward(
        self, event: Event, order: Order | None, account: AccountView
    ) -> list[Award | Multiplier | Note | Extension]:
        """Return an award for each rule that applies, the numbers that they read, and what is good for longer."""
        wanted: list[Award | Multiplier | Note | Extension] = []
        if event.type in self._extending:
            wanted.extend(self._expiry.extensions(event, order, account))
        rules, factors = self._by_kind.get(event.type, ()), self._factors.get(event.type, ())
        if not rules and not factors:
            return wanted
        read = self._readers[event.type](event, order, None, account)
        wanted.append(Note(self.name, read))
        wanted.extend(
            [wish for holds, wish in factors if holds is None or holds(event, order, None, account, None)]
            if factors
            else ()
        )
        wanted.extend(
            awards_of(
                rules, event, order, account, self._readers_of_parts, reckons=self.program.reckons and order is not None
            )
        )
        return wanted
