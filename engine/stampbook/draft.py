"""A transaction while it is being worked out: drawing, granting, opening lots, objecting."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from stampbook.amounts import amount_text
from stampbook.ledger import (
    MetricChange,
    Objection,
    Posting,
)
from stampbook.lots import Lot

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stampbook.account import Account, AccountView
    from stampbook.events import (
        Event,
        Order,
    )
    from stampbook.registry import Registry


Terms = tuple[str, str, int, int, int]
"""The terms of a lot, in its own order: asset, kind, effective_at, expires_at, priority."""


@dataclass(slots=True)
class Draft:
    """A transaction while it is being worked out."""

    registry: Registry
    account: Account
    event: Event
    view: AccountView
    postings: list[Posting]
    opened: list[Lot]
    objections: list[Objection]
    trace: dict[str, Any]
    memo: dict[str, Any]
    order: Order | None = None
    status: str | None = None
    about: int | None = None
    metrics: Sequence[MetricChange] = ()

    def object(self, code: str, message: str) -> None:
        self.objections.append(Objection(code, message))

    def draw(self, asset: str, amount: int, destination: str, rule: str) -> None:
        drawn, short = self.view.draw(asset, amount)
        if short:
            kind = self.registry.context.assets[asset]
            self.object(
                "insufficient_balance",
                f"{amount_text(amount, kind)} is more than the {amount_text(amount - short, kind)} that may be spent",
            )
            return
        self.postings.extend(Posting(asset, units, lot, destination, rule) for lot, units in drawn)

    def grant(self, terms: Terms, amount: int, source: str, rule: str) -> list[tuple[int, int]]:
        """Post a grant: debt is repaid first, then a lot of equal terms is filled, or a new one."""
        asset, parts = terms[0], []
        for debt in self.account.lots.values():
            if debt.remaining < 0 and debt.asset == asset:  # only debt is; also what an older program allowed
                owed = -debt.remaining - sum(p.amount for p in self.postings if p.destination == debt.number)
                repaid = min(owed, amount)
                if repaid > 0:
                    self.postings.append(Posting(asset, repaid, source, debt.number, rule))
                    parts.append((debt.number, repaid))
                    amount -= repaid
        if amount:
            number = self._lot(terms)
            self.postings.append(Posting(asset, amount, source, number, rule))
            parts.append((number, amount))
        return parts

    def _lot(self, terms: Terms) -> int:
        """Return the number of a lot of equal terms, or open one; an empty lot may be out of sight and is left."""
        at = self.event.at
        asset, kind, effective_at, expires_at, priority = terms
        for lots in (self.account.lots.values(), self.opened):
            for lot in lots:
                if (
                    lot.expires_at == expires_at
                    and lot.asset == asset
                    and lot.kind == kind
                    and lot.priority == priority
                    and (lot.effective_at == effective_at or lot.effective_at <= at >= effective_at)
                    and (lot.remaining or lots is self.opened)
                ):
                    return lot.number
        return self.open(terms)

    def open(self, terms: Terms) -> int:
        number = self.account.next_lot + len(self.opened)
        self.opened.append(Lot(number, *terms, self.account.seq + 1, 0))
        return number
