"""From a checked syntax tree to Python code: names, kinds and operators, each mistake with its column."""

from __future__ import annotations

import ast
import operator
from typing import TYPE_CHECKING, Any, NoReturn

from stampbook.errors import ExpressionError, near
from stampbook.expressions import arithmetic
from stampbook.expressions.arithmetic import Number
from stampbook.expressions.functions import FUNCTIONS, Call, Plain, Value, condition, runtime, truth
from stampbook.expressions.reader import Tree, read
from stampbook.expressions.terms import PARAMETERS, ROOTS, Calendar, Field, Kind, Scope

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from fractions import Fraction

_SIGNS: dict[type[ast.cmpop], tuple[str, Callable[[Any, Any], bool]]] = {
    ast.Eq: ("==", operator.eq),
    ast.NotEq: ("!=", operator.ne),
    ast.Lt: ("<", operator.lt),
    ast.LtE: ("<=", operator.le),
    ast.Gt: (">", operator.gt),
    ast.GtE: (">=", operator.ge),
}
_ORDERED = frozenset({Kind.NUMBER, Kind.INSTANT})

_SUMS: dict[type[ast.operator], tuple[str, Callable[[Number, Number], Number]]] = {
    ast.Add: ("+", arithmetic.add),
    ast.Sub: ("-", arithmetic.subtract),
    ast.Mult: ("*", arithmetic.multiply),
}
_DIVISIONS: dict[type[ast.operator], tuple[str, Callable[[Number, Number, str], Number]]] = {
    ast.Div: ("/", arithmetic.divide),
    ast.FloorDiv: ("//", arithmetic.floor_divide),
    ast.Mod: ("%", arithmetic.remainder),
}


class Compiler:
    """Compiles one expression: `value` has its kind and code, `reads` the fields that it names.

    Raises:
        ExpressionError: the first mistake that was found.
    """

    def __init__(self, text: str, scope: Scope, calendar: Calendar) -> None:
        self._tree: Tree = read(text)
        self._scope = scope
        self._kept: dict[str, frozenset[str]] = {}
        self._calendar = calendar
        self.reads: set[str] = set()
        self.limited: dict[str, Field] = {}
        self._said: dict[str, str] = {}
        self.value: Value = self._compile(self._tree.root)

    def function(self, code: str) -> Callable[..., Any]:
        """Return a function of the `PARAMETERS` that evaluates `code` and can reach nothing but its helpers."""
        reachable = {
            "__builtins__": {},
            **arithmetic.RUNTIME,
            **runtime(self._calendar),
            **self._kept,
            "_by_zero": self._by_zero,
        }
        compiled = compile(f"lambda {', '.join(PARAMETERS)}: {code}", f"<expression {self._tree.text}>", "eval")
        function: Callable[..., Any] = eval(compiled, reachable)  # noqa: S307 - the code is this compiler's own
        return function

    def fail(self, message: str) -> NoReturn:
        """Raise ExpressionError about the whole expression."""
        self._tree.fail(self._tree.root, message)

    def _by_zero(self, column: int) -> NoReturn:
        message = "division by zero"
        raise ExpressionError(message, text=self._tree.text, column=column)

    def _compile(self, node: ast.expr) -> Value:
        value: Value
        match node:
            case ast.Constant():
                value = self._constant(node)
            case ast.Name():
                self._name(node)
            case ast.Attribute():
                value = self._attribute(node)
            case ast.UnaryOp():
                value = self._unary(node)
            case ast.BinOp():
                value = self._binary(node)
            case ast.BoolOp():
                value = self._boolean(node)
            case ast.IfExp():
                value = self._choice(node)
            case ast.Compare():
                value = self._comparison(node)
            case ast.List():
                value = self._list(node)
            case ast.Call():
                value = self._call(node)
            case _:
                self._tree.fail(node, _REFUSALS.get(type(node), "this cannot be used in an expression"))
        return value

    def _truth(self, node: ast.expr, whose: str) -> Plain:
        value = self._compile(node)
        if not isinstance(value, Plain) or value.kind != Kind.TRUTH:
            self._tree.fail(node, f"{whose} needs true or false here, not {value.kind.words}")
        return value

    def _number(self, node: ast.expr, whose: str) -> Number:
        value = self._compile(node)
        if not isinstance(value, Number):
            self._tree.fail(node, f"{whose} needs a number here, not {value.kind.words}")
        return value

    def _constant(self, node: ast.Constant) -> Value:
        if isinstance(node.value, bool):
            return truth(node.value)
        if isinstance(node.value, str):
            return Plain(Kind.TEXT, repr(node.value), node.value)
        return arithmetic.number(self._tree.numbers[self._tree.column(node)])

    def _name(self, node: ast.Name) -> NoReturn:
        name = node.id
        if name in self._scope:
            example = next((f", such as {name}.{field}" for field in self._scope[name]), "")
            self._tree.fail(node, f"{name!r} is not a value by itself: name one of its fields{example}")
        self._unknown_root(node)

    def _unknown_root(self, node: ast.Name) -> NoReturn:
        name, known = node.id, [root for root in ROOTS if root in self._scope]
        if name in FUNCTIONS:
            self._tree.fail(node, f"{name!r} is a function: write {FUNCTIONS[name].signature}")
        if name in ROOTS:
            self._tree.fail(node, f"{name!r} is not known here; only {_listed(known)} may be named")
        homes = [root for root in known if name in self._scope[root]]
        hint = f" (did you mean '{homes[0]}.{name}'?)" if homes else near(name, [*known, *FUNCTIONS, "True", "False"])
        self._tree.fail(node, f"no name {name!r}{hint or f'; only {_listed(known)} may be named'}")

    def _attribute(self, node: ast.Attribute) -> Value:
        parts, home = [node.attr], node.value
        while isinstance(home, ast.Attribute):
            parts.insert(0, home.attr)
            home = home.value
        if not isinstance(home, ast.Name):
            self._tree.fail(node, "a name has exactly two parts, such as order.net")
        root, name = home.id, ".".join(parts)
        if root not in self._scope:
            self._unknown_root(home)
        fields = self._scope[root]
        if len(parts) > 1 and not any("." in field for field in fields):
            self._tree.fail(node, "a name has exactly two parts, such as order.net")
        if name not in fields:
            hint = near(name, fields) or f"; {root} has {_listed(list(fields))}"
            self._tree.fail(node, f"no field '{root}.{name}'{hint}")
        return self._read(root, name, fields[name])

    def _read(self, root: str, name: str, field: Field) -> Value:
        self.reads.add(f"{root}.{name}")
        if field.only or field.never:
            self.limited[f"{root}.{name}"] = field
        code = f"({field.code})"
        if field.kind == Kind.NUMBER:
            return Number(code, arithmetic.ONE / 10**field.scale)
        told, values = f"{root}.{name}", field.values
        for other, text, possible in field.given:
            if self._said.get(other) == text:
                told, values = f"{told}, where {other} is {text!r},", possible
        return Plain(field.kind, code, values=values, name=told)

    def _unary(self, node: ast.UnaryOp) -> Value:
        if isinstance(node.op, ast.Not):
            value = self._truth(node.operand, "'not'")
            return condition(f"(not {value.code})") if value.fixed is None else truth(not value.fixed)
        if isinstance(node.op, ast.USub):
            return arithmetic.negate(self._number(node.operand, "'-'"))
        return self._number(node.operand, "'+'")

    def _binary(self, node: ast.BinOp) -> Value:
        if type(node.op) in _SUMS:
            sign, compute = _SUMS[type(node.op)]
            return compute(self._number(node.left, repr(sign)), self._number(node.right, repr(sign)))
        sign, divide = _DIVISIONS[type(node.op)]
        left, right = self._number(node.left, repr(sign)), self._number(node.right, repr(sign))
        try:
            return divide(left, right, f"_by_zero({self._tree.column(node.right)})")
        except ZeroDivisionError:
            self._tree.fail(node.right, "division by zero")

    def _boolean(self, node: ast.BoolOp) -> Value:
        word, deciding = ("and", False) if isinstance(node.op, ast.And) else ("or", True)
        outside = self._said
        if word == "and":
            self._said = {**outside, **dict(_equalities(node.values))}
        values = [self._truth(operand, repr(word)) for operand in node.values]
        self._said = outside
        codes: list[str] = []
        for value in values:
            if value.fixed is None:
                codes.append(value.code)
            elif value.fixed == deciding:
                codes.append(value.code)
                break
        if not codes:
            return truth(not deciding)
        if codes[0] == repr(deciding):
            return truth(deciding)
        return condition(f"({f' {word} '.join(codes)})")

    def _choice(self, node: ast.IfExp) -> Value:
        test = self._truth(node.test, "'if'")
        yes, no = self._compile(node.body), self._compile(node.orelse)
        if yes.kind != no.kind:
            words = f"{yes.kind.words} and {no.kind.words}"
            self._tree.fail(node, f"both outcomes of 'if' must be of one kind, not {words}")
        if test.fixed is not None:
            return yes if test.fixed else no
        if isinstance(yes, Number) and isinstance(no, Number):
            return arithmetic.choose(test.code, yes, no)
        return Plain(yes.kind, f"({yes.code} if {test.code} else {no.code})")

    def _comparison(self, node: ast.Compare) -> Value:
        if any(isinstance(op, (ast.In, ast.NotIn)) for op in node.ops):
            return self._membership(node)
        operands = [node.left, *node.comparators]
        values = [self._compile(operand) for operand in operands]
        signs = [_SIGNS[type(op)] for op in node.ops]
        for (sign, _), operand, left, right in zip(signs, operands[1:], values, values[1:], strict=False):
            self._check_comparable(sign, operand, left, right)
        for operand, value, *others in zip(operands, values, [None, *values], [*values[1:], None], strict=False):
            self._check_possible(operand, value, *others)
        known = [value.fixed for value in values]
        if None not in known:
            return truth(all(test(*pair) for (_, test), *pair in zip(signs, known, known[1:], strict=False)))
        written = [sign for sign, _ in signs]
        found = [value for value in values if isinstance(value, Number)]
        if found:
            return condition(arithmetic.compare(found, written))
        rest = " ".join(f"{sign} {value.code}" for sign, value in zip(written, values[1:], strict=True))
        return condition(f"({values[0].code} {rest})")

    def _check_comparable(self, sign: str, node: ast.expr, left: Value, right: Value) -> None:
        if left.kind != right.kind:
            self._tree.fail(node, f"cannot compare {left.kind.words} with {right.kind.words}")
        if left.kind == Kind.TEXTS:
            self._tree.fail(node, "collections of texts are not compared: use contains or any_in")
        if sign not in {"==", "!="} and left.kind not in _ORDERED:
            self._tree.fail(node, f"{sign!r} needs numbers or instants; {left.kind.words} has no order")

    def _check_possible(self, node: ast.expr, value: Value, *others: Value | None) -> None:
        """Refuse a text as written that what it is compared with can never be."""
        for other in others:
            if isinstance(other, Plain) and other.values and isinstance(value, Plain) and isinstance(value.fixed, str):
                text = value.fixed
                if text and text not in other.values:
                    hint = near(text, other.values) or f"; it may be {_listed(other.values)}"
                    self._tree.fail(node, f"{other.name} is never {text!r}{hint}")

    def _membership(self, node: ast.Compare) -> Value:
        if len(node.ops) > 1:
            self._tree.fail(node, "'in' is not chained: join comparisons with 'and'")
        value, [home] = self._compile(node.left), node.comparators
        if isinstance(value, Number) and isinstance(home, ast.List):
            members = self._fixed_numbers(home)
            test = condition(arithmetic.among(value, members)) if value.fixed is None else truth(value.fixed in members)
        else:
            texts = self._compile(home)
            if value.kind == texts.kind == Kind.TEXT:
                self._tree.fail(home, "'in' does not search within a text: use starts_with or ends_with")
            if not (value.kind == Kind.TEXT and texts.kind == Kind.TEXTS):
                words = f"{value.kind.words} and {texts.kind.words}"
                self._tree.fail(home, f"'in' needs a text and texts, or a number and a list of numbers, not {words}")
            for element in home.elts if isinstance(home, ast.List) else ():
                self._check_possible(element, self._compile(element), value)
            test = condition(f"({value.code} in {texts.code})")
        if isinstance(node.ops[0], ast.In):
            return test
        return condition(f"(not {test.code})") if test.fixed is None else truth(not test.fixed)

    def _fixed_numbers(self, node: ast.List) -> list[Fraction]:
        members = []
        for element in self._elements(node):
            value = self._compile(element)
            if not isinstance(value, Number):
                self._tree.fail(element, f"a number is compared with this list; {value.kind.words} cannot be in it")
            if value.fixed is None:
                self._tree.fail(element, "a list holds only values that stand here: compare with == and 'or'")
            members.append(value.fixed)
        return members

    def _list(self, node: ast.List) -> Plain:
        members = set()
        for element in self._elements(node):
            value = self._compile(element)
            if value.kind != Kind.TEXT:
                self._tree.fail(element, f"this list may hold only texts, not {value.kind.words}")
            if not isinstance(value.fixed, str):
                self._tree.fail(element, "a list holds only values that stand here: compare with == and 'or'")
            members.add(value.fixed)
        name = f"_texts{len(self._kept)}"
        self._kept[name] = frozenset(members)
        return Plain(Kind.TEXTS, name, self._kept[name])

    def _elements(self, node: ast.List) -> Sequence[ast.expr]:
        if not node.elts:
            self._tree.fail(node, "the list is empty")
        return node.elts

    def _call(self, node: ast.Call) -> Value:
        if not isinstance(node.func, ast.Name):
            self._tree.fail(node, "only a function of the language can be called")
        name = node.func.id
        function = FUNCTIONS.get(name)
        if function is None:
            self._tree.fail(node, f"no function {name!r}{near(name, FUNCTIONS)}")
        if not function.takes_count(len(node.args)):
            self._tree.fail(node, f"{name} takes {function.arity}, not {len(node.args)}: {function.signature}")
        values = []
        for position, argument in enumerate(node.args):
            kind = function.takes[min(position, len(function.takes) - 1)]
            value = self._compile(argument)
            if value.kind != kind:
                self._tree.fail(argument, f"{name} needs {kind.words} here, not {value.kind.words}")
            values.append(value)
        call = Call(
            self._calendar,
            lambda position, message: self._tree.fail(node.args[position], message),
            lambda: self._event_at(node),
        )
        return function.emit(call, *values)

    def _event_at(self, node: ast.Call) -> Plain:
        field = self._scope.get("event", {}).get("at")
        value = self._read("event", "at", field) if field else None
        if not isinstance(value, Plain) or value.kind != Kind.INSTANT:
            self._tree.fail(node, "days_since needs event.at, which is not known here")
        return value


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "nothing"


_REFUSALS: dict[type[ast.expr], str] = {
    ast.Tuple: "a comma stands only in a list, [1, 2], or between arguments; decimals have a point",
    ast.Subscript: "square brackets only write a list",
    ast.Starred: "'*' needs a number before it",
}


def _equalities(nodes: Sequence[ast.expr]) -> Iterator[tuple[str, str]]:
    """Yield name and text of conditions such as ``event.scheme == 'rfm'``: what holds wherever all of them do."""
    for node in nodes:
        match node:
            case ast.Compare(ast.Attribute(ast.Name(root), name), [ast.Eq()], [ast.Constant(str(text))]) | ast.Compare(
                ast.Constant(str(text)), [ast.Eq()], [ast.Attribute(ast.Name(root), name)]
            ):
                yield f"{root}.{name}", text
            case _:
                pass
