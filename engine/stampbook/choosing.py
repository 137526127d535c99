"""How a program says which lines and orders count: by sku, category, label, kind, store, channel and tender."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from stampbook.vocabulary import refuse

Names = tuple[Annotated[str, Field(min_length=1)], ...]


class Which(BaseModel):
    """Lines and orders: of several keys `only` takes what meets each, `except` leaves out what meets any."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    skus: Annotated[Names, Field(description="lines of these skus")] = ()
    categories: Annotated[Names, Field(description="lines of these categories")] = ()
    labels: Annotated[Names, Field(description="lines with one of these labels")] = ()
    kinds: Annotated[
        tuple[Literal["goods", "gift_card", "topup"], ...],
        Field(description="lines of these kinds; goods where absent"),
    ] = ()
    stores: Annotated[Names, Field(description="orders of these stores")] = ()
    channels: Annotated[Names, Field(description="orders of these channels")] = ()
    tenders: Annotated[Names, Field(description="orders of which a part was paid so")] = ()

    @model_validator(mode="after")
    def _says_something(self) -> Which:
        if not self.model_fields_set:
            refuse("it names nothing; say which skus, categories, labels, kinds, stores, channels or tenders")
        return self
