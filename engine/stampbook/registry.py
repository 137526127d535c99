"""A program with its plugins built: their hooks, called in the order of the program."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import pluggy

from stampbook.calling import called
from stampbook.declared_events import declared_kinds
from stampbook.errors import PluginError
from stampbook.event_reading import EventReader
from stampbook.events import CORE_EVENTS, EVENTS_OF_TIME, OWN_SOURCE, Event
from stampbook.hookspecs import (
    CAMPAIGN,
    Award,
    Due,
    Entitlement,
    Extension,
    GoodUntil,
    Hooks,
    Multiplier,
    Note,
)
from stampbook.ledger import Fact, Message, Objection
from stampbook.limits import Limits, limits_of
from stampbook.periods import NEVER, Window
from stampbook.plugin import Plugin  # noqa: TC001 - compiled code checks it at run time
from stampbook.proposals import Payable, Payment, Share

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from stampbook.account_view import AccountView
    from stampbook.earlier import Earlier
    from stampbook.events import AccountClosed
    from stampbook.goals import Progress
    from stampbook.hookspecs import Proposal
    from stampbook.ledger import Transaction
    from stampbook.orders import Order
    from stampbook.program import ProgramFile
    from stampbook.proposals import Earned
    from stampbook.purchases import Tender
    from stampbook.refund_plans import RefundPlan, RefundRequest
    from stampbook.toml_source import Source
    from stampbook.vocabulary import Context

T = TypeVar("T")


_RETURNS = frozenset({"return", "purchase.cancelled"})
_OF_ANY_ACCOUNT = frozenset({"account.opened", "account.frozen", "account.unfrozen", "account.closed", "extend"})


class Stamped(NamedTuple, Generic[T]):
    """The result of a hook with the name of the plugin that gave it."""

    plugin: str
    value: T


class Registry:
    """A program with its plugins built: what `pipeline.decide` judges by.

    Every hook has one typed method here, which calls the plugins in the order of the program's tables and
    stamps each result with the plugin's name.
    """

    def __init__(
        self,
        file: ProgramFile,
        context: Context,
        hash: str,  # noqa: A002 - the word of the design
        plugins: Iterable[Plugin[Any]],
        source: Source | None = None,
    ) -> None:
        self.source = source
        self.file = file
        self.context = context
        self.hash = hash
        self.plugins = tuple(plugins)
        self._owners = [(prefix, plugin.name) for plugin in self.plugins for prefix in plugin.owns]
        self._guests = [
            (prefix, plugin.name, kinds) for plugin in self.plugins for prefix, kinds in plugin.deals_with.items()
        ]
        self._takes = {plugin.name: _OF_ANY_ACCOUNT | plugin.takes for plugin in self.plugins if plugin.owns}
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
        self.pays_out = bool(context.paid_out)
        self.has_payers = bool(self._calls["pay"])
        self.has_dues = bool(self._calls["due"])
        self.has_reviews = bool(self._calls["review"])
        self.has_assessments = bool(self._calls["assess"])
        self.has_followers = bool(self._calls["follow"])
        self.has_sharers = bool(self._calls["share"])
        if self.has_sharers:
            context.kept_of = self._kept_of
        self.forwards = any(plugin.forwards for plugin in self.plugins)
        self.prompt = any(plugin.prompt for plugin in self.plugins)
        self.alone = all(plugin.alone for plugin in self.plugins)
        context.registered = {prefix: plugin.registered for plugin in self.plugins for prefix in plugin.owns}
        self.linked = frozenset[str]().union(*(plugin.linked for plugin in self.plugins))
        self.has_listeners = bool(self._calls["committed"])
        self.limits = Limits(
            [*limits_of(file, context), *(limit for plugin in self.plugins for limit in plugin.limits)], context.assets
        )
        self.has_campaigns = any(limit.metric.startswith(CAMPAIGN) for limit in self.limits.all)
        for limit in self.limits.all:
            name = limit.metric
            if name:
                decimals = 0 if limit.counts == "awards" else context.assets[limit.asset].decimals
                context.metric_decimals = {**context.metric_decimals, name: decimals}
            if name and limit.scope == "account":
                context.windows = {**context.windows, name: limit.window or Window()}
        plain = {name: table for name, table in file.metrics.items() if table.is_plain}
        self.metrics = {
            kind: [(name, table, table.choice) for name, table in plain.items() if kind in table.on]
            for kind in {kind for table in file.metrics.values() for kind in table.on}
        }
        self.granted = {
            kind: tables
            for kind in self.metrics
            if (tables := [(name, table) for name, table in file.metrics.items() if kind in table.on and table.granted])
        }
        different = {name: table for name, table in file.metrics.items() if table.distinct is not None}
        self.distinct = {
            kind: [(name, table, table.choice) for name, table in different.items() if kind in table.on]
            for kind in {kind for table in different.values() for kind in table.on}
        }

    def __repr__(self) -> str:
        return f"Registry({self.file.program.name!r}, {self.hash[:8]})"

    def _ordered(self, manager: pluggy.PluginManager, hook: str) -> list[tuple[str, Callable[..., Any]]]:
        caller = getattr(manager.hook, hook)
        implementations = {impl.plugin_name: impl for impl in caller.get_hookimpls()}
        given = caller.spec.argnames
        return [
            (plugin.name, called(implementations[plugin.name], given, plugin.name, hook))
            for plugin in self.plugins
            if plugin.name in implementations and hook not in plugin.idle
        ]

    def is_none_for(self, event: Event) -> str:
        """Return why an event that somebody sends is none for its account, a plugin's own; else an empty text."""
        owner = self.owner(event.account) if self._owners and event.source != OWN_SOURCE else None
        if owner is None or event.type in self._takes[owner]:
            return ""
        if any(event.type in kinds and event.account.startswith(prefix) for prefix, _, kinds in self._guests):
            return ""
        return self._not_for(event, owner)

    def asks_history(self, event: Event) -> bool:
        """Whether an event is judged by all that happened to its account: its class says so, or the program does."""
        if self.context.returns_as_paid and (event.type in _RETURNS or getattr(event, "exchange", None) is not None):
            return True
        return event.of_history or (self.pays_out and event.type == "account.closed")

    def _not_for(self, event: Event, owner: str) -> str:
        """Say why an event is none for an account that is a plugin's own, and what to do instead."""
        bringer = self.own_events.get(event.type)
        instead = next((plugin.instead for plugin in self.plugins if plugin.name == bringer), "")
        told = f"account {event.account} is no customer's but plugin {owner!r}'s own; {event.type} is not for it"
        return f"{told}; {instead}" if instead else told

    def opens(self, event: Event) -> bool:
        """Whether an event may open its account by itself: of a plugin's own only an event that this one brings."""
        owner = self.owner(event.account) if self._owners else None
        if owner is None:
            return True
        return self.own_events.get(event.type) == owner and event.type in self._takes[owner]

    def _of(self, hook: str, account: AccountView) -> list[tuple[str, Callable[..., Any]]]:
        """Return the calls of a hook for an account: all, or those of the plugin whose own it is and of its guests."""
        calls, owner = self._calls[hook], self.owner(account.ref) if self._owners else None
        if owner is None:
            return calls
        return [call for call in calls if call[0] == owner or self._is_guest(call[0], account.ref)]

    def _is_guest(self, plugin: str, ref: str) -> bool:
        return any(name == plugin and ref.startswith(prefix) for prefix, name, _ in self._guests)

    def owner(self, ref: str) -> str | None:
        """Return the plugin whose own an account is, by its ref; None for a customer's."""
        for prefix, owner in self._owners:
            if ref.startswith(prefix):
                return owner
        return None

    def meant(self, ref: str) -> str:
        """Say which account of a plugin's own is meant by the name of one that there is not, and what to type."""
        return next((told for plugin in self.plugins if (told := plugin.meant(ref))), "")

    def _check_markers(self, manager: pluggy.PluginManager) -> None:
        for hook in self._calls:
            for impl in getattr(manager.hook, hook).get_hookimpls():
                if impl.hookwrapper or impl.wrapper or impl.tryfirst or impl.trylast:
                    message = f"plugin {impl.plugin_name!r}: {hook} sets an order of its own; the program's order holds"
                    raise PluginError(message)

    def _kinds(self) -> list[type[Event]]:
        core: tuple[type[Event], ...] = (*CORE_EVENTS, *EVENTS_OF_TIME)
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
        for kind in declared_kinds(self.context):
            kinds.setdefault(kind.model_fields["type"].default, ("the program", kind))
        return [kind for _, kind in kinds.values()]

    def assess(self, account: AccountView, at: int, event: Event) -> Iterator[Stamped[Fact]]:
        """Yield the facts that plugins conclude, one plugin after the other: each may see those of the ones before."""
        for name, call in self._of("assess", account):
            for fact in call(account, at, event):
                if not isinstance(fact, Fact) or not _sound(fact):
                    message = f"plugin {name!r} concludes {fact!r}, which is no fact of texts and instants"
                    raise PluginError(message)
                yield Stamped(name, fact)

    def reward(
        self, event: Event, order: Order | None, account: AccountView, messages: list[Message]
    ) -> list[Award | Multiplier | Note | GoodUntil | Extension | Entitlement]:
        """Return the awards and multipliers that plugins want, and put what they send to other accounts aside.

        Rules bear their plugin's name.
        """
        wanted: list[Award | Multiplier | Note | GoodUntil | Extension | Entitlement] = []
        for name, call in self._of("reward", account):
            for wish in call(event, order, account):
                if isinstance(wish, Message):
                    messages.append(wish)
                    continue
                if type(wish) not in _WISHES or type(wish.rule) is not str:
                    message = f"plugin {name!r} rewards with {wish!r}, which is no award, multiplier, note or extension"
                    raise PluginError(message)
                if not wish.rule.startswith(name):
                    message = f"plugin {name!r}: its rule {wish.rule!r} does not start with its name"
                    raise PluginError(message)
                wanted.append(wish)
        return wanted

    def share(self, event: Event, earned: Sequence[Earned], account: AccountView) -> list[Stamped[Share]]:
        """Return which parts of what an event earned go to other accounts."""
        shares: list[Stamped[Share]] = []
        for name, call in self._of("share", account):
            for share in call(event, earned, account):
                if type(share) is not Share or type(share.units) is not int or type(share.message) is not Message:
                    message = f"plugin {name!r} shares {share!r}, which is no part of what was earned"
                    raise PluginError(message)
                shares.append(Stamped(name, share))
        return shares

    def _kept_of(self, event: Event, earned: Earned, account: AccountView) -> int:
        return earned.units - sum(share.value.units for share in self.share(event, [earned], account))

    def refund(self, request: RefundRequest, account: AccountView) -> Stamped[RefundPlan] | None:
        """Return the first plan for a return."""
        for name, call in self._calls["refund"]:
            plan = call(request, account)
            if plan is not None:
                return Stamped(name, plan)
        return None

    def pay(self, event: Event, order: Order, account: AccountView) -> list[Stamped[Payment | Objection]]:
        """Return what pays for the tenders of a purchase besides stored value."""
        payments: list[Stamped[Payment | Objection]] = []
        for name, call in self._calls["pay"]:
            for payment in call(event, order, account):
                if not isinstance(payment, (Payment, Objection)):
                    message = f"plugin {name!r} pays with {payment!r}, which is no payment or objection"
                    raise PluginError(message)
                payments.append(Stamped(name, payment))
        return payments

    def payable(
        self,
        event: Any,
        tender: Tender | None,
        order: Order | None,
        account: AccountView,
        there: Callable[[str, int], int],
    ) -> Iterator[Stamped[Payable | Objection]]:
        """Yield what bounds how much an event may take that is to be paid as far as there is something to spend."""
        for name, call in self._of("payable", account):
            for bound in call(event, tender, order, account, there):
                if not isinstance(bound, (Payable, Objection)):
                    message = f"plugin {name!r} bounds what is paid by {bound!r}, which is no amount or objection"
                    raise PluginError(message)
                yield Stamped(name, bound)

    def pay_out(self, event: AccountClosed, asset: str, account: AccountView) -> list[Stamped[Proposal | Note]] | None:
        """Return what an account that is closed pays out of an asset, by the first plugin that says; else None."""
        owner = self.owner(account.ref) if self._owners else None
        for name, call in self._calls["pay_out"]:
            if owner not in {None, name} and not self._is_guest(name, account.ref):
                instead = next((plugin.instead for plugin in self.plugins if plugin.name == name), "")
                told = (
                    f"account {account.ref} is no customer's but plugin {owner!r}'s own; closing pays nothing out of it"
                )
                return [Stamped(name, Objection("no_customer", f"{told}; {instead}" if instead else told))]
            found = call(event, asset, account)
            if found is not None:
                return [Stamped(name, proposal) for proposal in found]
        return None

    def propose(self, event: Event, account: AccountView, earlier: Earlier | None = None) -> list[Stamped[Proposal]]:
        """Return what a plugin's own event moves; on an account that is another plugin's own, only an objection."""
        owner, bringer = self.owner(account.ref), self.own_events.get(event.type)
        if owner is not None and owner != bringer and not self._is_guest(str(bringer), account.ref):
            return [Stamped(str(bringer), Objection("no_customer", self._not_for(event, owner)))]
        proposals: list[Stamped[Proposal]] = []
        for name, call in self._calls["propose"]:
            if name == bringer:
                proposals.extend(Stamped(name, proposal) for proposal in call(event, account, earlier))
        return proposals

    def review(self, transaction: Transaction, account: AccountView, event: Event) -> list[Objection]:
        """Return all objections, each with its plugin's name."""
        objections: list[Objection] = []
        for name, call in self._of("review", account):
            for objection in call(transaction, account, event):
                if not isinstance(objection, Objection) or not all(map(_is_kept, objection)):
                    message = f"plugin {name!r} objects with {objection!r}, which is no objection"
                    raise PluginError(message)
                objections.append(Objection(objection.code, objection.message, name))
        return objections

    def due(self, account: AccountView, at: int) -> list[Due]:
        """Return what time brings up to an instant, in the order of the program."""
        return [due for _, call in self._of("due", account) for due in call(account, at) or ()]

    def follow(self, account: AccountView, event: Event, transaction: Transaction) -> list[Due]:
        """Return what follows at once from facts that an event changed, in the order of the program."""
        facts, calls = transaction.facts, self._of("follow", account)
        return [due for _, call in calls for due in call(facts, account, event, transaction)]

    def progress(self, account: AccountView) -> list[Stamped[Progress]]:
        """Return how far an account is from the goals that plugins set, in the order of the program."""
        return [Stamped(name, each) for name, call in self._of("progress", account) for each in call(account)]

    def standing(self, account: AccountView) -> list[Fact]:
        """Return the facts that would hold if plugins judged an account anew."""
        return [fact for _, call in self._of("standing", account) for fact in call(account)]

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


_WISHES = {Award, Multiplier, Note, GoodUntil, Extension, Entitlement}


def _sound(fact: Fact) -> bool:
    texts = all(map(_is_kept, (fact.name, fact.value, fact.reason)))
    return texts and all(type(instant) is int and abs(instant) <= NEVER for instant in (fact.since, fact.until))


def _is_kept(text: object) -> bool:
    return isinstance(text, str) and "\x00" not in text
