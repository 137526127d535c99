"""What happened: the kinds of event, how they are read from data, and the order inside a purchase."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from stampbook.event_base import OWN_SOURCE, Event, OfEarlier
from stampbook.event_fields import End, Instant, Name, PositiveAmount, SignedAmount, Text, fail
from stampbook.joining import EarlierRecalled, EarlierSettled
from stampbook.purchases import (
    Basket,
    Exchange,
    OrderLine,
    Purchase,
    PurchaseCancelled,
    PurchaseCompleted,
    Return,
    ReturnLine,
    Tender,
)

Attribute = Annotated[str, Field(max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$")]


class AccountOpened(Event):
    """An account begins."""

    of_known_account: ClassVar[bool] = True

    type: Literal["account.opened"] = "account.opened"
    attributes: dict[Name, Attribute] = Field(default_factory=dict)


class AccountDescribed(Event):
    """What the program's attributes say of an account: a birthday as month and day, a segment."""

    type: Literal["account.described"] = "account.described"
    attributes: Annotated[dict[Name, Attribute], Field(min_length=1)]


class SegmentChanged(Event):
    """A run of a segmentation scheme put the account into another segment, or gave it other scores.

    `definition` is how the hash begins of what the scheme meant; `scores` are decimal numbers or texts.
    """

    of_known_account: ClassVar[bool] = True

    type: Literal["segment.changed"] = "segment.changed"
    scheme: Name
    segment: Name
    before: Annotated[str, Field(max_length=255)] = ""
    scores: dict[Name, Annotated[str, Field(max_length=255)]] = Field(default_factory=dict)
    definition: Annotated[str, Field(max_length=64)] = ""

    @property
    def while_frozen(self) -> bool:
        """What an account is judged to be changes while it is frozen, too."""
        return True

    @property
    def words(self) -> str:
        """Into which segment of which scheme."""
        return f"{self.scheme}: {self.before or 'none'} to {self.segment}"


class AccountFrozen(Event):
    """Customers can no longer move value on the account; time and operators still can."""

    of_known_account: ClassVar[bool] = True

    type: Literal["account.frozen"] = "account.frozen"
    reason: Text = ""
    operator: Annotated[str, Field(max_length=255)] = ""


class AccountUnfrozen(Event):
    """A frozen account is open again."""

    of_known_account: ClassVar[bool] = True

    type: Literal["account.unfrozen"] = "account.unfrozen"
    reason: Text = ""
    operator: Annotated[str, Field(max_length=255)] = ""


class AccountClosed(Event):
    """An account ends; each asset's `on_close` says what becomes of what it holds.

    Where that is paid out, `cause` is who made it necessary; `means` says how it is paid, `reference` by what payment.
    """

    of_known_account: ClassVar[bool] = True

    type: Literal["account.closed"] = "account.closed"
    cause: Literal["consumer", "operator", "neither"] = "consumer"
    means: Annotated[str, Field(max_length=255)] = "original"
    reference: Annotated[str, Field(max_length=255)] = ""
    reason: Text = ""
    operator: Annotated[str, Field(max_length=255)] = ""


class PaidIn(Event):
    """Money was paid in, for stored value or for a card.

    `buyer` is who buys: a ``person`` or an ``organisation``. `sale_total` is what all comes to that is bought in one
    go, several cards say. `identity` tells where the operator keeps who the buyer is: an entry of a register, never a
    name, since the journal forgets nothing. How it was paid is the `tender` of each kind.

    `sells` says whether it is the sale of a card, or money for one that was sold before; where it is None the account
    itself is the card, and was sold when it was opened.
    """

    sells: ClassVar[bool | None] = None

    currency: str | None = None
    amount: PositiveAmount
    buyer: Literal["person", "organisation"] | None = None
    sale_total: PositiveAmount | None = None
    identity: Name | None = None

    @model_validator(mode="after")
    def _in_all(self) -> PaidIn:
        if self.sale_total is not None and self.sale_total < self.amount:
            fail("sale_total is what is bought in one go comes to in all: no less than the amount")
        return self


class TopUp(PaidIn):
    """Money was paid in for stored value; `tender` is how.

    With `debt` it says what it does with what the account owes: ``repay`` it first, or ``keep`` it; the program says
    where it does not (`topup_debt` of the asset).
    """

    type: Literal["topup"] = "topup"
    tender: Name | None = None
    debt: Literal["keep", "repay"] | None = None
    channel: Annotated[str, Field(max_length=255)] = ""
    store: Annotated[str, Field(max_length=255)] = ""
    reason: Text = ""
    operator: Annotated[str, Field(max_length=255)] = ""


class Spend(Event):
    """Value of one asset was spent outside an order that the engine sees whole.

    With `partial` as much of the amount as there is, where the program allows that.
    """

    asset_field: ClassVar[str] = "asset"

    type: Literal["spend"] = "spend"
    asset: str | None = None
    amount: PositiveAmount
    partial: bool = False
    channel: Annotated[str, Field(max_length=255)] = ""
    store: Annotated[str, Field(max_length=255)] = ""
    reason: Text = ""
    operator: Annotated[str, Field(max_length=255)] = ""


class HoldAuthorised(Event):
    """Value is set aside until it is captured, voided or, at `lapses_at`, lapses. Later events name it by its id.

    With `partial` as much of the amount as there is, where the program allows that.
    """

    asset_field: ClassVar[str] = "asset"

    type: Literal["hold.authorised"] = "hold.authorised"
    asset: str | None = None
    amount: PositiveAmount
    partial: bool = False
    lapses_at: Instant | None = None
    channel: Annotated[str, Field(max_length=255)] = ""
    store: Annotated[str, Field(max_length=255)] = ""
    reason: Text = ""
    operator: Annotated[str, Field(max_length=255)] = ""

    @model_validator(mode="after")
    def _lasts(self) -> HoldAuthorised:
        if self.lapses_at is not None and self.lapses_at <= self.at:
            fail("lapses_at comes after the authorisation")
        return self


class _OfHold(Event):
    """What happens to a hold, named by the id (and source) of the event that authorised it."""

    asset_field: ClassVar[str] = "asset"

    hold: Name
    hold_source: Name | None = None
    asset: str | None = None
    reason: Text = ""
    operator: Annotated[str, Field(max_length=255)] = ""

    @property
    def names(self) -> tuple[str, str] | None:
        """The source and id of the event that authorised the hold."""
        return (self.hold_source or self.source, self.hold)


class HoldCaptured(_OfHold):
    """What was set aside is taken: all of it, or an amount.

    The rest is released where `final`, kept where not; where that is not said, the asset's `after_capture` says it.
    """

    type: Literal["hold.captured"] = "hold.captured"
    amount: PositiveAmount | None = None
    final: bool = True


class HoldVoided(_OfHold):
    """What is set aside is released: all of it, or an amount."""

    type: Literal["hold.voided"] = "hold.voided"
    amount: PositiveAmount | None = None


class HoldChanged(_OfHold):
    """What is set aside is raised or lowered to an amount."""

    type: Literal["hold.changed"] = "hold.changed"
    amount: PositiveAmount


class HoldLapsed(Event):
    """Time released what was still set aside. Made by the engine only."""

    brought_by_time: ClassVar[bool] = True
    earns: ClassVar[bool] = False

    type: Literal["hold.lapsed"] = "hold.lapsed"
    hold: int


class Adjust(Event):
    """An operator grants (above zero) or takes (below zero) value, for a stated reason."""

    asset_field: ClassVar[str] = "asset"

    type: Literal["adjust"] = "adjust"
    asset: str | None = None
    amount: SignedAmount
    reason: Annotated[str, Field(min_length=1, max_length=1000, pattern=r"^[^\x00]*$")]
    operator: Annotated[str, Field(max_length=255)] = ""
    kind: Annotated[str, Field(pattern=r"^(adjusted|earned|bonus)$")] = "adjusted"
    expires: Instant | None = None

    @model_validator(mode="after")
    def _moves(self) -> Adjust:
        if not self.amount:
            fail("an adjustment of zero moves nothing")
        if self.expires is not None and (self.amount < 0 or self.expires <= self.at):
            fail("expires belongs to a grant, and comes after it")
        return self


class Extend(Event):
    """An operator makes lots of one asset good until `until`, those that would end sooner; a date is their last day."""

    asset_field: ClassVar[str] = "asset"

    type: Literal["extend"] = "extend"
    asset: str
    until: End
    lots: tuple[Annotated[int, Field(strict=True, ge=1)], ...] = ()
    reason: Annotated[str, Field(min_length=1, max_length=1000, pattern=r"^[^\x00]*$")]
    operator: Annotated[str, Field(max_length=255)] = ""


class _OfLots(Event):
    """What an operator does to single lots, by their numbers."""

    of_known_account: ClassVar[bool] = True
    earns: ClassVar[bool] = False

    lots: Annotated[tuple[Annotated[int, Field(strict=True, ge=1)], ...], Field(min_length=1)]
    reason: Annotated[str, Field(min_length=1, max_length=1000, pattern=r"^[^\x00]*$")]
    operator: Annotated[str, Field(max_length=255)] = ""

    @property
    def words(self) -> str:
        """Which lots."""
        return f"lot{'' if len(self.lots) == 1 else 's'} {', '.join(map(str, self.lots))}"


class LotsFrozen(_OfLots):
    """What lots hold can no longer be used, for a stated reason; all else on the account goes on."""

    type: Literal["lots.frozen"] = "lots.frozen"


class LotsUnfrozen(_OfLots):
    """What frozen lots hold can be used again."""

    type: Literal["lots.unfrozen"] = "lots.unfrozen"


class Expiry(Event):
    """Time brought the end of a lot; what was left of it goes to breakage. Made by the engine only."""

    brought_by_time: ClassVar[bool] = True
    earns: ClassVar[bool] = False

    type: Literal["expiry"] = "expiry"
    lot: int


CORE_EVENTS: tuple[type[Event], ...] = (
    AccountOpened,
    AccountDescribed,
    SegmentChanged,
    AccountFrozen,
    AccountUnfrozen,
    AccountClosed,
    Purchase,
    PurchaseCompleted,
    PurchaseCancelled,
    Return,
    TopUp,
    Spend,
    Adjust,
    Extend,
    LotsFrozen,
    LotsUnfrozen,
    HoldAuthorised,
    HoldCaptured,
    HoldVoided,
    HoldChanged,
)

OF_PURCHASES: tuple[type[Event], ...] = (Return, PurchaseCompleted)
"""What needs all that is known of the purchase that it names."""

EVENTS_OF_TIME: tuple[type[Event], ...] = (Expiry, HoldLapsed, EarlierRecalled, EarlierSettled)
"""What time brings on its own; no rule rewards it."""

__all__ = [
    "CORE_EVENTS",
    "EVENTS_OF_TIME",
    "OF_PURCHASES",
    "OWN_SOURCE",
    "AccountClosed",
    "AccountDescribed",
    "AccountFrozen",
    "AccountOpened",
    "AccountUnfrozen",
    "Adjust",
    "Basket",
    "EarlierRecalled",
    "EarlierSettled",
    "Event",
    "Exchange",
    "Expiry",
    "Extend",
    "HoldAuthorised",
    "HoldCaptured",
    "HoldChanged",
    "HoldLapsed",
    "HoldVoided",
    "LotsFrozen",
    "LotsUnfrozen",
    "OfEarlier",
    "OrderLine",
    "PaidIn",
    "Purchase",
    "PurchaseCancelled",
    "PurchaseCompleted",
    "Return",
    "ReturnLine",
    "SegmentChanged",
    "Spend",
    "Tender",
    "TopUp",
]
