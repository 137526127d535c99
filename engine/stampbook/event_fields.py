"""How the amounts, quantities, times and names in an event are read from plain data."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, NoReturn

from pydantic import Field, PlainValidator, ValidationInfo, WithJsonSchema
from pydantic_core import PydanticCustomError

from stampbook.amounts import Asset, amount_text, read_units
from stampbook.errors import AmountError, PeriodError

if TYPE_CHECKING:
    from stampbook.periods import Calendar

QUANTITY_DECIMALS = 6

_AMOUNT_SCHEMA = {
    "type": "string",
    "pattern": r"^[+-]?\d+(\.\d+)?$",
    "description": "a decimal number in whole units, in quotes",
}


class Reading:
    """How to read the amounts and times of one event: the decimals of its asset and the local calendar."""

    __slots__ = ("asset", "calendar", "known")

    def __init__(self, asset: Asset, calendar: Calendar) -> None:
        self.asset = asset
        self.calendar = calendar
        self.known: dict[object, int] = {}

    def units(self, value: object) -> int:
        """Read one amount as smallest units; text seen before is looked up."""
        if type(value) is not str:
            return read_units(value, self.asset.decimals)
        units = self.known.get(value)
        if units is None:
            units = read_units(value, self.asset.decimals)
            if len(self.known) < 100_000:  # noqa: PLR2004 - prices repeat; a hostile sender must not fill memory
                self.known[value] = units
        return units


def _units(value: object, info: ValidationInfo) -> int:
    reading: Reading | None = info.context
    if reading is None:
        return int(value) if type(value) is int else fail("read it with EventReader, which knows the asset")
    if type(value) is str:
        known: int | None = reading.known.get(value)
        if known is not None:
            return known
    try:
        return reading.units(value)
    except AmountError as error:
        fail(str(error))


def _amount(value: object, info: ValidationInfo) -> int:
    if info.context is not None and type(value) is str:
        known: int | None = info.context.known.get(value)
        if known is not None and known >= 0:
            return known
    units = _units(value, info)
    return units if units >= 0 else fail(f"{value!r} is below zero")


def _positive(value: object, info: ValidationInfo) -> int:
    units = _units(value, info)
    return units if units > 0 else fail(f"{value!r} is not above zero")


def _quantity(value: object) -> int:
    if type(value) is int and 0 < value < 1_000_000:  # noqa: PLR2004 - the usual few pieces
        return value * 1_000_000
    try:
        units = read_units(value, QUANTITY_DECIMALS)
    except AmountError as error:
        fail(str(error).replace("an amount", "a quantity"))
    return units if units > 0 else fail(f"{value!r} is not above zero")


def _instant(value: object, info: ValidationInfo) -> int:
    if info.context is None:
        return value if type(value) is int else fail("read it with EventReader, which knows the calendar")
    try:
        if isinstance(value, str):
            instant: int = info.context.calendar.parse(value)
        elif isinstance(value, datetime):
            instant = info.context.calendar.instant(value)
        else:
            fail(f"{value!r} is not a time; write 2025-01-31T10:00:00+08:00")
    except PeriodError as error:
        fail(str(error))
    return instant


def _end(value: object, info: ValidationInfo) -> int:
    if info.context is not None and isinstance(value, str) and len(value) == len("2025-01-31"):
        calendar: Calendar = info.context.calendar
        return calendar.start_of(calendar.day(_instant(value, info)) + 1)
    return _instant(value, info)


def fail(message: str) -> NoReturn:
    """Raise `message` from within a validator; it is reported with the event's id and the key."""
    kind = "stampbook"
    raise PydanticCustomError(kind, "{message}", {"message": message})


def money(units: int, info: ValidationInfo) -> str:
    """Write an amount for a person, in the asset of the event that is being read."""
    return f"{units} units" if info.context is None else amount_text(units, info.context.asset)


Amount = Annotated[int, PlainValidator(_amount), WithJsonSchema(_AMOUNT_SCHEMA)]
"""Smallest units of the event's asset, zero or more; decimal text in JSON."""
PositiveAmount = Annotated[int, PlainValidator(_positive), WithJsonSchema(_AMOUNT_SCHEMA)]
"""Smallest units of the event's asset, above zero; decimal text in JSON."""
SignedAmount = Annotated[int, PlainValidator(_units), WithJsonSchema(_AMOUNT_SCHEMA)]
"""Smallest units of the event's asset, of either sign; decimal text in JSON."""
Quantity = Annotated[int, PlainValidator(_quantity), WithJsonSchema(_AMOUNT_SCHEMA)]
"""Millionths of a piece, kilogram or litre, above zero; decimal text or a number in JSON."""
Instant = Annotated[int, PlainValidator(_instant), WithJsonSchema({"type": "string", "format": "date-time"})]
"""Microseconds since the epoch; ISO 8601 text in JSON, local time of the program where no offset is given."""
End = Annotated[int, PlainValidator(_end), WithJsonSchema({"type": "string", "format": "date-time"})]
"""The first instant after something, as `Instant`; a date in JSON is the last day of it."""
Name = Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]+$")]
Ref = Annotated[str, Field(min_length=1, max_length=180, pattern=r"^[^\x00-\x1f\x7f]+$")]
"""The operator's name of an account; short enough for the ids of events that time brings to it."""
Text = Annotated[str, Field(max_length=1000, pattern=r"^[^\x00]*$")]
