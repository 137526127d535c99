"""The process that is measured from outside: imports a file of JSON Lines and prints what it took, as JSON.

python bench/importer.py process|file FILE DATABASE BATCH

``process`` calls `Engine.process` in one process, ``file`` is `importing.import_file` on every core.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from multiprocessing import active_children
from pathlib import Path
from threading import Event, Thread

import orjson

from stampbook.engine import Engine, in_batches
from stampbook.importing import import_file


class Memory(Thread):
    """Watches how much memory this process and its workers take together, what they share counted once."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self._done = Event()
        self._most = 0

    def run(self) -> None:
        while not self._done.wait(1.0):
            self._look()

    def _look(self) -> None:
        pids = [os.getpid(), *(child.pid for child in active_children() if child.pid)]
        self._most = max(self._most, sum(_memory_of(pid) for pid in pids))

    def peak(self) -> int:
        """Return the most that was seen, in bytes."""
        self._done.set()
        self.join()
        self._look()
        if self._most:
            return self._most
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def _memory_of(pid: int) -> int:
    """Return the proportional set size of a process in bytes; 0 where the system does not tell."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="utf-8").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0


def by_batches(engine: Engine, file: str, batch: int) -> tuple[int, int]:
    """Send a file batch by batch; return how many events it had and how many were accepted."""
    events = accepted = 0
    with Path(file).open("rb") as lines:
        for part in in_batches(map(orjson.loads, lines), batch):
            outcomes = engine.process(part)
            events += len(outcomes)
            accepted += sum(outcome.accepted and not outcome.replayed for outcome in outcomes)
    return events, accepted


def by_file(engine: Engine, file: str, _: int) -> tuple[int, int]:
    """Import a file on every core, as `stampbook import` does; return its events and how many were accepted."""
    summary = import_file(engine, file, refused=Path(f"{file}.refused"), jobs=0)
    return summary.read, summary.accepted


def main() -> None:
    how, file, url, batch = sys.argv[1:]
    with Engine.open(url) as engine:
        memory = Memory()
        memory.start()
        start = time.perf_counter()
        events, accepted = (by_file if how == "file" else by_batches)(engine, file, int(batch))
        took = time.perf_counter() - start
        peak = memory.peak()
    print(json.dumps({"events": events, "accepted": accepted, "seconds": took, "memory": peak}))


if __name__ == "__main__":
    main()
