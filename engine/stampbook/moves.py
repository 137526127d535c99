"""What came into lots and went from them, and when: the least that late news finds in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from stampbook.errors import StampbookError
from stampbook.ledger import BREAKAGE

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stampbook.ledger import Entry, Transaction

Move = tuple[int, int, int, int]
"""When what is free in a lot changed, which lot, by how much, and the hold under which it was set aside or released.

What goes is below zero; without a hold, 0, it came from elsewhere or went there.
"""


MARKS = ('"holds":', '"lapsed_lots":')
"""One of these stands in effects that tell of moves."""


class MovesNotLoadedError(StampbookError):
    """An account's moves are asked for, by a plugin perhaps, and not at hand: load them and decide again."""


def moves_of(transaction: Transaction, at: int) -> list[Move]:
    """Return how a transaction at an instant changes what is free in lots.

    Expiry and what undoes it are left out; what a return counts as lapsed is not.
    """
    return [
        *posted(transaction.postings, at),
        *set_aside(transaction.holds, at),
        *lapsed(transaction.memo.get("lapsed_lots", ()), at),
    ]


def moves_in(entry: Entry) -> list[Move]:
    """Return the same of a journal entry."""
    moves = posted(entry.postings, entry.at)
    if any(mark.encode() in entry.effects for mark in MARKS):
        moves.extend(moves_in_effects(entry.effects, entry.at))
    return moves


def moves_in_effects(effects: bytes | str, at: int) -> list[Move]:
    """Return the moves that the effects of an entry tell; those of its postings are not among them."""
    told: dict[str, Any] = orjson.loads(effects)
    return [*set_aside(told.get("holds", ()), at), *lapsed(told.get("memo", {}).get("lapsed_lots", ()), at)]


def posted(postings: Iterable[Any], at: int) -> list[Move]:
    """Return the moves of postings."""
    moves: list[Move] = []
    for _, amount, source, destination, _ in postings:
        if isinstance(source, int) and destination != BREAKAGE:
            moves.append((at, source, -amount, 0))
        if isinstance(destination, int) and source != BREAKAGE:
            moves.append((at, destination, amount, 0))
    return moves


def set_aside(changes: Iterable[Any], at: int) -> list[Move]:
    """Return the moves of changes to holds."""
    moves: list[Move] = []
    for hold, action, _, units, _ in changes:
        sign = -1 if action in {"authorise", "raise"} else 1
        moves.extend([(at, lot, sign * part, hold) for lot, part in units])
    return moves


def lapsed(counted: Iterable[Any], at: int) -> list[Move]:
    """Return the moves of what a return counts as lapsed, from triples of rule, lot and units."""
    return [(at, lot, -units, 0) for _, lot, units in counted]


def least_since(moves: Iterable[Move], at: int) -> dict[int, int]:
    """Return by how much less was free in each lot at some time since an instant than is now, zero or less.

    What came into a lot since was not there then, and what is used of it then is missing ever after: it may not be
    more than the least that was free since. Expiry does not count: late news brings back what has expired.
    """
    since: dict[int, dict[int, int]] = {}
    for when, lot, amount, _ in moves:
        if when > at:
            changes = since.setdefault(lot, {})
            changes[when] = changes.get(when, 0) + amount
    least: dict[int, int] = {}
    for lot, changes in since.items():
        before = 0
        for when in sorted(changes, reverse=True):
            before -= changes[when]
            least[lot] = min(least.get(lot, 0), before)
    return least
