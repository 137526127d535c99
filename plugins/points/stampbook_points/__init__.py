"""Points: what events earn, by rules with a condition and a formula."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stampbook import NEVER, Award, Note, Plugin, PluginError, hookimpl
from stampbook_points.config import PointsConfig, Rule
from stampbook_points.rules import earned_by_lines, earned_by_order

if TYPE_CHECKING:
    from collections.abc import Callable

    from stampbook import AccountView, Event, Multiplier, Order, Period

__all__ = ["Points"]


class Points(Plugin[PointsConfig]):
    """Awards an asset by earning rules; each rule's name in the ledger is ``<table>.<rule>``."""

    Config = PointsConfig

    def prepare(self) -> None:
        """Sort the rules by the kind of event that they judge."""
        self._by_kind: dict[str, list[tuple[str, Rule, str, Period | None]]] = {}
        self._readers: dict[str, Callable[..., dict[str, object]]] = {}
        for rule in self.config.rules:
            asset = rule.asset or self.config.asset
            if asset not in self.program.assets:
                known = ", ".join(self.program.assets)
                message = f"rule {rule.name!r} grants {asset!r}, which is not an asset of the program ({known})"
                raise PluginError(message)
            if rule.group and rule.group not in self.program.stacking:
                message = f"rule {rule.name!r} names the group {rule.group!r}, which [stacking] does not have"
                raise PluginError(message)
            validity = self.config.expires if rule.expires is None else rule.expires
            period = None if isinstance(validity, str) else validity
            for kind in rule.on:
                self._by_kind.setdefault(kind, []).append((f"{self.name}.{rule.name}", rule, asset, period))
        for kind, rules in self._by_kind.items():
            names = {
                name
                for _, rule, _, _ in rules
                for expression in (rule.when, rule.earn)
                if expression is not None
                for name in expression.reads
            }
            self._readers[kind] = self.program.reader(names)

    @hookimpl
    def reward(self, event: Event, order: Order | None, account: AccountView) -> list[Award | Multiplier | Note]:
        """Return an award for each rule that applies, and the numbers that all of them read."""
        rules = self._by_kind.get(event.type)
        if rules is None:
            return []
        at, calendar = event.at, self.program.calendar
        wanted: list[Award | Multiplier | Note] = [
            Note(self.name, self._readers[event.type](event, order, None, account))
        ]
        for name, rule, asset, period in rules:
            if rule.per == "line" and order is not None:
                earned = earned_by_lines(rule.when, rule.earn, event, order, account)
            else:
                earned = earned_by_order(rule.when, rule.earn, event, order, account)
            if earned is None or earned.numerator <= 0:
                continue
            wanted.append(
                Award(
                    name,
                    asset,
                    earned.numerator,
                    earned.denominator,
                    rule.rounding,
                    rule.kind,
                    at if rule.pending is None else rule.pending.end(at, calendar),
                    NEVER if period is None else period.end(at, calendar),
                    rule.priority,
                    rule.group,
                    earned.lines,
                )
            )
        return wanted
