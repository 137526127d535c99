"""What plugins and expressions see of an account at one instant."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING

from stampbook.account import FROZEN_LOTS, MERGED_FROM
from stampbook.errors import PluginError
from stampbook.fact_history import unbroken_since
from stampbook.ledger import authorised_by
from stampbook.lots import DEFAULT_ORDER, Lot, draw, takeable
from stampbook.lots_seen import lots_seen
from stampbook.metrics import SEPARATOR
from stampbook.periods import NEVER
from stampbook.segment_tables import read_score
from stampbook.spending import WAS_GRANTED, draw_where, granted_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from stampbook.account import Account
    from stampbook.earlier import Happened
    from stampbook.events import Event
    from stampbook.kinds import Place
    from stampbook.ledger import Fact, Posting
    from stampbook.proposals import Earned
    from stampbook.vocabulary import Context

LAST_DAY = 4_000_000
"""Beyond the last day of any calendar."""


class AccountView:
    """What plugins and expressions see of an account at one instant: read-only, with windows applied.

    Metrics are as before the event at hand, save where the engine asks for an assessment: then its own contribution
    counts, and `remembers` is what it is to remember. `named` is the journal position of the event of the account
    that it names, if any: that which set something aside, say. `picked` are the ref of an account that the engine
    found for it, and what was asked of that (`Pick`). `since` is its instant.
    """

    __slots__ = (
        "_account", "_day", "_learned", "_pending", "_postings", "_program", "_retold", "_seen", "_since", "at",
        "named", "picked", "remembers",
    )  # fmt: skip

    def __init__(
        self,
        account: Account,
        at: int,
        program: Context,
        pending: Iterable[tuple[str, int, int]] = (),
        learned: Iterable[Fact] = (),
        postings: Sequence[Posting] = (),
        named: int | None = None,
        since: int = NEVER,
    ) -> None:
        self._account = account
        self._program = program
        self._pending = pending
        self._learned = learned
        self._postings = postings
        self.at = at
        self.named = named
        self.picked: tuple[str, str] | None = None
        self.remembers: Mapping[str, str] = {}
        self._day = 0
        self._since = since
        self._seen: dict[int, Lot] | None = None
        self._retold: dict[str, tuple[Fact, ...]] | None = None

    def as_of(self, at: int, retold: Mapping[str, Sequence[Fact]], *, before: bool = False) -> AccountView:
        """Return the account as it was at an instant by what is known now, in facts and metrics; value is today's.

        Args:
            at: the instant.
            retold: by name, all facts up to then in order, in place of those concluded.
            before: leave out what the event at hand counts.
        """
        counted = () if before else self._pending
        view = AccountView(self._account, at, self._program, counted, (), self._postings, self.named, self._since)
        view._retold = {name: tuple(facts) for name, facts in retold.items()}
        return view

    @property
    def day(self) -> int:
        """The local date of the instant, as an ordinal."""
        if not self._day:
            self._day = self._program.calendar.day(self.at)
        return self._day

    @property
    def ref(self) -> str:
        """The operator's name for the account."""
        return self._account.ref

    @property
    def status(self) -> str:
        """``open``, ``frozen`` or ``closed``."""
        return self._account.status

    @property
    def opened_at(self) -> int:
        """The instant at which the account was opened."""
        return self._account.opened_at

    @property
    def late(self) -> bool:
        """Whether something that happened later is decided already."""
        return self.at < self._account.clock

    @property
    def position(self) -> int:
        """The journal position of the event at hand: the `origin` of the lots that it opens."""
        return self._account.seq + 1

    @property
    def counters(self) -> tuple[str, ...]:
        """The names of all metrics that ever counted something, those of different values as ``metric:value``."""
        return tuple(sorted(self._account.metrics.counters))

    @property
    def history(self) -> tuple[Happened, ...]:
        """All accepted events of the account before the one at hand, in the order in which they were decided.

        Raises:
            PluginError: the event's class does not say `of_history`.
        """
        history = self._account.history
        if history is None:
            message = "the history of the account is not at hand; the event's class says of_history = True for it"
            raise PluginError(message)
        return history

    @property
    def moved(self) -> tuple[Posting, ...]:
        """What the event at hand moves, save its rewards; known only where the engine asks for an assessment."""
        return tuple(self._postings)

    @property
    def holds(self) -> bool:
        """Whether anything is set aside."""
        return any(hold.left for hold in self._account.holds.values())

    def losing_holds(self, lot: int) -> tuple[int, ...]:
        """Return where the events stand that set aside what goes with a lot whose time is over, unprotected."""
        there = self._account.lots.get(lot)
        if there is None or there.asset not in self._program.shrinking:
            return ()
        holds = self._account.holds.values()
        return tuple(sorted({authorised_by(hold.number) for hold in holds if dict(hold.left).get(lot)}))

    def set_aside(self, asset: str) -> int:
        """Return what the hold that the event at hand names still has of an asset; 0 where it names none."""
        holds = [hold for hold in self._account.holds.values() if hold.asset == asset]
        return sum([hold.remaining for hold in holds if authorised_by(hold.number) == self.named])

    @property
    def lots(self) -> tuple[Lot, ...]:
        """All lots that hold something, or owe it, in the order in which they were opened.

        Late news finds what has expired since its instant still there, and as held whatever was not free at every
        instant since: what came later, or was there no more for a while. Of a frozen lot all is held.
        """
        return tuple([lot for _, lot in sorted(self._lots().items()) if lot.remaining])

    def lot(self, number: int) -> Lot | None:
        """Return one lot that holds something by its number."""
        lot = self._lots().get(number)
        return lot if lot is not None and lot.remaining else None

    def known_lot(self, number: int) -> Lot | None:
        """Return one lot by its number, empty or not: of those that an earlier event moved which the event names."""
        return self._lots().get(number)

    def derive(self, text: str) -> int:
        """Return a number of 256 bits that depends on the account's journal up to here, and on `text`.

        Decided again it is the same; nobody can foresee it who does not have the books. An event that time brings, or
        that follows from another, is told such a number in its `details`: it may be decided before the journal has the
        hash of the entry before it.
        """
        return int.from_bytes(hmac.digest(self._account.head, text.encode(), "sha256"))

    def draw(
        self,
        asset: str,
        amount: int,
        taken: Mapping[int, int] | None = None,
        opened: Iterable[Lot] = (),
        place: Place | None = None,
    ) -> tuple[list[tuple[int, int]], int]:
        """Choose what would be spent now, in the program's order.

        Args:
            asset, amount: what is spent, and how much of it in smallest units.
            taken: what is taken already, by lot.
            opened: lots that are not the account's yet.
            place: where and on what it is spent; None where it only moves, and takes its restrictions along.

        Returns:
            pairs of lot number and amount, and what is short of `amount`.
        """
        program = self._program
        order = program.spend_orders.get(asset) or DEFAULT_ORDER
        lots: Iterable[Lot] = self._lots().values()
        if opened:
            lots = [*lots, *opened]
        left = [lot.moved(-taken.get(lot.number, 0)) for lot in lots] if taken else lots
        proportion = program.proportions.get(asset, "") if program.proportions else ""
        if proportion or (place is not None and program.restrictions):
            granted = granted_of(self._account.facts) if proportion == WAS_GRANTED else None
            return draw_where(left, asset, amount, self.at, order, program.restrictions, place, proportion, granted)
        return draw(left, asset, amount, self.at, order)

    def _lots(self) -> dict[int, Lot]:
        """Return the lots as the event at hand finds them; see `lots`."""
        account = self._account
        if self._since >= account.clock and FROZEN_LOTS not in account.facts:
            return account.lots
        if self._seen is None:
            self._seen = lots_seen(account, self.at, self._since)
        return self._seen

    def balance(self, asset: str) -> int:
        """Return what may be spent of an asset now: not held, expired or pending."""
        return sum([lot.usable(self.at) for lot in self._lots().values() if lot.asset == asset])

    def pending(self, asset: str) -> int:
        """Return what is granted of an asset but not yet effective."""
        return self._account.pending(asset, self.at)

    def owed(self, asset: str) -> int:
        """Return the debt in an asset, zero or more."""
        return self._account.owed(asset)

    def amount_of(self, event: Event) -> int:
        """Return an event's own amount, in the finest units of the program's assets; 0 where it has none."""
        amount = getattr(event, "amount", None)
        if not amount:
            return 0
        code = getattr(event, type(event).asset_field, None) or self._program.currency.code
        return int(amount * self._program.finest[code])

    def text_of(self, event: Event, name: str) -> str:
        """Return a text of an event by the name of its field, or an empty text where it has none."""
        text = getattr(event, name, "")
        return text if isinstance(text, str) else ""

    @property
    def currency_balance(self) -> int:
        """What may be spent now in the program's currency."""
        return self.balance(self._program.currency.code)

    def fact(self, name: str) -> Fact | None:
        """Return the fact of a name that holds now."""
        if self._retold is not None:
            return next((fact for fact in reversed(self.facts(name)) if self.at < fact.until), None)
        for fact in self._learned:
            if fact.name == name and fact.since <= self.at < fact.until:
                return fact
        return self._account.fact(name, self.at)

    @property
    def learned(self) -> tuple[Fact, ...]:
        """The facts that the event at hand changed, whatever their instants."""
        return tuple(self._learned)

    def facts(self, name: str) -> tuple[Fact, ...]:
        """Return all that was concluded under a name, in the order of time, as it was before the event at hand."""
        if self._retold is not None:
            facts = self._retold.get(name) or self._account.facts.get(name, ())
            return tuple([fact for fact in facts if fact.since <= self.at])
        return self._account.facts.get(name, ())

    @property
    def fact_names(self) -> tuple[str, ...]:
        """The names of all that was ever concluded."""
        return tuple(sorted(self._account.facts))

    @property
    def merged_refs(self) -> tuple[str, ...]:
        """The refs of the accounts that were merged into this one, directly or through others."""
        names = [name for name, past in self._account.facts.items() if name.startswith(MERGED_FROM) and past[-1].value]
        return tuple(sorted([name.removeprefix(MERGED_FROM) for name in names]))

    def text(self, name: str) -> str:
        """Return the value of a fact, or an empty text where there is none."""
        fact = self.fact(name)
        return "" if fact is None else fact.value

    def number(self, name: str) -> int:
        """Return a score of a segmentation scheme in millionths; 0 where it is not known."""
        return read_score(self.text(name))

    def since(self, name: str) -> int:
        """Return the instant since which a fact has had its value without a break; now, where it has none."""
        held = self.fact(name)
        if held is None or not held.value:
            return self.at
        return unbroken_since(held, self.facts(name))

    def metric(self, name: str) -> int:
        """Return a metric over its window up to today, in the metric's smallest units."""
        return self.metric_on(name, self.day)

    def metric_on(self, name: str, day: int) -> int:
        """Return a metric over its window as it ends on another local day."""
        first = self._program.first_day(name, day)
        if self._pending and name in self._program.distinct:
            return len({value for _, values in self.metric_values(name, first, last=day) for value in values})
        total = self._account.metrics.total(name, first, day)
        for metric, on, delta in self._pending:
            if metric == name and first <= on <= day:
                total += delta
        return total

    def metric_between(self, name: str, first: int, last: int, *, before: bool = False) -> int:
        """Return a metric over local days of the caller's own, both included, in the metric's smallest units.

        Only the days of the metric's own window are at hand, as it ends on the day before the instant or later. So a
        plugin that asks for more refuses, in `prepare`, a program whose metric counts over less.

        Args:
            name: the metric.
            first: the first day.
            last: the last day.
            before: leave out what the event at hand adds.
        """
        total = self._account.metrics.total(name, first, last)
        if not before:
            for metric, day, delta in self._pending:
                if metric == name and first <= day <= last:
                    total += delta
        return total

    def metric_at_most(self, name: str) -> int:
        """Return the most that a metric counts over any of its windows that has today in it, before a limit is judged.

        That is the metric up to today, but for late news: windows that end on a later day have counted already, and
        what is counted today is in them too. Of a counter ``<metric>:<value>`` the window is the metric's.
        """
        today, metric = self.day, name.partition(SEPARATOR)[0]
        first_day = self._program.first_day
        ends = {today}
        if self.late:
            days = self._account.metrics.by_day(name, today + 1, ())
            ends.update(day for day, _ in days if first_day(metric, day) <= today)
        return max([self.metric_between(name, first_day(metric, end), end) for end in ends])

    def metric_days(self, name: str, first: int, *, before: bool = False) -> list[tuple[int, int]]:
        """Return what a metric counts day by day from a day on, in order; the bounds of `metric_between` hold.

        Args:
            name: the metric.
            first: the first day.
            before: leave out what the event at hand adds.
        """
        return self._account.metrics.by_day(name, first, () if before else self._pending)

    def metric_values(
        self, name: str, first: int, *, last: int = LAST_DAY, before: bool = False
    ) -> list[tuple[int, frozenset[str]]]:
        """Return the different values that a metric of `distinct` counts, day by day, in order.

        Args:
            name: the metric.
            first: the first day.
            last: the last day.
            before: leave out what the event at hand adds.
        """
        return self._account.metrics.values_by_day(name, first, last, () if before else self._pending)

    @property
    def counted(self) -> frozenset[str]:
        """The metrics that the event at hand changes, where the engine asks for an assessment."""
        return frozenset([metric.partition(SEPARATOR)[0] for metric, _, _ in self._pending])

    def takeable(self, asset: str) -> int:
        """Return how much of an asset can be taken back, after what the event at hand moves itself.

        Paid value and what is held are not counted. Only where the engine asks for an assessment are the event's own
        movements known.
        """
        return sum([units for _, units in self.takeable_lots(asset, self._postings)])

    def takeable_lots(self, asset: str, moved: Sequence[Posting]) -> list[tuple[int, int]]:
        """Return the same lot by lot, in the order in which it would be taken.

        Args:
            asset: what is taken.
            moved: postings that take from the lots already.
        """
        return takeable(self._lots().values(), moved, asset, self.at)

    def kept_of(self, event: Event, earned: Earned) -> int:
        """Return how much of something earned the account itself would have, the rest going to others."""
        kept_of = self._program.kept_of
        return earned.units if kept_of is None else kept_of(event, earned, self)
