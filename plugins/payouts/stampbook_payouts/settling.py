"""What a refund that is paid moves: the money to the customer, and what is settled with it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stampbook import Lot


def settled(
    lots: Sequence[Lot], back: int, fee: int, only: Sequence[int] = (), bonus: Sequence[tuple[int, int]] = ()
) -> list[tuple[int, int, str]]:
    """Return what goes from which lot to which book when a refund is paid: triples of lot, amount and book.

    The money goes back first; what the customer has had of it is ``sales``, and the bonus goes back to ``promotion``.
    Where more comes back than there is money left, since bonus was worth nothing without it, the bonus gives the rest.

    Args:
        lots: those of the currency that hold something, the oldest first.
        back: what is refunded.
        fee: what the operator keeps.
        only: of partial withdrawals, the lots that are given back; the others stay as they are.
        bonus: what goes with those, as pairs of lot and amount.
    """
    wanted = [("refunds", back), ("fees", fee)]
    moves: list[tuple[int, int, str]] = []
    mine = [lot for lot in lots if not only or lot.number in only]
    for lot in sorted(mine, key=lambda lot: (lot.kind != "paid", lot.effective_at, lot.number)):
        left = lot.free
        for place, (book, due) in enumerate(wanted):
            part = min(left, due)
            if part:
                moves.append((lot.number, part, book))
                wanted[place] = (book, due - part)
                left -= part
        if left:
            moves.append((lot.number, left, "sales" if lot.kind == "paid" else "promotion"))
    return [*moves, *((lot, amount, "promotion") for lot, amount in bonus)]
