"""One process of bulk work: decides batches of its own accounts on snapshots, and writes each when it is its turn."""

from __future__ import annotations

import gc
import signal
from contextlib import contextmanager
from dataclasses import dataclass
from queue import SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from stampbook.batch import Batch, HalfDoneError
from stampbook.engine import Engine, uncollected
from stampbook.errors import StampbookError, StoreBusyError
from stampbook.leasing import LeaseShortError
from stampbook.outcomes import ACCEPTED, Outcome
from stampbook.remembering import Remembered
from stampbook.store import open_store
from stampbook.store.session import SqlSession

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from multiprocessing.connection import Connection

    from stampbook.plugin import Plugin
    from stampbook.store.rows import Row

MOST_REMEMBERED = 40_000_000
"""How many bytes of accounts all workers of a job remember together."""

MOST_CONFLICTS = 3
"""How often a batch is decided on a snapshot before it is decided where nobody can be first."""


class Done(NamedTuple):
    """What became of a batch: tags of accepted events (and of those that were known); the others with their events."""

    accepted: list[Any]
    replayed: list[Any]
    others: list[tuple[Any, Mapping[str, Any], Outcome]]


def done_of(tagged: Iterable[tuple[Any, Mapping[str, Any]]], outcomes: Iterable[Outcome]) -> Done:
    """Return what became of a batch."""
    done = Done([], [], [])
    for (tag, event), outcome in zip(tagged, outcomes, strict=True):
        if outcome.status != ACCEPTED:
            done.others.append((tag, event, outcome))
        else:
            (done.replayed if outcome.replayed else done.accepted).append(tag)
    return done


@contextmanager
def quiet_collector() -> Iterator[None]:
    """Look for reference cycles only once 400,000 objects are left over: a batch leaves none, and holds fewer."""
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(400_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


@dataclass(frozen=True, slots=True)
class Place:
    """Which of the workers one is, how many there are, and whose turn it is to write."""

    number: int
    count: int
    turn: AbstractContextManager[Any]


def work(connection: Connection, url: str, plugins: Mapping[str, type[Plugin[Any]]] | None, place: Place) -> None:
    """Commit batches until the other side hangs up: the whole life of a worker.

    Args:
        connection: gives batches, each a JSON array of pairs of tag and event; takes a `Done` for each once it is
            durable, in the same order, or at the end the error that kept the worker from going on.
        url: the database.
        plugins: plugin classes to use before those that are installed.
        place: among the workers.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    batches = _Inbox(connection)
    try:
        with quiet_collector(), Engine(open_store(url, writers=place.count), plugins=plugins) as engine:
            engine.remembered = Remembered(MOST_REMEMBERED // place.count)
            decider = _Decider(engine, place)
            while (batch := batches.next()) is not None:
                connection.send(decider.commit(batch))
    except (EOFError, OSError):
        return
    except StampbookError as error:
        connection.send(error)


class _Inbox:
    """What arrives while a batch is decided, so that the next is at hand and its sender never waits."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._arrived: SimpleQueue[bytes | None] = SimpleQueue()
        self._hung_up = False
        Thread(target=self._listen, daemon=True).start()

    def _listen(self) -> None:
        try:
            while True:
                self._arrived.put(self._connection.recv_bytes())
        except (EOFError, OSError):
            self._hung_up = True
            self._arrived.put(None)

    def next(self) -> bytes | None:
        """Return the next batch; None once the other side has hung up, whatever is left."""
        batch = self._arrived.get()
        return None if self._hung_up else batch


class _Decider:
    """Decides batches on snapshots of the books, and commits them unless an account has moved on since."""

    def __init__(self, engine: Engine, place: Place) -> None:
        self._engine = engine
        self._place = place
        self._last_id = 0

    def commit(self, text: bytes) -> Done:
        """Return what became of a batch once it is durable.

        Raises:
            StoreError: the database cannot be used.
        """
        tagged = orjson.loads(text)
        events = [event for _, event in tagged]
        outcomes = self._committed(events)
        return done_of(tagged, outcomes)

    def _committed(self, events: Sequence[Mapping[str, Any]]) -> Sequence[Outcome]:
        for _ in range(MOST_CONFLICTS):
            batch = self._decided(events)
            rows = batch.changes.rows(batch.programs.ids)
            try:
                with self._place.turn:
                    self._write(batch, rows)
                    self._engine.store.tidy()
            except StoreBusyError:
                self._engine.leases.forget()
            else:
                self._engine.leases.committed(batch.purse.spent)
                batch.finish()
                return batch.outcomes
        with self._place.turn:
            return self._engine.process(events)

    def _write(self, batch: Batch, rows: dict[str, list[Row]]) -> None:
        with self._engine.store.writer() as session:
            assert isinstance(session, SqlSession)  # noqa: S101 - can_run_in_parallel excludes memory
            _check(session, batch)
            session.write_rows(rows)

    def _decided(self, events: Sequence[Mapping[str, Any]]) -> Batch:
        failing: dict[int, StampbookError] = {}
        while True:
            try:
                with uncollected(), self._engine.store.reader() as session:
                    batch = self._engine.batch(session, new_ids=self._new_ids)
                    batch.take(events, failing)
                return batch
            except HalfDoneError as half:
                failing[half.place] = half.error
            except LeaseShortError as short:
                self._engine.leases.ask(short)

    def _new_ids(self, session: SqlSession, count: int) -> list[int]:
        """Return ids that nobody else gives.

        Where the database does not reserve any, they are those that leave this worker's number when divided by the
        count of all; whoever else opens accounts meanwhile is noticed when the batch is written.
        """
        reserved = self._engine.store.reserved_ids(count)
        if reserved is not None:
            return reserved
        last: int = session.rows("SELECT coalesce(max(id), 0) FROM account")[0][0]
        first = max(last, self._last_id) + 1
        first += (self._place.number - first) % self._place.count
        ids = list(range(first, first + count * self._place.count, self._place.count))
        self._last_id = ids[-1]
        return ids


def _check(session: SqlSession, batch: Batch) -> None:
    """Check that no account of a batch has moved on since it was loaded, and that the same programs are in force.

    Raises:
        StoreBusyError: one has, or another program was put in force.
    """
    found = session.positions(batch.positions)
    if batch.programs.generation != session.generation() or any(
        found.get(account_id, 0) != seq for account_id, seq in batch.positions.items()
    ):
        message = "another writer was first; the batch is decided again"
        raise StoreBusyError(message)
