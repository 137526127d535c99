"""Bringing events in from files: JSON Lines, CSV and Parquet, in flat memory, in batches, as often as one likes.

An import is resumed by running it again: events that are known answer with their first outcome and change nothing.
It may be stopped at any moment; the ledger then holds whole batches. Columns that are somebody else's become events by
a mapping file (`stampbook.importing.mapping`).
"""

from __future__ import annotations

import os
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stampbook.engine import FAILED, MALFORMED, REFUSED
from stampbook.errors import DuplicateEventError, InputError
from stampbook.importing.files import FORMATS, format_of, opened
from stampbook.importing.mapping import MappingFile, read_mapping
from stampbook.importing.refused import RefusedFile
from stampbook.importing.restoring import restore
from stampbook.importing.shaping import Shaped, Shaper, shaped_as_is
from stampbook.parallel import Tagged, can_run_in_parallel, process_in_parallel
from stampbook.worker import quiet_collector

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from stampbook.engine import Engine, Outcome
    from stampbook.importing.rows import Rows

LARGEST_BATCH_BYTES = 16 << 20
"""A batch ends at so many bytes of rows, however few they are: memory stays flat."""

ALONE = 4_000
"""So many rows are decided by one process before others are started."""

PARALLEL_BATCH = 1_000
"""How many events a process decides at once, where there are several."""

_PROGRESS_EVERY = 5_000


@dataclass(frozen=True, slots=True)
class ImportSummary:
    """What an import did.

    `read` and `skipped` count rows; `accepted`, `refused`, `replayed`, `malformed` and `failed` count events, each
    once: `replayed` are those that the ledger knew before (accepted or refused then), `malformed` those that were not
    recorded, `failed` those on which a rule or plugin of the program failed, so that they were not recorded either.
    `refused_file` is where all but the accepted stand with their reasons (replayed refusals too); `reasons` counts
    those by code, and what was skipped by reason.
    """

    read: int
    accepted: int
    refused: int
    replayed: int
    malformed: int
    failed: int
    skipped: int
    seconds: float
    refused_file: str | None
    reasons: dict[str, int] = field(default_factory=dict)


def import_file(  # noqa: PLR0913 - the options of a command
    engine: Engine,
    path: str | Path,
    *,
    mapping: Path | str | None = None,
    format: str | None = None,  # noqa: A002 - the word that people use
    refused: Path | None = None,
    batch_size: int = 2000,
    on_progress: Callable[[int, int | None], None] | None = None,
    limit: int | None = None,
    as_recorded: bool = False,
    jobs: int = 1,
) -> ImportSummary:
    """Import a file of events.

    Args:
        engine: an open ledger with a program in force.
        path: the file; ``-`` is standard input. ``.gz`` is read through.
        mapping: a mapping file for columns that are not those of events.
        format: ``jsonl``, ``csv`` or ``parquet``; by default what the name's extension says.
        refused: where refused and malformed rows go; by default ``NAME.refused.jsonl`` in the current folder.
        batch_size: how many events are committed at once.
        on_progress: told how much is done and how much there is (None if nobody knows), in bytes of the file or rows
            of a Parquet file.
        limit: stop after so many rows.
        as_recorded: the file is an export of a ledger (``jsonl``): put its programs in force and record its events at
            the instants at which they were recorded then, so that an empty ledger becomes the same one, hash for hash.
        jobs: how many processes decide events, each its own accounts, once a file proves to be long; 0 for as many as
            there are processors. The outcome is the same; refused rows come in another order.

    Raises:
        InputError: the file cannot be read, in one line; batches before that are committed.
        ProgramError: the mapping has mistakes; nothing was imported.
        StoreError: the database cannot be used; batches before that are committed.
    """
    started = time.monotonic()
    name = str(path)
    kind = format_of(name, format)
    secrets = engine.registry().reader.secrets if engine.programs() else frozenset[str]()
    kept = RefusedFile(refused if refused is not None else _default_refused(name), secrets)
    if name != "-" and _same_file(Path(name), kept.path):
        message = f"{kept.path} is the file that is imported; name another for refused rows"
        raise InputError(message)
    run = _Run(engine, kept, batch_size)
    rules: MappingFile | None = None
    if mapping is not None:
        if as_recorded:
            message = "an export needs no mapping; leave out one of the two"
            raise InputError(message)
        rules = read_mapping(mapping, engine.registry().reader.kinds)
    options: dict[str, Any] = {"delimiter": rules.delimiter, "encoding": rules.encoding} if rules else {}
    if rules is not None:
        options |= {"needed": rules.needed} if kind == "parquet" else {"keep_digits": True}
    try:
        with quiet_collector(), opened(name, kind, **options) as rows:
            tell = _teller(rows, on_progress)
            if as_recorded:
                restore(engine, rows, run, limit, tell)
            else:
                run.rules = rules
                run.take_all(_limited(_shaped(rows, rules, name), limit), rows, jobs, tell)
            if on_progress is not None:
                on_progress(rows.done(), rows.total)
    finally:
        kept.close()
    if not kept.count and refused is None:
        with suppress(FileNotFoundError):
            kept.path.unlink()  # of an earlier run, whose rows are mended
    counts = run.counts
    return ImportSummary(
        run.read,
        counts["accepted"],
        counts["refused"],
        counts["replayed"],
        counts["malformed"],
        counts["failed"],
        counts["skipped"],
        time.monotonic() - started,
        str(kept.path) if kept.count else None,
        dict(run.reasons.most_common()),
    )


def _teller(rows: Rows, on_progress: Callable[[int, int | None], None] | None) -> Callable[[int], None]:
    told = 0

    def tell(read: int) -> None:
        nonlocal told
        if on_progress is not None and read >= told + _PROGRESS_EVERY:
            told = read
            on_progress(rows.done(), rows.total)

    return tell


def _shaped(rows: Rows, rules: MappingFile | None, name: str) -> Iterator[Shaped]:
    if rules is None:
        return shaped_as_is(rows, name)
    if rows.available is not None:
        rules.check_columns(rows.available, name)
    return Shaper(rules, rows.columns).shaped(rows)


def _limited(shaped: Iterator[Shaped], limit: int | None) -> Iterator[Shaped]:
    read = 0
    for item in shaped:
        if limit is not None and read + item.rows > limit:
            return
        read += item.rows
        yield item
        if read == limit:
            return


def _default_refused(path: str) -> Path:
    return Path(f"{'stdin' if path == '-' else Path(path).name}.refused.jsonl")


def _same_file(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


class _Run:
    """The counts of one import, and the batch that is being filled."""

    def __init__(self, engine: Engine, kept: RefusedFile, batch_size: int) -> None:
        self.read = 0
        self.counts: Counter[str] = Counter()
        self.reasons: Counter[str] = Counter()
        self.rules: MappingFile | None = None
        self._failure: InputError | None = None
        self._engine = engine
        self._kept = kept
        self._batch_size = max(1, batch_size)
        self._items: list[Shaped] = []
        self._events = 0
        self._taken = 0

    def take_all(self, items: Iterator[Shaped], rows: Rows, jobs: int, tell: Callable[[int], None]) -> None:
        """Take all items and commit them; where the file cannot be read on, those that came before."""
        items = self._until_failure(items)
        several = jobs != 1 and can_run_in_parallel(self._engine)
        for shaped in islice(items, ALONE) if several else items:
            self.take(shaped, rows.taken())
            tell(self.read)
        self.flush()
        if several:
            self.spread(items, jobs or os.cpu_count() or 1, tell)
        if self._failure is not None:
            raise self._failure

    def _until_failure(self, items: Iterator[Shaped]) -> Iterator[Shaped]:
        try:
            yield from items
        except InputError as error:
            self._failure = error

    def take(self, shaped: Shaped, taken: int) -> None:
        """Take what became of rows; `taken` is how many bytes of rows were read so far."""
        self.read += shaped.rows
        if shaped.skipped:
            self.counts["skipped"] += shaped.rows
            self.reasons[f"skipped: {shaped.skipped}"] += shaped.rows
            return
        self._items.append(shaped)
        self._events += 1
        if self._events >= self._batch_size or taken - self._taken >= LARGEST_BATCH_BYTES:
            self._taken = taken
            self.flush()

    def spread(self, items: Iterator[Shaped], jobs: int, tell: Callable[[int], None]) -> None:
        """Take all that is left, decided by several processes."""
        first = next(items, None)
        if first is None:
            return
        size = min(self._batch_size, PARALLEL_BATCH)
        events = self._tagged(chain([first], items))
        for done in process_in_parallel(self._engine, events, jobs=jobs, batch_size=size):
            self.counts["accepted"] += len(done.accepted)
            self.counts["replayed"] += len(done.replayed)
            for (number, line), event, outcome in done.others:
                self.note(Shaped(number, line, event), outcome)
            self._kept.flush()
            tell(self.read)

    def _tagged(self, items: Iterable[Shaped]) -> Iterator[Tagged]:
        for item in items:
            self.read += item.rows
            if item.skipped:
                self.counts["skipped"] += item.rows
                self.reasons[f"skipped: {item.skipped}"] += item.rows
            elif item.problem is not None:
                self.counts["malformed"] += 1
                self._keep(item, MALFORMED, [item.problem])
            else:
                yield Tagged((item.number, item.line), item.event, item.text)

    def flush(self) -> None:
        """Commit the batch and note what became of it."""
        items, self._items, self._events = self._items, [], 0
        events = [item.event for item in items if item.problem is None]
        outcomes = iter(self._engine.process(events) if events else ())
        for item in items:
            if item.problem is None:
                self.note(item, next(outcomes))
            else:
                self.counts["malformed"] += 1
                self._keep(item, MALFORMED, [item.problem])
        self._kept.flush()

    def note(self, item: Shaped, outcome: Outcome) -> None:
        """Count an outcome, and keep what was refused."""
        self.counts["replayed" if outcome.replayed else outcome.status] += 1
        if outcome.status == REFUSED:
            self._keep(item, REFUSED, [(objection.code, objection.message) for objection in outcome.objections])
        elif outcome.status in {MALFORMED, FAILED}:
            self._keep(item, outcome.status, [self._reason(outcome)])

    def _reason(self, outcome: Outcome) -> tuple[str, str]:
        if not isinstance(outcome.error, DuplicateEventError):
            return "rule_failed" if outcome.status == FAILED else "invalid_event", str(outcome.error)
        hint = ""
        if self.rules is not None and self.rules.group_by:
            columns = ", ".join(map(repr, self.rules.group_by))
            hint = f" (rows of one event must stand together: sort the file by {columns})"
        return "other_content", f"{outcome.error}{hint}"

    def _keep(self, item: Shaped, status: str, reasons: list[Any]) -> None:
        for code, _ in reasons:
            self.reasons[code] += 1
        self._kept.add(item.number, item.line, item.event, status, reasons)


__all__ = ["FORMATS", "ImportSummary", "format_of", "import_file"]
