"""Conditions and formulas of a program file: a small typed language, checked before it runs.

An expression looks like Python and is much less: fields such as ``order.net`` and ``metric.spend``, numbers,
quoted texts, ``True``, ``False``, lists of fixed texts or numbers, and

* on numbers ``+ - * / // %``, where ``//`` and ``%`` round towards minus infinity;
* ``== != < <= > >=``, also chained as in ``5 <= order.net < 10``; texts have no order;
* ``in`` and ``not in``: a text among texts, never a part of a text, or a number among numbers;
* ``and``, ``or``, ``not``, ``a if condition else b``, brackets, and calls of the `FUNCTIONS`.

Days of the week are numbers: ``weekday(event.at) in [6, 7]`` is a weekend. A line break is a space. A text
stands between single or double quotes and means exactly what it shows; there are no escapes.

**Kinds.** Every value is of one `Kind` and kinds never mix, so each mistake is found, with its column, when
the program is read.

**Exact.** A number is a ratio of whole numbers of any length, never a binary float: ``0.1 + 0.2 == 0.3``.
A field knows its scale, so ``order.net >= 5`` is five pounds although net counts pence. A division by zero
that is certain is a mistake of the program; any other raises ExpressionError when it happens.

**Bounded.** An expression has at most 4,000 characters, 500 parts and 60 levels, and a number as written is
a ratio of whole numbers of 64 bits. There are no loops, powers or joined texts. A result is no longer than
all numbers together that went into it: with fields of 64 bits, always less than 65,536 bits.

**Closed.** Compiled code reaches the fields of its scope and the helpers of this language, and no builtins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stampbook.expressions.arithmetic import Number, exact
from stampbook.expressions.compiler import Compiler
from stampbook.expressions.functions import FUNCTIONS, Function
from stampbook.expressions.terms import PARAMETERS, ROOTS, Calendar, Field, Kind, Scope

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "FUNCTIONS",
    "PARAMETERS",
    "ROOTS",
    "Calendar",
    "Condition",
    "Field",
    "Formula",
    "Function",
    "Kind",
    "Label",
    "Nameable",
    "Scope",
    "compile_condition",
    "compile_formula",
    "compile_label",
    "describe",
]


@dataclass(frozen=True, slots=True)
class Condition:
    """A compiled expression that is true or false.

    Attributes:
        text: as it was written.
        reads: the fields that it names, such as ``order.net``.
        test: evaluates it; takes the `PARAMETERS` by position.
        limited: those of the fields that only some kinds of event have.
    """

    text: str
    reads: frozenset[str]
    test: Callable[[Any, Any, Any, Any, Any], bool]
    limited: tuple[tuple[str, Field], ...] = ()


@dataclass(frozen=True, slots=True)
class Formula:
    """A compiled expression that is a number.

    Attributes:
        text: as it was written.
        reads: the fields that it names, such as ``order.net``.
        ratio: evaluates it to a numerator and a positive denominator, not always in lowest terms; takes the
            `PARAMETERS` by position.
        limited: those of the fields that only some kinds of event have.
    """

    text: str
    reads: frozenset[str]
    ratio: Callable[[Any, Any, Any, Any, Any], tuple[int, int]]
    limited: tuple[tuple[str, Field], ...] = ()


@dataclass(frozen=True, slots=True)
class Label:
    """A compiled expression that is a text.

    Attributes:
        text: as it was written.
        reads: the fields that it names, such as ``line.category``.
        value: evaluates it; takes the `PARAMETERS` by position.
        limited: those of the fields that only some kinds of event have.
    """

    text: str
    reads: frozenset[str]
    value: Callable[[Any, Any, Any, Any, Any], str]
    limited: tuple[tuple[str, Field], ...] = ()


@dataclass(frozen=True, slots=True)
class Nameable:
    """A field that may be named in a scope, for docs, editors and the command line."""

    root: str
    field: str
    kind: Kind
    about: str


def compile_condition(text: str, scope: Scope, calendar: Calendar) -> Condition:
    """Compile an expression that must be true or false.

    Raises:
        ExpressionError: the first mistake that was found, with its column.
    """
    compiler = Compiler(text, scope, calendar)
    value = compiler.value
    if value.kind != Kind.TRUTH:
        compiler.fail(f"a condition must be true or false; this is {value.kind.words}")
    return Condition(text, frozenset(compiler.reads), compiler.function(value.code), _limited(compiler))


def compile_formula(text: str, scope: Scope, calendar: Calendar) -> Formula:
    """Compile an expression that must be a number.

    Raises:
        ExpressionError: the first mistake that was found, with its column.
    """
    compiler = Compiler(text, scope, calendar)
    value = compiler.value
    if not isinstance(value, Number):
        compiler.fail(f"a formula must be a number; this is {value.kind.words}")
    return Formula(text, frozenset(compiler.reads), compiler.function(exact(value)), _limited(compiler))


def compile_label(text: str, scope: Scope, calendar: Calendar) -> Label:
    """Compile an expression that must be a text.

    Raises:
        ExpressionError: the first mistake that was found, with its column.
    """
    compiler = Compiler(text, scope, calendar)
    value = compiler.value
    if isinstance(value, Number) or value.kind != Kind.TEXT:
        compiler.fail(f"this must be a text; it is {value.kind.words}")
    return Label(text, frozenset(compiler.reads), compiler.function(value.code), _limited(compiler))


def _limited(compiler: Compiler) -> tuple[tuple[str, Field], ...]:
    return tuple((name, compiler.limited[name]) for name in sorted(compiler.limited))


def describe(scope: Scope) -> tuple[Nameable, ...]:
    """List what may be named in `scope`; the `FUNCTIONS`, which may be called, are the same everywhere."""
    return tuple(
        Nameable(root, name, field.kind, field.about) for root in ROOTS for name, field in scope.get(root, {}).items()
    )
