"""Preference: the category, brand, sku, store or channel that a customer chooses more than others do, if that is sure.

A program asks for it with::

    [[plugin]]
    use = "preference"
    of = "category"

The options stand in `stampbook_preference.config`, the definitions and formulas in `stampbook_preference.rules`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from stampbook import Plugin, PluginError, first_instant, hookimpl
from stampbook_preference.config import PreferenceConfig

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import narwhals as nw

__all__ = ["Preference", "PreferenceConfig"]


class Preference(Plugin[PreferenceConfig]):
    """Names what every account prefers that ever bought or returned something."""

    Config = PreferenceConfig
    alone = True

    definition_version: ClassVar[int] = 1
    """Raised whenever the same history and options would give other preferences than before."""

    def prepare(self) -> None:
        """Say which frames these options need."""
        self.looks_at = frozenset({"lines"} if self.config.of in {"category", "sku", "label"} else ())

    @hookimpl
    def segment(
        self, purchases: nw.LazyFrame[Any], at: datetime, lines: nw.LazyFrame[Any] | None = None
    ) -> nw.LazyFrame[Any]:
        """Return account, segment, top, orders, of_top, share, least_share, population_share and lift.

        Raises:
            PluginError: the analytics extra is not installed.
        """
        try:
            from stampbook_preference import rules
        except ModuleNotFoundError as error:
            message = f"{self.name} needs the analytics extra: pip install 'stampbook[analytics]'"
            raise PluginError(message) from error
        since = first_instant(self.config.window, at, self.program.calendar)
        return rules.segment(purchases, lines, at, since=since, config=self.config)

    def reasons(self, row: Mapping[str, Any], found: Mapping[str, Any]) -> Sequence[str]:  # noqa: ARG002 - of the base
        """Say in words why this is preferred, or nothing is."""
        config, name = self.config, row["segment"]
        if not row["orders"]:
            return (f"{name}: no order in the window has a {config.of}",)
        if row["top"] is None:
            return (f"{name}: several are equally often in {row['orders']} orders",)
        told = (
            f"{row['top']} is in {row['of_top']} of {row['orders']} orders ({100 * row['share']:.1f} %), surely in "
            f"{100 * row['least_share']:.1f} %; in {100 * row['population_share']:.1f} % of everybody's"
        )
        if name == config.none and row["orders"] < config.least_orders:
            return (f"{name}: {told}; too few orders, {config.least_orders} are needed",)
        return (f"{name}: {told}",)
