"""For which orders a voucher may be used: of which shops and goods, and from what they cost."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stampbook import AmountError, Objection, PluginError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stampbook import Context, Line
    from stampbook_redemption.config import Series
    from stampbook_redemption.events import VoucherRedeemed


class ForOrders:
    """What a series asks of the order for which its codes are used."""

    def __init__(self, series: Series, program: Context) -> None:
        self._money, self._only, self._what = program.currency, series.only, f"voucher series {series.name!r}"
        self._minimum = 0
        if series.minimum is not None:
            try:
                self._minimum = self._money.units(series.minimum)
            except AmountError as error:
                message = f"{self._what}: minimum: {error}"
                raise PluginError(message) from None
        self.asks = self._minimum > 0 or self._only is not None

    def objections(self, event: VoucherRedeemed) -> Iterator[Objection]:
        """Yield why a code may not be used for the order that the event tells, or that it tells none."""
        if not self.asks:
            return
        if event.order is None:
            yield Objection("no_order", f"{self._what} is for some orders only; say in order what is being bought")
            return
        order = event.order.order_in(self._money.code, store=event.store, channel=event.channel)
        only = self._only
        if only is not None and only.stores and order.store not in only.stores:
            yield Objection("wrong_store", f"{self._what} is for {_told(only.stores)}, not for {order.store or 'none'}")
        if only is not None and only.channels and order.channel not in only.channels:
            told = f"{self._what} is for {_told(only.channels)}, not for {order.channel or 'none'}"
            yield Objection("wrong_channel", told)
        counting = [line for line in order.lines if self._counts(line)]
        if not counting:
            yield Objection(
                "wrong_goods", f"{self._what} is for {self._goods()}; there is nothing of that in the order"
            )
            return
        cost = sum(line.net for line in counting)
        if cost < self._minimum:
            told = f"{self._money.told(cost)} of {self._goods()} are less than the {self._money.told(self._minimum)}"
            yield Objection("below_minimum", f"{told} from which {self._what} may be used")

    def _counts(self, line: Line) -> bool:
        only = self._only
        if line.kind != "goods":
            return False
        return only is None or (
            (not only.skus or line.sku in only.skus)
            and (not only.categories or line.category in only.categories)
            and (not only.labels or any(label in only.labels for label in line.labels))
        )

    def _goods(self) -> str:
        only = self._only
        parts = (("skus", only.skus), ("categories", only.categories), ("labels", only.labels)) if only else ()
        return " and ".join(f"{key} {_told(names)}" for key, names in parts if names) or "goods"


def _told(names: tuple[str, ...]) -> str:
    return " or ".join(map(repr, names))
