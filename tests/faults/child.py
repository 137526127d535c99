"""What the tests of kills and races start as processes of their own: python tests/faults/child.py WHAT URL …

import URL FILE BATCH START      sends a file from a line on and prints how many are committed after each batch
import-file URL FILE BATCH START all of a file, by `importing.import_file`, under the system's clock
import-by-two URL FILE BATCH START  the same, decided by two more processes
spend URL ACCOUNT NAME TRIES     waits for a line on its input, spends 1.00 so often, prints how often it could
"""

from __future__ import annotations

import sys
import time
from itertools import islice, starmap
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from stampbook.engine import Engine, in_batches  # noqa: E402 - the path comes first
from stampbook.errors import StoreBusyError  # noqa: E402 - on purpose here
from tests.faults.books import event, frozen  # noqa: E402 - on purpose here


def say(text: object) -> None:
    print(text, flush=True)  # noqa: T201 - who started it listens


def bring_in(url: str, file: str, batch: str, start: str) -> None:
    with Engine.open(url, clock=frozen) as engine, Path(file).open("rb") as lines:
        say("ready")
        done = int(start)
        for part in in_batches(map(orjson.loads, islice(lines, done, None)), int(batch)):
            engine.process(part)
            done += len(part)
            say(done)


def bring_in_file(url: str, file: str, batch: str, _: str) -> None:
    from stampbook.importing import import_file

    with Engine.open(url) as engine:
        say("ready")
        import_file(engine, file, batch_size=int(batch), refused=Path(f"{file}.refused"))
        say("done")


def bring_in_by_two(url: str, file: str, batch: str, _: str) -> None:
    from stampbook.parallel import Tagged, process_in_parallel

    with Engine.open(url) as engine, Path(file).open("rb") as lines:
        say("ready")
        for _done in process_in_parallel(
            engine, starmap(Tagged, enumerate(map(orjson.loads, lines))), jobs=2, batch_size=int(batch)
        ):
            pass
        say("done")


def spend(url: str, account: str, name: str, tries: str) -> None:
    with Engine.open(url, clock=frozen) as engine:
        say("ready")
        sys.stdin.readline()
        accepted = 0
        for number in range(int(tries)):
            data = event("spend", f"{name}-{number}", account, at="2025-06-01T00:00:00Z", amount="1.00")
            while True:
                try:
                    accepted += engine.post(data).accepted
                    break
                except StoreBusyError:
                    time.sleep(0.001)
        say(accepted)


if __name__ == "__main__":
    WORK: dict[str, Callable[..., None]] = {
        "import": bring_in,
        "import-file": bring_in_file,
        "import-by-two": bring_in_by_two,
        "spend": spend,
    }
    WORK[sys.argv[1]](*sys.argv[2:])
