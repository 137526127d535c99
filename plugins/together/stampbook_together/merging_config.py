"""Options of the merging plugin."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, ValidationInfo, field_validator, model_validator

from stampbook import PeriodText, PluginConfig, check_values, refuse


class MergedFact(PluginConfig):
    """What becomes of one fact when two accounts become one."""

    name: Annotated[str, Field(min_length=1, max_length=64, description="the fact, such as 'tier'")]
    order: Annotated[
        tuple[str, ...], Field(description="its values from lowest to highest: the higher of both is taken")
    ] = ()
    take: Annotated[
        Literal["higher", "theirs", "keep"],
        Field(
            description="the higher by the order; that of the account which ends, if it has one; or that of the "
            "account which stays, if it has one"
        ),
    ] = "keep"

    @field_validator("order")
    @classmethod
    def _possible(cls, order: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        check_values(info, info.data.get("name", ""), order)
        return order

    @model_validator(mode="before")
    @classmethod
    def _ordered(cls, data: object) -> object:
        if isinstance(data, dict) and data.get("order") and "take" not in data:
            return {**data, "take": "higher"}
        return data

    @model_validator(mode="after")
    def _fits(self) -> MergedFact:
        if (self.take == "higher") != bool(self.order):
            refuse("order goes with take = 'higher', and only with it")
        if len(set(self.order)) < len(self.order):
            refuse("order: a value stands twice")
        return self


class MergingConfig(PluginConfig):
    """Two accounts of one customer become one, and for a time can be two again."""

    undo: Annotated[
        PeriodText | None, Field(description="how long a merger can be undone; not at all where absent")
    ] = None
    debt: Annotated[
        Literal["refuse", "move"],
        Field(description="of an account that owes: refuse to merge it, or pay from what the other has and owe on"),
    ] = "refuse"
    metrics: Annotated[
        Literal["move", "leave"], Field(description="whether what the metrics counted counts for the other account")
    ] = "move"
    later_events: Annotated[
        Literal["refuse", "forward"],
        Field(description="what is sent to the ended account: refused with the name of the other, or decided there"),
    ] = "refuse"
    facts: Annotated[
        tuple[MergedFact, ...],
        Field(alias="fact", description="what becomes of facts; others stay as they are, but for attributes"),
    ] = ()
    attributes: Annotated[
        Literal["fill", "leave"],
        Field(
            description="of attributes without a table: the account takes over those that it has not, or none of them"
        ),
    ] = "fill"

    @model_validator(mode="after")
    def _once(self) -> MergingConfig:
        names = [fact.name for fact in self.facts]
        if len(set(names)) < len(names):
            refuse("a fact has two tables; write one")
        return self
