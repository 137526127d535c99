"""Donations: customers give their points to a charity, and who gives much becomes a patron."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar, Literal

from pydantic import Field

from stampbook import (
    NEVER,
    AmountError,
    Event,
    Fact,
    Objection,
    Plugin,
    PluginConfig,
    PluginError,
    PositiveAmount,
    Posting,
    hookimpl,
)

if TYPE_CHECKING:
    from stampbook import AccountView, Transaction

_NUMBER = r"^\d{1,12}(\.\d{1,6})?$"


class Donation(Event):
    """A customer gave something to a charity."""

    asset_field: ClassVar[str] = "asset"

    type: Literal["donation"] = "donation"
    asset: str
    amount: PositiveAmount
    charity: Annotated[str, Field(min_length=1, max_length=64)]


class DonationsConfig(PluginConfig):
    """To whom, and how much at least."""

    asset: Annotated[str, Field(description="asset that may be given")] = "points"
    charities: Annotated[tuple[str, ...], Field(min_length=1, description="to whom it may be given")]
    least: Annotated[str, Field(pattern=_NUMBER, description="the smallest gift, in whole units of the asset")] = "1"
    metric: Annotated[str | None, Field(description="metric that counts gifts; needed for patrons")] = None
    patron_from: Annotated[
        str | None, Field(pattern=_NUMBER, description="value of the metric from which an account is a patron")
    ] = None


class Donations(Plugin[DonationsConfig]):
    """Moves what is given to a book of the charity's own, and keeps the fact who is a patron."""

    Config = DonationsConfig

    def prepare(self) -> None:
        """Read the amounts in units of the asset and of the metric."""
        try:
            self._least = self.program.asset(self.config.asset).units(self.config.least)
        except AmountError as error:
            raise PluginError(str(error)) from None
        self._patron_from: int | None = None
        if self.config.patron_from is not None:
            if self.config.metric is None or self.config.metric not in self.program.metric_decimals:
                message = f"patron_from needs a metric of [metrics], and {self.config.metric!r} is none"
                raise PluginError(message)
            self._patron_from = self.program.metric_asset(self.config.metric).units(self.config.patron_from)

    @hookimpl
    def register_events(self) -> list[type[Event]]:
        """Bring the donation."""
        return [Donation]

    @hookimpl
    def propose(self, event: Donation, account: AccountView) -> list[Posting]:
        """Move the gift from the lots that end first to the charity's book, as far as they reach."""
        lots = [lot for lot in account.lots if lot.asset == event.asset and lot.usable(account.at) > 0]
        postings: list[Posting] = []
        left = event.amount
        for lot in sorted(lots, key=lambda lot: (lot.expires_at, lot.number)):
            part = min(left, lot.usable(account.at))
            if part:
                postings.append(Posting(event.asset, part, lot.number, f"charity:{event.charity}", self.name))
                left -= part
        return postings

    @hookimpl
    def review(self, transaction: Transaction, event: Event) -> list[Objection]:
        """Object to a gift that is too small, too large, of another asset, or to somebody else."""
        if not isinstance(event, Donation):
            return []
        objections: list[Objection] = []
        if event.charity not in self.config.charities:
            known = ", ".join(self.config.charities)
            objections.append(Objection("unknown_charity", f"{event.charity!r} is not among {known}"))
        if event.asset != self.config.asset:
            objections.append(Objection("wrong_asset", f"{self.config.asset} may be given, not {event.asset}"))
        elif event.amount < self._least:
            objections.append(Objection("too_little", f"a gift is at least {self.config.least}"))
        moved = sum(posting.amount for posting in transaction.postings if posting.rule == self.name)
        if moved < event.amount:
            text = self.program.asset(event.asset).text(moved)
            objections.append(Objection("insufficient_balance", f"there are only {text} {event.asset} to give"))
        return objections

    @hookimpl
    def assess(self, account: AccountView, at: int) -> list[Fact]:
        """Call an account a patron as soon as it has given enough, and no longer when it has not."""
        if self._patron_from is None or self.config.metric is None:
            return []
        value = "yes" if account.metric(self.config.metric) >= self._patron_from else ""
        if value == account.text("patron"):
            return []
        return [Fact("patron", value, at, NEVER, f"gave {account.metric(self.config.metric)} this year")]
