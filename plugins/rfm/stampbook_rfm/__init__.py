"""RFM: how lately, how often and for how much an account bought, scored in classes and named by a table.

A program asks for it with::

    [[plugin]]
    use = "rfm"
    window = "12 months"
    grid = { 55 = "regulars", 54 = "regulars" }

The options stand in `stampbook_rfm.config`, the tables in `stampbook_rfm.tables`, the formulas in
`stampbook_rfm.rules`.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any, ClassVar

from stampbook import Plugin, PluginError, hookimpl
from stampbook_rfm.config import RfmConfig

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import narwhals as nw
    import polars as pl

    from stampbook_rfm import rules

__all__ = ["Rfm", "RfmConfig"]


class Rfm(Plugin[RfmConfig]):
    """Names a segment for every account that ever bought or returned something."""

    Config = RfmConfig
    alone = True

    definition_version: ClassVar[int] = 1
    """Raised whenever the same history and options would give other segments than before."""

    def prepare(self) -> None:
        """Say which segments there may be."""
        self.segment_names = tuple(dict.fromkeys(self.config.names.values()))

    @hookimpl
    def segment(self, purchases: nw.LazyFrame[Any], at: datetime) -> nw.LazyFrame[Any]:
        """Return the columns of `rules.RESULT_COLUMNS`: names, measures (money in minor units, net) and scores.

        Raises:
            PluginError: the analytics extra is not installed.
        """
        try:
            from stampbook_rfm import rules
        except ModuleNotFoundError as error:
            message = f"{self.name} needs the analytics extra: pip install 'stampbook[analytics]'"
            raise PluginError(message) from error
        config = self.config
        return rules.segment(
            purchases,
            at,
            names=config.names,
            scoring=self.scoring(),
            since=self.since(at),
            count_zero_amounts=config.count_zero_amounts,
        )

    def scoring(self) -> rules.Scoring:
        """Return how the options turn measures into scores."""
        from stampbook_rfm import rules

        config = self.config
        return rules.Scoring(config.class_count, config.scores, config.fixed, config.rounding, config.weighing)

    def since(self, at: datetime) -> datetime | None:
        """Return the first instant of the window that ends with `at`, in UTC; None for a lifetime."""
        from stampbook import first_instant

        return None if self.config.window.is_lifetime else first_instant(self.config.window, at, self.program.calendar)

    def findings(self, result: pl.DataFrame, at: datetime) -> dict[str, Any]:  # noqa: ARG002 - of the base
        """Return the cut points of the run."""
        import narwhals as nw

        from stampbook_rfm import rules

        return {"cuts": asdict(rules.cuts(nw.from_native(result.lazy()), self.scoring()))}

    def reasons(self, row: Mapping[str, Any], found: Mapping[str, Any]) -> Sequence[str]:
        """Say in words why an account has its scores, and how far the next ones are."""
        from stampbook_rfm import rules

        points = found.get("cuts", {})
        at = rules.Cuts(*(tuple(points.get(letter, ())) for letter in "rfm"))
        return (f"{row['segment']}: {'; '.join(rules.reasons(row, at, self.program.currency.told))}",)
