"""Every error that Stampbook raises on purpose, as one tree.

::

    StampbookError                 the caller can act on it; the command line prints one line and exits 1
    ├── AmountError                an amount cannot be read, written or kept exactly
    ├── PeriodError                a period, window, date or time zone cannot be read
    ├── ExpressionError            a condition or formula of a program is wrong, with its column
    ├── ProgramError               a program file is wrong: every mistake at once
    ├── PluginError                a plugin cannot be found, clashes, or breaks its contract
    ├── EventError                 an event is malformed and was not recorded
    │   ├── DuplicateEventError    an id was used before with other content
    │   └── UnknownEventError      no event of that id is in the journal
    ├── UnknownAccountError        no account has that ref
    ├── InvariantError             a transaction would break a rule that never bends; has the rule's code
    ├── InputError                 an input file cannot be read, with file, row and column
    └── StoreError                 the database cannot be used
        ├── StoreBusyError         another writer holds it; nothing was written, try again
        └── SchemaVersionError     it was written by another version of Stampbook

Anything else that escapes is a bug and shows its traceback.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class StampbookError(Exception):
    """Something that the caller can mend; the message is one clear line."""


class AmountError(StampbookError):
    """An amount cannot be read, written or kept exactly."""


class PeriodError(StampbookError):
    """A period, window, date or time zone cannot be read."""


class ExpressionError(StampbookError):
    """A condition or formula is wrong at `column` (1-based) of its text.

    `rule` is the name in the ledger of the rule that it belongs to, where a plugin says so.
    """

    def __init__(self, message: str, *, text: str = "", column: int = 1) -> None:
        super().__init__(message)
        self.rule = ""
        self.message = message
        self.text = text
        self.column = column

    def __str__(self) -> str:
        return f"{self.message} (column {self.column})" if self.text else self.message


@dataclass(frozen=True, slots=True, order=True)
class Mistake:
    """One mistake of a program file: where it stands and what to do."""

    line: int
    key: str
    message: str
    file: str = ""

    def __str__(self) -> str:
        place = f"{self.file or 'program'}:{self.line}" if self.line else self.file or "program"
        return f"{place}: {self.key}: {self.message}" if self.key else f"{place}: {self.message}"


class ProgramError(StampbookError):
    """A program file is wrong; `mistakes` holds all of them in the order of the file."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = tuple(sorted(mistakes))
        super().__init__("\n".join(map(str, self.mistakes)))


class PluginError(StampbookError):
    """A plugin cannot be found, clashes with another, or breaks its contract."""


class EventError(StampbookError):
    """An event is malformed; it was not recorded and may be sent again, corrected."""


class DuplicateEventError(EventError):
    """An event id was used before with other content."""


class UnknownEventError(EventError):
    """No event of that id is in the journal."""


class UnknownAccountError(StampbookError):
    """No account has that ref."""


class InvariantError(StampbookError):
    """A transaction would break invariant `code` (I1 to I23, see docs/architecture.md)."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code


class InputError(StampbookError):
    """An input file cannot be read; the message names file, row and column."""


class StoreError(StampbookError):
    """The database cannot be used; the message says why and what to do."""


class StoreBusyError(StoreError):
    """Another writer holds the database; nothing was written and the call may be repeated."""


class SchemaVersionError(StoreError):
    """The database was written by another version of Stampbook."""


def near(name: str, known: Iterable[str]) -> str:
    """Return `` (did you mean 'x'?)`` for a near name among `known`, else an empty string.

    Of equally near ones, that with the same letters in another order, or the same first letter, is named.
    """
    matches = get_close_matches(name, list(known), n=5, cutoff=0.6)
    if not matches:
        return ""
    best = min(matches, key=lambda match: (sorted(match) != sorted(name), match[:1] != name[:1]))
    return f" (did you mean {best!r}?)"
