"""What the tests of cards start as a till of its own: python tests/faults/carder.py URL NAME CARD AMOUNT COUNT PIN

Waits for a line on its input, then spends the amount of the card as often as it is told, as fast as it can. Says at the
end how often it could. `PIN` is ``-`` where the card has none.
"""

from __future__ import annotations

import sys
import time

from stampbook.engine import Engine
from stampbook.errors import StoreBusyError


def main(url: str, name: str, card: str, amount: str, count: str, pin: str) -> None:
    accepted = 0
    with Engine.open(url) as engine:
        print("ready", flush=True)  # noqa: T201 - who started it listens
        sys.stdin.readline()
        for number in range(int(count)):
            data = {"type": "card.spent", "id": f"{name}-{number}", "account": card, "amount": amount}
            data["at"] = "2025-06-10T12:00:00Z"
            if pin != "-":
                data["pin"] = pin
            while True:
                try:
                    accepted += engine.post(data).accepted
                    break
                except StoreBusyError:
                    time.sleep(0.001)
    print(accepted, flush=True)  # noqa: T201 - as above


if __name__ == "__main__":
    main(*sys.argv[1:])
