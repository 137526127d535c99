"""What a purchase would have cost before discounts, as its sender wrote it: a history may have thousands of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import orjson

from stampbook import Purchase, divide, line_values

if TYPE_CHECKING:
    from stampbook import Asset, Event, Happened, Order

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

    def came_back(self, purchase: Happened, back: Happened, nominal: int) -> int | None:
        """Return what would have been paid before discounts for that part of a purchase which a return brought back.

        Args:
            purchase: what it is of.
            back: the return, by lines or by amount.
            nominal: what of it went back to stored value, in smallest units.

        Returns:
            None where a purchase says no lines, so that every part of it bears the same discount.
        """
        if b'"lines":' not in purchase.payload or not isinstance(purchase.event, Purchase):
            return None
        order = purchase.event.order_in(self._money.code)
        full, values = _fulls(purchase.event, order), line_values(order)
        value = listed = 0
        for number, quantity, units in back.came:
            place = number - 1
            value += units
            if values[place]:
                listed += divide(full[place] * units, values[place], "half_up")
            else:
                listed += divide(full[place] * quantity, order.lines[place].quantity, "half_up")
        return divide(nominal * listed, value, "half_up") if value else None

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
    return order.total, sum(_fulls(event, order))


def _fulls(event: Purchase, order: Order) -> list[int]:
    """Return what each line would have cost at its unit price, tax that came on top included."""
    taxes = [value - line.net for value, line in zip(line_values(order), order.lines, strict=True)]
    full = []
    for line, of_order, tax in zip(event.lines, order.lines, taxes, strict=True):
        usual = 0 if line.unit_price is None else divide(line.unit_price * line.quantity, _PIECE, "half_up")
        full.append(max(usual, of_order.amount) + tax)
    return full
