"""Which rule of a program failed on an event, in one line: its file, its line and key, and the event."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stampbook.errors import PluginError
from stampbook.toml_source import key_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stampbook.errors import ExpressionError
    from stampbook.toml_lines import Path
    from stampbook.toml_source import Source

_MOST_PLACES = 3


def failed(error: ExpressionError, event_id: str, source: Source | None) -> PluginError:
    """Return what to tell of a condition or formula that failed: where it stands, and on which event.

    Several tables may have the same text; the first ones are named. Where the rule that failed is known, its own table
    counts, and where that is not written as it failed (it was put together of several keys) the whole of it.

    Args:
        error: what happened, and in which text.
        event_id: of the event that was judged.
        source: of the program; nothing is located without it.
    """
    rule = f"rule {error.rule} " if error.rule else ""
    told = f"{rule}fails on event {event_id!r}: {error}"
    if source is None:
        return PluginError(told)
    table = _table_of(error.rule, source.data)
    places = list(_written(error.text, source.data, ())) if error.text else []
    if table:
        places = [place for place in places if place[: len(table)] == table] or [table]
    if not places:
        return PluginError(f"{source.file or 'program'}: {told}")
    first, *others = places[:_MOST_PLACES]
    lines = "".join(f" (or line {source.line(place)}, {key_text(place)})" for place in others)
    return PluginError(f"{source.file or 'program'}:{source.line(first)}: {key_text(first)}{lines}: {told}")


def _table_of(rule: str, data: dict[str, Any]) -> Path:
    """Return the table of a rule, which the ledger names ``<plugin table>.<rule>``; nothing where there is none."""
    for position, plugin in enumerate(data.get("plugin", ())):
        prefix = f"{plugin.get('name') or plugin.get('use')}."
        for key, tables in plugin.items() if rule.startswith(prefix) else ():
            for number, table in enumerate(tables if isinstance(tables, list) else ()):
                if isinstance(table, dict) and table.get("name") == rule.removeprefix(prefix):
                    return ("plugin", position, key, number)
    return ()


def _written(text: str, data: object, place: Path) -> Iterator[Path]:
    """Yield where a text stands in a file."""
    if isinstance(data, dict):
        for key, value in data.items():
            yield from _written(text, value, (*place, key))
    elif isinstance(data, list):
        for number, value in enumerate(data):
            yield from _written(text, value, (*place, number))
    elif data == text:
        yield place
