"""Assets, exact whole-number amounts, rounding by name, and splits that never lose a unit."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import TYPE_CHECKING

from stampbook.errors import AmountError, near

if TYPE_CHECKING:
    from collections.abc import Sequence

LARGEST = 10**15
"""The largest amount of one posting, in smallest units; sums of thousands of them still fit 64 bits."""

LARGEST_BALANCE = 2**63 - 1

_PLAIN = re.compile(r"[+-]?[0-9]{1,20}(?:\.[0-9]{1,12})?", re.ASCII)
_TOO_LARGE = re.compile(r"[+-]?[0-9]{21,}(?:\.[0-9]*)?", re.ASCII)
_TOO_EXACT = re.compile(r"[+-]?[0-9]{1,20}\.[0-9]{13,}", re.ASCII)

_CURRENCIES_BY_DECIMALS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    2: (
        "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY COP CRC "
        "CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR "
        "JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD "
        "NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN "
        "SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES WST XCD XCG YER ZAR ZMW ZWG"
    ),
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
CURRENCIES = {code: decimals for decimals, codes in _CURRENCIES_BY_DECIMALS.items() for code in codes.split()}
"""ISO 4217 active currencies and the decimals of their minor unit."""


@dataclass(frozen=True, slots=True)
class Asset:
    """What is counted: a currency or a points unit, in whole numbers of its smallest unit.

    `debt` says whether an account may owe it.
    """

    code: str
    decimals: int = 0
    debt: bool = False

    @property
    def is_currency(self) -> bool:
        """Whether the code is an ISO 4217 currency."""
        return self.code in CURRENCIES

    def units(self, value: object) -> int:
        """Read `value` (decimal text, int or float in whole units) as smallest units; see `read_units`."""
        return read_units(value, self.decimals)

    def text(self, units: int) -> str:
        """Write smallest units as decimal text, without grouping: 1250 of GBP is ``12.50``."""
        return write_units(units, self.decimals)

    def told(self, units: int) -> str:
        """Write smallest units with what they are, for a person: ``12.50 GBP``, ``2 points``, ``1 point``."""
        return counted(write_units(units, self.decimals), self.code)


def counted(number: str, things: str) -> str:
    """Write a number with what it counts, which is named in the plural: ``2 points``, ``1 point``, ``-1 point``.

    A name that is no English plural is left as it is.
    """
    if number.lstrip("+-") == "1" and things.endswith("s") and not things.endswith(("ss", "us", "is")):
        if things.endswith("ies"):
            things = f"{things[:-3]}y"
        else:
            things = things[:-2] if things.endswith(("ches", "shes", "sses", "xes")) else things[:-1]
    return f"{number} {things}"


def currency(code: str) -> Asset:
    """Return the currency of an ISO 4217 code.

    Raises:
        AmountError: the code is not an active ISO 4217 currency.
    """
    try:
        return Asset(code, CURRENCIES[code])
    except KeyError:
        message = f"{code!r} is not an ISO 4217 currency{near(code.upper(), CURRENCIES)}"
        raise AmountError(message) from None


def read_units(value: object, decimals: int) -> int:
    """Read an amount written in whole units as a whole number of smallest units, exactly.

    Args:
        value: decimal text such as ``"12.50"``, an int, a Decimal, or a float whose shortest decimal form
            has no more digits than the asset.
        decimals: digits after the point that the asset has.

    Raises:
        AmountError: not a plain decimal number, more digits than the asset has, or beyond `LARGEST`.
    """
    text = value if isinstance(value, str) else _plain_text(value)
    if not _PLAIN.fullmatch(text):
        raise AmountError(_why_not(value, text, decimals))
    whole, _, fraction = text.partition(".")
    digits = fraction.rstrip("0")
    if len(digits) > decimals:
        message = f"{_short(text)} has more than {_places(decimals)}"
        raise AmountError(message)
    units = int(whole + digits.ljust(decimals, "0")) if decimals else int(whole)
    if not -LARGEST <= units <= LARGEST:
        raise AmountError(_larger(text, decimals))
    return units


def write_units(units: int, decimals: int) -> str:
    """Write smallest units as plain decimal text with exactly `decimals` digits after the point."""
    if not decimals:
        return str(units)
    sign = "-" if units < 0 else ""
    digits = str(abs(units)).rjust(decimals + 1, "0")
    return f"{sign}{digits[:-decimals]}.{digits[-decimals:]}"


def amount_text(units: int, asset: Asset) -> str:
    """Write an amount with its asset for a person: ``12.50 GBP``."""
    return asset.told(units)


def _plain_text(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        message = f"{_short(repr(value))} is not an amount; write a decimal number in quotes such as '12.50'"
        raise AmountError(message)
    try:
        if isinstance(value, int):
            return str(value)
        number = Decimal(repr(value)) if isinstance(value, float) else value
        if not number.is_finite() or abs(number.adjusted()) > 30:  # noqa: PLR2004 - far beyond LARGEST
            return str(value)
        return f"{number:f}"
    except (InvalidOperation, ValueError):
        return "a number of too many digits"


def _why_not(value: object, text: str, decimals: int) -> str:
    if _TOO_LARGE.fullmatch(text):
        return _larger(text, decimals)
    if not _TOO_EXACT.fullmatch(text):
        return f"{_short(text)} is not an amount; write a plain decimal number such as '12.50'"
    if isinstance(value, float):
        near_by = f"{value:.{decimals}f}"
        return f"{_short(text)} is a float, with more than {_places(decimals)}; send decimal text such as {near_by!r}"
    return f"{_short(text)} has more than {_places(decimals)}"


def _larger(text: str, decimals: int) -> str:
    return f"{_short(text)} is larger than any amount that is kept ({write_units(LARGEST, decimals)})"


def _places(decimals: int) -> str:
    return f"{decimals} decimal{'' if decimals == 1 else 's'}"


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:37] + "…")  # noqa: PLR2004 - one line stays one line


class Rounding(StrEnum):
    """How an exact ratio becomes a whole number of units."""

    FLOOR = "floor"
    CEIL = "ceil"
    HALF_UP = "half_up"
    HALF_EVEN = "half_even"


def divide(numerator: int, denominator: int, rounding: Rounding | str = Rounding.FLOOR) -> int:
    """Return ``numerator / denominator`` rounded by name; the denominator is positive.

    ``half_up`` rounds halves away from zero, ``floor`` towards minus infinity.
    """
    quotient, rest = divmod(numerator, denominator)
    if not rest or rounding == Rounding.FLOOR:
        return quotient
    if rounding == Rounding.CEIL:
        return quotient + 1
    twice = 2 * rest
    if twice != denominator:
        return quotient + (twice > denominator)
    if rounding == Rounding.HALF_EVEN:
        return quotient + (quotient & 1)
    return quotient + (numerator > 0)


class Remainder(StrEnum):
    """Who gets the units that an even split leaves over."""

    LARGEST_REMAINDER = "largest_remainder"
    FIRST = "first"
    LAST = "last"


def split(total: int, weights: Sequence[int], remainder: Remainder | str = Remainder.LARGEST_REMAINDER) -> list[int]:
    """Split `total` in proportion to non-negative `weights`; the parts always sum to `total`.

    Each part is its exact share rounded towards zero, and the units left over go, one each, to the largest
    remainders (the earlier part on a tie), or all to the first or the last part that has a weight.

    Raises:
        AmountError: no weight is positive, or one is negative, while there is something to split.
    """
    whole = sum(weights)
    if not total:
        return [0] * len(weights)
    if whole <= 0 or min(weights) < 0:
        message = f"cannot split {total} over weights that are not positive"
        raise AmountError(message)
    sign, size = (1, total) if total > 0 else (-1, -total)
    parts = [size * weight // whole for weight in weights]
    left = size - sum(parts)
    if left:
        weighted = [place for place, weight in enumerate(weights) if weight]
        if remainder == Remainder.FIRST:
            parts[weighted[0]] += left
        elif remainder == Remainder.LAST:
            parts[weighted[-1]] += left
        else:
            weighted.sort(key=lambda place: (-(size * weights[place] % whole), place))
            for place in weighted[:left]:
                parts[place] += 1
    return [sign * part for part in parts]


def portion(whole_amount: int, part: int, whole: int, before: int, rounding: Rounding | str = Rounding.FLOOR) -> int:
    """Return what is due now of `whole_amount` when `part` of `whole` has come so far and `before` was given.

    Rounding acts on the running total, so any number of parts that reach the whole give the whole exactly.
    """
    if part >= whole:
        return whole_amount - before
    return max(0, divide(whole_amount * part, whole, rounding) - before)
