"""From invoice lines to events: purchases, returns matched to their purchases, and made-up redemptions."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

if TYPE_CHECKING:
    from collections.abc import Iterator

DATA = Path(__file__).parent / "online_retail.parquet"
SOURCE = "shop"
REDEEMED = "200"
PENNY = Decimal("0.01")

Event = dict[str, Any]


@dataclass(slots=True)
class Bought:
    """What is left of one line of a purchase; a cancellation takes the latest first."""

    invoice: str
    line: int
    left: int


@dataclass(slots=True)
class Invoices:
    """Events of the data, and counts of what was found on the way."""

    redemptions: bool = True
    counts: Counter[str] = field(default_factory=Counter)
    _bought: dict[tuple[str, str, float], list[Bought]] = field(default_factory=lambda: defaultdict(list))

    def events(self, frame: pl.DataFrame) -> Iterator[Event]:
        """Yield events in the order of time.

        Args:
            frame: InvoiceNo, StockCode, Quantity, InvoiceDate, UnitPrice, CustomerID; one row a line.
        """
        self.counts["lines"] = frame.height
        known = frame.filter(pl.col("CustomerID").is_not_null())
        self.counts["lines without a customer, skipped"] = frame.height - known.height
        invoices = (
            known.with_row_index("row")
            .group_by("InvoiceNo", maintain_order=True)
            .agg(
                pl.col("CustomerID").first(),
                pl.col("InvoiceDate").min(),
                pl.col("row").min(),
                pl.struct("StockCode", "Quantity", "UnitPrice").alias("lines"),
            )
            .sort("InvoiceDate", "row")
        )
        for number, customer, at, _, lines in invoices.iter_rows():
            account = str(customer)
            head = {"source": SOURCE, "account": account, "at": at.isoformat()}
            if number.startswith("C"):
                yield from self._returns(number, account, head, lines)
            else:
                yield from self._purchase(number, account, head, lines)

    def _purchase(self, number: str, account: str, head: Event, lines: list[Event]) -> Iterator[Event]:
        self.counts["purchases"] += 1
        order = []
        for place, line in enumerate(lines, 1):
            self._bought[account, line["StockCode"], line["UnitPrice"]].append(Bought(number, place, line["Quantity"]))
            order.append({"sku": line["StockCode"], "quantity": line["Quantity"], "amount": _amount(line)})
        yield {"type": "purchase", "id": number, **head, "currency": "GBP", "lines": order}
        if self.redemptions and int(account) % 4 == 0:
            self.counts["redemptions, made up"] += 1
            at = head["at"][:17] + "59"
            yield {
                "type": "spend",
                "id": f"{number}/redeem",
                **head,
                "at": at,
                "asset": "points",
                "amount": REDEEMED,
                "reason": "redemption, made up for the demo",
            }

    def _returns(self, number: str, account: str, head: Event, lines: list[Event]) -> Iterator[Event]:
        self.counts["cancellations"] += 1
        taken: dict[str, dict[int, int]] = defaultdict(lambda: defaultdict(int))
        rest = Decimal(0)
        for line in lines:
            wanted = -line["Quantity"]
            stack = self._bought.get((account, line["StockCode"], line["UnitPrice"]), [])
            while wanted and stack:
                bought = stack[-1]
                part = min(wanted, bought.left)
                taken[bought.invoice][bought.line] += part
                bought.left -= part
                wanted -= part
                if not bought.left:
                    stack.pop()
            matched = "cancelled lines matched" if not wanted else "cancelled lines not (wholly) matched"
            self.counts[matched] += 1
            rest += wanted * Decimal(str(line["UnitPrice"]))
        for invoice, parts in taken.items():
            self.counts["returns of a purchase"] += 1
            yield {
                "type": "return",
                "id": f"{number}/{invoice}",
                **head,
                "purchase": invoice,
                "lines": [{"line": place, "quantity": quantity} for place, quantity in parts.items()],
            }
        money = rest.quantize(PENNY, ROUND_HALF_UP)
        if money > 0:
            self.counts["returns that name no purchase"] += 1
            yield {"type": "return", "id": f"{number}/unmatched", **head, "currency": "GBP", "amount": str(money)}


def _amount(line: Event) -> str:
    return str((line["Quantity"] * Decimal(str(line["UnitPrice"]))).quantize(PENNY, ROUND_HALF_UP))


def read(path: Path = DATA) -> pl.DataFrame:
    """Return the invoice lines."""
    return pl.read_parquet(path)
