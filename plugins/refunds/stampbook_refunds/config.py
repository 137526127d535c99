"""Options of the refunds plugin."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from stampbook import PeriodText, PluginConfig, refuse

SpentPolicy = Literal["pending_only", "within_balance", "debt", "refuse", "deduct_from_refund"]


class ToStoredValue(PluginConfig):
    """The lot in which money from outside comes back where the customer chooses stored value."""

    kind: Annotated[
        str,
        Field(
            pattern=r"^[a-z][a-z_]{0,31}$",
            description="of the lot; `paid` is the customer's money, as if it had been topped up",
        ),
    ] = "paid"
    good_for: Annotated[PeriodText | None, Field(description="when it ends; never where absent")] = None
    priority: Annotated[int, Field(ge=-1000, le=1000, description="of the lot: lower ones are spent first")] = 0

    @model_validator(mode="after")
    def _no_debt(self) -> ToStoredValue:
        if self.kind == "debt":
            refuse("kind: 'debt' is the ledger's own")
        return self


class TopUpReturn(PluginConfig):
    """How a top-up is taken back for who asks for it; without the table none is."""

    bonus: Annotated[
        Literal["proportional", "whole", "keep"],
        Field(
            description="what came with the top-up and is taken back: its part, all of it as soon as anything goes "
            "back, or nothing"
        ),
    ] = "proportional"
    used: Annotated[
        Literal["rest", "refuse"],
        Field(description="of a top-up that is used in part: what is left of it goes back, or nothing does"),
    ] = "rest"
    bonus_spent: Annotated[
        Literal["as_points_spent", "deduct"],
        Field(
            description="when what came with it is spent already: as points_spent says, or kept from the money (points "
            "by unit_values)"
        ),
    ] = "as_points_spent"


class Chargeback(PluginConfig):
    """What happens when a payment system takes money back; without the table such events are refused."""

    freeze: Annotated[bool, Field(strict=True, description="whether the account is frozen")] = True
    rest: Annotated[
        Literal["debt", "let_go"],
        Field(
            description="of a top-up: what is not there any more is owed (needs debt = true of the currency) or lost"
        ),
    ] = "debt"
    given_away: Annotated[
        Literal["owed", "followed"],
        Field(
            description="of a top-up that the account has given to another one since: owed by who gave it away, or "
            "taken, and owed, where it is now. Where a card was claimed or replaced, or an account merged, it is "
            "always taken where it is"
        ),
    ] = "owed"
    closed: Annotated[
        Literal["refuse", "reopen"],
        Field(
            description="of an account that is closed: the chargeback is refused, or kept; where anything is owed "
            "then, the account is there again, frozen or open as `freeze` says"
        ),
    ] = "refuse"


class RefundsConfig(PluginConfig):
    """How the return of a purchase is made good."""

    points_spent: Annotated[
        SpentPolicy,
        Field(
            description="when points to take back are spent already: take only what is still pending, "
            "down to a balance of zero, into debt, refuse the return, or keep their value from the refund"
        ),
    ] = "within_balance"
    come_back: Annotated[
        Literal["keep", "take"],
        Field(
            description="with within_balance, points that were let go because they were set aside or had paid for "
            "something, and come back later (the hold is released, the reward cancelled): the customer keeps them, or "
            "they are taken then"
        ),
    ] = "keep"
    repaid: Annotated[
        Literal["as_it_was", "as_paid"],
        Field(
            description="bonus of a currency that was owed once it was spent, since it was not to be kept or was to be "
            "taken back, and that money repaid: when what it had paid for comes back, it is bonus again, or paid value"
        ),
    ] = "as_it_was"
    take_back: Annotated[
        Literal["proportional", "increments", "anew"],
        Field(
            description="what a partial return takes of the points that its purchase earned: their part; what the "
            "whole steps that come back had earned; or all but what the rest would have earned"
        ),
    ] = "proportional"
    unit_values: Annotated[
        dict[str, Annotated[str, Field(pattern=r"^\d{1,9}(\.\d{1,9})?$")]],
        Field(default_factory=dict, description="for deduct_from_refund: money value of one whole unit, by asset"),
    ]
    tenders: Annotated[
        Literal["proportional", "reverse", "in_order", "outside_first"],
        Field(
            description="of a purchase paid in several ways, which of them a return gives back: each its part; the "
            "last one used first; the first one used first; or money from outside first, then stored value, then points"
        ),
    ] = "proportional"
    to_stored_value: Annotated[
        ToStoredValue | None,
        Field(
            description="lets customers choose stored value for what they paid from outside (`refund_to` of the return)"
        ),
    ] = None
    topup_return: Annotated[TopUpReturn | None, Field(description="lets top-ups be returned")] = None
    chargeback: Annotated[Chargeback | None, Field(description="what a chargeback does")] = None
    stored_value: Annotated[
        Literal["proportional", "first", "last"],
        Field(description="of a purchase paid in part from stored value: which part a return gives back"),
    ] = "proportional"

    paid_points: Annotated[
        Literal["proportional", "first", "last"],
        Field(
            description="of a purchase paid in part with points: which part a return gives back; "
            "last: points come back when all else has"
        ),
    ] = "proportional"

    expired: Annotated[
        Literal["expire", "extend", "forfeit"],
        Field(
            description="points that paid for what comes back and have expired since: back as they were, so that they "
            "expire at once; good again for extend_by; or lost"
        ),
    ] = "expire"
    extend_by: Annotated[PeriodText | None, Field(description="for expired = 'extend'")] = None

    @model_validator(mode="after")
    def _awaits(self) -> RefundsConfig:
        if self.come_back != "keep" and self.points_spent != "within_balance":
            refuse("come_back goes with points_spent = 'within_balance'")
        return self

    @model_validator(mode="after")
    def _one_order(self) -> RefundsConfig:
        if self.tenders != "proportional" and (self.stored_value, self.paid_points) != ("proportional",) * 2:
            refuse("stored_value and paid_points go with tenders = 'proportional'; it says the order of all itself")
        return self

    @model_validator(mode="after")
    def _extends(self) -> RefundsConfig:
        if (self.expired == "extend") != (self.extend_by is not None):
            refuse("extend_by goes with expired = 'extend', and only with it")
        return self

    @model_validator(mode="after")
    def _valued(self) -> RefundsConfig:
        deducts = self.points_spent == "deduct_from_refund"
        of_topups = self.topup_return is not None and self.topup_return.bonus_spent == "deduct"
        if (deducts and not self.unit_values) or (self.unit_values and not (deducts or of_topups)):
            refuse("unit_values goes with points_spent = 'deduct_from_refund', and only with it")
        return self
