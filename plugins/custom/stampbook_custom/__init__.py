"""Custom segments: the operator's own conditions, the first that holds, or points that they add up to.

A program asks for it with::

    [[plugin]]
    use = "custom"

    [[plugin.rule]]
    segment = "big families"
    when = "account.family == 'yes' and history.net >= 500"

The options stand in `stampbook_custom.config`, the measures that conditions read in `stampbook_custom.measures`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from stampbook import Plugin, PluginError, first_instant, hookimpl, metric_sums, window_days
from stampbook_custom.config import CustomConfig

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import narwhals as nw

__all__ = ["Custom", "CustomConfig"]


class Custom(Plugin[CustomConfig]):
    """Names a segment for every account by conditions of the program."""

    Config = CustomConfig
    alone = True

    definition_version: ClassVar[int] = 1
    """Raised whenever the same population and options would give other segments than before."""

    def prepare(self) -> None:
        """Say which frames the conditions read, and which segments there may be."""
        config = self.config
        reads = frozenset[str]().union(*(rule.when.reads for rule in config.rules))
        self._reads = reads
        self._metrics = sorted(name.partition(".")[2] for name in reads if name.startswith("metric."))
        looks_at = {"movements": "account.stored_value" in reads, "counts": bool(self._metrics)}
        self.looks_at = frozenset(name for name, wanted in looks_at.items() if wanted)
        named = config.levels or config.rules
        names = [each.segment for each in named if each.segment is not None]
        self.segment_names = tuple(dict.fromkeys([*names, config.otherwise]))

    @hookimpl
    def segment(
        self,
        history: nw.LazyFrame[Any],
        purchases: nw.LazyFrame[Any],
        at: datetime,
        accounts: nw.LazyFrame[Any],
        movements: nw.LazyFrame[Any] | None = None,
        counts: nw.LazyFrame[Any] | None = None,
    ) -> nw.LazyFrame[Any]:
        """Return account, segment, rule (its number, from 1; 0 if none holds) and points.

        Raises:
            PluginError: the analytics extra is not installed.
        """
        try:
            from stampbook_custom import measures, rules
        except ModuleNotFoundError as error:
            message = f"{self.name} needs the analytics extra: pip install 'stampbook[analytics]'"
            raise PluginError(message) from error
        since = first_instant(self.config.window, at, self.program.calendar)
        measured = measures.measure(history, purchases, accounts, movements, at, since=since, reads=self._reads)
        if counts is not None:
            days, distinct = window_days(self.config.window, at, self.program.calendar), self.program.distinct
            sums = {name: metric_sums(counts, name, at, days, distinct=name in distinct) for name in self._metrics}
            measured = measures.with_metrics(measured, sums)
        instant = self.program.calendar.instant(at)
        return rules.segment(measured, instant, self.config, self.name)

    def reasons(self, row: Mapping[str, Any], found: Mapping[str, Any]) -> Sequence[str]:  # noqa: ARG002 - of the base
        """Say in words which condition put an account into its segment."""
        config = self.config
        if config.levels:
            held = [rule for number, rule in enumerate(config.rules) if row["held"][number : number + 1] == "1"]
            told = "; ".join(f"{rule.points:+d} as {rule.when.text}" for rule in held) or "no condition holds"
            return (f"{row['segment']}: {row['points']} points: {told}",)
        if not row["rule"]:
            return (f"{row['segment']}: no condition holds",)
        return (f"{row['segment']}: rule {row['rule']}: {config.rules[row['rule'] - 1].when.text}",)
