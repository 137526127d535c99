"""The `[assets.CODE]` tables of a program: what is counted, how it is spent, and what its holds may do."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from stampbook.option_types import PeriodText
from stampbook.vocabulary import refuse

_PERCENT = r"^\d{1,3}(\.\d{1,4})?%$"


class AssetTable(BaseModel):
    """One `[assets.CODE]` table: what is counted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    decimals: Annotated[
        int | None, Field(strict=True, ge=0, le=6, description="digits after the point; a currency has its own")
    ] = None
    debt: Annotated[bool, Field(strict=True, description="whether an account may owe it, as its own negative lot")] = (
        False
    )
    topup_debt: Annotated[
        Literal["keep", "repay"],
        Field(
            description="of a currency that may be owed: what a top-up that does not say so itself (`debt`) does with "
            "a debt. It stays, and all of the top-up may be spent; or the top-up repays it first"
        ),
    ] = "keep"
    spend_order: Annotated[
        tuple[Literal["priority", "expiry", "bonus_first", "paid_first", "effective", "created"], ...] | None,
        Field(
            min_length=1,
            description="which lots are spent first, key by key; priority, expiry, bonus_first, effective, created",
        ),
    ] = None
    proportion: Annotated[
        Literal["to what remains", "to what was granted"] | None,
        Field(
            description="paid and other value pay together, in proportion to what lots hold, or held when they were "
            "opened; the spend order holds within each. By the spend order alone where absent"
        ),
    ] = None
    over_capture: Annotated[
        str | None,
        Field(
            pattern=_PERCENT,
            description="how much more than was set aside a capture may take, such as a tip: a share of the hold; "
            "refused where absent",
        ),
    ] = None
    after_capture: Annotated[
        Literal["release", "keep"],
        Field(description="the rest of a hold after a capture that does not say `final`: released, or kept for more"),
    ] = "release"
    on_close: Annotated[
        Literal["refuse", "forfeit", "pay_out"] | None,
        Field(
            description="closing an account that holds it: refused (a currency's default), forfeit (a unit's), or, of "
            "money, paid out: at par, or as the packs of `payouts` quote it"
        ),
    ] = None
    partial: Annotated[
        Literal["refuse", "allow"],
        Field(
            description="what asks to be paid as much as there is (`partial` of a spend, a hold or a tender): refused, "
            "or paid as far as there is something to spend"
        ),
    ] = "refuse"
    partial_rest: Annotated[
        str | None,
        Field(
            min_length=1,
            max_length=255,
            description="the kind of tender that pays what is left of a purchase then, such as cash, where the tender "
            "does not say so in `rest`",
        ),
    ] = None
    held_expired: Annotated[
        Literal["protect", "expire", "extend"],
        Field(
            description="what is set aside when its time is over: good until the hold ends, and what is released then "
            "is over at once; gone with the rest of its lot, so that the hold shrinks; or, released, good for extend_by"
        ),
    ] = "protect"
    extend_by: Annotated[PeriodText | None, Field(description="for held_expired = 'extend'")] = None

    @model_validator(mode="after")
    def _repays(self) -> AssetTable:
        if self.topup_debt == "repay" and not self.debt:
            refuse("topup_debt = 'repay' goes with debt = true: else nothing is owed")
        return self

    @model_validator(mode="after")
    def _extends(self) -> AssetTable:
        if (self.held_expired == "extend") != (self.extend_by is not None):
            refuse("extend_by goes with held_expired = 'extend', and only with it")
        if self.partial_rest is not None and self.partial == "refuse":
            refuse("partial_rest goes with partial = 'allow'")
        if self.partial_rest in {"stored_value", "points", "exchange"}:
            refuse(f"partial_rest: {self.partial_rest!r} is no other money; name a kind such as 'cash' or 'card'")
        return self
