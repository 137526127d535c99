"""When made-up accounts buy and for how much: BG/NBD or Pareto/NBD visits, seasons, and Gamma-Gamma amounts.

Draws come from `numpy.random.RandomState`, whose streams NumPy has promised never to change: a seed gives the same
history on every machine. The models are those of Fader, Hardie and Lee (2005), "Counting your customers the easy way",
Marketing Science 24(2), of Schmittlein, Morrison and Colombo (1987), Management Science 33(1), and, for amounts, of
Fader and Hardie (2013), "The Gamma-Gamma model of monetary value".
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from typing import TypeAlias

    import numpy.typing as npt

    from stampbook.testing.market import Market

    Floats: TypeAlias = npt.NDArray[np.float64]
    Whole: TypeAlias = npt.NDArray[np.int64]

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
SECOND_US: Final = 1_000_000
DAY_S: Final = 86_400
_OPENS_S: Final = 8 * 3_600
_OPEN_S: Final = 13 * 3_600
_YEAR_DAYS: Final = 365.25
_SELDOM: Final = 1e-9


def stream(market: Market, block: int, aspect: int) -> np.random.RandomState:
    """Return the draws of one aspect of one block of accounts, so that leaving one out changes no other."""
    seed = np.random.SeedSequence([market.seed, block, aspect])
    return np.random.RandomState(np.random.MT19937(seed))


def visits(market: Market, accounts: int, draw: np.random.RandomState) -> tuple[Whole, Floats]:
    """Return who buys and when, in days of even trade since the start; sorted by account, then time.

    The first purchase comes at the account's arrival; from there on it buys at random at a rate of its own until it
    drops out: after each repeat purchase by chance (BG/NBD), or after a lifetime (Pareto/NBD).
    """
    first = draw.random_sample(accounts) * market.arrivals * market.days
    span = market.days - first
    rate = draw.standard_gamma(market.r, accounts) / market.alpha
    count = draw.poisson(rate * span).astype(np.int64)
    who = np.repeat(np.arange(accounts, dtype=np.int64), count)
    share = np.sort(who + draw.random_sample(len(who))) - who
    if market.model == "bg/nbd":
        chance = np.maximum(draw.beta(market.a, market.b, accounts), _SELDOM)
        last = draw.geometric(chance)
        place = np.arange(len(who)) - np.repeat(np.cumsum(count) - count, count)
        alive = place < last[who]
    else:
        lifetime = draw.standard_exponential(accounts) * market.beta / draw.standard_gamma(market.s, accounts)
        alive = share * span[who] < lifetime[who]
    who, share = who[alive], share[alive]
    everyone = np.concatenate([np.arange(accounts, dtype=np.int64), who])
    days = np.concatenate([first, first[who] + share * span[who]])
    order = np.argsort(everyone, kind="stable")
    return everyone[order], days[order]


def instants(market: Market, days: Floats) -> Whole:
    """Return days of even trade as microseconds since 1970: busy seasons and weekdays hold more of it than others.

    Shops are open from 8 to 21 o'clock, UTC; seconds are whole.
    """
    start = market.start.date()
    numbers = np.arange(market.days)
    phase = 2 * np.pi * (numbers + start.timetuple().tm_yday - market.peak_day) / _YEAR_DAYS
    weights = 1 + market.yearly * np.cos(phase)
    weights = weights * np.asarray(market.weekdays)[(numbers + start.weekday()) % 7]
    trade = np.concatenate([[0.0], np.cumsum(weights)])
    there = np.interp(days, trade * (market.days / trade[-1]), np.arange(market.days + 1))
    day = np.minimum(np.floor(there), market.days - 1)
    seconds = day * DAY_S + np.floor(_OPENS_S + (there - day) * _OPEN_S)
    return midnight_us(market) + seconds.astype(np.int64) * SECOND_US


def midnight_us(market: Market) -> int:
    """Return the first instant of the market's first day, in microseconds since 1970."""
    first = market.start.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return (first - EPOCH) // timedelta(microseconds=1)


def amounts(market: Market, who: Whole, accounts: int, draw: np.random.RandomState) -> Whole:
    """Return what each purchase comes to, in minor units, 1 at least: spread about a mean of the account's own."""
    scale = draw.standard_gamma(market.q, accounts) / market.gamma
    values = draw.standard_gamma(market.p, len(who)) / scale[who]
    return np.maximum(np.rint(values), 1).astype(np.int64)


def shared(total: Whole, weights: Whole) -> Whole:
    """Split each total over its row of weights as `stampbook.amounts.split` does, by largest remainder."""
    whole = np.maximum(weights.sum(axis=1), 1)
    exact = total[:, None] * weights
    parts: Whole = exact // whole[:, None]
    left = total - parts.sum(axis=1)
    order = np.argsort(-(exact % whole[:, None]), axis=1, kind="stable")
    one_more = (np.arange(weights.shape[1])[None, :] < left[:, None]).astype(np.int64)
    np.put_along_axis(parts, order, np.take_along_axis(parts, order, axis=1) + one_more, axis=1)
    return parts
