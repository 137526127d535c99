"""What rewards and vouchers have in common: who may have them and when, and what they put on an account."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from stampbook import NEVER, AmountError, Deposit, Objection, PluginError, Posting

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stampbook import AccountView, Context, Earlier, Lot
    from stampbook_redemption.config import Offered

PROMOTION = "promotion"
"""The book that pays for what is given."""

_FIRST, _LAST = 1, 4_000_000


class Offer:
    """A table of something that may be had, with what is worked out once."""

    def __init__(self, rule: str, what: str, table: Offered, program: Context) -> None:
        self.rule, self._what, self._table, self._program = rule, f"{what} {table.name!r}", table, program
        self._first = self._day("from", table.from_day, _FIRST)
        self._last = self._day("until", table.until_day, _LAST)
        self._asset, self._given = table.gives_asset or "", 0
        if table.gives is not None:
            self._given = self.units("gives", self._asset, table.gives)
        self._ends = None if table.gives_expires is None else table.gives_expires.ends(program.calendar)

    def units(self, key: str, code: str, text: str) -> int:
        """Return an amount of the table in smallest units.

        Raises:
            PluginError: the program has no such asset, or it has fewer decimals.
        """
        try:
            return self._program.asset(code).units(text)
        except AmountError as error:
            message = f"{self._what}: {key}: {error}"
            raise PluginError(message) from None

    def _day(self, key: str, text: str | None, absent: int) -> int:
        if text is None:
            return absent
        try:
            return date.fromisoformat(text).toordinal()
        except ValueError:
            message = f"{self._what}: {key}: {text!r} is no day of the calendar"
            raise PluginError(message) from None

    def objections(self, event: Any, account: AccountView) -> Iterator[Objection]:
        """Yield why an account may not have it now."""
        if account.day < self._first:
            yield Objection("not_yet", f"{self._what} begins on {date.fromordinal(self._first)}")
        if account.day > self._last:
            yield Objection("no_longer", f"{self._what} ended on {date.fromordinal(self._last)}")
        when = self._table.when
        if when is not None and not when.test(event, None, None, account, None):
            yield Objection("not_entitled", f"{self._what} is for accounts where {' '.join(when.text.split())}")

    def given(self, account: AccountView, at: int) -> Iterator[Deposit]:
        """Yield what it puts on the account."""
        if self._given:
            ends = NEVER if self._ends is None else self._ends(at, account.opened_at or at)
            yield Deposit(self._asset, self._given, PROMOTION, "bonus", at, ends, 0, self.rule)


def taken_back(earlier: Earlier, account: AccountView, rule: str) -> Iterator[Posting | Objection]:
    """Yield the postings that take back what an earlier event gave, or why that cannot be.

    Units of equal terms are alike: where the lot was emptied, by a merger that was undone say, another stands for it.
    """
    taken: dict[int, int] = {}
    for asset, amount, source, lot, _ in earlier.postings:
        if source != PROMOTION or not isinstance(lot, int):
            continue
        there = account.known_lot(lot)
        if there is not None and there.kind == "debt":
            yield Posting(asset, amount, lot, PROMOTION, rule)
            continue
        parts, left = [], amount
        for each in () if there is None else _alike(there, account):
            units = min(left, each.free - taken.get(each.number, 0))
            if units > 0:
                parts.append((each.number, units))
                left -= units
        if left:
            yield Objection("used", f"what it gave of {asset} was used, is set aside, or has expired")
            return
        for number, units in parts:
            taken[number] = taken.get(number, 0) + units
            yield Posting(asset, units, number, PROMOTION, rule)


def _alike(lot: Lot, account: AccountView) -> list[Lot]:
    """Return the lots that hold units of a lot's terms, itself first."""
    others = [
        each
        for each in account.lots
        if (each.asset, each.kind, each.priority) == (lot.asset, lot.kind, lot.priority)
        and each.expires_at > account.at
        and (each.expires_at == lot.expires_at or each.expires_at > lot.expires_at > account.at)
        and (each.effective_at == lot.effective_at or max(each.effective_at, lot.effective_at) <= account.at)
    ]
    return sorted(others, key=lambda each: (each.number != lot.number, each.expires_at, each.number))
