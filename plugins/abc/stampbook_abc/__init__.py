"""ABC: the few accounts that most of the value comes from, those after them, and the many.

A program asks for it with::

    [[plugin]]
    use = "abc"
    by = "revenue"
    borders = ["80%", "95%"]

The options stand in `stampbook_abc.config`, the definitions and formulas in `stampbook_abc.rules`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from stampbook import Plugin, PluginError, first_instant, hookimpl
from stampbook_abc.config import AbcConfig

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import narwhals as nw

__all__ = ["Abc", "AbcConfig"]


class Abc(Plugin[AbcConfig]):
    """Names the class of every account that ever bought or returned something."""

    Config = AbcConfig
    alone = True

    definition_version: ClassVar[int] = 1
    """Raised whenever the same history and options would give other classes than before."""

    def prepare(self) -> None:
        """Say which frames these options need, and which classes there may be."""
        self.looks_at = frozenset({"lines"} if self.config.by in {"quantity", "margin"} else ())
        self.segment_names = self.config.names

    @hookimpl
    def segment(
        self, purchases: nw.LazyFrame[Any], at: datetime, lines: nw.LazyFrame[Any] | None = None
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
        since = first_instant(self.config.window, at, self.program.calendar)
        measured = rules.measure(purchases, lines, at, since=since, config=self.config)
        return rules.classify(measured, self.config)

    def reasons(self, row: Mapping[str, Any], found: Mapping[str, Any]) -> tuple[str, ...]:  # noqa: ARG002 - of the base
        """Say in words why an account is in its class."""
        from stampbook_abc.words import reasons

        return reasons(row, self.config, self.program.currency)
