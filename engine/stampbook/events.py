"""What happened: the kinds of event, how they are read from data, and the order inside a purchase."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationInfo, model_validator

from stampbook.amounts import LARGEST, divide, split
from stampbook.event_fields import (
    QUANTITY_DECIMALS,
    Amount,
    Instant,
    Name,
    PositiveAmount,
    Quantity,
    Ref,
    SignedAmount,
    Text,
    fail,
    money,
)

OWN_SOURCE = "stampbook"
"""The source of events that time or the engine brings; senders may not use it."""


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Event(_Part):
    """What every event has. `(source, id)` is unique for ever; `at` is when it happened."""

    asset_field: ClassVar[str] = "currency"
    """Which field names the asset of the event's amounts; the program's currency where it is absent."""
    brought_by_time: ClassVar[bool] = False
    """Whether only the engine makes such events; senders may not."""

    type: Any  # each kind narrows it to its own name
    id: Name
    source: Name = "default"
    account: Ref
    at: Instant


class AccountOpened(Event):
    """An account begins."""

    type: Literal["account.opened"] = "account.opened"


class AccountFrozen(Event):
    """Customers can no longer move value on the account; time and operators still can."""

    type: Literal["account.frozen"] = "account.frozen"
    reason: Text = ""
    operator: Annotated[str, Field(max_length=255)] = ""


class AccountUnfrozen(Event):
    """A frozen account is open again."""

    type: Literal["account.unfrozen"] = "account.unfrozen"
    reason: Text = ""
    operator: Annotated[str, Field(max_length=255)] = ""


class AccountClosed(Event):
    """An account ends; each asset's `on_close` says what becomes of what it holds."""

    type: Literal["account.closed"] = "account.closed"
    reason: Text = ""
    operator: Annotated[str, Field(max_length=255)] = ""


class OrderLine(_Part):
    """One line of an order. `amount` is what the line costs after its own discounts."""

    sku: Annotated[str, Field(max_length=255)] = ""
    category: Annotated[str, Field(max_length=255)] = ""
    quantity: Quantity = 10**QUANTITY_DECIMALS
    unit_price: Amount | None = None
    amount: Amount | None = None

    @model_validator(mode="after")
    def _priced(self) -> OrderLine:
        if self.amount is None and self.unit_price is None:
            fail("a line needs its amount or its unit_price")
        if self.amount is None and self.total > LARGEST:
            fail("quantity times unit_price is larger than any amount that is kept")
        return self

    @property
    def total(self) -> int:
        """`amount`, or quantity times unit price rounded half up."""
        if self.amount is not None:
            return self.amount
        return divide(self.quantity * (self.unit_price or 0), 10**QUANTITY_DECIMALS, "half_up")


class Tender(_Part):
    """One means by which an order was paid; `stored_value` is drawn from the account's lots."""

    kind: Name
    amount: Amount


_NUMBERS = range(1, 1_000_000)


class Line(NamedTuple):
    """One line of an order as rules see it, with its share of the order's discount."""

    number: int
    sku: str
    category: str
    quantity: int
    unit_price: int
    amount: int
    discount: int
    net: int


@dataclass(slots=True)
class Order:
    """A purchase as rules see it; all money in smallest units of `currency`."""

    currency: str
    lines: tuple[Line, ...]
    gross: int
    discount: int
    net: int
    tax: int
    total: int
    quantity: int
    stored_value: int
    channel: str
    store: str
    _skus: frozenset[str] | None = None
    _categories: frozenset[str] | None = None

    @property
    def line_count(self) -> int:
        """How many lines."""
        return len(self.lines)

    @property
    def skus(self) -> frozenset[str]:
        """The skus of all lines."""
        if self._skus is None:
            self._skus = frozenset([line.sku for line in self.lines])
        return self._skus

    @property
    def categories(self) -> frozenset[str]:
        """The categories of all lines."""
        if self._categories is None:
            self._categories = frozenset([line.category for line in self.lines])
        return self._categories


class Purchase(Event):
    """Goods or services were bought. Prices include tax unless `tax_added` says that `tax` came on top."""

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

    @model_validator(mode="after")
    def _adds_up(self, info: ValidationInfo) -> Purchase:
        lines, gross = self.lines, self.amount
        if (gross is None) == (not lines):
            fail("a purchase has either lines or one amount")
        if gross is None:
            gross = sum([line.total for line in lines])
        if self.discount > gross:
            fail("the discount is larger than the order")
        total = gross - self.discount + (self.tax if self.tax_added else 0)
        if total > LARGEST:
            fail("the order is larger than any amount that is kept")
        if self.total is not None and self.total != total:
            what = f"lines - discount{' + tax' if self.tax_added else ''}"
            fail(f"the total is not {what}, which is {money(total, info)}")
        if self.tenders and sum([tender.amount for tender in self.tenders]) != total:
            paid = money(sum([tender.amount for tender in self.tenders]), info)
            fail(f"the tenders sum to {paid}, not to the total of {money(total, info)}")
        return self

    def order_in(self, currency: str) -> Order:
        """Return the order, in `currency` unless the event names one."""
        if self.currency is not None:
            currency = self.currency
        if self.lines:
            amounts = [line.total for line in self.lines]
            gross = sum(amounts)
            if self.discount:
                shares = split(self.discount, amounts)
                lines = tuple(
                    [
                        Line(
                            n,
                            line.sku,
                            line.category,
                            line.quantity,
                            line.unit_price or 0,
                            amount,
                            share,
                            amount - share,
                        )
                        for n, line, amount, share in zip(_NUMBERS, self.lines, amounts, shares, strict=False)
                    ]
                )
            else:
                lines = tuple(
                    [
                        Line(n, line.sku, line.category, line.quantity, line.unit_price or 0, amount, 0, amount)
                        for n, line, amount in zip(_NUMBERS, self.lines, amounts, strict=False)
                    ]
                )
        else:
            gross = self.amount or 0
            net = gross - self.discount
            lines = (Line(1, "", "", 10**QUANTITY_DECIMALS, gross, gross, self.discount, net),)
        net = gross - self.discount
        return Order(
            currency,
            lines,
            gross,
            self.discount,
            net,
            self.tax,
            net + self.tax if self.tax_added else net,
            sum([line.quantity for line in lines]),
            sum([tender.amount for tender in self.tenders if tender.kind == "stored_value"]) if self.tenders else 0,
            self.channel,
            self.store,
        )


class ReturnLine(_Part):
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


class Return(Event):
    """Goods came back: named lines, an amount, or, where neither is given, all that remains of the purchase."""

    type: Literal["return"] = "return"
    currency: str | None = None
    purchase: Name | None = None
    purchase_source: Name | None = None
    lines: tuple[ReturnLine, ...] = ()
    amount: PositiveAmount | None = None
    reason: Text = ""

    @model_validator(mode="after")
    def _one_way(self) -> Return:
        if self.lines and self.amount is not None:
            fail("a return has either lines or one amount")
        if self.purchase is None and self.amount is None:
            fail("a return names its purchase, or has an amount")
        return self

    @property
    def names(self) -> tuple[str, str] | None:
        """The source and id of the purchase that it names."""
        return None if self.purchase is None else (self.purchase_source or self.source, self.purchase)


class TopUp(Event):
    """Money was paid in for stored value."""

    type: Literal["topup"] = "topup"
    currency: str | None = None
    amount: PositiveAmount
    channel: Annotated[str, Field(max_length=255)] = ""
    store: Annotated[str, Field(max_length=255)] = ""
    reason: Text = ""
    operator: Annotated[str, Field(max_length=255)] = ""


class Spend(Event):
    """Value of one asset was spent outside an order that the engine sees whole."""

    asset_field: ClassVar[str] = "asset"

    type: Literal["spend"] = "spend"
    asset: str | None = None
    amount: PositiveAmount
    channel: Annotated[str, Field(max_length=255)] = ""
    store: Annotated[str, Field(max_length=255)] = ""
    reason: Text = ""
    operator: Annotated[str, Field(max_length=255)] = ""


class Adjust(Event):
    """An operator grants (above zero) or takes (below zero) value, for a stated reason."""

    asset_field: ClassVar[str] = "asset"

    type: Literal["adjust"] = "adjust"
    asset: str | None = None
    amount: SignedAmount
    reason: Annotated[str, Field(min_length=1, max_length=1000, pattern=r"^[^\x00]*$")]
    operator: Annotated[str, Field(max_length=255)] = ""
    kind: Annotated[str, Field(pattern=r"^(adjusted|earned|bonus)$")] = "adjusted"
    expires: Instant | None = None

    @model_validator(mode="after")
    def _moves(self) -> Adjust:
        if not self.amount:
            fail("an adjustment of zero moves nothing")
        if self.expires is not None and (self.amount < 0 or self.expires <= self.at):
            fail("expires belongs to a grant, and comes after it")
        return self


class Expiry(Event):
    """Time brought the end of a lot; what was left of it goes to breakage. Made by the engine only."""

    brought_by_time: ClassVar[bool] = True

    type: Literal["expiry"] = "expiry"
    lot: int


CORE_EVENTS: tuple[type[Event], ...] = (
    AccountOpened,
    AccountFrozen,
    AccountUnfrozen,
    AccountClosed,
    Purchase,
    Return,
    TopUp,
    Spend,
    Adjust,
)
