"""A mapping file: how the rows of somebody else's file become events.

::

    group_by = "Order"                  # rows that stand together with the same value are one event

    [[skip]]                            # rows that are left out, and counted with their reason
    when = { column = "Customer", empty = true }
    reason = "no customer"

    [[event]]                           # the first table whose `when` holds makes the event
    when = { column = "Order", starts_with = "R-" }
    type = "return"
    id = "Order"
    account = "Customer"
    at = { column = "Date", format = "%d/%m/%Y %H:%M" }
    purchase = "Original order"

    [[event]]
    type = "purchase"
    id = { template = "web-{Order}" }
    source = { value = "webshop" }
    account = "Customer"
    at = { column = "Date", format = "%d/%m/%Y %H:%M" }

    [event.lines]                       # one line of the order for each row
    sku = "SKU"
    quantity = "Quantity"
    unit_price = { column = "Price", strip = "£," }

A field is the name of a column, or a table: see `Cell`. A condition is a table (or a list of tables, all of which must
hold): see `Test`. ``delimiter`` and ``encoding`` describe a CSV file that is not comma-separated UTF-8. A mapping is
read like a program: every mistake at once, with file, line, key and a near name.
"""

from __future__ import annotations

import codecs
import re
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from stampbook.errors import InputError, near
from stampbook.program import Source
from stampbook.registry import read_text
from stampbook.vocabulary import refuse

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from stampbook.events import Event
    from stampbook.toml_lines import Path as KeyPath

PLACES = re.compile(r"\{([^{}]*)\}")
"""Where a template names a column."""

_RESERVED = {"type", "when", "lines"}


def _texts(value: object) -> object:
    return (value,) if isinstance(value, (str, int)) else value


def _cell(value: object) -> object:
    return {"column": value} if isinstance(value, str) else value


Texts = Annotated[tuple[str, ...], BeforeValidator(_texts), Field(min_length=1)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True)


class Cell(_Table):
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


class Test(_Table):
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


class Skip(_Table):
    """Rows that are left out."""

    when: Annotated[Tests, Field(min_length=1, description="which rows")]
    reason: Annotated[str, Field(min_length=1, description="under what they are counted")] = "skipped by the mapping"
    whole_group: Annotated[bool, Field(description="look at the first row of a group and leave out all of it")] = False


class _Head(_Table):
    delimiter: Annotated[str | None, Field(min_length=1, max_length=1, description="between columns of CSV")] = None
    encoding: Annotated[str, Field(description="of CSV")] = "utf-8"
    group_by: Annotated[Texts | None, Field(description="columns whose values make rows one event")] = None
    skip: tuple[Skip, ...] = ()

    @model_validator(mode="after")
    def _known_encoding(self) -> _Head:
        try:
            codecs.lookup(self.encoding)
        except (LookupError, ValueError):
            refuse(f"no encoding {self.encoding!r}; write 'utf-8', 'latin-1', 'cp1252', 'gb18030' or the like")
        return self


class _EventHead(_Table):
    type: Annotated[str, Field(description="kind of event")]
    when: Annotated[Tests, Field(description="for which rows; all where absent")] = ()


class FieldKind(NamedTuple):
    """What a field of an event is made of: ``text``, ``number``, ``time`` or ``other``; and whether it must be there."""

    kind: str
    required: bool


class EventTable(NamedTuple):
    """One `[[event]]` table, checked against the kind of event that it makes."""

    type: str
    when: tuple[Test, ...]
    fields: dict[str, Cell]
    lines: dict[str, Cell]
    kinds: dict[str, FieldKind]
    line_kinds: dict[str, FieldKind]


class MappingFile(NamedTuple):
    """A whole mapping."""

    file: str
    delimiter: str | None
    encoding: str
    group_by: tuple[str, ...]
    skip: tuple[Skip, ...]
    events: tuple[EventTable, ...]
    uses: tuple[tuple[str, str], ...]
    """Each column that is read, with the place in the mapping that reads it."""

    @property
    def needed(self) -> list[str]:
        """The columns that are read, once each."""
        return list(dict.fromkeys(column for column, _ in self.uses))

    def check_columns(self, columns: Sequence[str], file: str) -> None:
        """Check that a file has all columns that are read.

        Raises:
            InputError: one line that names each column that is missing and who reads it.
        """
        missing = {column: place for column, place in reversed(self.uses) if column not in columns}
        if missing:
            told = "; ".join(
                f"no column {column!r}{near(column, columns)}, which {place} reads"
                for column, place in sorted(missing.items())
            )
            message = f"{file}: {told}. Its columns are: {', '.join(map(repr, columns[:40]))}"
            raise InputError(message)


def read_mapping(path: str | Path, kinds: Mapping[str, type[Event]]) -> MappingFile:
    """Read a mapping file.

    Args:
        path: its name.
        kinds: the model of each kind of event, by name.

    Raises:
        ProgramError: every mistake of the file, each with line, key and what to do.
    """
    return parse_mapping(read_text(path), str(path), kinds)


def parse_mapping(text: str, file: str, kinds: Mapping[str, type[Event]]) -> MappingFile:
    """Read a mapping from its text; see `read_mapping`."""
    source = Source(text, file)
    head = source.validated(_Head, {key: value for key, value in source.data.items() if key != "event"}, ())
    tables = source.data.get("event")
    if not isinstance(tables, list) or not tables:
        source.mistake(("event",), "write at least one [[event]] table, with two brackets")
        tables = []
    uses: list[tuple[str, str]] = []
    events: list[EventTable] = []
    senders = {name: kind for name, kind in kinds.items() if not kind.brought_by_time}
    for position, table in enumerate(tables):
        event = _event_table(source, ("event", position), table, senders, uses)
        if event is not None:
            events.append(event)
            if len(tables) > position + 1 and not event.when:
                source.mistake(
                    ("event", position), "it has no `when`, so those after it are never reached; put it last"
                )
    source.check()
    assert head is not None  # noqa: S101 - source.check has raised otherwise
    place = f"{file} (group_by)"
    uses = [
        *((column, place) for column in head.group_by or ()),
        *((test.column, f"{file} (skip[{number}])") for number, skip in enumerate(head.skip, 1) for test in skip.when),
        *uses,
    ]
    return MappingFile(file, head.delimiter, head.encoding, head.group_by or (), head.skip, tuple(events), tuple(uses))


def _event_table(
    source: Source, path: KeyPath, table: object, kinds: Mapping[str, type[Event]], uses: list[tuple[str, str]]
) -> EventTable | None:
    if not isinstance(table, dict):
        source.mistake(path, "write [[event]] with two brackets: there may be several")
        return None
    head = source.validated(_EventHead, {key: table[key] for key in ("type", "when") if key in table}, path)
    if head is None:
        return None
    model = kinds.get(head.type)
    if model is None:
        hint = near(head.type, kinds) or f"; one of {', '.join(kinds)}"
        source.mistake((*path, "type"), f"{head.type!r} is no kind of event{hint}")
        return None
    known, line_kinds = field_kinds(model)
    uses.extend((test.column, _place(source, (*path, "when"))) for test in head.when)
    fields = _cells(source, path, {key: table[key] for key in table if key not in _RESERVED}, known, uses)
    lines: dict[str, Cell] = {}
    given = table.get("lines")
    if given is not None and not line_kinds:
        source.mistake((*path, "lines"), f"a {head.type} has no lines")
    elif given is not None and not isinstance(given, dict):
        source.mistake((*path, "lines"), "write [event.lines] and the fields of a line")
    elif given is not None:
        lines = _cells(source, (*path, "lines"), given, line_kinds, uses)
    for name, kind in known.items():
        if kind.required and name not in table:
            source.mistake((*path, name), "missing")
    for name, cell in lines.items():
        if cell.sum:
            source.mistake((*path, "lines", name), "a line is made of one row; there is nothing to sum")
    return EventTable(head.type, head.when, fields, lines, known, line_kinds)


def _cells(
    source: Source, path: KeyPath, table: Mapping[str, Any], kinds: Mapping[str, FieldKind], uses: list[tuple[str, str]]
) -> dict[str, Cell]:
    cells: dict[str, Cell] = {}
    for name, given in table.items():
        where = (*path, name)
        if name not in kinds:
            source.mistake(where, f"no such field{near(name, kinds) or f'; one of {_listed(kinds)}'}")
            continue
        if not isinstance(given, (str, dict)):
            source.mistake(where, "write the name of a column, or a table such as { value = '…' }")
            continue
        cell = source.validated(Cell, _cell(given), where)
        if cell is None:
            continue
        kind = kinds[name].kind
        if cell.is_number and kind != "number":
            source.mistake(where, f"{name} is no number, so nothing can be counted with it")
        if cell.format is not None and kind != "time":
            source.mistake(where, f"{name} is no time, so it has no format")
        if kind == "other":
            source.mistake(where, f"{name} cannot come from a column; write a small script that makes JSON Lines of it")
        cells[name] = cell
        uses.extend((column, _place(source, where)) for column in cell.columns)
    return cells


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)


def _place(source: Source, path: KeyPath) -> str:
    return f"{source.file or 'the mapping'}:{source.line(path)}"


def field_kinds(model: type[BaseModel]) -> tuple[dict[str, FieldKind], dict[str, FieldKind]]:
    """Return the fields of a kind of event, and those of its lines, with what each is made of."""
    schema = model.model_json_schema()
    fields = _kinds_of(schema, schema)
    lines: dict[str, FieldKind] = {}
    reference = schema["properties"].get("lines", {}).get("items", {}).get("$ref")
    if reference:
        lines = _kinds_of(schema["$defs"][reference.rsplit("/", 1)[1]], schema)
    return {name: kind for name, kind in fields.items() if name not in _RESERVED}, lines


def _kinds_of(schema: Mapping[str, Any], root: Mapping[str, Any]) -> dict[str, FieldKind]:
    required = schema.get("required", ())
    return {
        name: FieldKind(_kind_of(property_, root), name in required) for name, property_ in schema["properties"].items()
    }


def _kind_of(property_: Mapping[str, Any], root: Mapping[str, Any]) -> str:
    for variant in _variants(property_):
        if variant.get("format") == "date-time":
            return "time"
        if variant.get("type") in {"integer", "number"} or "decimal number" in variant.get("description", ""):
            return "number"
        if variant.get("type") in {"string", "boolean"}:
            return "text"
    return "other"


def _variants(property_: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    yield property_
    yield from property_.get("anyOf", ())


__all__ = ["Cell", "EventTable", "FieldKind", "MappingFile", "Skip", "Test", "parse_mapping", "read_mapping"]
