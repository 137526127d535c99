"""What a made-up market is like: how often its accounts buy, for how much, when, and what comes back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Literal

from stampbook.errors import InputError

_SHARES: Final = (
    "arrivals", "yearly", "returns", "whole_returns", "lonely_returns", "discounts", "stored_value", "preference"
)  # fmt: skip
_POSITIVE: Final = ("accounts", "days", "r", "alpha", "a", "b", "s", "beta", "p", "q", "gamma", "block")


@dataclass(frozen=True, slots=True, kw_only=True)
class Market:
    """A made-up market; equal ones have equal histories.

    Attributes:
        accounts: how many accounts there are; each buys at least once.
        seed: another one gives another history of the same kind.
        start: its day, in UTC, is the first.
        days: how many days there are.
        arrivals: the share of the days, from the first on, over which the first purchases are spread.
        model: how accounts drop out: after a repeat purchase by chance, or after a lifetime.
        r: shape of the Gamma distribution of buying rates.
        alpha: its rate, in days: an account buys r / alpha times a day in the mean while it is active.
        a: of the Beta(a, b) distribution of the chance to drop out after a repeat purchase (BG/NBD).
        b: see a.
        s: shape of the Gamma distribution of drop-out rates (Pareto/NBD).
        beta: its rate, in days.
        p: shape of the Gamma distribution of an account's amounts (Gamma-Gamma).
        q: shape of the Gamma distribution of their scales.
        gamma: its rate, in minor units: the mean amount is p x gamma / (q - 1).
        yearly: how far trade swings about its mean over the year, 0 not at all.
        peak_day: the day of the year with most trade.
        weekdays: how much trade each weekday has beside the others, Monday first.
        returns: the share of purchases of which something comes back.
        whole_returns: the share of those of which all comes back.
        lonely_returns: returns that name no purchase, for each purchase.
        discounts: the share of purchases with a discount, 5 to 30 % of what was kept of the price.
        stored_value: the share of purchases before which stored value is paid in, part of which is spent later.
        preference: the share of lines in the account's favourite category.
        channels: their names; the first has most.
        stores: how many stores there are.
        categories: their names; the first sells most.
        regions: of accounts.
        industries: of accounts.
        block: accounts made at once; memory grows with it, and another one gives another history.
    """

    accounts: int
    seed: int = 1
    start: datetime = datetime(2023, 1, 2, tzinfo=UTC)
    days: int = 728
    arrivals: float = 0.5
    model: Literal["bg/nbd", "pareto/nbd"] = "bg/nbd"
    r: float = 0.8
    alpha: float = 30.0
    a: float = 0.8
    b: float = 5.0
    s: float = 0.6
    beta: float = 100.0
    p: float = 6.25
    q: float = 3.74
    gamma: float = 1544.0
    yearly: float = 0.3
    peak_day: int = 340
    weekdays: tuple[float, ...] = (0.8, 0.8, 0.9, 1.0, 1.3, 1.5, 0.7)
    returns: float = 0.08
    whole_returns: float = 0.4
    lonely_returns: float = 0.002
    discounts: float = 0.15
    stored_value: float = 0.03
    preference: float = 0.5
    channels: tuple[str, ...] = ("shop", "web", "app")
    stores: int = 20
    categories: tuple[str, ...] = ("fresh", "dry", "dairy", "drinks", "home")
    regions: tuple[str, ...] = ("north", "east", "south", "west")
    industries: tuple[str, ...] = ("private", "catering", "trade", "care")
    block: int = 50_000

    def __post_init__(self) -> None:
        """Refuse what no market can be.

        Raises:
            InputError: the first attribute that is out of range.
        """
        for name in _POSITIVE:
            if getattr(self, name) <= 0:
                raise InputError(f"market: {name} is {getattr(self, name)}; it must be above 0")
        for name in _SHARES:
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"market: {name} is {getattr(self, name)}; it must be a share from 0 to 1")
        if len(self.weekdays) != 7 or min(self.weekdays) < 0 or sum(self.weekdays) <= 0:  # noqa: PLR2004 - days a week
            raise InputError("market: weekdays are seven numbers, none below 0 and one above")
        if self.start.utcoffset() is None:
            raise InputError(f"market: start {self.start.isoformat()} has no time zone")
