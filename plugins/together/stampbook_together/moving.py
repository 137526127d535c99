"""What moves between accounts: lots with their terms, as messages carry them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from stampbook import Deposit, Posting

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from stampbook import AccountView, Lot

TRANSFERS = "transfers"
"""The book that what is on its way goes through."""

_Whole = Annotated[int, Field(strict=True)]
Part = tuple[_Whole, str, _Whole, _Whole, _Whole]
"""Units of one asset and their terms: amount, kind, effective at, expires at, priority."""


def part_of(lot: Lot, units: int) -> Part:
    """Return units of a lot with its terms."""
    return (units, lot.kind, lot.effective_at, lot.expires_at, lot.priority)


def drawn(
    account: AccountView, asset: str, amount: int, kinds: Collection[str], taken: dict[int, int]
) -> tuple[list[tuple[int, int]], int]:
    """Choose lots of some kinds in the program's order of use.

    Args:
        account: whose lots.
        asset: what is drawn.
        amount: how much.
        kinds: of which kinds of lot.
        taken: what is drawn already, by lot; what is chosen is added.

    Returns:
        pairs of lot number and amount, and what is short.
    """
    others = {lot.number: lot.free for lot in account.lots if lot.asset == asset and lot.kind not in kinds}
    chosen, short = account.draw(asset, amount, {**taken, **others})
    for number, units in chosen:
        taken[number] = taken.get(number, 0) + units
    return chosen, short


def sent(
    account: AccountView, asset: str, chosen: Iterable[tuple[int, int]], rule: str
) -> tuple[list[Posting], list[Part]]:
    """Return the postings that send units of lots on their way, and the parts that the message carries."""
    postings, parts = [], []
    for number, units in chosen:
        lot = account.lot(number)
        assert lot is not None  # noqa: S101 - it was drawn from
        postings.append(Posting(asset, units, number, TRANSFERS, rule))
        parts.append(part_of(lot, units))
    return postings, parts


def received(asset: str, parts: Iterable[Part], rule: str) -> list[Deposit]:
    """Return the deposits that take up what arrived: equal terms together."""
    sums: dict[tuple[str, int, int, int], int] = {}
    deposits = []
    for units, kind, effective_at, expires_at, priority in parts:
        if kind == "paid":
            deposits.append(Deposit(asset, units, TRANSFERS, kind, effective_at, expires_at, priority, rule))
        else:
            key = (kind, effective_at, expires_at, priority)
            sums[key] = sums.get(key, 0) + units
    deposits.extend(Deposit(asset, units, TRANSFERS, *terms, rule) for terms, units in sums.items())
    return deposits
