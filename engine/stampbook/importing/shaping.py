"""From rows to events: as they are, or by a mapping."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from stampbook.errors import InputError
from stampbook.events import OWN_SOURCE
from stampbook.importing.cells import BadCell, Getter, getter, tester, text_of, total
from stampbook.importing.fields import Cell, Test
from stampbook.importing.rows import Problem, Row, Rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from stampbook.importing.mapping import EventTable, FieldKind, MappingFile

LARGEST_GROUP = 10_000
"""How many rows one event may be made of."""


class Shaped(NamedTuple):
    """What became of a row (or of a group, by its first): an event, a problem, or nothing (`skipped` says why).

    `text` is the event as JSON, where it stood so in the file.
    """

    number: int
    line: int | None
    event: Any
    problem: Problem | None = None
    skipped: str = ""
    rows: int = 1
    text: bytes = b""


def shaped_as_is(rows: Rows, file: str) -> Iterator[Shaped]:
    """Yield rows as events: objects as they are, columns by their names without the empty ones.

    An object with an ``event`` in it, as exports and files of refused rows have, stands for that event; the lines of an
    export that time brings itself (expiries and the like, and programs) are skipped.

    Raises:
        InputError: the columns are not those of an event.
    """
    if rows.columns is None:
        yield from _objects(rows)
        return
    columns = rows.columns
    missing = [name for name in ("type", "id", "account", "at") if name not in columns]
    if missing:
        message = (
            f"{file} has no column {', '.join(map(repr, missing))}, so its rows are not events as they stand; "
            f"write a mapping file for its columns: {', '.join(map(repr, columns[:40]))}"
        )
        raise InputError(message)
    for number, line, values, problem, _ in rows:
        if problem is not None:
            yield Shaped(number, line, values, problem)
        else:
            cells = zip(columns, values, strict=True)
            yield Shaped(number, line, {name: cell for name, cell in cells if cell is not None and cell != "" and name})


def _objects(rows: Rows) -> Iterator[Shaped]:
    for number, line, values, problem, text in rows:
        if problem is not None:
            yield Shaped(number, line, values, problem)
        elif "type" in values:
            yield Shaped(number, line, values, text=text)
        elif "event" in values:
            event = values["event"]
            if type(event) is not dict:
                yield Shaped(number, line, event, Problem("not_an_object", "what stands under event is no event {…}"))
            elif "hash" in values and event.get("source") == OWN_SOURCE:
                yield Shaped(number, line, None, skipped="brought by time")
            else:
                yield Shaped(number, line, event)
        elif "program" in values and "content" in values:
            yield Shaped(number, line, None, skipped="a program")
        else:
            yield Shaped(number, line, values)


class Shaper:
    """A mapping, made ready for the columns of one file (None: every row is an object)."""

    def __init__(self, mapping: MappingFile, columns: Sequence[str] | None) -> None:
        self._from_objects = columns is None
        self._columns = list(mapping.needed if columns is None else columns)
        place = {name: position for position, name in enumerate(self._columns)}
        self._key = [text_of(place[name], name) for name in mapping.group_by]
        self._row_skips = [(_all_of(skip.when, place), skip.reason) for skip in mapping.skip if not skip.whole_group]
        self._group_skips = [(_all_of(skip.when, place), skip.reason) for skip in mapping.skip if skip.whole_group]
        self._makers = [_Maker(table, place) for table in mapping.events]

    def shaped(self, rows: Rows) -> Iterator[Shaped]:
        """Yield events, problems, and what is skipped."""
        group: list[Row] = []
        size = 0
        group_key: list[str] = []
        # A row that cannot be read may belong to the events beside it. They are not made without it: an event that is
        # recorded cannot be completed later.
        broken = broken_before_next = 0
        for row in self._plain(rows):
            skipped, key, problem = "", [], row.problem
            if problem is None:
                try:
                    skipped = next((reason for test, reason in self._row_skips if test(row.values)), "")
                    key = [text(row.values) for text in self._key]
                except BadCell as error:
                    problem = Problem("bad_cell", str(error))
            if problem is not None:
                yield Shaped(row.number, row.line, self._shown(row.values), problem)
                broken = broken_before_next = row.number if self._key else 0
            elif skipped:
                yield Shaped(row.number, row.line, None, skipped=skipped)
            elif group and key == group_key and self._key:
                size += 1
                broken_before_next = 0
                if size <= LARGEST_GROUP:
                    group.append(row)
            else:
                if group:
                    yield self._event(group, size, broken)
                group, size, group_key = [row], 1, key
                broken, broken_before_next = broken_before_next, 0
        if group:
            yield self._event(group, size, broken)

    def _plain(self, rows: Rows) -> Iterator[Row]:
        if not self._from_objects:
            yield from rows
            return
        columns = self._columns
        for row in rows:
            if row.problem is not None:
                yield row
            else:
                yield Row(row.number, row.line, [row.values.get(name) for name in columns])

    def _shown(self, values: Any) -> Any:
        return values if isinstance(values, str) else dict(zip(self._columns, values, strict=False))

    def _event(self, group: list[Row], size: int, broken: int) -> Shaped:
        first = group[0]
        problem = None
        try:
            for test, reason in self._group_skips:
                if test(first.values):
                    return Shaped(first.number, first.line, None, skipped=reason, rows=size)
            if broken:
                message = f"row {broken} beside it cannot be read and may belong to it; mend that row and import again"
                problem = Problem("incomplete", message)
            elif size > LARGEST_GROUP:
                problem = Problem("too_many_rows", f"an event of {size} rows; at most {LARGEST_GROUP} make one")
            else:
                for maker in self._makers:
                    if maker.fits(first.values):
                        return Shaped(first.number, first.line, maker.make([row.values for row in group]), rows=size)
                problem = Problem("no_event", "no [[event]] table of the mapping is for this row")
        except BadCell as error:
            problem = Problem("bad_cell", str(error))
        return Shaped(first.number, first.line, self._shown(first.values), problem, rows=size)


def _all_of(tests: Sequence[Test], place: Mapping[str, int]) -> Callable[[Any], bool]:
    testers = [tester(test, text_of(place[test.column], test.column)) for test in tests]
    if len(testers) == 1:
        return testers[0]
    return lambda values: all(test(values) for test in testers)


class _Maker:
    """Makes events of one `[[event]]` table."""

    def __init__(self, table: EventTable, place: Mapping[str, int]) -> None:
        self.fits = _all_of(table.when, place)
        self._type = table.type
        self._fields = _getters(table.fields, table.kinds, place)
        self._lines = _getters(table.lines, table.line_kinds, place)

    def make(self, rows: list[Any]) -> dict[str, Any]:
        """Return the event that rows make.

        Raises:
            BadCell: one of them cannot be used.
        """
        event: dict[str, Any] = {"type": self._type}
        for name, cell, get, required in self._fields:
            found = self._summed(cell, get, rows) if cell.sum else self._first(name, cell, get, rows)
            if found is not None:
                event[name] = found
            elif required:
                raise BadCell(_origin(cell), "", f"is empty, and an event needs its {name}")
        if self._lines:
            lines = [line for row in rows if (line := self._line(row))]
            if lines:
                event["lines"] = lines
        return event

    @staticmethod
    def _first(name: str, cell: Cell, get: Getter, rows: list[Any]) -> Any:
        found = None
        for row in rows:
            value = get(row)
            if value is None:
                continue
            if found is None:
                found = value
                if name != "account":
                    break
            elif value != found:
                raise BadCell(_origin(cell), value, f"is another account than {found!r} in the same event")
        return total(cell, [found]) if cell.is_number and found is not None and not isinstance(found, str) else found

    @staticmethod
    def _summed(cell: Cell, get: Getter, rows: list[Any]) -> str | None:
        numbers = [number for row in rows if (number := get(row)) is not None]
        return total(cell, numbers) if numbers else None

    def _line(self, row: Any) -> dict[str, Any]:
        line: dict[str, Any] = {}
        missing = None
        is_there = False
        for name, cell, get, required in self._lines:
            found = get(row)
            if found is not None:
                line[name] = total(cell, [found]) if cell.is_number and not isinstance(found, str) else found
                is_there = is_there or cell.value is None
            elif required:
                missing = missing or (name, cell)
        if is_there and missing is not None:
            raise BadCell(_origin(missing[1]), "", f"is empty, and a line needs its {missing[0]}")
        return line if is_there else {}


_Field = tuple[str, Cell, Getter, bool]


def _getters(cells: Mapping[str, Cell], kinds: Mapping[str, FieldKind], place: Mapping[str, int]) -> list[_Field]:
    return [(name, cell, getter(cell, kinds[name].kind, place), kinds[name].required) for name, cell in cells.items()]


def _origin(cell: Cell) -> str:
    return cell.column or cell.template or ""
