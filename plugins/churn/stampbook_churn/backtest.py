"""How well a score tells who will buy, tried on who did.

The AUC is the chance that of two customers, one of whom bought, the buyer has the higher score, ties counting half
(Hanley & McNeil 1982, "The meaning and use of the area under a receiver operating characteristic (ROC) curve",
Radiology 143(1), 29-36). The Brier score is the mean square of chance less outcome (Brier 1950, "Verification of
Forecasts Expressed in Terms of Probability", Monthly Weather Review 78(1), 1-3).

Scores become chances by the tenth of the customers in which they fall, equal scores together: with k buyers of n it is
(k + 1) / (n + 2), Laplace's rule of succession, so that few customers never make a certainty; tenths whose chance would
fall with the score are pooled. What is reported of such chances is told of each fifth of the customers from the other
four, as a chance that is compared with the very outcomes it was made of would look better than it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[np.float64]

_TENTHS: Final = 10
_CURVE: Final = 50
_FOLDS: Final = 5


class Tried:
    """A scorer as it did in a back-test.

    Attributes:
        auc: the area under its curve.
        brier: the mean square of its chances less what came.
    """

    def __init__(self, scores: Array, outcome: Array, *, is_chance: bool) -> None:
        self._scores, self._outcome, self._is_chance = scores, outcome, is_chance
        values, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
        bought = np.bincount(places, weights=outcome, minlength=len(values))
        below = np.concatenate([[0.0], np.cumsum(counts - bought)[:-1]])
        total, buyers = float(len(outcome)), float(outcome.sum())
        self.auc = float(np.dot(bought, below + (counts - bought) / 2) / (buyers * (total - buyers)))
        self._tenth = _tenths(counts)[places]
        self._rates = _Rates(scores, outcome)
        self._told = scores if is_chance else _told_by_others(scores, outcome)
        self.brier = float(np.mean((self._told - outcome) ** 2))

    def chance(self, scores: Array) -> Array:
        """Return what scores mean: as they are, or as those of the back-test had come out."""
        return scores if self._is_chance else self._rates.of(scores)

    def calibration(self) -> list[dict[str, Any]]:
        """Return by tenths of the customers what was predicted of them and what came."""
        return [
            {
                "decile": int(each) + 1,
                "accounts": int(np.sum(self._tenth == each)),
                "predicted": round(float(self._told[self._tenth == each].mean()), 4),
                "actual": round(float(self._outcome[self._tenth == each].mean()), 4),
            }
            for each in np.unique(self._tenth)
        ]

    def curve(self) -> list[list[float]]:
        """Return points of the curve: the shares of others and of buyers that are told, from the highest score down."""
        values, places, counts = np.unique(-self._scores, return_inverse=True, return_counts=True)
        bought = np.cumsum(np.bincount(places, weights=self._outcome, minlength=len(values)))
        others = np.cumsum(counts) - bought
        shown = np.unique(np.linspace(0, len(values) - 1, _CURVE).round().astype(int))
        points = [[float(others[each] / others[-1]), float(bought[each] / bought[-1])] for each in shown]
        return [[0.0, 0.0], *([round(one, 4), round(two, 4)] for one, two in points)]


class _Rates:
    """The chance by tenth of the score."""

    def __init__(self, scores: Array, outcome: Array) -> None:
        values, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
        bought = np.bincount(places, weights=outcome, minlength=len(values))
        pools: list[tuple[float, float, float]] = []
        tenths = _tenths(counts)
        for tenth in np.unique(tenths):
            own = tenths == tenth
            pool = float(values[own].max()), float(bought[own].sum()) + 1, float(counts[own].sum()) + 2
            while pools and pools[-1][1] * pool[2] >= pool[1] * pools[-1][2]:
                _, buyers, all_ = pools.pop()
                pool = pool[0], pool[1] + buyers, pool[2] + all_
            pools.append(pool)
        self._tops = np.array([top for top, _, _ in pools])
        self._chances = np.array([buyers / all_ for _, buyers, all_ in pools])

    def of(self, scores: Array) -> Array:
        return np.asarray(self._chances[np.minimum(np.searchsorted(self._tops, scores), len(self._tops) - 1)])


def _tenths(counts: NDArray[np.intp]) -> NDArray[np.intp]:
    """Return of each different score, from the lowest up, the tenth of the customers in which its last one stands."""
    ends = np.cumsum(counts)
    return np.asarray(np.minimum((ends - 1) * _TENTHS // ends[-1], _TENTHS - 1))


def _told_by_others(scores: Array, outcome: Array) -> Array:
    fold = np.arange(len(scores)) % _FOLDS
    told = np.empty_like(scores)
    for each in np.unique(fold):
        own = fold == each
        told[own] = _Rates(scores[~own], outcome[~own]).of(scores[own])
    return told
