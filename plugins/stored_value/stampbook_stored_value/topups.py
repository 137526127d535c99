"""What a top-up may be: the least, the most, its step, and how much an account may hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stampbook import AmountError, Objection, PluginError, TopUp

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stampbook import AccountView, Asset, Context, Event, Transaction
    from stampbook_stored_value.config import TopUpBounds


class Bounds:
    """One table of bounds with its amounts in smallest units."""

    def __init__(self, bounds: TopUpBounds, program: Context) -> None:
        self._when = bounds.when
        self.currency = program.asset(bounds.currency or program.currency.code)
        self._paid_only = bounds.ceiling_counts == "paid"
        self._minimum = _units("minimum", bounds.minimum, self.currency)
        self._maximum = _units("maximum", bounds.maximum, self.currency)
        self._step = _units("step", bounds.step, self.currency)
        self._ceiling = _units("ceiling", bounds.ceiling, self.currency)

    def applies(self, event: Event, account: AccountView) -> bool:
        """Whether the condition holds."""
        return self._when is None or self._when.test(event, None, None, account, None)

    def objections(self, event: TopUp, transaction: Transaction, account: AccountView) -> Iterator[Objection]:
        """Yield why a top-up may not be."""
        told, amount = self.currency.told, event.amount
        if self._minimum is not None and amount < self._minimum:
            yield Objection(
                "topup_minimum", f"{told(amount)} is less than the {told(self._minimum)} of a top-up at least"
            )
        if self._maximum is not None and amount > self._maximum:
            yield Objection(
                "topup_maximum", f"{told(amount)} is more than the {told(self._maximum)} of a top-up at most"
            )
        if self._step is not None and amount % self._step:
            less = amount - amount % self._step
            near = f"{told(less)} or {told(less + self._step)}" if less else told(self._step)
            text = f"{told(amount)} is no multiple of {told(self._step)}; {near} would be"
            yield Objection("topup_step", text)
        if self._ceiling is not None:
            after = self._held(account) + self._brought(transaction, account)
            if after > self._ceiling:
                room = max(0, self._ceiling - after + amount)
                text = f"the account would hold {told(after)}, and may hold {told(self._ceiling)}"
                yield Objection("balance_ceiling", f"{text}; {told(room)} could still be topped up" if room else text)

    def _held(self, account: AccountView) -> int:
        kinds = {"paid"} if self._paid_only else None
        return sum(
            lot.remaining
            for lot in account.lots
            if lot.asset == self.currency.code and lot.remaining > 0 and (kinds is None or lot.kind in kinds)
        )

    def _brought(self, transaction: Transaction, account: AccountView) -> int:
        """Return what comes into the account: with what is given for it, unless paid value alone counts.

        What repays a debt is not there to be held.
        """
        debts = {lot.number for lot in account.lots if lot.remaining < 0}
        rules = {"topup"} if self._paid_only else None
        return sum(
            posting.amount
            for posting in transaction.postings
            if posting.asset == self.currency.code
            and isinstance(posting.destination, int)
            and posting.destination not in debts
            and (rules is None or posting.rule in rules)
        )


class TopUps:
    """All tables of bounds: of each currency the first applies whose condition holds."""

    def __init__(self, tables: Sequence[TopUpBounds], program: Context) -> None:
        self._default = program.currency.code
        self._bounds = [Bounds(table, program) for table in tables]

    def objections(self, event: Event, transaction: Transaction, account: AccountView) -> Iterator[Objection]:
        """Yield why a top-up may not be."""
        if not isinstance(event, TopUp):
            return
        code = event.currency or self._default
        fitting = (each for each in self._bounds if each.currency.code == code and each.applies(event, account))
        bounds = next(fitting, None)
        if bounds is not None:
            yield from bounds.objections(event, transaction, account)


def _units(key: str, text: str | None, asset: Asset) -> int | None:
    try:
        return None if text is None else asset.units(text)
    except AmountError as error:
        message = f"topup: {key}: {error}"
        raise PluginError(message) from None
