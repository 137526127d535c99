"""Batches of events: load the accounts, decide in memory in order, write every table once, commit."""

from __future__ import annotations

import gc
import time
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from stampbook.batch import Batch, HalfDoneError
from stampbook.errors import (
    EventError,
    ExpressionError,
    InvariantError,
    PluginError,
    StampbookError,
    StoreBusyError,
    StoreError,
)
from stampbook.in_force import InForce
from stampbook.leasing import LEASE_SECONDS, Leases, LeaseShortError
from stampbook.loading import load, load_file
from stampbook.outcomes import ACCEPTED, FAILED, MALFORMED, REFUSED, Outcome
from stampbook.periods import DAY, NEVER
from stampbook.picking import Picks
from stampbook.remembering import Remembered
from stampbook.store import Session, Store, open_store
from stampbook.store.programs import KeptProgram, latest_by_start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from stampbook.plugin import Plugin
    from stampbook.registry import Registry

RETRIES = 8
"""How often a batch is tried again when another writer was first."""

MANY = 50
"""From so many events on a batch is decided without looking for reference cycles."""

PATIENCE_SECONDS = 5.0
"""After so long nothing is tried again: a till waits for its answer."""


@contextmanager
def uncollected() -> Iterator[None]:
    """Leave the search for reference cycles until after the batch, which makes hardly any."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def system_clock() -> int:
    """Return the present instant."""
    return time.time_ns() // 1000


class Engine:
    """The ledger of one database, judged by the programs in force.

    Args:
        store: an open database.
        clock: where the present comes from; every instant of recording is read from it.
        plugins: plugin classes to use before those that are installed, by name.
        ahead: how far in the future an event may be dated, in microseconds; an event beyond it is malformed, since it
            would expire what the customer still has. A day with the system's clock, else without bound.
        lease_seconds: how long a lease on a campaign's budget lasts; after so long what a process that died had
            leased is free again.
    """

    def __init__(
        self,
        store: Store,
        *,
        clock: Callable[[], int] = system_clock,
        plugins: Mapping[str, type[Plugin[Any]]] | None = None,
        ahead: int | None = None,
        lease_seconds: float = LEASE_SECONDS,
    ) -> None:
        self.store = store
        self.clock = clock
        self._plugins = plugins
        self._ahead = ahead
        self._cached: InForce | None = None
        self._built: dict[str, Registry] = {}
        self.leases = Leases(store, clock, lease_seconds)
        self.picks = Picks()
        self.remembered = None if store.in_memory else Remembered()

    @classmethod
    def open(cls, url: str, *, create: bool = False, **options: Any) -> Engine:
        """Open the ledger of a database by its address; see `stampbook.store.open_store` and `Engine`."""
        return cls(open_store(url, create=create), **options)

    def close(self) -> None:
        """Give back what is leased, and close the database."""
        self.leases.close()
        self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Programs

    def put_in_force(self, path: str | Path, *, effective_from: int | None = None) -> Registry:
        """Put a program file in force from an instant: the first one of a ledger always, later ones from now.

        Raises:
            ProgramError: the file has mistakes; nothing changed.
        """
        registry = load_file(path, plugins=self._plugins)
        content = Path(path).read_text(encoding="utf-8")
        self._keep(registry, Path(path).name, content, effective_from)
        return registry

    def put_text_in_force(self, text: str, *, effective_from: int | None = None, file: str = "program") -> Registry:
        """Put a program in force that is not in a file; see `put_in_force`."""
        registry = load(text, file, plugins=self._plugins)
        self._keep(registry, file, text, effective_from)
        return registry

    def _keep(self, registry: Registry, file: str, content: str, effective_from: int | None) -> None:
        now = self.clock()
        with self.store.writer() as session:
            kept = session.in_force()
            start = effective_from if effective_from is not None else (now if kept else -NEVER)
            if kept and start < kept[0].effective_from:
                start = kept[0].effective_from
            self._check_assets(registry, kept)
            session.put_in_force(KeptProgram(registry.hash, file, content, start, now))
        self._cached = None

    def _check_assets(self, registry: Registry, kept: Sequence[KeptProgram]) -> None:
        for program in kept:
            older = self._built_of(program)
            if registry.context.currency != older.context.currency:
                message = (
                    f"the books are kept in {older.context.currency.code} by program {program.file}; "
                    f"a later program cannot keep them in {registry.context.currency.code}"
                )
                raise PluginError(message)
            for code, asset in older.context.assets.items():
                now = registry.context.assets.get(code)
                if now is None or now.decimals != asset.decimals:
                    message = (
                        f"asset {code!r} of {asset.decimals} decimals is in the books by program {program.file}; "
                        "a later program must keep it"
                    )
                    raise PluginError(message)

    def programs(self) -> list[KeptProgram]:
        """Return the programs in the order in which they hold."""
        with self.store.reader() as session:
            return session.in_force()

    def judge_of(self, program: str) -> Registry:
        """Return the program of a content hash, as a journal entry names it."""
        with self.store.reader() as session:
            return self._programs(session).by_hash[program]

    def registry(self, at: int | None = None) -> Registry:
        """Return the program in force at an instant; now where none is given.

        Raises:
            StoreError: no program was put in force yet.
        """
        with self.store.reader() as session:
            return self._programs(session).at(self.clock() if at is None else at)

    def _built_of(self, program: KeptProgram) -> Registry:
        registry = self._built.get(program.hash)
        if registry is None:
            registry = load(program.content, program.file, plugins=self._plugins, kept=True)
            if registry.hash != program.hash:
                message = f"the text of program {program.file} ({program.hash[:12]}) was changed in the database"
                raise StoreError(message)
            self._built[program.hash] = registry
        return registry

    def _programs(self, session: Session) -> InForce:
        current = session.generation()
        if self._cached is None or self._cached.generation != current:
            kept = session.kept()
            if not kept:
                message = "no program is in force; run: stampbook apply PROGRAM.toml"
                raise StoreError(message)
            self._cached = self._built_programs(session, kept, current)
        return self._cached

    def _built_programs(self, session: Session, kept: Sequence[KeptProgram], generation: int) -> InForce:
        holding = latest_by_start(kept)
        return InForce(
            [program.effective_from for program in holding],
            [self._built_of(program) for program in holding],
            {digest: id_ for id_, digest in session.programs.items()},
            generation,
            {program.hash: self._built_of(program) for program in kept},
        )

    # Events

    def post(self, event: Mapping[str, Any]) -> Outcome:
        """Decide and commit one event.

        Raises:
            EventError: it is malformed, or its id was used before with other content; nothing was recorded.
            ExpressionError, PluginError, InvariantError: a rule or plugin of the program failed on it; nothing was
                recorded.
        """
        outcome = self.process([event])[0]
        if outcome.error is not None:
            raise outcome.error
        return outcome

    def process(self, events: Sequence[Mapping[str, Any]]) -> list[Outcome]:
        """Decide a batch of events in order and commit it as one; one that fails does not fail its neighbours.

        Raises:
            StoreError: nothing of the batch was written.
        """
        patience = _Patience()
        failing: dict[int, StampbookError] = {}
        while True:
            try:
                with uncollected() if len(events) >= MANY else nullcontext():
                    batch = self._process(events, failing)
            except HalfDoneError as half:
                failing[half.place] = half.error
                self.leases.forget()
            except LeaseShortError as short:
                self.leases.ask(short)
            except StoreBusyError:
                self.leases.forget()
                if not patience.wait():
                    raise
            else:
                self.leases.committed(batch.purse.spent)
                batch.finish()
                return batch.outcomes

    def _process(
        self, events: Sequence[Mapping[str, Any]], failing: Mapping[int, StampbookError] | None = None
    ) -> Batch:
        with self.store.writer() as session:
            batch = self.batch(session)
            batch.take(events, failing)
            batch.write()
        return batch

    def preview(self, event: Mapping[str, Any]) -> Outcome:
        """Return what would become of an event now; nothing is written, and nobody is told.

        Raises:
            StampbookError: as `post` would raise.
        """
        while True:
            try:
                with uncollected(), self.store.reader() as session:
                    batch = self.batch(session)
                    batch.take([event])
            except LeaseShortError as short:
                self.leases.ask(short)
                continue
            except HalfDoneError as half:
                raise half.error from None
            outcome = batch.outcomes[0]
            if outcome.error is not None:
                raise outcome.error
            return outcome

    @property
    def plugins(self) -> Mapping[str, type[Plugin[Any]]] | None:
        """The plugin classes that were given."""
        return self._plugins

    def in_force(self, session: Session, *, known_at: int | None = None) -> InForce:
        """Return the programs in force, built, as a transaction sees them, or as they were known at an instant.

        Raises:
            StoreError: no program was put in force yet.
        """
        programs = self._programs(session)
        kept = session.kept()
        if known_at is None or all(program.recorded_at <= known_at for program in kept):
            return programs
        known = [program for program in kept if program.recorded_at <= known_at] or kept[:1]
        return self._built_programs(session, known, programs.generation)

    def batch(self, session: Session, **options: Any) -> Batch:
        """Return a batch that decides in a transaction, under the programs that it sees."""
        now = self.clock()
        ahead = DAY if self._ahead is None and self.clock is system_clock else self._ahead
        latest = NEVER if ahead is None else now + ahead
        programs = self._programs(session)
        purse = self.leases.purse(programs, now)
        kept: dict[str, Any] = {"remembered": self.remembered, "picks": self.picks}
        return Batch(session, programs, now, latest=latest, purse=purse, **kept, **options)

    def tick(self, at: int | None = None, *, batch_size: int = 1000) -> Iterator[int]:
        """Bring every account up to an instant (now): yield how many events time brought, batch by batch.

        Raises:
            PluginError: some accounts could not be brought up, which is told after all others were.
            StoreBusyError: other writers were first again and again; what was yielded is written.
        """
        until = self.clock() if at is None else at
        failed: dict[str, StampbookError] = {}
        patience = _Patience()
        after, moved = 0, False
        while True:
            try:
                with self.store.writer() as session:
                    due = session.due(until, after, batch_size)
                    batch = self.batch(session)
                    batch.load_accounts([ref for _, ref in due if ref not in failed], until)
                    for account in list(batch.accounts.values()):
                        try:
                            batch.bring_up(account, until)
                        except (EventError, ExpressionError, InvariantError, PluginError) as error:
                            failed[account.ref] = error
                            if batch.half_done:
                                raise HalfDoneError(0, error) from error
                    batch.write()
            except HalfDoneError:
                self.leases.forget()  # what was looked at was undone
                continue
            except LeaseShortError as short:
                self.leases.ask(short)
                continue
            except StoreBusyError:
                self.leases.forget()
                if not patience.wait():
                    raise
                continue
            patience = _Patience()
            if due:
                after = due[-1][0]
                self.leases.committed(batch.purse.spent)
                batch.finish()
                if batch.changes.entries:
                    moved = True
                    yield len(batch.changes.entries)
            elif moved:  # what some accounts sent to others may have made these due
                after, moved = 0, False
            else:
                break
        for ref, cause in failed.items():
            message = f"time cannot be brought up on {len(failed)} of the accounts; the first is {ref}: {cause}"
            raise PluginError(message) from cause


class _Patience:
    """How long a batch is tried again when other writers are first: some times, with growing pauses."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._attempt = 0

    def wait(self) -> bool:
        """Pause before the next attempt; or say that there were enough."""
        self._attempt += 1
        if self._attempt == RETRIES or time.monotonic() - self._started > PATIENCE_SECONDS:
            return False
        time.sleep(0.001 * 2**self._attempt)
        return True


def in_batches(events: Iterable[Mapping[str, Any]], size: int) -> Iterator[list[Mapping[str, Any]]]:
    """Yield lists of up to `size` events."""
    batch: list[Mapping[str, Any]] = []
    for event in events:
        batch.append(event)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


__all__ = ["ACCEPTED", "FAILED", "MALFORMED", "REFUSED", "Engine", "Outcome", "in_batches", "system_clock"]
