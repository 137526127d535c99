"""Transfers: one account gives to another, within limits, for a fee, both or neither."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal, NamedTuple
from weakref import WeakKeyDictionary, WeakValueDictionary

from pydantic import Field

from stampbook import (
    NEVER,
    AmountError,
    Event,
    Message,
    MoneyEnds,
    Objection,
    Plugin,
    PluginError,
    PositiveAmount,
    Posting,
    Ref,
    Tally,
    divide,
    hookimpl,
)
from stampbook_together.moving import TRANSFERS, Part, drawn, received, sent
from stampbook_together.transfer_config import TransfersConfig

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stampbook import AccountView, Deposit
    from stampbook_together.transfer_config import TransferLimit

_Text = Annotated[str, Field(max_length=1000, pattern=r"^[^\x00]*$")]
_PERCENT = 100


class Transferred(Event):
    """An account gives some of an asset to another account."""

    asset_field: ClassVar[str] = "asset"

    type: Literal["transfer"] = "transfer"
    to: Ref
    asset: str | None = None
    amount: PositiveAmount
    reason: _Text = ""
    operator: Annotated[str, Field(max_length=255)] = ""


class TransferReceived(Event):
    """What another account gave: `parts` are units with their terms."""

    asset_field: ClassVar[str] = "asset"
    brought_by_time: ClassVar[bool] = True

    type: Literal["transfer.received"] = "transfer.received"
    giver: Ref
    asset: str
    parts: tuple[Part, ...]
    reason: _Text = ""


class _Limit(NamedTuple):
    """A limit with its counter, and its most in units of that."""

    name: str
    counter: str
    most: int
    in_amount: bool
    of: str


_TABLES: WeakKeyDictionary[object, WeakValueDictionary[str, Transfers]] = WeakKeyDictionary()
"""The tables of each program by their asset: one of them is asked, and answers for all."""


class Transfers(Plugin[TransfersConfig]):
    """Moves an asset from one account to another; a fee goes to a book of its own."""

    Config = TransfersConfig

    def prepare(self) -> None:
        """Read amounts in the asset's units and declare what counts for limits."""
        config, program = self.config, self.program
        if config.asset not in program.assets:
            message = f"asset {config.asset!r} is not an asset of the program, which has {', '.join(program.assets)}"
            raise PluginError(message)
        self._asset = program.asset(config.asset)
        self._least = self._units("least", config.least) or 1
        self._most = self._units("most", config.most)
        self._step = self._units("step", config.step) or 1
        self._fixed = self._units("fee_fixed", config.fee_fixed) or 0
        self._fee_least = self._units("fee_least", config.fee_least) or 0
        self._fee_most = self._units("fee_most", config.fee_most)
        whole, _, fraction = (config.fee_percent or "0").partition(".")
        self._percent = (int(whole + fraction), 10 ** len(fraction) * _PERCENT)
        self._ends = None if config.expires is None else config.expires.ends(program.calendar)
        months = None if config.expires is None else config.expires.least_months
        if months is not None and config.asset == program.currency.code and "paid" in config.kinds:
            self.money_ends = (MoneyEnds(("expires",), months),)
        self._latest = self._twice if config.at_latest is None else config.at_latest.ends(program.calendar)
        self._limits = [self._worked_out(limit) for limit in config.limits]
        tables = _TABLES.setdefault(program, WeakValueDictionary())
        other = tables.get(config.asset)
        if other is not None and other.name != self.name:
            message = f"two tables of transfers are about {config.asset!r}; put them together"
            raise PluginError(message)
        tables[config.asset] = self

    def _units(self, key: str, text: str | None) -> int | None:
        try:
            return None if text is None else self._asset.units(text)
        except AmountError as error:
            message = f"{key}: {error}"
            raise PluginError(message) from None

    def _worked_out(self, limit: TransferLimit) -> _Limit:
        counter = f"{self.name}/{limit.name}"
        most = self._units(f"limit {limit.name!r}: most", limit.most)
        self.program.declare_counter(counter, 0 if most is None else self._asset.decimals, limit.window)
        return _Limit(limit.name, counter, limit.count or 0 if most is None else most, most is not None, limit.of)

    @hookimpl
    def register_events(self) -> list[type[Event]]:
        """Bring what is sent and what arrives."""
        return [Transferred, TransferReceived]

    @hookimpl
    def propose(self, event: Event, account: AccountView) -> list[Posting | Deposit | Tally | Message | Objection]:
        """Send, or take up what was sent; the table of the asset answers."""
        code = getattr(event, "asset", None) or self.program.currency.code
        tables = _TABLES[self.program]
        table = tables.get(code)
        if table is None:
            text = f"{code} may not be sent to other accounts; what may is {', '.join(tables)}"
            return [Objection("not_transferable", text)]
        if isinstance(event, Transferred):
            return table.give(event, account)
        return table.take(event, account) if isinstance(event, TransferReceived) else []

    def give(self, event: Transferred, account: AccountView) -> list[Posting | Deposit | Tally | Message | Objection]:
        """Return what sends an amount, or every reason why it cannot be sent."""
        fee = self._fee(event.amount)
        arrives = event.amount - fee if self.config.fee_from == "amount" else event.amount
        objections = list(self._objections(event, account, arrives))
        taken: dict[int, int] = {}
        chosen, short = drawn(account, self._asset.code, arrives, self.config.kinds, taken)
        paid, lacking = drawn(account, self._asset.code, fee, self.config.kinds, taken) if fee else ([], 0)
        if short or lacking:
            wanted, there = arrives + fee, arrives + fee - short - lacking
            text = f"{self._text(wanted)}{' with the fee' if fee else ''} is more than the {self._text(there)} to send"
            objections.append(Objection("insufficient_balance", text))
        if objections:
            return [*objections]
        postings, parts = sent(account, self._asset.code, chosen, self.name)
        rule = f"{self.name}.fee"
        postings += [Posting(self._asset.code, units, lot, self.config.fee_book, rule) for lot, units in paid]
        data = {"giver": account.ref, "asset": self._asset.code, "parts": parts, "reason": event.reason}
        return [*postings, *self._counts("sender", arrives), Message(event.to, "transfer.received", data)]

    def _objections(self, event: Transferred, account: AccountView, arrives: int) -> Iterator[Objection]:
        if event.to == account.ref:
            yield Objection("same_account", "an account cannot give to itself")
        if event.amount < self._least:
            yield Objection("below_least", f"{self._text(event.amount)} is below the least, {self._text(self._least)}")
        if self._most is not None and event.amount > self._most:
            yield Objection("above_most", f"{self._text(event.amount)} is above the most, {self._text(self._most)}")
        if event.amount % self._step:
            yield Objection("not_a_step", f"{self._text(event.amount)} is no multiple of {self._text(self._step)}")
        if arrives <= 0:
            yield Objection("nothing_arrives", f"the fee takes all of {self._text(event.amount)}")
        yield from self._over("sender", account, arrives)

    def _over(self, of: str, account: AccountView, units: int) -> Iterator[Objection]:
        for limit in self._limits:
            if limit.of != of:
                continue
            left = max(0, limit.most - account.metric_at_most(limit.counter))
            if limit.in_amount and units > left:
                text = f"limit {limit.name}: {self._text(units)} is more than the {self._text(left)} left"
                yield Objection("limit_reached", text)
            elif not limit.in_amount and left < 1:
                yield Objection("limit_reached", f"limit {limit.name}: {limit.most} transfers were made")

    def _counts(self, of: str, units: int) -> list[Tally]:
        return [Tally(limit.counter, units if limit.in_amount else 1) for limit in self._limits if limit.of == of]

    def take(
        self, event: TransferReceived, account: AccountView
    ) -> list[Posting | Deposit | Tally | Message | Objection]:
        """Return what takes up what another account sent."""
        units = sum(part[0] for part in event.parts)
        objections = list(self._over("receiver", account, units))
        if account.status == "frozen" and not self.config.to_frozen:
            objections.append(Objection("account_frozen", "the account is frozen; unfreeze it first"))
        if objections:
            return [*objections]
        parts = [self._restarted(part, event.at, account.opened_at) for part in event.parts]
        return [*received(self._asset.code, parts, self.name), *self._counts("receiver", units)]

    def _restarted(self, part: Part, at: int, opened_at: int) -> Part:
        """Return units with the validity that begins with the transfer; they keep the instant of their first day."""
        if self._ends is None:
            return part
        amount, kind, since, until, rank = part
        latest = max(until, self._latest(since, opened_at))
        return amount, kind, since, min(self._ends(at, opened_at), latest), rank

    def _twice(self, since: int, opened_at: int) -> int:
        """Return the end of a validity that begins when a first one from an instant on has ended."""
        if self._ends is None:
            return NEVER
        first = self._ends(since, opened_at)
        return first if first == NEVER else self._ends(first, opened_at)

    def _fee(self, amount: int) -> int:
        numerator, denominator = self._percent
        part = max(divide(amount * numerator, denominator, self.config.fee_rounding), self._fee_least)
        return self._fixed + (part if self._fee_most is None else min(part, self._fee_most))

    def _text(self, units: int) -> str:
        return self._asset.told(units)


__all__ = ["TRANSFERS", "TransferReceived", "Transferred", "Transfers"]
