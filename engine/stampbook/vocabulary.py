"""What the texts of a program are read against: its assets, its calendar, and the names that they may use."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

from pydantic_core import PydanticCustomError

from stampbook.amounts import Asset
from stampbook.errors import AmountError, near
from stampbook.expressions import Field as Name
from stampbook.expressions import Kind
from stampbook.names import ON_SEGMENT, event_texts, since, vocabulary, with_declared

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from stampbook.event_tables import EventTable
    from stampbook.names import EventText
    from stampbook.periods import Calendar, Window


def refuse(message: str) -> NoReturn:
    """Raise `message` from within a validator; it is reported with file, line and key."""
    kind = "stampbook"
    raise PydanticCustomError(kind, "{message}", {"message": message})


class Context:
    """What a program's texts are read against: its assets, its calendar, and the names that it may use."""

    def __init__(
        self,
        *,
        name: str,
        currency: Asset,
        assets: Mapping[str, Asset],
        calendar: Calendar,
        metric_decimals: Mapping[str, int] | None = None,
        windows: Mapping[str, Window] | None = None,
        stacking: Mapping[str, str] | None = None,
        attributes: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.currency = currency
        self.assets = assets
        self.calendar = calendar
        self.metric_decimals = metric_decimals or {}
        self.windows = windows or {}
        self.stacking = stacking or {}
        self.attributes: Mapping[str, str] = attributes or {}
        places = max([asset.decimals for asset in assets.values()], default=currency.decimals)
        self.finest = {code: 10 ** (places - asset.decimals) for code, asset in assets.items()}
        self.spend_orders: Mapping[str, Sequence[str]] = {}
        self.shrinking: frozenset[str] = frozenset()
        self.graces: Mapping[str, Callable[[int], int]] = {}
        self.forfeited: frozenset[str] = frozenset()
        """Assets that the program takes from an account that is closed, as their `on_close` says."""
        self.repaid: frozenset[str] = frozenset()
        """Assets of which top-ups repay what is owed, as their `topup_debt` says."""
        self.paid_out: frozenset[str] = frozenset()
        """Those that it pays out then."""
        self.proportions: Mapping[str, str] = {}
        self.restrictions: Mapping[str, Any] = {}
        self.events: Mapping[str, EventTable] = {}
        self.distinct: frozenset[str] = frozenset()
        self.granted: frozenset[str] = frozenset()
        self.metric_assets: Mapping[str, Asset] = {}
        """Of metrics that count an asset: that asset, in the decimals of the metric."""
        self.kept_of: Callable[[Any, Any, Any], int] | None = None
        self.reckons = False
        """Whether purchases keep what each award exactly was, for returns that reckon anew (`Granted.reckoned`)."""
        self.returns_as_paid = False
        self.registered: Mapping[str, str] = {}
        self.needed_days: dict[str, int] = {}
        self.carried: frozenset[str] = frozenset()
        self.carries_lots = False
        self._first_days: dict[tuple[str, int], int] = {}
        balances = {code: asset.decimals for code, asset in assets.items()}
        self.scope = vocabulary(currency.decimals, self.metric_decimals, places, balances)
        self.name_facts(self.attributes, "an attribute that the program declares")

    def registered_fact(self, ref: str) -> str:
        """Return the fact of a plugin's own account, such as a card, that names for whom it is registered.

        Empty where the account is a customer's, or never registered for anybody.
        """
        return next((fact for prefix, fact in self.registered.items() if ref.startswith(prefix)), "")

    def name_facts(self, facts: Iterable[str], about: str, since_about: str = "") -> None:
        """Let expressions read facts of an account by name, such as ``account.club``; names that are taken stay.

        With `since_about` they read since when a fact has its value, too, as ``account.club_since``.
        """
        own: dict[str, Name] = {}
        for name in facts:
            own[name] = Name(Kind.TEXT, f"account.text({name!r})", about=about)
            if since_about:
                own[f"{name}_since"] = since(name, since_about)
        if own:
            self.scope = {**self.scope, "account": {**own, **self.scope["account"]}}

    def name_texts(self, texts: Iterable[EventText]) -> None:
        """Let expressions read texts of the events that plugins bring; one of the engine's own name is read of both."""
        names, event = event_texts(texts), self.scope["event"]
        for name in names.keys() & event.keys():
            if event[name].only and event[name].code == names[name].code:
                names[name] = replace(names[name], only=names[name].only | event[name].only)
        self.scope = {**self.scope, "event": {**event, **names}}

    def name_segments(self, names: Mapping[str, Name]) -> None:
        """Let expressions read segments and scores of an account, such as ``account.segment.rfm``."""
        self.scope = {**self.scope, "account": {**self.scope["account"], **names}}

    def close_texts(self, values: Mapping[str, tuple[str, ...]]) -> None:
        """Say of facts and of texts of events, by name such as ``account.tier``, all that they may be besides ''."""
        scope = {root: dict(fields) for root, fields in self.scope.items()}
        for name, possible in values.items():
            root, _, field = name.partition(".")
            known = scope.get(root, {}).get(field)
            if known is not None:
                scope[root][field] = replace(known, values=possible)
        self.scope = scope

    def close_segments(self, names: Mapping[str, tuple[str, ...]]) -> None:
        """Say of each scheme all segments that it may name; none where that is not known."""
        told = [field.partition(".")[2] for field in self.scope["account"] if field.startswith("segment.")]
        possible = {f"account.segment.{scheme}": names[scheme] for scheme in told if names.get(scheme)}
        if told and len(possible) == len(told):  # else an event may be of any segment
            each = tuple(dict.fromkeys(segment for some in possible.values() for segment in some))
            possible |= {f"event.{name}": each for name in ("segment", "before") if self._is_of_segments(name)}
        if told and self._is_of_segments("scheme"):
            possible["event.scheme"] = tuple(told)
        self.close_texts(possible)
        if told and self._is_of_segments("scheme"):
            given = tuple(("event.scheme", scheme, names[scheme]) for scheme in told if names.get(scheme))
            event = dict(self.scope["event"])
            for name in ("segment", "before"):
                if self._is_of_segments(name):
                    event[name] = replace(event[name], given=given)
            self.scope = {**self.scope, "event": event}

    def _is_of_segments(self, name: str) -> bool:
        """Whether a name of events is of changes of segments, and of no event of a plugin or the program."""
        return name in self.scope["event"] and self.scope["event"][name].only == ON_SEGMENT

    def declare(self, events: Mapping[str, EventTable], names: Mapping[str, Name], no_amount: frozenset[str]) -> None:
        """Take up what a program declares under [events]: its tables, their names, and those without an amount."""
        self.events = events
        event = with_declared(self.scope["event"], names, events)
        event["amount"] = replace(event["amount"], never=no_amount)
        self.scope = {**self.scope, "event": event}

    def need_days(self, metric: str, first: int) -> None:
        """Have a metric's days from `first` on at hand when an event is decided, whatever the metric's own window."""
        self.needed_days[metric] = min(first, self.needed_days.get(metric, first))

    def reckon_awards(self) -> None:
        """Have purchases keep what each award exactly was, so that a return can ask for it: see `Granted.reckoned`."""
        self.reckons = True

    def return_as_paid(self) -> None:
        """Have bonus that money paid for, since it was owed by then, come back as paid value when a purchase does."""
        self.returns_as_paid = True

    def declare_counter(self, name: str, decimals: int, window: Window) -> None:
        """Have a metric of a plugin's own, which its events count; rules cannot name it.

        Args:
            name: starts with the plugin's name and a slash.
            decimals: in which its units are told.
            window: the days that `AccountView.metric` sums.
        """
        self.metric_decimals = {**self.metric_decimals, name: decimals}
        self.windows = {**self.windows, name: window}

    def carry_facts(self, *names: str, of_lots: bool = False) -> None:
        """Have facts go along when an account is merged into another: see `AccountJoined`.

        Args:
            names: of facts; one that ends with a colon or a full stop stands for all names that begin so.
            of_lots: whether they speak of lots, so that it has to be told which of them arrive as what.
        """
        self.carried |= frozenset(names)
        self.carries_lots = self.carries_lots or of_lots

    def is_carried(self, name: str) -> bool:
        """Whether a fact goes along when its account is merged into another."""
        begins = tuple(each for each in self.carried if each.endswith((".", ":")))
        return name in self.carried or name.startswith(begins)

    def asset(self, code: str) -> Asset:
        """Return a declared asset.

        Raises:
            AmountError: the program declares no asset of that code.
        """
        try:
            return self.assets[code]
        except KeyError:
            message = f"{code!r} is not an asset of this program, which has {', '.join(self.assets)}"
            raise AmountError(message + near(code, self.assets)) from None

    def first_day(self, metric: str, day: int) -> int:
        """Return the first day that a metric's window counts when it ends on a day."""
        key = (metric, day)
        found = self._first_days.get(key)
        if found is None:
            if len(self._first_days) > 50_000:  # noqa: PLR2004 - days repeat; memory must not grow
                self._first_days.clear()
            found = self._first_days[key] = self.windows[metric].first_day(day, self.calendar)
        return found

    def metric_asset(self, name: str) -> Asset:
        """Return the units in which a metric counts, or one value of it: its decimals under its own name."""
        return Asset(name, self.metric_decimals[name.partition(":")[0]])

    def metric_told(self, name: str, units: int) -> str:
        """Write smallest units of a metric for a person: ``12.50 GBP of spend``, ``1 visit``."""
        asset = self.metric_assets.get(name)
        if asset is None:
            return self.metric_asset(name).told(units)
        return asset.told(units) if asset.code == name else f"{asset.told(units)} of {name}"

    def reader(self, names: Iterable[str]) -> Callable[..., dict[str, object]]:
        """Return a function of event, order, line, account that reads names such as ``order.net`` as kept.

        Money comes in smallest units, as the names' scale says; names of lines are left out.
        """
        parts = []
        for name in sorted(set(names)):
            root, _, field = name.partition(".")
            if root != "line":
                parts.append(
                    f"{name!r}: {_PLAIN.get(self.scope[root][field].kind, '')}({self.scope[root][field].code})"
                )
        code = f"lambda event, order, line, account: {{{', '.join(parts)}}}"
        function: Callable[..., dict[str, object]] = eval(code, {"sorted": sorted})  # noqa: S307 - built from the scope's own codes
        return function


_PLAIN = {Kind.TEXTS: "sorted"}
