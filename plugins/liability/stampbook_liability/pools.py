"""Pools: the grants of one asset and kind that were made in one month, with what became of them stretch by stretch."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from datetime import date
from typing import TYPE_CHECKING, NamedTuple

from stampbook import Rounding, divide
from stampbook_liability.deferral import allocate, standalone_price

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from fractions import Fraction

    from stampbook import Calendar, Grant
    from stampbook_liability.estimates import Estimates

GRANTED, USED, EXPIRED, TAKEN_BACK, MOVED, FORFEITED, ALLOCATED, REVERSED = range(8)
"""What is counted of a pool: units, and of the last two money."""

_SORTS = {
    "sales": USED,
    "breakage": EXPIRED,
    "promotion": TAKEN_BACK,
    "cash": TAKEN_BACK,
    "refunds": TAKEN_BACK,
    "transfers": MOVED,
    "lot": MOVED,
    "adjustments": FORFEITED,
}
"""What it means that value goes to a book; in any other one it is used."""

TRANSFERRED = "transfers"
EXCHANGE = "exchange"
"""What changes into another asset is no use of it; only of points that had a part of a price it is."""


class PoolKey(NamedTuple):
    """Which grants: `month` counts months since year 0; `sold` says whether they came with sales, of whose price a part
    is theirs; `moved` whether other accounts gave them away, with what was allocated to them there.
    """

    asset: str
    kind: str
    month: int
    sold: bool
    moved: bool


class Sums(NamedTuple):
    """What a pool comes to up to an instant."""

    granted: int
    used: int
    expired: int
    taken_back: int
    moved: int
    forfeited: int
    allocated: int
    reversed: int

    @property
    def left(self) -> int:
        """What customers still have."""
        return self.granted - self.used - self.expired - self.taken_back - self.moved - self.forfeited

    @property
    def kept(self) -> int:
        """What was granted for good: neither taken back nor moved to another account."""
        return self.granted - self.taken_back - self.moved

    @property
    def price(self) -> int:
        """What of the prices of sales is theirs."""
        return self.allocated - self.reversed


class Pools:
    """All pools of a ledger, in stretches that end at given instants.

    Args:
        calendar: of the program, which knows the months.
        ends: the last instant of each stretch, in order; what is later is not counted.
        points: estimates by asset and kind of lot, under which prices of sales are allocated.
        currency: that of the prices.
    """

    def __init__(
        self, calendar: Calendar, ends: Sequence[int], points: Mapping[tuple[str, str], Estimates], currency: str
    ) -> None:
        self._calendar = calendar
        self._ends = ends
        self._points = points
        self._currency = currency
        self._of_asset = {code: estimates for (code, _), estimates in points.items()}
        self._months: dict[int, int] = {}
        self._counts: dict[PoolKey, list[list[int]]] = {}
        self._onward: dict[PoolKey, dict[tuple[int, int], int]] = defaultdict(lambda: defaultdict(int))
        self._moved_prices: dict[tuple[str, int], list[int]] = defaultdict(lambda: [0] * len(ends))

    def month(self, instant: int) -> int:
        """Return the local month of an instant, counted since year 0."""
        day = self._calendar.day(instant)
        found = self._months.get(day)
        if found is None:
            local = date.fromordinal(day)
            found = self._months[day] = local.year * 12 + local.month - 1
        return found

    def add(self, grants: Iterable[Grant]) -> None:
        """Count the grants of one account."""
        sales: dict[int, list[Grant]] = defaultdict(list)
        for grant in grants:
            if grant.kind == "debt":
                continue
            if self._is_sold(grant):
                sales[grant.seq].append(grant)
            else:
                self._count(grant, 0)
        for together in sales.values():
            for grant, price in zip(together, self._prices(together), strict=True):
                self._count(grant, price)

    def _is_sold(self, grant: Grant) -> bool:
        return (
            grant.book == "promotion"
            and (grant.asset, grant.kind) in self._points
            and grant.sale is not None
            and grant.sale.order.currency == self._currency
        )

    def _prices(self, grants: list[Grant]) -> list[int]:
        """Return what of the price of their sale is each grant's: of what was paid without tax and not in points."""
        sale = grants[0].sale
        assert sale is not None  # noqa: S101 - narrows for the type checker
        order = sale.order
        paid = order.total - order.paid_by_points
        price = divide(order.net_of_tax * paid, order.total, Rounding.HALF_UP) if order.total else 0
        own: dict[str, int] = defaultdict(int)
        values = []
        for grant in grants:
            values.append(self._value(self._points[grant.asset, grant.kind], grant.units, grant.at))
            own[grant.asset] += grant.units
        elsewhere = [  # what the sale granted on accounts with which this one shares
            self._value(estimates, max(0, units - own[code]), grants[0].at)
            for code, units in sale.granted.items()
            if (estimates := self._of_asset.get(code)) is not None
        ]
        return allocate(price, price, [*values, *elsewhere])[1][: len(values)]

    def _value(self, estimates: Estimates, units: int, at: int) -> Fraction:
        estimate = estimates.at(at)
        return standalone_price(units, estimate.price, estimate.rate)

    def _count(self, grant: Grant, price: int) -> None:
        moved = grant.book == TRANSFERRED
        key = PoolKey(grant.asset, grant.kind, self.month(grant.at), self._is_sold(grant), moved)
        counts = self._counts.get(key)
        if counts is None:
            counts = self._counts[key] = [[0] * len(self._ends) for _ in range(REVERSED + 1)]
        self._put(counts[GRANTED], grant.at, grant.units)
        if price:
            self._put(counts[ALLOCATED], grant.at, price)
        gone = given_back = 0
        for at, units, book in grant.steps:
            sort = MOVED if book == EXCHANGE and not price else _SORTS.get(book, USED)
            self._put(counts[sort], at, -units)
            if moved and sort == MOVED and at <= self._ends[-1]:
                self._onward[key][self.month(at), bisect_left(self._ends, at)] -= units
            if price and sort in {TAKEN_BACK, MOVED}:
                gone -= units
                now = divide(price * gone, grant.units, Rounding.HALF_UP)
                self._put(counts[REVERSED], at, now - given_back)
                if sort == MOVED:
                    self._put(self._moved_prices[grant.asset, self.month(at)], at, now - given_back)
                given_back = now

    def _put(self, counts: list[int], at: int, units: int) -> None:
        place = bisect_left(self._ends, at)
        if place < len(counts):
            counts[place] += units

    def sums(self, place: int) -> dict[PoolKey, Sums]:
        """Return what each pool comes to at the end of a stretch."""
        self._carry_prices()
        return {key: Sums(*(sum(counts[: place + 1]) for counts in self._counts[key])) for key in sorted(self._counts)}

    def _carry_prices(self) -> None:
        """Let what was allocated to points follow them to the accounts that got them, month by month.

        What is handed on within the month in which it arrived stays in the pool of that month.
        """
        targets = {(key.asset, key.month) for key in self._counts if key.moved}
        for asset, month in sorted(targets | set(self._moved_prices)):
            prices = self._moved_prices.pop((asset, month), None)
            pools = [key for key in self._counts if key.moved and (key.asset, key.month) == (asset, month)]
            if prices is None or not pools:
                continue
            pool = min(pools)
            counts = self._counts[pool]
            for place, price in enumerate(prices):
                counts[ALLOCATED][place] += price
            self._hand_on(pool, sum(prices))

    def _hand_on(self, pool: PoolKey, price: int) -> None:
        """Let the part of a pool's price go along that belongs to what was handed on in later months."""
        counts, given = self._counts[pool], sum(self._counts[pool][GRANTED])
        gone = gone_before = 0
        for (month, place), units in sorted(self._onward.pop(pool, {}).items()):
            if month == pool.month:
                continue
            gone += units
            now = divide(price * gone, given, Rounding.HALF_UP)
            counts[REVERSED][place] += now - gone_before
            self._moved_prices[pool.asset, month][place] += now - gone_before
            gone_before = now
