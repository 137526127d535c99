"""Behaviour: who is active, might come again or is lost, complains much, or buys for discounts.

A program asks for it with::

    [[plugin]]
    use = "behaviour"
    active_days = 60
    complaints = ["complaint"]

The options stand in `stampbook_behaviour.config`, the definitions and formulas in `stampbook_behaviour.rules`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from stampbook import Plugin, PluginError, first_instant, hookimpl
from stampbook_behaviour.config import BehaviourConfig

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import narwhals as nw

__all__ = ["Behaviour", "BehaviourConfig"]


class Behaviour(Plugin[BehaviourConfig]):
    """Names how every account behaves that ever bought or returned something."""

    Config = BehaviourConfig
    alone = True

    definition_version: ClassVar[int] = 1
    """Raised whenever the same history and options would give other segments than before."""

    def prepare(self) -> None:
        """Say which frames and kinds of event these options need."""
        config = self.config
        self.looks_at = frozenset({"activity"} if config.complaints else ())
        self.kinds = frozenset(config.complaints)
        self.segment_names = tuple(dict.fromkeys(config.names.values()))

    @hookimpl
    def segment(
        self, purchases: nw.LazyFrame[Any], at: datetime, activity: nw.LazyFrame[Any] | None = None
    ) -> nw.LazyFrame[Any]:
        """Return account, segment, days_since, orders, complaints, returned_share, discounted and two marks.

        Raises:
            PluginError: the analytics extra is not installed.
        """
        try:
            from stampbook_behaviour import rules
        except ModuleNotFoundError as error:
            message = f"{self.name} needs the analytics extra: pip install 'stampbook[analytics]'"
            raise PluginError(message) from error
        since = first_instant(self.config.window, at, self.program.calendar)
        return rules.segment(purchases, activity, at, since=since, config=self.config)

    def reasons(self, row: Mapping[str, Any], found: Mapping[str, Any]) -> Sequence[str]:  # noqa: ARG002 - of the base
        """Say in words why an account is in its segment."""
        config = self.config
        if row["days_since"] is None:
            last = "never kept a purchase"
        else:
            days = "1 day" if row["days_since"] == 1 else f"{row['days_since']} days"
            last = f"{days} since the last purchase, active until {config.active_days}, lost after {config.lost_days}"
        said = [f"{row['segment']}: {last}"]
        if row["complaint_heavy"]:
            said.append(f"{row['complaints']} complaints, {100 * row['returned_share']:.1f} % of its value returned")
        if row["discount_driven"]:
            said.append(f"{row['discounted']} of {row['orders']} orders with a discount")
        return said
