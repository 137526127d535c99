"""Options of the transfers plugin."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, model_validator

from stampbook import PluginConfig, Rounding, ValidityText, WindowText, refuse

DECIMAL = r"^\d{1,12}(\.\d{1,6})?$"
_PERCENT = r"^\d{1,3}(\.\d{1,4})?$"
NAME = r"^[a-z][a-z0-9_-]{0,62}$"


class TransferLimit(PluginConfig):
    """The most that an account may send or receive in a window, in amount or in number."""

    name: Annotated[str, Field(pattern=NAME, description="unique in the table; objections name it")]
    window: Annotated[WindowText, Field(description="the days that count", examples=["calendar month", "30 days"])]
    most: Annotated[str | None, Field(pattern=DECIMAL, description="how much at most, fees left out")] = None
    count: Annotated[int | None, Field(strict=True, ge=1, description="how many transfers at most")] = None
    of: Annotated[Literal["sender", "receiver"], Field(description="whose transfers count")] = "sender"

    @model_validator(mode="after")
    def _limits(self) -> TransferLimit:
        if (self.most is None) == (self.count is None):
            refuse("write either most, an amount, or count, a number of transfers")
        return self


class TransfersConfig(PluginConfig):
    """What accounts may give to one another: one asset, its limits, its fee, and what becomes of its expiry."""

    asset: Annotated[str, Field(description="asset that may be sent")]
    least: Annotated[str | None, Field(pattern=DECIMAL, description="the least of one transfer")] = None
    most: Annotated[str | None, Field(pattern=DECIMAL, description="the most of one transfer")] = None
    step: Annotated[str | None, Field(pattern=DECIMAL, description="transfers are multiples of it")] = None
    kinds: Annotated[
        tuple[Annotated[str, Field(min_length=1, max_length=64)], ...],
        Field(min_length=1, description="kinds of lot that may be sent; what was paid for is not among them"),
    ] = ("earned", "bonus", "adjusted", "renewed")
    fee_percent: Annotated[str | None, Field(pattern=_PERCENT, description="fee as a part of the amount")] = None
    fee_fixed: Annotated[str | None, Field(pattern=DECIMAL, description="fee for each transfer, in the asset")] = None
    fee_least: Annotated[str | None, Field(pattern=DECIMAL, description="the least fee")] = None
    fee_most: Annotated[str | None, Field(pattern=DECIMAL, description="the most fee")] = None
    fee_rounding: Annotated[Rounding, Field(description="how the part becomes whole units")] = Rounding.HALF_UP
    fee_from: Annotated[
        Literal["sender", "amount"],
        Field(description="whether the sender pays the fee on top, or the receiver gets that much less"),
    ] = "sender"
    fee_book: Annotated[str, Field(pattern=NAME, description="book that takes the fee")] = "fees"
    expiry: Annotated[
        Literal["keep", "restart"],
        Field(description="whether what arrives ends when it would have ended, or gets a validity of its own"),
    ] = "keep"
    expires: Annotated[ValidityText | None, Field(description="with expiry = 'restart': the validity")] = None
    at_latest: Annotated[
        ValidityText | None,
        Field(
            description="with expiry = 'restart': counted from when the points were first good, the end beyond which "
            "no number of transfers takes them; `expires` twice over where absent, 'never' for no bound"
        ),
    ] = None
    to_frozen: Annotated[bool, Field(strict=True, description="whether a frozen account may receive")] = True
    limits: Annotated[
        tuple[TransferLimit, ...], Field(alias="limit", description="the most in a window, by sender or receiver")
    ] = ()

    @model_validator(mode="after")
    def _fits(self) -> TransfersConfig:
        if (self.expiry == "restart") != (self.expires is not None):
            refuse("expires goes with expiry = 'restart', and only with it; write expires = 'never' for no end")
        if self.at_latest is not None and self.expires is None:
            refuse("at_latest goes with expiry = 'restart'")
        bounds = self.fee_least is not None or self.fee_most is not None
        if bounds and self.fee_percent is None:
            refuse("fee_least and fee_most go with fee_percent")
        if self.fee_percent is not None and Decimal(self.fee_percent) > 100:  # noqa: PLR2004 - the whole
            refuse("fee_percent: more than 100 would be more than what is sent")
        if self.fee_book in {"cash", "sales", "promotion", "breakage", "adjustments", "transfers", "opening"}:
            refuse(f"fee_book: {self.fee_book!r} is a book of the ledger's own; name another, such as 'fees'")
        names = [limit.name for limit in self.limits]
        if len(set(names)) < len(names):
            refuse("two limits have one name; each needs its own")
        return self
