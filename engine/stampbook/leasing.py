"""Leases on the budgets of campaigns: what one engine may grant without asking anybody."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from uuid import uuid4

from stampbook.errors import StoreError
from stampbook.hookspecs import CAMPAIGN
from stampbook.periods import NEVER, SECOND
from stampbook.store.campaigns import Claim, Lease

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from stampbook.in_force import InForce
    from stampbook.ledger import Decision, MetricChange
    from stampbook.store import Store

LEASE_SECONDS = 30
"""How long a lease lasts; what a process that died had leased is free again after so long."""

MARGIN = 2 * SECOND
"""So long before its end nothing is granted from a lease any more: a batch takes its time, clocks differ."""

ASK_AGAIN_SECONDS = 1.0
"""How long a budget that was used up is taken to be so, without asking whether others gave something back."""


class LeaseShortError(Exception):
    """A batch needs more of a budget than is leased; it is undone, more is leased, and it is decided again."""

    def __init__(self, campaign: str, wanted: int) -> None:
        super().__init__(campaign)
        self.campaign = campaign
        self.wanted = wanted


@dataclass(slots=True)
class Quiet:
    """Between which instants time brings nothing to accounts with open holds, and until when that is believed."""

    since: int = NEVER
    until: int = -NEVER
    believed: float = 0.0

    def holds(self, at: int) -> bool:
        """Whether nothing needs to be looked for at an instant."""
        return self.since <= at < self.until and time.monotonic() < self.believed

    def found(self, at: int, later: int) -> None:
        """Note that after an instant time brings something at a later one, and nothing before."""
        self.since, self.until, self.believed = at, later, time.monotonic() + ASK_AGAIN_SECONDS

    def forget(self) -> None:
        """Know nothing any more."""
        self.until = -NEVER


@dataclass(slots=True)
class Purse:
    """What a batch may grant of each campaign, and has granted; of those that are `final` no more can be had.

    Time gives back what is counted of those that are `lent`, save while it is `quiet`.
    """

    holder: str
    left: dict[str, int]
    final: frozenset[str]
    lent: frozenset[str] = frozenset()
    quiet: Quiet = field(default_factory=Quiet)
    spent: dict[str, int] = field(default_factory=dict)

    def budgets(self) -> dict[str, int] | None:
        """Return what is left of each campaign; None where there is none."""
        return dict(self.left) if self.left else None

    def check(self, decision: Decision) -> None:
        """Check that what was cut for want of budget would have been cut by everybody.

        Raises:
            LeaseShortError: more may be had.
        """
        for name in decision.trace.get("budgets", ()):
            if name not in self.final:
                cut = [wanted for _, limit, wanted, _ in decision.trace.get("limited", ()) if limit == name]
                raise LeaseShortError(name, max(1, sum(cut)))

    def lacks_lent(self, decision: Decision) -> bool:
        """Whether a decision was cut for want of what time may give back."""
        return bool(self.lent) and not self.lent.isdisjoint(decision.trace.get("budgets", ()))

    def spend(self, changes: Iterable[MetricChange]) -> None:
        """Note what a decision grants of campaigns, or gives back."""
        for metric, _, delta in changes:
            if metric.startswith(CAMPAIGN):
                name = metric.removeprefix(CAMPAIGN)
                self.spent[name] = self.spent.get(name, 0) + delta
                if name in self.left:
                    self.left[name] -= delta


@dataclass(slots=True)
class _Held:
    lease: Lease
    most: int
    until: int
    asked: float


def overspent(granted: Mapping[str, tuple[int, int]], programs: InForce) -> Iterator[str]:
    """Yield campaigns that granted more than their budget, or not what their leases say.

    Args:
        granted: for each what its leases granted, and what the accounts say that it did.
        programs: all that ever judged; the largest budget counts.
    """
    budgets: dict[str, int] = {}
    for registry in programs.by_hash.values():
        for limit in registry.limits.all:
            if limit.scope == "campaign" and limit.most is not None:
                budgets[limit.name] = max(limit.most, budgets.get(limit.name, 0))
    for name, (spent, counted) in granted.items():
        if spent != counted:
            yield f"campaign {name} granted {counted} by the accounts and {spent} by its leases"
        if counted > budgets.get(name, counted):
            yield f"campaign {name} granted {counted} of a budget of {budgets[name]}"


class Leases:
    """The leases of one engine.

    Args:
        store: the database.
        clock: where the present comes from.
        seconds: how long a lease lasts.
    """

    def __init__(self, store: Store, clock: Callable[[], int], seconds: float = LEASE_SECONDS) -> None:
        self.holder = uuid4().hex
        self._store = store
        self._clock = clock
        self._micros = int(seconds * SECOND)
        self._margin = min(MARGIN, self._micros // 4)
        self._held: dict[str, _Held] = {}
        self._touched: set[str] = set()
        self._most: dict[str, int] = {}
        self._lent: frozenset[str] = frozenset()
        self._quiet = Quiet()
        self._generation = -1

    def purse(self, programs: InForce, now: int) -> Purse:
        """Return what a batch may grant that begins now."""
        if programs.generation != self._generation:
            self._generation = programs.generation
            limits = [limit for registry in programs.registries for limit in registry.limits.all]
            self._most = {
                limit.name: limit.most for limit in limits if limit.scope == "campaign" and limit.most is not None
            }
            self._lent = frozenset(limit.name for limit in limits if limit.lent)
        left: dict[str, int] = {}
        final: list[str] = []
        for name, most in self._most.items():
            held = self._held.get(name)
            if held is not None and (held.until - self._margin <= now or held.most != most):
                held = None
                del self._held[name]
            left[name] = 0 if held is None else max(0, held.lease.amount - held.lease.spent)
            if held is not None and held.lease.is_all and time.monotonic() - held.asked < ASK_AGAIN_SECONDS:
                final.append(name)
        return Purse(self.holder, left, frozenset(final), self._lent, self._quiet)

    def ask(self, short: LeaseShortError) -> None:
        """Lease more of a budget, in a transaction of its own."""
        self._quiet.forget()  # what was found was undone with the batch
        name, now = short.campaign, self._clock()
        held = self._held.get(name)
        wanted = max(short.wanted, 0 if held is None else held.lease.amount - held.lease.spent)
        most, until = self._most[name], now + self._micros
        with self._store.writer() as session:
            found = session.lease(Claim(name, self.holder, most, wanted, now, until))
        self._held[name] = _Held(found, most, until, time.monotonic())
        self._touched.add(name)

    def committed(self, spent: Mapping[str, int]) -> None:
        """Note what a batch has granted that is committed."""
        for name, delta in spent.items():
            self._touched.add(name)
            if name in self._lent:
                self._quiet.forget()
            held = self._held.get(name)
            if held is not None:
                held.lease = held.lease._replace(spent=held.lease.spent + delta)

    def forget(self) -> None:
        """Trust no lease any more: each is asked for again."""
        self._held.clear()
        self._quiet.forget()

    def close(self) -> None:
        """Give back what was not granted; what cannot be given back now is free when the lease lapses."""
        if self._touched:
            with suppress(StoreError), self._store.writer() as session:
                session.end_leases(self._touched, self.holder)
            self._touched.clear()
