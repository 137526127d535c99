"""Pure arithmetic of refunds: the stored-value part, the lots it goes back to, and the lots to take from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stampbook import divide

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from stampbook import Drawn, Lot


def stored_part(value: int, total_left: int, stored_left: int, mode: str) -> int:
    """Return how much of a refund goes back to stored value.

    Splits what remains to be refunded, never the running total anew, so that no tender gives back a unit that
    it has not got and the last return places every one.

    Args:
        value: what comes back now.
        total_left: what was paid and not refunded before, `value` included.
        stored_left: the part of it that stored value paid.
        mode: ``proportional`` (half up), stored value ``first``, or ``last``.
    """
    outside_left = total_left - stored_left
    if mode == "first":
        return min(value, stored_left)
    if mode == "last":
        return max(0, value - outside_left)
    part = divide(value * stored_left, total_left, "half_up") if total_left else 0
    return min(max(part, value - outside_left), stored_left)


def put_back(drawn: Sequence[Drawn], amount: int) -> list[tuple[int, int]]:
    """Return pairs of lot number and amount that restore the newest use first."""
    parts: list[tuple[int, int]] = []
    for use in reversed(drawn):
        part = min(amount, use.amount - use.restored)
        if part > 0:
            parts.append((use.lot, part))
            amount -= part
    return parts


def take_from(
    candidates: Iterable[Lot], taken: dict[int, int], amount: int, limits: dict[int, int] | None = None
) -> list[tuple[int, int]]:
    """Return pairs of lot number and amount to take, lot by lot, and note them in `taken`.

    Args:
        candidates: lots in the order in which they are taken from.
        taken: what was taken from each lot before, in this refund.
        amount: how much to take.
        limits: the most to take from each lot; all that is free in it where absent.
    """
    parts: list[tuple[int, int]] = []
    for lot in candidates:
        free = lot.free - taken.get(lot.number, 0)
        if limits is not None:
            free = min(free, limits.get(lot.number, 0))
        part = min(amount, free)
        if part > 0:
            parts.append((lot.number, part))
            taken[lot.number] = taken.get(lot.number, 0) + part
            amount -= part
    return parts
