"""Options of the cards plugin."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from stampbook import PluginConfig, ValidityText, refuse

_DECIMAL = r"^\d{1,12}(\.\d{1,6})?$"

Asked = Literal["spend", "hold", "claim", "enquiry"]


class CardsConfig(PluginConfig):
    """How cards are numbered, how long they are good, how much may be on one, and when a PIN is asked for."""

    prefix: Annotated[str, Field(pattern=r"^\d{0,10}$", description="digits with which every number begins")] = ""
    length: Annotated[int, Field(strict=True, ge=8, le=19, description="how many digits a number has")] = 16
    check: Annotated[
        Literal["luhn", "damm"],
        Field(description="how the last digit checks the others: `luhn` is what printers and readers of cards know, "
              "`damm` finds every two neighbours that changed places"),
    ] = "luhn"  # fmt: skip
    expires: Annotated[
        ValidityText | None,
        Field(
            description="how long a bearer card is good, counted from when money was last put on it; for ever if absent"
        ),
    ] = None
    registered_expires: Annotated[
        ValidityText | None, Field(description="the same for a registered card; for ever where absent")
    ] = None
    over: Annotated[
        Literal["suspended", "lapses"],
        Field(description="what becomes of a card whose time is over: its value stays and the card is re-activated on "
              "request, or its value lapses"),
    ] = "suspended"  # fmt: skip
    claim: Annotated[
        Literal["moves", "stays"],
        Field(description="what a claim does that does not say: the value moves to the customer's account, or stays "
              "on the card, which is then registered"),
    ] = "moves"  # fmt: skip
    bearer_most: Annotated[
        str | None, Field(pattern=_DECIMAL, description="the most money on a bearer card", examples=["1000"])
    ] = None
    registered_most: Annotated[
        str | None, Field(pattern=_DECIMAL, description="the most money on a registered card", examples=["5000"])
    ] = None
    pin: Annotated[Literal["optional", "required"], Field(description="whether a card may be issued without a PIN")] = (
        "optional"
    )
    pin_for: Annotated[
        tuple[Asked, ...], Field(description="for what a card that has a PIN asks it; a wrong one is always refused")
    ] = ("spend", "hold", "claim", "enquiry")
    wrong_pins: Annotated[
        int, Field(strict=True, ge=1, le=20, description="how many wrong PINs lock a card until an operator unlocks it")
    ] = 5
    wrong_within_minutes: Annotated[
        int,
        Field(strict=True, ge=1, le=525_600, description="the minutes within which wrong PINs are counted together"),
    ] = 1440

    @model_validator(mode="after")
    def _fits(self) -> CardsConfig:
        if len(self.prefix) > self.length - 6:
            refuse("prefix: leave at least five digits and the check digit for the number of a card")
        if self.over == "lapses" and self.expires is None and self.registered_expires is None:
            refuse("over = 'lapses' goes with expires or registered_expires: without them no card is ever over")
        return self
