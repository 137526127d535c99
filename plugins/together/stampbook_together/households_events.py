"""The events of households: who belongs to a pool, what comes into it, and what is taken out."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from stampbook import Event, PositiveAmount, Ref
from stampbook_together.moving import Part

_Text = Annotated[str, Field(max_length=1000, pattern=r"^[^\x00]*$")]
_Short = Annotated[str, Field(max_length=255)]
_Whole = Annotated[int, Field(strict=True)]
Role = Literal["member", "spender"]


class _ByHand(Event):
    of_known_account: ClassVar[bool] = True
    earns: ClassVar[bool] = False

    reason: _Text = ""
    operator: _Short = ""


class HouseholdJoined(_ByHand):
    """An account joins the pool of another account; whoever joins first is its owner."""

    type: Literal["household.joined"] = "household.joined"
    to: Ref
    role: Role = "member"


class HouseholdLeft(_ByHand):
    """An account leaves its pool; what was pooled stays there."""

    type: Literal["household.left"] = "household.left"


class HouseholdRole(_ByHand):
    """A pool lets a member spend, or no longer, or has another owner."""

    type: Literal["household.role"] = "household.role"
    member: Ref
    role: Literal["member", "spender", "owner"]


class HouseholdSpent(Event):
    """A member spends from the pool."""

    asset_field: ClassVar[str] = "asset"
    of_known_account: ClassVar[bool] = True

    type: Literal["household.spent"] = "household.spent"
    member: Ref
    asset: str | None = None
    amount: PositiveAmount
    channel: _Short = ""
    store: _Short = ""
    reason: _Text = ""
    operator: _Short = ""


class HouseholdReleased(_ByHand):
    """Some of what was pooled goes to a member's own account; `by` is the member who asks for it, if another."""

    asset_field: ClassVar[str] = "asset"

    type: Literal["household.released"] = "household.released"
    to: Ref
    by: Ref | None = None
    asset: str | None = None
    amount: PositiveAmount


class _Told(Event):
    of_known_account: ClassVar[bool] = True
    brought_by_time: ClassVar[bool] = True
    earns: ClassVar[bool] = False


class HouseholdMemberJoined(_Told):
    """A pool has one more member."""

    type: Literal["household.member_joined"] = "household.member_joined"
    member: Ref
    role: Role


class HouseholdMemberLeft(_Told):
    """A pool has one member less."""

    type: Literal["household.member_left"] = "household.member_left"
    member: Ref


class _Pooled(Event):
    asset_field: ClassVar[str] = "asset"
    brought_by_time: ClassVar[bool] = True
    earns: ClassVar[bool] = False

    member: Ref
    rule: str
    asset: str
    units: _Whole
    kind: str
    effective_at: _Whole
    expires_at: _Whole
    priority: _Whole


class HouseholdEarned(_Pooled):
    """The pool's part of what a member earned."""

    type: Literal["household.earned"] = "household.earned"


class HouseholdMatured(_Pooled):
    """The pool's part of what waited for a purchase that is completed now."""

    type: Literal["household.matured"] = "household.matured"


class HouseholdReturned(_Pooled):
    """The pool's part of what a member earned, taken back with the purchase."""

    type: Literal["household.returned"] = "household.returned"
    completed_at: _Whole | None = None


class HouseholdReceived(_Told):
    """What a member's own account gets out of the pool."""

    asset_field: ClassVar[str] = "asset"

    type: Literal["household.received"] = "household.received"
    pool: Ref
    asset: str
    parts: tuple[Part, ...]


KINDS: tuple[type[Event], ...] = (
    HouseholdJoined,
    HouseholdLeft,
    HouseholdRole,
    HouseholdSpent,
    HouseholdReleased,
    HouseholdMemberJoined,
    HouseholdMemberLeft,
    HouseholdEarned,
    HouseholdMatured,
    HouseholdReturned,
    HouseholdReceived,
)
