"""Between which numbers a formula lies, whatever happens: to find rules that can never grant anything.

What is known of the fields is that nothing in an order is below zero. The rest is interval arithmetic on the text of
the formula, and where that says nothing, anything is possible.
"""

from __future__ import annotations

import ast
import math
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from pydantic import BaseModel

from stampbook.expressions import Formula
from stampbook.expressions.reader import Tree, read

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stampbook.registry import Registry
    from stampbook.toml_lines import Path

Bound = Fraction | float
"""An exact number, or an infinity."""


class Range(NamedTuple):
    """The least and the largest that a number can be."""

    low: Bound
    high: Bound


_ANY = Range(-math.inf, math.inf)
_NOT_BELOW_ZERO = Range(Fraction(0), math.inf)
_OF_ORDERS = {"order", "line"}


def idle_formulas(registry: Registry) -> Iterator[tuple[Path, str]]:
    """Yield the place in the program of each `earn` that is never above zero, and its text."""
    for number, plugin in enumerate(registry.plugins):
        for name, field in type(plugin.config).model_fields.items():
            tables = getattr(plugin.config, name)
            for position, table in enumerate(tables if isinstance(tables, tuple) else ()):
                earn = getattr(table, "earn", None) if isinstance(table, BaseModel) else None
                if isinstance(earn, Formula) and range_of(earn.text).high <= 0:
                    yield ("plugin", number, field.alias or name, position, "earn"), earn.text


def range_of(text: str) -> Range:
    """Return between which numbers a formula lies."""
    tree = read(text)
    return _range(tree, tree.root)


def _range(tree: Tree, node: ast.expr) -> Range:  # noqa: PLR0911 - one case a kind of part
    match node:
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool):
            exact = tree.numbers.get(tree.column(node))
            return _ANY if exact is None else Range(exact, exact)
        case ast.Attribute(value=ast.Name(id=root)) if root in _OF_ORDERS:
            return _NOT_BELOW_ZERO
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            inner = _range(tree, operand)
            return Range(-inner.high, -inner.low)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _range(tree, operand)
        case ast.BinOp(left=left, op=op, right=right):
            return _joined(op, _range(tree, left), _range(tree, right))
        case ast.IfExp(body=body, orelse=other):
            ranges = [_range(tree, body), _range(tree, other)]
            return Range(min(each.low for each in ranges), max(each.high for each in ranges))
        case ast.Call(func=ast.Name(id=name), args=arguments):
            return _called(name, [_range(tree, argument) for argument in arguments])
    return _ANY


def _joined(op: ast.operator, left: Range, right: Range) -> Range:
    match op:
        case ast.Add():
            return Range(left.low + right.low, left.high + right.high)
        case ast.Sub():
            return Range(left.low - right.high, left.high - right.low)
        case ast.Mult():
            corners = [_times(one, other) for one in left for other in right]
            return Range(min(corners), max(corners))
        case ast.Div() | ast.FloorDiv() if right.low >= 0:
            return _signs(left)
        case ast.Div() if right.high <= 0:
            return _signs(Range(-left.high, -left.low))
    return _ANY


def _times(one: Bound, other: Bound) -> Bound:
    return Fraction(0) if 0 in {one, other} else one * other


def _signs(number: Range) -> Range:
    """Return what is known of a number when only the sign of another is."""
    return Range(Fraction(0) if number.low >= 0 else -math.inf, Fraction(0) if number.high <= 0 else math.inf)


def _called(name: str, arguments: Sequence[Range]) -> Range:
    match name:
        case "min":
            return Range(min(each.low for each in arguments), min(each.high for each in arguments))
        case "max":
            return Range(max(each.low for each in arguments), max(each.high for each in arguments))
        case "floor" | "round":
            return _signs(arguments[0])
        case "abs":
            return _NOT_BELOW_ZERO
    return _ANY
