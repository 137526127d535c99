"""Pareto/NBD: buying at a rate of one's own, and dropping out at a rate of one's own, at any time.

Schmittlein, Morrison & Colombo (1987), "Counting Your Customers: Who Are They and What Will They Do Next?", Management
Science 33(1), 1-24; notation as in Fader & Hardie (2005), "A Note on Deriving the Pareto/NBD Model and Related
Expressions". Rates of buying are gamma distributed (r, alpha), those of dropping out too (s, beta).

The likelihood of who dropped out is left as the integral over the time of drop-out that it is before it is written
with 2F1, whose derivatives by its parameters have no closed form. Under the integral they are plain logarithms and
quotients, so that value and gradient come out of one pass.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np
from scipy.special import betainc, digamma, expit, gammaln

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from stampbook.buying.visits import Visits

    Array = NDArray[np.float64]

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(32)
_LIVES, _PARTS = np.polynomial.legendre.leggauss(12)
_FLAT = 1e-2
_SPREAD = 6
_NEAR_ONE = 1e-9


class _Gone(NamedTuple):
    """The part of the likelihood of those who dropped out: its logarithm, and that's derivatives by the parameters."""

    log: Array
    r: Array
    alpha: Array
    s: Array
    beta: Array


class ParetoNbd:
    """The model over the visits of a population; times are in one unit of the caller's choice."""

    names: ClassVar[Sequence[str]] = ("r", "alpha", "s", "beta")

    def __init__(self, seen: Visits) -> None:
        self._seen = seen

    def accounts(self) -> float:
        """Return how many accounts there are."""
        return float(self._seen.accounts.sum())

    def sample(self, most: int) -> ParetoNbd:
        """Return the model over about so many of the accounts, or over all where it has no more."""
        return ParetoNbd(self._seen.sample(most))

    def starts(self) -> list[Sequence[float]]:
        """Return parameters to begin with."""
        mean = float(np.average(self._seen.T, weights=self._seen.accounts)) or 1.0
        return [(0.5, mean / 3, 0.6, mean / 3), (1.0, mean, 1.0, mean), (0.3, mean / 6, 0.3, mean / 2)]

    def likelihood(self, parameters: Array) -> tuple[float, Array]:
        """Return the log-likelihood of all accounts and its gradient, by quadrature of the same integral."""
        r, alpha, s, beta = parameters
        x, _, T, count = self._seen  # noqa: N806 - as in print
        gone = self._gone(parameters)
        log_buy, log_stay = np.log(alpha + T), np.log(beta + T)
        start = gammaln(r + x) - gammaln(r) + r * np.log(alpha) + s * np.log(beta)
        alive = -(r + x) * log_buy - s * log_stay
        value = np.dot(count, start + np.logaddexp(alive, gone.log))
        odds = expit(gone.log - alive)
        left, here = count * odds, count * (1 - odds)
        d_r = np.dot(count, digamma(r + x) - digamma(r) + np.log(alpha)) - np.dot(here, log_buy) + np.dot(left, gone.r)
        d_alpha = count.sum() * r / alpha - np.dot(here, (r + x) / (alpha + T)) + np.dot(left, gone.alpha)
        d_s = count.sum() * np.log(beta) - np.dot(here, log_stay) + np.dot(left, gone.s)
        d_beta = count.sum() * s / beta - np.dot(here, s / (beta + T)) + np.dot(left, gone.beta)
        return float(value), np.array([d_r, d_alpha, d_s, d_beta])

    def _gone(self, parameters: Array) -> _Gone:
        """Return the integral from t_x to T of s (alpha + u)^-(r+x) (beta + u)^-(s+1) du, which is s/(r+s+x) A0.

        With m the smaller of alpha and beta it is taken over y = (1 - e^(-k w)) / k, where w = log((m + u)/(m + t_x))
        and k a quarter of the rate at which the integrand falls at t_x. It falls ever faster from there: over y it is
        about (1 - k y)^3 near t_x, and smooth to the end.
        """
        r, alpha, s, beta = parameters
        x, t_x, T, _ = self._seen  # noqa: N806 - as in print
        power, least = r + x, min(alpha, beta)
        buy, stay = alpha + t_x, beta + t_x
        width = np.log1p((T - t_x) / (least + t_x))
        rate = np.maximum(power * (least + t_x) / buy + (s + 1) * (least + t_x) / stay - 1, _FLAT) / _SPREAD
        reach = -np.expm1(-rate * width) / rate
        total, by_log_buy, by_buy, by_log_stay, by_stay = (np.zeros(len(T)) for _ in range(5))
        for node, weight in zip(_NODES, _WEIGHTS, strict=True):
            w = np.minimum(-np.log1p(-rate * reach * (node + 1) / 2) / rate, width)
            since = (least + t_x) * np.expm1(w)
            log_buy, log_stay = np.log1p(since / buy), np.log1p(since / stay)
            each = weight * np.exp((1 + rate) * w - power * log_buy - (s + 1) * log_stay)
            total += each
            by_log_buy += each * log_buy
            by_buy += each / (buy + since)
            by_log_stay += each * log_stay
            by_stay += each / (stay + since)
        with np.errstate(divide="ignore", invalid="ignore"):
            inner = np.log(total * reach / 2 * (least + t_x))
            log_buy, log_stay = np.log(buy), np.log(stay)
            return _Gone(
                np.log(s) - power * log_buy - (s + 1) * log_stay + inner,
                -log_buy - by_log_buy / total,
                -power * by_buy / total,
                1 / s - log_stay - by_log_stay / total,
                -(s + 1) * by_stay / total,
            )

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
        return np.asarray(expit(alive - self._gone(values).log))

    def any_in(self, parameters: Mapping[str, float], horizon: float) -> Array:
        """Return the probability of at least one purchase within a time from now.

        Of who is alive; see `at_least`.
        """
        return self.at_least(parameters, np.ones_like(self._seen.T), horizon)

    def at_least(self, parameters: Mapping[str, float], number: Array, horizon: float) -> Array:
        """Return the probability of each row to make at least so many purchases (1 or more) within a time from now.

        Of who is alive, the rate is gamma (r + x, alpha + T) distributed and the time to drop-out Lomax (s, beta + T).
        With the time u until the sooner of drop-out and horizon the n-th purchase comes with I_z(n, r + x), where
        z = u / (alpha + T + u); by Gauss-Legendre quadrature over the distribution of u.
        """
        r, alpha, s, beta = (parameters[name] for name in self.names)
        x, _, T, _ = self._seen  # noqa: N806 - as in print
        stays = np.exp(-s * np.log1p(horizon / (beta + T)))
        total = stays * betainc(number, r + x, horizon / (alpha + T + horizon))
        for node, weight in zip(_LIVES, _PARTS, strict=True):
            still = stays + (1 - stays) * (node + 1) / 2
            until = (beta + T) * np.expm1(-np.log(still) / s)
            total += weight * (1 - stays) / 2 * betainc(number, r + x, until / (alpha + T + until))
        return np.asarray(self.alive(parameters) * total)

    def expected(self, parameters: Mapping[str, float], horizon: float) -> Array:
        """Return the purchases of each row to be expected within a time from now."""
        r, alpha, s, beta = (parameters[name] for name in self.names)
        x, _, T, _ = self._seen  # noqa: N806 - as in print
        s = _not_one(s)
        later = -np.expm1((1 - s) * np.log1p(horizon / (beta + T)))
        return np.asarray(self.alive(parameters) * (r + x) * (beta + T) / ((alpha + T) * (s - 1)) * later)

    @classmethod
    def expected_from_start(cls, parameters: Mapping[str, float], time: Array) -> Array:
        """Return the repeat purchases of anybody to be expected within a time from the first purchase."""
        r, alpha, s, beta = (parameters[name] for name in cls.names)
        s = _not_one(s)
        return np.asarray(r * beta / (alpha * (s - 1)) * -np.expm1((1 - s) * np.log1p(time / beta)))


def _not_one(s: float) -> float:
    """Return s, or a number very near where the formulas, which divide by s - 1, have a limit only."""
    return s if abs(s - 1) > _NEAR_ONE else 1 + _NEAR_ONE
