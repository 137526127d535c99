"""How many purchases are expected of each way to have bought, how sure its accounts are alive, and what is likely."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import polars as pl

from stampbook import (
    BgNbd,
    MbgNbd,
    ParetoNbd,
    PluginError,
    at_own_rate,
    distinct_visits,
    fit,
    least_reached,
)
from stampbook_clv.measures import LEAST_AGAIN

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from stampbook import Visits
    from stampbook_clv.config import ClvConfig

    Array = NDArray[np.float64]

_MODELS: Final[dict[str, type[BgNbd | ParetoNbd]]] = {"bg_nbd": BgNbd, "mbg_nbd": MbgNbd, "pareto_nbd": ParetoNbd}
_LEAST_ACCOUNTS: Final = 30
_STEP_DAYS: Final = 30
_YEAR_DAYS: Final = 365


class Buying:
    """A model fitted to a population, or everybody's own rate where none can be.

    Attributes:
        ways: the different x, t_x and T, in days.
        alive: of each way, the chance to be alive; NaN where nothing tells.
        expected: of each way, the purchases expected in the horizon.
        discounted: the same, each worth less the later it comes.
    """

    alive: Array
    expected: Array
    discounted: Array

    def __init__(self, seen: pl.DataFrame, config: ClvConfig, found: dict[str, Any]) -> None:
        self._config, self._found = config, found
        self.ways, self._visits = distinct_visits(seen, config.unit_days)
        self._horizon = config.horizon_days / config.unit_days
        self._fitted: tuple[BgNbd | ParetoNbd, Mapping[str, float]] | None = None
        trouble = self._trouble(self._visits)
        if not trouble:
            model = _MODELS[config.model](self._visits)
            fitted = fit(model)
            found["fit"] = fitted.to_plain()
            trouble = list(fitted.warnings)
            if not trouble:
                self._told(model, fitted.parameters)
                return
        if config.fallback == "refuse":
            message = f"no model can be fitted: {'; '.join(trouble)}; write fallback = 'rate' to let own rates go on"
            raise PluginError(message)
        found["warnings"] += [*trouble, "so everybody's own rate of purchases so far is taken to go on"]
        self._own_rates()

    def _trouble(self, ways: Visits) -> list[str]:
        accounts, again = float(ways.accounts.sum()), float(np.dot(ways.x > 0, ways.accounts))
        if accounts < _LEAST_ACCOUNTS:
            return [f"{accounts:.0f} accounts are too few to fit a model to, {_LEAST_ACCOUNTS} are needed"]
        if again < LEAST_AGAIN:
            return [f"{again:.0f} accounts came again, {LEAST_AGAIN} are needed to fit a model"]
        return []

    def _told(self, model: BgNbd | ParetoNbd, parameters: Mapping[str, float]) -> None:
        self._fitted = model, parameters
        self.alive = np.clip(model.alive(parameters), 0.0, 1.0)
        if self._config.model == "bg_nbd":
            once = self._visits.x == 0
            self.alive = np.where(once, np.nan, self.alive)
            many = float(np.dot(once, self._visits.accounts))
            self._found["notes"].append(
                f"{many:,.0f} accounts never came again; the BG/NBD takes them all for alive, so p_alive is left empty"
            )
        self.expected = np.maximum(model.expected(parameters, self._horizon), 0.0)
        steps = self._steps()
        if len(steps) == 1:
            self.discounted = self.expected
            return
        self.discounted, before = np.zeros(len(self.ways)), np.zeros(len(self.ways))
        for end, worth in steps:
            reached = np.maximum(model.expected(parameters, end / self._config.unit_days), before)
            self.discounted += (reached - before) * worth
            before = reached

    def _own_rates(self) -> None:
        """Take own rates, drawn towards that of all as if everybody had come once more at the rate of all."""
        x, _, age, accounts = self._visits
        if not np.any(x):
            self._found["warnings"].append("nobody came again, so nothing is expected of anybody")
        of_all = float(np.dot(x, accounts) / max(np.dot(age, accounts), 1e-9))
        rate = (x + 1) * of_all / (age * of_all + 1)
        self.alive = np.full(len(self.ways), np.nan)
        self.expected = rate * self._horizon
        self.discounted = self.expected * self._discount_of_all()

    def likely(self, level: float) -> Array:
        """Return of each way the least number of purchases that is not exceeded with that probability."""
        if self._fitted is None:
            shape, mean = self._visits.x + 1, self.expected
            return least_reached(lambda number: at_own_rate(number, shape, mean), level, len(self.ways))
        model, parameters = self._fitted
        return least_reached(lambda number: model.at_least(parameters, number, self._horizon), level, len(self.ways))

    def expected_by_way(self) -> pl.DataFrame:
        """Return x, t_x, T and the purchases expected of one such account."""
        return self.ways.select("x", "t_x", "T", expected=pl.Series(self.expected))

    def _steps(self) -> list[tuple[float, float]]:
        """Return the steps of the horizon: when each ends, in days, and what money is worth in its middle."""
        days, rate = self._config.horizon_days, float(self._config.discount.rstrip("%")) / 100
        if not rate:
            return [(float(days), 1.0)]
        ends = [*range(_STEP_DAYS, days, _STEP_DAYS), days]
        middles = [(start + end) / 2 for start, end in zip([0, *ends], ends, strict=False)]
        return [(float(end), (1 + rate) ** (-middle / _YEAR_DAYS)) for end, middle in zip(ends, middles, strict=True)]

    def _discount_of_all(self) -> float:
        before, total = 0.0, 0.0
        for end, worth in self._steps():
            total += (end - before) * worth
            before = end
        return total / self._config.horizon_days
