"""Gamma-Gamma: what a customer's purchases are worth on the average, told from those that were seen.

Fader & Hardie (2013), "The Gamma-Gamma Model of Monetary Value", note 025. Values scatter about a mean of one's own,
gamma distributed with shape p; means are spread over customers with shape q and scale gamma. It assumes that how much
somebody spends says nothing of how often: see `correlation`.
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from scipy.special import digamma, gammaln

from stampbook.buying.visits import added, every_kth

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Array = NDArray[np.float64]


class GammaGamma:
    """The model over customers who came again: x repeat purchases of the mean value m, and how many customers."""

    names: ClassVar[Sequence[str]] = ("p", "q", "gamma")

    def __init__(self, x: Array, m: Array, count: Array) -> None:
        self._x, self._m, self._count = x, m, count

    @cached_property
    def _sums(self) -> tuple[Array, Array, Array, float, float]:
        """Return the different x with their customers, what each row spent, and the sums that no parameter is in."""
        xs, of_x = np.unique(self._x, return_inverse=True)
        by_x = added(self._count, of_x, len(xs))
        spent, log_m = self._x * self._m, np.log(self._m)
        weighed = float(np.dot(self._count * self._x, np.log(spent)))
        return xs, by_x, spent, weighed, float(np.dot(self._count, log_m))

    def accounts(self) -> float:
        """Return how many customers there are."""
        return float(self._count.sum())

    def mean(self) -> float:
        """Return the mean over customers of what their purchases were worth."""
        return float(np.average(self._m, weights=self._count))

    def sample(self, most: int) -> GammaGamma:
        """Return the model over about so many of the customers, or over all where it has no more."""
        drawn, count = every_kth(self._count, most)
        return GammaGamma(self._x[drawn], self._m[drawn], count)

    def starts(self) -> list[Sequence[float]]:
        """Return parameters to begin with."""
        mean = self.mean() or 1.0
        return [(2.0, 4.0, mean), (6.0, 4.0, mean / 2), (1.0, 2.0, mean)]

    def likelihood(self, parameters: Array) -> tuple[float, Array]:
        """Return the log-likelihood of all customers and its gradient (note 025, equation 1a)."""
        p, q, gamma = parameters
        xs, by_x, spent, weighed, log_m = self._sums
        many = float(by_x.sum())
        total = np.log(gamma + spent)
        of_x, of_one = float(np.dot(self._count * self._x, total)), float(np.dot(self._count, total))
        share = self._count / (gamma + spent)
        shapes = gammaln(p * xs + q) - gammaln(p * xs) - gammaln(q) + q * np.log(gamma)
        value = np.dot(by_x, shapes) + p * weighed - log_m - p * of_x - q * of_one
        d_p = np.dot(by_x, xs * (digamma(p * xs + q) - digamma(p * xs))) + weighed - of_x
        d_q = np.dot(by_x, digamma(p * xs + q) - digamma(q)) + many * np.log(gamma) - of_one
        d_gamma = many * q / gamma - p * np.dot(share, self._x) - q * share.sum()
        return float(value), np.array([d_p, d_q, d_gamma])

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
