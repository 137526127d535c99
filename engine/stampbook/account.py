"""The state of one account: how a transaction changes it, what may not happen to it, what plugins see of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from stampbook.amounts import LARGEST_BALANCE
from stampbook.earlier import Happened  # noqa: TC001 - compiled code checks it at run time
from stampbook.errors import InvariantError
from stampbook.fact_history import learned
from stampbook.ledger import (
    ADJUSTMENTS,
    BREAKAGE,
    GENESIS,
    PROMOTION,
    TRANSFERS,
    Fact,
    HoldChange,
    Transaction,
    authorised_by,
    check_extended,
    check_postings,
)
from stampbook.lots import DEBT, Lot
from stampbook.metrics import Metrics
from stampbook.moves import Move, MovesNotLoadedError, least_since, moves_of
from stampbook.periods import NEVER

if TYPE_CHECKING:
    from collections.abc import Iterable


OPEN = "open"
FROZEN = "frozen"
CLOSED = "closed"

_EARLY = (PROMOTION, ADJUSTMENTS, BREAKAGE, TRANSFERS)
"""Where units may go that are not effective yet: taken back, put right, lapsed, or to another account, where they are
as pending as here. They cannot be spent."""

FROZEN_LOTS = "_frozen_lots"
"""The fact that keeps which lots are frozen: their numbers, with commas between them."""

MERGED_INTO = "merged_into"
"""The fact of an account that was merged: the ref of the account that has all that it had."""

MERGED_FROM = "_merged_from:"
"""Before the ref of an account that was merged into this one, directly or through others, in the name of a fact: its
value is the ref of the account with which it came, and empty once that was undone."""

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
    hash, `due_at` the earliest instant at which time brings something. `expired` is what went from each lot to
    breakage, and did not come back since, and no return has counted as lapsed; out of a database it is loaded only
    for those events that ask for it: returns, and late spending. `moves` is what else came and went, lot by lot; it
    is kept only where late news may ask for it. `metrics_from` is the first day of which metrics are at hand.
    `history` is there for events that are judged by all that happened before.
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
    expired: dict[int, int] = field(default_factory=dict)
    moves: list[Move] | None = None
    metrics_from: int = -NEVER
    history: tuple[Happened, ...] | None = None

    def copy(self) -> Account:
        """Return an independent copy."""
        return replace(
            self,
            lots=dict(self.lots),
            holds=dict(self.holds),
            metrics=self.metrics.copy(),
            facts=dict(self.facts),
            expired=dict(self.expired),
            moves=None if self.moves is None else list(self.moves),
        )

    def mark(self) -> tuple[Any, ...]:
        """Return what `reset` needs to take back the next transaction."""
        numbers = self.status, self.opened_at, self.clock, self.seq, self.due_at, self.next_lot, self.next_hold
        moves = None if self.moves is None else list(self.moves)
        return numbers, dict(self.lots), dict(self.holds), dict(self.facts), dict(self.expired), moves

    def reset(self, mark: tuple[Any, ...], transaction: Transaction | None) -> None:
        """Be again as at a mark, since which one transaction was applied, or none."""
        numbers, self.lots, self.holds, self.facts, self.expired, self.moves = mark
        self.status, self.opened_at, self.clock, self.seq, self.due_at, self.next_lot, self.next_hold = numbers
        for metric, day, delta in transaction.metrics if transaction is not None else ():
            self.metrics.add(metric, day, -delta)

    def later(self, at: int) -> dict[int, int]:
        """Return by how much less was free in each lot at some time since an instant than is now, zero or less.

        Raises:
            MovesNotLoadedError: what came and went is not at hand.
        """
        if self.moves is None:
            raise MovesNotLoadedError
        return least_since(self.moves, at)

    def set_aside_since(self, hold: int, at: int) -> bool:
        """Whether anything was set aside under a hold after an instant that has passed.

        Raises:
            MovesNotLoadedError: what came and went is not at hand.
        """
        if self.moves is None:
            raise MovesNotLoadedError
        return any(of == hold and amount < 0 and when > at for when, _, amount, of in self.moves)

    def balance(self, asset: str, at: int) -> int:
        """Return what may be spent of an asset at an instant: not held, frozen, expired or pending."""
        frozen = self.frozen_lots(at) if FROZEN_LOTS in self.facts else frozenset()
        return sum([lot.usable(at) for lot in self.lots.values() if lot.asset == asset and lot.number not in frozen])

    def frozen_lots(self, at: int) -> frozenset[int]:
        """Return the numbers of the lots that are frozen at an instant."""
        fact = self.fact(FROZEN_LOTS, at)
        return frozenset(map(int, fact.value.split(","))) if fact is not None and fact.value else frozenset()

    def pending(self, asset: str, at: int) -> int:
        """Return what is granted but not yet effective."""
        return sum([lot.remaining for lot in self.lots.values() if lot.asset == asset and lot.effective_at > at])

    def owed(self, asset: str) -> int:
        """Return the debt in an asset, zero or more."""
        return -sum([lot.remaining for lot in self.lots.values() if lot.asset == asset and lot.kind == DEBT])

    @property
    def merged_into(self) -> str:
        """The ref of the account into which it was merged, or an empty text."""
        history = self.facts.get(MERGED_INTO)
        return history[-1].value if history and self.status == CLOSED else ""

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

    def next_expiry(self, shrinking: frozenset[str] = frozenset()) -> int:
        """Return the earliest instant at which a lot expires that has something free in it.

        Of assets that are `shrinking` what is held expires as well.
        """
        earliest = NEVER
        for _, asset, _, _, expires_at, _, _, remaining, held in self.lots.values():
            if expires_at < earliest and (remaining > held or (held and asset in shrinking)):
                earliest = expires_at
        return earliest

    def check(self, transaction: Transaction, at: int) -> None:
        """Check that a transaction at an instant may be applied: the invariants that concern one account.

        Raises:
            InvariantError: with the code of the first rule that would break.
        """
        check_postings(transaction.postings)
        if transaction.extended:
            check_extended(self.lots, transaction.extended, at)
        if not transaction.holds and not transaction.opened and not transaction.postings:
            return
        opened: dict[int, Lot] = {}
        if transaction.opened:
            opened = {lot.number: lot for lot in transaction.opened}
            self._check_opened(transaction.opened)
        drawn: dict[int, int] = {}
        untimely: dict[int, int] = {}
        moved_on: dict[int, int] = {}
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
                    early = at < lot.effective_at and destination not in _EARLY and "matured" not in transaction.memo
                    if late or early:
                        untimely[end] = untimely.get(end, 0) + amount
                        if late and isinstance(destination, int):
                            moved_on[end] = moved_on.get(end, 0) + amount
        held, captured = self._check_holds(transaction, at) if transaction.holds else ({}, {})
        for number in change if not held else {**change, **held}:
            lot = opened.get(number) or self.lots[number]
            self._check_lot(lot, change.get(number, 0), lot.held + held.get(number, 0))
            released = min(moved_on.get(number, 0), -held.get(number, 0) - captured.get(number, 0)) if moved_on else 0
            if untimely and untimely.get(number, 0) - max(0, released) > captured.get(number, 0):
                raise InvariantError("I12", f"lot {number} of account {self.ref} is used before or after its time")
        for number, amount in captured.items():
            if amount > drawn.get(number, 0):
                raise InvariantError("I7", f"a capture of {amount} from lot {number} is not posted")

    def check_late(self, transaction: Transaction, at: int) -> None:
        """Check that what is told late leaves no lot with less than nothing free at any instant since.

        Raises:
            InvariantError: I6.
            MovesNotLoadedError: what came and went is not at hand.
        """
        changes: dict[int, int] = {}
        for _, lot, amount, _ in moves_of(transaction, at):
            changes[lot] = changes.get(lot, 0) + amount
        if all(change >= 0 for change in changes.values()):
            return
        later = self.later(at)
        for number, change in changes.items():
            there = self.lots.get(number)
            if change < 0 and there is not None and there.kind != DEBT:
                least = there.free + self.expired.get(number, 0) + later.get(number, 0)
                if least + change < 0:
                    found = f"lot {number} of account {self.ref} had {least} {there.asset} at some time since"
                    raise InvariantError("I6", f"{found}, and {-change} would go")

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

    def _check_holds(self, transaction: Transaction, at: int) -> tuple[dict[int, int], dict[int, int]]:
        """Return by lot how what is held changes, and what is captured."""
        held: dict[int, int] = {}
        captured: dict[int, int] = {}
        left: dict[int, dict[int, int]] = {}
        new: set[int] = set()
        next_hold = self.next_hold
        back: dict[int, int] = {}
        for posting in transaction.postings:
            if posting.source == BREAKAGE and isinstance(posting.destination, int):
                back[posting.destination] = back.get(posting.destination, 0) + posting.amount
        for change in transaction.holds:
            numbers = [number for number, _ in change.units]
            if not numbers or len(set(numbers)) < len(numbers) or any(units <= 0 for _, units in change.units):
                raise InvariantError("I7", f"hold {change.hold}: {change.action} of nothing, or of one lot twice")
            if change.action == "authorise":
                event = authorised_by(change.hold)
                if event < next_hold or change.hold in new or change.hold in self.holds:
                    raise InvariantError("I8", f"hold {change.hold} exists already")
                next_hold = event
                new.add(change.hold)
                self._check_authorised(change, held, back, at)
                continue
            hold = self.holds.get(change.hold)
            if hold is not None and hold.left and change.action == "raise" and change.asset == hold.asset:
                self._check_authorised(change, held, back, at)
                continue
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

    def _check_authorised(self, change: HoldChange, held: dict[int, int], back: dict[int, int], at: int) -> None:
        for number, units in change.units:
            lot = self.lots.get(number)
            if lot is None or lot.asset != change.asset:
                raise InvariantError("I20", f"hold {change.hold} of {change.asset} names lot {number}")
            held[number] = held.get(number, 0) + units
            in_time = lot.effective_at <= at < lot.expires_at
            if not in_time or held[number] > lot.free + back.get(number, 0) or lot.kind == DEBT:
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
                if destination == BREAKAGE:
                    self.expired[source] = self.expired.get(source, 0) + amount
            if isinstance(destination, int):
                lots[destination] = lots[destination].moved(amount)
                if source == BREAKAGE:
                    self.expired[destination] = self.expired.get(destination, 0) - amount
        for _, number, units in transaction.memo.get("lapsed_lots", ()):
            self.expired[number] = self.expired.get(number, 0) - units
        for extension in transaction.extended:
            lots[extension.lot] = lots[extension.lot]._replace(expires_at=extension.expires_at)
        for metric, day, delta in transaction.metrics:
            self.metrics.add(metric, day, delta)
        for fact in transaction.facts:
            self.facts[fact.name] = learned(self.facts.get(fact.name, ()), fact)
        for change in transaction.holds:
            self._hold(change)
        if transaction.status is not None:
            self.status = transaction.status

    def _hold(self, change: HoldChange) -> None:
        amount = sum(units for _, units in change.units)
        if change.action == "authorise":
            self.holds[change.hold] = Hold(
                change.hold, change.asset, amount, change.units, lapses_at=change.lapses_at or NEVER
            )
            self.next_hold = authorised_by(change.hold) + 1
        elif change.action == "raise":
            hold = self.holds[change.hold]
            raised = dict(hold.left)
            for lot, units in change.units:
                raised[lot] = raised.get(lot, 0) + units
            self.holds[change.hold] = replace(hold, amount=hold.amount + amount, left=tuple(raised.items()))
        else:
            hold = self.holds[change.hold]
            gone = dict(change.units)
            left = tuple((lot, units - gone.get(lot, 0)) for lot, units in hold.left if units > gone.get(lot, 0))
            ended = _ENDED[change.action]
            self.holds[change.hold] = replace(hold, left=left, **{ended: getattr(hold, ended) + amount})
        sign = -1 if change.action in _ENDED else 1
        for number, units in change.units:
            self.lots[number] = self.lots[number].holding(sign * units)
