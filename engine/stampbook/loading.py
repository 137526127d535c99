"""Building a program: its file read, its plugins found and built, every mistake reported at once."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, Field

from stampbook.discovery import checked_class, installed
from stampbook.errors import PluginError, ProgramError, near
from stampbook.events import CORE_EVENTS
from stampbook.program import ProgramFile, Source, read_file
from stampbook.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stampbook.plugin import Plugin
    from stampbook.vocabulary import Context


class _PluginTable(BaseModel):
    """The keys of a plugin table that belong to the engine."""

    use: Annotated[str, Field(min_length=1, description="name of an installed plugin")]
    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,39}$", description="name of this use of it")] = ""


def load(text: str, file: str = "", *, plugins: Mapping[str, type[Plugin[Any]]] | None = None) -> Registry:
    """Build a program from its text.

    Args:
        text: TOML.
        file: its name, for messages.
        plugins: classes to use before those that are installed, by name.

    Raises:
        ProgramError: every mistake of the file, each with line, key and what to do.
    """
    source = Source(text, file)
    program, context = read_file(source)
    built: dict[int, Plugin[Any]] = {}
    tables = source.data.get("plugin", [])
    if not isinstance(tables, list):
        source.mistake(("plugin",), "write [[plugin]] with two brackets: there may be several")
        tables = []
    for position, table in enumerate(tables):
        plugin = _build(source, position, table, context, plugins or {})
        if plugin is not None:
            built[position] = plugin
    for name, count in Counter(plugin.name for plugin in built.values()).items():
        if count > 1:
            source.mistake(("plugin",), f"two plugin tables are named {name!r}; give one of them another name")
    _check_kinds(source, built)
    source.check()
    if program is None:  # source.check has raised
        raise ProgramError([])
    try:
        return Registry(program, context, source.hash, built.values())
    except PluginError as error:
        source.mistake(("plugin",), str(error))
        raise ProgramError(source.mistakes) from None


def load_file(path: str | Path, *, plugins: Mapping[str, type[Plugin[Any]]] | None = None) -> Registry:
    """Build a program from a file; see `load`.

    Raises:
        ProgramError: the file cannot be read, or has mistakes.
    """
    return load(read_text(path), str(path), plugins=plugins)


def read_text(path: str | Path) -> str:
    """Read a program file.

    Raises:
        ProgramError: it cannot be read or is not UTF-8.
    """
    from stampbook.errors import Mistake

    try:
        return Path(path).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ProgramError([Mistake(0, "", f"not UTF-8 text (byte {error.start})", str(path))]) from None
    except OSError as error:
        raise ProgramError([Mistake(0, "", f"cannot be read: {error.strerror}", str(path))]) from None


def _build(
    source: Source, position: int, table: object, context: Context, given: Mapping[str, type[Plugin[Any]]]
) -> Plugin[Any] | None:
    path = ("plugin", position)
    if not isinstance(table, dict):
        source.mistake(path, "write [[plugin]] with two brackets: there may be several")
        return None
    own = {key: value for key, value in table.items() if key in _PluginTable.model_fields}
    head = source.validated(_PluginTable, own, path)
    if head is None:
        return None
    try:
        plugin_class = _class_of(head.use, given)
    except PluginError as error:
        source.mistake((*path, "use"), str(error))
        return None
    options = {key: value for key, value in table.items() if key not in own}
    config = source.validated(plugin_class.Config, options, path, context)
    if config is None:
        return None
    try:
        return plugin_class(config, name=head.name or head.use, program=context)
    except PluginError as error:
        source.mistake(path, str(error))
        return None


def _class_of(use: str, given: Mapping[str, type[Plugin[Any]]]) -> type[Plugin[Any]]:
    if use in given:
        return checked_class(given[use], f"plugin {use!r}")
    found = installed().get(use)
    if found is None:
        names = {*installed(), *given}
        message = f"no plugin {use!r} is installed{near(use, names) or '; there are ' + ', '.join(sorted(names))}"
        raise PluginError(message)
    return found.load()


def _check_kinds(source: Source, built: Mapping[int, Plugin[Any]]) -> None:
    known = {kind.model_fields["type"].default for kind in CORE_EVENTS}
    for plugin in built.values():
        register = getattr(plugin, "register_events", None)
        if register is not None:
            known.update(kind.model_fields["type"].default for kind in register())
    for position, plugin in built.items():
        for kind in sorted(plugin.kinds - known):
            source.mistake(("plugin", position), f"{kind!r} is no kind of event{near(kind, known)}")
    metrics = source.data.get("metrics")
    for name, table in metrics.items() if isinstance(metrics, dict) else ():
        kinds = table.get("on") if isinstance(table, dict) else None
        for kind in kinds if isinstance(kinds, list) else ():
            if kind not in known:
                source.mistake(("metrics", name, "on"), f"{kind!r} is no kind of event{near(str(kind), known)}")


def program_schema() -> dict[str, Any]:
    """Return the JSON Schema of a program file, with a variant of `[[plugin]]` for each installed plugin."""
    schema = ProgramFile.model_json_schema(by_alias=True)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "Stampbook program"
    variants: list[dict[str, Any]] = []
    for name, found in sorted(installed().items()):
        plugin_class = found.load()
        table = plugin_class.Config.model_json_schema(ref_template=f"#/$defs/{name}.{{model}}")
        for key, definition in table.pop("$defs", {}).items():
            schema.setdefault("$defs", {})[f"{name}.{key}"] = definition
        properties = {
            "use": {"const": name, "description": "name of the plugin"},
            "name": {"type": "string", "description": "name of this use of it"},
            **table.get("properties", {}),
        }
        variants.append({**table, "properties": properties, "required": ["use", *table.get("required", [])]})
    schema["properties"]["plugin"] = {"type": "array", "items": {"oneOf": variants} if variants else {}}
    return schema
