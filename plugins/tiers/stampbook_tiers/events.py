"""The events of tiers: what time brings, what follows from a change, and what operators do by hand."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field, model_validator

from stampbook import Event, Instant, refuse

_Level = Annotated[str, Field(min_length=1, max_length=64)]
_Scheme = Annotated[str, Field(min_length=1, max_length=63)]
_Reason = Annotated[str, Field(min_length=1, max_length=1000, pattern=r"^[^\x00]*$")]
_Operator = Annotated[str, Field(max_length=255)]


class TierReview(Event):
    """A tier period ended."""

    brought_by_time: ClassVar[bool] = True

    type: Literal["tier.review"] = "tier.review"


class TierDue(Event):
    """What a level depends on ended or came with time: a grant, a lock, a tenure, a day of the window, the ladder."""

    brought_by_time: ClassVar[bool] = True

    type: Literal["tier.due"] = "tier.due"
    why: Literal["grant", "lock", "tenure", "window", "ended"] = "window"


class _Changed(Event):
    """A level was left for another: `scheme` is the fact that keeps it, `cause` the kind of event that brought it."""

    brought_by_time: ClassVar[bool] = True

    scheme: str = "tier"
    before: str = ""
    after: str = ""
    cause: str = ""


class TierRaised(_Changed):
    """A level was entered from below. It follows at once, at the same instant."""

    type: Literal["tier.raised"] = "tier.raised"


class TierLowered(_Changed):
    """A level was lost. It follows at once, at the same instant."""

    type: Literal["tier.lowered"] = "tier.lowered"


class _ByHand(Event):
    """What operators do to a level. `scheme` names the fact of the ladder."""

    scheme: _Scheme = "tier"
    reason: _Reason
    operator: _Operator = ""


class _Lasting(_ByHand):
    until: Instant | None = None

    @model_validator(mode="after")
    def _lasts(self) -> _Lasting:
        if self.until is not None and self.until <= self.at:
            refuse("until comes after the event")
        return self


class TierGranted(_Lasting):
    """An operator grants a level; until a date, or for ever, the account has at least that."""

    type: Literal["tier.granted"] = "tier.granted"
    level: _Level


class TierLocked(_Lasting):
    """An operator holds a level, the one that the account has unless one is named: it neither rises nor falls."""

    type: Literal["tier.locked"] = "tier.locked"
    level: _Level | None = None


class TierUnlocked(_ByHand):
    """An operator ends what grants and locks there are; the account is judged by what it has done."""

    type: Literal["tier.unlocked"] = "tier.unlocked"


class TierInvited(_Lasting):
    """An account is invited to a level that asks for an invitation; until a date, or for ever, it may reach it."""

    type: Literal["tier.invited"] = "tier.invited"
    level: _Level


KINDS = frozenset({TierReview, TierDue, TierRaised, TierLowered, TierGranted, TierLocked, TierUnlocked, TierInvited})
"""Every kind of event that is about tiers."""

UNDOING = frozenset({"return", "purchase.cancelled"})
"""The kinds of event by which a purchase, or a part of it, never was."""
