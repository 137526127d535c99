"""A program with its plugins built: their hooks, called in the order of the program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import pluggy

from stampbook.errors import PluginError, StampbookError
from stampbook.event_reading import EventReader
from stampbook.events import CORE_EVENTS, Event, Expiry
from stampbook.hookspecs import Award, Due, Hooks, Multiplier, Note
from stampbook.ledger import Fact, Objection
from stampbook.periods import NEVER

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from stampbook.account import AccountView
    from stampbook.events import Order
    from stampbook.hookspecs import RefundPlan, RefundRequest
    from stampbook.ledger import Posting, Transaction
    from stampbook.plugin import Plugin
    from stampbook.program import ProgramFile
    from stampbook.vocabulary import Context

T = TypeVar("T")


class Stamped(NamedTuple, Generic[T]):
    """The result of a hook with the name of the plugin that gave it."""

    plugin: str
    value: T


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
            (
                plugin.name,
                _guarded(
                    _adapted(implementations[plugin.name].function, implementations[plugin.name].argnames, given),
                    plugin.name,
                    hook,
                ),
            )
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
        facts: list[Stamped[Fact]] = []
        for name, call in self._calls["assess"]:
            for fact in call(account, at, event):
                if not isinstance(fact, Fact) or not _sound(fact):
                    message = f"plugin {name!r} concludes {fact!r}, which is no fact of texts and instants"
                    raise PluginError(message)
                facts.append(Stamped(name, fact))
        return facts

    def reward(self, event: Event, order: Order | None, account: AccountView) -> list[Award | Multiplier | Note]:
        """Return the awards and multipliers that plugins want; rules bear their plugin's name."""
        wanted: list[Award | Multiplier | Note] = []
        for name, call in self._calls["reward"]:
            for wish in call(event, order, account):
                if not isinstance(wish, (Award, Multiplier, Note)) or not isinstance(wish.rule, str):
                    message = f"plugin {name!r} rewards with {wish!r}, which is no award, multiplier or note"
                    raise PluginError(message)
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
        objections: list[Objection] = []
        for name, call in self._calls["review"]:
            for objection in call(transaction, account, event):
                if not isinstance(objection, Objection) or not all(map(_is_kept, objection)):
                    message = f"plugin {name!r} objects with {objection!r}, which is no objection"
                    raise PluginError(message)
                objections.append(Objection(objection.code, objection.message, name))
        return objections

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

    def register_commands(self, cli: Any) -> None:
        """Let plugins add commands."""
        for _, call in self._calls["register_commands"]:
            call(cli)


_LISTED = {"register_events", "assess", "reward", "propose", "review", "due"}
"""The hooks that return any number of things, or None for nothing."""


def _guarded(call: Callable[..., Any], plugin: str, hook: str) -> Callable[..., Any]:
    """Return a call whose failure names the plugin and fails its event alone; lists are read out within it."""
    if hook == "committed":
        return call

    def guarded(*arguments: Any) -> Any:
        try:
            result = call(*arguments)
            if hook not in _LISTED or type(result) is list:
                return result
            return [] if result is None else list(result)
        except StampbookError:
            raise
        except Exception as error:
            message = f"plugin {plugin!r} fails in {hook}: {type(error).__name__}: {error}"
            raise PluginError(message) from error

    return guarded


def _adapted(function: Callable[..., Any], wanted: Iterable[str], given: Iterable[str]) -> Callable[..., Any]:
    """Return a function of all arguments of a hook, by position, that hands on those that the plugin names.

    pluggy would choose at every call; a lambda made once costs a fifth of that on the hot path.
    """
    code = f"lambda {', '.join(given)}: function({', '.join(f'{name}={name}' for name in wanted)})"
    adapted: Callable[..., Any] = eval(code, {"function": function})  # noqa: S307 - names that pluggy has checked
    return adapted


def _sound(fact: Fact) -> bool:
    texts = all(map(_is_kept, (fact.name, fact.value, fact.reason)))
    return texts and all(type(instant) is int and abs(instant) <= NEVER for instant in (fact.since, fact.until))


def _is_kept(text: object) -> bool:
    return isinstance(text, str) and "\x00" not in text
