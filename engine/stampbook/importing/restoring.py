"""Building a ledger anew from its own export: the same events at the same instants make the same hashes."""

from __future__ import annotations

import time
from collections import defaultdict
from graphlib import CycleError, TopologicalSorter
from hashlib import sha256
from itertools import groupby
from typing import TYPE_CHECKING, Any, Protocol

from stampbook.batch import Batch, HalfDoneError
from stampbook.engine import RETRIES
from stampbook.errors import InputError, PeriodError, StoreBusyError
from stampbook.events import OWN_SOURCE
from stampbook.importing.shaping import Shaped
from stampbook.leasing import LeaseShortError
from stampbook.ledger import UNNAMED
from stampbook.periods import NEVER, Calendar
from stampbook.store.programs import KeptProgram, Schedule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from stampbook.engine import Engine, Outcome
    from stampbook.importing.rows import Row, Rows
    from stampbook.ledger import Entry
    from stampbook.store import Session

_UTC = Calendar("UTC")
_UNFOUNDED = "it does not follow from the other lines"
_REMEDY = "import the unedited export of a whole ledger into a new one, with the plugins and the release that wrote it"


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
        limit: stop after so many lines, or before the instant that would have to be divided.
        tell: told after each instant how many lines were read.

    Raises:
        InputError: a line is not one of an export, or this ledger does not come to the hash that it gives; what was
            recorded before it was imported, and nothing from it on.
    """
    clock = engine.clock
    awaited: dict[tuple[str, str], _Line] = {}
    try:
        for recorded_at, group in groupby(_checked(rows), key=lambda line: line.recorded_at):
            lines = list(group)
            left = len(lines) if limit is None else limit - counting.read
            if left < len(lines):
                if any(line.event is None or line.sent_by or line.is_sent for line in lines):
                    return  # their order is known only with all of them
                del lines[left:]
            engine.clock = lambda now=recorded_at: now  # type: ignore[misc]  # bound at once
            _Instant(engine, counting, awaited).run(lines)
            tell(counting.read)
            if counting.read == limit:
                return
        for line in awaited.values():
            raise InputError(_refusal(line, _UNFOUNDED))
    finally:
        engine.clock = clock


class _Line:
    """A line of an export: a program (`event` is None), or a journal entry.

    `sent_by` is the account and journal position from which it seems to have been sent to this account, `is_sent`
    whether it was, `reaches` the accounts to whose journals it brings something.
    """

    __slots__ = (
        "account", "at", "event", "is_sent", "key", "line", "number", "program", "reaches", "recorded_at", "sent_by",
        "values",
    )  # fmt: skip

    def __init__(self, row: Row) -> None:
        values = row.values
        self.number, self.line, self.values = row.number, row.line, values
        self.event: dict[str, Any] | None = values.get("event")
        self.recorded_at = _UTC.parse(values["recorded_at"])
        self.program: str = values["program"]
        self.reaches: set[str] = set()
        self.sent_by: tuple[str, int] | None = None
        self.is_sent = False
        needed = ("content", "file", "effective_from")
        if self.event is not None:
            self.at = _UTC.parse(values["at"])
            needed = ("hash", "seq", "status")
            self.account = str(self.event["account"])
            self.key = (str(self.event.get("source", "default")), str(self.event["id"]))
            head, name = f"{self.event['type']}:", self.key[1]
            ref, _, seq = name.removeprefix(head).rpartition(":")[0].rpartition(":")
            if self.is_own and name.startswith(head) and seq.isdecimal() and ref != self.account:
                self.sent_by = (ref, int(seq))
            self.is_sent = self.event["type"] == "earlier.recalled"  # by the event that names what is recalled
        for name in needed:
            _ = values[name]

    @property
    def is_own(self) -> bool:
        """Whether time brought it."""
        return self.key[0] == OWN_SOURCE

    @property
    def chain(self) -> str:
        """The account in whose journal it stands; what named no account is in one that has no ref."""
        objections = self.values.get("objections") or [{}]
        said = (objections[0].get("code"), str(objections[0].get("message")).partition(";")[0])
        unknown = {("unknown_account", told) for told in (f"no account {self.account}", UNNAMED)}
        return "" if said in unknown else self.account


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


def _in_order(entries: list[_Line]) -> list[_Line]:
    """Return the entries of an instant in an order in which they can be decided.

    An export has them account by account. What one account sent to another stands in the other's journal where it
    stood when it was sent: after what the other has before it, and before what it has behind.
    """
    places = {(line.chain, line.values["seq"]): place for place, line in enumerate(entries)}
    senders = {n: places[line.sent_by] for n, line in enumerate(entries) if line.sent_by in places}
    if not senders:
        return entries
    waits: dict[int, set[int]] = {place: set() for place in range(len(entries))}
    last: dict[str, int] = {}
    for place, line in enumerate(entries):
        before = {last[line.chain]} if line.chain in last else set()
        waits[place] |= before
        last[line.chain] = place
        first = place
        for _ in entries:
            first = senders.get(first, first)
        if first != place:
            line.is_sent = True
            waits[place].add(senders[place])
            if line.chain not in {entries[first].chain, *entries[first].reaches}:
                entries[first].reaches.add(line.chain)
                waits[first] |= before
    sorter = TopologicalSorter(waits)
    try:
        sorter.prepare()
    except CycleError:
        return entries
    order: list[int] = []
    while sorter.is_active():
        ready = sorted(sorter.get_ready())
        order += ready
        sorter.done(*ready)
    return [entries[place] for place in order]


class _Instant:
    """All that was recorded at one instant: programs, events, and accounts that time alone brought up to date."""

    def __init__(self, engine: Engine, counting: Counting, awaited: dict[tuple[str, str], _Line]) -> None:
        self._engine = engine
        self._counting = counting
        self._awaited = awaited
        self._lines: list[_Line] = []
        self._brought: list[_Line] = []
        self._refs: set[str] = set()
        self._passed: dict[str, int] = {}

    def run(self, lines: list[_Line]) -> None:
        programs = [line for line in lines if line.event is None]
        there: list[KeptProgram] = []
        if programs:
            with self._engine.store.reader() as session:
                there = session.kept()
        for line in programs:
            self._check_text(line)
        entries = _in_order([line for line in lines if line.event is not None])
        for place, part in enumerate(self._parts(programs, entries)):
            if place:
                self._program(programs[place - 1], there)
            for line in part:
                if line.is_sent:
                    self._sent(line)
                elif line.is_own:
                    self._time_passed(line)
                else:
                    self._event(line)
            self._flush()
        if self._awaited:
            with self._engine.store.reader() as session:
                self._compare(session, {}, [*self._awaited.values()])
        self._counting.read += len(lines)

    def _parts(self, programs: list[_Line], entries: list[_Line]) -> list[list[_Line]]:
        """Return entries by how many programs of the same instant were in force when they were judged.

        The export has no order between the two; which program judged an entry tells.
        """
        if not programs:
            return [entries]
        known = self._engine.programs()
        new = [_kept(line) for line in programs]
        schedules = [Schedule([*known, *new[:count]]) for count in range(len(new) + 1)]
        parts: list[list[_Line]] = [[] for _ in schedules]
        reached: dict[str, int] = defaultdict(int)
        for line in entries:
            first = max(reached[chain] for chain in (line.chain, *line.reaches))
            places = (n for n in range(first, len(schedules)) if schedules[n].at(line.at) == line.program)
            place = next(places, first if line.is_own else len(new))
            for chain in (line.chain, line.account, *line.reaches):  # what named no account came before it was opened
                reached[chain] = max(place, reached[chain])
            parts[place].append(line)
        return parts

    def _time_passed(self, line: _Line) -> None:
        self._skipped("brought by time")
        ref = line.account
        if ref in self._refs:
            self._flush()
        self._passed[ref] = max(line.at, self._passed.get(ref, -NEVER))
        self._brought.append(line)

    def _sent(self, line: _Line) -> None:
        """Expect what another account's event brings to this one."""
        self._skipped("brought by another account")
        self._awaited[line.key] = line
        self._refs.add(line.account)

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
        alone = [line for line in self._brought if line.account in self._passed]
        if alone:
            self._commit(self._bring_up, alone)
        if self._lines:
            with_events = [line for line in self._brought if line.account not in self._passed]
            outcomes = self._commit(self._decide, [*with_events, *self._lines])
            for line, outcome in zip(self._lines, outcomes, strict=True):
                self._counting.note(Shaped(line.number, line.line, line.event), outcome)
        self._lines, self._brought = [], []
        self._refs, self._passed = set(), {}

    def _commit(self, work: Callable[[Batch, list[_Line]], list[_Line]], lines: list[_Line]) -> list[Outcome]:
        """Do some work, compare what comes of it with the lines that it returns, and only then write."""
        attempt = 0
        while True:
            try:
                with self._engine.store.writer() as session:
                    batch = self._engine.batch(session)
                    compared = work(batch, lines)
                    decided = {(entry.source, entry.id): entry for _, entry in batch.changes.entries}
                    self._compare(session, decided, compared, batch.outcomes)
                    batch.write()
            except LeaseShortError as short:
                self._engine.leases.ask(short)
            except StoreBusyError:
                attempt += 1
                if attempt == RETRIES:
                    raise
                time.sleep(0.001 * 2**attempt)
            else:
                self._engine.leases.committed(batch.purse.spent)
                batch.finish()
                return batch.outcomes

    def _decide(self, batch: Batch, lines: list[_Line]) -> list[_Line]:
        events = [line.event or {} for line in self._lines]
        try:
            batch.take(events)
        except HalfDoneError as half:  # which no journal holds
            raise half.error from half
        return lines

    def _bring_up(self, batch: Batch, lines: list[_Line]) -> list[_Line]:
        batch.load_accounts(list(self._passed), min(self._passed.values()))
        for ref, account in batch.accounts.items():
            batch.bring_up(account, self._passed[ref])
        return [line for line in lines if line.account in batch.accounts]  # the event that opens it may be cut off

    def _compare(
        self,
        session: Session,
        decided: dict[tuple[str, str], Entry],
        lines: list[_Line],
        outcomes: Sequence[Outcome] = (),
    ) -> None:
        """Compare what was decided, or was there before, with what was exported.

        Raises:
            InputError: the first line to whose hash this ledger does not come.
        """
        sent = [line for key, line in self._awaited.items() if key in decided]
        keys = session.keys([line.key for line in lines if line.key not in decided])
        before = session.entries(list(keys.values()))
        entries = {pair: before[key] for pair, key in keys.items()} | decided
        for line in sorted([*lines, *sent], key=lambda line: line.number):
            entry = entries.get(line.key)
            problem = "" if entry is None else _difference(line, entry)
            if entry is None and line.sent_by is not None:
                self._awaited[line.key] = line
            elif entry is None:
                errors = [outcome.error for outcome in outcomes if (outcome.source, outcome.id) == line.key]
                problem = f"it cannot be decided: {errors[0]}" if errors else _UNFOUNDED
            if problem:
                raise InputError(_refusal(line, problem))
            if entry is not None:
                self._awaited.pop(line.key, None)

    def _check_text(self, line: _Line) -> None:
        if sha256(str(line.values["content"]).encode()).hexdigest() != line.program:
            message = f"line {line.line}: the text of program {line.values['file']} is not the one that was in force"
            raise InputError(f"{message}; {_REMEDY}")

    def _program(self, line: _Line, there: list[KeptProgram]) -> None:
        """Put a program in force, unless it is there from an earlier run, or since by hand."""
        self._skipped("a program")
        program = _kept(line)
        if program in there:
            there.remove(program)
        elif not any(
            (k.hash, k.effective_from) == (program.hash, program.effective_from) and k.recorded_at > program.recorded_at
            for k in there
        ):
            self._engine.put_text_in_force(program.content, effective_from=program.effective_from, file=program.file)

    def _skipped(self, reason: str) -> None:
        self._counting.counts["skipped"] += 1
        self._counting.reasons[f"skipped: {reason}"] += 1


def _kept(line: _Line) -> KeptProgram:
    values = line.values
    start = -NEVER if values["effective_from"] is None else _UTC.parse(values["effective_from"])
    return KeptProgram(line.program, values["file"], values["content"], start, line.recorded_at)


def _refusal(line: _Line, problem: str) -> str:
    return f"line {line.line}: account {line.account}, journal position {line.values['seq']}: {problem}; {_REMEDY}"


def _difference(line: _Line, entry: Entry) -> str:
    """Return how an entry differs from the line of it; empty where it does not."""
    if entry.seq != line.values["seq"]:
        return f"it comes out at position {entry.seq}"
    if entry.hash.hex() != line.values["hash"]:
        return f"its hash comes out as {entry.hash.hex()[:12]}, not {str(line.values['hash'])[:12]}"
    return ""
