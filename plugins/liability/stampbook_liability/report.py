"""What customers may still ask for as of an instant: by asset, kind, cohort and age, and what it means in money."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from math import floor
from typing import TYPE_CHECKING, Any

from stampbook import NEVER, grants_of_all
from stampbook_liability.escheat import dormant_on, to_the_state
from stampbook_liability.limited_network import CITES, DAYS, EURO, MOST, in_euro, spent
from stampbook_liability.measuring import Lawful, by_asset, deferrals
from stampbook_liability.pools import Pools
from stampbook_liability.reserve import CITE, SHARES, quarters_before, required_reserve

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from fractions import Fraction

    from stampbook import AccountGrants, Asset, Calendar, Context, Engine
    from stampbook_liability.config import LiabilityConfig
    from stampbook_liability.estimates import Estimates
    from stampbook_liability.pools import PoolKey, Sums

Plain = dict[str, Any]
_QUARTERS = 4
"""How many quarters the figures of a Chinese issuer go back."""


@dataclass(frozen=True, slots=True)
class Terms:
    """All that a report needs of the program: options and estimates, read once."""

    program: Context
    config: LiabilityConfig
    points: Mapping[tuple[str, str], Estimates]
    value: Sequence[Lawful]
    reserve_asset: Asset | None

    @property
    def calendar(self) -> Calendar:
        """The calendar of the program."""
        return self.program.calendar

    def pools(self, ends: Sequence[int]) -> Pools:
        """Return empty pools whose stretches end at given instants."""
        return Pools(self.calendar, ends, self.points, self.program.currency.code)


def month_text(month: int) -> str:
    """Write a month that is counted since year 0: ``2025-03``."""
    return f"{month // 12:04}-{month % 12 + 1:02}"


class Liability:
    """The state of all accounts as of an instant, summed up while they pass by."""

    def __init__(self, terms: Terms, as_of: int) -> None:
        self._terms = terms
        self._as_of = as_of
        calendar = terms.calendar
        self._day = date.fromordinal(calendar.day(as_of))
        starts = quarters_before(self._day, _QUARTERS)
        self._quarters = starts
        self._ends = [end for start in starts if (end := calendar.start_of(start.toordinal()) - 1) < as_of]
        self._pools = terms.pools([*self._ends, as_of])
        self._left: dict[tuple[str, str, int], int] = defaultdict(int)
        self._ending: dict[tuple[str, str, int], int] = defaultdict(int)
        self._a_year_ago = as_of - DAYS * 86_400_000_000
        self._networks = [
            each.options.jurisdiction in CITES
            and (each.estimates.asset.code == EURO or each.options.euro_rate is not None)
            for each in terms.value
        ]
        self._watched = {
            each.estimates.asset.code for each, is_one in zip(terms.value, self._networks, strict=True) if is_one
        }
        self._spent: dict[str, int] = defaultdict(int)
        self._dormant: dict[tuple[int, date, bool], list[int]] = defaultdict(lambda: [0, 0])

    def add(self, account: AccountGrants) -> None:
        """Count one account."""
        self._pools.add(account.grants)
        unclaimed: dict[int, int] = defaultdict(int)
        for grant in account.grants:
            if grant.asset in self._watched:
                self._spent[grant.asset] += spent(grant, self._a_year_ago, self._as_of)
            if not grant.left:
                continue
            self._left[grant.asset, grant.kind, self._pools.month(grant.at)] += grant.left
            end = NEVER if grant.expires_at == NEVER else self._pools.month(grant.expires_at - 1)
            self._ending[grant.asset, grant.kind, end] += grant.left
            for place, lawful in enumerate(self._terms.value):
                if lawful.has(grant.asset, grant.kind):
                    unclaimed[place] += grant.left
        for place, units in unclaimed.items():
            lawful = self._terms.value[place]
            years = lawful.years(self._as_of)
            if years is not None:
                day = dormant_on(date.fromordinal(self._terms.calendar.day(account.active_at)), years)
                sums = self._dormant[place, day.replace(day=1), day <= self._day]
                sums[0] += units
                sums[1] += to_the_state(units, lawful.law(self._as_of))

    def plain(self, known_at: int | None) -> Plain:
        """Return all of it as plain data: amounts as decimal text."""
        terms, calendar = self._terms, self._terms.calendar
        pools = self._pools.sums(len(self._ends))
        return {
            "program": terms.program.name,
            "as_of": calendar.iso(self._as_of),
            "known_at": None if known_at is None else calendar.iso(known_at),
            "currency": terms.program.currency.code,
            "totals": self._totals(),
            "cohorts": self._cohorts(pools),
            "ages": self._ages(),
            "expiring": [
                {
                    **self._of(asset, kind),
                    "month": None if end == NEVER else month_text(end),
                    **self._held(asset, units),
                }
                for (asset, kind, end), units in sorted(self._ending.items())
                if units
            ],
            "points": self._deferrals(pools),
            "stored_value": [self._breakage(place, lawful, pools) for place, lawful in enumerate(terms.value)],
            "reserve": self._reserve(),
        }

    def _of(self, asset: str, kind: str) -> Plain:
        return {"asset": asset, "kind": kind}

    def _held(self, asset: str, units: int) -> Plain:
        return {"outstanding": self._terms.program.assets[asset].text(units)}

    def _totals(self) -> list[Plain]:
        sums: dict[tuple[str, str], int] = defaultdict(int)
        for (asset, kind, _), units in self._left.items():
            sums[asset, kind] += units
        return [{**self._of(*key), **self._held(key[0], units)} for key, units in sorted(sums.items()) if units]

    def _cohorts(self, pools: Mapping[PoolKey, Sums]) -> list[Plain]:
        money = self._terms.program.currency
        deferred: dict[tuple[str, str, int], int] = defaultdict(int)
        found = deferrals(pools, self._terms.points, self._as_of, self._terms.config.rounding)
        for key, each in found.items():
            deferred[key.asset, key.kind, key.month] += each.deferred
        has_deferral = {key[:2] for key in self._terms.points}
        this_month = self._pools.month(self._as_of)
        return [
            {
                **self._of(asset, kind),
                "month": month_text(month),
                "age": self._age(this_month - month),
                **self._held(asset, units),
                "deferred": money.text(deferred[asset, kind, month]) if (asset, kind) in has_deferral else None,
            }
            for (asset, kind, month), units in sorted({**dict.fromkeys(deferred, 0), **self._left}.items())
            if units or deferred[asset, kind, month]
        ]

    def _age(self, months: int) -> str:
        """Return the group of an age in whole months: ``0-3 months``, ``over 24 months``."""
        first = 0
        for last in self._terms.config.ages:
            if months < last:
                return f"{first}-{last} months"
            first = last
        return f"{first} months and over"

    def _ages(self) -> list[Plain]:
        this_month = self._pools.month(self._as_of)
        sums: dict[tuple[str, str], dict[str, int]] = defaultdict(lambda: defaultdict(int))
        for (asset, kind, month), units in sorted(self._left.items(), key=lambda item: -item[0][2]):
            sums[asset, kind][self._age(this_month - month)] += units
        return [
            {**self._of(*key), "age": age, **self._held(key[0], units)}
            for key in sorted(sums)
            for age, units in sums[key].items()
            if units
        ]

    def _deferrals(self, pools: Mapping[PoolKey, Sums]) -> list[Plain]:
        terms = self._terms
        money, found = (
            terms.program.currency,
            by_asset(deferrals(pools, terms.points, self._as_of, terms.config.rounding)),
        )
        tables = dict.fromkeys(asset for asset, _ in terms.points)
        rows = []
        for code in tables:
            estimates = next(each for (asset, _), each in terms.points.items() if asset == code)
            estimate, asset = estimates.at(self._as_of), estimates.asset
            each = found.get(code)
            rows.append(
                {
                    "asset": code,
                    "estimate_since": terms.calendar.local(estimate.since).date().isoformat(),
                    "redeemed_estimate": _percent(estimate.rate),
                    "granted_with_sales": asset.text(each.of_sales if each else 0),
                    "redeemed": asset.text(each.used if each else 0),
                    "allocated": money.text(each.allocated if each else 0),
                    "recognised": money.text(each.recognised if each else 0),
                    "deferred": money.text(each.deferred if each else 0),
                }
            )
        return rows

    def _breakage(self, place: int, lawful: Lawful, pools: Mapping[PoolKey, Sums]) -> Plain:
        asset, law = lawful.estimates.asset, lawful.law(self._as_of)
        found = lawful.sum(pools, self._as_of)
        left = sum(units for (code, kind, _), units in self._left.items() if lawful.has(code, kind))
        dormant = sorted((day, not due, sums) for (number, day, due), sums in self._dormant.items() if number == place)
        return {
            "asset": asset.code,
            "kinds": sorted(lawful.estimates.kinds),
            "jurisdiction": law.jurisdiction,
            "law": law.cite,
            "checked": {"V": "provision", "S": "secondary source"}[law.mark],
            "unused_estimate": _percent(lawful.estimates.at(self._as_of).rate),
            "paid_in": asset.text(found.value),
            "used": asset.text(found.used),
            "expired": asset.text(found.expired),
            "outstanding": asset.text(left),
            "breakage_in_advance": asset.text(found.in_advance),
            "liability": asset.text(left - found.in_advance),
            "limited_network": self._limited_network(place, lawful),
            "dormant_after_years": lawful.years(self._as_of),
            "unclaimed": [
                {
                    "month": day.isoformat()[:7],
                    "due": not waiting,
                    "outstanding": asset.text(units),
                    "to_the_state": asset.text(state),
                }
                for day, waiting, (units, state) in dormant
            ],
        }

    def _limited_network(self, place: int, lawful: Lawful) -> Plain | None:
        """Return what was spent in a year in a limited network that the law bounds; None where it bounds none."""
        if not self._networks[place]:
            return None
        asset, units = lawful.estimates.asset, self._spent[lawful.estimates.asset.code]
        euros = in_euro(units, asset.decimals, lawful.options.euro_rate)
        return {
            "spent": asset.text(units),
            "days": DAYS,
            "euro": f"{floor(euros * 100) // 100}.{floor(euros * 100) % 100:02}",
            "most": f"{MOST}.00",
            "notify": euros > MOST,
            "law": CITES[lawful.options.jurisdiction],
        }

    def _reserve(self) -> Plain | None:
        options, asset = self._terms.config.reserve, self._terms.reserve_asset
        if options is None or asset is None:
            return None
        quarters: list[Plain] = []
        earlier = before_paid = before_used = 0
        for place, start in enumerate(self._quarters[: len(self._ends)]):
            sums = [
                each
                for key, each in self._pools.sums(place).items()
                if key.asset == asset.code and key.kind in options.kinds
            ]
            balance = sum(each.left for each in sums)
            paid_in, used = sum(each.granted for each in sums), sum(each.used for each in sums)
            if place:
                quarters.append(
                    {
                        "quarter_from": self._quarters[place - 1].isoformat(),
                        "before": start.isoformat(),
                        "paid_in": asset.text(paid_in - before_paid),
                        "used": asset.text(used - before_used),
                        "opening": asset.text(earlier),
                        "closing": asset.text(balance),
                        "required": asset.text(required_reserve(options.issuer, balance, options.covered)),
                    }
                )
            earlier, before_paid, before_used = balance, paid_in, used
        return {
            "issuer": options.issuer,
            "share": _percent(SHARES[options.issuer]),
            "asset": asset.code,
            "law": CITE,
            "covered": asset.text(options.covered),
            "quarters": quarters,
            "required": quarters[-1]["required"] if quarters else asset.text(0),
        }


def _percent(share: Fraction) -> str:
    """Write a share that has at most four decimals of a percent."""
    whole, rest = divmod(int(share * 1_000_000), 10_000)
    return f"{whole}{f'.{rest:04}'.rstrip('0').rstrip('.')}%"


def liability(engine: Engine, terms: Terms, *, as_of: int | None = None, known_at: int | None = None) -> Plain:
    """Return what customers may still ask for as of an instant (now), as far as was known at another.

    The sums over cohorts, ages and months of expiry are each what the ledger's lots hold.
    """
    until = engine.clock() if as_of is None else as_of
    report = Liability(terms, until)
    for account in grants_of_all(engine, as_of=until, known_at=known_at, sales=bool(terms.points)):
        report.add(account)
    return report.plain(known_at)
