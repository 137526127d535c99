"""A transaction while it is being worked out: drawing, granting, opening lots, objecting."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from stampbook.amounts import amount_text
from stampbook.errors import InvariantError
from stampbook.kinds import place_of
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
from stampbook.lots import BONUS, DEBT, Lot
from stampbook.periods import NEVER
from stampbook.spending import GRANTED, WAS_GRANTED, granted_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stampbook.account import Account
    from stampbook.account_view import AccountView
    from stampbook.earlier import Earlier
    from stampbook.events import Event
    from stampbook.hookspecs import Due
    from stampbook.kinds import Place
    from stampbook.orders import Order
    from stampbook.proposals import Payment, Pick
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

    def draw(self, asset: str, amount: int, destination: str, rule: str, *, anywhere: bool = False) -> None:
        """Post what is spent; `anywhere` where nothing is bought and no restriction is asked."""
        for number, units in self.choose(asset, amount, anywhere=anywhere):
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

    def choose(self, asset: str, amount: int, *, anywhere: bool = False) -> tuple[tuple[int, int], ...]:
        """Return pairs of lot number and amount in the order of use, or object and return none.

        Args:
            asset: what is used.
            amount: how much, in smallest units.
            anywhere: no restriction of lots is asked, since nothing is bought.
        """
        place = self._place(asset) if self.registry.context.restrictions and not anywhere else None
        opened = self.opened if self.spends_opened else ()
        drawn, short = self.view.draw(asset, amount, self._taken(asset), opened, place)
        if short:
            kind = self.registry.context.assets[asset]
            text = f"{amount_text(amount, kind)} is more than the {amount_text(amount - short, kind)} that may be spent"
            self.object("insufficient_balance", text + self._elsewhere(asset, dict(drawn), place))
            return ()
        return tuple(drawn)

    def available(self, asset: str, amount: int) -> int:
        """Return how much of an amount could be chosen, nothing more having been drawn: all of it or less."""
        place = self._place(asset) if self.registry.context.restrictions else None
        _, short = self.view.draw(asset, amount, self._taken(asset), (), place)
        return amount - short

    def _place(self, asset: str) -> Place:
        """Return where and on what the event spends an asset; an order's lines are known in its own currency."""
        order = self.order if self.order is not None and self.order.currency == asset else None
        store = getattr(self.event, "store", "")
        return place_of(self.event.at, store, order, self.registry.context.calendar)

    def _elsewhere(self, asset: str, drawn: Mapping[int, int], place: Place | None) -> str:
        """Tell what else the account holds and may not spend here."""
        restrictions = self.registry.context.restrictions
        left: dict[str, int] = {}
        for lot in self.view.lots if place is not None else ():
            units = lot.usable(self.event.at) - drawn.get(lot.number, 0) if lot.asset == asset else 0
            if units > 0 and lot.kind in restrictions:
                left[lot.kind] = left.get(lot.kind, 0) + units
        kind = self.registry.context.assets[asset]
        words = [f"{amount_text(units, kind)} {restrictions[name].words}" for name, units in left.items()]
        return f" here; there is more: {', '.join(words)}" if words else ""

    def note_granted(self) -> None:
        """Note what the lots that are opened hold, where the program has their asset spent in proportion to it."""
        proportions = self.registry.context.proportions
        new = [lot.number for lot in self.opened if proportions.get(lot.asset) == WAS_GRANTED and lot.kind != DEBT]
        if not new:
            return
        past = self.account.facts.get(GRANTED)
        kept = {each: units for each, units in granted_of(self.account.facts).items() if self._holds(int(each))}
        for number in new:
            came = sum([posting.amount for posting in self.postings if posting.destination == number])
            kept[str(number)] = came - sum([posting.amount for posting in self.postings if posting.source == number])
        text = json.dumps(kept, separators=(",", ":"))
        self.facts.append(Fact(GRANTED, text, past[-1].since if past else self.event.at, NEVER))

    def _holds(self, number: int) -> bool:
        lot = self.account.lots.get(number)
        return lot is not None and lot.remaining > 0

    def grant(
        self, terms: Terms, amount: int, source: End, rule: str, *, apart: bool = False, origin: int = 0
    ) -> list[tuple[int, int]]:
        """Post a grant: debt is repaid first, then a lot of equal terms filled; or a new one, as always if `apart`.

        Bonus value of a currency shares a lot only with what belongs to the same event: `origin`, or the one at hand.
        """
        asset = terms[0]
        parts = self.repay(asset, amount, source, rule)
        amount -= sum([units for _, units in parts])
        if amount:
            number = self.open(terms, origin) if apart else self._lot(terms, origin)
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

    def _lot(self, terms: Terms, origin: int = 0) -> int:
        """Return the number of a lot of equal terms, or open one; an empty lot may be out of sight and is left.

        What has expired since counts as there, so that late news finds the lot that it would have found in time.
        """
        at = self.event.at
        expired = self.account.expired if at < self.account.clock else {}
        asset, kind, effective_at, expires_at, priority = terms
        is_apart = kind == BONUS and self.registry.context.assets[asset].is_currency
        of = origin or self.account.seq + 1
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
                    and (not is_apart or lot.origin == of)
                    and (lot.effective_at == effective_at or lot.effective_at <= at >= effective_at)
                    and (lot.remaining or lots is self.opened or expired.get(lot.number))
                ):
                    return lot.number
        return self.open(terms, origin)

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

    def open(self, terms: Terms, origin: int = 0) -> int:
        number = self.account.next_lot + len(self.opened)
        if origin:
            self.memo.setdefault("origins", []).append((number, origin))
        self.opened.append(Lot(number, *terms, origin or self.account.seq + 1, 0))
        return number
