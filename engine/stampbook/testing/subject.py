"""A plugin under test, the program in which it stands, and what happens there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from stampbook.loading import load
from stampbook.periods import DAY, moment_of
from stampbook.testing.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stampbook.plugin import Plugin
    from stampbook.registry import Registry

FIRST_DAY = 20_148
"""1 March 2025, as days since 1970: the clocks change on the way."""

NAME = "checked"
"""The name under which the plugin that is checked stands in its program."""

PROGRAM = """
[program]
name = "Conformance"
currency = "GBP"
time_zone = "Europe/London"
open_accounts = "on first event"

[assets.points]
debt = true

[metrics.spend]
sum = "order.net"
window = "12 months"

[metrics.visits]
count = true
window = "calendar month"
"""
"""The program to which the plugin's table is added, where the author gives no other."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A plugin under test: its class, its options as TOML, and where and by which events it is tried."""

    plugin: type[Plugin[Any]]
    options: str
    program: str
    events: tuple[Mapping[str, Any], ...]

    def text(self, *more: str) -> str:
        """Return the program with the plugin in it, once for each name given besides `NAME`."""
        tables = [f"[[plugin]]\nuse = '{NAME}'\nname = '{name}'\n{self.options}" for name in (NAME, *more)]
        return "\n".join([self.program, *tables])

    def registry(self, *more: str) -> Registry:
        """Return the program, built anew."""
        return load(self.text(*more), plugins={NAME: self.plugin})

    def ledger(self, *more: str) -> Ledger:
        """Return an empty ledger of the program, built anew."""
        return Ledger(self.registry(*more))

    def played(self, events: Sequence[Mapping[str, Any]] | None = None) -> Ledger:
        """Return a ledger after all events, or those given."""
        ledger = self.ledger()
        for event in self.events if events is None else events:
            ledger.engine.post(event)
        return ledger

    @property
    def refs(self) -> list[str]:
        """The accounts of the events."""
        return list(dict.fromkeys(event["account"] for event in self.events))


def toml(value: object) -> str:
    """Write a plain value as TOML."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return '"' + "".join(_ESCAPES.get(letter, letter) for letter in value) + '"'
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(toml, value))}]"
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{toml(str(key))} = {toml(item)}" for key, item in value.items()) + " }"
    return str(value)


_ESCAPES = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def sample_events() -> tuple[dict[str, Any], ...]:
    """Return a few months of two accounts: every kind of event, amounts of zero and large ones, refusals too."""
    wine = {"sku": "wine", "category": "drinks", "quantity": 2, "unit_price": "9.99"}
    pears = {"sku": "pears", "category": "produce", "quantity": "1.235", "unit_price": "2.49"}
    free = {"sku": "bag", "amount": "0.00"}
    card = [{"kind": "stored_value", "amount": "15.00"}, {"kind": "cash", "amount": "5.00"}]
    events: list[dict[str, Any]] = [
        {"type": "account.opened"},
        {"type": "purchase", "amount": "0.00"},
        {"type": "purchase", "lines": [wine, pears, free], "discount": "1.01", "channel": "web", "store": "north"},
        {"type": "topup", "amount": "50.00"},
        {"type": "purchase", "amount": "20.00", "tenders": card},
        {"type": "return", "purchase": "a3", "lines": [{"sku": "wine", "quantity": 1}]},
        {"type": "return", "purchase": "a5", "amount": "6.67"},
        {"type": "return", "purchase": "a5"},
        {"type": "return", "purchase": "a5"},
        {"type": "adjust", "asset": "points", "amount": "25", "reason": "goodwill"},
        {"type": "spend", "asset": "points", "amount": "10"},
        {"type": "spend", "asset": "points", "amount": "1000000"},
        {"type": "account.frozen", "reason": "lost card"},
        {"type": "purchase", "amount": "8.00"},
        {"type": "account.unfrozen"},
        {"type": "purchase", "lines": [wine], "tax": "4.00", "tax_added": True},
        {"type": "purchase", "amount": "999999999.99"},
        {"type": "return", "purchase": "a17"},
        {"type": "account.closed"},
        {"type": "adjust", "amount": "-2.50", "reason": "correction"},
        {"type": "hold.authorised", "amount": "12.00"},
        {"type": "hold.changed", "hold": "a21", "amount": "9.00"},
        {"type": "hold.captured", "hold": "a21", "amount": "3.00", "final": False},
        {"type": "extend", "asset": "points", "until": "2099-12-31", "reason": "goodwill"},
        {"type": "hold.voided", "hold": "a21"},
        {"type": "purchase", "amount": "12.00"},
        {"type": "purchase.completed", "purchase": "a26"},
        {"type": "purchase", "lines": [wine, pears]},
        {"type": "purchase.cancelled", "purchase": "a28"},
        {"type": "account.described", "attributes": {"note": "likes pears"}},
        {"type": "segment.changed", "scheme": "rfm", "segment": "loyal"},
        {"type": "lots.frozen", "lots": [1], "reason": "disputed"},
        {"type": "lots.unfrozen", "lots": [1], "reason": "settled"},
    ]
    start = moment_of(FIRST_DAY * DAY)
    made: list[dict[str, Any]] = []
    for number, event in enumerate(events, 1):
        at = start + timedelta(days=61 * number // len(events), hours=number % len(events))
        for ref in ("a", "b"):
            mine = {**event, "id": f"{ref}{number}", "source": "sample", "account": ref, "at": at.isoformat()}
            for key in ("purchase", "hold"):
                if key in event:
                    mine[key] = ref + event[key][1:]
            made.append(mine)
    return tuple(made)
