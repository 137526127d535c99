"""Money that moved beside what accounts hold: what passes cost, what comes back of them, and interest.

A pass is no stored value: its price is paid outside, and the account has sessions at most. In journals its price stands
in the book ``passes`` from its sale on, as what the shop owes services for. When it is refunded, what is paid out and
kept as a fee leaves that book, and the rest, which was delivered, is income.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stampbook import Posting
from stampbook_payouts.story import REFUNDS, SALES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from stampbook import Asset

SALE = "pass.sold"
PRICE = "_price"
"""Under this name the payment of a refund keeps what its pass had cost."""
_CASH, _FEES, _INTEREST, _PASSES = "cash", "fees", "interest", "passes"


def sold_told(name: str, money: Asset, remembered: Mapping[str, str]) -> Iterator[Posting]:
    """Yield the price of a pass that was sold.

    Args:
        name: of the table, which the rules bear.
        money: the currency.
        remembered: what the sale was to remember.
    """
    price = remembered.get("price", "").partition(" ")[0]
    if price:
        yield Posting(money.code, money.units(price), _CASH, _PASSES, f"{name}.pass")


def paid_told(name: str, money: Asset, postings: Sequence[Posting], remembered: Mapping[str, str]) -> Iterator[Posting]:
    """Yield what of a refund that was paid no lot gave: of a pass all of it, and interest.

    Args:
        name: of the table, which the rules bear.
        money: the currency.
        postings: what the payment took from lots.
        remembered: what the payment was to remember.
    """
    fee, interest, principal = (money.units(remembered.get(key, "0")) for key in ("_fee", "_interest", "_principal"))
    if not any(each.asset == money.code and isinstance(each.source, int) for each in postings):
        price = money.units(remembered.get(PRICE, "0"))
        for units, book in ((principal - fee, REFUNDS), (fee, _FEES), (price - principal, SALES)):
            if units > 0:
                yield Posting(money.code, units, _PASSES, book, f"{name}.refund")
    if interest:
        yield Posting(money.code, interest, _INTEREST, REFUNDS, f"{name}.interest")


__all__ = ["PRICE", "SALE", "paid_told", "sold_told"]
