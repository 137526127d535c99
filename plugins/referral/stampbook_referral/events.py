"""The events of referrals: a friend who names a referrer, and what the referrer's account hears of it."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from stampbook import Event

_Ref = Annotated[str, Field(min_length=1, max_length=180, pattern=r"^[^\x00-\x1f\x7f]+$")]
_Scheme = Annotated[str, Field(min_length=1, max_length=63)]
_Reason = Annotated[str, Field(max_length=1000, pattern=r"^[^\x00]*$")]


class AccountReferred(Event):
    """A new account names by whom it was referred; `scheme` is the name of the table, where there are several."""

    type: Literal["account.referred"] = "account.referred"
    by: _Ref
    scheme: _Scheme | None = None
    reason: _Reason = ""


class _Heard(Event):
    """What the account of a referrer hears of a friend."""

    brought_by_time: ClassVar[bool] = True

    scheme: _Scheme
    friend: _Ref
    reason: _Reason = ""


class ReferralAsked(_Heard):
    """A friend names this account; it may object."""

    type: Literal["referral.asked"] = "referral.asked"


class ReferralReached(_Heard):
    """A friend has done what was asked for."""

    type: Literal["referral.reached"] = "referral.reached"


class ReferralUndone(_Heard):
    """A friend has brought back what counted."""

    type: Literal["referral.undone"] = "referral.undone"


class ReferralRevealed(_Heard):
    """A friend and who referred her turned out to be one customer: a merger made their accounts one."""

    type: Literal["referral.revealed"] = "referral.revealed"


KINDS = (AccountReferred, ReferralAsked, ReferralReached, ReferralUndone, ReferralRevealed)
"""Every kind of event that is about referrals."""
