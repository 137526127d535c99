"""What the tests of campaigns start as a process of its own: python tests/faults/earner.py URL NAME COUNT SECONDS

Waits for a line on its input, then posts so many purchases that each want 10 points of a campaign, one by one, and
says "done". Its leases last so many seconds.
"""

from __future__ import annotations

import sys
import time

from stampbook.engine import Engine
from stampbook.errors import StoreBusyError


def main(url: str, name: str, count: str, seconds: str) -> None:
    with Engine.open(url, lease_seconds=float(seconds)) as engine:
        print("ready", flush=True)  # noqa: T201 - who started it listens
        sys.stdin.readline()
        for number in range(int(count)):
            data = {
                "type": "purchase",
                "id": f"{name}-{number}",
                "account": f"{name}-{number % 5}",
                "at": "2025-06-10T12:00:00Z",
                "amount": "10.00",
            }
            while True:
                try:
                    engine.post(data)
                    break
                except StoreBusyError:
                    time.sleep(0.001)
            if number % 10 == 9:
                print(number + 1, flush=True)  # noqa: T201 - as above
    print("done", flush=True)  # noqa: T201 - as above


if __name__ == "__main__":
    main(*sys.argv[1:])
