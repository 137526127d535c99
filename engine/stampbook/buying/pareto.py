"""Pareto/NBD: buying at a rate of one's own, and dropping out at a rate of one's own, at any time.

Schmittlein, Morrison & Colombo (1987), "Counting Your Customers: Who Are They and What Will They Do Next?", Management
Science 33(1), 1-24; computed as in Fader & Hardie (2005), "A Note on Deriving the Pareto/NBD Model and Related
Expressions". Rates of buying are gamma distributed (r, alpha), those of dropping out too (s, beta).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from scipy.special import gammaln, hyp2f1

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from stampbook.buying.visits import Visits

    Array = NDArray[np.float64]

_STEP = 1e-5
_POINTS = 48


class ParetoNbd:
    """The model over the visits of a population; times are in one unit of the caller's choice."""

    names: ClassVar[Sequence[str]] = ("r", "alpha", "s", "beta")

    def __init__(self, seen: Visits) -> None:
        self._seen = seen

    def starts(self) -> list[Sequence[float]]:
        """Return parameters to begin with."""
        mean = float(np.average(self._seen.T, weights=self._seen.accounts)) or 1.0
        return [(0.5, mean / 3, 0.6, mean / 3), (1.0, mean, 1.0, mean), (0.3, mean / 6, 0.3, mean / 2)]

    def likelihood(self, parameters: Array) -> tuple[float, Array]:
        """Return the log-likelihood and its gradient: by r and s by differences, by alpha and beta too.

        The derivatives of 2F1 by its parameters have no closed form, so central differences stand in for all four.
        """
        count = self._seen.accounts
        value = float(np.dot(count, self._each(parameters)))
        gradient = np.empty(4)
        for place, parameter in enumerate(parameters):
            step = np.zeros(4)
            step[place] = _STEP * parameter
            change = self._each(parameters + step) - self._each(parameters - step)
            gradient[place] = float(np.dot(count, change)) / (2 * step[place])
        return value, gradient

    def _each(self, parameters: Array) -> Array:
        r, alpha, s, beta = parameters
        x, _, T, _ = self._seen  # noqa: N806 - as in print
        start = gammaln(r + x) - gammaln(r) + r * np.log(alpha) + s * np.log(beta)
        alive = -(r + x) * np.log(alpha + T) - s * np.log(beta + T)
        return np.asarray(start + np.logaddexp(alive, self._gone(parameters)))

    def _gone(self, parameters: Array) -> Array:
        """Return the logarithm of s/(r+s+x) A0, the part of the likelihood of those who dropped out."""
        r, alpha, s, beta = parameters
        x, t_x, T, _ = self._seen  # noqa: N806 - as in print
        larger, apart = max(alpha, beta), abs(alpha - beta)
        of = s + 1 if alpha >= beta else r + x
        power = r + s + x
        early = hyp2f1(power, of, power + 1, apart / (larger + t_x))
        late = hyp2f1(power, of, power + 1, apart / (larger + T))
        ratio = np.exp(power * (np.log(larger + t_x) - np.log(larger + T)))
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            inner = np.log(np.maximum(early - late * ratio, 0.0))
        found = np.log(s) - np.log(power) - power * np.log(larger + t_x) + inner
        return np.where(np.isfinite(found), found, -np.inf)

    def complaint(self, parameters: Mapping[str, float]) -> str:
        """Say that nobody seems ever to drop out, where that is what was found."""
        longest = float(self._seen.T.max())
        if parameters["s"] * longest / parameters["beta"] < 1e-3:  # noqa: PLR2004 - a tenth of a per cent in all that time
            return "no drop-out was found, so that everybody would count as alive"
        return ""

    def alive(self, parameters: Mapping[str, float]) -> Array:
        """Return the probability of each row that it has not dropped out."""
        r, alpha, s, beta = values = np.array([parameters[name] for name in self.names])
        x, _, T, _ = self._seen  # noqa: N806 - as in print
        alive = -(r + x) * np.log(alpha + T) - s * np.log(beta + T)
        return np.asarray(1 / (1 + np.exp(np.minimum(self._gone(values) - alive, 700.0))))

    def any_in(self, parameters: Mapping[str, float], horizon: float) -> Array:
        """Return the probability of at least one purchase within a time from now.

        P(alive) times the integral over the time of the first purchase, by Gauss-Legendre quadrature.
        """
        r, alpha, s, beta = (parameters[name] for name in self.names)
        x, _, T, _ = self._seen  # noqa: N806 - as in print
        nodes, weights = np.polynomial.legendre.leggauss(_POINTS)
        total = np.zeros_like(T)
        for node, weight in zip(nodes, weights, strict=True):
            time = horizon * (node + 1) / 2
            buys = np.log(r + x) + (r + x) * np.log(alpha + T) - (r + x + 1) * np.log(alpha + T + time)
            stays = s * (np.log(beta + T) - np.log(beta + T + time))
            total += weight * np.exp(buys + stays)
        return np.asarray(self.alive(parameters) * total * horizon / 2)

    def expected(self, parameters: Mapping[str, float], horizon: float) -> Array:
        """Return the purchases of each row to be expected within a time from now."""
        r, alpha, s, beta = (parameters[name] for name in self.names)
        x, _, T, _ = self._seen  # noqa: N806 - as in print
        later = -np.expm1((s - 1) * (np.log(beta + T) - np.log(beta + T + horizon)))
        return np.asarray(self.alive(parameters) * (r + x) * (beta + T) / ((alpha + T) * (s - 1)) * later)

    @classmethod
    def expected_from_start(cls, parameters: Mapping[str, float], time: Array) -> Array:
        """Return the repeat purchases of anybody to be expected within a time from the first purchase."""
        r, alpha, s, beta = (parameters[name] for name in cls.names)
        return np.asarray(r * beta / (alpha * (s - 1)) * (1 - np.power(beta / (beta + time), s - 1)))
