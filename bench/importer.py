"""The process that is measured from outside: imports a file of JSON Lines and prints what it took, as JSON.

python bench/importer.py FILE DATABASE BATCH
"""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path

import orjson

from stampbook.engine import Engine, in_batches


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


def main() -> None:
    file, url, batch = sys.argv[1:]
    events = accepted = 0
    with Engine.open(url) as engine, Path(file).open("rb") as lines:
        start = time.perf_counter()
        for part in in_batches(map(orjson.loads, lines), int(batch)):
            outcomes = engine.process(part)
            events += len(outcomes)
            accepted += sum(outcome.accepted and not outcome.replayed for outcome in outcomes)
        took = time.perf_counter() - start
    print(json.dumps({"events": events, "accepted": accepted, "seconds": took, "memory": peak_memory()}))


if __name__ == "__main__":
    main()
