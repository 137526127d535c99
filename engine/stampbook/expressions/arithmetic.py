"""Exact arithmetic as code: a number is code that yields a whole number, times a factor known beforehand.

``order.net * 1.5 / 10``, with net in cents, is the code ``order.net`` times the factor 3/2000: nothing is
left to compute, and its floor is ``(order.net * 3) // 2000``. Only a division by what is not known beforehand
leaves this form; its code yields a pair, numerator and positive denominator, and small helpers go on with
the pair. No step ever makes a binary float.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any, ClassVar

from stampbook.expressions.terms import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

Pair = tuple[int, int]

ONE = Fraction(1)
_PLAIN_DIGITS = 10**18


@dataclass(frozen=True, slots=True)
class Number:
    """A number: what `code` yields times `factor`; without code, `factor` itself.

    Attributes:
        code: yields a whole number or, if `pair`, a numerator and a positive denominator.
        factor: known when the expression is compiled.
        pair: which of the two the code yields.
    """

    code: str
    factor: Fraction = ONE
    pair: bool = False
    kind: ClassVar[Kind] = Kind.NUMBER

    @property
    def fixed(self) -> Fraction | None:
        """The value, if it is known when the expression is compiled."""
        return None if self.code else self.factor


def number(value: Fraction | int) -> Number:
    """Return a number known when the expression is compiled."""
    return Number("", Fraction(value))


def align(values: Sequence[Number]) -> tuple[list[str], Fraction, bool]:
    """Return the codes of `values` as multiples of one common unit, the unit, and whether they are pairs."""
    unit = _common_unit(values)
    pair = any(value.pair for value in values)
    return [_multiple(value, unit, pair=pair) for value in values], unit, pair


def exact(value: Number) -> str:
    """Return code that yields `value` as numerator and positive denominator."""
    if value.pair:
        return _scaled(value.code, value.factor)
    return f"({_times(value.code, value.factor.numerator)}, {_literal(value.factor.denominator)})"


def negate(value: Number) -> Number:
    """Return minus `value`."""
    return replace(value, factor=-value.factor)


def add(left: Number, right: Number) -> Number:
    """Return the sum."""
    if left.fixed is not None and right.fixed is not None:
        return number(left.factor + right.factor)
    if not left.factor and not left.code:
        return right
    if not right.factor and not right.code:
        return left
    if right.factor < 0 and not (left.pair or right.pair):
        (first, second), unit, _ = align((left, negate(right)))
        return Number(f"({first} - {second})", unit)
    (first, second), unit, pair = align((left, right))
    return Number(f"_plus({first}, {second})" if pair else f"({first} + {second})", unit, pair)


def subtract(left: Number, right: Number) -> Number:
    """Return the difference."""
    return add(left, negate(right))


def multiply(left: Number, right: Number) -> Number:
    """Return the product."""
    factor = left.factor * right.factor
    if left.fixed is not None:
        return replace(right, factor=factor)
    if right.fixed is not None:
        return replace(left, factor=factor)
    if left.pair or right.pair:
        return Number(f"_product({_as_pair(left)}, {_as_pair(right)})", factor, pair=True)
    return Number(f"({left.code} * {right.code})", factor)


def divide(left: Number, right: Number, by_zero: str) -> Number:
    """Return the quotient; `by_zero` is code that raises.

    Raises:
        ZeroDivisionError: the divisor is zero whatever the expression reads.
    """
    factor = left.factor / right.factor
    if right.fixed is not None:
        return replace(left, factor=factor)
    if left.pair or right.pair:
        return Number(f"(_quotient({_as_pair(left)}, {_as_pair(right)}) or {by_zero})", factor, pair=True)
    return Number(f"(_ratio({left.code or '1'}, {right.code}) or {by_zero})", factor, pair=True)


def floor_divide(left: Number, right: Number, by_zero: str) -> Number:
    """Return the floor of the quotient; see `divide`."""
    if right.fixed is not None or left.pair or right.pair or not right.factor:
        return floor(divide(left, right, by_zero))
    (first, second), _, _ = align((left, right))
    return Number(f"({first} // ({second} or {by_zero}))")


def remainder(left: Number, right: Number, by_zero: str) -> Number:
    """Return what floor division leaves, which has the sign of the divisor; `by_zero` is code that raises.

    Raises:
        ZeroDivisionError: the divisor is zero whatever the expression reads.
    """
    if not right.factor:
        raise ZeroDivisionError
    if left.fixed is not None and right.fixed is not None:
        return number(left.fixed % right.fixed)
    (first, second), unit, pair = align((left, right))
    if pair:
        return Number(f"(_remainder({first}, {second}) or {by_zero})", unit, pair)
    return Number(f"({first} % {second if right.fixed is not None else f'({second} or {by_zero})'})", unit)


def floor(value: Number) -> Number:
    """Return the greatest whole number up to `value`."""
    if value.fixed is not None:
        return number(math.floor(value.fixed))
    if value.pair:
        return Number(f"_floor({_scaled(value.code, value.factor)})")
    if value.factor.denominator == 1:
        return value
    return Number(f"({_times(value.code, value.factor.numerator)} // {_literal(value.factor.denominator)})")


def ceil(value: Number) -> Number:
    """Return the least whole number from `value` on."""
    return negate(floor(negate(value)))


def half_up(value: Number, digits: int) -> Number:
    """Return `value` rounded to `digits` after the point, halves away from zero."""
    step = Fraction(10) ** -digits
    scaled = replace(value, factor=value.factor / step)
    if scaled.fixed is not None:
        return number(_half_up((scaled.fixed.numerator, scaled.fixed.denominator)) * step)
    if not scaled.pair and scaled.factor.denominator == 1:
        return value
    return Number(f"_half_up({exact(scaled)})", step)


def absolute(value: Number) -> Number:
    """Return `value` without its sign."""
    if value.fixed is not None:
        return number(abs(value.fixed))
    code = f"_size({value.code})" if value.pair else f"_abs({value.code})"
    return Number(code, abs(value.factor), value.pair)


def least(values: Sequence[Number]) -> Number:
    """Return the smallest of `values`."""
    return _pick(values, min, "min")


def greatest(values: Sequence[Number]) -> Number:
    """Return the largest of `values`."""
    return _pick(values, max, "max")


def choose(test: str, yes: Number, no: Number) -> Number:
    """Return `yes` where the code `test` holds, else `no`."""
    (first, second), unit, pair = align((yes, no))
    return Number(f"({first} if {test} else {second})", unit, pair)


def among(value: Number, members: Sequence[Fraction]) -> str:
    """Return code for whether `value` is one of `members`."""
    unit = _common_unit([value, *map(number, members)])
    code = _multiple(value, unit, pair=value.pair)
    wanted = ", ".join(_literal(int(member / unit)) for member in members)
    return f"_among({code}, ({wanted},))" if value.pair else f"({code} in {{{wanted}}})"


def compare(values: Sequence[Number], signs: Sequence[str]) -> str:
    """Return code for a chain of comparisons, as in ``a < b <= c``; each value is computed once at most."""
    codes, _, pair = align(values)
    if not pair:
        rest = " ".join(f"{sign} {code}" for sign, code in zip(signs, codes[1:], strict=True))
        return f"({codes[0]} {rest})"
    left, tests = codes[0], []
    for position, (sign, code) in enumerate(zip(signs, codes[1:], strict=True), start=1):
        kept = f"_pair{position}"
        right = code if position == len(signs) else f"({kept} := {code})"
        tests.append(f"_difference({left}, {right}) {sign} 0")
        left = kept
    return f"({' and '.join(tests)})"


def _pick(values: Sequence[Number], pick: Callable[[list[Fraction]], Fraction], name: str) -> Number:
    fixed = [value.fixed for value in values if value.fixed is not None]
    if len(fixed) == len(values):
        return number(pick(fixed))
    codes, unit, pair = align(values)
    return Number(f"_{name}{'_pair' if pair else ''}({', '.join(codes)})", unit, pair)


def _common_unit(values: Sequence[Number]) -> Fraction:
    top, bottom = 0, 1
    for value in values:
        factor = value.factor
        top = math.gcd(top * factor.denominator, factor.numerator * bottom)
        bottom *= factor.denominator
        common = math.gcd(top, bottom)
        top, bottom = top // common, bottom // common
    return Fraction(top, bottom) if top else ONE


def _multiple(value: Number, unit: Fraction, *, pair: bool) -> str:
    times = value.factor / unit
    if value.pair:
        return _scaled(value.code, times)
    code = _times(value.code, times.numerator)
    return f"({code}, 1)" if pair else code


def _as_pair(value: Number) -> str:
    return value.code if value.pair else f"({value.code or '1'}, 1)"


def _scaled(code: str, factor: Fraction) -> str:
    if factor == 1:
        return code
    return f"_scale({code}, {_literal(factor.numerator)}, {_literal(factor.denominator)})"


def _times(code: str, factor: int) -> str:
    if not code:
        return _literal(factor)
    return code if factor == 1 else f"({code} * {_literal(factor)})"


def _literal(value: int) -> str:
    # Python refuses to read or write thousands of decimal digits, but not of hexadecimal ones.
    digits = str(value) if -_PLAIN_DIGITS < value < _PLAIN_DIGITS else hex(value)
    return f"({digits})" if value < 0 else digits


def _ratio(numerator: int, denominator: int) -> Pair | None:
    if denominator > 0:
        return numerator, denominator
    return (-numerator, -denominator) if denominator else None


def _quotient(left: Pair, right: Pair) -> Pair | None:
    return _ratio(left[0] * right[1], left[1] * right[0])


def _plus(left: Pair, right: Pair) -> Pair:
    return left[0] * right[1] + right[0] * left[1], left[1] * right[1]


def _product(left: Pair, right: Pair) -> Pair:
    return left[0] * right[0], left[1] * right[1]


def _scale(value: Pair, numerator: int, denominator: int) -> Pair:
    return value[0] * numerator, value[1] * denominator


def _remainder(left: Pair, right: Pair) -> Pair | None:
    divisor = right[0] * left[1]
    return (left[0] * right[1] % divisor, left[1] * right[1]) if divisor else None


def _difference(left: Pair, right: Pair) -> int:
    return left[0] * right[1] - right[0] * left[1]


def _floor(value: Pair) -> int:
    return value[0] // value[1]


def _half_up(value: Pair) -> int:
    numerator, denominator = value
    # One less for negative numbers moves only exact halves, which then go away from zero.
    return (2 * numerator + denominator - (numerator < 0)) // (2 * denominator)


def _size(value: Pair) -> Pair:
    return abs(value[0]), value[1]


def _min_pair(first: Pair, *others: Pair) -> Pair:
    for other in others:
        if _difference(other, first) < 0:
            first = other
    return first


def _max_pair(first: Pair, *others: Pair) -> Pair:
    for other in others:
        if _difference(other, first) > 0:
            first = other
    return first


def _among(value: Pair, members: tuple[int, ...]) -> bool:
    whole, rest = divmod(value[0], value[1])
    return not rest and whole in members


RUNTIME: dict[str, Any] = {
    "_abs": abs,
    "_min": min,
    "_max": max,
    **{
        helper.__name__: helper
        for helper in (
            _ratio, _quotient, _plus, _product, _scale, _remainder, _difference,
            _floor, _half_up, _size, _min_pair, _max_pair, _among,
        )
    },
}  # fmt: skip
"""What the code of this module calls, by name."""
