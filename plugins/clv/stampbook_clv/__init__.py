"""Customer lifetime value: what each customer will probably still buy, and what that is worth.

A program asks for it with::

    [[plugin]]
    use = "clv"
    horizon_days = 365
    margin = "30%"

The options stand in `stampbook_clv.config`, the arithmetic in `stampbook_clv.rules`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from stampbook import AmountError, Plugin, PluginError, first_instant, hookimpl
from stampbook_clv.config import ClvConfig

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import narwhals as nw

__all__ = ["Clv", "ClvConfig"]


class Clv(Plugin[ClvConfig]):
    """Names a class of value to come for every account that ever bought or returned something."""

    Config = ClvConfig
    alone = True

    definition_version: ClassVar[int] = 2
    """Raised whenever the same history and options would give other values than before."""

    def prepare(self) -> None:
        """Read the amounts in smallest units."""
        config = self.config
        self.segment_names = (*config.names, config.none)
        self._found: dict[datetime, dict[str, Any]] = {}
        try:
            self._amounts = [self.program.currency.units(text) for text in config.amounts]
        except AmountError as error:
            message = f"amounts: {error}"
            raise PluginError(message) from None

    @hookimpl
    def segment(self, history: nw.LazyFrame[Any], at: datetime) -> nw.LazyFrame[Any]:
        """Return account, segment, expected_purchases, expected_value, low, high (minor units), p_alive and more.

        Raises:
            PluginError: the analytics extra is not installed, or no model can be fitted and the program refuses then.
        """
        try:
            from stampbook_clv import rules
        except ModuleNotFoundError as error:
            message = f"{self.name} needs the analytics extra: pip install 'stampbook[analytics]'"
            raise PluginError(message) from error
        since = first_instant(self.config.window, at, self.program.calendar)
        result, found = rules.segment(history, at, since=since, config=self.config, amounts=self._amounts)
        self._found = {at: found}
        return result

    def findings(self, result: Any, at: datetime) -> dict[str, Any]:  # noqa: ARG002 - of the base
        """Return the fitted parameters with their errors, what was odd about them, and the holdout's tables."""
        return self._found.get(at, {})

    def summary(self, found: Mapping[str, Any]) -> Sequence[str]:
        """Say in words what was fitted, how far it came true on the holdout, and what is wrong with it."""
        sentences = [
            f"{name}: {_fitted(fitted)}"
            for name, fitted in ((found.get("model"), found.get("fit")), ("gamma_gamma", found.get("value")))
            if fitted
        ]
        if "correlation" in found.get("value", {}):
            sentences.append(f"correlation between how often and how much: {found['value']['correlation']:.2f}")
        tested = found.get("holdout")
        if tested:
            predicted, actual = tested["predicted"], tested["actual"]
            sentences += [
                f"holdout of {tested['days']} days: {predicted:,.0f} purchases predicted, {actual:,.0f} made",
                *(f"in the holdout, {warning}" for warning in tested["warnings"]),
            ]
        if "calibrated_by" in found:
            sentences.append(f"what is expected is multiplied by {found['calibrated_by']:.3f}")
        return (*sentences, *found.get("warnings", ()), *found.get("notes", ()))

    def reasons(self, row: Mapping[str, Any], found: Mapping[str, Any]) -> Sequence[str]:
        """Say in words what is expected of an account, and on what that rests."""
        config, told = self.config, self.program.currency.told
        if row["x"] is None:
            return (f"{row['segment']}: never kept a purchase",)
        sentences = [
            (
                f"{row['segment']}: {told(row['expected_value'])} expected in {config.horizon_days} days, likely "
                f"{told(row['low'])} to {told(row['high'])}: {row['expected_purchases']:.2f} purchases"
            ),
            f"came again on {row['x']} days in {row['days_known']}, last {row['days_since']} days ago",
        ]
        if row["x"] == 0 and self.config.model == "bg_nbd" and "fit" in found:
            sentences.append("whether it is lost cannot be told: the BG/NBD takes all who came once for alive")
        elif row["p_alive"] is not None:
            sentences.append(f"alive with {100 * row['p_alive']:.0f} %")
        return [*sentences, *found.get("warnings", ())]


def _fitted(found: Mapping[str, Any]) -> str:
    told = (
        f"{name} {value:.4g} ({'no error' if found['errors'][name] is None else format(found['errors'][name], '.2g')})"
        for name, value in found["parameters"].items()
    )
    return (
        f"{', '.join(told)}; log-likelihood {found['log_likelihood']:,.1f}, found from {found['agreeing_starts']} of "
        f"{found['starts']} starts"
    )
