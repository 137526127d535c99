"""Bulk work on several cores: worker processes decide, each its own accounts, and one process writes.

Accounts are independent, so their events may be decided side by side. A worker loads a batch from a snapshot,
decides it without a lock, and hands over rows; the writer checks under its lock that no account of the batch has
moved on since, and that the programs are the same, before it commits. Where one has, the worker decides the batch
again. What is written is what one process would have written, account by account.
"""

from __future__ import annotations

import gc
import marshal
import multiprocessing
import os
import pickle
import signal
from collections import deque
from contextlib import contextmanager
from itertools import islice
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from stampbook.engine import Engine, system_clock, uncollected
from stampbook.errors import StampbookError, StoreBusyError, StoreError
from stampbook.homes import Homes
from stampbook.leasing import LeaseShortError
from stampbook.ledger import canonical
from stampbook.outcomes import ACCEPTED, Outcome
from stampbook.store import open_store
from stampbook.store.reading import links
from stampbook.store.session import SqlSession

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from multiprocessing.connection import Connection

    from stampbook.batch import Batch
    from stampbook.plugin import Plugin

Tagged = tuple[int, "Mapping[str, Any]"]
"""An event with a number of the caller's choice, by which its outcome is known."""

MOST_WAITING = 2
"""How many batches may wait for one worker before reading pauses."""

MOST_CONFLICTS = 3
"""How often a batch is decided again by its worker before it is decided under the writer's lock."""

MOST_BYTES = 32_000_000
"""How many bytes of events may wait for one worker before reading pauses, and are handed over at once."""


READ_AT_ONCE = 100
"""How many events are read before the writer looks whether a worker has something for it."""


class Done(NamedTuple):
    """What became of a batch: tags of accepted events (and of those that were known), and the other outcomes."""

    accepted: list[int]
    replayed: list[int]
    others: list[tuple[int, Outcome]]


def done_of(outcomes: Iterable[tuple[int, Outcome]]) -> Done:
    """Return tagged outcomes as what became of a batch."""
    done = Done([], [], [])
    for tag, outcome in outcomes:
        if outcome.status != ACCEPTED:
            done.others.append((tag, outcome))
        else:
            (done.replayed if outcome.replayed else done.accepted).append(tag)
    return done


@contextmanager
def quiet_collector() -> Iterator[None]:
    """Look for reference cycles only once 400,000 objects are left over: a batch leaves none, and holds fewer."""
    before = gc.get_threshold()
    gc.collect()
    gc.freeze()
    gc.set_threshold(400_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def can_run_in_parallel(engine: Engine) -> bool:
    """Return whether a ledger's events may be decided by other processes.

    They may not where the clock is not the system's, the books are in memory, or a plugin listens to commits.
    """
    if engine.clock is not system_clock or engine.store.in_memory:
        return False
    with engine.store.reader() as session:
        return not any(registry.has_listeners for registry in engine.in_force(session).registries)


def process_in_parallel(
    engine: Engine, events: Iterable[Tagged], *, jobs: int | None = None, batch_size: int = 1000
) -> Iterator[Done]:
    """Decide and commit events on several processes; yield what became of each batch once it is durable.

    Events of one account keep their order; those of different accounts may be committed in another one.

    Args:
        engine: the ledger.
        events: tagged events.
        jobs: how many workers; as many as there are processors where absent.
        batch_size: how many events a batch holds at most.

    Raises:
        StoreError: the database cannot be used, or a worker died; what was yielded before is committed.
    """
    count = jobs or os.cpu_count() or 1
    pool = _Pool(engine, count)
    try:
        yield from pool.run(events, batch_size)
    finally:
        pool.close()


class _Worker:
    """One deciding process as the writer sees it."""

    def __init__(self, engine: Engine, number: int, count: int) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        arguments = (theirs, engine.store.url, engine.plugins, number, count)
        self.process = context.Process(target=_work, args=arguments, daemon=True)
        self.process.start()
        theirs.close()
        self.waiting: deque[bytes] = deque()
        self.bytes_waiting = 0
        self.sent = b"[]"
        self.busy = False
        self.attempts = 0

    def send(self, batch_size: int) -> None:
        """Hand over the next batch."""
        batch: list[bytes] = []
        size = 0
        while self.waiting and len(batch) < batch_size and size < MOST_BYTES:
            batch.append(self.waiting.popleft())
            size += len(batch[-1])
        self.bytes_waiting -= size
        self.sent = b"[" + b",".join(batch) + b"]"
        self.connection.send_bytes(b"N" + self.sent)
        self.busy, self.attempts = True, 0

    def give(self, tagged: Tagged) -> None:
        """Put an event at the end of what waits."""
        text = canonical(tagged)
        self.waiting.append(text)
        self.bytes_waiting += len(text)

    def receive(self) -> _Result:
        """Return what the worker decided.

        Raises:
            StoreError: the worker could not, or is gone.
        """
        try:
            message = self.connection.recv_bytes()
        except EOFError:
            error = "a worker process ended unexpectedly; what was committed stands, run the import again"
            raise StoreError(error) from None
        if message[:1] == b"E":
            failure: BaseException = pickle.loads(message[1:])  # noqa: S301 - from our own worker
            raise failure
        rows, positions, generation, accepted, replayed, others = marshal.loads(message[1:])  # noqa: S302 - as above
        return _Result(rows, positions, generation, Done(accepted, replayed, pickle.loads(others)))  # noqa: S301 - from our own worker


class _Result(NamedTuple):
    rows: dict[str, list[Any]]
    positions: dict[int, int]
    generation: int
    done: Done


class _Pool:
    """The writer and its workers."""

    def __init__(self, engine: Engine, count: int) -> None:
        self._engine = engine
        self._workers: list[_Worker] = []
        self._homes = Homes(count)
        with engine.store.reader() as session:
            for name in {name for registry in engine.in_force(session).registries for name in registry.linked}:
                for ref, other in links(session, name):
                    self._homes.join(other, ref, lambda _: True)  # nobody has begun
        try:
            for number in range(count):
                self._workers.append(_Worker(engine, number, count))
        except BaseException:
            self.close()
            raise

    def run(self, events: Iterable[Tagged], batch_size: int) -> Iterator[Done]:
        """Hand out events, write what comes back."""
        source = iter(events)
        exhausted = held_up = False
        ahead: deque[Tagged] = deque()
        while True:
            held_up = False
            while not held_up and (ahead or not exhausted) and not self._enough(batch_size):
                if not ahead:
                    ahead.extend(islice(source, READ_AT_ONCE))
                    exhausted = len(ahead) < READ_AT_ONCE
                while ahead and not held_up:
                    held_up = not self._assign(ahead[0])
                    if not held_up:
                        ahead.popleft()
            flush = held_up or (exhausted and not ahead)
            for worker in self._workers:
                full = len(worker.waiting) >= batch_size or worker.bytes_waiting >= MOST_BYTES
                if not worker.busy and worker.waiting and (flush or full):
                    worker.send(batch_size)
            busy = {worker.connection: worker for worker in self._workers if worker.busy}
            if not busy:
                if exhausted and not ahead:
                    return
                continue
            block = flush or self._enough(batch_size)
            for connection in wait(list(busy), None if block else 0):
                done = self._write(busy[connection])  # type: ignore[index]  # it waits for what it was given
                if done is not None:
                    yield done

    def _assign(self, tagged: Tagged) -> bool:
        """Hand an event to the worker of its account, unless that of another account that it names must finish first.

        From then on one worker has both accounts, so that what happens between them keeps its order.
        """
        event = tagged[1]
        ref, to = (event.get("account"), event.get("to")) if isinstance(event, dict) else (None, None)
        if not isinstance(ref, str):
            self._workers[0].give(tagged)
            return True
        if isinstance(to, str) and not self._homes.join(ref, to, self._is_idle):
            return False
        self._workers[self._homes.of(ref)].give(tagged)
        return True

    def _is_idle(self, place: int) -> bool:
        worker = self._workers[place]
        return not worker.busy and not worker.waiting

    def _enough(self, batch_size: int) -> bool:
        """Whether every worker has its next batch, or one has so many waiting that reading must pause."""
        waiting = [len(worker.waiting) for worker in self._workers]
        most = max(worker.bytes_waiting for worker in self._workers)
        return min(waiting) >= batch_size or max(waiting) >= MOST_WAITING * batch_size or most >= MOST_BYTES

    def _write(self, worker: _Worker) -> Done | None:
        result = worker.receive()
        try:
            with self._engine.store.writer() as session:
                assert isinstance(session, SqlSession)  # noqa: S101 - can_run_in_parallel excludes memory
                self._check(session, result)
                session.write_rows(result.rows)
        except StoreBusyError:
            worker.attempts += 1
            if worker.attempts < MOST_CONFLICTS:
                worker.connection.send_bytes(b"A")
                return None
            result = result._replace(done=self._under_the_lock(worker))
        worker.connection.send_bytes(b"C")
        worker.busy = False
        return result.done

    def _under_the_lock(self, worker: _Worker) -> Done:
        """Decide a batch here, where nobody can be first: others keep writing to its accounts."""
        batch = [(tag, event) for tag, event in orjson.loads(worker.sent)]
        outcomes = self._engine.process([event for _, event in batch])
        return done_of(zip((tag for tag, _ in batch), outcomes, strict=True))

    def _check(self, session: SqlSession, result: _Result) -> None:
        found = session.positions(result.positions)
        if result.generation != session.generation() or any(
            found.get(account_id, 0) != seq for account_id, seq in result.positions.items()
        ):
            message = "another writer was first; the batch is decided again"
            raise StoreBusyError(message)

    def close(self) -> None:
        """End the workers."""
        for worker in self._workers:
            worker.connection.close()
        for worker in self._workers:
            worker.process.join(timeout=5)
            if worker.process.is_alive():
                worker.process.terminate()
                worker.process.join()


def _work(
    connection: Connection, url: str, plugins: Mapping[str, type[Plugin[Any]]] | None, number: int, count: int
) -> None:
    """Decide batches until the writer hangs up: the whole life of a worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with quiet_collector(), Engine(open_store(url), plugins=plugins) as engine:
            worker = _Decider(engine, number, count)
            batch: list[Tagged] = []
            while True:
                message = connection.recv_bytes()
                if message[:1] == b"N":
                    batch = [(tag, event) for tag, event in orjson.loads(message[1:])]
                if message[:1] == b"C":
                    worker.committed()
                if message[:1] == b"A":
                    worker.again()
                if message[:1] in b"NA":
                    connection.send_bytes(b"R" + worker.decide(batch))
    except (EOFError, OSError):
        return
    except StampbookError as error:
        connection.send_bytes(b"E" + pickle.dumps(error))


class _Decider:
    """Decides batches on snapshots of the books."""

    def __init__(self, engine: Engine, number: int, count: int) -> None:
        self._engine = engine
        self._number = number
        self._count = count
        self._last_id = 0
        self._spent: dict[str, int] = {}

    def decide(self, batch: Sequence[Tagged]) -> bytes:
        """Return rows, positions, programs' generation and outcomes of a batch, packed."""
        events = [event for _, event in batch]
        work = self._decided(events)
        programs = work.programs
        self._spent = work.purse.spent
        rows = work.changes.rows(programs.ids)
        done = done_of(zip((tag for tag, _ in batch), work.outcomes, strict=True))
        return marshal.dumps(
            (rows, work.positions, programs.generation, done.accepted, done.replayed, pickle.dumps(done.others))
        )

    def _decided(self, events: Sequence[Mapping[str, Any]]) -> Batch:
        while True:
            try:
                with uncollected(), self._engine.store.reader() as session:
                    work = self._engine.batch(session, new_ids=self._new_ids)
                    work.load(events)
                    for event in events:
                        work.post(event)
                return work
            except LeaseShortError as short:
                self._engine.leases.ask(short)

    def committed(self) -> None:
        """Note that what was decided last is in the books."""
        self._engine.leases.committed(self._spent)
        self._spent = {}

    def again(self) -> None:
        """Note that what was decided last was not written: a lease may have lapsed."""
        self._engine.leases.forget()

    def _new_ids(self, session: SqlSession, count: int) -> list[int]:
        """Return ids that no other worker gives: those that leave this one's number when divided by their count."""
        last: int = session.rows("SELECT coalesce(max(id), 0) FROM account")[0][0]
        first = max(last, self._last_id) + 1
        first += (self._number - first) % self._count
        ids = list(range(first, first + count * self._count, self._count))
        self._last_id = ids[-1]
        return ids
