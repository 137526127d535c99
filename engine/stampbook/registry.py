"""Finding plugins, building them from a program, and calling their hooks in the order of the program."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Generic, NamedTuple, TypeVar

import pluggy
from pydantic import BaseModel, Field

from stampbook.errors import PluginError, ProgramError, StampbookError, near
from stampbook.events import CORE_EVENTS, Event, EventReader, Expiry
from stampbook.hookspecs import API_VERSION, Due, Hooks
from stampbook.ledger import Objection
from stampbook.plugin import Plugin, PluginConfig
from stampbook.program import ProgramFile, Source, read_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from stampbook.account import AccountView
    from stampbook.events import Order
    from stampbook.hookspecs import Award, Multiplier, Note, RefundPlan, RefundRequest
    from stampbook.ledger import Fact, Posting, Transaction
    from stampbook.vocabulary import Context

GROUP = "stampbook.plugins"
"""The entry-point group through which bundled and foreign plugins are found alike."""

T = TypeVar("T")


class Stamped(NamedTuple, Generic[T]):
    """The result of a hook with the name of the plugin that gave it."""

    plugin: str
    value: T


@dataclass(frozen=True, slots=True)
class Found:
    """A plugin that is installed: its name, where it comes from, and how to load it."""

    name: str
    distribution: str
    entry: EntryPoint

    def load(self) -> type[Plugin[Any]]:
        """Return the plugin's class.

        Raises:
            PluginError: it cannot be imported, is no plugin, or was written for another contract.
        """
        try:
            loaded = self.entry.load()
        except StampbookError:
            raise
        except Exception as error:
            message = f"plugin {self.name!r} of {self.distribution} cannot be loaded: {error}"
            raise PluginError(message) from error
        return checked_class(loaded, f"plugin {self.name!r} of {self.distribution}")


def checked_class(loaded: object, who: str) -> type[Plugin[Any]]:
    """Return `loaded` if it is a plugin class of this contract.

    Raises:
        PluginError: it is not.
    """
    if not (isinstance(loaded, type) and issubclass(loaded, Plugin)):
        message = f"{who} is not a subclass of stampbook.Plugin"
        raise PluginError(message)
    if loaded.api_version != API_VERSION:
        message = f"{who} was written for plugin contract {loaded.api_version}; this is contract {API_VERSION}"
        raise PluginError(message)
    config = loaded.Config
    if not (issubclass(config, PluginConfig) and config.model_config.get("extra") == "forbid"):
        message = f"{who}: its Config is not a stampbook.PluginConfig that refuses unknown keys"
        raise PluginError(message)
    return loaded


@lru_cache(maxsize=1)
def installed() -> Mapping[str, Found]:
    """Return the installed plugins by name.

    Raises:
        PluginError: two distributions bring a plugin of one name; both are named.
    """
    found: dict[str, Found] = {}
    for entry in entry_points(group=GROUP):
        distribution = entry.dist.name if entry.dist else "an unknown distribution"
        other = found.get(entry.name)
        if other is not None and other.entry.value != entry.value:
            message = f"plugin {entry.name!r} is brought by {other.distribution} and by {distribution}; remove one"
            raise PluginError(message)
        found[entry.name] = Found(entry.name, distribution, entry)
    return found


class _PluginTable(BaseModel):
    """The keys of a plugin table that belong to the engine."""

    use: Annotated[str, Field(min_length=1, description="name of an installed plugin")]
    name: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,62}$", description="name of this use of it")] = ""


class Registry:
    """A program with its plugins built: what `pipeline.decide` judges by.

    Every hook has one typed method here, which calls the plugins in the order of the program's tables and
    stamps each result with the plugin's name.
    """

    def __init__(self, file: ProgramFile, context: Context, hash: str, plugins: Iterable[Plugin[Any]]) -> None:  # noqa: A002 - the word of the design
        self.file = file
        self.context = context
        self.hash = hash
        self.plugins = tuple(plugins)
        manager = pluggy.PluginManager("stampbook")
        manager.add_hookspecs(Hooks)
        for plugin in self.plugins:
            try:
                manager.register(plugin, name=plugin.name)
                manager.check_pending()
            except pluggy.PluginValidationError as error:
                message = f"plugin {plugin.name!r}: {' '.join(str(error).split())}"
                raise PluginError(message) from None
        self._calls = {name: self._ordered(manager, name) for name in dir(Hooks) if not name.startswith("_")}
        self._check_markers(manager)
        self.own_events: dict[str, str] = {}
        kinds = self._kinds()
        self.reader = EventReader(
            assets=context.assets, currency=context.currency.code, calendar=context.calendar, kinds=kinds
        )
        self.has_dues = bool(self._calls["due"])
        self.has_reviews = bool(self._calls["review"])
        self.has_assessments = bool(self._calls["assess"])
        self.has_listeners = bool(self._calls["committed"])
        self.metrics = {
            kind: [(name, table) for name, table in file.metrics.items() if kind in table.on]
            for kind in {kind for table in file.metrics.values() for kind in table.on}
        }

    def __repr__(self) -> str:
        return f"Registry({self.file.program.name!r}, {self.hash[:8]})"

    def _ordered(self, manager: pluggy.PluginManager, hook: str) -> list[tuple[str, Callable[..., Any]]]:
        caller = getattr(manager.hook, hook)
        implementations = {impl.plugin_name: impl for impl in caller.get_hookimpls()}
        given = caller.spec.argnames
        return [
            (plugin.name, _adapted(implementations[plugin.name].function, implementations[plugin.name].argnames, given))
            for plugin in self.plugins
            if plugin.name in implementations
        ]

    def _check_markers(self, manager: pluggy.PluginManager) -> None:
        for hook in self._calls:
            for impl in getattr(manager.hook, hook).get_hookimpls():
                if impl.hookwrapper or impl.wrapper or impl.tryfirst or impl.trylast:
                    message = f"plugin {impl.plugin_name!r}: {hook} sets an order of its own; the program's order holds"
                    raise PluginError(message)

    def _kinds(self) -> list[type[Event]]:
        core: tuple[type[Event], ...] = (*CORE_EVENTS, Expiry)
        kinds: dict[str, tuple[str, type[Event]]] = {
            kind.model_fields["type"].default: ("the engine", kind) for kind in core
        }
        for name, call in self._calls["register_events"]:
            for kind in call():
                key = kind.model_fields["type"].default
                if key in kinds and kinds[key][1] is not kind:
                    message = f"event {key!r} is brought by {kinds[key][0]} and by plugin {name!r}; rename one"
                    raise PluginError(message)
                kinds.setdefault(key, (name, kind))
                self.own_events[key] = name
        return [kind for _, kind in kinds.values()]

    def assess(self, account: AccountView, at: int, event: Event) -> list[Stamped[Fact]]:
        """Return the facts that plugins conclude."""
        return [Stamped(name, fact) for name, call in self._calls["assess"] for fact in call(account, at, event) or ()]

    def reward(self, event: Event, order: Order | None, account: AccountView) -> list[Award | Multiplier | Note]:
        """Return the awards and multipliers that plugins want; rules bear their plugin's name."""
        wanted: list[Award | Multiplier | Note] = []
        for name, call in self._calls["reward"]:
            for wish in call(event, order, account) or ():
                if not wish.rule.startswith(name):
                    message = f"plugin {name!r}: its rule {wish.rule!r} does not start with its name"
                    raise PluginError(message)
                wanted.append(wish)
        return wanted

    def refund(self, request: RefundRequest, account: AccountView) -> Stamped[RefundPlan] | None:
        """Return the first plan for a return."""
        for name, call in self._calls["refund"]:
            plan = call(request, account)
            if plan is not None:
                return Stamped(name, plan)
        return None

    def propose(self, event: Event, account: AccountView) -> list[Posting]:
        """Return the postings of a plugin's own event."""
        postings: list[Posting] = []
        for name, call in self._calls["propose"]:
            if self.own_events.get(event.type) == name:
                postings.extend(call(event, account) or ())
        return postings

    def review(self, transaction: Transaction, account: AccountView, event: Event) -> list[Objection]:
        """Return all objections, each with its plugin's name."""
        return [
            Objection(objection.code, objection.message, name)
            for name, call in self._calls["review"]
            for objection in call(transaction, account, event) or ()
        ]

    def due(self, account: AccountView, at: int) -> list[Due]:
        """Return what time brings up to an instant, in the order of the program."""
        return [due for _, call in self._calls["due"] for due in call(account, at) or ()]

    def committed(self, transaction: Transaction, account: AccountView, event: Event) -> Iterator[Stamped[Exception]]:
        """Tell plugins of a committed transaction; yield what went wrong in them."""
        for name, call in self._calls["committed"]:
            try:
                call(transaction, account, event)
            except Exception as error:  # noqa: BLE001 - a listener's failure undoes nothing
                yield Stamped(name, error)

    def segmenters(self) -> list[tuple[str, Plugin[Any]]]:
        """Return the plugins that make segments, by name."""
        names = {name for name, _ in self._calls["segment"]}
        return [(plugin.name, plugin) for plugin in self.plugins if plugin.name in names]

    def register_commands(self, cli: Any) -> None:  # noqa: ANN401 - a click group, which is not imported here
        """Let plugins add commands."""
        for _, call in self._calls["register_commands"]:
            call(cli)


def _adapted(function: Callable[..., Any], wanted: Iterable[str], given: Iterable[str]) -> Callable[..., Any]:
    """Return a function of all arguments of a hook, by position, that hands on those that the plugin names.

    pluggy would choose at every call; a lambda made once costs a fifth of that on the hot path.
    """
    code = f"lambda {', '.join(given)}: function({', '.join(f'{name}={name}' for name in wanted)})"
    adapted: Callable[..., Any] = eval(code, {"function": function})  # noqa: S307 - names that pluggy has checked
    return adapted


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
    built: list[Plugin[Any]] = []
    tables = source.data.get("plugin", [])
    if not isinstance(tables, list):
        source.mistake(("plugin",), "write [[plugin]] with two brackets: there may be several")
        tables = []
    for position, table in enumerate(tables):
        plugin = _build(source, position, table, context, plugins or {})
        if plugin is not None:
            built.append(plugin)
    for name, count in Counter(plugin.name for plugin in built).items():
        if count > 1:
            source.mistake(("plugin",), f"two plugin tables are named {name!r}; give one of them another name")
    _check_kinds(source, built)
    source.check()
    if program is None:  # source.check has raised
        raise ProgramError([])
    try:
        return Registry(program, context, source.hash, built)
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
    from stampbook.errors import Mistake  # noqa: PLC0415

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


def _check_kinds(source: Source, built: Iterable[Plugin[Any]]) -> None:
    known = {kind.model_fields["type"].default for kind in CORE_EVENTS}
    for plugin in built:
        register = getattr(plugin, "register_events", None)
        if register is not None:
            known.update(kind.model_fields["type"].default for kind in register())
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


__all__ = [
    "GROUP",
    "Found",
    "Registry",
    "Stamped",
    "checked_class",
    "installed",
    "load",
    "load_file",
    "program_schema",
    "read_text",
]
