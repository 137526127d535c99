"""Options of the points plugin that say until when points are good."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, PlainSerializer, PlainValidator, ValidationInfo, WithJsonSchema, model_validator

from stampbook import (
    OrderCondition,
    PeriodError,
    PeriodText,
    PluginConfig,
    Validity,
    check_reads,
    check_values,
    refuse,
)


@dataclass(frozen=True, slots=True)
class ByFact:
    """A validity for each value of a fact of the account, such as its tier, and one for all others."""

    fact: str
    default: Validity
    values: Mapping[str, Validity]

    def __str__(self) -> str:
        several = "".join(f", {value} {validity}" for value, validity in self.values.items())
        return f"{self.default}{several} by {self.fact}"


def _read(value: object, info: ValidationInfo) -> Validity | ByFact:
    if not isinstance(value, Mapping):
        return _validity(value)
    if "default" not in value:
        refuse(
            'a table of validities needs a default, as in { by = "tier", default = "12 months", gold = "24 months" }'
        )
    by = value.get("by", "tier")
    if not isinstance(by, str) or not by:
        refuse(f"by: {by!r} is not the name of a fact, such as 'tier'")
    values = {}
    for key, each in value.items():
        if key != "by":
            values[str(key)] = _validity(each, f"{key}: ")
    default = values.pop("default")
    check_values(info, by, values)
    return ByFact(by, default, values)


def _validity(value: object, place: str = "") -> Validity:
    if not isinstance(value, str):
        refuse(f"{place}{value!r} is not text; write it in quotes")
    try:
        return Validity.parse(value)
    except PeriodError as error:
        refuse(f"{place}{error}")


_SCHEMA: dict[str, Any] = {
    "anyOf": [
        {"type": "string", "examples": ["12 months, end of month", "31 march of the following year", "never"]},
        {
            "type": "object",
            "properties": {"by": {"type": "string"}, "default": {"type": "string"}},
            "required": ["default"],
            "additionalProperties": {"type": "string"},
        },
    ]
}

Expires = Annotated[
    Validity | ByFact, PlainValidator(_read), PlainSerializer(str, return_type=str), WithJsonSchema(_SCHEMA)
]
"""A validity as text, or a table of validities by a fact."""


class Extend(PluginConfig):
    """What makes all points that are there good for longer."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,62}$", description="unique in the table")] = "extend"
    on: Annotated[tuple[str, ...], Field(min_length=1, description="kinds of event that count as activity")] = (
        "purchase",
    )
    when: Annotated[OrderCondition | None, Field(description="which of them count; all where absent")] = None
    to: Annotated[
        Expires | None,
        Field(description="until when, counted from the event; the table's `expires` where absent"),
    ] = None
    kinds: Annotated[tuple[str, ...], Field(description="kinds of lot that are extended; all where empty")] = ()

    @model_validator(mode="after")
    def _readable(self) -> Extend:
        check_reads((self.when,), on=self.on, per_line=False)
        return self


class ExpiryOptions(PluginConfig):
    """Until when what the rules grant is good, what puts that off, and when it is announced."""

    expires: Annotated[
        Expires,
        Field(
            description="validity from the day of earning, or a table of them by a fact",
            json_schema_extra={"default": "never"},
        ),
    ] = Validity()
    last_day: Annotated[
        Literal["included", "excluded"], Field(description="whether points are still good on the last day itself")
    ] = "included"
    extend: Annotated[
        tuple[Extend, ...], Field(description="what makes all points of the table's asset good for longer")
    ] = ()
    warn: Annotated[
        tuple[PeriodText, ...], Field(description="how long before points expire the event `points.expiring` comes")
    ] = ()
    on_change: Annotated[
        Literal["keep", "better"],
        Field(
            description="points from before a new program: keep their end, or get that of the new one if it is later"
        ),
    ] = "keep"

    @model_validator(mode="after")
    def _fits(self) -> ExpiryOptions:
        names = [extend.name for extend in self.extend]
        for name in sorted({name for name in names if names.count(name) > 1}):
            refuse(f"extend: two entries are named {name!r}; give each a name of its own, such as name = 'returns'")
        if isinstance(self.expires, Validity) and self.expires.never and any(each.to is None for each in self.extend):
            refuse("extend: points that never expire cannot be good for longer; say expires = '12 months', or to = '…'")
        for period in self.warn:
            if period.snap:
                refuse(f"warn: '{period}' is not a plain length; write '30 days' or '1 month'")
        return self
