"""Lots, and which of their units are spent first."""

from __future__ import annotations

from enum import StrEnum
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

DEBT = "debt"
"""The kind of the one lot per asset that may stand below zero; later grants repay it first."""

PAID = "paid"
BONUS = "bonus"
EARNED = "earned"
RENEWED = "renewed"
"""The kind of what came back after its time and was made good again: that is done once for each unit."""


class Lot(NamedTuple):
    """One grant of an asset under its own terms, in smallest units.

    `remaining` includes what is `held`. Usable from `effective_at` until just before `expires_at`.
    `origin` is the journal position of the event that opened the lot. A lower `priority` is spent first.
    """

    number: int
    asset: str
    kind: str
    effective_at: int
    expires_at: int
    priority: int
    origin: int
    remaining: int
    held: int = 0

    @property
    def free(self) -> int:
        """What is neither spent nor held."""
        return self.remaining - self.held

    @property
    def terms(self) -> tuple[str, str, int, int, int]:
        """What two grants must have in common to share a lot."""
        return self[1:6]

    def usable(self, at: int) -> int:
        """How much may be drawn at an instant."""
        return self.remaining - self.held if self.effective_at <= at < self.expires_at and self.kind != DEBT else 0

    def moved(self, amount: int) -> Lot:
        """Return the lot with `amount` more (less, if negative) remaining."""
        number, asset, kind, effective_at, expires_at, priority, origin, remaining, held = self
        return Lot(number, asset, kind, effective_at, expires_at, priority, origin, remaining + amount, held)

    def holding(self, amount: int) -> Lot:
        """Return the lot with `amount` more (less, if negative) held."""
        return self._replace(held=self.held + amount)


class SpendKey(StrEnum):
    """One key of a spend order; the next key decides where this one ties."""

    PRIORITY = "priority"
    EXPIRY = "expiry"
    BONUS_FIRST = "bonus_first"
    PAID_FIRST = "paid_first"
    EFFECTIVE = "effective"
    CREATED = "created"


_KEYS: dict[str, Callable[[Lot], int]] = {
    SpendKey.PRIORITY: itemgetter(5),
    SpendKey.EXPIRY: itemgetter(4),
    SpendKey.BONUS_FIRST: lambda lot: lot.kind == PAID,
    SpendKey.PAID_FIRST: lambda lot: lot.kind != PAID,
    SpendKey.EFFECTIVE: itemgetter(3),
    SpendKey.CREATED: itemgetter(0),
}

DEFAULT_ORDER: tuple[SpendKey, ...] = (
    SpendKey.PRIORITY,
    SpendKey.EXPIRY,
    SpendKey.BONUS_FIRST,
    SpendKey.EFFECTIVE,
    SpendKey.CREATED,
)
"""Priority, then earliest expiry, then bonus before paid, then effective, then created."""


def in_order(lots: Iterable[Lot], order: Sequence[str] = DEFAULT_ORDER) -> list[Lot]:
    """Return lots in the order in which they are spent; the lot's number settles every tie."""
    keys = [_KEYS[key] for key in order]
    return sorted(lots, key=lambda lot: (*[key(lot) for key in keys], lot.number))


def draw(
    lots: Iterable[Lot], asset: str, amount: int, at: int, order: Sequence[str] = DEFAULT_ORDER
) -> tuple[list[tuple[int, int]], int]:
    """Choose the units to spend.

    Returns:
        pairs of lot number and amount in the order of use, and what the usable lots are short of.
    """
    usable = [lot for lot in lots if lot.asset == asset and lot.usable(at) > 0]
    drawn: list[tuple[int, int]] = []
    for lot in in_order(usable, order) if len(usable) > 1 else usable:
        take = min(amount, lot.remaining - lot.held)
        drawn.append((lot.number, take))
        amount -= take
        if not amount:
            break
    return drawn, amount


def takeable(
    lots: Iterable[Lot], moved: Sequence[tuple[str, int, int | str, int | str, str]], asset: str, at: int
) -> list[tuple[int, int]]:
    """Return what can be taken back of an asset, lot by lot: pending first, then what ends last and was granted last.

    Args:
        lots: those of an account; paid value, debt, and what is held or over are left out.
        moved: postings that take from them already.
        asset: what is taken.
        at: the instant.
    """
    gone: dict[int | str, int] = {}
    for _, amount, source, _, _ in moved:
        gone[source] = gone.get(source, 0) + amount
    free = [
        (lot, lot.free - gone.get(lot.number, 0))
        for lot in lots
        if lot.asset == asset and lot.kind not in {PAID, DEBT} and lot.expires_at > at
    ]
    free.sort(key=lambda each: (each[0].effective_at <= at, -each[0].expires_at, -each[0].number))
    return [(lot.number, units) for lot, units in free if units > 0]
