"""A ledger in memory with short words, for tests."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any

import orjson

from stampbook.account_view import AccountView
from stampbook.loading import load
from stampbook.periods import HOUR
from stampbook.registry import Registry
from stampbook.replay import MemoryLedger, brought_up

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stampbook.engine import Outcome
    from stampbook.ledger import Entry
    from stampbook.plugin import Plugin

CUSTOMER = "customer"
"""The account that is meant where none is named."""

_FIRST = "2025-01-01T12:00"


class Ledger:
    """The books of one program in memory: the engine itself, nothing written to disk, no clock of its own.

    What is recorded is recorded when it happens, so that two runs give the same journal, hashes included.

    Args:
        program: the text of a program file, or a program that was loaded.
        plugins: classes to use before those that are installed, by the name that `use` gives them.

    Attributes:
        registry: the program.
        engine: the ledger beneath, with all its methods.
    """

    def __init__(self, program: str | Registry, *, plugins: Mapping[str, type[Plugin[Any]]] | None = None) -> None:
        self.registry = program if isinstance(program, Registry) else load(program, plugins=plugins)
        self.now = self.registry.context.calendar.parse(_FIRST)
        self.engine = MemoryLedger(self.registry, clock=lambda: self.now)
        self._numbers = count(1)
        self._open: set[str] = set()

    def post(self, **event: Any) -> Outcome:
        """Post one event, as ``post(type="purchase", amount="10.00")``, and return what became of it.

        The id, source, account and instant are filled in where they are absent; an event that says no instant
        happens an hour after the one before. An account that strangers may not open is opened first.

        Raises:
            EventError: it is malformed, or its id was used before with other content.
        """
        calendar = self.registry.context.calendar
        full = {"id": f"event-{next(self._numbers)}", "source": "test", "account": CUSTOMER, **event}
        full.setdefault("at", calendar.iso(self.now + HOUR))
        self._open_account(full)
        reader = self.registry.reader
        self.now = max(self.now, reader.read(reader.sealed(full)).at)
        return self.engine.post(full)

    def _open_account(self, event: Mapping[str, Any]) -> None:
        ref = event["account"]
        refuses = self.registry.file.program.open_accounts == "refuse"
        if refuses and ref not in self._open and event.get("type") != "account.opened":
            opening = {"type": "account.opened", "id": f"open:{ref}", "source": "test", "account": ref}
            self.engine.post({**opening, "at": event["at"]})
        self._open.add(ref)

    def tick(self, at: str) -> int:
        """Let time pass on every account up to an instant; return how many events that brought."""
        instant = self.registry.context.calendar.parse(at)
        self.now = max(self.now, instant)
        return sum(self.engine.tick(instant))

    def view(self, *, account: str = CUSTOMER, at: str | None = None) -> AccountView:
        """Return what a plugin would see of an account at an instant, or after the last event.

        What time brings up to then is worked out and not kept.

        Raises:
            UnknownAccountError: there is no such account.
        """
        instant = self.now if at is None else self.registry.context.calendar.parse(at)
        state = brought_up(self.engine, self.engine.account(account), instant)
        return AccountView(state, instant, self.registry.context)

    def balance(self, asset: str, *, account: str = CUSTOMER, at: str | None = None) -> str:
        """Return what may be spent of an asset, as decimal text."""
        return self._text(asset, self.view(account=account, at=at).balance(asset))

    def pending(self, asset: str, *, account: str = CUSTOMER, at: str | None = None) -> str:
        """Return what is granted but not yet effective, as decimal text."""
        return self._text(asset, self.view(account=account, at=at).pending(asset))

    def owed(self, asset: str, *, account: str = CUSTOMER) -> str:
        """Return what is owed of an asset, as decimal text."""
        return self._text(asset, self.view(account=account).owed(asset))

    def fact(self, name: str, *, account: str = CUSTOMER, at: str | None = None) -> str:
        """Return the value of a fact such as ``tier``, or an empty text."""
        return self.view(account=account, at=at).text(name)

    def journal(self, account: str = CUSTOMER) -> list[Entry]:
        """Return all that was decided on an account, in order."""
        return self.engine.entries(account)

    def trace(self, account: str = CUSTOMER) -> dict[str, Any]:
        """Return why the last event of an account came out as it did."""
        trace: dict[str, Any] = orjson.loads(self.journal(account)[-1].trace)
        return trace

    def _text(self, asset: str, units: int) -> str:
        return self.registry.context.asset(asset).text(units)
