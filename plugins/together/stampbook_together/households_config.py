"""Options of the households plugin."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field, model_validator

from stampbook import PluginConfig, Rounding, WindowText, refuse

_PERCENT = r"^\d{1,3}(\.\d{1,4})?$"
_DECIMAL = r"^\d{1,12}(\.\d{1,6})?$"
_NAME = r"^[a-z][a-z0-9_-]{0,62}$"


class SpendLimit(PluginConfig):
    """The most that each member, or all together, may take out of a pool in a window."""

    name: Annotated[str, Field(pattern=_NAME, description="unique in the table; objections name it")]
    asset: Annotated[str, Field(description="asset that is limited")]
    most: Annotated[str, Field(pattern=_DECIMAL, description="how much of it at most")]
    window: Annotated[WindowText, Field(description="the days that count", examples=["calendar month", "7 days"])]
    of: Annotated[Literal["member", "all"], Field(description="each member by itself, or all together")] = "member"
    but_owner: Annotated[bool, Field(strict=True, description="whether the owner is free of it")] = False


class HouseholdsConfig(PluginConfig):
    """Accounts that earn into one pool: what share, and who may spend it."""

    share: Annotated[
        str, Field(pattern=_PERCENT, description="the part of what members earn that goes to the pool")
    ] = "100"
    rounding: Annotated[
        Rounding, Field(description="how the pool's part becomes whole units; the member keeps the rest")
    ] = Rounding.FLOOR
    assets: Annotated[
        tuple[str, ...], Field(description="assets that are pooled; all that members earn where empty")
    ] = ()
    rules: Annotated[
        tuple[str, ...], Field(description="rules whose awards are pooled, such as 'points.base'; all where empty")
    ] = ()
    spenders: Annotated[
        Literal["members", "named", "owner"],
        Field(description="who may take from the pool: every member, the owner and those named so, or the owner alone"),
    ] = "members"
    direct: Annotated[
        Literal["refuse", "allow"],
        Field(description="whether the pool account may also spend like any other, without saying for whom"),
    ] = "refuse"
    most_members: Annotated[int | None, Field(strict=True, ge=1, description="how many members at most")] = None
    points_spent: Annotated[
        Literal["within_balance", "debt"],
        Field(
            description="when a member's return takes back from the pool what is spent already: let it go, or owe it"
        ),
    ] = "within_balance"
    limits: Annotated[
        tuple[SpendLimit, ...], Field(alias="limit", description="the most that is taken from a pool in a window")
    ] = ()

    @model_validator(mode="after")
    def _fits(self) -> HouseholdsConfig:
        if not 0 < Decimal(self.share) <= 100:  # noqa: PLR2004 - the whole
            refuse("share is a part of a hundred, above 0 and up to 100")
        names = [limit.name for limit in self.limits]
        if len(set(names)) < len(names):
            refuse("two limits have one name; each needs its own")
        return self
