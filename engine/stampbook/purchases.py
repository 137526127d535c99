"""Purchases, what becomes of them, and their returns, as events."""

from __future__ import annotations

import re
from difflib import get_close_matches
from functools import lru_cache
from types import SimpleNamespace
from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, model_validator

from stampbook.amounts import LARGEST
from stampbook.event_base import OWN_SOURCE, Event, Part
from stampbook.event_fields import (
    QUANTITY_DECIMALS,
    Amount,
    Name,
    PositiveAmount,
    Quantity,
    Text,
    fail,
    money,
)
from stampbook.orders import Order, has_taxes, line_amounts, order_of


class OrderLine(Part):
    """One line of an order. `amount` is what the line costs after its own discounts, `tax` its part of the order's."""

    sku: Annotated[str, Field(max_length=255)] = ""
    category: Annotated[str, Field(max_length=255)] = ""
    quantity: Quantity = 10**QUANTITY_DECIMALS
    unit_price: Amount | None = None
    amount: Amount | None = None
    kind: Literal["goods", "gift_card", "topup"] = "goods"
    labels: tuple[Name, ...] = ()
    tax: Amount | None = None


class Tender(Part):
    """One means by which an order was paid; `stored_value` is drawn from the account's lots, `points` of an `asset`.

    With `partial` either pays as much of its amount as there is, where the program allows it, and a tender of the kind
    `rest` pays what is left.
    """

    kind: Name
    amount: Amount
    asset: Name | None = None
    partial: bool = False
    rest: Name | None = None


def _gross(lines: tuple[OrderLine, ...]) -> int:
    """Return what lines cost; it is here that they are checked, since a validator of each would cost more."""
    amounts = line_amounts(lines)
    for number, amount in enumerate(amounts, 1):
        if amount < 0:
            fail(f"lines.{number}: a line needs its amount or its unit_price")
        if amount > LARGEST:
            fail(f"lines.{number}: quantity times unit_price is larger than any amount that is kept")
    return sum(amounts)


_MOVING = ("stored_value", "points")
"""Kinds of tender that mean something to the books; shops name the others as they like."""


@lru_cache(maxsize=1_000)
def _nearly(kind: str) -> str:
    """Return the kind that a misspelt one is meant to be, or an empty text."""
    plain = re.sub(r"[^a-z]+", "_", kind.casefold())
    return next(iter(get_close_matches(plain, _MOVING, n=1, cutoff=0.85)), "")


def _check_kinds(tenders: tuple[Tender, ...]) -> None:
    """Check that stored value which a misspelt tender pays with is not simply left where it is."""
    for number, tender in enumerate(tenders, 1):
        meant = _nearly(tender.kind)
        if tender.asset is not None and tender.kind != "points":
            fail(f"tenders.{number}.asset: only a tender of kind 'points' says of which asset it is")
        if meant and meant != tender.kind:
            fail(f"tenders.{number}.kind: {tender.kind!r} is nearly {meant!r}; write that, or name it less like it")
        if tender.partial or tender.rest is not None:
            _check_part(number, tender, tenders)


def _check_part(number: int, tender: Tender, tenders: tuple[Tender, ...]) -> None:
    """Check a tender that is to pay as much as there is."""
    if not tender.partial:
        fail(f"tenders.{number}.rest: it goes with partial, and says what pays what is left")
    if tender.kind not in _MOVING:
        fail(f"tenders.{number}.partial: only a tender of kind 'stored_value' or 'points' pays as much as there is")
    if not tender.amount:
        fail(f"tenders.{number}.amount: as much as there is of nothing is nothing; leave the tender out")
    if [other.kind for other in tenders].count(tender.kind) > 1:
        fail(f"tenders.{number}.partial: an order has one tender of kind {tender.kind!r} where that is partial")
    if tender.rest is not None and (_nearly(tender.rest) or tender.rest == "exchange"):
        fail(f"tenders.{number}.rest: {tender.rest!r} is no other money; name a kind such as 'cash' or 'card'")


class ReturnLine(Part):
    """One line of a return: by its number in the purchase or by sku; all that remains of it unless counted."""

    line: Annotated[int, Field(ge=1)] | None = None
    sku: str | None = None
    quantity: Quantity | None = None
    amount: PositiveAmount | None = None

    @model_validator(mode="after")
    def _named(self) -> ReturnLine:
        if (self.line is None) == (self.sku is None):
            fail("a returned line is named by either line or sku")
        if self.quantity is not None and self.amount is not None:
            fail("a returned line is counted by either quantity or amount")
        return self


RefundTo = Literal["tenders", "stored_value"]


class Exchange(Part):
    """What of an earlier purchase comes back for another one: named lines, an amount, or all that remains."""

    purchase: Name
    purchase_source: Name | None = None
    lines: tuple[ReturnLine, ...] = ()
    amount: PositiveAmount | None = None
    refund_to: RefundTo = "tenders"
    reason: Text = ""

    @model_validator(mode="after")
    def _one_way(self) -> Exchange:
        if self.lines and self.amount is not None:
            fail("what comes back is either lines or one amount")
        return self


class Purchase(Event):
    """Goods or services were bought. Prices include tax unless `tax_added` says that `tax` came on top.

    With `exchange` something of an earlier purchase comes back for it, both or neither; a tender of kind ``exchange``
    is the part that is paid by that.
    """

    type: Literal["purchase"] = "purchase"
    currency: str | None = None
    lines: tuple[OrderLine, ...] = ()
    amount: Amount | None = None
    discount: Amount = 0
    tax: Amount = 0
    tax_added: bool = False
    total: Amount | None = None
    channel: Annotated[str, Field(max_length=255)] = ""
    store: Annotated[str, Field(max_length=255)] = ""
    tenders: tuple[Tender, ...] = ()
    hold: Name | None = None
    hold_source: Name | None = None
    exchange: Exchange | None = None

    @property
    def names(self) -> tuple[str, str] | None:
        """The source and id of the hold from which its stored value is captured, or of the purchase that comes back."""
        if self.exchange is not None:
            return self.exchange.purchase_source or self.source, self.exchange.purchase
        return None if self.hold is None else (self.hold_source or self.source, self.hold)

    @model_validator(mode="after")
    def _adds_up(self, info: ValidationInfo) -> Purchase:
        lines, gross = self.lines, self.amount
        if (gross is None) == (not lines):
            fail("a purchase has either lines or one amount")
        if gross is None:
            gross = _gross(lines)
        if self.discount > gross:
            fail("the discount is larger than the order")
        if self.tax and not self.tax_added and self.tax > gross - self.discount:
            fail(f"the tax is larger than the order, which is {money(gross - self.discount, info)} with it")
        if has_taxes(lines):
            self._check_taxes(info)
        total = gross - self.discount + (self.tax if self.tax_added else 0)
        if total > LARGEST:
            fail("the order is larger than any amount that is kept")
        if self.total is not None and self.total != total:
            what = f"lines - discount{' + tax' if self.tax_added else ''}"
            fail(f"the total is not {what}, which is {money(total, info)}")
        if self.exchange is not None and self.hold is not None:
            fail("a purchase names either a hold or what comes back in exchange for it")
        if self.tenders:
            _check_kinds(self.tenders)
            paid = sum([tender.amount for tender in self.tenders])
            if paid != total:
                fail(f"the tenders sum to {money(paid, info)}, not to the total of {money(total, info)}")
        elif self.hold is not None:
            fail("a purchase that names a hold has a tender of kind 'stored_value', or 'points', to capture from it")
        return self

    def _check_taxes(self, info: ValidationInfo) -> None:
        taxes = [line.tax for line in self.lines if line.tax is not None]
        if len(taxes) < len(self.lines):
            fail("either every line says its tax, or none does")
        if sum(taxes) != self.tax:
            fail(f"the taxes of the lines sum to {money(sum(taxes), info)}, not to the tax of the order")

    def order_in(self, currency: str) -> Order:
        """Return the order, in `currency` unless the event names one."""
        return order_of(self, currency if self.currency is None else self.currency)


class Basket(Part):
    """What is about to be bought, as events of plugins may tell it: lines or one amount, and what is taken off."""

    lines: tuple[OrderLine, ...] = ()
    amount: Amount | None = None
    discount: Amount = 0

    @model_validator(mode="after")
    def _adds_up(self) -> Basket:
        if (self.amount is None) == (not self.lines):
            fail("an order has either lines or one amount")
        gross = _gross(self.lines) if self.amount is None else self.amount
        if self.discount > gross:
            fail("the discount is larger than the order")
        if gross > LARGEST:
            fail("the order is larger than any amount that is kept")
        return self

    def order_in(self, currency: str, *, store: str = "", channel: str = "") -> Order:
        """Return the order, in a currency, as rules see it; it is not paid yet."""
        fields = {**self.__dict__, "tax": 0, "tax_added": False, "tenders": (), "store": store, "channel": channel}
        return order_of(SimpleNamespace(**fields), currency)


class Return(Event):
    """Goods came back: named lines, an amount, or, where neither is given, all that remains of the purchase.

    `refund_to` says that the customer wants what was paid from outside as stored value, where the program allows that;
    or that a payment system took it back by itself.
    """

    type: Literal["return"] = "return"
    currency: str | None = None
    purchase: Name | None = None
    purchase_source: Name | None = None
    lines: tuple[ReturnLine, ...] = ()
    amount: PositiveAmount | None = None
    refund_to: Literal["tenders", "stored_value", "chargeback"] = "tenders"
    exchanged: Amount = 0
    reason: Text = ""

    @property
    def while_frozen(self) -> bool:
        """What a payment system takes back it takes of frozen accounts too."""
        return self.refund_to == "chargeback"

    @model_validator(mode="after")
    def _one_way(self) -> Return:
        if self.exchanged and self.source != OWN_SOURCE:
            fail("exchanged: a purchase that names its `exchange` says what is taken instead")
        if self.lines and self.amount is not None:
            fail("a return has either lines or one amount")
        if self.purchase is None and self.amount is None:
            fail("a return names its purchase, or has an amount")
        return self

    @property
    def names(self) -> tuple[str, str] | None:
        """The source and id of the purchase that it names."""
        return None if self.purchase is None else (self.purchase_source or self.source, self.purchase)


class PurchaseCancelled(Return):
    """A purchase is off before it was completed: all of it is undone, as a return of all of it would."""

    type: Literal["purchase.cancelled"] = "purchase.cancelled"  # type: ignore[assignment]  # a return by another name

    @model_validator(mode="after")
    def _whole(self) -> PurchaseCancelled:
        if self.purchase is None or self.lines or self.amount is not None:
            fail("a purchase is named and cancelled whole; what is a part of one is a return")
        return self


class PurchaseCompleted(Event):
    """A purchase was delivered, or the guest checked out: what was to mature on it does, save what came back."""

    type: Literal["purchase.completed"] = "purchase.completed"
    purchase: Name
    purchase_source: Name | None = None
    reason: Text = ""

    @property
    def names(self) -> tuple[str, str] | None:
        """The source and id of the purchase."""
        return self.purchase_source or self.source, self.purchase
