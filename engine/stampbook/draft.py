"""A transaction while it is being worked out: drawing, granting, opening lots, objecting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stampbook.amounts import amount_text
from stampbook.errors import InvariantError
from stampbook.ledger import (
    BREAKAGE,
    End,
    Fact,
    HoldChange,
    LotExtension,
    Message,
    MetricChange,
    Objection,
    Posting,
)
from stampbook.lots import DEBT, Lot
from stampbook.periods import NEVER

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stampbook.account import Account
    from stampbook.account_view import AccountView
    from stampbook.earlier import Earlier
    from stampbook.events import Event
    from stampbook.hookspecs import Due, Payment
    from stampbook.orders import Order
    from stampbook.proposals import Pick
    from stampbook.registry import Registry


Terms = tuple[str, str, int, int, int]
"""The terms of a lot, in its own order: asset, kind, effective_at, expires_at, priority."""


class Draft:
    """A transaction while it is being worked out."""

    __slots__ = (
        "about", "account", "earlier", "event", "extended", "facts", "holds", "memo", "messages", "metrics",
        "objections", "opened", "order", "payments", "pick", "postings", "registry", "returned", "sequel",
        "spends_opened", "status", "trace", "view",
    )  # fmt: skip

    def __init__(
        self, registry: Registry, account: Account, event: Event, view: AccountView, about: int | None = None
    ) -> None:
        self.registry = registry
        self.account = account
        self.event = event
        self.view = view
        self.about = about
        self.order: Order | None = None
        self.status: str | None = None
        self.postings: list[Posting] = []
        self.opened: list[Lot] = []
        self.objections: list[Objection] = []
        self.trace: dict[str, Any] = {}
        self.memo: dict[str, Any] = {}
        self.metrics: Sequence[MetricChange] = ()
        self.holds: list[HoldChange] = []
        self.facts: list[Fact] = []
        self.messages: list[Message] = []
        self.extended: dict[int, LotExtension] = {}
        self.earlier: Earlier | None = None
        self.payments: Sequence[tuple[str, Payment]] = ()
        self.returned: list[Posting] = []
        self.spends_opened = False
        self.pick: Pick | None = None
        self.sequel: list[Due] = []

    def object(self, code: str, message: str) -> None:
        self.objections.append(Objection(code, message))

    def draw(self, asset: str, amount: int, destination: str, rule: str) -> None:
        """Post what is spent."""
        for number, units in self.choose(asset, amount):
            self.postings.append(Posting(asset, units, number, destination, rule))

    def bring_back(self) -> None:
        """Post what late news needs of what has expired since its instant."""
        needed: dict[int, int] = {}
        for posting in self.postings:
            if isinstance(posting.source, int) and posting.destination != BREAKAGE:
                needed[posting.source] = needed.get(posting.source, 0) + posting.amount
            if isinstance(posting.destination, int):
                needed[posting.destination] = needed.get(posting.destination, 0) - posting.amount
        for change in self.holds:
            sign = 1 if change.action in {"authorise", "raise"} else -1
            for number, units in change.units:
                needed[number] = needed.get(number, 0) + sign * units
        lots, expired = self.account.lots, self.account.expired
        back: list[Posting] = []
        for number in sorted({*needed, *self.extended}):
            lot = lots.get(number)
            if lot is None or not expired.get(number):
                continue
            units = needed.get(number, 0) - lot.free
            if number in self.extended:
                units = max(units, expired[number])
            if units > 0:
                back.append(Posting(lot.asset, units, BREAKAGE, number, "late"))
        self.postings[:0] = back

    def _taken(self, asset: str) -> dict[int, int]:
        """Return what the postings so far take from each lot, less what they bring."""
        taken: dict[int, int] = {}
        for posting in self.postings:
            if posting.asset == asset:
                for end, sign in ((posting.source, 1), (posting.destination, -1)):
                    if isinstance(end, int):
                        taken[end] = taken.get(end, 0) + sign * posting.amount
        return taken

    def choose(self, asset: str, amount: int) -> tuple[tuple[int, int], ...]:
        """Return pairs of lot number and amount in the order of use, or object and return none.

        Args:
            asset: what is used.
            amount: how much, in smallest units.
        """
        drawn, short = self.view.draw(asset, amount, self._taken(asset), self.opened if self.spends_opened else ())
        if short:
            kind = self.registry.context.assets[asset]
            self.object(
                "insufficient_balance",
                f"{amount_text(amount, kind)} is more than the {amount_text(amount - short, kind)} that may be spent",
            )
            return ()
        return tuple(drawn)

    def grant(self, terms: Terms, amount: int, source: End, rule: str, *, apart: bool = False) -> list[tuple[int, int]]:
        """Post a grant: debt is repaid first, then a lot of equal terms filled; or a new one, as always if `apart`."""
        asset = terms[0]
        parts = self.repay(asset, amount, source, rule)
        amount -= sum([units for _, units in parts])
        if amount:
            number = self.open(terms) if apart else self._lot(terms)
            self.postings.append(Posting(asset, amount, source, number, rule))
            parts.append((number, amount))
        return parts

    def repay(self, asset: str, amount: int, source: End, rule: str) -> list[tuple[int, int]]:
        """Post what repays debt of an asset, up to an amount, and return pairs of debt lot and units."""
        parts = []
        for lots in (self.account.lots.values(), self.opened):
            for debt in lots:
                if debt.asset != asset or (debt.kind != DEBT if lots is self.opened else debt.remaining >= 0):
                    continue  # below zero only debt is; also what an older program allowed
                owed = -debt.remaining
                for posting in self.postings:
                    if posting.source == debt.number:
                        owed += posting.amount
                    elif posting.destination == debt.number:
                        owed -= posting.amount
                repaid = min(owed, amount)
                if repaid > 0:
                    self.postings.append(Posting(asset, repaid, source, debt.number, rule))
                    parts.append((debt.number, repaid))
                    amount -= repaid
        return parts

    def _lot(self, terms: Terms) -> int:
        """Return the number of a lot of equal terms, or open one; an empty lot may be out of sight and is left.

        What has expired since counts as there, so that late news finds the lot that it would have found in time.
        """
        at = self.event.at
        expired = self.account.expired if at < self.account.clock else {}
        asset, kind, effective_at, expires_at, priority = terms
        for lots in (self.account.lots.values(), self.opened):
            for lot in lots:
                until = lot.expires_at
                if self.extended and lot.number in self.extended:
                    until = self.extended[lot.number].expires_at
                if (
                    until == expires_at
                    and lot.asset == asset
                    and lot.kind == kind
                    and lot.priority == priority
                    and (lot.effective_at == effective_at or lot.effective_at <= at >= effective_at)
                    and (lot.remaining or lots is self.opened or expired.get(lot.number))
                ):
                    return lot.number
        return self.open(terms)

    def extend(self, number: int, expires_at: int, rule: str) -> None:
        """Put off the end of a lot, unless it ends that late already; of several ends the last counts."""
        lot = self.view.known_lot(number) or self.account.lots[number]
        done = self.extended.get(number)
        if expires_at > (lot.expires_at if done is None else done.expires_at):
            self.extended[number] = LotExtension(number, lot.asset, lot.remaining, lot.expires_at, expires_at, rule)

    def owe(self, asset: str, amount: int, destination: str, rule: str) -> None:
        """Post a debt: into the debt lot of the asset, or a new one.

        Raises:
            InvariantError: I6: the program allows none of it.
        """
        if not self.registry.context.assets[asset].debt:
            raise InvariantError("I6", f"the program allows no debt of {asset}")
        lots = self.account.lots.values()
        number = next((lot.number for lot in lots if lot.asset == asset and lot.kind == DEBT and lot.remaining), None)
        if number is None:
            number = self.open((asset, DEBT, self.event.at, NEVER, 0))
        self.postings.append(Posting(asset, amount, number, destination, rule))

    def open(self, terms: Terms) -> int:
        number = self.account.next_lot + len(self.opened)
        self.opened.append(Lot(number, *terms, self.account.seq + 1, 0))
        return number
