"""One cell of a row as the mapping wants it: text, a number, a time, or a test of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, time
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import TYPE_CHECKING, Any

from stampbook.importing.fields import PLACES, Cell, Test

if TYPE_CHECKING:
    from collections.abc import Mapping

Getter = Callable[[Any], Any]
"""From the values of a row to the content of a field; None where there is nothing."""

_EXACT = Context(prec=100)
_NUMBER = re.compile(r"[+-]?[0-9]{1,20}(?:\.[0-9]{0,30})?|[+-]?\.[0-9]{1,30}", re.ASCII)
_ENOUGH = 100_000
_HUGE = 1 << 128


class BadCell(Exception):  # noqa: N818 - becomes the problem of a row
    """A cell cannot be what the mapping wants of it."""

    def __init__(self, column: str, value: object, what: str) -> None:
        text = repr(value)
        super().__init__(f"column {column!r}: {text if len(text) <= 60 else text[:57] + '…'} {what}")  # noqa: PLR2004 - one line


def text_of(place: int, column: str) -> Callable[[Any], str]:
    """Return a function that reads a cell as text without blanks around it; empty where nothing stands."""

    def text(values: Any) -> str:
        value = values[place]
        return value.strip() if type(value) is str else _plain(value, column)

    return text


def _plain(value: object, column: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (datetime, date, time)):
        return value.isoformat()
    if isinstance(value, (int, float, Decimal)):
        return _digits(value, column)
    return value.strip() if isinstance(value, str) else _refuse(column, value, "is no single text or number")


def _digits(value: float | Decimal, column: str) -> str:
    if isinstance(value, int):
        return str(value) if abs(value) < _HUGE else _refuse(column, "a number", "has too many digits")
    number = Decimal(repr(value)) if isinstance(value, float) else value
    if not number.is_finite():
        return ""
    if number == number.to_integral_value() and abs(number) < _HUGE:
        return str(int(number))
    return f"{number:f}"


def _refuse(column: str, value: object, what: str) -> str:
    raise BadCell(column, value, what)


def tester(test: Test, text: Callable[[Any], str]) -> Callable[[Any], bool]:
    """Return a function that says whether a row passes a test."""
    checks: list[Callable[[str], bool]] = []
    if test.empty is not None:
        wanted = test.empty
        checks.append(lambda cell: (cell == "") is wanted)
    if test.is_ is not None:
        among = frozenset(test.is_)
        checks.append(lambda cell: cell in among)
    if test.is_not is not None:
        others = frozenset(test.is_not)
        checks.append(lambda cell: cell not in others)
    if test.starts_with is not None:
        starts = test.starts_with
        checks.append(lambda cell: cell.startswith(starts))
    if test.below is not None:
        limit = test.below
        checks.append(lambda cell: _NUMBER.fullmatch(cell) is not None and Decimal(cell) < limit)
    if len(checks) == 1:
        check = checks[0]
        return lambda values: check(text(values))
    return lambda values: all(check(text(values)) for check in checks)


def getter(cell: Cell, kind: str, place: Mapping[str, int]) -> Getter:
    """Return a function that makes a field of a row; a number that is counted with is a Decimal."""
    read = _reader(cell, kind, place)
    if cell.default is None:
        return read
    default: Any = Decimal(cell.default) if cell.is_number and _NUMBER.fullmatch(cell.default) else cell.default

    def or_default(values: Any) -> Any:
        found = read(values)
        return default if found is None else found

    return or_default


def _reader(cell: Cell, kind: str, place: Mapping[str, int]) -> Getter:
    if cell.value is not None:
        constant = cell.value if isinstance(cell.value, bool) else str(cell.value)
        return lambda _: constant
    if cell.template is not None:
        read: Getter = _template(cell.template, place)
    else:
        assert cell.column is not None  # noqa: S101 - a cell has one origin
        if cell.is_number:
            return _arithmetic(cell, place)
        read = text_of(place[cell.column], cell.column)
    if cell.strip or kind == "number":
        table = str.maketrans("", "", cell.strip)
        plain = read
        read = lambda values: plain(values).translate(table).strip()  # noqa: E731 - one closure on another
    if cell.format is not None:
        return _time(cell, read)
    return lambda values: read(values) or None


def _template(template: str, place: Mapping[str, int]) -> Callable[[Any], str]:
    parts = PLACES.split(template)
    readers = [text_of(place[name], name) for name in parts[1::2]]
    between = parts[::2]

    def text(values: Any) -> str:
        cells = [read(values) for read in readers]
        if not all(cells):
            return ""
        return "".join([before + cell for before, cell in zip(between, cells, strict=False)]) + between[-1]

    return text


def _time(cell: Cell, read: Callable[[Any], str]) -> Getter:
    pattern, column = cell.format or "", cell.column or cell.template or ""
    known: dict[str, str] = {}

    def time_text(values: Any) -> str | None:
        text = read(values)
        if not text:
            return None
        found = known.get(text)
        if found is None:
            try:
                found = datetime.strptime(text, pattern).isoformat()  # noqa: DTZ007 - local in the program's zone
            except ValueError:
                raise BadCell(column, text, f"is no time written as {pattern!r}") from None
            if len(known) < _ENOUGH:
                known[text] = found
        return found

    return time_text


def _arithmetic(cell: Cell, place: Mapping[str, int]) -> Getter:
    first = _number(cell, cell.column or "", place)
    second = None if cell.times is None else _number(cell, cell.times, place)
    shift = 1 - len(str(cell.divide))

    def number(values: Any) -> Decimal | None:
        found = first(values)
        if found is None:
            return None
        if second is not None:
            factor = second(values)
            if factor is None:
                return None
            found = _EXACT.multiply(found, factor)
        return found.scaleb(shift, _EXACT) if shift else found

    return number


def _number(cell: Cell, column: str, place: Mapping[str, int]) -> Callable[[Any], Decimal | None]:
    read = text_of(place[column], column)
    table = str.maketrans("", "", cell.strip)

    def number(values: Any) -> Decimal | None:
        given = read(values)
        text = given.translate(table).strip()
        if not text:
            return None
        if cell.decimal_comma:
            text = text.replace(".", "").replace(",", ".")
        if not _NUMBER.fullmatch(text):
            raise BadCell(column, given, "is not a number")
        return Decimal(text)

    return number


def total(cell: Cell, numbers: list[Decimal]) -> str:
    """Return numbers added up as the mapping wants them written."""
    whole = Decimal(0)
    for number in numbers:
        whole = _EXACT.add(whole, number)
    if cell.absolute:
        whole = whole.copy_abs()
    if cell.round is not None:
        whole = whole.quantize(Decimal(1).scaleb(-cell.round), rounding=ROUND_HALF_UP, context=_EXACT)
    return f"{whole:f}"
