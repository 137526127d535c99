"""What was expected when: dated estimates, read once, as exact fractions."""

from __future__ import annotations

from bisect import bisect_right
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from stampbook import PluginError, near

if TYPE_CHECKING:
    from stampbook import Asset, Context
    from stampbook_liability.config import LiabilityConfig


def share(percent: str) -> Fraction:
    """Read ``95%`` as an exact fraction."""
    return Fraction(percent.removesuffix("%")) / 100


class Estimate(NamedTuple):
    """What is expected from an instant on.

    `rate` is the part of points that is redeemed, or of stored value that is not used; `price` is what a smallest unit
    of points that is redeemed sells for, in smallest units of money.
    """

    since: int
    rate: Fraction
    price: Fraction = Fraction(0)


class Estimates:
    """The estimates of one asset, in the order of their instants; the first holds for all that was before it, too."""

    def __init__(self, asset: Asset, kinds: tuple[str, ...], estimates: list[Estimate]) -> None:
        self.asset = asset
        self.kinds = frozenset(kinds)
        self.all = estimates
        self._starts = [each.since for each in estimates]

    def at(self, instant: int) -> Estimate:
        """Return what was expected at an instant."""
        return self.all[max(0, bisect_right(self._starts, instant) - 1)]

    def changes(self, after: int, until: int) -> list[int]:
        """Return the instants at which a new estimate began, after one instant and up to another."""
        return [each.since for each in self.all[1:] if after < each.since <= until]


def of_points(config: LiabilityConfig, program: Context) -> dict[tuple[str, str], Estimates]:
    """Return the estimates of points by asset and kind of lot.

    Raises:
        PluginError: an asset is none of the program's, or is money.
    """
    found: dict[tuple[str, str], Estimates] = {}
    money = 10**program.currency.decimals
    for number, each in enumerate(config.points, 1):
        asset = _asset(program, each.asset, f"points[{number}].asset")
        if asset.is_currency:
            raise PluginError(f"points[{number}].asset: {asset.code} is money; put it under stored_value")
        estimates: list[Estimate] = []
        price = Fraction(0)
        for one in each.estimate:
            if one.selling_price is not None:
                price = Fraction(one.selling_price) * money / 10**asset.decimals
            estimates.append(Estimate(one.since, share(one.redeemed), price))
        of_asset = Estimates(asset, each.kinds, estimates)
        found.update({(asset.code, kind): of_asset for kind in each.kinds})
    return found


def of_value(config: LiabilityConfig, program: Context) -> list[Estimates]:
    """Return the estimates of stored value, table by table; without any nothing is expected to stay unused.

    Raises:
        PluginError: an asset is none of the program's, or is no money.
    """
    found: list[Estimates] = []
    for number, each in enumerate(config.stored_value, 1):
        asset = money_of(program, each.asset, f"stored_value[{number}].asset")
        estimates = [Estimate(one.since, share(one.unused)) for one in each.estimate]
        found.append(Estimates(asset, each.kinds, estimates or [Estimate(0, Fraction(0))]))
    return found


def money_of(program: Context, code: str | None, place: str) -> Asset:
    """Return a currency of the program.

    Raises:
        PluginError: it has none of that code.
    """
    asset = _asset(program, program.currency.code if code is None else code, place)
    if not asset.is_currency:
        raise PluginError(f"{place}: {asset.code} is no currency; put it under points")
    return asset


def _asset(program: Context, code: str, place: str) -> Asset:
    if code not in program.assets:
        known = ", ".join(program.assets)
        raise PluginError(
            f"{place}: {code!r} is not an asset of the program{near(code, program.assets)}; it has {known}"
        )
    return program.assets[code]
