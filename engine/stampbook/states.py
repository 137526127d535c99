"""What an account is at an instant, as far as was known at another: balances with their lots, tier, metrics, segments.

Everything comes as plain frozen dataclasses, with amounts that know their decimals and times in the zone of the
program; printing is left to others.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from stampbook.account import OPEN
from stampbook.account_view import AccountView
from stampbook.amounts import counted, write_units
from stampbook.errors import UnknownAccountError
from stampbook.lots import DEBT
from stampbook.periods import NEVER
from stampbook.replay import brought_up, entries_of, fold
from stampbook.store.segment_runs import KEPT, runs, scores_of, spells_of

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from stampbook.account import Account
    from stampbook.engine import Engine
    from stampbook.events import Event
    from stampbook.goals import Need
    from stampbook.ledger import Decision, Entry
    from stampbook.lots import Lot
    from stampbook.periods import Calendar
    from stampbook.registry import Registry
    from stampbook.vocabulary import Context


class Sum(NamedTuple):
    """An amount of an asset, in smallest units, with the decimals to write it."""

    asset: str
    units: int
    decimals: int

    @property
    def text(self) -> str:
        """The amount as decimal text."""
        return write_units(self.units, self.decimals)

    @property
    def signed(self) -> str:
        """The amount with its sign and asset: ``+12.50 GBP``."""
        return f"{'+' if self.units > 0 else ''}{self}"

    def __str__(self) -> str:
        return counted(self.text, self.asset)

    def to_plain(self) -> dict[str, str]:
        """Return it as JSON has it."""
        return {"asset": self.asset, "amount": self.text}


@dataclass(frozen=True, slots=True)
class Expiring:
    """Units that expire together: `at` is the first instant at which they are gone, `last_day` their last."""

    amount: Sum
    at: datetime
    last_day: date

    def __str__(self) -> str:
        verb = "expires" if self.amount.units == 10**self.amount.decimals else "expire"
        if (self.at.hour, self.at.minute) == (0, 0):
            return f"{self.amount} {verb} at the end of {self.last_day}"
        return f"{self.amount} {verb} on {self.last_day} at {self.at:%H:%M}"


@dataclass(frozen=True, slots=True)
class LotState:
    """One lot: its terms, what is in it, and the event that it came from.

    `condition` says whether it can be spent, `only` on what and where, if not on anything.
    """

    number: int
    kind: str
    remaining: Sum
    held: Sum
    condition: str
    effective_at: datetime | None
    expires_at: datetime | None
    priority: int
    origin_seq: int
    origin: str
    origin_at: datetime
    only: str = ""


@dataclass(frozen=True, slots=True)
class Holding:
    """One asset of an account: what can be spent, what is not effective yet, what is set aside, what is owed."""

    asset: str
    available: Sum
    pending: Sum
    held: Sum
    owed: Sum
    total: Sum
    lots: tuple[LotState, ...]


@dataclass(frozen=True, slots=True)
class FactState:
    """What a plugin concluded, since when, and why."""

    name: str
    value: str
    since: datetime
    reason: str


@dataclass(frozen=True, slots=True)
class MetricState:
    """A metric over its window: both days count."""

    name: str
    value: str
    window: str
    first_day: date | None
    last_day: date


@dataclass(frozen=True, slots=True)
class SegmentState:
    """In which segment of a scheme the account is, since when, and what the latest run made of it."""

    scheme: str
    segment: str
    since: datetime
    scores: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class ProgressState:
    """How far an account is from a goal, such as keeping its tier; `last_day` is the last one that counts.

    `words` tell a goal that is no measure.
    """

    scheme: str
    way: str
    goal: str
    done: bool
    match: str
    needs: tuple[Need, ...]
    last_day: date | None
    words: str = ""

    def __str__(self) -> str:
        if self.words:
            return self.words
        until = "" if self.last_day is None else f" until {self.last_day}"
        verb = "keeps" if self.way == "keep" else "reaches"
        if self.done:
            return f"{self.goal} is {'kept' if self.way == 'keep' else 'reached'}{until}"
        missing = [need for need in self.needs if need.missing != "0"]
        parts = (" or " if self.match == "any" else " and ").join(_more(need) for need in missing)
        return f"{parts}{until} {verb} {self.goal}"


def _more(need: Need) -> str:
    """Write what is missing: `240.00 more spend`, `12 days more`."""
    return f"{need.missing} more" if need.missing.endswith(("day", "days")) else f"{need.missing} more {need.measure}"


@dataclass(frozen=True, slots=True)
class AccountState:
    """An account at an instant, as far as was known at another."""

    ref: str
    status: str
    opened_at: datetime
    as_of: datetime
    known_at: datetime | None
    program: str
    events: int
    last_event_at: datetime
    holdings: tuple[Holding, ...]
    facts: tuple[FactState, ...]
    metrics: tuple[MetricState, ...]
    segments: tuple[SegmentState, ...]
    expiring: tuple[Expiring, ...]
    progress: tuple[ProgressState, ...] = ()


class Judges(dict[str, "Registry"]):
    """The programs that judged journal entries, by content hash; each is asked for once."""

    def __init__(self, engine: Engine) -> None:
        super().__init__()
        self._engine = engine

    def __missing__(self, program: str) -> Registry:
        self[program] = registry = self._engine.judge_of(program)
        return registry


def account_state(engine: Engine, ref: str, *, as_of: int | None = None, known_at: int | None = None) -> AccountState:
    """Return an account at an instant (now), as far as was known at another (now).

    Raises:
        UnknownAccountError: there is no such account, or there was none yet.
    """
    return Past(engine, ref, as_of, known_at).state()


class Past:
    """A journal up to an instant and a state of knowledge, with the account that it makes."""

    def __init__(self, engine: Engine, ref: str, as_of: int | None, known_at: int | None) -> None:
        self.engine = engine
        self.ref = ref
        self.known_at = known_at
        self.until = engine.clock() if as_of is None else as_of
        self.judges = Judges(engine)
        self.registry = engine.registry(self.until)
        self.context: Context = self.registry.context
        self.calendar: Calendar = self.context.calendar
        journal = entries_of(engine, ref)
        self.entries = [
            entry for entry in journal if entry.at <= self.until and (known_at is None or entry.recorded_at <= known_at)
        ]
        self.recorded = fold(ref, journal, as_of=self.until, known_at=known_at)
        if not self.recorded.status:
            when = f"{self.calendar.local(self.until):%Y-%m-%d %H:%M}"
            message = f"account {ref} was not open yet on {when}"
            if known_at is not None and fold(ref, journal, as_of=self.until).status:
                message = f"nothing was known yet of account {ref} on {self.calendar.local(known_at):%Y-%m-%d %H:%M}"
            raise UnknownAccountError(message)
        self.brought: list[Decision] = []
        self.account: Account = brought_up(
            engine, self.recorded.copy(), self.until, known_at=known_at, brought=self.brought
        )

    def sum(self, asset: str, units: int) -> Sum:
        return Sum(asset, units, self.context.assets[asset].decimals)

    def sums(self, units: Mapping[str, int]) -> tuple[Sum, ...]:
        return tuple(self.sum(asset, units[asset]) for asset in self.context.assets if asset in units)

    def state(self) -> AccountState:
        account, calendar, at = self.account, self.calendar, self.until
        return AccountState(
            self.ref,
            account.status,
            calendar.local(account.opened_at),
            calendar.local(at),
            None if self.known_at is None else calendar.local(self.known_at),
            self.context.name,
            len(self.entries),
            calendar.local(max(entry.at for entry in self.entries)),
            tuple(self._holding(asset) for asset in self._assets()),
            tuple(
                FactState(fact.name, fact.value, calendar.local(fact.since), fact.reason)
                for name in sorted(account.facts)
                if (fact := account.fact(name, at)) is not None and fact.value and not name.startswith("_")
            ),
            self._metrics(),
            self._segments(),
            self._expiring(),
            self._progress(),
        )

    def _progress(self) -> tuple[ProgressState, ...]:
        if self.account.status != OPEN:
            return ()
        view = AccountView(self.account, self.until, self.context)
        return tuple(
            ProgressState(
                each.scheme,
                each.way,
                each.goal,
                each.done,
                each.match,
                each.needs,
                None if each.until == NEVER else day_of(self.calendar.day(each.until - 1)),
                each.words,
            )
            for _, each in self.registry.progress(view)
        )

    def _assets(self) -> list[str]:
        touched = {lot.asset for lot in self.account.lots.values()}
        return [asset for asset in self.context.assets if asset in touched]

    def _holding(self, asset: str) -> Holding:
        account, at = self.account, self.until
        lots = sorted(
            (lot for lot in account.lots.values() if lot.asset == asset and lot.remaining), key=lambda lot: lot.number
        )
        held = sum(lot.held for lot in lots)
        return Holding(
            asset,
            self.sum(asset, account.balance(asset, at)),
            self.sum(asset, account.pending(asset, at)),
            self.sum(asset, held),
            self.sum(asset, account.owed(asset)),
            self.sum(asset, account.total(asset)),
            tuple(map(self.lot, lots)),
        )

    def lot(self, lot: Lot) -> LotState:
        local = self.calendar.local
        origin: Entry | Event | None = next((entry for entry in self.entries if entry.seq == lot.origin), None)
        if origin is None:  # it was opened later, and late news of an earlier grant joined it
            into = (entry for entry in self.entries if any(p.destination == lot.number for p in entry.postings))
            origin = next(into, None)
        if origin is None:  # time has brought it and no tick has posted it yet
            origin = self.brought[lot.origin - self.recorded.seq - 1].event
        condition = "owed" if lot.kind == DEBT else "pending" if lot.effective_at > self.until else "usable"
        if lot.number in self.account.frozen_lots(self.until):
            condition = "frozen"
        only = self.context.restrictions.get(lot.kind)
        return LotState(
            lot.number,
            lot.kind,
            self.sum(lot.asset, lot.remaining),
            self.sum(lot.asset, lot.held),
            condition,
            None if lot.effective_at == NEVER else local(lot.effective_at),
            None if lot.expires_at == NEVER else local(lot.expires_at),
            lot.priority,
            lot.origin,
            origin.id,
            local(origin.at),
            "" if only is None else only.words,
        )

    def _metrics(self) -> tuple[MetricState, ...]:
        day = self.calendar.day(self.until)
        states = []
        for name, window in self.context.windows.items():
            first = window.first_day(day, self.calendar)
            value = self.account.metrics.total(name, first, day)
            text = self.context.metric_asset(name).text(value)
            states.append(
                MetricState(name, text, str(window), None if window.is_lifetime else day_of(first), day_of(day))
            )
        return tuple(states)

    def _segments(self) -> tuple[SegmentState, ...]:
        latest: dict[str, SegmentState] = {}
        if self.engine.store.in_memory:  # which keeps no runs
            return ()
        scores = {run.scheme: (run, member) for run, member in scores_of(self.engine.store, self.ref)}
        known = runs(self.engine.store, until=self.until, known_at=self.known_at)
        instants = {(run.scheme, run.at) for run in known}
        for spell in spells_of(self.engine.store, self.ref):
            if spell.line != KEPT or (spell.scheme, spell.since) not in instants:
                continue
            run, member = scores.get(spell.scheme, (None, None))
            ours = run is not None and member is not None and (run.scheme, run.at) in instants
            said = orjson.loads(member.scores) if ours and member is not None else {}
            since = self.calendar.local(spell.since)
            latest[spell.scheme] = SegmentState(spell.scheme, spell.segment, since, said)
        return tuple(latest.values())

    def _expiring(self) -> tuple[Expiring, ...]:
        together: dict[tuple[int, str], int] = defaultdict(int)
        for lot in self.account.lots.values():
            if lot.free > 0 and self.until < lot.expires_at < NEVER:
                together[lot.expires_at, lot.asset] += lot.free
        return tuple(
            Expiring(self.sum(asset, units), self.calendar.local(at), day_of(self.calendar.day(at - 1)))
            for (at, asset), units in sorted(together.items())
        )


def day_of(day: int) -> date:
    """Return the date of a local day's ordinal."""
    return date.fromordinal(day)
