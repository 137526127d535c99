"""An order narrowed to what a rule or a metric looks at."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stampbook.choosing import Which
    from stampbook.orders import Line, Order

_OF_LINES = ("skus", "categories", "labels", "kinds")
_OF_ORDERS = ("stores", "channels", "tenders")

_Keys = list[tuple[str, frozenset[str]]]
"""Keys of an option, each with the names under it."""


class Choice:
    """Which orders and lines of them a rule or metric looks at: goods alone, unless other kinds are named."""

    def __init__(self, only: Sequence[Which | None], without: Sequence[Which | None]) -> None:
        self.kinds = frozenset([kind for which in only if which is not None for kind in which.kinds] or ["goods"])
        self._lines = _named(only, _OF_LINES)
        self._no_lines = _named(without, _OF_LINES)
        self._orders = _named(only, _OF_ORDERS)
        self._no_orders = _named(without, _OF_ORDERS)
        named = self._lines or self._no_lines or self._orders or self._no_orders
        self.of_kinds_only = self.kinds == {"goods"} and not named

    def narrowed(self, order: Order) -> Order | None:
        """Return the part of an order that counts: all of it, some lines, or None where there is nothing."""
        if not all(_is_order_of(order, key, names) for key, names in self._orders):
            return None
        if any(_is_order_of(order, key, names) for key, names in self._no_orders):
            return None
        lines = tuple([line for line in order.lines if self._counts(line)])
        if len(lines) == len(order.lines):
            return order
        return order.narrowed(lines) if lines else None

    def _counts(self, line: Line) -> bool:
        if line.kind not in self.kinds or not all(_is_line_of(line, key, names) for key, names in self._lines):
            return False
        return not any(_is_line_of(line, key, names) for key, names in self._no_lines)


def _named(options: Sequence[Which | None], keys: tuple[str, ...]) -> _Keys:
    found: _Keys = []
    for which in options:
        if which is not None:
            for key in keys:
                names: tuple[str, ...] = getattr(which, key)
                if names:
                    found.append((key, frozenset(names)))
    return found


def _is_order_of(order: Order, key: str, names: frozenset[str]) -> bool:
    if key == "stores":
        return order.store in names
    if key == "channels":
        return order.channel in names
    return not names.isdisjoint(order.tenders)


def _is_line_of(line: Line, key: str, names: frozenset[str]) -> bool:
    if key == "categories":
        return line.category in names
    if key == "skus":
        return line.sku in names
    if key == "kinds":
        return line.kind in names
    return not names.isdisjoint(line.labels)
