"""Options of the points plugin."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from stampbook import LineCondition, LineFormula, PeriodText, PluginConfig, Rounding, check_reads, refuse


class Rule(PluginConfig):
    """One earning rule."""

    name: Annotated[
        str, Field(pattern=r"^[a-z][a-z0-9_-]{0,62}$", description="unique in the table; shown to customers' helpers")
    ]
    on: Annotated[tuple[str, ...], Field(min_length=1, description="kinds of event that can earn")] = ("purchase",)
    when: Annotated[LineCondition | None, Field(description="condition; always where absent")] = None
    earn: Annotated[LineFormula, Field(description="how much, in whole units of the asset")]
    per: Annotated[Literal["order", "line"], Field(description="judge the whole order, or add up its lines")] = "order"
    rounding: Annotated[Rounding, Field(description="how the sum becomes a whole amount, once")] = Rounding.FLOOR
    asset: Annotated[str | None, Field(description="asset to grant; the table's where absent")] = None
    kind: Annotated[Literal["earned", "bonus"], Field(description="kind of the lot")] = "earned"
    expires: Annotated[
        PeriodText | Literal["never"] | None,
        Field(description="validity from the day of earning; the table's where absent"),
    ] = None
    pending: Annotated[PeriodText | None, Field(description="how long until what is earned can be spent")] = None
    priority: Annotated[int, Field(strict=True, ge=-100, le=100, description="a lower priority is spent first")] = 0
    group: Annotated[str, Field(description="stacking group; awards without one always count")] = ""

    @model_validator(mode="after")
    def _readable(self) -> Rule:
        check_reads((self.when, self.earn), on=self.on, per_line=self.per == "line")
        return self


class PointsConfig(PluginConfig):
    """Earning rules and the terms of what they grant."""

    asset: Annotated[str, Field(description="asset that the rules grant")] = "points"
    expires: Annotated[
        PeriodText | Literal["never"], Field(description="validity from the day of earning, last day included")
    ] = "never"
    rules: Annotated[tuple[Rule, ...], Field(alias="rule", min_length=1, description="earning rules")]

    @model_validator(mode="after")
    def _unique(self) -> PointsConfig:
        names = [rule.name for rule in self.rules]
        for name in sorted({name for name in names if names.count(name) > 1}):
            refuse(f"two rules are named {name!r}; give one of them another name")
        return self
