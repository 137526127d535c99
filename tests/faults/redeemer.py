"""What the tests of redemption start as a process of its own: python tests/faults/redeemer.py URL NAME WHAT COUNT

Waits for a line on its input, then redeems as fast as it can. `WHAT` is a reward, then so many accounts of its own
each take one; or a code, then so many accounts present it, one after the other. Says at the end how many could.
"""

from __future__ import annotations

import sys
import time

from stampbook.engine import Engine
from stampbook.errors import StoreBusyError


def main(url: str, name: str, what: str, count: str) -> None:
    accepted = 0
    with Engine.open(url) as engine:
        print("ready", flush=True)  # noqa: T201 - who started it listens
        sys.stdin.readline()
        for number in range(int(count)):
            data = {"id": f"{name}-{number}", "account": f"{name}-{number}", "at": "2025-06-10T12:00:00Z"}
            if what.islower():
                data |= {"type": "reward.redeemed", "reward": what}
            else:
                data |= {"type": "voucher.redeemed", "code": what}
            while True:
                try:
                    accepted += engine.post(data).accepted
                    break
                except StoreBusyError:
                    time.sleep(0.001)
    print(accepted, flush=True)  # noqa: T201 - as above


if __name__ == "__main__":
    main(*sys.argv[1:])
