"""The events of cards: what tills, customers and operators do with them, and what cards tell one another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator

from stampbook import Event, Instant, Name, OfEarlier, PaidIn, PositiveAmount, Ref, refuse
from stampbook_cards import pins

if TYPE_CHECKING:
    from collections.abc import Mapping

_Text = Annotated[str, Field(max_length=1000, pattern=r"^[^\x00]*$")]
_Said = Annotated[str, Field(min_length=1, max_length=1000, pattern=r"^[^\x00]*$")]
_Short = Annotated[str, Field(max_length=255)]
_Who = Annotated[str, Field(min_length=1, max_length=255)]
_Whole = Annotated[int, Field(strict=True)]
Part = tuple[str, _Whole, str, _Whole, _Whole, _Whole]
"""Units of a lot and its terms: asset, units, kind, effective at, expires at, priority."""


class _OfCard(Event):
    of_known_account: ClassVar[bool] = True
    earns: ClassVar[bool] = False


class _AtTill(_OfCard):
    channel: _Short = ""
    store: _Short = ""
    reason: _Text = ""
    operator: _Short = ""


class _WithPin(Event):
    """`pin` is read as its keyed hash, `pin_hash`, before anything else sees the event."""

    secrets: ClassVar[frozenset[str]] = frozenset({"pin", "pin_hash"})

    pin_hash: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")] | None = None

    @classmethod
    def sealed(cls, data: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what a sender wrote with the hash of its PIN instead of the PIN."""
        return pins.sealed(data)


class _ByOperator(_OfCard):
    reason: _Said
    operator: _Who


class CardIssued(_WithPin):
    """A card was printed or made, and nothing is on it. It is an account of its own, ``card:NUMBER``."""

    earns: ClassVar[bool] = False

    type: Literal["card.issued"] = "card.issued"
    batch: _Short = ""
    operator: _Short = ""

    @property
    def words(self) -> str:
        """Of which batch."""
        return self.batch


class _Paid(_AtTill, PaidIn):
    tender: Name

    @property
    def words(self) -> str:
        """What paid for it."""
        return self.tender


class CardActivated(_Paid):
    """A card is sold: the amount that was paid for it, with `tender`, is on it from now on."""

    sells: ClassVar[bool | None] = True

    type: Literal["card.activated"] = "card.activated"


class CardSaleVoided(OfEarlier, _ByOperator):
    """The sale of a card, named in `about`, did not happen: what was paid is given back, and it can be sold again."""

    type: Literal["card.sale_voided"] = "card.sale_voided"


class CardToppedUp(_Paid):
    """More money was paid for a card that is active."""

    earns: ClassVar[bool] = True  # what is on it is good for longer, which is for `reward` to say
    sells: ClassVar[bool | None] = False

    type: Literal["card.topped_up"] = "card.topped_up"


class CardSpent(_AtTill, _WithPin):
    """A card pays at a till."""

    type: Literal["card.spent"] = "card.spent"
    currency: str | None = None
    amount: PositiveAmount


class CardAuthorised(_AtTill, _WithPin):
    """Value of a card is set aside until `lapses_at`; what captures or voids it names this event as `hold`."""

    type: Literal["card.authorised"] = "card.authorised"
    currency: str | None = None
    amount: PositiveAmount
    lapses_at: Instant

    @model_validator(mode="after")
    def _lasts(self) -> CardAuthorised:
        if self.lapses_at <= self.at:
            refuse("lapses_at comes after the event")
        return self


class CardRefunded(OfEarlier, _AtTill):
    """What a card paid, named in `about`, comes back to it: all that has not come back yet, or an amount.

    Where the card was replaced or its value was moved to an account, it goes there.
    """

    on_closed: ClassVar[bool] = True

    type: Literal["card.refunded"] = "card.refunded"
    currency: str | None = None
    amount: PositiveAmount | None = None


class CardEnquired(_OfCard, _WithPin):
    """The bearer asks what is on a card. Nothing moves; the outcome remembers `balance`, `good_until` and `state`."""

    type: Literal["card.enquired"] = "card.enquired"
    channel: _Short = ""


class CardClaimed(_AtTill, _WithPin):
    """A customer claims a card for an account, `to`. The value `moves` there, or `stays` on the card."""

    earns: ClassVar[bool] = True  # what stays is good for longer, which is for `reward` to say

    type: Literal["card.claimed"] = "card.claimed"
    to: Ref
    value: Literal["moves", "stays"] | None = None

    @property
    def words(self) -> str:
        """For which account."""
        return self.to


class CardBlocked(_ByOperator):
    """An operator blocks a card: nothing can be put on it or taken from it until it is unblocked or replaced."""

    type: Literal["card.blocked"] = "card.blocked"


class CardUnblocked(_ByOperator):
    """An operator lets a blocked card be used again."""

    type: Literal["card.unblocked"] = "card.unblocked"


class CardUnlocked(_ByOperator):
    """An operator lets PINs be tried again after too many wrong ones."""

    type: Literal["card.unlocked"] = "card.unlocked"


class CardPinSet(_ByOperator, _WithPin):
    """An operator gives a card another PIN; wrong ones given before count no longer."""

    type: Literal["card.pin_set"] = "card.pin_set"

    @model_validator(mode="after")
    def _is_there(self) -> CardPinSet:
        if self.pin_hash is None:
            refuse("write the new pin")
        return self


class CardReplaced(_ByOperator):
    """All that a card has goes to a card that was issued and not sold, `to`; the old one is dead for ever."""

    type: Literal["card.replaced"] = "card.replaced"
    to: Ref

    @property
    def words(self) -> str:
        """By which card."""
        return self.to


class CardReactivated(_ByOperator):
    """A card whose time was over is good again, as long as one that was sold now, and costs nothing."""

    type: Literal["card.reactivated"] = "card.reactivated"


class _Told(_OfCard):
    brought_by_time: ClassVar[bool] = True

    parts: tuple[Part, ...] = ()


class CardPinFailed(_OfCard):
    """A wrong PIN was given; what brought it was refused."""

    brought_by_time: ClassVar[bool] = True

    type: Literal["card.pin_failed"] = "card.pin_failed"


class CardTookOver(_Told):
    """What another card had is this one's now; `before` are all the cards that it stands for."""

    type: Literal["card.took_over"] = "card.took_over"
    holder: str = ""
    until: _Whole
    before: tuple[str, ...]

    @property
    def words(self) -> str:
        """From which card."""
        return self.before[-1]


class CardArrived(_Told):
    """The value of a card that was claimed, or that came back to it since, arrives on the account of the customer."""

    type: Literal["card.arrived"] = "card.arrived"
    card: str

    @property
    def words(self) -> str:
        """Of which card."""
        return self.card


class CardRegistered(_Told):
    """A card is registered for the account: when it was claimed, or when it replaced one that was."""

    type: Literal["card.registered"] = "card.registered"
    card: str

    @property
    def words(self) -> str:
        """Which card."""
        return self.card


class CardWentOn(_Told):
    """What went on from this card went on once more, to `to`."""

    on_closed: ClassVar[bool] = True

    type: Literal["card.went_on"] = "card.went_on"
    to: str


SENT: tuple[type[Event], ...] = (
    CardIssued, CardActivated, CardToppedUp, CardSpent, CardAuthorised, CardRefunded, CardEnquired, CardClaimed,
    CardSaleVoided, CardBlocked, CardUnblocked, CardUnlocked, CardPinSet, CardReplaced, CardReactivated,
)  # fmt: skip
"""The kinds of event that senders post to the account of a card."""

KINDS: tuple[type[Event], ...] = (*SENT, CardPinFailed, CardTookOver, CardArrived, CardRegistered, CardWentOn)
"""Every kind of event that cards bring."""
