"""What all benchmarks share: figures, sizes, a ledger to measure, and checks that a result must pass."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from stampbook.engine import Engine, Outcome

HERE = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured number, and what it is compared with.

    `ratio` is the number over its baseline, or its baseline over it where less is better, so that a larger
    ratio is always better. `target` is the least ratio asked for, or none.
    """

    what: str
    value: str
    baseline: str = ""
    ratio: float | None = None
    target: float | None = None

    @property
    def met(self) -> bool:
        """Whether the target, if there is one, was met."""
        return self.target is None or self.ratio is None or self.ratio >= self.target


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much each benchmark does."""

    events: int
    accounts: int
    batch: int
    single: int
    decisions: int
    few_accounts: int
    many_accounts: int
    among_accounts: int
    postgres: int
    pgbench_seconds: int
    starts: int
    repetitions: int


class BenchError(Exception):
    """A benchmark measured nothing, or its result is wrong."""


def check(holds: bool, message: str) -> None:  # noqa: FBT001 - reads as an assertion
    """Stop the run unless a result is right.

    Raises:
        BenchError: it is not.
    """
    if not holds:
        raise BenchError(message)


def check_accepted(outcomes: Iterable[Outcome], expected: int) -> None:
    """Check that as many events were accepted as were sent."""
    accepted = 0
    for outcome in outcomes:
        check(outcome.accepted, f"event {outcome.id} was {outcome.status}: {outcome.objections or outcome.error}")
        accepted += 1
    check(accepted == expected > 0, f"{accepted} of {expected} events were accepted")


def check_books(engine: Engine) -> None:
    """Check that the ledger proves itself."""
    from stampbook.verifying import verify

    verdict = verify(engine)
    check(verdict.entries > 0, "there is nothing to verify")
    check(verdict.ok, f"the books are not sound: {verdict.findings[:3]}")


def middle(values: Sequence[float]) -> float:
    """Return the median; an empty measurement stops the run."""
    check(bool(values) and min(values) > 0, "nothing was measured")
    return median(values)


def timed(calls: Sequence[Callable[[], object]]) -> float:
    """Return the median, over chunks of fifty calls, of the time of one."""
    chunks = []
    for first in range(0, len(calls) - 49, 50):
        start = time.perf_counter()
        for call in calls[first : first + 50]:
            call()
        chunks.append((time.perf_counter() - start) / 50)
    return middle(chunks)


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which a share of all values lies."""
    check(bool(values), "nothing was measured")
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def alternating(repetitions: int, *tasks: Callable[[int], float]) -> list[float]:
    """Run tasks in turn, so that a noisy neighbour disturbs all of them, and return the median result of each."""
    results: list[list[float]] = [[] for _ in tasks]
    for repetition in range(repetitions):
        for task, found in zip(tasks, results, strict=True):
            found.append(task(repetition))
    return [middle(found) for found in results]


def child(module: str, *arguments: str) -> dict[str, Any]:
    """Run a module of this folder in a process of its own and return what it prints, as JSON."""
    done = subprocess.run([sys.executable, str(HERE / module), *arguments], capture_output=True, text=True, check=False)
    check(done.returncode == 0, f"{module} failed: {done.stderr.strip()[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def beside(python: str, module: str, *arguments: str) -> dict[str, Any]:
    """Run a module of this folder by another Python, as `child` does; where it fails, `missing` is the reason."""
    done = subprocess.run([python, str(HERE / module), *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        return {"missing": (done.stderr.strip().splitlines() or ["no reason"])[-1]}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def peak_memory() -> float:
    """Return the most memory that this process has held since it began, in MB; what it began as does not count.

    `ru_maxrss` would not do: it is handed down by the process that started this one.
    """
    try:
        lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
        return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        import resource

        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 1024)


def rate(number: float) -> str:
    """Write events a second."""
    return f"{number:,.0f}/s"


def micro(seconds: float) -> str:
    """Write microseconds."""
    return f"{seconds * 1e6:,.1f} µs" if seconds < 1e-3 else f"{seconds * 1e6:,.0f} µs"


def milli(seconds: float) -> str:
    """Write milliseconds."""
    return f"{seconds * 1e3:,.1f} ms"
