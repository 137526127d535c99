"""Building a ledger anew from its own export: the same events at the same instants make the same hashes."""

from __future__ import annotations

from itertools import groupby, islice
from typing import TYPE_CHECKING, Any, Protocol

from stampbook.errors import InputError, PeriodError
from stampbook.events import OWN_SOURCE
from stampbook.importing.shaping import Shaped
from stampbook.periods import NEVER, Calendar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from stampbook.engine import Engine, Outcome
    from stampbook.importing.rows import Row, Rows

_UTC = Calendar("UTC")


class Counting(Protocol):
    """Where outcomes are counted."""

    read: int
    counts: Any
    reasons: Any

    def note(self, item: Shaped, outcome: Outcome) -> None:
        """Count an outcome."""
        ...


def restore(engine: Engine, rows: Rows, counting: Counting, limit: int | None, tell: Callable[[int], None]) -> None:
    """Import an export as it was recorded; running it again goes on where it stopped.

    Args:
        engine: an open ledger.
        rows: the lines of the export.
        counting: where outcomes are counted.
        limit: stop after so many lines.
        tell: told after each instant how many lines were read.

    Raises:
        InputError: a line is not one of an export; what came before it was imported.
    """
    clock = engine.clock
    try:
        for recorded_at, group in groupby(islice(_checked(rows), limit), key=lambda line: line.recorded_at):
            engine.clock = lambda now=recorded_at: now  # type: ignore[misc]  # bound at once
            _Instant(engine, counting).run(group)
            tell(counting.read)
    finally:
        engine.clock = clock


class _Line:
    __slots__ = ("account", "at", "event", "line", "number", "recorded_at", "values")

    def __init__(self, row: Row) -> None:
        values = row.values
        self.number, self.line, self.values = row.number, row.line, values
        self.event: dict[str, Any] | None = values.get("event")
        self.recorded_at = _UTC.parse(values["recorded_at"])
        self.at = 0
        needed = ("program", "content", "file", "effective_from")
        if self.event is not None:
            self.at = _UTC.parse(values["at"])
            needed = ("hash", "event", "at", "status")
            self.account = str(self.event["account"])
        for name in needed:
            _ = values[name]


def _checked(rows: Rows) -> Iterator[_Line]:
    for row in rows:
        problem = None if row.problem is None else row.problem.message
        if problem is None:
            try:
                yield _Line(row)
                continue
            except (KeyError, TypeError, AttributeError, PeriodError):
                problem = "it is not a line of an export"
        message = f"line {row.line}: {problem}; export the ledger anew, or import without as-recorded"
        raise InputError(message)


class _Instant:
    """All that was recorded at one instant: events, and accounts that time alone brought up to date."""

    def __init__(self, engine: Engine, counting: Counting) -> None:
        self._engine = engine
        self._counting = counting
        self._lines: list[_Line] = []
        self._refs: set[str] = set()
        self._passed: dict[str, int] = {}

    def run(self, lines: Iterator[_Line]) -> None:
        for line in lines:
            self._counting.read += 1
            if line.event is None:
                self._flush()
                self._program(line.values)
            elif line.event.get("source") == OWN_SOURCE:
                self._skipped("brought by time")
                self._time_passed(line)
            else:
                self._event(line)
        self._flush()

    def _time_passed(self, line: _Line) -> None:
        ref = line.account
        if ref in self._refs:
            self._flush()
        self._passed[ref] = max(line.at, self._passed.get(ref, -NEVER))

    def _event(self, line: _Line) -> None:
        ref = line.account
        passed = self._passed.get(ref)
        if passed is not None:
            if line.at >= passed:
                del self._passed[ref]  # deciding the event brings the account that far
            else:
                self._flush()
        self._refs.add(ref)
        self._lines.append(line)

    def _flush(self) -> None:
        if self._passed:
            self._bring_up(self._passed)
            self._passed = {}
        if self._lines:
            outcomes = self._engine.process([line.event or {} for line in self._lines])
            for line, outcome in zip(self._lines, outcomes, strict=True):
                self._counting.note(Shaped(line.number, line.line, line.event), outcome)
            self._lines = []
            self._refs = set()

    def _bring_up(self, passed: dict[str, int]) -> None:
        with self._engine.store.writer() as session:
            batch = self._engine.batch(session)
            batch.load_accounts(list(passed), min(passed.values()))
            for ref, account in batch.accounts.items():
                batch.bring_up(account, passed[ref])
            batch.write()
        batch.finish()

    def _program(self, values: dict[str, Any]) -> None:
        start = -NEVER if values["effective_from"] is None else _UTC.parse(values["effective_from"])
        self._skipped("a program")
        known = {(program.hash, program.effective_from) for program in self._engine.programs()}
        if (values["program"], start) not in known:
            self._engine.put_text_in_force(values["content"], effective_from=start, file=values["file"])

    def _skipped(self, reason: str) -> None:
        self._counting.counts["skipped"] += 1
        self._counting.reasons[f"skipped: {reason}"] += 1
