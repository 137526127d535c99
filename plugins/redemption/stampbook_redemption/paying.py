"""Points as money: what a tender in points costs, and why it may not be."""

from __future__ import annotations

from fractions import Fraction
from math import ceil, floor
from typing import TYPE_CHECKING, Any

from stampbook import AmountError, Objection, Payable, Payment, PluginError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from stampbook import AccountView, Asset, Context, Event, Order, Tender
    from stampbook_redemption.config import Pay


class Rates:
    """The rates of a program: one table of an asset or several, of which the first applies whose condition holds."""

    def __init__(self, name: str, tables: Sequence[Pay], asset: str, program: Context) -> None:
        rates = [Paying(f"{name}.pay", pay, asset, program) for pay in tables]
        self._rates: dict[str, list[Paying]] = {}
        for rate in rates:
            self._rates.setdefault(rate.code, []).append(rate)
        self._default = asset if asset in self._rates else rates[0].code

    def part(
        self, event: Any, tender: Tender, order: Order, account: AccountView, there: Callable[[str, int], int]
    ) -> Iterator[Payable | Objection]:
        """Yield how much of what a tender asks for points may pay, or why they may not."""
        code = tender.asset or self._default
        rate = self._rate_of(code, event, order, account)
        yield rate if isinstance(rate, Objection) else Payable(rate.part(tender.amount, order, there), code)

    def _rate_of(self, code: str, event: Any, order: Order, account: AccountView) -> Paying | Objection:
        """Return the rate at which points pay, or why they may not."""
        rates = self._rates.get(code)
        if rates is None:
            return Objection("points_asset", f"{code} pays for no orders; what does is {', '.join(self._rates)}")
        rate = next((rate for rate in rates if rate.applies(event, order, account)), None)
        if rate is None:
            told = " or ".join(rate.condition for rate in rates)
            return Objection("points_not_allowed", f"points may pay only where {told}")
        return rate

    def payments(self, event: Any, order: Order, account: AccountView) -> Iterator[Payment | Objection]:
        """Yield what the tenders in points of a purchase take, or why they may not."""
        values: dict[str, int] = {}
        for tender in event.tenders:
            if tender.kind == "points":
                code = tender.asset or self._default
                values[code] = values.get(code, 0) + tender.amount
        for code, value in values.items():
            if not value:
                continue
            rate = self._rate_of(code, event, order, account)
            if isinstance(rate, Objection):
                yield rate
            else:
                yield from rate.payments(value, order)


class Paying:
    """The rate and the bounds of points as money, in smallest units."""

    def __init__(self, rule: str, pay: Pay, asset: str, program: Context) -> None:
        self._rule = rule
        self._pay = pay
        self._program = program
        self.code = pay.asset or asset
        if self.code not in program.assets or self.code == program.currency.code:
            known = ", ".join(code for code in program.assets if code != program.currency.code) or "none"
            message = f"pay: {self.code!r} is no asset besides the currency; there are {known}"
            raise PluginError(message)
        self._asset, self._money = program.asset(self.code), program.currency
        points, money = _units("points", pay.points, self._asset), _units("value", pay.value, self._money)
        self._rate = Fraction(points, money)
        self._minimum = 0 if pay.minimum is None else _units("minimum", pay.minimum, self._asset)
        self._step = 1 if pay.step is None else _units("step", pay.step, self._asset)
        self._share = None if pay.most_share is None else Fraction(pay.most_share.removesuffix("%")) / 100
        self._most = None if pay.most is None else _units("most", pay.most, self._money)

    def applies(self, event: Event, order: Order, account: AccountView) -> bool:
        """Whether the condition holds."""
        return self._pay.when is None or self._pay.when.test(event, order, None, account, None)

    @property
    def condition(self) -> str:
        """The condition, as it was written."""
        return "" if self._pay.when is None else self._pay.when.text

    def payments(self, value: int, order: Order) -> Iterator[Payment | Objection]:
        """Yield what so much money of an order takes, or why it may not."""
        objections = list(self._objections(value, order))
        yield from objections
        if not objections:
            yield Payment(self.code, self.units_for(value), value, self._rule, self._pay.same_order == "yes")

    def units_for(self, value: int) -> int:
        """Return the points that so much money costs, rounded up to a whole smallest unit."""
        return ceil(value * self._rate)

    def part(self, value: int, order: Order, there: Callable[[str, int], int]) -> int:
        """Return the most money of an amount for which points may pay that are there: none where they are too few."""
        if order.currency != self._money.code:
            return value
        value = min(value, self.most_for(order.total))
        if not value:
            return 0
        units = there(self.code, self.units_for(value))
        units -= units % self._step
        while units > 0:  # once the rate has come round at the latest
            paid = min(value, floor(units / self._rate))
            if paid and self.units_for(paid) % self._step == 0:
                return paid if self.units_for(paid) >= self._minimum else 0
            units -= self._step
        return 0

    def most_for(self, total: int) -> int:
        """Return the most money of an order's total that points may pay."""
        bounds = [total]
        if self._share is not None:
            bounds.append(floor(total * self._share))
        if self._most is not None:
            bounds.append(self._most)
        return min(bounds)

    def _objections(self, value: int, order: Order) -> Iterator[Objection]:
        if order.currency != self._money.code:
            yield Objection("points_currency", f"points pay in {self._money.code}, not in {order.currency}")
            return
        units, most = self.units_for(value), self.most_for(order.total)
        if value > most:
            told = f"{self._text(value)} is more than the {self._text(most)} of this order that points may pay"
            yield Objection("points_share", told)
        if units < self._minimum:
            told = f"{self._told(units)} are fewer than the {self._told(self._minimum)} that are used at least"
            yield Objection("points_minimum", told)
        if units % self._step:
            told = f"{self._told(units)} are no multiple of {self._told(self._step)}"
            less = units - units % self._step
            near = f"; {self._text(floor(less / self._rate))} would be {self._told(less)}" if less else ""
            yield Objection("points_step", told + near)

    def _text(self, money: int) -> str:
        return self._money.told(money)

    def _told(self, units: int) -> str:
        return self._asset.told(units)


def _units(key: str, text: str, asset: Asset) -> int:
    try:
        return asset.units(text)
    except AmountError as error:
        message = f"pay.{key}: {error}"
        raise PluginError(message) from None
