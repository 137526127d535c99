"""A top-up goes back: to the customer who asks for it, or to the bank that takes its money away."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from stampbook import OfEarlier, PositiveAmount

_Text = Annotated[str, Field(max_length=1000, pattern=r"^[^\x00]*$")]
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
    """A payment system took the money of a top-up back, or a part: what is left of it is taken, the rest is owed."""

    on_closed: ClassVar[bool] = True  # a bank does not ask; what the program says of that is for `propose`

    type: Literal["topup.charged_back"] = "topup.charged_back"

    @property
    def while_frozen(self) -> bool:
        """It happens to frozen accounts too."""
        return True


KINDS = (TopUpReturned, TopUpChargedBack)
