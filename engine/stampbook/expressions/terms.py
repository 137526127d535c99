"""What an expression may name and of what kind it is: kinds, fields, scopes and the calendar."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

PARAMETERS = ("event", "order", "line", "account", "metric")
"""The positional parameters of every compiled function, in this order."""

ROOTS = (*PARAMETERS, "balance", "history")
"""The roots that a scope may hold; what is read of one that is no parameter is read by the code of its fields."""


class Kind(StrEnum):
    """What a value is; two values may meet only if they are of one kind."""

    NUMBER = "number"
    TEXT = "text"
    TRUTH = "truth"
    INSTANT = "instant"
    TEXTS = "texts"

    @property
    def words(self) -> str:
        """The kind as a message calls it."""
        return _WORDS[self]


_WORDS = {
    Kind.NUMBER: "a number",
    Kind.TEXT: "a text",
    Kind.TRUTH: "true or false",
    Kind.INSTANT: "an instant",
    Kind.TEXTS: "a collection of texts",
}


@dataclass(frozen=True, slots=True)
class Field:
    """One thing that an expression may read, and the trusted Python code that reads it.

    Attributes:
        kind: what the value is. The code always yields a value of that kind, never None.
        code: a Python expression over the roots, such as ``order.net`` or ``metric('spend')``. It is run as
            it stands: build it from names that you chose, and quote anything else with `repr`.
        scale: for a number, the decimals of the whole number that is read: money in minor units has 2.
        about: one line for docs and editors.
        only: the kinds of event that have it; empty where all do that have the root.
        never: the kinds of event that do not have it.
        values: for a text, all that it may be besides ''; empty where it may be anything.
        given: for a text, all that it may be besides '' where another text, such as ``event.scheme``, has a value: the
            name of that one, the value, and what is possible then.
    """

    kind: Kind
    code: str
    scale: int = 0
    about: str = ""
    only: frozenset[str] = frozenset()
    never: frozenset[str] = frozenset()
    values: tuple[str, ...] = ()
    given: tuple[tuple[str, str, tuple[str, ...]], ...] = ()


Scope = Mapping[str, Mapping[str, Field]]
"""Root name to field name to field; a scope may hold only some of the `ROOTS`."""


class Calendar(Protocol):
    """Turns instants (whole microseconds since the epoch, UTC) into the program's local time."""

    def day(self, instant: int) -> int:
        """Return the local date as a proleptic ordinal."""
        ...

    def weekday(self, instant: int) -> int:
        """Return the local day of the week, from 1 for Monday to 7 for Sunday."""
        ...

    def hour(self, instant: int) -> int:
        """Return the local hour, 0 to 23."""
        ...

    def month(self, instant: int) -> int:
        """Return the local month, 1 to 12."""
        ...

    def day_of_month(self, instant: int) -> int:
        """Return the local day of the month, 1 to 31."""
        ...

    def add_months(self, day: int, months: int) -> int:
        """Return the local date months later; 29 February goes where the program says."""
        ...

    def parse(self, text: str) -> int:
        """Return the instant of ``2025-01-31`` or ``2025-01-31T10:00`` in local time.

        Raises:
            PeriodError: the text cannot be read.
        """
        ...
