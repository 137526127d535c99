"""Building a program: its file read, its plugins found and built, every mistake reported at once."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import BaseModel, Field, PydanticUserError, ValidationError

from stampbook.declared_events import declared_kinds, default_mistakes
from stampbook.discovery import checked_class, installed
from stampbook.errors import PluginError, ProgramError, near
from stampbook.event_reading import EventReader
from stampbook.events import CORE_EVENTS
from stampbook.examples import example_mistakes
from stampbook.follow_ups import without_follow_ups
from stampbook.hidden_mistakes import CannotTellError, Rest, complaints, of_the_whole, place_of, rest_of
from stampbook.limits import check_awards
from stampbook.program import Example, ProgramFile, read_again, read_file
from stampbook.registry import Registry
from stampbook.toml_source import Source

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from stampbook.names import EventText
    from stampbook.plugin import Plugin
    from stampbook.toml_lines import Path as KeyPath
    from stampbook.vocabulary import Context


class _PluginTable(BaseModel):
    """The keys of a plugin table that belong to the engine."""

    use: Annotated[str, Field(min_length=1, description="name of an installed plugin")]
    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,39}$", description="name of this use of it")] = ""


def load(
    text: str, file: str = "", *, plugins: Mapping[str, type[Plugin[Any]]] | None = None, kept: bool = False
) -> Registry:
    """Build a program from its text.

    Args:
        text: TOML.
        file: its name, for messages.
        plugins: classes to use before those that are installed, by name.
        kept: whether it was in force before, so that what one plugin knows against another is no mistake of it any
            more: books are judged by what judged them.

    Raises:
        ProgramError: every mistake of the file, each with line, key and what to do.
    """
    source = Source(text, file)
    tables = source.data.get("plugin", [])
    listed = tables if isinstance(tables, list) else []
    program, context = read_file(source, _texts(listed, plugins or {}), _closed(listed, plugins or {}))
    built: dict[int, Plugin[Any]] = {}
    if not isinstance(tables, list):
        source.mistake(("plugin",), "write [[plugin]] with two brackets: there may be several")
        tables = []
    schemes = {position for position, table in enumerate(tables) if _is_scheme(table, plugins or {})}
    for some in (schemes, {*range(len(tables))} - schemes):
        for position in sorted(some):
            plugin = _build(source, position, tables[position], context, plugins or {})
            if plugin is not None:
                built[position] = plugin
        context.close_segments({plugin.name: plugin.segment_names for plugin in built.values()})
    if source.data.get("segments"):
        read_again(source, context)
    built = dict(sorted(built.items()))
    for name, count in Counter(plugin.name for plugin in built.values() if not plugin.sole).items():
        if count > 1:
            source.mistake(("plugin",), f"two plugin tables are named {name!r}; give one of them another name")
    _check_sole(source, built)
    if len(built) == len(tables):
        _check_wants(source, built)
        if not kept:
            _check_money(source, built)
    _check_kinds(source, context, built)
    _check_schemes(source, built)
    if program is not None:
        check_awards(source, program, context, built)
    if source.mistakes:
        _look_at_examples(source, context, list(built.values()), whole=len(built) == len(tables))
        source.mistakes = without_follow_ups(source)
    source.check()
    if program is None:  # source.check has raised
        raise ProgramError([])
    try:
        return Registry(program, context, source.hash, built.values(), source)
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
    name = head.name or head.use
    config = source.examined(plugin_class.Config, options, path, context)
    if isinstance(config, Rest):
        known = {mistake.message for mistake in source.mistakes}
        for place, message in _complaints(plugin_class, config.data, name, context):
            if message not in known and not config.comes_of_it(message):
                source.mistake((*path, *config.place(place)), message)
        return None
    try:
        return plugin_class(config, name=name, program=context)
    except PluginError:
        for place, message in _complaints(plugin_class, options, name, context):
            source.mistake((*path, *place), message)
        return None


def _complaints(
    plugin_class: type[Plugin[Any]], options: Mapping[str, Any], name: str, context: Context
) -> Iterator[tuple[KeyPath, str]]:
    """Yield all that a plugin has against its options: it says one thing at a time."""

    def complaint(some: Mapping[str, Any]) -> str | None:
        try:
            plugin_class(plugin_class.Config.model_validate(some, context=context), name=name, program=context)
        except PluginError as error:
            return str(error)
        except ValidationError as error:
            message = of_the_whole(error)
            if message is None:
                raise CannotTellError from error
            return message
        except Exception as error:  # it was never meant to be built of these
            raise CannotTellError from error
        return None

    with suppress(CannotTellError):
        yield from complaints(plugin_class.Config, options, complaint)


def _texts(tables: list[Any], given: Mapping[str, type[Plugin[Any]]]) -> list[EventText]:
    """Return what rules may read of the events of a program's plugins; those that cannot be loaded are told later."""
    found: list[EventText] = []
    for use in dict.fromkeys(str(table.get("use")) for table in tables if isinstance(table, dict)):
        with suppress(PluginError):
            found.extend(_class_of(use, given).texts)
    return found


def _closed(tables: list[Any], given: Mapping[str, type[Plugin[Any]]]) -> dict[str, tuple[str, ...]]:
    """Return what texts may be that cannot be anything, as plugins say; of one name that several keep, all of them."""
    found: dict[str, tuple[str, ...]] = {}
    for table in tables:
        with suppress(PluginError):
            if isinstance(table, dict):
                for name, values in _class_of(str(table.get("use")), given).closed_texts(table).items():
                    found[name] = (*found.get(name, ()), *values)
    return found


def _is_scheme(table: object, given: Mapping[str, type[Plugin[Any]]]) -> bool:
    """Return whether a table is of a segmentation scheme; those are built first, so that rules know their segments."""
    with suppress(PluginError):
        return isinstance(table, dict) and callable(getattr(_class_of(str(table.get("use")), given), "segment", None))
    return False


def _class_of(use: str, given: Mapping[str, type[Plugin[Any]]]) -> type[Plugin[Any]]:
    if use in given:
        return checked_class(given[use], f"plugin {use!r}")
    found = installed().get(use)
    if found is None:
        names = {*installed(), *given}
        message = f"no plugin {use!r} is installed{near(use, names) or '; there are ' + ', '.join(sorted(names))}"
        raise PluginError(message)
    return found.load()


def _check_sole(source: Source, built: Mapping[int, Plugin[Any]]) -> None:
    """Refuse a second table of a plugin of which a program has one."""
    first: dict[type[Plugin[Any]], int] = {}
    for position, plugin in built.items():
        before = first.setdefault(type(plugin), position)
        if plugin.sole and before != position:
            use, line = source.data["plugin"][position]["use"], source.line(("plugin", before))
            message = f"a program has one table of {use}: {plugin.sole}; put it together with that of line {line}"
            source.mistake(("plugin", position, "use"), message)


def _check_wants(source: Source, built: Mapping[int, Plugin[Any]]) -> None:
    """Refuse what a plugin has others give and none offers, or none can promise."""
    offers = {what: why for plugin in built.values() for what, why in plugin.offers.items()}
    for position, plugin in built.items():
        for what, place in plugin.wants.items():
            if offers.get(what) != "":
                message = f"{what} cannot be given: {offers[what]}" if what in offers else _not_offered(what, offers)
                source.mistake(("plugin", position, *place), message)


def _check_money(source: Source, built: Mapping[int, Plugin[Any]]) -> None:
    """Refuse that paid value ends, or that a card holds as much, where a plugin knows that it may not; and its own."""
    for position, plugin in built.items():
        for place, message in plugin.mistakes:
            source.mistake(("plugin", position, *place), message)
        for other in built.values():
            found = [(ends.place, other.forbids(ends)) for ends in plugin.money_ends]
            found += [(held.place, other.forbids_held(held)) for held in plugin.money_held]
            for place, messages in found:
                for message in messages:
                    source.mistake(("plugin", position, *place), message)


def _not_offered(what: str, offers: Mapping[str, str]) -> str:
    kind, _, name = what.partition(" ")
    names = [other.removeprefix(f"{kind} ") for other in offers if other.startswith(f"{kind} ")]
    return f"there is no {kind} {name!r}" + (near(name, names) or f"; there are {', '.join(names) or 'none'}")


def _check_schemes(source: Source, built: Mapping[int, Plugin[Any]]) -> None:
    """Refuse [segments] tables of schemes that there are not, and segments that no run will ever name."""
    schemes = {plugin.name: plugin for plugin in built.values() if callable(getattr(plugin, "segment", None))}
    tables = source.data.get("segments")
    for name, table in tables.items() if isinstance(tables, dict) else ():
        if name not in schemes:
            have = f"; the program has {', '.join(schemes)}" if schemes else "; the program has none"
            source.mistake(("segments", name), f"no segmentation scheme {name!r}{near(name, schemes)}{have}")
            continue
        possible = schemes[name].segment_names
        at_once = table.get("at_once") if isinstance(table, dict) else None
        for each in at_once if isinstance(at_once, list) and possible else ():
            if each not in possible:
                hint = near(str(each), possible) or f"; there are {', '.join(possible)}"
                source.mistake(("segments", name, "at_once"), f"{name} never names {each!r}{hint}")


def _check_kinds(source: Source, context: Context, built: Mapping[int, Plugin[Any]]) -> None:
    known = {kind.model_fields["type"].default for kind in CORE_EVENTS}
    for plugin in built.values():
        register = getattr(plugin, "register_events", None)
        if register is not None:
            known.update(kind.model_fields["type"].default for kind in register())
    for name in context.events:
        if name in known:
            source.mistake(("events", name), f"{name!r} is a kind of event already; choose another name")
    known.update(context.events)
    for place, message in default_mistakes(context):
        source.mistake(place, message)
    for position, plugin in built.items():
        for kind in sorted(plugin.kinds - known):
            source.mistake(("plugin", position), f"{kind!r} is no kind of event{near(kind, known)}")
    metrics = source.data.get("metrics")
    for name, table in metrics.items() if isinstance(metrics, dict) else ():
        kinds = table.get("on") if isinstance(table, dict) else None
        for kind in kinds if isinstance(kinds, list) else ():
            if kind not in known:
                source.mistake(("metrics", name, "on"), f"{kind!r} is no kind of event{near(str(kind), known)}")


def _look_at_examples(source: Source, context: Context, plugins: list[Plugin[Any]], *, whole: bool) -> None:
    """Note the mistakes of examples that can be told without a whole program; of one without mistakes they are run."""
    if any(mistake.key.startswith(("program", "assets")) for mistake in source.mistakes):
        return  # what the currency and the assets are is not known
    brought = [kind for plugin in plugins for kind in getattr(plugin, "register_events", tuple)()]
    every = (*declared_kinds(context), *CORE_EVENTS, *brought)
    kinds = {kind.model_fields["type"].default: kind for kind in every}
    reader = EventReader(
        assets=context.assets, currency=context.currency.code, calendar=context.calendar, kinds=kinds.values()
    )
    tables = source.data.get("example")
    for position, table in enumerate(tables if isinstance(tables, list) else ()):
        rest = _example(table)
        for place, message in () if rest.model is None else example_mistakes(rest.model, reader, context):
            is_known = whole or place[2:] != ("type",) or "did you mean" in message
            if is_known and not rest.comes_of_it(message):
                source.mistake(("example", position, *place), message)


def _example(table: Any) -> Rest[Example]:
    """Return what is left of an example without the mistakes in it, which are noted already."""
    try:
        return Rest(Example.model_validate(table), table, {}, frozenset(), ())
    except ValidationError as error:
        places = [place_of(table, detail) for detail in error.errors(include_url=False)]
        return rest_of(Example, table if isinstance(table, dict) else {}, places, None)


def program_schema(on_broken: Callable[[str], None] | None = None) -> dict[str, Any]:
    """Return the JSON Schema of a program file, with a variant of `[[plugin]]` for each installed plugin.

    Args:
        on_broken: told of each plugin that is left out, and why.
    """
    schema = ProgramFile.model_json_schema(by_alias=True)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "Stampbook program"
    variants: list[dict[str, Any]] = []
    for name, found in sorted(installed().items()):
        try:
            table = found.load().Config.model_json_schema(ref_template=f"#/$defs/{name}.{{model}}")
        except (PluginError, PydanticUserError) as error:
            if on_broken is not None:
                on_broken(str(error).partition("\n")[0])
            continue
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
