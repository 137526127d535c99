"""A TOML file that people write: its data, where each key stands, and the mistakes found in it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from hashlib import sha256
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError

from stampbook.errors import Mistake, ProgramError, near
from stampbook.hidden_mistakes import Rest, place_of, rest_of
from stampbook.toml_lines import Path, key_lines
from stampbook.wording import brief, in_words, keys_of, model_at, part_of

if TYPE_CHECKING:
    from collections.abc import Iterator

M = TypeVar("M", bound=BaseModel)

_MARK = "\ufeff"
_LARGEST = 2**63 - 1
_LONG_NUMBER = re.compile(r"[0-9][0-9_]{4000,}")


class Source:
    """The text of a file, its data, and the mistakes found so far."""

    def __init__(self, text: str, file: str = "") -> None:
        self.text = text
        self.file = file
        self.mistakes: list[Mistake] = []
        plain = text.removeprefix(_MARK)
        try:
            self.data: dict[str, Any] = tomllib.loads(plain)
        except (ValueError, RecursionError) as error:
            raise ProgramError([Mistake(*_unread(error, plain), file)]) from None
        self._lines = key_lines(plain)
        for path in _too_large(self.data):
            self.mistake(path, f"the number is beyond {_LARGEST}, the largest that TOML has")
        self.check()

    @property
    def hash(self) -> str:
        """The content hash by which the program is known."""
        return sha256(self.text.encode()).hexdigest()

    def line(self, path: Path) -> int:
        """Return the line of a key, of the first one in it, or of the nearest one above it."""
        while path and path not in self._lines:
            below = [line for place, line in self._lines.items() if place[: len(path)] == path]
            if below:
                return min(below)
            path = path[:-1]
        return self._lines.get(path, 0)

    def mistake(self, path: Path, message: str) -> None:
        """Note a mistake at a key."""
        self.mistakes.append(Mistake(self.line(path), brief(key_text(path)), brief(message), self.file))

    def validated(self, model: type[M], data: object, path: Path, context: object = None) -> M | None:
        """Return `data` as a model, or note every mistake in it and return None."""
        found = self.examined(model, data, path, context)
        return None if isinstance(found, Rest) else found

    def examined(self, model: type[M], data: object, path: Path, context: object = None) -> M | Rest[M]:
        """Return `data` as a model; or note every mistake in it and return what is left without them."""
        try:
            return model.model_validate(data, context=context)
        except ValidationError as error:
            problems: dict[Path, list[str]] = {}
            for detail in error.errors(include_url=False):
                if detail["type"] == "too_short" and detail["input"]:
                    continue  # the items that are there have mistakes of their own
                place = place_of(data, detail)
                problems.setdefault(place, []).append(_problem(detail, model, place))
            for place, messages in problems.items():
                self.mistake((*path, *place), _joined(messages))
            rest = rest_of(model, data if isinstance(data, Mapping) else {}, problems, context)
            for place, message in rest.hidden:
                self.mistake((*path, *place), message)
            return rest

    def check(self) -> None:
        """Raise all mistakes found so far.

        Raises:
            ProgramError: there are some.
        """
        if self.mistakes:
            raise ProgramError(self.mistakes)


def key_text(path: Path) -> str:
    """Write a path for a person: ``plugin[1].rule[2].earn``, counted from one."""
    text = ""
    for part in path:
        text += f"[{part + 1}]" if isinstance(part, int) else f"{'.' if text else ''}{part}"
    return text


def _unread(error: ValueError | RecursionError, text: str) -> tuple[int, str, str]:
    """Return the line, key and message of a text that cannot be read at all."""
    if isinstance(error, RecursionError):
        return text.count("\n") + 1, "", "not valid TOML: nested too deeply"
    if isinstance(error, tomllib.TOMLDecodeError):
        return _line_in(str(error), text), "", brief(f"not valid TOML: {error}")
    number = _LONG_NUMBER.search(text)  # Python refuses to read so many digits
    return text.count("\n", 0, number.start()) + 1 if number else 0, "", "not valid TOML: a number of too many digits"


def _line_in(message: str, text: str) -> int:
    match = re.search(r"\(at line (\d+), column \d+\)$", message)
    return int(match[1]) if match else text.rstrip().count("\n") + 1


def _too_large(data: dict[str, Any]) -> Iterator[Path]:
    """Yield the places of whole numbers beyond what TOML allows; Python would count with them for ever."""
    pending: list[tuple[Any, Any]] = [(data, None)]
    while pending:
        value, link = pending.pop()
        if isinstance(value, dict):
            pending.extend((item, (key, link)) for key, item in value.items())
        elif isinstance(value, list):
            pending.extend((item, (number, link)) for number, item in enumerate(value))
        elif isinstance(value, int) and not -_LARGEST <= value <= _LARGEST:
            path: list[str | int] = []
            while link is not None:
                key, link = link
                path.append(key)
            yield tuple(reversed(path))


def _problem(detail: Any, model: type[BaseModel], place: Path) -> str:
    if detail["type"] != "extra_forbidden":
        return in_words(detail)
    table = model_at(model, place[:-1])
    if table is None:
        return "no such key"
    name = str(place[-1])
    inner = [key for key in keys_of(table) if (part := part_of(table, key)) is not None and name in keys_of(part.model)]
    below = f"; it is a key of {inner[0]}" if len(inner) == 1 else ""
    known = keys_of(table)
    if "program" in known:  # the file itself, whose plugin tables are read one by one
        known.append("plugin")
    return f"no such key{near(name, known) or below}"


def _joined(messages: list[str]) -> str:
    """Join what each branch of a union says: one line a key."""
    first, *others = messages
    return ", or ".join([first, *(other.partition(" is not one of ")[2] or other for other in others)])
