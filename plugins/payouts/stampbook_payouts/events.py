"""The events of a refund: asked for with its quote, approved or rejected, paid; and the sale of passes."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from stampbook import Amount, End, Event, Instant, Name, OfEarlier, PositiveAmount, refuse

_Text = Annotated[str, Field(max_length=1000, pattern=r"^[^\x00]*$")]
_Short = Annotated[str, Field(max_length=255)]


class RefundRequested(Event):
    """A customer wants the stored balance back: a quote is worked out and kept. Nothing moves.

    `cause` is who made it necessary. Interest runs from `rescinded_at` to the request. `experienced` says that the
    customer had had the same goods or services before, `receipt` that the receipt is there; `deduct` is what is kept,
    such as for gifts that were not given back. With `about` it is for a session pack or a period card, named by the
    event of its sale; `stopped_at` is when the operator stopped serving.
    """

    of_history: ClassVar[bool] = True
    of_known_account: ClassVar[bool] = True
    earns: ClassVar[bool] = False

    type: Literal["refund.requested"] = "refund.requested"
    cause: Literal["consumer", "operator", "neither"] = "consumer"
    rescinded_at: Instant | None = None
    stopped_at: Instant | None = None
    experienced: bool = False
    receipt: bool = False
    deduct: Amount = 0
    deduct_for: _Short = ""
    about: Name | None = None
    about_source: Name | None = None
    reason: _Text = ""
    operator: _Short = ""

    @property
    def names(self) -> tuple[str, str] | None:
        """The source and id of the pass, if it is about one."""
        return None if self.about is None else (self.about_source or self.source, self.about)

    @property
    def words(self) -> str:
        """Who made it necessary."""
        return {"consumer": "the customer's wish", "operator": "the shop's doing", "neither": "nobody's doing"}[
            self.cause
        ]

    @model_validator(mode="after")
    def _in_order(self) -> RefundRequested:
        if self.rescinded_at is not None and self.rescinded_at > self.at:
            refuse("rescinded_at comes before the request, or with it")
        return self


class _OfRequest(OfEarlier):
    """What becomes of a request, which is named by its id (and source)."""

    of_known_account: ClassVar[bool] = True
    of_history: ClassVar[bool] = True
    earns: ClassVar[bool] = False

    reason: _Text = ""
    operator: _Short = ""


class RefundApproved(_OfRequest):
    """Somebody who may do so agrees to a quote."""

    type: Literal["refund.approved"] = "refund.approved"


class RefundRejected(_OfRequest):
    """Somebody who may do so does not agree to a quote."""

    type: Literal["refund.rejected"] = "refund.rejected"


class RefundPaid(_OfRequest):
    """What was quoted and approved is paid out: the lots are emptied. `means` says how, `reference` by what payment.

    With ``original``, as where it is absent, each part goes back by the means by which it was paid, as the quote says.
    """

    type: Literal["refund.paid"] = "refund.paid"
    means: _Short = "original"
    reference: _Short = ""


class RefundLapsed(Event):
    """The last quote of an account holds no more, and was neither rejected nor paid."""

    brought_by_time: ClassVar[bool] = True
    earns: ClassVar[bool] = False

    type: Literal["refund.lapsed"] = "refund.lapsed"
    request: str

    @property
    def words(self) -> str:
        """Which request."""
        return self.request


class PassSold(Event):
    """A pack of sessions, or unlimited use for a time, was sold: `price` was paid for it outside.

    A pack has `sessions`, which are put on the account as an asset of their own; a period card is good from `at` until
    `until`. `list_price` is that of one session without the discount of the pack; `tender` is how it was paid.
    """

    type: Literal["pass.sold"] = "pass.sold"
    name: Name
    price: PositiveAmount
    sessions: Annotated[int, Field(ge=1, le=100_000, strict=True)] | None = None
    until: End | None = None
    list_price: PositiveAmount | None = None
    tender: Name | None = None
    reason: _Text = ""
    operator: _Short = ""

    @property
    def words(self) -> str:
        """What was sold."""
        return self.name

    @model_validator(mode="after")
    def _one_kind(self) -> PassSold:
        if (self.sessions is None) == (self.until is None):
            refuse("a pass has either sessions or until")
        if self.until is not None and self.until <= self.at:
            refuse("until comes after the sale")
        return self


KINDS: tuple[type[Event], ...] = (PassSold, RefundRequested, RefundApproved, RefundRejected, RefundPaid, RefundLapsed)
"""Every kind of event that payouts brings."""
