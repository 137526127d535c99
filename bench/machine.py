"""On what all this was measured: the processor, the disk's flush, and every version that matters."""

from __future__ import annotations

import os
import platform
import sqlite3
import time
from importlib.metadata import version
from pathlib import Path
from statistics import median

_LIBRARIES = ("stampbook", "pydantic", "orjson", "pluggy", "click", "sqlalchemy", "sqlmodel", "psycopg")
_IN_MEMORY = {"tmpfs", "ramfs"}


def described(work: Path) -> dict[str, str]:
    """Return what the machine is, as a person would write it down."""
    return {
        "processor": f"{_processor()}, {_cores()} cores",
        "memory": f"{_memory():.0f} GB",
        "system": f"{platform.system()} {platform.release()} {platform.machine()}",
        "disk": f"{_file_system(work)}, a flush of 4 kB takes {_flush(work) * 1e3:.2f} ms (median of 100)",
        "Python": f"{platform.python_version()} ({platform.python_implementation()})",
        "build": "the hot path compiled" if is_compiled() else "plain Python, nothing compiled",
        "SQLite": sqlite3.sqlite_version,
        "libraries": ", ".join(f"{name} {version(name)}" for name in _LIBRARIES),
    }


def is_compiled() -> bool:
    """Whether the Stampbook that is measured was built with its hot path compiled."""
    from stampbook import pipeline

    return not str(pipeline.__file__).endswith(".py")


def in_memory(work: Path) -> bool:
    """Whether a folder is not on a disk, so that a flush there means nothing."""
    return _file_system(work) in _IN_MEMORY


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _memory() -> float:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30


def _file_system(work: Path) -> str:
    best, kind = "", "unknown file system"
    try:
        mounts = Path("/proc/mounts").read_text(encoding="utf-8").splitlines()
    except OSError:
        return kind
    for line in mounts:
        _, place, name, *_ = line.split()
        if work.resolve().is_relative_to(place) and len(place) >= len(best):
            best, kind = place, name
    return kind


def _flush(work: Path) -> float:
    took = []
    path = work / "flush"
    with path.open("wb", buffering=0) as file:
        for _ in range(100):
            file.write(bytes(4096))
            start = time.perf_counter()
            os.fsync(file.fileno())
            took.append(time.perf_counter() - start)
    path.unlink()
    return median(took)
