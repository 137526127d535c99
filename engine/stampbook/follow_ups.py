"""Mistakes that are told only because of another one: where that is mended they are gone, so they are left out."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from stampbook.errors import Mistake, near

if TYPE_CHECKING:
    from stampbook.toml_source import Source

_UNKNOWN = {
    "assets": (re.compile(r"'([^']+)'(?:, which)? is not an asset|no field 'balance\.(\w+)'"), "asset"),
    "metrics": (re.compile(r"metric '([^']+)' is not declared|no field 'metric\.(\w+)'"), "metric"),
}
"""By the table that declares names: what is said where one is named that it does not declare; and the word for it."""


def without_follow_ups(source: Source) -> list[Mistake]:
    """Return the mistakes of a file without those that only come of others.

    A name that is misspelt where it is declared is unknown wherever it is used: that is one mistake. So is a table that
    has one, and lacks for that reason what others need of it; what it lacks besides is a mistake of its own.
    """
    left = source.mistakes
    for table in _UNKNOWN:
        left = _declared_wrong(source, table, left)
    wrong: dict[str, list[Mistake]] = defaultdict(list)
    for each in left:
        if each.key.startswith(("assets.", "metrics.")):
            wrong[".".join(each.key.split(".")[:2])].append(each)
    return [each for each in left if not any(_comes_of(each, table, own) for table, own in wrong.items())]


def _comes_of(mistake: Mistake, table: str, own: list[Mistake]) -> bool:
    """Whether a mistake elsewhere names a table that has one itself; of a key of it, one of that key."""
    named = re.search(rf"\[{re.escape(table)}\](?: (\w+) = )?", mistake.message)
    if named is None or mistake.key.startswith(f"{table}."):
        return False
    key = named[1]
    return key is None or any(each.key == f"{table}.{key}" or f"did you mean {key!r}" in each.message for each in own)


def _declared_wrong(source: Source, table: str, mistakes: list[Mistake]) -> list[Mistake]:
    """Put one mistake in place of all that name what a near name, used by nothing, was meant to declare."""
    declared = source.data.get(table)
    if not isinstance(declared, Mapping):
        return mistakes
    pattern, word = _UNKNOWN[table]
    for name in declared:
        if not _is_idle(source, table, name):
            continue
        for unknown in sorted({unknown for each in mistakes if (unknown := _named(pattern, each.message))}):
            about = [each for each in mistakes if _named(pattern, each.message) == unknown]
            if len(about) > 1 and near(unknown, [name]) and unknown not in declared:
                first = min(each.line for each in about)
                told = (
                    f"nothing names {name!r}, and {unknown!r} is named, first on line {first}, and is no {word} of the "
                    f"program; did you mean [{table}.{unknown}]?"
                )
                one = Mistake(source.line((table, name)), f"{table}.{name}", told, source.file)
                return [*(each for each in mistakes if each not in about), one]
    return mistakes


def _named(pattern: re.Pattern[str], message: str) -> str:
    match = pattern.search(message)
    return "" if match is None else match[1] or match[2]


def _is_idle(source: Source, table: str, name: Any) -> bool:
    """Whether a declared name stands nowhere but where it is declared."""
    named = re.findall(rf"(?<![\w-]){re.escape(str(name))}(?![\w-])", source.text)
    return len(named) == len(re.findall(rf"(?m)^\s*\[\s*{table}\s*\.\s*['\"]?{re.escape(str(name))}\b", source.text))
