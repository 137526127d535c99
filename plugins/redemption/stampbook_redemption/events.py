"""The events of redemption: what customers and tills do, and what they tell the accounts of codes."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from stampbook import Basket, Event, Instant, Name, OfEarlier, refuse

_Text = Annotated[str, Field(max_length=1000, pattern=r"^[^\x00]*$")]
_Short = Annotated[str, Field(max_length=255)]
_Code = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00-\x1f\x7f]+$")]


class _Done(Event):
    channel: _Short = ""
    store: _Short = ""
    reason: _Text = ""
    operator: _Short = ""


class RewardRedeemed(_Done):
    """A customer takes a reward. It may be paid from a hold, and gets the next code, or the one that is named."""

    type: Literal["reward.redeemed"] = "reward.redeemed"
    reward: Name
    code: _Code | None = None
    hold: Name | None = None
    hold_source: Name | None = None

    @property
    def names(self) -> tuple[str, str] | None:
        """The source and id of the hold from which it is paid."""
        return None if self.hold is None else (self.hold_source or self.source, self.hold)

    @property
    def words(self) -> str:
        """Which reward."""
        return self.reward


class RewardReserved(_Done):
    """A reward is set aside until `lapses_at`: its price and its piece. What redeems it names this event as `hold`."""

    type: Literal["reward.reserved"] = "reward.reserved"
    reward: Name
    lapses_at: Instant

    @property
    def words(self) -> str:
        """Which reward."""
        return self.reward

    @model_validator(mode="after")
    def _lasts(self) -> RewardReserved:
        if self.lapses_at <= self.at:
            refuse("lapses_at comes after the event")
        return self


class RewardReleased(Event):
    """A reward that was reserved on a local day is there for others again. It follows at once."""

    brought_by_time: ClassVar[bool] = True

    type: Literal["reward.released"] = "reward.released"
    reward: str
    day: str

    @property
    def words(self) -> str:
        """Which reward."""
        return self.reward


class RewardGiven(Event):
    """A reward costs nothing this once: another part of the program gives it, such as a level that was entered.

    `seed` is a secret of the books, in hexadecimal, from which a code is made.
    """

    brought_by_time: ClassVar[bool] = True
    earns: ClassVar[bool] = False

    type: Literal["reward.given"] = "reward.given"
    reward: str
    seed: str
    why: str = ""

    @property
    def words(self) -> str:
        """Which reward, and what for."""
        return f"{self.reward}, {self.why}" if self.why else self.reward


class _Undoing(OfEarlier, _Done):
    """Cancels what was given."""


class RewardCancelled(_Undoing):
    """A reward is given back unused: what it cost returns to where it came from."""

    type: Literal["reward.cancelled"] = "reward.cancelled"


class VoucherRedeemed(_Done):
    """A customer uses a code. `series` says of which sort it is where its beginning does not.

    `order` is what is being bought, for series that ask for a least amount, or for some goods.
    """

    type: Literal["voucher.redeemed"] = "voucher.redeemed"
    code: _Code
    series: Name | None = None
    order: Basket | None = None

    @property
    def words(self) -> str:
        """Which code."""
        return self.code


class VoucherCancelled(_Undoing):
    """The use of a code did not happen: it may be used again, and what it gave is taken back."""

    type: Literal["voucher.cancelled"] = "voucher.cancelled"


class _OfCode(Event):
    code: _Code

    @property
    def words(self) -> str:
        """Which code."""
        return self.code


class _OfSeries(_OfCode):
    series: Name

    @property
    def words(self) -> str:
        """Which code, and of which sort."""
        return f"{self.code} ({self.series})"


class VoucherLoaded(_OfSeries):
    """A code of a pool is put on the account of the code, ``voucher:CODE``."""

    type: Literal["voucher.loaded"] = "voucher.loaded"
    holder: Annotated[str, Field(max_length=180)] = ""
    operator: _Short = ""


class VoucherIssued(_OfSeries):
    """A code was made for an account."""

    brought_by_time: ClassVar[bool] = True

    type: Literal["voucher.issued"] = "voucher.issued"
    holder: str


class VoucherAssigned(_OfSeries):
    """A code of a pool was given to an account."""

    brought_by_time: ClassVar[bool] = True

    type: Literal["voucher.assigned"] = "voucher.assigned"
    holder: str


class VoucherPresented(_OfSeries):
    """An account uses the code; `also` are the accounts that were merged into it."""

    brought_by_time: ClassVar[bool] = True

    type: Literal["voucher.presented"] = "voucher.presented"
    by: str
    also: tuple[str, ...] | None = None


class VoucherReturned(_OfCode):
    """An account's use of the code was cancelled."""

    brought_by_time: ClassVar[bool] = True

    type: Literal["voucher.returned"] = "voucher.returned"
    by: str


class VoucherWithdrawn(_OfCode):
    """The reward that the code came from was cancelled; `also` are the accounts that were merged into that one."""

    brought_by_time: ClassVar[bool] = True

    type: Literal["voucher.withdrawn"] = "voucher.withdrawn"
    by: str
    also: tuple[str, ...] | None = None


class VoucherVoided(Event):
    """An operator makes a code void: nobody can use it any more."""

    type: Literal["voucher.voided"] = "voucher.voided"
    reason: Annotated[str, Field(min_length=1, max_length=1000, pattern=r"^[^\x00]*$")]
    operator: _Short = ""


KINDS: tuple[type[Event], ...] = (
    RewardReserved,
    RewardReleased,
    RewardRedeemed,
    RewardGiven,
    RewardCancelled,
    VoucherRedeemed,
    VoucherCancelled,
    VoucherLoaded,
    VoucherIssued,
    VoucherAssigned,
    VoucherPresented,
    VoucherReturned,
    VoucherWithdrawn,
    VoucherVoided,
)
"""Every kind of event that redemption brings."""
