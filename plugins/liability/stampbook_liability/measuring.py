"""What pools come to in money: deferred revenue of points, and breakage of stored value that is revenue in advance."""

from __future__ import annotations

from collections import defaultdict
from datetime import date
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from stampbook_liability.breakage import expected_breakage, in_advance, recognised_breakage
from stampbook_liability.deferral import expected, recognised
from stampbook_liability.jurisdictions import kept_share, law_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stampbook import Calendar, Rounding
    from stampbook_liability.config import OfValue
    from stampbook_liability.estimates import Estimate, Estimates
    from stampbook_liability.jurisdictions import Law
    from stampbook_liability.pools import PoolKey, Sums


class Deferral(NamedTuple):
    """What of the price of sales belongs to points: all of it, what is revenue, and what is deferred.

    `of_sales` and `expected` are points of sales that were granted for good, and that will be redeemed in the end.
    """

    allocated: int
    recognised: int
    of_sales: int
    used: int
    expected: Fraction

    @property
    def deferred(self) -> int:
        """What is not revenue yet."""
        return self.allocated - self.recognised

    def plus(self, other: Deferral) -> Deferral:
        """Return the sum of two."""
        return Deferral(
            self.allocated + other.allocated,
            self.recognised + other.recognised,
            self.of_sales + other.of_sales,
            self.used + other.used,
            self.expected + other.expected,
        )


NOTHING = Deferral(0, 0, 0, 0, Fraction(0))


def deferral(sums: Sums, estimate: Estimate, rounding: Rounding) -> Deferral:
    """Return the deferral of one pool under an estimate."""
    total = expected(sums.kept, estimate.rate, sums.used, sums.left)
    earned = recognised(sums.price, sums.used, total, rounding=rounding) if sums.price else 0
    return Deferral(sums.price, earned, sums.kept, sums.used, total)


def deferrals(
    pools: Mapping[PoolKey, Sums], points: Mapping[tuple[str, str], Estimates], at: int, rounding: Rounding
) -> dict[PoolKey, Deferral]:
    """Return the deferral of every pool of points with a part of prices, under the estimates of an instant."""
    found: dict[PoolKey, Deferral] = {}
    for key, sums in pools.items():
        estimates = points.get((key.asset, key.kind)) or next(
            (each for (asset, _), each in points.items() if asset == key.asset), None
        )
        if estimates is not None and (key.sold or (key.moved and sums.allocated)):
            found[key] = deferral(sums, estimates.at(at), rounding)
    return found


class Breakage(NamedTuple):
    """Of stored value: what was paid in for good, used, and expired; what breaks in the end, and is revenue by now.

    `in_advance` is what is revenue of value that customers could still use.
    """

    value: int
    used: int
    expired: int
    expected: Fraction
    recognised: int
    in_advance: int

    def plus(self, other: Breakage) -> Breakage:
        """Return the sum of two."""
        return Breakage(
            self.value + other.value,
            self.used + other.used,
            self.expired + other.expired,
            self.expected + other.expected,
            self.recognised + other.recognised,
            self.in_advance + other.in_advance,
        )


NONE_BROKEN = Breakage(0, 0, 0, Fraction(0), 0, 0)


class Lawful:
    """One table of stored value with its law: how much of it may become the issuer's own, and when."""

    def __init__(self, options: OfValue, estimates: Estimates, calendar: Calendar, rounding: Rounding) -> None:
        self.options = options
        self.estimates = estimates
        self._calendar = calendar
        self._rounding = rounding

    def has(self, asset: str, kind: str) -> bool:
        """Whether lots of a kind are of this table."""
        return asset == self.estimates.asset.code and kind in self.estimates.kinds

    def law(self, at: int) -> Law:
        """Return the law of an instant."""
        return law_of(self.options.jurisdiction, date.fromordinal(self._calendar.day(at)))

    def kept(self, at: int) -> Fraction:
        """Return the part of unused value that the law of an instant leaves to the issuer."""
        return kept_share(self.law(at), self.options.exempt_as)

    def years(self, at: int) -> int | None:
        """Return after how many years value is unclaimed; none where it never is, or nobody knows."""
        law = self.law(at)
        if not law.state or self.options.exempt_as in law.exemptions:
            return None
        return self.options.dormancy_years or law.years

    def breakage(self, sums: Sums, at: int, law_at: int) -> Breakage:
        """Return the breakage of one pool under the estimates of one instant and the law of another."""
        value, expired = sums.kept, sums.expired + sums.forfeited
        total = expected_breakage(value, self.estimates.at(at).rate, self.kept(law_at))
        earned = recognised_breakage(value, sums.used, total, rounding=self._rounding)
        return Breakage(value, sums.used, expired, total, earned, in_advance(earned, expired, sums.left))

    def sum(self, pools: Mapping[PoolKey, Sums], at: int, law_at: int | None = None) -> Breakage:
        """Return the breakage of all pools of this table."""
        total = NONE_BROKEN
        for key, sums in pools.items():
            if self.has(key.asset, key.kind):
                total = total.plus(self.breakage(sums, at, at if law_at is None else law_at))
        return total


def by_asset(found: Mapping[PoolKey, Deferral]) -> dict[str, Deferral]:
    """Return the sums by asset."""
    sums: dict[str, Deferral] = defaultdict(lambda: NOTHING)
    for key, each in found.items():
        sums[key.asset] = sums[key.asset].plus(each)
    return dict(sums)
