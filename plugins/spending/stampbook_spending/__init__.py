"""Spending power: how much accounts spend, in levels such as high, middle and low, or heavy, medium and light.

A program asks for it with::

    [[plugin]]
    use = "spending"
    names = ["heavy", "medium", "light"]
    shares = [20, 30, 50]

The options stand in `stampbook_spending.config`, the definitions and formulas in `stampbook_spending.rules`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from stampbook import Plugin, PluginError, hookimpl
from stampbook_spending.config import SpendingConfig

if TYPE_CHECKING:
    from datetime import datetime

    import narwhals as nw

    from stampbook_spending import rules

__all__ = ["Spending", "SpendingConfig"]


class Spending(Plugin[SpendingConfig]):
    """Puts every account that ever bought or returned something into a level by what it spends."""

    Config = SpendingConfig
    alone = True

    definition_version: ClassVar[int] = 1
    """Raised whenever the same history and options would give other segments than before."""

    @hookimpl
    def segment(self, history: nw.LazyFrame[Any], at: datetime) -> nw.LazyFrame[Any]:
        """Return the columns of `rules.RESULT_COLUMNS`; value is money in minor units.

        Raises:
            PluginError: the analytics extra is not installed.
        """
        try:
            from stampbook_spending import rules
        except ModuleNotFoundError as error:
            message = f"{self.name} needs the analytics extra: pip install 'stampbook[analytics]'"
            raise PluginError(message) from error
        measured = rules.measure(history, at, self.config.measure, self.since(at))
        return rules.classify(measured, self.levels())

    def levels(self) -> rules.Levels:
        """Return where the options let levels begin."""
        from stampbook_spending import rules

        config = self.config
        return rules.Levels(config.names, config.without, config.borders, config.amounts)

    def since(self, at: datetime) -> datetime | None:
        """Return the first instant of the window that ends with `at`, in UTC; None for a lifetime."""
        from stampbook import first_instant

        return None if self.config.window.is_lifetime else first_instant(self.config.window, at, self.program.calendar)
