"""Lifecycle: who is new, growing, mature, at risk, lost or won back, by each customer's own rhythm.

A program asks for it with::

    [[plugin]]
    use = "lifecycle"

The options stand in `stampbook_lifecycle.config`, the definitions and formulas in `stampbook_lifecycle.rules`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from stampbook import Plugin, PluginError, hookimpl
from stampbook_lifecycle.config import LifecycleConfig
from stampbook_lifecycle.words import reasons

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import narwhals as nw

__all__ = ["Lifecycle", "LifecycleConfig"]


class Lifecycle(Plugin[LifecycleConfig]):
    """Names the stage of every account that ever bought or returned something."""

    Config = LifecycleConfig
    alone = True

    definition_version: ClassVar[int] = 1
    """Raised whenever the same history and options would give other stages than before."""

    def prepare(self) -> None:
        """Say which stages there may be."""
        self.segment_names = tuple(dict.fromkeys(self.config.names.values()))

    @hookimpl
    def segment(self, purchases: nw.LazyFrame[Any], at: datetime) -> nw.LazyFrame[Any]:
        """Return account, segment, days_since, days_known, visits, limit_days, recent and before.

        Raises:
            PluginError: the analytics extra is not installed.
        """
        try:
            from stampbook_lifecycle import rules
        except ModuleNotFoundError as error:
            message = f"{self.name} needs the analytics extra: pip install 'stampbook[analytics]'"
            raise PluginError(message) from error
        return rules.segment(purchases, at, self.config)

    def reasons(self, row: Mapping[str, Any], found: Mapping[str, Any]) -> Sequence[str]:  # noqa: ARG002 - of the base
        """Say in words why an account is in its stage."""
        return reasons(row, self.config, self.program.currency)
