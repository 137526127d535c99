"""Churn: who will probably not come again, told early, with a back-test of how well it was told before.

A program asks for it with::

    [[plugin]]
    use = "churn"
    horizon_days = 90

The options stand in `stampbook_churn.config`, the arithmetic in `stampbook_churn.rules`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from stampbook import Plugin, PluginError, hookimpl
from stampbook_churn.config import ChurnConfig

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import narwhals as nw

__all__ = ["Churn", "ChurnConfig"]


class Churn(Plugin[ChurnConfig]):
    """Names a level of warning for every account that ever bought or returned something."""

    Config = ChurnConfig
    alone = True

    definition_version: ClassVar[int] = 2
    """Raised whenever the same history and options would give other levels than before."""

    def prepare(self) -> None:
        """Say which levels there may be."""
        self.segment_names = (*self.config.names, self.config.none, self.config.unknown)
        self._found: dict[datetime, dict[str, Any]] = {}

    @hookimpl
    def segment(self, history: nw.LazyFrame[Any], at: datetime) -> nw.LazyFrame[Any]:
        """Return account, segment, p_buy (of at least one purchase in the horizon), days_since and usual_gap.

        Raises:
            PluginError: the analytics extra is not installed.
        """
        try:
            from stampbook_churn import rules
        except ModuleNotFoundError as error:
            message = f"{self.name} needs the analytics extra: pip install 'stampbook[analytics]'"
            raise PluginError(message) from error
        result, found = rules.segment(history, at, self.config)
        self._found = {at: found}
        return result

    def findings(self, result: Any, at: datetime) -> dict[str, Any]:  # noqa: ARG002 - of the base
        """Return the back-test of every scorer, which one was chosen, and what was odd about the models."""
        return self._found.get(at, {})

    def summary(self, found: Mapping[str, Any]) -> Sequence[str]:
        """Say in words what was tried, which score tells, and what is wrong with the models."""
        tested, sentences = found.get("backtest"), []
        if tested:
            chosen = next(each for each in tested["scorers"] if each["chosen"])
            said = (
                f"back-test of {tested['days']} days: {tested['bought']:,} of {tested['accounts']:,} accounts bought; "
                f"{chosen['name']} tells, with an AUC of {chosen['auc']:.3f}"
            )
            sentences = [said]
        return (*sentences, *found.get("warnings", ()))

    def reasons(self, row: Mapping[str, Any], found: Mapping[str, Any]) -> Sequence[str]:
        """Say in words why an account is at its level, and how far that was right before."""
        if row["days_since"] is None:
            return (f"{row['segment']}: never kept a purchase",)
        if row["p_buy"] is None:
            return (f"{row['segment']}: the last purchase was {row['days_since']} days ago", *found.get("warnings", ()))
        gap = "" if row["usual_gap"] is None else f", usually within {row['usual_gap']}"
        said = (
            f"{row['segment']}: {100 * row['p_buy']:.0f} % will buy within {self.config.horizon_days} days; "
            f"{row['days_since']} days since the last purchase{gap}"
        )
        chosen = next((each for each in found.get("backtest", {}).get("scorers", ()) if each.get("chosen")), None)
        if chosen is None:
            return (said,)
        return (said, f"told by {chosen['name']}, whose AUC was {chosen['auc']:.3f} in the back-test")
