"""Redemption: points as money, rewards for points, and vouchers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stampbook import EventText, Plugin, hookimpl
from stampbook_redemption.catalogue import Catalogue
from stampbook_redemption.config import RedemptionConfig
from stampbook_redemption.events import (
    KINDS,
    RewardCancelled,
    RewardGiven,
    RewardRedeemed,
    RewardReleased,
    RewardReserved,
    VoucherCancelled,
    VoucherRedeemed,
)
from stampbook_redemption.paying import Rates
from stampbook_redemption.vouchers import ACCOUNT, TAKEN_BY_CODES, Vouchers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import click

    from stampbook import (
        AccountView,
        Due,
        Earlier,
        Event,
        Fact,
        Objection,
        Order,
        Payable,
        Payment,
        Purchase,
        Tender,
        Transaction,
    )

__all__ = ["Redemption"]


class Redemption(Plugin[RedemptionConfig]):
    """Lets points pay for orders and rewards, and lets codes be used as often as they may."""

    Config = RedemptionConfig
    texts = (EventText("reward", "the name of the reward", ("reward.redeemed", "reward.reserved")),)
    sole = "each would draw the same tender in points"
    commands = ("vouchers",)

    def prepare(self) -> None:
        """Read rates, prices and series."""
        config = self.config
        self._rates = Rates(self.name, config.pay, config.asset, self.program) if config.pay else None
        self._vouchers = Vouchers(self.name, config, self.program)
        self._catalogue = Catalogue(self.name, config, self.program, self._vouchers)
        self.owns = (ACCOUNT,) if config.series else ()
        self.takes = TAKEN_BY_CODES
        self.offers = self._catalogue.offers
        self.limits = (*self._catalogue.limits, *self._vouchers.limits)
        unused = {"pay", "payable"} if self._rates is None else set()
        if not config.series:
            unused |= {"register_commands"}
        if not config.rewards:
            unused |= {"follow"} if config.series else {"follow", "assess"}
        if not self._vouchers.bound:
            unused |= {"review"}
        self.idle = frozenset(unused)

    @hookimpl
    def register_events(self) -> list[type[Event]]:
        """Bring what customers, tills and operators do with rewards and codes."""
        return list(KINDS)

    @hookimpl
    def register_commands(self, cli: click.Group) -> None:
        """Add the commands for codes."""
        from stampbook_redemption.commands import commands

        cli.add_command(commands(self.name, self.config.vouchers))

    @hookimpl
    def pay(self, event: Purchase, order: Order, account: AccountView) -> Iterable[Payment | Objection]:
        """Return what a tender in points takes."""
        return () if self._rates is None else self._rates.payments(event, order, account)

    @hookimpl
    def payable(
        self, event: Purchase, tender: Tender | None, order: Order | None, account: AccountView,
        there: Callable[[str, int], int],
    ) -> Iterable[Payable | Objection]:  # fmt: skip
        """Return how much of an order points may pay, where a tender asks for as much as there is."""
        if self._rates is None or tender is None or order is None or tender.kind != "points":
            return ()
        return self._rates.part(event, tender, order, account, there)

    @hookimpl
    def propose(self, event: Event, account: AccountView, earlier: Earlier | None) -> Iterable[Any]:
        """Return what redeeming and cancelling moves, and what happens to codes."""
        match event:
            case RewardReserved() | RewardReleased() | RewardRedeemed() | RewardGiven() | RewardCancelled():
                return self._catalogue.on_reward(event, account, earlier)
            case VoucherRedeemed():
                return self._vouchers.redeemed(event, account)
            case VoucherCancelled():
                return self._vouchers.cancelled(event, account, earlier)
        return self._vouchers.on_code(event, account)

    @hookimpl
    def assess(self, account: AccountView, at: int, event: Event) -> Iterable[Fact]:
        """Conclude of which series a code is, and whose; and which rewards are set aside."""
        return [*self._vouchers.learned(event, account, at), *self._catalogue.learned(event, account, at)]

    @hookimpl
    def follow(self, facts: Sequence[Fact], account: AccountView, event: Event) -> Iterable[Due]:
        """Let others have a reward that was set aside and not taken."""
        return self._catalogue.following(facts, account, event)

    @hookimpl
    def review(self, transaction: Transaction, account: AccountView, event: Event) -> Iterable[Objection]:  # noqa: ARG002 - the hook's own
        """Object where a code that is bound to an account is used past it."""
        return self._vouchers.review(event, account)
