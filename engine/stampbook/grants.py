"""What became of each grant: what was used of it, what expired, what was taken back, and what is left of it.

A lot may hold the grants of several events under equal terms. Within one the oldest grant is used first; what comes
back goes to those that were used last; and what a return takes back comes from what its purchase had granted. So the
sum of what is left of the grants of a lot is at every instant what the lot holds.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING, NamedTuple

import orjson

from stampbook.events import Purchase
from stampbook.ledger import ADJUSTMENTS, CASH, OPENING, PROMOTION, RETURNS, TRANSFERS
from stampbook.lots import DEBT
from stampbook.partial import as_paid
from stampbook.periods import NEVER
from stampbook.pipeline import apply
from stampbook.replay import fold
from stampbook.states import Judges
from stampbook.store.past_lots import Moved, Terms, past_accounts, sale

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from stampbook.engine import Engine
    from stampbook.in_force import InForce
    from stampbook.orders import Order
    from stampbook.store import Session
    from stampbook.store.past_lots import PastAccount

_GRANTING = frozenset({CASH, PROMOTION, ADJUSTMENTS, OPENING, RETURNS, TRANSFERS})
"""Books out of which new value comes; what comes out of another one first goes back to what had gone there."""


class Step(NamedTuple):
    """`units` came back to a grant from a book, or, below zero, went to it."""

    at: int
    units: int
    book: str


class Sale(NamedTuple):
    """A purchase that granted something: its order, and by asset all that it granted, on whichever account."""

    order: Order
    granted: Mapping[str, int]


class Grant:
    """What one event put into one lot, and what became of it.

    `units` came out of `book` at the instant `at`; of debt they are below zero, and steps repay it. `left` is what is
    left of it. `sale` is the purchase that granted it, if any; it may be of another account, which shares.
    """

    __slots__ = ("asset", "at", "book", "effective_at", "event", "expires_at", "kind", "left", "lot", "sale", "seq",
                 "steps", "units")  # fmt: skip

    def __init__(self, lot: int, terms: Terms, moved: Moved, units: int, book: str, sale: Sale | None) -> None:
        self.lot = lot
        self.asset, self.kind, self.effective_at, self.expires_at = terms
        self.at = moved.at
        self.seq = moved.seq
        self.event = moved.type
        self.book = book
        self.units = units
        self.left = units
        self.sale = sale
        self.steps: list[Step] = []

    def step(self, at: int, units: int, book: str) -> None:
        """Let units come back, or go."""
        self.left += units
        self.steps.append(Step(at, units, book))


class AccountGrants(NamedTuple):
    """All grants of one account, oldest first, and when its customer last did anything."""

    ref: str
    grants: list[Grant]
    active_at: int


def grants_of_all(
    engine: Engine, *, as_of: int | None = None, known_at: int | None = None, sales: bool = False
) -> Iterator[AccountGrants]:
    """Yield what became of every grant of every account, account by account in flat memory.

    What time has brought up to the instant counts, whether or not it was posted.

    Args:
        engine: a ledger in a database.
        as_of: up to which instant; now where none is given.
        known_at: leave out what was recorded later.
        sales: whether grants are to know the sale that earned them.
    """
    until = engine.clock() if as_of is None else as_of
    judges = Judges(engine)
    with engine.store.reader() as session:
        programs = engine.in_force(session, known_at=known_at)
        for account in past_accounts(session, until, NEVER if known_at is None else known_at):
            if account.behind:
                _bring_up(session, programs, account, until, known_at)
            grants = _grants(account, _Sales(session, judges, account.ref) if sales else None)
            if grants:
                yield AccountGrants(account.ref, grants, account.active_at)


def _bring_up(session: Session, programs: InForce, past: PastAccount, until: int, known_at: int | None) -> None:
    """Add what time has brought to an account and nobody has posted yet."""
    journal = session.journal(past.ref)
    account = fold(past.ref, journal, as_of=until, known_at=known_at)
    if not account.status:
        return
    account.due_at = -NEVER
    for registry, decision in programs.brought(account, until):
        apply(registry, account, decision)
        if decision.transaction is not None:
            event = decision.event
            past.moved.append(
                Moved(event.at, account.seq, event.type, decision.about, decision.transaction.postings, id=event.id)
            )
    for lot in account.lots.values():
        past.lots[lot.number] = Terms(lot.asset, lot.kind, lot.effective_at, lot.expires_at)
    past.moved.sort(key=attrgetter("at", "seq"))


def _grants(account: PastAccount, sales: _Sales | None) -> list[Grant]:
    lots: dict[int, _Lot] = {}
    for moved in account.moved:
        sale = None if sales is None else sales.of(moved)
        for _, amount, source, destination, _ in moved.postings:
            if isinstance(source, int):
                if source not in lots:
                    lots[source] = _Lot(source, account.lots[source])
                lots[source].draw(moved, amount, destination if isinstance(destination, str) else "lot")
            if isinstance(destination, int):
                if destination not in lots:
                    lots[destination] = _Lot(destination, account.lots[destination])
                book = source if isinstance(source, str) else "lot"
                lots[destination].fill(moved, amount, book, sale)
    grants = [grant for lot in lots.values() for grant in lot.grants]
    grants.sort(key=attrgetter("at", "seq", "lot"))
    return grants


class _Sales:
    """The sales behind the grants of one account: its own, and those of accounts that share what they earn with it."""

    def __init__(self, session: Session, judges: Judges, ref: str) -> None:
        self._session = session
        self._judges = judges
        self._ref = ref

    def of(self, moved: Moved) -> Sale | None:
        """Return the sale that an entry is, or whose share it brings; None where it is neither."""
        if moved.payload:
            return self._sale(moved, "")
        if not moved.id or not any(source == PROMOTION for _, _, source, _, _ in moved.postings):
            return None
        # What a message makes is named after the account and the journal position that sent it.
        ref, _, rest = moved.id.removeprefix(f"{moved.type}:").rpartition(":")[0].rpartition(":")
        sent = sale(self._session, ref, int(rest)) if ref and rest.isdecimal() else None
        if sent is None or all(to != self._ref for _, to, _ in _shared(sent)):
            return None
        return self._sale(sent, moved.postings[0][0])

    def _sale(self, moved: Moved, asset: str) -> Sale | None:
        """Return a sale; what it shared by rules that kept nothing is of the given asset, if any."""
        registry = self._judges[moved.program]
        event = registry.reader.read(orjson.loads(moved.payload), own=True)
        if not isinstance(event, Purchase):
            return None
        granted: dict[str, int] = {}
        assets: dict[str, str] = {}
        for code, amount, source, _, rule in moved.postings:
            if source == PROMOTION:
                granted[code] = granted.get(code, 0) + amount
                assets[rule] = code
        for rule, _, units in _shared(moved):
            code = assets.get(rule, asset)
            if code:
                granted[code] = granted.get(code, 0) + units
        if moved.effects:
            event = as_paid(event, orjson.loads(moved.effects).get("memo", {}))
        return Sale(event.order_in(registry.context.currency.code), granted)


def _shared(moved: Moved) -> Sequence[tuple[str, str, int]]:
    """Return what a sale granted on other accounts: by which rule, to whom, and how much."""
    return orjson.loads(moved.trace)["shared"] if moved.trace else ()


class _Lot:
    """The grants of one lot, oldest first; those before `first` are used up."""

    __slots__ = ("first", "gone", "grants", "number", "sign", "terms")

    def __init__(self, number: int, terms: Terms) -> None:
        self.number = number
        self.terms = terms
        self.sign = -1 if terms.kind == DEBT else 1
        self.grants: list[Grant] = []
        self.first = 0
        self.gone: dict[str, int] = {}

    def draw(self, moved: Moved, units: int, book: str) -> None:
        """Let units go to a book; of debt, owe them."""
        if self.sign < 0:
            self._more(moved, -units, book, None)
            return
        self.gone[book] = self.gone.get(book, 0) + units
        if moved.about is not None and book == PROMOTION:
            for grant in self.grants:
                if grant.seq == moved.about:
                    units -= self._use(grant, moved.at, units, book)
        self._use_oldest(moved, units, book)

    def fill(self, moved: Moved, units: int, book: str, sale: Sale | None) -> None:
        """Let units come from a book: back to what went there, or as a new grant; of debt, repay it."""
        if self.sign < 0:
            self._use_oldest(moved, units, book)
            return
        if book not in _GRANTING:
            back = min(units, self.gone.get(book, 0))
            self.gone[book] = self.gone.get(book, 0) - back
            units -= back
            for place in range(len(self.grants) - 1, -1, -1):
                grant = self.grants[place]
                part = min(back, grant.units - grant.left)
                if part > 0:
                    grant.step(moved.at, part, book)
                    self.first = min(self.first, place)
                    back -= part
                if not back:
                    break
            units += back
        if units:
            self._more(moved, units, book, sale)

    def _more(self, moved: Moved, units: int, book: str, sale: Sale | None) -> None:
        self.grants.append(Grant(self.number, self.terms, moved, units, book, sale))

    def _use_oldest(self, moved: Moved, units: int, book: str) -> None:
        while units and self.first < len(self.grants):
            units -= self._use(self.grants[self.first], moved.at, units, book)
            if units:
                self.first += 1
        if units:  # more than was there: late news that an older program allowed
            if not self.grants:
                self._more(moved, 0, book, None)
            self.grants[-1].step(moved.at, -units * self.sign, book)

    def _use(self, grant: Grant, at: int, units: int, book: str) -> int:
        part = min(units, max(0, grant.left * self.sign))
        if part:
            grant.step(at, -part * self.sign, book)
        return part


__all__ = ["AccountGrants", "Grant", "Sale", "Step", "grants_of_all"]
