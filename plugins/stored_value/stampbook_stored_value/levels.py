"""Balances that are low: said once each time, and answered by a top-up that is asked for."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

from stampbook import AmountError, Due, PluginError, TopUp
from stampbook_stored_value.events import BalanceLow, BalanceRecovered, TopUpDeclined, TopUpRequested
from stampbook_stored_value.memory import remember, remembered

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stampbook import AccountView, Context, Event, Fact
    from stampbook_stored_value.config import Automatic, Low

_MONTHS_KEPT = 62


def _units(key: str, text: str, code: str, program: Context) -> int:
    try:
        return program.asset(code).units(text)
    except AmountError as error:
        message = f"{key}: {error}"
        raise PluginError(message) from None


def balance_at(account: AccountView, asset: str, at: int) -> int:
    """Return what may be spent at an instant, if nothing happens until then."""
    return sum(lot.usable(at) for lot in account.lots if lot.asset == asset)


def turns(account: AccountView, asset: str) -> list[int]:
    """Return the instants from now on at which there may be more than before: now, and when something may be spent."""
    later = {lot.effective_at for lot in account.lots if lot.asset == asset and lot.effective_at > account.at}
    return [account.at, *sorted(later)]


class Level:
    """A balance that may be low: it starts as low, and comes above with the first top-up that is large enough."""

    def __init__(self, name: str, low: Low, program: Context) -> None:
        self.code = low.currency or program.currency.code
        self._name = f"{name}.low:{self.code}:{low.below}"
        self._fact = f"_{self._name}"
        self._below = _units("low: below", low.below, self.code, program)

    def learned(self, event: Event, account: AccountView, at: int) -> Iterator[Fact]:
        """Yield what is known of the balance, when that was told."""
        if isinstance(event, (BalanceLow, BalanceRecovered)) and event.id.startswith(f"{self._name}:"):
            yield remember(account, self._fact, "enough" if isinstance(event, BalanceRecovered) else "", at)

    def due(self, account: AccountView) -> Iterator[Due]:
        """Yield when the balance turns."""
        was_low = remembered(account, self._fact) is None
        for at in turns(account, self.code):
            amount = balance_at(account, self.code, at)
            if (amount < self._below) != was_low:
                kind = "balance.recovered" if was_low else "balance.low"
                yield Due(at, kind, f"{self._name}:{account.ref}", {"asset": self.code, "amount": amount})
                return


class Asking:
    """Top-ups that are asked for: none while one is open, and so many a day and month at most."""

    def __init__(self, name: str, rule: Automatic, program: Context) -> None:
        self.code = rule.currency or program.currency.code
        self._name = f"{name}.automatic:{self.code}"
        self._fact = f"_{self._name}"
        self._rule = rule
        self._calendar = program.calendar
        self._default = program.currency.code
        self._below = _units("automatic: below", rule.below, self.code, program)
        self._amount = _units("automatic: amount", rule.amount, self.code, program)

    def learned(self, event: Event, account: AccountView, at: int) -> Iterator[Fact]:
        """Yield what is open and what was asked for on which days."""
        known: dict[str, Any] = remembered(account, self._fact) or {"open": 0, "days": []}
        if isinstance(event, TopUpRequested) and event.id.startswith(f"{self._name}:"):
            today = self._calendar.day(event.at)
            days = [day for day in known["days"] if day > today - _MONTHS_KEPT]
            yield remember(account, self._fact, {"open": event.at + self._rule.open_for, "days": [*days, today]}, at)
        elif isinstance(event, (TopUp, TopUpDeclined)) and known["open"] and self._is_meant(event.currency):
            yield remember(account, self._fact, {**known, "open": 0}, at)

    def _is_meant(self, currency: str | None) -> bool:
        return (currency or self._default) == self.code

    def due(self, account: AccountView) -> Iterator[Due]:
        """Yield when the next one is asked for, if nothing happens until then."""
        rule = self._rule
        if rule.when is not None and not rule.when.test(None, None, None, account, None):
            return
        known: dict[str, Any] = remembered(account, self._fact) or {"open": 0, "days": []}
        for turn in turns(account, self.code):
            at = self._allowed_from(max(turn, known["open"]), known["days"])
            if balance_at(account, self.code, at) < self._below:
                details = {"asset": self.code, "amount": self._amount}
                yield Due(at, "topup.requested", f"{self._name}:{account.ref}", details)
                return

    def _allowed_from(self, at: int, days: list[int]) -> int:
        """Return the first instant from one on at which the guard allows one more."""
        calendar, rule = self._calendar, self._rule
        day = calendar.day(at)
        month = [other for other in days if _month(other) == _month(day)]
        if len(month) >= rule.per_month:
            first = date.fromordinal(day).replace(day=1).toordinal()
            return calendar.start_of(calendar.add_months(first, 1))
        return calendar.start_of(day + 1) if days.count(day) >= rule.per_day else at


def _month(day: int) -> tuple[int, int]:
    on = date.fromordinal(day)
    return on.year, on.month
