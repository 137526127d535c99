"""ABC: the few accounts that most of the value comes from, those after them, and the many.

A program asks for it with::

    [[plugin]]
    use = "abc"
    by = "revenue"
    borders = ["80%", "95%"]

or by any metric that it declares::

    by = "metric.visits"

The options stand in `stampbook_abc.config`, the definitions and formulas in `stampbook_abc.rules`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from stampbook import Plugin, PluginError, first_instant, hookimpl, metric_sums, window_days
from stampbook_abc.config import AbcConfig

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import narwhals as nw

__all__ = ["Abc", "AbcConfig"]


class Abc(Plugin[AbcConfig]):
    """Names the class of every account that ever bought or returned something; by a metric, of every account."""

    Config = AbcConfig
    alone = True

    definition_version: ClassVar[int] = 1
    """Raised whenever the same history and options would give other classes than before."""

    def prepare(self) -> None:
        """Say which frames these options need, and which classes there may be."""
        if self.config.metric:  # who never bought may have counted something, for a top-up say
            self.looks_at = frozenset({"accounts", "counts"})
        else:
            self.looks_at = frozenset({"purchases", *({"lines"} if self.config.by in {"quantity", "margin"} else ())})
        self.segment_names = self.config.names

    @hookimpl
    def segment(
        self,
        at: datetime,
        purchases: nw.LazyFrame[Any] | None = None,
        lines: nw.LazyFrame[Any] | None = None,
        accounts: nw.LazyFrame[Any] | None = None,
        counts: nw.LazyFrame[Any] | None = None,
    ) -> nw.LazyFrame[Any]:
        """Return account, segment, value, rank, share and cumulative_share.

        Raises:
            PluginError: the analytics extra is not installed.
        """
        try:
            from stampbook_abc import rules
        except ModuleNotFoundError as error:
            message = f"{self.name} needs the analytics extra: pip install 'stampbook[analytics]'"
            raise PluginError(message) from error
        config, program = self.config, self.program
        if accounts is not None and counts is not None:
            days = window_days(config.window, at, program.calendar)
            distinct = config.metric in program.distinct
            counted = metric_sums(counts, config.metric, at, days, distinct=distinct)
            return rules.classify(rules.of_all(accounts, counted.rename({"amount": "value"})), config)
        assert purchases is not None  # noqa: S101 - `looks_at` names it
        since = first_instant(config.window, at, program.calendar)
        return rules.classify(rules.measure(purchases, lines, at, since=since, config=config), config)

    def reasons(self, row: Mapping[str, Any], found: Mapping[str, Any]) -> tuple[str, ...]:  # noqa: ARG002 - of the base
        """Say in words why an account is in its class."""
        from stampbook_abc.words import reasons

        return reasons(row, self.config, self.program)
