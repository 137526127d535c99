"""Options of the points plugin."""

from __future__ import annotations

from fractions import Fraction
from typing import Annotated, Any, Literal

from pydantic import Field, PrivateAttr, ValidationInfo, model_validator

from stampbook import (
    ExpressionError,
    Formula,
    InstantText,
    LineCondition,
    LineFormula,
    OrderCondition,
    PeriodText,
    PluginConfig,
    Rounding,
    Which,
    check_reads,
    line_formula,
    refuse,
)
from stampbook_points.bases import DECIMAL, Bracket, bracket_text, count_text, each_text
from stampbook_points.expiry_options import Expires, ExpiryOptions


class Rule(PluginConfig):
    """One earning rule."""

    name: Annotated[
        str, Field(pattern=r"^[a-z][a-z0-9_-]{0,62}$", description="unique in the table; shown to customers' helpers")
    ]
    on: Annotated[tuple[str, ...], Field(min_length=1, description="kinds of event that can earn")] = ("purchase",)
    when: Annotated[LineCondition | None, Field(description="condition; always where absent")] = None
    earn: Annotated[
        LineFormula | None, Field(description="how much, in whole units of the asset; or for each `each`")
    ] = None
    each: Annotated[
        str | None, Field(pattern=DECIMAL, description="earn so much for each such part of `of`: 1 for each 10.00")
    ] = None
    part: Annotated[
        Literal["whole", "exact"], Field(description="with `each`: only whole parts count, or fractions too")
    ] = "whole"
    of: Annotated[
        LineFormula | None,
        Field(description="what `each` and brackets measure; order.net where absent, line.net by line"),
    ] = None
    brackets: Annotated[
        Literal["slice", "whole"],
        Field(description="each slice earns at its own rate, or the whole at the rate of the bracket that it reaches"),
    ] = "slice"
    steps: Annotated[tuple[Bracket, ...], Field(alias="bracket", max_length=20, description="a table of rates")] = ()
    per: Annotated[
        Literal["order", "line", "unit", "visit"],
        Field(
            description="judge the whole order, add up its lines, add up its pieces, or judge the first order of a day"
        ),
    ] = "order"
    only: Annotated[Which | None, Field(description="lines and orders that count; all goods where absent")] = None
    without: Annotated[Which | None, Field(alias="except", description="lines and orders that do not count")] = None
    rounding: Annotated[Rounding, Field(description="how the sum becomes a whole amount, once")] = Rounding.FLOOR
    asset: Annotated[str | None, Field(description="asset to grant; the table's where absent")] = None
    kind: Annotated[Literal["earned", "bonus"], Field(description="kind of the lot")] = "earned"
    expires: Annotated[
        Expires | None,
        Field(description="validity from the day of earning, or a table of them by a fact; the table's where absent"),
    ] = None
    pending: Annotated[PeriodText | None, Field(description="how long until what is earned can be spent")] = None
    matures: Annotated[
        Literal["on completion"] | None,
        Field(description="it can be spent once `purchase.completed` names the purchase, if not before by `pending`"),
    ] = None
    usable_from: Annotated[
        InstantText | None, Field(description="a date before which what is earned cannot be spent")
    ] = None
    priority: Annotated[int, Field(strict=True, ge=-100, le=100, description="a lower priority is spent first")] = 0
    group: Annotated[str, Field(description="stacking group; awards without one always count")] = ""
    rank: Annotated[
        int,
        Field(strict=True, ge=-1000, le=1000, description="of a group, or where a limit is short, the lowest is first"),
    ] = 0

    _formula: Formula | None = PrivateAttr(None)
    _count: Formula | None = PrivateAttr(None)

    @property
    def formula(self) -> Formula:
        """What it earns, put together from its options."""
        if self._formula is None:  # the validator has set it
            raise AssertionError
        return self._formula

    @property
    def count(self) -> Formula | None:
        """How many equal parts of what was bought count, where only whole ones earn."""
        return self._count

    @property
    def by_line(self) -> bool:
        """Whether it looks at each line of an order."""
        return self.per in {"line", "unit"}

    @model_validator(mode="after")
    def _readable(self, info: ValidationInfo) -> Rule:
        if (self.earn is None) == (not self.steps):
            refuse("a rule has either earn = '…' or [[plugin.rule.bracket]] tables")
        if self.each is None and "part" in self.model_fields_set:
            refuse("part goes with each = '…', and only with it")
        if self.steps and self.each is not None:
            refuse("a rule has either each = '…' or brackets")
        if not self.steps and "brackets" in self.model_fields_set:
            refuse("brackets says how [[plugin.rule.bracket]] tables are used, and this rule has none")
        if self.of is not None and self.each is None and not self.steps:
            refuse("of goes with each = '…' or with brackets")
        if self.each is not None and not Fraction(self.each):
            refuse("each: for each nothing is without end")
        _check_steps(self.steps, self.brackets)
        of = self.of.text if self.of is not None else "line.net" if self.by_line else "order.net"
        try:
            if self.steps:
                self._formula = line_formula(bracket_text(of, self.steps, self.brackets), _context(info))
            elif self.each is not None and self.earn is not None:
                self._formula = line_formula(each_text(self.earn.text, of, self.each, self.part), _context(info))
            else:
                self._formula = self.earn
            counts = None if self.earn is None or self.per == "unit" else self.earn.text
            count = None if counts is None else count_text(counts, of, self.each, self.part)
            self._count = None if count is None else line_formula(count, _context(info))
        except ExpressionError as error:
            refuse(f"what it earns cannot be put together: {error}")
        check_reads((self.when, self._formula), on=self.on, per_line=self.by_line)
        others = [kind for kind in self.on if kind != "purchase"]
        if others and self.matures is not None:
            refuse(f"matures is of a purchase, not of {others[0]!r}; make two rules")
        if others and (self.only is not None or self.without is not None):
            refuse(f"only and except are of a purchase, not of {others[0]!r}; make two rules")
        return self


def _context(info: ValidationInfo) -> Any:
    return info.context


def _check_steps(steps: tuple[Bracket, ...], mode: str) -> None:
    starts = [Fraction(step.start) for step in steps]
    if starts != sorted(set(starts)):
        refuse("brackets: list them from the lowest to the highest, each from a value of its own")
    if mode == "slice" and any(step.fixed is not None for step in steps):
        refuse("a slice has a rate; for fixed amounts write brackets = 'whole'")


class MultiplierRule(PluginConfig):
    """One multiplier of what an event earns."""

    name: Annotated[
        str, Field(pattern=r"^[a-z][a-z0-9_-]{0,62}$", description="unique in the table; shown to customers' helpers")
    ]
    by: Annotated[str, Field(pattern=DECIMAL, description="by which earning is multiplied")]
    on: Annotated[tuple[str, ...], Field(min_length=1, description="kinds of event that it multiplies")] = ("purchase",)
    when: Annotated[OrderCondition | None, Field(description="condition; always where absent")] = None
    asset: Annotated[str | None, Field(description="asset whose awards it multiplies; the table's where absent")] = None
    rules: Annotated[
        tuple[str, ...], Field(description="names of rules of this table that it multiplies; all awards where absent")
    ] = ()
    group: Annotated[str, Field(description="stacking group; one factor comes of each")] = ""
    rank: Annotated[int, Field(strict=True, ge=-1000, le=1000, description="of a group the lowest is first")] = 0

    @model_validator(mode="after")
    def _readable(self) -> MultiplierRule:
        check_reads((self.when,), on=self.on, per_line=False)
        return self


class PointsConfig(ExpiryOptions):
    """Earning rules and the terms of what they grant."""

    asset: Annotated[str, Field(description="asset that the rules grant")] = "points"
    only: Annotated[Which | None, Field(description="lines and orders that count, for every rule")] = None
    without: Annotated[
        Which | None, Field(alias="except", description="lines and orders that do not count, for every rule")
    ] = None
    rules: Annotated[tuple[Rule, ...], Field(alias="rule", min_length=1, description="earning rules")]
    multipliers: Annotated[tuple[MultiplierRule, ...], Field(alias="multiplier", description="multipliers")] = ()

    @model_validator(mode="after")
    def _unique(self) -> PointsConfig:
        names = [rule.name for rule in self.rules] + [multiplier.name for multiplier in self.multipliers]
        known = [rule.name for rule in self.rules]
        for multiplier in self.multipliers:
            for name in multiplier.rules:
                if name not in known:
                    refuse(f"multiplier {multiplier.name!r} names {name!r}, which is no rule of this table")
        for name in sorted({name for name in names if names.count(name) > 1}):
            refuse(f"two rules are named {name!r}; give one of them another name")
        return self
