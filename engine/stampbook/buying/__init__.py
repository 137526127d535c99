"""Models of repeat buying: how often customers will come again, and what they will spend.

They stand here rather than in a plugin because several schemes use them, and plugins never import one another.
"""

from __future__ import annotations

from stampbook.buying.beta_geometric import BgNbd, MbgNbd
from stampbook.buying.counts import at_own_rate, least_reached
from stampbook.buying.fitting import Fit, fit
from stampbook.buying.gamma_gamma import GammaGamma
from stampbook.buying.pareto import ParetoNbd
from stampbook.buying.visits import VISIT_COLUMNS, Visits, bought_since, distinct_visits, usual_gaps, visits

__all__ = [
    "VISIT_COLUMNS",
    "BgNbd",
    "Fit",
    "GammaGamma",
    "MbgNbd",
    "ParetoNbd",
    "Visits",
    "at_own_rate",
    "bought_since",
    "distinct_visits",
    "fit",
    "least_reached",
    "usual_gaps",
    "visits",
]
