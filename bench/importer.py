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
from pathlib import Path

import orjson

from stampbook.engine import Engine, in_batches
from stampbook.importing import import_file


def peak_memory() -> int:
    """Return the most memory that this process ever used, in bytes.

    `getrusage` counts the parent's memory in, as it was when this process began; the kernel's own mark does not.
    """
    try:
        for line in Path("/proc/self/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit


def by_batches(engine: Engine, file: str, batch: int) -> tuple[int, int]:
    """Send a file batch by batch; return how many events it had and how many were accepted."""
    events = accepted = 0
    with Path(file).open("rb") as lines:
        for part in in_batches(map(orjson.loads, lines), batch):
            outcomes = engine.process(part)
            events += len(outcomes)
            accepted += sum(outcome.accepted and not outcome.replayed for outcome in outcomes)
    return events, accepted


def by_file(engine: Engine, file: str, batch: int) -> tuple[int, int]:
    """Import a file on every core; return how many events it had and how many were accepted."""
    summary = import_file(engine, file, batch_size=batch, refused=Path(f"{file}.refused"), jobs=0)
    return summary.read, summary.accepted


def main() -> None:
    how, file, url, batch = sys.argv[1:]
    with Engine.open(url) as engine:
        start = time.perf_counter()
        events, accepted = (by_file if how == "file" else by_batches)(engine, file, int(batch))
        took = time.perf_counter() - start
    workers = 0
    if how == "file":
        unit = 1 if sys.platform == "darwin" else 1024
        workers = (os.cpu_count() or 1) * resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * unit
    print(json.dumps({"events": events, "accepted": accepted, "seconds": took, "memory": peak_memory() + workers}))


if __name__ == "__main__":
    main()
