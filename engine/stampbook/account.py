"""The state of one account: how a transaction changes it, what may not happen to it, what plugins see of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from stampbook.amounts import LARGEST_BALANCE
from stampbook.errors import InvariantError
from stampbook.ledger import ADJUSTMENTS, BREAKAGE, GENESIS, PROMOTION, Fact, HoldChange, Transaction, check_postings
from stampbook.lots import DEBT, DEFAULT_ORDER, Lot, draw
from stampbook.metrics import Metrics
from stampbook.periods import NEVER

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stampbook.events import Event
    from stampbook.vocabulary import Context

OPEN = "open"
FROZEN = "frozen"
CLOSED = "closed"

_EARLY = (PROMOTION, ADJUSTMENTS, BREAKAGE)
"""Where units may go that are not effective yet: taken back, put right, or lapsed. They cannot be spent."""

_ENDED = {"capture": "captured", "void": "voided", "lapse": "lapsed"}


@dataclass(frozen=True, slots=True)
class Hold:
    """An amount set aside. `left` are pairs of lot number and amount; what is gone was captured or released."""

    number: int
    asset: str
    amount: int
    left: tuple[tuple[int, int], ...]
    captured: int = 0
    voided: int = 0
    lapsed: int = 0
    lapses_at: int = NEVER

    @property
    def remaining(self) -> int:
        """What is still set aside."""
        return sum(amount for _, amount in self.left)


@dataclass(slots=True)
class Account:
    """One customer's account: the fold of its journal. Only `apply` changes it.

    `clock` is the instant up to which time has caught up, `seq` and `head` the last journal position and its
    hash, `due_at` the earliest instant at which time brings something.
    """

    ref: str
    id: int = 0
    status: str = ""
    opened_at: int = 0
    clock: int = -NEVER
    seq: int = 0
    head: bytes = GENESIS
    recorded_at: int = -NEVER
    due_at: int = NEVER
    next_lot: int = 1
    next_hold: int = 1
    lots: dict[int, Lot] = field(default_factory=dict)
    holds: dict[int, Hold] = field(default_factory=dict)
    metrics: Metrics = field(default_factory=Metrics)
    facts: dict[str, tuple[Fact, ...]] = field(default_factory=dict)

    def copy(self) -> Account:
        """Return an independent copy."""
        return replace(
            self, lots=dict(self.lots), holds=dict(self.holds), metrics=self.metrics.copy(), facts=dict(self.facts)
        )

    def forget_the_empty(self) -> None:
        """Let go of lots and holds in which nothing is left; they stay in the books."""
        if any(not lot.remaining for lot in self.lots.values()):
            self.lots = {number: lot for number, lot in self.lots.items() if lot.remaining or lot.held}
        if self.holds:
            self.holds = {number: hold for number, hold in self.holds.items() if hold.left}

    def balance(self, asset: str, at: int) -> int:
        """Return what may be spent of an asset at an instant: not held, expired or pending."""
        return sum([lot.usable(at) for lot in self.lots.values() if lot.asset == asset])

    def pending(self, asset: str, at: int) -> int:
        """Return what is granted but not yet effective."""
        return sum([lot.remaining for lot in self.lots.values() if lot.asset == asset and lot.effective_at > at])

    def owed(self, asset: str) -> int:
        """Return the debt in an asset, zero or more."""
        return -sum([lot.remaining for lot in self.lots.values() if lot.asset == asset and lot.kind == DEBT])

    def total(self, asset: str) -> int:
        """Return the sum over all lots of an asset, debt included."""
        return sum([lot.remaining for lot in self.lots.values() if lot.asset == asset])

    def fact(self, name: str, at: int) -> Fact | None:
        """Return the fact of a name that holds at an instant."""
        history = self.facts.get(name)
        if history is None:
            return None
        for fact in reversed(history):
            if fact[2] <= at < fact[3]:
                return fact
        return None

    def next_expiry(self) -> int:
        """Return the earliest instant at which a lot with something free in it expires."""
        return min([lot.expires_at for lot in self.lots.values() if lot.remaining > lot.held], default=NEVER)

    def check(self, transaction: Transaction, at: int) -> None:
        """Check that a transaction at an instant may be applied: the invariants that concern one account.

        Raises:
            InvariantError: with the code of the first rule that would break.
        """
        check_postings(transaction.postings)
        if not transaction.holds and not transaction.opened and not transaction.postings:
            return
        opened: dict[int, Lot] = {}
        if transaction.opened:
            opened = {lot.number: lot for lot in transaction.opened}
            self._check_opened(transaction.opened)
        drawn: dict[int, int] = {}
        untimely: dict[int, int] = {}
        change: dict[int, int] = {}
        for asset, amount, source, destination, _ in transaction.postings:
            for end, sign in ((source, -1), (destination, 1)):
                if isinstance(end, str):
                    continue
                lot = opened.get(end) or self.lots.get(end)
                if lot is None:
                    raise InvariantError("I1", f"account {self.ref} has no lot {end}")
                if lot.asset != asset:
                    raise InvariantError("I20", f"a posting of {asset} touches lot {end} of {lot.asset}")
                change[end] = change.get(end, 0) + sign * amount
                if sign < 0:
                    drawn[end] = drawn.get(end, 0) + amount
                    late = at >= lot.expires_at and destination != BREAKAGE
                    early = at < lot.effective_at and destination not in _EARLY
                    if late or early:
                        untimely[end] = untimely.get(end, 0) + amount
        held, captured = self._check_holds(transaction.holds, at) if transaction.holds else ({}, {})
        for number in change if not held else {**change, **held}:
            lot = opened.get(number) or self.lots[number]
            self._check_lot(lot, change.get(number, 0), lot.held + held.get(number, 0))
            if untimely and untimely.get(number, 0) > captured.get(number, 0):
                raise InvariantError("I12", f"lot {number} of account {self.ref} is used before or after its time")
        for number, amount in captured.items():
            if amount > drawn.get(number, 0):
                raise InvariantError("I7", f"a capture of {amount} from lot {number} is not posted")

    def _check_opened(self, opened: Iterable[Lot]) -> None:
        for expected, lot in enumerate(opened, self.next_lot):
            if lot.number != expected or lot.remaining or lot.held:
                raise InvariantError("I9", f"a new lot is number {expected} and empty, not {lot.number} with {lot}")

    def _check_lot(self, lot: Lot, delta: int, held: int) -> None:
        after = lot.remaining + delta
        if abs(after) > LARGEST_BALANCE:
            raise InvariantError("I1", f"lot {lot.number} of account {self.ref} would leave the range of amounts")
        if lot.kind == DEBT:
            if after > 0:
                raise InvariantError("I6", f"a debt of {lot.asset} on account {self.ref} would be repaid beyond zero")
            return
        if after < held or after < 0:
            raise InvariantError(
                "I6", f"lot {lot.number} of account {self.ref} would hold {after} {lot.asset} with {held} held"
            )

    def _check_holds(self, changes: Iterable[HoldChange], at: int) -> tuple[dict[int, int], dict[int, int]]:
        """Return by lot how what is held changes, and what is captured."""
        held: dict[int, int] = {}
        captured: dict[int, int] = {}
        left: dict[int, dict[int, int]] = {}
        next_hold = self.next_hold
        for change in changes:
            numbers = [number for number, _ in change.units]
            if not numbers or len(set(numbers)) < len(numbers) or any(units <= 0 for _, units in change.units):
                raise InvariantError("I7", f"hold {change.hold}: {change.action} of nothing, or of one lot twice")
            if change.action == "authorise":
                if change.hold < next_hold or change.hold in self.holds:
                    raise InvariantError("I8", f"hold {change.hold} exists already")
                next_hold = change.hold + 1
                self._check_authorised(change, held, at)
                continue
            hold = self.holds.get(change.hold)
            if hold is None or change.action not in _ENDED:
                raise InvariantError("I8", f"hold {change.hold} is not there to {change.action}")
            if hold.asset != change.asset:
                raise InvariantError("I20", f"hold {change.hold} is of {hold.asset}, not of {change.asset}")
            rest = left.setdefault(change.hold, dict(hold.left))
            for number, units in change.units:
                if units > rest.get(number, 0):
                    raise InvariantError("I8", f"hold {change.hold} has not that much left to {change.action}")
                rest[number] -= units
                held[number] = held.get(number, 0) - units
                if change.action == "capture":
                    captured[number] = captured.get(number, 0) + units
        return held, captured

    def _check_authorised(self, change: HoldChange, held: dict[int, int], at: int) -> None:
        for number, units in change.units:
            lot = self.lots.get(number)
            if lot is None or lot.asset != change.asset:
                raise InvariantError("I20", f"hold {change.hold} of {change.asset} names lot {number}")
            held[number] = held.get(number, 0) + units
            if held[number] > lot.usable(at):
                raise InvariantError("I6", f"hold {change.hold} sets aside more than lot {number} has free")

    def apply(self, transaction: Transaction) -> None:
        """Change the account by a checked transaction."""
        lots = self.lots
        for lot in transaction.opened:
            lots[lot.number] = lot
            self.next_lot = lot.number + 1
        for _, amount, source, destination, _ in transaction.postings:
            if isinstance(source, int):
                lots[source] = lots[source].moved(-amount)
            if isinstance(destination, int):
                lots[destination] = lots[destination].moved(amount)
        for metric, day, delta in transaction.metrics:
            self.metrics.add(metric, day, delta)
        for fact in transaction.facts:
            self._learn(fact)
        for change in transaction.holds:
            self._hold(change)
        if transaction.status is not None:
            self.status = transaction.status

    def _learn(self, fact: Fact) -> None:
        past = self.facts.get(fact.name, ())
        if past and past[-1].since <= fact.since < past[-1].until:
            last = past[-1]._replace(until=fact.since)
            past = past[:-1] if last.since == last.until else (*past[:-1], last)
        self.facts[fact.name] = (*past, fact)

    def _hold(self, change: HoldChange) -> None:
        amount = sum(units for _, units in change.units)
        if change.action == "authorise":
            self.holds[change.hold] = Hold(
                change.hold, change.asset, amount, change.units, lapses_at=change.lapses_at or NEVER
            )
            self.next_hold = change.hold + 1
        else:
            hold = self.holds[change.hold]
            gone = dict(change.units)
            left = tuple((lot, units - gone.get(lot, 0)) for lot, units in hold.left if units > gone.get(lot, 0))
            ended = _ENDED[change.action]
            self.holds[change.hold] = replace(hold, left=left, **{ended: getattr(hold, ended) + amount})
        sign = 1 if change.action == "authorise" else -1
        for number, units in change.units:
            self.lots[number] = self.lots[number].holding(sign * units)


class AccountView:
    """What plugins and expressions see of an account at one instant: read-only, with windows applied.

    Metrics are as before the event that is being decided, save where the engine asks for an assessment: then
    the event's own contribution counts.
    """

    __slots__ = ("_account", "_day", "_learned", "_pending", "_program", "at")

    def __init__(
        self,
        account: Account,
        at: int,
        program: Context,
        pending: Iterable[tuple[str, int, int]] = (),
        learned: Iterable[Fact] = (),
    ) -> None:
        self._account = account
        self._program = program
        self._pending = pending
        self._learned = learned
        self.at = at
        self._day = 0

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
    def lots(self) -> tuple[Lot, ...]:
        """All lots that hold something, or owe it, in the order in which they were opened."""
        return tuple([lot for _, lot in sorted(self._account.lots.items()) if lot.remaining])

    def lot(self, number: int) -> Lot | None:
        """Return one lot that holds something by its number."""
        lot = self._account.lots.get(number)
        return lot if lot is not None and lot.remaining else None

    def draw(self, asset: str, amount: int) -> tuple[list[tuple[int, int]], int]:
        """Choose what would be spent now, in the program's order.

        Returns:
            pairs of lot number and amount, and what is short of `amount`.
        """
        order = self._program.spend_orders.get(asset) or DEFAULT_ORDER
        return draw(self._account.lots.values(), asset, amount, self.at, order)

    def balance(self, asset: str) -> int:
        """Return what may be spent of an asset now: not held, expired or pending."""
        return self._account.balance(asset, self.at)

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

    @property
    def currency_balance(self) -> int:
        """What may be spent now in the program's currency."""
        return self._account.balance(self._program.currency.code, self.at)

    def fact(self, name: str) -> Fact | None:
        """Return the fact of a name that holds now."""
        for fact in self._learned:
            if fact.name == name and fact.since <= self.at < fact.until:
                return fact
        return self._account.fact(name, self.at)

    def text(self, name: str) -> str:
        """Return the value of a fact, or an empty text where there is none."""
        fact = self.fact(name)
        return "" if fact is None else fact.value

    def metric(self, name: str) -> int:
        """Return a metric over its window up to today, in the metric's smallest units."""
        return self.metric_on(name, self.day)

    def metric_on(self, name: str, day: int) -> int:
        """Return a metric over its window as it ends on another local day."""
        first = self._program.first_day(name, day)
        total = self._account.metrics.total(name, first, day)
        for metric, on, delta in self._pending:
            if metric == name and first <= on <= day:
                total += delta
        return total
