"""The types of the options of programs and plugins: texts, which are read against the program's context."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from pydantic_core import core_schema

from stampbook.amounts import read_units
from stampbook.errors import AmountError, ExpressionError, PeriodError, near
from stampbook.expressions import Condition, Formula, Label, compile_condition, compile_formula, compile_label
from stampbook.periods import Period, Window
from stampbook.population_names import population_scope
from stampbook.validity import Validity
from stampbook.vocabulary import refuse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pydantic import ValidationInfo

    from stampbook.vocabulary import Context


class _Reads:
    """How pydantic reads a field that is text in the file: a validator, and its JSON Schema."""

    def __init__(self, read: Callable[[str, Context], object], schema: dict[str, Any]) -> None:
        self._read = read
        self._schema = schema

    def __get_pydantic_core_schema__(self, source: object, handler: object) -> core_schema.CoreSchema:
        text = core_schema.plain_serializer_function_ser_schema(_text_of, return_schema=core_schema.str_schema())
        return core_schema.with_info_plain_validator_function(self._validate, serialization=text)

    def __get_pydantic_json_schema__(self, schema: object, handler: object) -> dict[str, Any]:
        return dict(self._schema)

    def _validate(self, value: object, info: core_schema.ValidationInfo) -> object:
        if not isinstance(value, str):
            refuse(f"{value!r} is not text; write it in quotes")
        context: Any = info.context
        try:
            return self._read(str(value), context)
        except (ExpressionError, PeriodError, AmountError) as error:
            refuse(str(error))


def check_values(info: ValidationInfo, fact: str, values: Iterable[str]) -> None:
    """Refuse, from within a validator, values that a fact of accounts can never have; names what is near."""
    context: Context | None = info.context
    known = None if context is None else context.scope["account"].get(fact)
    possible = () if known is None else known.values
    for value in values:
        if possible and value not in possible:
            hint = near(value, possible) or f"; it may be {', '.join(possible)}"
            refuse(f"account.{fact} is never {value!r}{hint}")


def _text_of(value: object) -> str:
    return getattr(value, "text", None) or str(value)


def _within(roots: tuple[str, ...], compiler: Callable[..., object]) -> Callable[[str, Context], object]:
    def read(text: str, context: Context) -> object:
        return compiler(text, {root: context.scope[root] for root in roots}, context.calendar)

    return read


_ORDER_ROOTS = ("event", "order", "account", "metric", "balance")
_LINE_ROOTS = ("event", "order", "line", "account", "metric", "balance")
_CONDITION = {"type": "string", "description": "a condition, see docs/programs.md"}
_FORMULA = {"type": "string", "description": "a formula, see docs/programs.md"}
_LABEL = {"type": "string", "description": "an expression that is a text, such as line.category; see docs/programs.md"}

OrderCondition = Annotated[Condition, _Reads(_within(_ORDER_ROOTS, compile_condition), _CONDITION)]
"""A condition over event, order, account and metric; checked when the program is loaded."""
PopulationCondition = Annotated[
    Condition,
    _Reads(
        lambda text, context: compile_condition(
            text,
            population_scope(
                context.currency.decimals,
                context.attributes,
                {name: field.scale for name, field in context.scope["metric"].items()},
            ),
            context.calendar,
        ),
        _CONDITION,
    ),
]
"""A condition of a segmentation scheme, over account, history and metric; see `stampbook.population_names`."""
LineCondition = Annotated[Condition, _Reads(_within(_LINE_ROOTS, compile_condition), _CONDITION)]
"""A condition that may also name the line."""
LineFormula = Annotated[Formula, _Reads(_within(_LINE_ROOTS, compile_formula), _FORMULA)]
"""A formula that may also name the line; its value is an exact ratio in whole units."""
LineLabel = Annotated[Label, _Reads(_within(_LINE_ROOTS, compile_label), _LABEL)]
"""An expression that is a text, and may name the line."""


def line_formula(text: str, context: Context) -> Formula:
    """Compile a formula that may name the line, put together from other options.

    Raises:
        ExpressionError: it has a mistake.
    """
    return compile_formula(text, {root: context.scope[root] for root in _LINE_ROOTS}, context.calendar)


PeriodText = Annotated[
    Period,
    _Reads(lambda text, _: Period.parse(text), {"type": "string", "examples": ["90 days", "12 months, end of month"]}),
]
"""A period such as "12 months, end of month"."""
ValidityText = Annotated[
    Validity,
    _Reads(
        lambda text, _: Validity.parse(text),
        {"type": "string", "examples": ["12 months, end of month", "31 march of the following year", "never"]},
    ),
]
"""Until when something is good: a period, dates, "membership anniversary" or "never"."""
WindowText = Annotated[
    Window,
    _Reads(lambda text, _: Window.parse(text), {"type": "string", "examples": ["12 months", "calendar year"]}),
]
"""A window such as "12 months" or "calendar year"."""
InstantText = Annotated[
    int,
    _Reads(lambda text, context: context.calendar.parse(text), {"type": "string", "examples": ["2025-12-24"]}),
]
"""A date or time of the program's zone, as an instant."""
Money = Annotated[
    int,
    _Reads(
        lambda text, context: read_units(text, context.currency.decimals),
        {"type": "string", "pattern": r"^[+-]?\d+(\.\d+)?$", "description": "money as decimal text"},
    ),
]
"""Money of the program's currency, in smallest units; decimal text in the file."""


_WITHOUT_AMOUNT = {
    "purchase": "; use order.total",
    "return": ", which may name lines",
    "account.opened": "",
    "account.frozen": "",
    "account.unfrozen": "",
    "account.closed": "",
}


def check_reads(
    expressions: Iterable[Condition | Formula | Label | None], *, on: Iterable[str], per_line: bool
) -> None:
    """Refuse expressions that read what their events do not have.

    Args:
        expressions: conditions and formulas of one rule; None is passed over.
        on: the kinds of event that the rule judges.
        per_line: whether it judges each line of an order.
    """
    expressions = list(expressions)
    reads = {name for expression in expressions if expression is not None for name in expression.reads}
    others = [kind for kind in on if kind != "purchase"]
    for name in sorted(reads):
        if name.startswith("line.") and not per_line:
            refuse(f"{name} needs per = 'line'")
        if name.startswith(("order.", "line.")) and others:
            refuse(f"{name} is known of a purchase only, not of {others[0]!r}; make two rules")
        without = [kind for kind in on if kind in _WITHOUT_AMOUNT]
        if name == "event.amount" and without:
            refuse(f"event.amount is not known of {without[0]!r}{_WITHOUT_AMOUNT[without[0]]}")
    for name, field in {pair for each in expressions if each is not None for pair in each.limited}:
        without = [kind for kind in on if kind in field.never or (field.only and kind not in field.only)]
        if without:
            homes = f"; it belongs to {', '.join(sorted(field.only))}" if field.only else ""
            refuse(f"{name} is not known of {without[0]!r}{homes}")
    if per_line and others:
        refuse(f"per = 'line' needs a purchase; {others[0]!r} has no lines")
