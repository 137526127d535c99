"""A top-up goes back: to the customer who asks for it, or to the bank that takes its money away."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from stampbook import Event, OfEarlier, PositiveAmount

_Text = Annotated[str, Field(max_length=1000, pattern=r"^[^\x00]*$")]
_Whole = Annotated[int, Field(strict=True, ge=0)]
_Short = Annotated[str, Field(max_length=255)]


class _OfTopUp(OfEarlier):
    """What becomes of a top-up, which is named by its id (and source)."""

    of_history: ClassVar[bool] = True
    of_known_account: ClassVar[bool] = True
    earns: ClassVar[bool] = False

    currency: str | None = None
    amount: PositiveAmount | None = None
    reason: _Text = ""
    operator: _Short = ""


class TopUpReturned(_OfTopUp):
    """A customer wants a top-up back: an amount of it, or all that is left. What came with it is taken back."""

    type: Literal["topup.returned"] = "topup.returned"


class TopUpChargedBack(_OfTopUp):
    """A payment system took paid-in money back, or a part: what is left of it is taken, the rest is owed.

    `about` is a top-up, or of the account of a card its activation or a top-up of it. Where all went on to another card
    or account since, it is taken there.
    """

    on_closed: ClassVar[bool] = True  # a bank does not ask; what the program says of that is for `propose`

    type: Literal["topup.charged_back"] = "topup.charged_back"

    @property
    def while_frozen(self) -> bool:
        """It happens to frozen accounts too."""
        return True


class ChargebackFollowed(Event):
    """Money that was charged back where it was paid in, `giver`, is taken here, where it went on to.

    `parts` are by the position of the event there that sent it: how much other paid-in money that sent before, and how
    much it was; what was spent before it went on is in none. `hop` is 1 where a refusal here refuses the chargeback.
    """

    asset_field: ClassVar[str] = "asset"
    brought_by_time: ClassVar[bool] = True
    of_history: ClassVar[bool] = True
    of_known_account: ClassVar[bool] = True
    on_closed: ClassVar[bool] = True
    earns: ClassVar[bool] = False

    type: Literal["chargeback.followed"] = "chargeback.followed"
    giver: str
    asset: str
    amount: Annotated[int, Field(strict=True, gt=0)]
    parts: tuple[tuple[_Whole, _Whole, _Whole], ...] = ()
    hop: _Whole = 1


KINDS = (TopUpReturned, TopUpChargedBack, ChargebackFollowed)
