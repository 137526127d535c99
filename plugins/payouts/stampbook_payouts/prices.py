"""What a purchase would have cost before discounts, as its sender wrote it: a history may have thousands of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from stampbook import Purchase, divide

if TYPE_CHECKING:
    from stampbook import Asset, Event, Happened

_PIECE = 10**6
_PRICED = (b'"unit_price"', b'"discount"')
"""Without one of these a purchase says no price besides what was paid."""


class Prices:
    """Reads the prices of purchases in one currency; texts seen before are looked up."""

    def __init__(self, money: Asset) -> None:
        self._money = money
        self._known: dict[str, int] = {}

    def listed(self, entry: Happened, nominal: int) -> int:
        """Return what stored value would have paid before the discounts of a purchase, in the same share of it.

        Args:
            entry: the purchase.
            nominal: what stored value did pay, in smallest units.
        """
        payload = entry.payload
        if _PRICED[0] not in payload and _PRICED[1] not in payload:
            return nominal
        if b'"lines":' in payload:
            total, full = _of_lines(entry.event, self._money.code)
        else:
            data = orjson.loads(payload)
            added = self._units(data.get("tax", 0)) if data.get("tax_added") else 0
            full = self._units(data["amount"]) + added
            total = full - self._units(data.get("discount", 0))
        return nominal if full <= total or not total else divide(nominal * full, total, "half_up")

    def _units(self, value: object) -> int:
        if not isinstance(value, str):
            return self._money.units(value)
        units = self._known.get(value)
        if units is None:
            units = self._known[value] = self._money.units(value)
        return units


def _of_lines(event: Event, currency: str) -> tuple[int, int]:
    """Return what a purchase of lines came to, and what it would have at their unit prices."""
    if not isinstance(event, Purchase):
        return 0, 0
    order = event.order_in(currency)
    full = order.total - order.net
    for line, of_order in zip(event.lines, order.lines, strict=True):
        usual = 0 if line.unit_price is None else divide(line.unit_price * line.quantity, _PIECE, "half_up")
        full += max(usual, of_order.amount)
    return order.total, full
