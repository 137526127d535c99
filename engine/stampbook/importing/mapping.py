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

from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from pydantic import AfterValidator, BaseModel, Field

from stampbook.errors import InputError, near
from stampbook.importing.fields import Cell, Table, Test, Tests, Texts
from stampbook.loading import read_text
from stampbook.toml_source import Source
from stampbook.vocabulary import refuse
from stampbook.wording import nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from stampbook.events import Event
    from stampbook.toml_lines import Path as KeyPath

_RESERVED = {"type", "when", "lines"}


def _cell(value: object) -> object:
    return {"column": value} if isinstance(value, str) else value


class Skip(Table):
    """Rows that are left out."""

    when: Annotated[Tests, Field(min_length=1, description="which rows")]
    reason: Annotated[str, Field(min_length=1, description="under what they are counted")] = "skipped by the mapping"
    whole_group: Annotated[bool, Field(description="look at the first row of a group and leave out all of it")] = False


def _known_encoding(name: str) -> str:
    try:
        "".encode(name)
    except (LookupError, ValueError):
        refuse(f"no encoding {name!r} of text; write 'utf-8', 'latin-1', 'cp1252', 'gb18030' or the like")
    return name


class _Head(Table):
    delimiter: Annotated[
        str | None, Field(pattern=r'^[^"\r\n]$', description="one character between columns of CSV")
    ] = None
    encoding: Annotated[str, AfterValidator(_known_encoding), Field(description="of CSV")] = "utf-8"
    group_by: Annotated[Texts | None, Field(description="columns whose values make rows one event")] = None
    skip: tuple[Skip, ...] = ()


class _EventHead(Table):
    type: Annotated[str, Field(description="kind of event")]
    when: Annotated[Tests, Field(description="for which rows; all where absent")] = ()


class FieldKind(NamedTuple):
    """What a field of an event is made of (``text``, ``number``, ``time``, ``other``) and whether it must be there."""

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
    given = {key: table[key] for key in table if key not in _RESERVED}
    model = _model(source, (*path, "type"), table.get("type"), kinds)
    if model is None:
        for name, cell in given.items():
            source.validated(Cell, _cell(cell), (*path, name))
        return None
    known, line_kinds = field_kinds(model)
    fields = _cells(source, path, given, known, uses)
    for name, kind in known.items():
        if kind.required and name not in table:
            source.mistake((*path, name), "missing")
    lines = _lines(source, (*path, "lines"), table.get("lines"), line_kinds, uses)
    if head is None:
        return None
    uses.extend((test.column, _place(source, (*path, "when"))) for test in head.when)
    return EventTable(head.type, head.when, fields, lines, known, line_kinds)


def _model(source: Source, path: KeyPath, name: object, kinds: Mapping[str, type[Event]]) -> type[Event] | None:
    """Return the model of a kind of event; for a misspelt one, which is noted, that of the near one."""
    if not isinstance(name, str) or name in kinds:
        return kinds.get(name) if isinstance(name, str) else None
    source.mistake(path, f"{name!r} is no kind of event{near(name, kinds) or f'; one of {_listed(kinds)}'}")
    return kinds.get(nearest(name, kinds))


def _lines(
    source: Source, path: KeyPath, table: object, kinds: Mapping[str, FieldKind], uses: list[tuple[str, str]]
) -> dict[str, Cell]:
    if table is None:
        return {}
    if not kinds or not isinstance(table, dict):
        source.mistake(path, "write [event.lines] and the fields of a line" if kinds else "such an event has no lines")
        return {}
    cells = _cells(source, path, table, kinds, uses)
    for name, cell in cells.items():
        if cell.sum:
            source.mistake((*path, name), "a line is made of one row; there is nothing to sum")
    return cells


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
    fields = _kinds_of(schema)
    lines: dict[str, FieldKind] = {}
    reference = schema["properties"].get("lines", {}).get("items", {}).get("$ref")
    if reference:
        lines = _kinds_of(schema["$defs"][reference.rsplit("/", 1)[1]])
    return {name: kind for name, kind in fields.items() if name not in _RESERVED}, lines


def _kinds_of(schema: Mapping[str, Any]) -> dict[str, FieldKind]:
    required = schema.get("required", ())
    return {name: FieldKind(_kind_of(property_), name in required) for name, property_ in schema["properties"].items()}


def _kind_of(property_: Mapping[str, Any]) -> str:
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
