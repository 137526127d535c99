"""Which lots pay where not every lot may: restricted kinds, and paid and other value that pay together."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from stampbook.amounts import divide
from stampbook.lots import PAID, Lot, in_order

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from stampbook.kinds import Place, Restriction
    from stampbook.ledger import Fact

GRANTED = "_granted"
"""The fact that keeps what lots held when they were opened, as JSON by lot: only where a program asks for it."""

REMAINS, WAS_GRANTED = "to what remains", "to what was granted"


def granted_of(facts: Mapping[str, Sequence[Fact]]) -> dict[str, int]:
    """Return what lots of an account held when they were opened, by number as text, as far as that is kept."""
    past = facts.get(GRANTED)
    known: dict[str, int] = json.loads(past[-1].value) if past else {}
    return known


class Room:
    """What is left to pay of the lines of an order, and which kind of lot pays how much of which line.

    Where a line is full, what pays for it moves on to other lines, if it may pay for those. So any amount of a kind
    finds room whenever there is a way at all, and lots can be used one after the other in the spend order.
    """

    def __init__(self, lines: Sequence[tuple[str, int]]) -> None:
        self._left = [amount for _, amount in lines]
        self._categories = [category for category, _ in lines]
        self._lines: dict[str, list[int]] = {}
        self._paid: dict[str, list[int]] = {}

    def add(self, kind: str, categories: frozenset[str]) -> None:
        """Let lots of a kind pay for lines of these categories."""
        if kind not in self._lines:
            self._lines[kind] = [place for place, name in enumerate(self._categories) if name in categories]
            self._paid[kind] = [0] * len(self._left)

    def fill(self, kind: str, wanted: int) -> int:
        """Let lots of a kind pay up to an amount, and return how much they can."""
        filled = 0
        while filled < wanted:
            path = self._path(kind)
            if not path:
                break
            line = path[-1][1]
            moved = [self._paid[path[n + 1][0]][path[n][1]] for n in range(len(path) - 1)]
            units = min([wanted - filled, self._left[line], *moved])
            self._left[line] -= units
            for number, (payer, into) in enumerate(path):
                self._paid[payer][into] += units
                if number:
                    self._paid[payer][path[number - 1][1]] -= units
            filled += units
        return filled

    def _path(self, kind: str) -> list[tuple[str, int]]:
        """Return pairs of kind and line: each pays that line instead of the one before it; the last line has room."""
        paths = [[(kind, line)] for line in self._lines[kind]]
        seen = set(self._lines[kind])
        for path in paths:
            line = path[-1][1]
            if self._left[line] > 0:
                return path
            for other, paid in self._paid.items():
                if paid[line] > 0:
                    for further in self._lines[other]:
                        if further not in seen:
                            seen.add(further)
                            paths.append([*path, (other, further)])
        return []


class Purse:
    """The lots that may pay at one place, in the spend order, and what each has paid."""

    def __init__(
        self, lots: Iterable[Lot], asset: str, at: int, order: Sequence[str],
        restrictions: Mapping[str, Restriction], place: Place | None,
    ) -> None:  # fmt: skip
        usable = [lot for lot in lots if lot.asset == asset and lot.usable(at) > 0]
        self._restrictions = restrictions if place is not None else {}
        if place is not None:
            usable = [lot for lot in usable if lot.kind not in restrictions or restrictions[lot.kind].allows(place)]
        self.lots = in_order(usable, order)
        self.paid = dict.fromkeys([lot.number for lot in self.lots], 0)
        self._room = Room(() if place is None or place.lines is None else place.lines)

    def take(self, lots: Iterable[Lot], amount: int) -> int:
        """Take an amount of some of the lots, one after the other, and return what they are short of."""
        for lot in lots:
            most = min(amount, lot.free - self.paid[lot.number])
            restriction = self._restrictions.get(lot.kind)
            if most > 0 and restriction is not None and restriction.categories:
                self._room.add(lot.kind, restriction.categories)
                most = self._room.fill(lot.kind, most)
            self.paid[lot.number] += most
            amount -= most
            if not amount:
                break
        return amount

    @property
    def drawn(self) -> list[tuple[int, int]]:
        """Pairs of lot number and amount in the spend order."""
        return [(number, units) for number, units in self.paid.items() if units]


def draw_where(  # noqa: PLR0913, PLR0917 - all that decides which lots pay
    lots: Iterable[Lot],
    asset: str,
    amount: int,
    at: int,
    order: Sequence[str],
    restrictions: Mapping[str, Restriction],
    place: Place | None,
    proportion: str = "",
    granted: Mapping[str, int] | None = None,
) -> tuple[list[tuple[int, int]], int]:
    """Choose the units to spend where lots are restricted, or paid and other value pay in proportion.

    Args:
        lots: those of the account.
        asset: what is spent.
        amount: how much.
        at: the instant.
        order: the keys of the spend order; it holds within paid and within other value.
        restrictions: by kind of lot.
        place: where and on what; None where no restriction is asked, since nothing is bought.
        proportion: ``to what remains``, ``to what was granted``, or empty for the order alone. The part of what is not
            paid value is rounded half up; where one side has too little the other pays.
        granted: what lots held when they were opened, by number; what remains counts where it is not known.

    Returns:
        pairs of lot number and amount in the order of use, and what the lots are short of.
    """
    purse = Purse(lots, asset, at, order, restrictions, place)
    left = amount
    if proportion:
        paid = [lot for lot in purse.lots if lot.kind == PAID]
        others = [lot for lot in purse.lots if lot.kind != PAID]
        known = granted if granted is not None and proportion == WAS_GRANTED else {}
        weights = [sum([known.get(str(lot.number), lot.free) for lot in side]) for side in (others, paid)]
        if all(weights):
            part = divide(amount * weights[0], sum(weights), "half_up")
            left = purse.take(others, part) + purse.take(paid, amount - part)
    if left:
        left = purse.take(purse.lots, left)
    return purse.drawn, left
