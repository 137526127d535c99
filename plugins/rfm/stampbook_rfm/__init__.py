"""RFM: how lately, how often and for how much an account bought, scored 1 to 5 and named by a grid.

A program asks for it with::

    [[plugin]]
    use = "rfm"
    window = "12 months"
    grid = { 55 = "regulars", 54 = "regulars" }

The options stand in `stampbook_rfm.config`, the definitions and formulas in `stampbook_rfm.rules`.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any, ClassVar

from stampbook import Plugin, PluginError, hookimpl
from stampbook_rfm.config import RfmConfig

if TYPE_CHECKING:
    from datetime import datetime

    import narwhals as nw

__all__ = ["Rfm", "RfmConfig"]


class Rfm(Plugin[RfmConfig]):
    """Names a segment for every account that ever bought or returned something."""

    Config = RfmConfig
    alone = True

    definition_version: ClassVar[int] = 1
    """Raised whenever the same history and options would give other segments than before."""

    @hookimpl
    def segment(self, history: nw.LazyFrame[Any], at: datetime) -> nw.LazyFrame[Any]:
        """Return account, segment, recency_days, frequency, monetary (minor units, net), r, f and m.

        Raises:
            PluginError: the analytics extra is not installed.
        """
        try:
            from stampbook_rfm import rules
        except ModuleNotFoundError as error:
            message = f"{self.name} needs the analytics extra: pip install 'stampbook[analytics]'"
            raise PluginError(message) from error
        return rules.segment(
            history,
            at,
            grid=self.config.grid,
            scores=self.config.scores,
            since=self.since(at),
            count_zero_amounts=self.config.count_zero_amounts,
        )

    def since(self, at: datetime) -> datetime | None:
        """Return the first instant of the window that ends with `at`, in UTC; None for a lifetime."""
        window = self.config.window
        if window.is_lifetime:
            return None
        calendar = self.program.calendar
        first_day = window.first_day(calendar.day(calendar.instant(at)), calendar)
        return calendar.local(calendar.start_of(first_day)).astimezone(UTC)
