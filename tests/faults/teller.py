"""One of many tellers at the same few accounts: python tests/faults/teller.py URL NAME SECONDS

Pays in, spends, holds, captures, voids, sells, takes back and refunds, and prints the id and the status of each answer.
"""

from __future__ import annotations

import random
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stampbook.engine import Outcome

ROOT = Path(__file__).parents[2]
if str(ROOT) not in sys.path:
    sys.path.insert(0, str(ROOT))

from stampbook.engine import Engine  # noqa: E402 - the path comes first
from stampbook.errors import StoreBusyError  # noqa: E402 - the same

ACCOUNTS = 5


class Teller:
    """Does one thing after the other, and says what became of it."""

    def __init__(self, engine: Engine, name: str) -> None:
        self.engine = engine
        self.name = name
        self.chance = random.Random(name)
        self.count = 0

    def say(self, type_: str, account: str, **fields: Any) -> str | None:
        """Post an event until the database takes it, print the answer, and return its id if it was accepted."""
        self.count += 1
        id_ = f"{self.name}-{self.count}"
        data = {"type": type_, "id": id_, "account": account, "at": datetime.now(UTC).isoformat(), **fields}
        outcome = self.answer(data)
        print(id_, outcome.status, flush=True)  # noqa: T201 - who started it listens
        return id_ if outcome.accepted else None

    def answer(self, data: dict[str, Any]) -> Outcome:
        """Post an event until the database takes it."""
        while True:
            try:
                return self.engine.post(data)
            except StoreBusyError:
                time.sleep(self.chance.random() / 100)

    def work(self) -> None:
        """Do one thing at one account."""
        account = f"c{self.chance.randrange(ACCOUNTS)}"
        amount = f"{self.chance.randrange(1, 9)}.{self.chance.randrange(100):02d}"
        match self.chance.choice(("topup", "spend", "spend", "capture", "capture", "void", "sell", "back", "refund")):
            case "topup":
                self.say("topup", account, amount=amount)
            case "spend":
                self.say("spend", account, amount=amount)
            case "capture" | "void" as way:
                if held := self.say("hold.authorised", account, amount=amount):
                    part = {} if way == "void" or self.chance.random() < 0.5 else {"amount": "0.50"}
                    self.say("hold.voided" if way == "void" else "hold.captured", account, hold=held, **part)
            case "sell" | "back" as way:
                tenders = [{"kind": "stored_value", "amount": amount}]
                bought = self.say("purchase", account, amount=amount, tenders=tenders)
                if bought and way == "back":
                    self.say("return", account, purchase=bought)
            case _:
                asked = self.say("refund.requested", account, cause="operator")
                if asked and self.say("refund.approved", account, about=asked):
                    self.say("refund.paid", account, about=asked)


def main() -> None:
    url, name, seconds = sys.argv[1:]
    with Engine.open(url) as engine:
        teller, end = Teller(engine, name), time.monotonic() + float(seconds)
        while time.monotonic() < end:
            teller.work()
        print("done", teller.count, flush=True)  # noqa: T201 - who started it listens


if __name__ == "__main__":
    main()
