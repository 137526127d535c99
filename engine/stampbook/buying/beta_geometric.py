"""BG/NBD and MBG/NBD: buying at a rate of one's own, and dropping out with a probability of one's own after a purchase.

Fader, Hardie & Lee (2005), "Counting Your Customers the Easy Way: An Alternative to the Pareto/NBD Model", Marketing
Science 24(2), 275-284. In the MBG/NBD one may also drop out right after the first purchase: Batislam, Denizel &
Filiztekin (2007), "Empirical validation and comparison of models for customer base analysis", International Journal of
Research in Marketing 24(3), 201-209. Rates are gamma distributed (r, alpha), drop-out probabilities beta (a, b).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from scipy.special import betaln, digamma, gammaln, hyp2f1

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from stampbook.buying.visits import Visits

    Array = NDArray[np.float64]

_NO_DROP_OUT = 1e-3


class BgNbd:
    """The model over the visits of a population; times are in one unit of the caller's choice."""

    names: ClassVar[Sequence[str]] = ("r", "alpha", "a", "b")
    _shift: ClassVar[int] = 0
    """1 where one may drop out after the first purchase, too."""

    def __init__(self, seen: Visits) -> None:
        self._seen = seen

    def starts(self) -> list[Sequence[float]]:
        """Return parameters to begin with: few and many purchases, little and much drop-out."""
        mean = float(np.average(self._seen.T, weights=self._seen.accounts)) or 1.0
        return [(0.5, mean / 4, 1.0, 2.5), (1.0, mean, 0.3, 1.0), (0.2, mean / 10, 2.0, 8.0), (2.0, 2 * mean, 0.5, 5.0)]

    def likelihood(self, parameters: Array) -> tuple[float, Array]:
        """Return the log-likelihood of all accounts and its gradient (FHL 2005, equation 6)."""
        r, alpha, a, b = parameters
        x, t_x, T, count = self._seen  # noqa: N806 - as in print
        m = self._shift
        again = (x > 0) | bool(m)
        alive = -(r + x) * np.log(alpha + T)
        left = np.where(again, b + x - 1 + m, 1.0)
        gone = np.where(again, np.log(a) - np.log(left) - (r + x) * np.log(alpha + t_x), -np.inf)
        both = np.logaddexp(alive, gone)
        each = gammaln(r + x) - gammaln(r) + r * np.log(alpha) + betaln(a, b + x + m) - betaln(a, b) + both
        w_alive, w_gone = np.exp(alive - both), np.exp(gone - both)
        d_r = digamma(r + x) - digamma(r) + np.log(alpha) - w_alive * np.log(alpha + T) - w_gone * np.log(alpha + t_x)
        d_alpha = r / alpha - (r + x) * (w_alive / (alpha + T) + w_gone / (alpha + t_x))
        shared = digamma(a + b) - digamma(a + b + x + m)
        d_a = shared + w_gone / a
        d_b = shared + digamma(b + x + m) - digamma(b) - w_gone / left
        gradient = np.array([np.dot(count, part) for part in (d_r, d_alpha, d_a, d_b)])
        return float(np.dot(count, each)), gradient

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

    def expected(self, parameters: Mapping[str, float], horizon: float) -> Array:
        """Return the purchases of each row to be expected within a time from now (FHL 2005, equation 10).

        Written by Euler's transformation of 2F1, so that large x neither overflow nor cancel.
        """
        r, alpha, a, b = (parameters[name] for name in self.names)
        x, _, T, _ = self._seen  # noqa: N806 - as in print
        m = self._shift
        z = horizon / (alpha + T + horizon)
        top = a + b + x - 1 + m
        # (1 - z)^(r+x) 2F1(r+x, b+x+m; top; z) = 2F1(r+x, a-1; top; -horizon/(alpha+T)), by Pfaff's transformation.
        hyper = hyp2f1(r + x, a - 1, top, z / (z - 1))
        return np.asarray(self.alive(parameters) * top / (a - 1) * (1 - hyper))

    @classmethod
    def expected_from_start(cls, parameters: Mapping[str, float], time: Array) -> Array:
        """Return the repeat purchases of anybody to be expected within a time from the first purchase."""
        r, alpha, a, b = (parameters[name] for name in cls.names)
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


class MbgNbd(BgNbd):
    """The same with a chance to drop out after the first purchase."""

    _shift: ClassVar[int] = 1
