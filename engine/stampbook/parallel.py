"""Bulk work on several cores: worker processes decide and write, each for its own accounts.

Accounts are independent, so their events may be decided side by side. A worker loads a batch from a snapshot and
decides it without a lock; when it is its turn to write, it checks under the database's lock that no account of the
batch has moved on since, and that the programs are the same. Where one has, it decides the batch again. What is
written is what one process would have written, account by account.
"""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Mapping  # noqa: TC003 - mypyc reads the fields of named tuples when it runs
from itertools import islice
from multiprocessing.connection import wait
from typing import TYPE_CHECKING, Any, NamedTuple

from stampbook.engine import Engine, system_clock
from stampbook.errors import StoreError
from stampbook.homes import Homes
from stampbook.ledger import canonical
from stampbook.spooling import Spool
from stampbook.store.reading import links
from stampbook.waiting import Waiting
from stampbook.worker import Done, Place, work

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Tagged(NamedTuple):
    """An event with a tag of the caller's choice (plain data), by which its outcome is known."""

    tag: Any
    event: Mapping[str, Any]
    text: bytes = b""
    """The event as JSON, where somebody has it."""


MOST_SENT = 2
"""How many batches a worker has at once: the one that it is at, and the next."""

MOST_BYTES = 32_000_000
"""How many bytes of events are handed over at once."""

MOST_WAITING = 60_000_000
"""How many bytes of memory events that wait may take before reading pauses."""

MOST_IN_MEMORY = 30_000_000
"""How many bytes of memory they take before those that come are spooled."""

MOST_ON_DISK = 1_000_000_000
"""How many bytes may be spooled before reading pauses."""

READ_AT_ONCE = 200
"""How many events are read before one looks whether a worker has something to say."""


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

    Events of one account keep their order; those of different accounts may be committed in another one. Where what is
    decided about an account never concerns another, they are gathered by account, as far as memory reaches.

    Args:
        engine: the ledger.
        events: what to decide.
        jobs: how many workers; as many as there are processors where absent.
        batch_size: how many events a batch holds at most.

    Raises:
        StoreError: the database cannot be used, or a worker died; what was yielded before is committed.
    """
    count = jobs or os.cpu_count() or 1
    pool = _Pool(engine, count, batch_size)
    try:
        yield from pool.run(events)
    finally:
        pool.close()


class _Worker:
    """One process as the one that hands out sees it."""

    def __init__(self, engine: Engine, place: Place, spool: Spool) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        arguments = (theirs, engine.store.url, engine.plugins, place)
        self.process = context.Process(target=work, args=arguments, daemon=True)
        self.process.start()
        theirs.close()
        self.waiting = Waiting(spool, MOST_IN_MEMORY // place.count)
        self.sent = 0

    def send(self, batch_size: int) -> None:
        """Hand over the next batch.

        Raises:
            StoreError: the worker is gone.
        """
        batch = self.waiting.take(batch_size, MOST_BYTES)
        try:
            self.connection.send_bytes(b"[" + b",".join(batch) + b"]")
        except OSError:
            self.receive()  # what it said before it went tells more
            raise StoreError(_GONE) from None
        self.sent += 1

    def receive(self) -> Done:
        """Return what became of the batch that was sent first.

        Raises:
            StoreError: the worker could not go on, or is gone.
        """
        try:
            answer = self.connection.recv()
        except (EOFError, OSError):
            raise StoreError(_GONE) from None
        if isinstance(answer, BaseException):
            raise answer
        self.sent -= 1
        return answer  # type: ignore[no-any-return]  # our own worker says so


_GONE = "a worker process ended unexpectedly; what was committed stands, run the import again"


class _Pool:
    """The workers, and what waits for each."""

    def __init__(self, engine: Engine, count: int, batch_size: int) -> None:
        self._workers: list[_Worker] = []
        self._homes = Homes(count)
        self._batch_size = batch_size
        self._spool = Spool()
        with engine.store.reader() as session:
            registries = engine.in_force(session).registries
            for name in {name for registry in registries for name in registry.linked}:
                for ref, other in links(session, name):
                    self._homes.join(other, ref, lambda _: True)  # nobody has begun
        self._gathers = all(registry.alone for registry in registries)
        self._turn = multiprocessing.get_context("spawn").Lock()  # lives for as long as somebody here holds it
        try:
            for number in range(count):
                self._workers.append(_Worker(engine, Place(number, count, self._turn), self._spool))
        except BaseException:
            self.close()
            raise

    def run(self, events: Iterable[Tagged]) -> Iterator[Done]:
        """Hand out events, and yield what workers say of them."""
        source = iter(events)
        exhausted = False
        ahead: deque[Tagged] = deque()
        while True:
            held_up = False
            if not self._full():
                if not ahead:
                    ahead.extend(islice(source, READ_AT_ONCE))
                    exhausted = len(ahead) < READ_AT_ONCE
                while ahead and not held_up:
                    held_up = not self._assign(ahead[0])
                    if not held_up:
                        ahead.popleft()
            flush = held_up or (exhausted and not ahead)
            self._send(flush=flush)
            busy = {worker.connection: worker for worker in self._workers if worker.sent}
            if not busy:
                if exhausted and not ahead:
                    return
                continue
            for connection in wait(list(busy), None if flush or self._full() else 0):
                yield busy[connection].receive()  # type: ignore[index]  # it waits for what it was given

    def _send(self, *, flush: bool = False) -> None:
        """Give every worker that is not kept busy its next batch, if it is full or nothing more may come."""
        most = MOST_WAITING // len(self._workers)  # when reading pauses, one worker has as much
        for worker in self._workers:
            waiting = worker.waiting
            full = waiting.count >= self._batch_size or waiting.size >= most
            if waiting.count and worker.sent < MOST_SENT and (full or flush):
                worker.send(self._batch_size)

    def _assign(self, tagged: Tagged) -> bool:
        """Let an event wait for the worker of its account, unless that of another account that it names must finish.

        From then on one worker has both accounts, so that what happens between them keeps its order.
        """
        tag, event, text = tagged
        ref, to = (event.get("account"), event.get("to")) if isinstance(event, dict) else (None, None)
        if not isinstance(ref, str):
            ref = to = ""
        if isinstance(to, str) and to and not self._joined(ref, to):
            return False
        head, place = self._homes.of(ref)
        text = b"[%b,%b]" % (canonical(tag), text or canonical(event))
        self._workers[place].waiting.put(head if self._gathers else "", text)
        return True

    def _joined(self, ref: str, to: str) -> bool:
        """Join an account with another, unless the worker of the other has something left to do."""
        head, place = self._homes.of(ref)
        other, _ = self._homes.of(to)
        if not self._homes.join(ref, to, self._is_idle):
            return False
        if head != other:
            self._workers[place].waiting.join(head, other)
        return True

    def _is_idle(self, place: int) -> bool:
        worker = self._workers[place]
        return not worker.sent and not worker.waiting.count

    def _full(self) -> bool:
        """Whether so much waits that reading must pause, or as much as is of use where order is kept."""
        if sum([worker.waiting.size for worker in self._workers]) >= MOST_WAITING or self._spool.size >= MOST_ON_DISK:
            return True
        if self._gathers:
            return False
        waiting = [worker.waiting.count for worker in self._workers]
        return min(waiting) >= self._batch_size or max(waiting) >= 2 * self._batch_size

    def close(self) -> None:
        """End the workers, and forget what waited for them."""
        self._spool.close()
        for worker in self._workers:
            worker.connection.close()
        for worker in self._workers:
            worker.process.join(timeout=5)
            if worker.process.is_alive():
                worker.process.terminate()
                worker.process.join()
