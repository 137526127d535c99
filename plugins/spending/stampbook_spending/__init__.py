"""Spending power: who spends much, some and little, by amounts or by place among all.

A program asks for it with::

    [[plugin]]
    use = "spending"
    by = "total"
    window = "12 months"

The options stand in `stampbook_spending.config`, the definitions and formulas in `stampbook_spending.rules`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from stampbook import AmountError, Plugin, PluginError, first_instant, hookimpl
from stampbook_spending.config import SpendingConfig

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import narwhals as nw

__all__ = ["Spending", "SpendingConfig"]


class Spending(Plugin[SpendingConfig]):
    """Names how much every account spends that ever bought or returned something."""

    Config = SpendingConfig
    alone = True

    definition_version: ClassVar[int] = 1
    """Raised whenever the same history and options would give other segments than before."""

    def prepare(self) -> None:
        """Read the amounts in smallest units."""
        config = self.config
        self.segment_names = (*config.names, config.none)
        try:
            self._amounts = [self.program.currency.units(text) for text in config.amounts]
        except AmountError as error:
            message = f"amounts: {error}"
            raise PluginError(message) from None

    @hookimpl
    def segment(self, purchases: nw.LazyFrame[Any], at: datetime) -> nw.LazyFrame[Any]:
        """Return account, segment, spent, orders, months, worth and rank.

        Raises:
            PluginError: the analytics extra is not installed.
        """
        try:
            from stampbook_spending import rules
        except ModuleNotFoundError as error:
            message = f"{self.name} needs the analytics extra: pip install 'stampbook[analytics]'"
            raise PluginError(message) from error
        calendar = self.program.calendar
        since = first_instant(self.config.window, at, calendar)
        measured = rules.measure(purchases, since=since, by=self.config.by, zone=calendar.zone)
        return rules.classify(measured, self.config, self._amounts)

    def reasons(self, row: Mapping[str, Any], found: Mapping[str, Any]) -> tuple[str, ...]:  # noqa: ARG002 - of the base
        """Say in words why an account is in its segment."""
        config, told = self.config, self.program.currency.told
        if row["rank"] is None:
            return (f"{row['segment']}: nothing bought in the window that was kept",)
        what = {
            "total": f"{told(row['spent'])} spent",
            "orders": f"{row['orders']} orders",
            "mean_order": f"{told(row['worth'])} an order over {row['orders']}",
            "monthly": f"{told(row['worth'])} a month over {row['months']} with a purchase",
        }[config.by]
        if self._amounts:
            bounds = ", ".join(f"{name} from {text}" for name, text in zip(config.names, config.amounts, strict=False))
            return (f"{row['segment']}: {what}; {bounds}",)
        return (f"{row['segment']}: {what}, rank {row['rank']}; {', '.join(config.shares)} from the top end classes",)
