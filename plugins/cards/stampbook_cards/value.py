"""What moves between a card and another account: lots with their terms, through the book of what is on its way."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from stampbook import Deposit, Objection, Posting, PutBack
from stampbook_cards.card_numbers import number_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from stampbook import AccountView, Earlier
    from stampbook_cards.events import Part

ALL = "all"
"""What is kept where all of a payment came back."""

CASH, SALES, TRANSFERS = "cash", "sales", "transfers"


def everything(account: AccountView, rule: str) -> Iterator[Posting | Objection]:
    """Yield the postings that send all that an account has on its way, or why it cannot go."""
    if account.holds:
        yield Objection("open_holds", "something is held on the card; capture or void it first")
    for lot in account.lots:
        if lot.remaining < 0:
            how = f"stampbook card topup {number_of(account.ref)} AMOUNT --tender NAME"
            yield Objection("debt", f"the card owes something; top it up first, which repays it: {how}")
        else:
            yield Posting(lot.asset, lot.remaining, lot.number, TRANSFERS, rule)


def parts_of(account: AccountView, postings: Iterable[Posting]) -> tuple[Part, ...]:
    """Return what postings send on its way, with the terms of the lots that it was in."""
    parts: list[Part] = []
    for posting in postings:
        lot = account.known_lot(posting.source) if isinstance(posting.source, int) else None
        assert lot is not None  # noqa: S101 - it was drawn from
        parts.append((lot.asset, posting.amount, lot.kind, lot.effective_at, lot.expires_at, lot.priority))
    return tuple(parts)


def arrived(parts: Iterable[Part], rule: str) -> Iterator[Deposit]:
    """Yield what takes up what was on its way: paid value lot by lot, other value of equal terms together."""
    sums: dict[tuple[str, str, int, int, int], int] = {}
    for asset, units, kind, effective_at, expires_at, priority in parts:
        if kind == "paid":
            yield Deposit(asset, units, TRANSFERS, kind, effective_at, expires_at, priority, rule)
        else:
            key = (asset, kind, effective_at, expires_at, priority)
            sums[key] = sums.get(key, 0) + units
    for (asset, kind, effective_at, expires_at, priority), units in sums.items():
        yield Deposit(asset, units, TRANSFERS, kind, effective_at, expires_at, priority, rule)


class Back(NamedTuple):
    """What of a payment comes back: units by lot, what there was to come back, and the asset."""

    units: tuple[tuple[int, int], ...]
    left: int
    asset: str


def coming_back(earlier: Earlier, kept: str, amount: int | None) -> Back:
    """Return what comes back of what an event took: first to the lots that it took from last.

    Args:
        earlier: the event.
        kept: how much of it came back before, in smallest units; ``all`` where all did, empty where nothing.
        amount: how much comes back now; all that is left where None.
    """
    paid: Sequence[Posting] = [
        each for each in earlier.postings if isinstance(each.source, int) and each.destination == SALES
    ]
    total = sum(posting.amount for posting in paid)
    skip = total if kept == ALL else int(kept or 0)
    left = total - skip
    wanted = left if amount is None else amount
    units: list[tuple[int, int]] = []
    for posting in reversed(paid):
        passed = min(skip, posting.amount)
        skip -= passed
        part = min(wanted, posting.amount - passed)
        if part > 0 and isinstance(posting.source, int):
            units.append((posting.source, part))
            wanted -= part
    return Back(tuple(units), left, paid[0].asset if paid else "")


def put_back(back: Back, rule: str) -> list[PutBack]:
    """Return the postings that put back into lots what had paid."""
    return [PutBack(back.asset, units, SALES, lot, rule) for lot, units in back.units]
