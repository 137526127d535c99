"""BG/NBD and MBG/NBD: buying at a rate of one's own, and dropping out with a probability of one's own after a purchase.

Fader, Hardie & Lee (2005), "Counting Your Customers the Easy Way: An Alternative to the Pareto/NBD Model", Marketing
Science 24(2), 275-284. In the MBG/NBD one may also drop out right after the first purchase: Batislam, Denizel &
Filiztekin (2007), "Empirical validation and comparison of models for customer base analysis", International Journal of
Research in Marketing 24(3), 201-209. Rates are gamma distributed (r, alpha), drop-out probabilities beta (a, b).
"""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from scipy.special import betainc, betaln, digamma, gammaln, hyp2f1

from stampbook.buying.visits import added

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from stampbook.buying.visits import Visits

    Array = NDArray[np.float64]
    Places = NDArray[np.intp]

_NO_DROP_OUT = 1e-3
_NEAR_ONE = 1e-6


class BgNbd:
    """The model over the visits of a population; times are in one unit of the caller's choice."""

    names: ClassVar[Sequence[str]] = ("r", "alpha", "a", "b")
    _shift: ClassVar[int] = 0
    """1 where one may drop out after the first purchase, too."""

    def __init__(self, seen: Visits) -> None:
        self._seen = seen

    @cached_property
    def _by_value(self) -> tuple[Array, Places, Array, Places, Array, Places, Array]:
        """Return different x, t_x and T with the places of each row among them, and the accounts by x.

        Gamma functions and logarithms are taken of these few, not of the many rows.
        """
        x, t_x, T, count = self._seen  # noqa: N806 - as in print
        (xs, of_x), (lasts, of_last), (ages, of_age) = (np.unique(each, return_inverse=True) for each in (x, t_x, T))
        return xs, of_x, lasts, of_last, ages, of_age, added(count, of_x, len(xs))

    def accounts(self) -> float:
        """Return how many accounts there are."""
        return float(self._seen.accounts.sum())

    def sample(self, most: int) -> BgNbd:
        """Return the model over about so many of the accounts, or over all where it has no more."""
        return type(self)(self._seen.sample(most))

    def starts(self) -> list[Sequence[float]]:
        """Return parameters to begin with: few and many purchases, little and much drop-out."""
        mean = float(np.average(self._seen.T, weights=self._seen.accounts)) or 1.0
        return [(0.5, mean / 4, 1.0, 2.5), (1.0, mean, 0.3, 1.0), (0.2, mean / 10, 2.0, 8.0), (2.0, 2 * mean, 0.5, 5.0)]

    def likelihood(self, parameters: Array) -> tuple[float, Array]:
        """Return the log-likelihood of all accounts and its gradient (FHL 2005, equation 6)."""
        r, alpha, a, b = parameters
        count, m = self._seen.accounts, self._shift
        xs, of_x, lasts, of_last, ages, of_age, by_x = self._by_value
        powers = r + xs
        left = np.where((xs > 0) | bool(m), b + xs - 1 + m, np.inf)
        with np.errstate(divide="ignore"):
            ahead = np.log(a) - np.log(left)
        log_age, power = np.log(alpha + ages)[of_age], powers[of_x]
        longer = log_age - np.log(alpha + lasts)[of_last]
        odds = power * longer + ahead[of_x]
        small = np.exp(-np.abs(odds))
        gone = np.where(odds > 0, 1.0, small) / (1 + small) * count
        alive = count - gone
        both = np.dot(count, np.maximum(odds, 0.0) + np.log(1 + small) - power * log_age)
        start = gammaln(powers) - gammaln(r) + r * np.log(alpha) + betaln(a, b + xs + m) - betaln(a, b)
        shared = digamma(a + b) - digamma(a + b + xs + m)
        waited = np.dot(alive * power, (1 / (alpha + ages))[of_age])
        left_by = np.dot(gone * power, (1 / (alpha + lasts))[of_last])
        d_r = np.dot(by_x, digamma(powers) - digamma(r) + np.log(alpha)) - np.dot(count, log_age) + np.dot(gone, longer)
        d_alpha = by_x.sum() * r / alpha - waited - left_by
        d_a = np.dot(by_x, shared) + gone.sum() / a
        gone_by_x = added(gone, of_x, len(xs))
        d_b = np.dot(by_x, shared + digamma(b + xs + m) - digamma(b)) - np.dot(gone_by_x, 1 / left)
        return float(np.dot(by_x, start) + both), np.array([d_r, d_alpha, d_a, d_b])

    def complaint(self, parameters: Mapping[str, float]) -> str:
        """Say that nobody seems ever to drop out, where that is what was found."""
        share = parameters["a"] / (parameters["a"] + parameters["b"])
        if share < _NO_DROP_OUT or parameters["a"] < _NO_DROP_OUT:
            return f"no drop-out was found ({100 * share:.2g} % a purchase), so that everybody would count as alive"
        return ""

    def alive(self, parameters: Mapping[str, float]) -> Array:
        """Return the probability of each row that it has not dropped out."""
        r, alpha, a, b = (parameters[name] for name in self.names)
        x, t_x, T, _ = self._seen  # noqa: N806 - as in print
        again = (x > 0) | bool(self._shift)
        left = np.where(again, b + x - 1 + self._shift, 1.0)
        log_odds = np.log(a) - np.log(left) + (r + x) * (np.log(alpha + T) - np.log(alpha + t_x))
        return np.where(again, 1 / (1 + np.exp(np.minimum(log_odds, 700.0))), 1.0)

    def any_in(self, parameters: Mapping[str, float], horizon: float) -> Array:
        """Return the probability of at least one purchase within a time from now.

        P(alive) (1 - ((alpha + T) / (alpha + T + h))^(r + x)): one who is alive drops out after a purchase only.
        """
        r, alpha = parameters["r"], parameters["alpha"]
        x, _, T, _ = self._seen  # noqa: N806 - as in print
        none = np.exp((r + x) * (np.log(alpha + T) - np.log(alpha + T + horizon)))
        return np.asarray(self.alive(parameters) * (1 - none))

    def at_least(self, parameters: Mapping[str, float], number: Array, horizon: float) -> Array:
        """Return the probability of each row to make at least so many purchases (1 or more) within a time from now.

        Of who is alive, the rate is gamma (r + x, alpha + T) and the chance to drop out beta (a, b + x) distributed.
        The n-th purchase comes if the rate brings as many and none of the first n - 1 was the last one:
        I_z(n, r + x) B(a, b + x + n - 1) / B(a, b + x) with z = h / (alpha + T + h).
        """
        r, alpha, a, b = (parameters[name] for name in self.names)
        x, _, T, _ = self._seen  # noqa: N806 - as in print
        stays = b + x + self._shift
        bought = betainc(number, r + x, horizon / (alpha + T + horizon))
        return np.asarray(self.alive(parameters) * bought * np.exp(betaln(a, stays + number - 1) - betaln(a, stays)))

    def expected(self, parameters: Mapping[str, float], horizon: float) -> Array:
        """Return the purchases of each row to be expected within a time from now (FHL 2005, equation 10).

        Written by Pfaff's transformation with the small parameters a - 1 and a + b - 1 - r, w = h / (alpha + T):
        (1 - z)^(r+x) 2F1(r+x, b+x; a+b+x-1; z) = (1 + w)^(1-a) 2F1(a-1, a+b-1-r; a+b+x-1; z). As in print it
        overflows from some hundred purchases on.
        """
        r, alpha, a, b = (parameters[name] for name in self.names)
        x, _, T, _ = self._seen  # noqa: N806 - as in print
        a, m = _not_one(a), self._shift
        ahead = horizon / (alpha + T)
        top = a + b + x - 1 + m
        hyper = hyp2f1(a - 1, a + b - 1 + m - r, top, ahead / (1 + ahead))
        return np.asarray(self.alive(parameters) * top / (1 - a) * np.expm1((1 - a) * np.log1p(ahead) + np.log(hyper)))

    @classmethod
    def expected_from_start(cls, parameters: Mapping[str, float], time: Array) -> Array:
        """Return the repeat purchases of anybody to be expected within a time from the first purchase."""
        r, alpha, a, b = (parameters[name] for name in cls.names)
        a = _not_one(a)
        top = a + b - 1 + cls._shift
        z = time / (alpha + time)
        first = (b if cls._shift else top) / (a - 1)
        return np.asarray(first * (1 - np.power(alpha / (alpha + time), r) * hyp2f1(r, b + cls._shift, top, z)))

    @classmethod
    def probability(cls, parameters: Mapping[str, float], time: float, most: int) -> Array:
        """Return the probabilities of 0 to `most` repeat purchases within a time from the first one."""
        r, alpha, a, b = (parameters[name] for name in cls.names)
        n = np.arange(most + 1, dtype=np.float64)
        terms = np.exp(
            gammaln(r + n)
            - gammaln(r)
            - gammaln(n + 1)
            + r * np.log(alpha / (alpha + time))
            + n * np.log(time / (alpha + time))
        )
        m = cls._shift
        stays = np.exp(betaln(a, b + n + m) - betaln(a, b)) * terms
        reached = 1 - np.concatenate([[0.0], np.cumsum(terms)[:-1]])
        with np.errstate(invalid="ignore"):
            leaves = np.exp(betaln(a + 1, b + n - 1 + m) - betaln(a, b)) * reached
        if not m:
            leaves[0] = 0.0
        return np.asarray(stays + leaves)


def _not_one(a: float) -> float:
    """Return a, or a number very near where the formulas, which divide by a - 1, have a limit only."""
    return a if abs(a - 1) > _NEAR_ONE else 1 + _NEAR_ONE


class MbgNbd(BgNbd):
    """The same with a chance to drop out after the first purchase."""

    _shift: ClassVar[int] = 1
