"""Points: what events earn, by rules with a condition and a formula."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from stampbook import NEVER, Award, ExpressionError, Note, Plugin, PluginError, Rounding, hookimpl
from stampbook_points.config import PointsConfig, Rule
from stampbook_points.rules import earned_by_lines, earned_by_order

if TYPE_CHECKING:
    from collections.abc import Callable

    from stampbook import AccountView, Event, Multiplier, Order

__all__ = ["Points"]


class _Ready(NamedTuple):
    """A rule with what is worked out once."""

    name: str
    asset: str
    when: Callable[..., bool] | None
    earn: Callable[..., tuple[int, int]]
    per_line: bool
    rounding: Rounding
    kind: str
    pending: Callable[[int], int] | None
    expires: Callable[[int], int] | None
    priority: int
    group: str


class Points(Plugin[PointsConfig]):
    """Awards an asset by earning rules; each rule's name in the ledger is ``<table>.<rule>``."""

    Config = PointsConfig

    def prepare(self) -> None:
        """Sort the rules by the kind of event that they judge."""
        self._by_kind: dict[str, list[_Ready]] = {}
        reads: dict[str, set[str]] = {}
        for rule in self.config.rules:
            ready = self._ready(rule)
            names = rule.earn.reads | (rule.when.reads if rule.when is not None else frozenset())
            for kind in rule.on:
                self._by_kind.setdefault(kind, []).append(ready)
                reads.setdefault(kind, set()).update(names)
        self.kinds = frozenset(self._by_kind)
        self._readers = {kind: self.program.reader(names) for kind, names in reads.items()}

    def _ready(self, rule: Rule) -> _Ready:
        asset = rule.asset or self.config.asset
        if asset not in self.program.assets:
            known = ", ".join(self.program.assets)
            message = f"rule {rule.name!r} grants {asset!r}, which is not an asset of the program ({known})"
            raise PluginError(message)
        if rule.group and rule.group not in self.program.stacking:
            message = f"rule {rule.name!r} names the group {rule.group!r}, which [stacking] does not have"
            raise PluginError(message)
        calendar = self.program.calendar
        validity = self.config.expires if rule.expires is None else rule.expires
        return _Ready(
            f"{self.name}.{rule.name}",
            asset,
            None if rule.when is None else rule.when.test,
            rule.earn.ratio,
            rule.per == "line",
            rule.rounding,
            rule.kind,
            None if rule.pending is None else rule.pending.ends(calendar),
            None if isinstance(validity, str) else validity.ends(calendar),
            rule.priority,
            rule.group,
        )

    @hookimpl
    def reward(self, event: Event, order: Order | None, account: AccountView) -> list[Award | Multiplier | Note]:
        """Return an award for each rule that applies, and the numbers that all of them read."""
        rules = self._by_kind.get(event.type)
        if rules is None:
            return []
        at = event.at
        read = self._readers[event.type](event, order, None, account)
        wanted: list[Award | Multiplier | Note] = [Note(self.name, read)]
        for name, asset, when, earn, per_line, rounding, kind, pending, expires, priority, group in rules:
            try:
                if per_line and order is not None:
                    earned = earned_by_lines(when, earn, event, order, account)
                else:
                    earned = earned_by_order(when, earn, event, order, account)
            except ExpressionError as error:
                message = f"rule {name} fails on event {event.id!r}: {error}"
                raise PluginError(message) from error
            if earned is None:
                continue
            numerator, denominator, lines = earned
            if numerator <= 0:
                continue
            effective_at = at if pending is None else pending(at)
            expires_at = NEVER if expires is None else expires(at)
            wanted.append(
                Award(
                    name,
                    asset,
                    numerator,
                    denominator,
                    rounding,
                    kind,
                    effective_at,
                    expires_at,
                    priority,
                    group,
                    lines,
                )
            )
        return wanted
