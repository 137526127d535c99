"""Changing one asset of an account into another: by an event of its own, at a rate that it keeps, rounded once."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING, Any

from stampbook import AmountError, Deposit, Objection, PluginError, Posting, Remember, divide, split

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stampbook import AccountView, Context
    from stampbook_stored_value.config import Exchange
    from stampbook_stored_value.events import Exchanged

EXCHANGE = "exchange"
"""The book into which what is given goes, and out of which comes what is had for it."""


def comes_to(amount: int, rate: Fraction, rounding: str) -> int:
    """Return what an amount comes to, both in smallest units: rounded once, by name."""
    exact = amount * rate
    return divide(exact.numerator, exact.denominator, rounding)


class Exchanges:
    """The rates of a program. Lots keep their kind, their time, and the top-up to which they belong."""

    def __init__(self, name: str, rules: Sequence[Exchange], program: Context) -> None:
        self._rule = f"{name}.exchange"
        self._program = program
        self._rules = {(rule.source, rule.target): rule for rule in rules}
        self._least: dict[tuple[str, str], int] = {}
        for pair, rule in self._rules.items():
            try:
                self._least[pair] = 0 if rule.minimum is None else program.asset(rule.source).units(rule.minimum)
            except AmountError as error:
                message = f"exchange: minimum: {error}"
                raise PluginError(message) from None

    def exchanged(self, event: Exchanged, account: AccountView) -> Iterator[Any]:
        """Yield what an exchange moves, or why it may not be."""
        pair = (event.asset, event.to)
        rule = self._rules.get(pair)
        if rule is None:
            known = "; ".join(f"{source} into {target}" for source, target in self._rules) or "nothing"
            yield Objection("no_rate", f"{event.asset} is not changed into {event.to}; what is changed is {known}")
            return
        given, had = self._program.asset(event.asset), self._program.asset(event.to)
        if event.rate is not None and Fraction(event.rate) != Fraction(rule.rate):
            yield Objection("other_rate", f"the rate from {event.asset} to {event.to} is {rule.rate}, not {event.rate}")
            return
        if event.amount < self._least[pair]:
            yield Objection(
                "below_least", f"{given.told(event.amount)} is below the least, {given.told(self._least[pair])}"
            )
            return
        drawn, short = account.draw(event.asset, event.amount)
        if short:
            there = given.told(event.amount - short)
            yield Objection("insufficient_balance", f"{given.told(event.amount)} is more than the {there} there is")
            return
        scale = Fraction(10**had.decimals, 10**given.decimals)
        total = comes_to(event.amount, Fraction(rule.rate) * scale, rule.rounding)
        if not total:
            yield Objection("nothing_arrives", f"{given.told(event.amount)} is not worth one {had.told(1)}")
            return
        for (number, units), part in zip(drawn, split(total, [units for _, units in drawn]), strict=True):
            lot = account.lot(number)
            assert lot is not None  # noqa: S101 - it was drawn from
            yield Posting(event.asset, units, number, EXCHANGE, self._rule)
            if part:
                terms = (lot.kind, lot.effective_at, lot.expires_at, lot.priority)
                yield Deposit(event.to, part, EXCHANGE, *terms, self._rule, lot.origin)
        yield Remember("rate", f"{rule.rate} {event.to} for 1 {event.asset}, {rule.rounding}")
        yield Remember("got", had.told(total))
