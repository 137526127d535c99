"""Gamma-Gamma: what a customer's purchases are worth on the average, told from those that were seen.

Fader & Hardie (2013), "The Gamma-Gamma Model of Monetary Value", note 025. Values scatter about a mean of one's own,
gamma distributed with shape p; means are spread over customers with shape q and scale gamma. It assumes that how much
somebody spends says nothing of how often: see `correlation`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from scipy.special import digamma, gammaln

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Array = NDArray[np.float64]


class GammaGamma:
    """The model over customers who came again: x repeat purchases of the mean value m, and how many customers."""

    names: ClassVar[Sequence[str]] = ("p", "q", "gamma")

    def __init__(self, x: Array, m: Array, count: Array) -> None:
        self._x, self._m, self._count = x, m, count

    def starts(self) -> list[Sequence[float]]:
        """Return parameters to begin with."""
        mean = float(np.average(self._m, weights=self._count)) or 1.0
        return [(2.0, 4.0, mean), (6.0, 4.0, mean / 2), (1.0, 2.0, mean)]

    def likelihood(self, parameters: Array) -> tuple[float, Array]:
        """Return the log-likelihood of all customers and its gradient (note 025, equation 1a)."""
        p, q, gamma = parameters
        x, m, count = self._x, self._m, self._count
        total = gamma + m * x
        each = (
            gammaln(p * x + q) - gammaln(p * x) - gammaln(q) + q * np.log(gamma) + (p * x - 1) * np.log(m)
            + p * x * np.log(x) - (p * x + q) * np.log(total)
        )  # fmt: skip
        d_p = x * (digamma(p * x + q) - digamma(p * x) + np.log(m) + np.log(x) - np.log(total))
        d_q = digamma(p * x + q) - digamma(q) + np.log(gamma) - np.log(total)
        d_gamma = q / gamma - (p * x + q) / total
        return float(np.dot(count, each)), np.array([np.dot(count, part) for part in (d_p, d_q, d_gamma)])

    def complaint(self, parameters: Mapping[str, float]) -> str:
        """Say that the mean of all customers has no bound, where that is what was found."""
        return "" if parameters["q"] > 1 else "the spread of values is so wide that customers have no mean"

    @staticmethod
    def expected(parameters: Mapping[str, float], x: Array, m: Array) -> Array:
        """Return the mean value of a purchase to be expected: between one's own mean and that of all.

        Args:
            parameters: as fitted.
            x: repeat purchases; 0 for those who have the mean of all.
            m: their mean value; anything where x is 0.
        """
        p, q, gamma = (parameters[name] for name in GammaGamma.names)
        return np.asarray(p * (gamma + np.where(x > 0, m * x, 0.0)) / (p * x + q - 1))

    def correlation(self) -> float:
        """Return the correlation between how often and how much, which should be near zero."""
        x, m, weights = self._x, self._m, self._count
        a, b = x - np.average(x, weights=weights), m - np.average(m, weights=weights)
        spread = np.sqrt(np.average(a * a, weights=weights) * np.average(b * b, weights=weights))
        return float(np.average(a * b, weights=weights) / spread) if spread else 0.0
