"""What top-ups are given: pure arithmetic first, then the rules of a program made ready."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

from stampbook import NEVER, AmountError, Award, PluginError, Stake, divide, split

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from stampbook import AccountView, Asset, Calendar, Context, TopUp
    from stampbook_stored_value.config import Bonus, Bracket, Instalments

_WEEK = 7


class Step(NamedTuple):
    """From `start` smallest units of a top-up on: a fixed number of smallest units, or a share of the top-up."""

    start: int
    fixed: int
    share: Fraction


def given(amount: int, steps: Sequence[Step], rounding: str, most: int | None) -> int:
    """Return what a top-up is given in smallest units: by the highest step that it reaches, and `most` at most."""
    reached = [step for step in steps if step.start <= amount]
    if not reached:
        return 0
    step = reached[-1]
    part = step.share * amount
    units = step.fixed + divide(part.numerator, part.denominator, rounding)
    return units if most is None else min(units, most)


def parts_of(units: int, count: int) -> list[int]:
    """Return a bonus in equal parts; the first ones have one unit more where they cannot be equal."""
    return split(units, [1] * count)


def released_on(day: int, number: int, rule: Instalments, calendar: Calendar) -> int:
    """Return the local day of a part: the first is number 1. A month from the 31st ends with the month."""
    steps = number - 1 if rule.first == "at once" else number
    if rule.every == "month":
        return calendar.add_months(day, steps)
    return day + steps * (_WEEK if rule.every == "week" else 1)


class ReadyBonus:
    """A bonus with its amounts in smallest units; its rule in the ledger is ``<table>.<bonus>``."""

    def __init__(self, table: str, bonus: Bonus, program: Context) -> None:
        self.bonus = bonus
        self.rule = f"{table}.{bonus.name}"
        self._default = program.currency.code
        self.currency = program.asset(bonus.currency or program.currency.code)
        code = bonus.asset or self.currency.code
        if code not in program.assets:
            message = (
                f"bonus {bonus.name!r} gives {code!r}, which is no asset of the program, {', '.join(program.assets)}"
            )
            raise PluginError(message)
        if bonus.group and bonus.group not in program.stacking:
            message = f"bonus {bonus.name!r} names the group {bonus.group!r}, which [stacking] does not have"
            raise PluginError(message)
        self.asset = program.asset(code)
        keep = bonus.keep
        if keep is not None and keep.spent == "debt" and not self.asset.debt:
            allow = f"[assets.{code}] debt = true"
            message = f"bonus {bonus.name!r}: keep: spent = 'debt' needs an asset that may be owed: {allow}"
            raise PluginError(message)
        self._steps = [self._step(bracket) for bracket in bonus.brackets]
        self._most = None if bonus.most is None else self._units("most", bonus.most, self.asset)
        validity = bonus.expires
        self._ends: Callable[[int, int], int] | None = None
        if validity is not None and not validity.never:
            self._ends = validity.ends(program.calendar)

    def _units(self, key: str, text: str, asset: Asset) -> int:
        try:
            return asset.units(text)
        except AmountError as error:
            message = f"bonus {self.bonus.name!r}: {key}: {error}"
            raise PluginError(message) from None

    def _step(self, bracket: Bracket) -> Step:
        start = self._units("from", bracket.start, self.currency)
        if bracket.gives is not None:
            return Step(start, self._units("gives", bracket.gives, self.asset), Fraction(0))
        share = Fraction((bracket.share or "0").rstrip("%")) / 100
        scale = Fraction(10**self.asset.decimals, 10**self.currency.decimals)
        return Step(start, 0, share * scale)

    @property
    def stake(self) -> Stake:
        """What the program's checks go by."""
        bonus = self.bonus
        terms = f"{bonus.kind} {bonus.expires} {bonus.priority} {bonus.rounding}"
        if bonus.keep is not None:
            terms += f" {bonus.keep.within} {bonus.keep.when.text} {bonus.keep.spent}"
        return Stake(self.rule, self.asset.code, group=bonus.group, terms=terms, on=("topup",))

    def units_for(self, event: TopUp, account: AccountView) -> int:
        """Return what a top-up is given, in smallest units; nothing where it is not meant."""
        if (event.currency or self._default) != self.currency.code:
            return 0
        when = self.bonus.when
        if when is not None and not when.test(event, None, None, account, None):
            return 0
        return given(event.amount, self._steps, self.bonus.rounding, self._most)

    def end(self, at: int, account: AccountView) -> int:
        """Return the first instant at which what is given at an instant is no longer good."""
        return NEVER if self._ends is None else self._ends(at, account.opened_at if account.status else at)

    def award(self, units: int, event: TopUp, account: AccountView) -> Award:
        """Return the award of so many units."""
        bonus = self.bonus
        scale = 10**self.asset.decimals
        ends = self.end(event.at, account)
        return Award(
            self.rule,
            self.asset.code,
            units,
            scale,
            bonus.rounding,
            bonus.kind,
            event.at,
            ends,
            bonus.priority,
            bonus.group,
        )
