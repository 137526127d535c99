"""What the whole ledger adds up to: issued, spent, expired, taken back and outstanding, asset by asset."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from stampbook.ledger import ADJUSTMENTS, BREAKAGE, CASH, PROMOTION, RETURNS, SALES
from stampbook.store.reading import book_totals, fact_counts, standing

if TYPE_CHECKING:
    from stampbook.engine import Engine


@dataclass(frozen=True, slots=True)
class AssetTotals:
    """Sums of one asset over all accounts, in smallest units.

    Paid in (less what went back), issued, adjusted and given back, less spent, expired and taken back, is what is
    outstanding.
    """

    asset: str
    paid_in: int
    issued: int
    adjusted: int
    spent: int
    given_back: int
    taken_back: int
    expired: int
    outstanding: int


def asset_totals(engine: Engine) -> list[AssetTotals]:
    """Return the sums of every asset that was ever posted."""
    with engine.store.reader() as session:
        moved = {(asset, source, destination): amount for asset, source, destination, amount in book_totals(session)}
        held = standing(session)

    def into(asset: str, book: str) -> int:
        return moved.get((asset, "lot", book), 0)

    def out_of(asset: str, book: str) -> int:
        return moved.get((asset, book, "lot"), 0)

    return [
        AssetTotals(
            asset,
            paid_in=out_of(asset, CASH) - into(asset, CASH),
            issued=out_of(asset, PROMOTION),
            adjusted=out_of(asset, ADJUSTMENTS) - into(asset, ADJUSTMENTS),
            spent=into(asset, SALES),
            given_back=out_of(asset, SALES) + out_of(asset, RETURNS),
            taken_back=into(asset, PROMOTION),
            expired=into(asset, BREAKAGE) - out_of(asset, BREAKAGE),
            outstanding=held.get(asset, 0),
        )
        for asset in sorted({asset for asset, _, _ in moved})
    ]


def fact_totals(engine: Engine, name: str) -> dict[str, int]:
    """Return how many accounts hold each value of a fact, such as ``tier``, now."""
    with engine.store.reader() as session:
        return fact_counts(session, name, engine.clock())
