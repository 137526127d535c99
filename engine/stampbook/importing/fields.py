"""The smallest parts of a mapping: where a field comes from, and conditions on a row."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from stampbook.vocabulary import refuse

PLACES = re.compile(r"\{([^{}]*)\}")
"""Where a template names a column."""


def _texts(value: object) -> object:
    return (value,) if isinstance(value, (str, int)) else value


Texts = Annotated[tuple[str, ...], BeforeValidator(_texts), Field(min_length=1)]


class Table(BaseModel):
    """A table of a mapping file."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Cell(Table):
    """Where the content of one field comes from."""

    column: Annotated[str | None, Field(min_length=1, description="the column that holds it")] = None
    template: Annotated[str | None, Field(description="text with columns in braces: 'web-{Order}'")] = None
    value: Annotated[str | int | bool | None, Field(description="the same for every event")] = None
    default: Annotated[
        str | None, Field(description="what stands for an empty cell; without it the field is absent")
    ] = None
    format: Annotated[str | None, Field(description="how a time is written, as of strftime: '%d/%m/%Y %H:%M'")] = None
    strip: Annotated[
        str, Field(description="characters to remove, such as currency signs and thousands separators")
    ] = ""
    decimal_comma: Annotated[bool, Field(description="whether 1.234,50 is meant by the number 1234.50")] = False
    times: Annotated[str | None, Field(min_length=1, description="a column to multiply a number by")] = None
    divide: Annotated[int, Field(description="a power of ten to divide a number by: 100 for a column of cents")] = 1
    round: Annotated[int | None, Field(ge=0, le=6, description="decimals to round a number to, halves up")] = None
    absolute: Annotated[bool, Field(description="whether the sign of a number is dropped")] = False
    sum: Annotated[bool, Field(description="whether the numbers of a group's rows are added up")] = False

    @model_validator(mode="after")
    def _one_origin(self) -> Cell:
        if [self.column, self.template, self.value].count(None) != 2:  # noqa: PLR2004 - all but one
            refuse("a field has either a column, a template or a value")
        if self.template is not None and not PLACES.search(self.template):
            refuse("a template names at least one column in braces; write { value = '…' } for a constant")
        if self.divide < 1 or set(str(self.divide)) - {"1", "0"} or str(self.divide).count("1") > 1:
            refuse(f"divide is a power of ten such as 100, not {self.divide}")
        if self.is_number and self.column is None:
            refuse("only a column can be counted with: times, divide, round, absolute, sum and decimal_comma need one")
        if self.is_number and self.format is not None:
            refuse("a field is either a time or a number")
        return self

    @property
    def is_number(self) -> bool:
        """Whether it is counted with."""
        return bool(
            self.times or self.divide != 1 or self.round is not None or self.absolute or self.sum or self.decimal_comma
        )

    @property
    def columns(self) -> list[str]:
        """The columns that it reads."""
        named = [self.column, self.times, *(PLACES.findall(self.template) if self.template else ())]
        return [name for name in named if name is not None]


class Test(Table):
    """A condition on the cell of one column; everything that it states must hold."""

    column: Annotated[str, Field(min_length=1, description="the column that is looked at")]
    empty: Annotated[bool | None, Field(description="whether nothing stands there")] = None
    is_: Annotated[Texts | None, Field(alias="is", description="one of these texts stands there")] = None
    is_not: Annotated[Texts | None, Field(description="none of these texts stands there")] = None
    starts_with: Annotated[Texts | None, Field(description="it starts with one of these texts")] = None
    below: Annotated[int | None, Field(description="it is a number below this one")] = None

    @model_validator(mode="after")
    def _states_something(self) -> Test:
        if not self.model_fields_set - {"column"}:
            refuse("a condition states something: empty, is, is_not, starts_with or below")
        return self


Tests = Annotated[tuple[Test, ...], BeforeValidator(lambda value: [value] if isinstance(value, dict) else value)]
