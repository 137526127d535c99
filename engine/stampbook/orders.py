"""The order inside a purchase, as rules see it: lines, shares of discount, tax and tenders, and parts of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from stampbook.amounts import divide, split
from stampbook.event_fields import QUANTITY_DECIMALS

if TYPE_CHECKING:
    from collections.abc import Sequence

_PIECE = 10**QUANTITY_DECIMALS


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
    kind: str = "goods"
    labels: tuple[str, ...] = ()


class Order:
    """A purchase as rules see it; all money in smallest units of `currency`.

    `tenders` are the kinds of what paid; `tendered` are kind, asset (where one is named) and amount of each.
    """

    __slots__ = (
        "_categories", "_labels", "_net_shares", "_part_of", "_shares", "_skus", "channel", "currency",
        "discount", "gross", "line_taxes", "lines", "net", "paid_by_points", "quantity", "store",
        "stored_value", "tax", "tendered", "tenders", "total",
    )  # fmt: skip

    def __init__(  # noqa: PLR0913 - all that an order has, by name
        self,
        currency: str,
        lines: tuple[Line, ...],
        *,
        gross: int,
        discount: int,
        net: int,
        tax: int,
        total: int,
        quantity: int,
        stored_value: int,
        channel: str,
        store: str,
        paid_by_points: int = 0,
        tenders: tuple[str, ...] = (),
        tendered: tuple[tuple[str, str, int], ...] = (),
        line_taxes: tuple[int, ...] | None = None,
        part_of: Order | None = None,
    ) -> None:
        self.currency = currency
        self.lines = lines
        self.gross = gross
        self.discount = discount
        self.net = net
        self.tax = tax
        self.total = total
        self.quantity = quantity
        self.stored_value = stored_value
        self.channel = channel
        self.store = store
        self.paid_by_points = paid_by_points
        self.tenders = tenders
        self.tendered = tendered
        self.line_taxes = line_taxes
        self._skus: frozenset[str] | None = None
        self._categories: frozenset[str] | None = None
        self._labels: frozenset[str] | None = None
        self._shares: tuple[dict[int, int], dict[int, int]] | None = None
        self._net_shares: dict[int, int] | None = None
        self._part_of = part_of

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

    @property
    def labels(self) -> frozenset[str]:
        """The labels of all lines."""
        if self._labels is None:
            self._labels = frozenset([label for line in self.lines for label in line.labels])
        return self._labels

    @property
    def net_of_tax(self) -> int:
        """What was paid for the order, less the tax in it or on top of it."""
        return self.total - self.tax

    @property
    def paid_outside(self) -> int:
        """The part that neither stored value nor points paid."""
        return self.total - self.stored_value - self.paid_by_points

    @property
    def paid_outside_net_of_tax(self) -> int:
        """The same, less its share of the tax: all of it if nothing else paid, half of it if half was paid so.

        Rounded half up to a smallest unit.
        """
        if self._part_of is not None:
            return sum([self._part_of.paid_outside_net_of_tax_of(line) for line in self.lines])
        return divide(self.net_of_tax * self.paid_outside, self.total, "half_up") if self.total else 0

    def net_of_tax_of(self, line: Line) -> int:
        """Return what a line costs after its share of the discount, less its tax."""
        return line.net if self.total != self.net else line.net - self._shared()[0][line.number]

    def paid_outside_of(self, line: Line) -> int:
        """Return a line's share of what neither stored value nor points paid."""
        return self._shared()[1][line.number]

    def paid_outside_net_of_tax_of(self, line: Line) -> int:
        """Return a line's share of the same less tax, by what the lines cost without theirs; the shares sum to it."""
        if self._net_shares is None:
            weights = [max(0, self.net_of_tax_of(each)) for each in self.lines]
            weights = weights if any(weights) else [1] * len(weights)
            shares = split(self.paid_outside_net_of_tax, weights)
            self._net_shares = dict(zip([each.number for each in self.lines], shares, strict=True))
        return self._net_shares[line.number]

    def _shared(self) -> tuple[dict[int, int], dict[int, int]]:
        """Return each line's share of the tax and of what was paid outside."""
        if self._shares is None:
            numbers = [line.number for line in self.lines]
            weights = [line.net for line in self.lines]
            if not self.tax and self.paid_outside == self.total:  # each line's share is what it costs
                self._shares = dict.fromkeys(numbers, 0), dict(zip(numbers, weights, strict=True))
                return self._shares
            weights = weights if any(weights) else [1] * len(weights)
            taxes = split(self.tax, weights) if self.line_taxes is None else self.line_taxes
            if self.total != self.net:  # tax on top is paid as well, and not by every line at one rate
                weights = [line.net + tax for line, tax in zip(self.lines, taxes, strict=True)]
            outside = split(self.paid_outside, weights)
            self._shares = dict(zip(numbers, taxes, strict=True)), dict(zip(numbers, outside, strict=True))
        return self._shares

    def narrowed(self, lines: tuple[Line, ...]) -> Order:
        """Return the order as if only some of its lines had been bought; what was paid for them is their share."""
        taxes, outside = self._shared()
        net = sum([line.net for line in lines])
        tax = sum([taxes[line.number] for line in lines])
        total = net + tax if self.total != self.net else net
        inside = total - sum([outside[line.number] for line in lines])
        paid = self.stored_value + self.paid_by_points
        points = divide(inside * self.paid_by_points, paid, "floor") if paid else 0
        return Order(
            self.currency,
            lines,
            gross=sum([line.amount for line in lines]),
            discount=sum([line.discount for line in lines]),
            net=net,
            tax=tax,
            total=total,
            quantity=sum([line.quantity for line in lines]),
            stored_value=inside - points,
            channel=self.channel,
            store=self.store,
            paid_by_points=points,
            tenders=self.tenders,
            tendered=self.tendered,
            line_taxes=tuple([taxes[line.number] for line in lines]),
            part_of=self,
        )


def line_amounts(lines: Sequence[Any]) -> list[int]:
    """Return what each line of a purchase costs: its amount, or quantity times unit price rounded half up.

    Args:
        lines: as they are read (`purchases.OrderLine`); -1 stands for one that says neither.
    """
    amounts: list[int] = []
    for line in lines:
        fields: dict[str, Any] = line.__dict__
        amount, price = fields["amount"], fields["unit_price"]
        if amount is None:
            amount = -1 if price is None else divide(fields["quantity"] * price, _PIECE, "half_up")
        amounts.append(amount)
    return amounts


def has_taxes(lines: Sequence[Any]) -> bool:
    """Return whether a line says its tax."""
    for line in lines:
        fields: dict[str, Any] = line.__dict__
        if fields["tax"] is not None:
            return True
    return False


def order_of(purchase: Any, currency: str) -> Order:
    """Return the order in a purchase (`purchases.Purchase`).

    Args:
        purchase: as it is read; its fields are looked up as a whole, since a model answers slowly for each.
        currency: what its amounts are in.
    """
    fields: dict[str, Any] = purchase.__dict__
    read: tuple[Any, ...] = fields["lines"]
    discount: int = fields["discount"]
    tax: int = fields["tax"]
    lines: list[Line] = []
    gross = quantity = 0
    if read:
        amounts = line_amounts(read)
        gross = sum(amounts)
        shares = split(discount, amounts) if discount else None
        for place, line in enumerate(read):
            parts: dict[str, Any] = line.__dict__
            amount = amounts[place]
            share = 0 if shares is None else shares[place]
            pieces: int = parts["quantity"]
            quantity += pieces
            lines.append(
                Line(
                    place + 1,
                    parts["sku"],
                    parts["category"],
                    pieces,
                    parts["unit_price"] or 0,
                    amount,
                    share,
                    amount - share,
                    parts["kind"],
                    parts["labels"],
                )
            )
    else:
        gross, quantity = fields["amount"] or 0, _PIECE
        lines.append(Line(1, "", "", _PIECE, gross, gross, discount, gross - discount))
    net = gross - discount
    tenders = [tender.__dict__ for tender in fields["tenders"]]
    taxes = tuple([line.tax or 0 for line in read]) if tax and read and read[0].tax is not None else None
    return Order(
        currency,
        tuple(lines),
        gross=gross,
        discount=discount,
        net=net,
        tax=tax,
        total=net + tax if fields["tax_added"] else net,
        quantity=quantity,
        stored_value=sum([tender["amount"] for tender in tenders if tender["kind"] == "stored_value"]),
        channel=fields["channel"],
        store=fields["store"],
        paid_by_points=sum([tender["amount"] for tender in tenders if tender["kind"] == "points"]),
        tenders=tuple([tender["kind"] for tender in tenders]),
        tendered=tuple([(tender["kind"], tender["asset"] or "", tender["amount"]) for tender in tenders]),
        line_taxes=taxes,
    )
