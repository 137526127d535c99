"""The events of stored value: what time brings to it, and what operators and customers do with it."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from stampbook import Event, PositiveAmount, Ref

Units = Annotated[int, Field(strict=True, gt=0)]
"""Smallest units; only the engine makes events that have them."""


class BonusReleased(Event):
    """One part of a bonus was released: `number` of `count`, of the top-up at position `topup` of the journal."""

    asset_field: ClassVar[str] = "asset"
    brought_by_time: ClassVar[bool] = True
    earns: ClassVar[bool] = False

    type: Literal["bonus.released"] = "bonus.released"
    asset: str
    amount: Units
    bonus: str
    topup: Annotated[int, Field(strict=True, ge=1)]
    number: Annotated[int, Field(strict=True, ge=1)]
    count: Annotated[int, Field(strict=True, ge=1)]

    @property
    def words(self) -> str:
        """Which part of which bonus."""
        return f"part {self.number} of {self.count} of {self.bonus}"


class BonusPledged(Event):
    """A bonus came under a condition: it is judged when the day before `until` is over, whether it is kept.

    `lots` are pairs of lot and smallest units that hold it; `gone` is what repaid a debt at once. `terms` says in words
    on what condition.
    """

    asset_field: ClassVar[str] = "asset"
    brought_by_time: ClassVar[bool] = True
    earns: ClassVar[bool] = False

    type: Literal["bonus.pledged"] = "bonus.pledged"
    asset: str
    amount: Units
    bonus: str
    topup: Annotated[int, Field(strict=True, ge=1)]
    until: int
    lots: tuple[tuple[int, int], ...]
    gone: Annotated[int, Field(strict=True, ge=0)] = 0
    terms: str

    @property
    def words(self) -> str:
        """Which bonus, and on what condition it is kept."""
        return f"{self.bonus}, to keep {self.terms}"


class BonusReviewed(Event):
    """The time of a bonus under a condition is over: it is kept, or what is left of it is taken back.

    It comes again for what was set aside then, as soon as that is free. Where an account that was merged into this one
    had the top-up (`came_from`), `topup` is a position in the journal of that.
    """

    asset_field: ClassVar[str] = "asset"
    brought_by_time: ClassVar[bool] = True
    earns: ClassVar[bool] = False

    type: Literal["bonus.reviewed"] = "bonus.reviewed"
    asset: str
    bonus: str
    topup: Annotated[int, Field(strict=True, ge=1)]
    came_from: Ref | None = None

    @property
    def words(self) -> str:
        """Which bonus."""
        return self.bonus


class _Level(Event):
    """What time tells of a balance: `amount` is what may be spent, in smallest units."""

    asset_field: ClassVar[str] = "asset"
    brought_by_time: ClassVar[bool] = True

    asset: str
    amount: Annotated[int, Field(strict=True, ge=0)]


class BalanceLow(_Level):
    """Stored value has fallen below what the program calls low. It comes once for each time that it falls."""

    type: Literal["balance.low"] = "balance.low"


class BalanceRecovered(_Level):
    """Stored value is no longer low."""

    type: Literal["balance.recovered"] = "balance.recovered"


class TopUpRequested(Event):
    """The payment system is asked for a top-up of `amount`; the `topup` that it sends answers."""

    asset_field: ClassVar[str] = "asset"
    brought_by_time: ClassVar[bool] = True
    earns: ClassVar[bool] = False

    type: Literal["topup.requested"] = "topup.requested"
    asset: str
    amount: Units


class TopUpDeclined(Event):
    """The payment system could not pay a top-up that it was asked for; the next may be asked for."""

    of_known_account: ClassVar[bool] = True
    earns: ClassVar[bool] = False

    type: Literal["topup.declined"] = "topup.declined"
    currency: str | None = None
    reason: Annotated[str, Field(max_length=1000, pattern=r"^[^\x00]*$")] = ""


class Exchanged(Event):
    """Some of an asset (`asset`, `amount`) is changed into another (`to`) at the program's rate.

    With `rate` the sender says which rate the customer was told; where it is another one, it is refused.
    """

    asset_field: ClassVar[str] = "asset"
    of_known_account: ClassVar[bool] = True
    earns: ClassVar[bool] = False

    type: Literal["exchange"] = "exchange"
    asset: str
    amount: PositiveAmount
    to: Annotated[str, Field(min_length=1, max_length=64)]
    rate: Annotated[str, Field(pattern=r"^\d{1,9}(\.\d{1,9})?$")] | None = None
    reason: Annotated[str, Field(max_length=1000, pattern=r"^[^\x00]*$")] = ""
    operator: Annotated[str, Field(max_length=255)] = ""


BONUSES: tuple[type[Event], ...] = (BonusReleased, BonusPledged, BonusReviewed)
"""What time brings of bonuses."""
