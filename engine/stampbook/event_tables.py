"""The `[events.NAME]` tables of a program: kinds of event that an operator declares, with typed fields."""

from __future__ import annotations

import keyword
from collections.abc import Mapping
from fractions import Fraction
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from stampbook.errors import AmountError
from stampbook.expressions import Field as Name
from stampbook.expressions import Kind
from stampbook.vocabulary import refuse

if TYPE_CHECKING:
    from collections.abc import Iterator

_EVENT = r"^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*$"
_FIELD = r"^[a-z][a-z0-9_]{0,62}$"
_BOUND = r"^-?\d{1,15}(\.\d{1,6})?$"

EventName = Annotated[str, Field(pattern=_EVENT, max_length=63)]
FieldName = Annotated[str, Field(pattern=_FIELD)]

_TAKEN = {"type", "id", "source", "account", "at", "names", "asset", "currency", "asset_field", "brought_by_time"} | {
    "to",
    "hold",
    "hold_source",
    "tables",
}
"""What every event has, or what the engine looks for in any."""

_KINDS = {
    "text": Kind.TEXT,
    "choice": Kind.TEXT,
    "whole": Kind.NUMBER,
    "decimal": Kind.NUMBER,
    "money": Kind.NUMBER,
    "date": Kind.INSTANT,
    "flag": Kind.TRUTH,
}
_NUMBERS = {"whole", "decimal", "money"}


class FieldTable(BaseModel):
    """One field of a declared event: what it holds, and whether it must be there."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    type: Annotated[
        Literal["text", "whole", "decimal", "money", "date", "flag", "choice"],
        Field(
            description="text; a whole number; a decimal number; money of the program's currency; a date; a flag, "
            "true or false; or one of `choices`"
        ),
    ]
    about: Annotated[str, Field(max_length=500, description="what it means, for those who send it")] = ""
    required: Annotated[bool, Field(strict=True, description="whether an event without it is refused")] = True
    default: Annotated[
        str | int | bool | None,
        Field(
            description="what rules read where it is absent; an empty text, 0 or false, but a date needs one of its own"
        ),
    ] = None
    choices: Annotated[tuple[str, ...], Field(description="for a choice: the texts that it may be")] = ()
    decimals: Annotated[
        int | None, Field(strict=True, ge=0, le=6, description="for a decimal: digits after the point; 2 where absent")
    ] = None
    least: Annotated[
        Annotated[str, Field(pattern=_BOUND)] | Annotated[int, Field(strict=True)] | None,
        Field(description="for a number: the least that is taken; money is taken from 0 on where absent"),
    ] = None
    most: Annotated[
        Annotated[str, Field(pattern=_BOUND)] | Annotated[int, Field(strict=True)] | None,
        Field(description="for a number: the most that is taken"),
    ] = None
    longest: Annotated[
        int | None, Field(strict=True, ge=1, le=1000, description="for a text: its most characters; 255 where absent")
    ] = None

    @model_validator(mode="after")
    def _fits(self) -> FieldTable:
        if (self.type == "choice") != bool(self.choices):
            refuse("choices go with type = 'choice', and only with it")
        if len(set(self.choices)) < len(self.choices) or "" in self.choices:
            refuse("choices: each text stands once, and none is empty")
        if self.decimals is not None and self.type != "decimal":
            refuse("decimals go with type = 'decimal'")
        if self.longest is not None and self.type != "text":
            refuse("longest goes with type = 'text'")
        if (self.least, self.most) != (None, None) and self.type not in _NUMBERS:
            refuse("least and most go with a number: type = 'whole', 'decimal' or 'money'")
        if self.least is not None and self.most is not None and Fraction(self.least) > Fraction(self.most):
            refuse(f"least {self.least} is more than most {self.most}")
        if self.default is not None and self.required:
            refuse("default goes with required = false")
        if self.type == "date" and not self.required and self.default is None:
            refuse("a date that is not required needs a default, which rules read where it is absent")
        return self

    def places(self, currency: int) -> int:
        """Return the digits after the point, in a program whose currency has so many."""
        if self.type == "decimal":
            return 2 if self.decimals is None else self.decimals
        return currency if self.type == "money" else 0

    def check_range(self, value: Fraction) -> None:
        """Refuse a number outside of what is taken.

        Raises:
            AmountError: it is less than `least` or more than `most`.
        """
        least = 0 if self.least is None and self.type == "money" else self.least
        if least is not None and value < Fraction(least):
            message = f"{_plain(value)} is less than {least}"
            raise AmountError(message)
        if self.most is not None and value > Fraction(self.most):
            message = f"{_plain(value)} is more than {self.most}"
            raise AmountError(message)


class EventTable(BaseModel):
    """One `[events.NAME]` table: a kind of event that senders may post, metrics count and rules award."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    about: Annotated[str, Field(max_length=500, description="what happened, for those who send it")] = ""
    fields: Annotated[dict[FieldName, FieldTable], Field(description="what it tells, field by field")] = {}

    @model_validator(mode="after")
    def _named(self) -> EventTable:
        for name, table in self.fields.items():
            if name in _TAKEN or name.startswith("model_") or hasattr(BaseModel, name):
                refuse(f"fields.{name}: the engine uses {name!r} itself; choose another name")
            if keyword.iskeyword(name):
                refuse(f"fields.{name}: {name!r} is a word of conditions; choose another name")
            if name == "amount" and table.type != "money":
                refuse("fields.amount: the amount of an event is money; write type = 'money' or choose another name")
        return self


def readable(data: object) -> dict[str, EventTable]:
    """Return the tables of `[events]` as far as they make sense; their mistakes are found elsewhere.

    So rules can be checked against what is declared even where something else in the table is wrong.
    """
    found: dict[str, EventTable] = {}
    for name, table in data.items() if isinstance(data, Mapping) else ():
        fields = table.get("fields") if isinstance(table, Mapping) else None
        kept: dict[str, Any] = {}
        for field, given in fields.items() if isinstance(fields, Mapping) else ():
            try:
                EventTable(fields={field: FieldTable.model_validate(given)})
            except ValidationError:
                continue
            kept[field] = given
        about = table.get("about") if isinstance(table, Mapping) else ""
        found[str(name)] = EventTable.model_validate({"about": str(about)[:500] if about else "", "fields": kept})
    return found


def clashes(events: Mapping[str, EventTable]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield fields that two events declare differently: rules know a field by its name alone."""
    first: dict[str, tuple[str, FieldTable]] = {}
    for event, table in events.items():
        for name, field in table.fields.items():
            home, known = first.setdefault(name, (event, field))
            if _KINDS[known.type] != _KINDS[field.type] or known.places(-1) != field.places(-1):
                message = (
                    f"is {_worded(field)} here and {_worded(known)} in [events.{home}]; "
                    "a field of one name is the same everywhere, so rename one"
                )
                yield ("events", event, "fields", name), message


def names_of(events: Mapping[str, EventTable], decimals: int) -> dict[str, Name]:
    """Return what expressions may read of declared events, by field name.

    Args:
        events: what the program declares.
        decimals: of the program's currency.
    """
    homes: dict[str, set[str]] = {}
    for event, table in events.items():
        for name in table.fields:
            homes.setdefault(name, set()).add(event)
    return {
        name: Name(
            _KINDS[field.type],
            f"event.{name}",
            field.places(decimals),
            field.about,
            frozenset(homes[name]),
            frozenset(),
        )
        for table in events.values()
        for name, field in table.fields.items()
        if name != "amount"
    }


def without_amount(events: Mapping[str, EventTable]) -> frozenset[str]:
    """Return the declared kinds of event that have no amount."""
    return frozenset(name for name, table in events.items() if "amount" not in table.fields)


def _worded(field: FieldTable) -> str:
    places = f" of {field.places(0)} decimals" if field.type == "decimal" else ""
    return f"{'text' if field.type == 'choice' else field.type}{places}"


def _plain(value: Fraction) -> str:
    return str(value.numerator) if value.denominator == 1 else f"{float(value):g}"
