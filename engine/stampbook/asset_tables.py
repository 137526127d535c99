"""The `[assets.CODE]` tables of a program: what is counted, how it is spent, and what its holds may do."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

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
        Literal["refuse", "forfeit"] | None,
        Field(description="closing an account that holds it: refused (a currency's default) or forfeit (a unit's)"),
    ] = None
