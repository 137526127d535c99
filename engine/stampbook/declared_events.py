"""Kinds of event that a program declares, as models: each value read as its field says, each mistake told plainly."""

from __future__ import annotations

import re
from datetime import date
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import PlainValidator, ValidationInfo, WithJsonSchema, create_model
from pydantic_core import PydanticCustomError

from stampbook.amounts import LARGEST, amount_text, read_units, write_units
from stampbook.errors import AmountError, PeriodError, near
from stampbook.event_fields import Reading, fail
from stampbook.events import Event

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from stampbook.event_tables import EventTable, FieldTable
    from stampbook.vocabulary import Context

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_FLAGS = {True: True, False: False, "true": True, "false": False, "yes": True, "no": False}
_LONGEST = 255
_SHOWN = 60
_AMOUNT = {"type": "string", "description": "a decimal number in whole units, in quotes"}


class DeclaredEvent(Event):
    """An event of a kind that the program declares; `tables` says what its fields hold."""

    tables: ClassVar[Mapping[str, FieldTable]] = {}

    def told(self, context: Context) -> str:
        """Return what its fields say, in words; what the sender left out is left out."""
        parts = []
        for name, table in self.tables.items():
            if name in self.model_fields_set and name != "amount":
                parts.append(f"{name.replace('_', ' ')} {_written(getattr(self, name), table, context)}")
        return ", ".join(parts)


def declared_kinds(context: Context) -> list[type[Event]]:
    """Return a model for each kind of event that a program declares."""
    return [_kind(name, table, context) for name, table in context.events.items()]


def default_mistakes(context: Context) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield each default that its own field would refuse, with its place in the program."""
    for event, table in context.events.items():
        for name, options in table.fields.items():
            message = _read_default(options, context)[1]
            if message:
                yield ("events", event, "fields", name, "default"), message


def _kind(name: str, table: EventTable, context: Context) -> type[Event]:
    fields: dict[str, Any] = {"type": (Literal[name], name)}
    for field, options in table.fields.items():
        fields[field] = (_annotation(options), ... if options.required else _read_default(options, context)[0])
    kind: type[DeclaredEvent] = create_model(name, __base__=DeclaredEvent, __doc__=table.about, **fields)
    kind.tables = table.fields
    return kind


def _read_default(options: FieldTable, context: Context) -> tuple[object, str]:
    """Return what stands for an absent value, and what is wrong with the default, if anything."""
    blank = {"text": "", "choice": "", "flag": False}.get(options.type, 0)
    if options.default in {None, ""}:
        return blank, ""
    try:
        return _READERS[options.type](options.default, options, Reading(context.currency, context.calendar)), ""
    except (AmountError, PeriodError, PydanticCustomError) as error:
        return blank, str(error)


def _annotation(options: FieldTable) -> Any:
    read = _READERS[options.type]
    may_be_empty = not options.required and options.type in {"text", "choice"}

    def validate(value: object, info: ValidationInfo) -> object:
        if may_be_empty and value == "":
            return value
        try:
            return read(value, options, info.context)
        except (AmountError, PeriodError) as error:
            fail(str(error))

    return Annotated[Any, PlainValidator(validate), WithJsonSchema(_schema(options))]


def _schema(options: FieldTable) -> dict[str, Any]:
    kinds: dict[str, dict[str, Any]] = {
        "whole": {"type": "integer"},
        "decimal": _AMOUNT,
        "money": _AMOUNT,
        "date": {"type": "string", "format": "date"},
        "flag": {"type": "boolean"},
        "choice": {"type": "string", "enum": list(options.choices)},
    }
    schema = kinds.get(options.type, {"type": "string"})
    return {**schema, "title": options.about} if options.about else schema


def _shown(value: object) -> str:
    text = repr(value) if isinstance(value, (str, int, float, bool)) else "a list or an object"
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _text(value: object, options: FieldTable, _: Any) -> str:
    if not isinstance(value, str):
        fail(f"{_shown(value)} is not text; write it in quotes")
    longest = options.longest or _LONGEST
    if not value:
        fail("must not be empty")
    if len(value) > longest:
        fail(f"is longer than {longest} characters")
    if "\x00" in value:
        fail(f"{_shown(value)} holds the character U+0000; leave it out")
    return value


def _choice(value: object, options: FieldTable, _: Any) -> str:
    if not isinstance(value, str) or value not in options.choices:
        hint = near(value, options.choices) if isinstance(value, str) else ""
        fail(f"{_shown(value)} is not one of {', '.join(map(repr, options.choices))}{hint}")
    return value


def _whole(value: object, options: FieldTable, _: Any) -> int:
    if isinstance(value, str) and re.fullmatch(r"-?\d{1,19}", value, re.ASCII):
        value = int(value)
    if type(value) is not int or abs(value) > LARGEST:
        fail(f"{_shown(value)} is not a whole number")
    options.check_range(Fraction(value))
    return value


def _decimal(value: object, options: FieldTable, _: Any) -> int:
    places = options.places(0)
    units = read_units(value, places)
    options.check_range(Fraction(units, 10**places))
    return units


def _money(value: object, options: FieldTable, reading: Any) -> int:
    units: int = reading.units(value)
    options.check_range(Fraction(units, 10**reading.asset.decimals))
    return units


def _date(value: object, _: FieldTable, reading: Any) -> int:
    """Return the instant at which a local day begins."""
    if not isinstance(value, str) or not _DATE.fullmatch(value):
        fail(f"{_shown(value)} is not a date; write 2025-01-31")
    instant: int = reading.calendar.parse(value)
    return instant


def _flag(value: object, _: FieldTable, __: Any) -> bool:
    if not isinstance(value, (bool, str)) or value not in _FLAGS:
        fail(f"{_shown(value)} is neither true nor false")
    return _FLAGS[value]


_READERS: dict[str, Callable[[Any, FieldTable, Any], object]] = {
    "text": _text,
    "choice": _choice,
    "whole": _whole,
    "decimal": _decimal,
    "money": _money,
    "date": _date,
    "flag": _flag,
}


def _written(value: Any, options: FieldTable, context: Context) -> str:
    match options.type:
        case "money":
            return amount_text(value, context.currency)
        case "decimal":
            return write_units(value, options.places(0))
        case "date":
            return date.fromordinal(context.calendar.day(value)).isoformat()
        case "flag":
            return "yes" if value else "no"
    return str(value)


__all__ = ["DeclaredEvent", "declared_kinds", "default_mistakes"]
