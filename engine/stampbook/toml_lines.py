"""Where each key of a TOML text stands, since the standard parser does not say."""

from __future__ import annotations

import re
import tomllib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

Path = tuple[str | int, ...]

_DEEPEST = 20
"""Of a longer dotted key only so many parts are listed, so that a hostile file costs no more than its length."""

_KEY = re.compile(r"""\s*("(?:[^"\\]|\\.)*"|'[^']*'|[A-Za-z0-9_-]+)\s*""")
_STRING = re.compile(r'"""(?:[^\\]|\\.)*?"""(?!")|\'\'\'.*?\'\'\'(?!\')|"(?:[^"\\\n]|\\.)*"|\'[^\'\n]*\'', re.DOTALL)


def key_lines(text: str) -> dict[Path, int]:
    """Return the 1-based line of every table header and key of a valid TOML text.

    A path holds the position within an array of tables as a number, as in ``("plugin", 0, "rule", 2, "earn")``.
    Keys inside inline tables and arrays are not listed: ask for the nearest path above them.
    """
    lines: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    table: Path = ()
    for start, statement in _statements(text):
        if statement.startswith("["):
            is_array = statement.startswith("[[")
            keys = _keys(statement[2 if is_array else 1 :])
            table = _resolve(keys[:-1], counts)
            place = (*table, keys[-1])
            if is_array:
                counts[place] = counts.get(place, -1) + 1
                table = (*place, counts[place])
                lines.setdefault(place, start)
            else:
                table = (*place, counts[place]) if place in counts else place
            lines[table] = start
        else:
            keys = _keys(statement)
            for length in range(1, min(len(keys), _DEEPEST) + 1):
                lines.setdefault((*table, *keys[:length]), start)
    return lines


def _resolve(keys: list[str], counts: dict[Path, int]) -> Path:
    path: Path = ()
    for key in keys:
        path = (*path, key)
        if path in counts:
            path = (*path, counts[path])
    return path


def _keys(text: str) -> list[str]:
    keys: list[str] = []
    position = 0
    while match := _KEY.match(text, position):
        keys.append(_unquoted(match[1]))
        position = match.end()
        if not text.startswith(".", position):
            break
        position += 1
    return keys


def _unquoted(key: str) -> str:
    if key.startswith("'"):
        return key[1:-1]
    if key.startswith('"'):
        return key[1:-1] if "\\" not in key else str(tomllib.loads(f"key = {key}")["key"])
    return key


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Yield the line and text of every header and key, each with the whole of its value."""
    position, line = 0, 1
    while position < len(text):
        end = _end_of_statement(text, position)
        statement = text[position:end].strip()
        if statement and not statement.startswith("#"):
            leading = text[position:end].index(statement[0])
            yield line + text.count("\n", position, position + leading), statement
        line += text.count("\n", position, end + 1)
        position = end + 1


def _end_of_statement(text: str, position: int) -> int:
    depth = 0
    while position < len(text):
        character = text[position]
        if character in "\"'":
            match = _STRING.match(text, position)
            position = match.end() if match else position + 1
            continue
        if character == "#":
            newline = text.find("\n", position)
            position = len(text) if newline < 0 else newline
            continue
        depth += (character in "[{") - (character in "]}")
        if character == "\n" and depth <= 0:
            return position
        position += 1
    return position
