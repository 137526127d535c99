"""Which lines and orders count, for a rule or a metric: by sku, category, label, kind, store, channel and tender."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from stampbook.vocabulary import refuse

if TYPE_CHECKING:
    from collections.abc import Sequence

    from stampbook.orders import Line, Order

Names = tuple[Annotated[str, Field(min_length=1)], ...]


class Which(BaseModel):
    """Lines and orders: of several keys `only` takes what meets each, `except` leaves out what meets any."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    skus: Annotated[Names, Field(description="lines of these skus")] = ()
    categories: Annotated[Names, Field(description="lines of these categories")] = ()
    labels: Annotated[Names, Field(description="lines with one of these labels")] = ()
    kinds: Annotated[
        tuple[Literal["goods", "gift_card", "topup"], ...],
        Field(description="lines of these kinds; goods where absent"),
    ] = ()
    stores: Annotated[Names, Field(description="orders of these stores")] = ()
    channels: Annotated[Names, Field(description="orders of these channels")] = ()
    tenders: Annotated[Names, Field(description="orders of which a part was paid so")] = ()

    @model_validator(mode="after")
    def _says_something(self) -> Which:
        if not self.model_fields_set:
            refuse("it names nothing; say which skus, categories, labels, kinds, stores, channels or tenders")
        return self


class Choice:
    """Which orders and lines of them a rule or metric looks at: goods alone, unless other kinds are named."""

    def __init__(self, only: Sequence[Which | None], without: Sequence[Which | None]) -> None:
        self.only = [which for which in only if which is not None]
        self.without = [which for which in without if which is not None]
        self.kinds = frozenset(kind for which in self.only for kind in which.kinds) or frozenset({"goods"})
        self.of_kinds_only = self.kinds == {"goods"} and not self.only and not self.without

    def takes(self, order: Order) -> bool:
        """Whether an order counts at all, by its store, channel and tenders."""
        return all(all(_of_order(which, order)) for which in self.only) and not any(
            any(_of_order(which, order)) for which in self.without
        )

    def narrowed(self, order: Order) -> Order | None:
        """Return the part of an order that counts: all of it, some lines, or None where there is nothing."""
        if not self.takes(order):
            return None
        lines = tuple([line for line in order.lines if self._counts(line)])
        if len(lines) == len(order.lines):
            return order
        return order.narrowed(lines) if lines else None

    def _counts(self, line: Line) -> bool:
        if line.kind not in self.kinds:
            return False
        return all(all(_of_line(which, line)) for which in self.only) and not any(
            any(_of_line(which, line)) for which in self.without
        )


def _of_order(which: Which, order: Order) -> list[bool]:
    """Return whether an order is one of those, key by key."""
    return [
        *([order.store in which.stores] if which.stores else []),
        *([order.channel in which.channels] if which.channels else []),
        *([any(tender in which.tenders for tender in order.tenders)] if which.tenders else []),
    ]


def _of_line(which: Which, line: Line) -> list[bool]:
    """Return whether a line is one of those, key by key."""
    return [
        *([line.sku in which.skus] if which.skus else []),
        *([line.category in which.categories] if which.categories else []),
        *([any(label in which.labels for label in line.labels)] if which.labels else []),
        *([line.kind in which.kinds] if which.kinds else []),
    ]
