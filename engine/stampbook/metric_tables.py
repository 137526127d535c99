"""The `[metrics.NAME]` tables of a program: what each counts, of which lines and orders, over which days."""

from __future__ import annotations

import re
from typing import Annotated, Any, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationInfo, field_validator, model_validator

from stampbook.amounts import Rounding
from stampbook.choosing import Which
from stampbook.errors import near
from stampbook.names import ORDER_MONEY
from stampbook.narrowing import Choice
from stampbook.option_types import LineCondition, LineFormula, LineLabel, WindowText, check_reads
from stampbook.periods import Window
from stampbook.vocabulary import refuse

_SUM_OF_NAMES: Final = re.compile(r"\s*[a-z_.]+(\s*[+-]\s*[a-z_.]+)*\s*")


class MetricTable(BaseModel):
    """One `[metrics.NAME]` table: a counter over a window, kept by local day."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    on: Annotated[tuple[str, ...], Field(min_length=1, description="kinds of event that count")] = ("purchase",)
    when: Annotated[LineCondition | None, Field(description="which of them count; all where absent")] = None
    count: Annotated[bool, Field(strict=True, description="add one for each")] = False
    sum: Annotated[LineFormula | None, Field(description="add this for each")] = None
    distinct: Annotated[
        LineLabel | None, Field(description="count how many different texts there were, such as 'line.category'")
    ] = None
    granted: Annotated[
        str | None,
        Field(
            description="add what rules granted of this asset in the end: after multipliers, stacking, limits and what "
            "went to a household"
        ),
    ] = None
    rules: Annotated[
        tuple[str, ...], Field(description="with granted: rules such as `points.base`; all where absent")
    ] = ()
    per: Annotated[Literal["order", "line"], Field(description="judge each order, or each of its lines")] = "order"
    only: Annotated[
        Which | None, Field(description="lines and orders that count, goods unless it names kinds; all where absent")
    ] = None
    without: Annotated[
        Which | None, Field(alias="except", description="lines and orders that do not count; what is left are goods")
    ] = None
    window: Annotated[WindowText, Field(description="the days that count")] = Window()
    decimals: Annotated[
        int | None, Field(strict=True, ge=0, le=6, description="digits kept of a sum; the currency's")
    ] = None
    rounding: Annotated[Rounding, Field(description="how a sum is rounded to its digits")] = Rounding.HALF_UP

    _choice: Choice | None = PrivateAttr(None)

    @property
    def choice(self) -> Choice | None:
        """Which lines and orders count, where it says so; else all of every order."""
        return self._choice

    @model_validator(mode="after")
    def _of_purchases(self) -> MetricTable:
        if self.only is None and self.without is None:
            return self
        if self.granted is not None:
            refuse("granted counts whole grants: say only and except of the rules that grant")
        others = [kind for kind in self.on if kind != "purchase"]
        if others:
            refuse(f"only and except are of a purchase, not of {others[0]!r}; make two metrics")
        self._choice = Choice((self.only,), (self.without,))
        return self

    @model_validator(mode="after")
    def _one_measure(self) -> MetricTable:
        measures = self.count, self.sum is not None, self.distinct is not None, self.granted is not None
        if sum(measures) != 1:
            refuse("a metric has one of count = true, sum = '…', distinct = '…' and granted = 'points'")
        others = {"when", "per", "decimals", "rounding"} & self.model_fields_set
        if self.granted is not None and others:
            refuse(f"granted counts whole grants, in the decimals of the asset; leave out {', '.join(sorted(others))}")
        if self.rules and self.granted is None:
            refuse("rules goes with granted")
        for expression in (self.when, self.sum, self.distinct):
            for name in expression.reads if expression else ():
                if name.startswith("metric."):
                    refuse(f"a metric cannot read {name}: metrics are counted before they are compared")
        check_reads((self.when, self.sum, self.distinct), on=self.on, per_line=self.per == "line")
        return self

    @field_validator("granted")
    @classmethod
    def _is_an_asset(cls, code: str | None, info: ValidationInfo) -> str | None:
        assets: Any = getattr(info.context, "assets", {})
        if code is not None and code not in assets:
            refuse(f"{code!r} is not an asset of the program{near(code, assets)}")
        return code

    @property
    def is_money(self) -> bool:
        """Whether it surely sums money of the program's currency: parts of orders or lines, added or taken off."""
        return self.sum is not None and bool(_SUM_OF_NAMES.fullmatch(self.sum.text)) and self.sum.reads <= ORDER_MONEY

    @property
    def is_plain(self) -> bool:
        """Whether it counts events as they come, by a count or a sum."""
        return self.distinct is None and self.granted is None
