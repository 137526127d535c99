"""Payouts: the stored balance goes back to the customer, by the law of the place or the operator's own terms."""

from __future__ import annotations

from bisect import bisect_right
from datetime import date
from typing import TYPE_CHECKING, Any

from stampbook import NEVER, Due, Fact, Objection, Plugin, PluginError, hookimpl
from stampbook_payouts.clauses import broken, cautions, facts_with, least_ceiling, read_percent
from stampbook_payouts.config import PayoutsConfig, card_of
from stampbook_payouts.events import (
    KINDS,
    PassSold,
    RefundApproved,
    RefundLapsed,
    RefundPaid,
    RefundRejected,
    RefundRequested,
)
from stampbook_payouts.packs import PACKS
from stampbook_payouts.quoting import Terms
from stampbook_payouts.requests import Quotes
from stampbook_payouts.steps import Steps, sold

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import click

    from stampbook import AccountView, Earlier, Event, MoneyEnds, Transaction

__all__ = ["Payouts"]

_PAID = "paid"
_STATES = {
    RefundRequested: "requested",
    RefundApproved: "approved",
    RefundRejected: "rejected",
    RefundPaid: "paid",
    RefundLapsed: "lapsed",
}
_OPEN = ("requested", "approved")


class Payouts(Plugin[PayoutsConfig]):
    """Quotes and pays refunds of the stored balance by policy packs, line by line with the article."""

    Config = PayoutsConfig
    alone = True
    sole = "each would answer for the same balance"

    def prepare(self) -> None:
        """Read the packs, rates and limits."""
        config, program = self.config, self.program
        packs = [PACKS[name] for name in config.packs]
        facts = card_of(config.model_dump())
        self._packs, self._card, self._money = packs, facts, program.currency
        if config.sessions is not None and config.sessions not in program.assets:
            message = f"sessions: {config.sessions!r} is not an asset of the program; add [assets.{config.sessions}]"
            raise PluginError(message)
        session = 1 if config.sessions is None else program.asset(config.sessions).units("1")
        money = program.currency
        for problem in broken("refunds", "none", packs, facts, money) if money.code in program.forfeited else ():
            message = f"[assets.{money.code}] on_close = 'forfeit' takes the balance of who leaves: {problem}"
            raise PluginError(message)
        if config.refunds == "balance":
            facts |= {"contract refunds"}
        self._rates: dict[str, list[tuple[int, int]]] = {}
        for each in sorted(config.rate, key=lambda rate: rate.from_day):
            first = date.fromisoformat(each.from_day).toordinal()
            self._rates.setdefault(each.name, []).append((first, read_percent(each.rate)))
        terms = Terms(
            packs, program.currency, program.calendar.day, self._rate, config.rounding, read_percent(config.fee)
        )
        quotes = Quotes(terms, facts, frozenset(config.places), session)
        second_above = _units(config.second_person_above, self)
        self._steps = Steps(self.name, program, terms, quotes, valid_for=config.valid_for, second_above=second_above)
        self._ceiling: tuple[int, str] | None = None
        own, of_law = _units(config.ceiling, self), least_ceiling(packs, facts, program.currency)
        if own is not None:
            self._ceiling = own, "the terms of the program"
        elif of_law is not None:
            self._ceiling = of_law[0], of_law[1].cite
        self._last = f"_{self.name}.quote"
        self.cautions = [(("packs",), text) for text in cautions(packs, config.places, config.refunds)]
        self.idle = frozenset() if self._ceiling else frozenset({"review"})

    def _rate(self, name: str, day: int) -> int | None:
        table = self._rates.get(name, [])
        place = bisect_right(table, (day, NEVER))
        return table[place - 1][1] if place else None

    def forbids(self, ends: MoneyEnds) -> Iterator[str]:
        """Return by which packs paid value may not end so, with the article."""
        facts = facts_with(self._card, ends.card)
        for pack in self._packs:
            gone, over = (broken(term, ends.months, [pack], facts, self._money) for term in ("lapse", "validity"))
            for problem in [*gone] or over:
                yield f"what customers paid would be gone when that is over: {problem}"

    @hookimpl
    def register_events(self) -> list[type[Event]]:
        """Bring requests, approvals and payments, and the sale of passes."""
        return list(KINDS)

    @hookimpl
    def register_commands(self, cli: click.Group) -> None:
        """Add the commands for refunds."""
        from stampbook_payouts.commands import commands

        cli.add_command(commands())

    @hookimpl
    def propose(self, event: Event, account: AccountView, earlier: Earlier | None) -> Iterable[Any]:
        """Return what a sale, a request or its payment moves."""
        match event:
            case PassSold():
                return sold(event, self.program, self.config.sessions, f"{self.name}.pass")
            case RefundRequested():
                return self._steps.requested(event, account, earlier)
            case RefundApproved() | RefundRejected():
                return self._steps.judged(event, account, earlier)
            case RefundPaid():
                return self._steps.paid(event, account, earlier)
        return []

    @hookimpl
    def assess(self, account: AccountView, at: int, event: Event) -> list[Fact]:
        """Conclude how far the last refund is, and until when its quote holds."""
        state = _STATES.get(type(event))
        if state is None:
            return []
        facts = [Fact("refund", state, at, NEVER, event.words)]
        if isinstance(event, RefundRequested):
            until = self.config.valid_for.end(at, self.program.calendar)
            facts.append(Fact(self._last, str(until), at, NEVER, event.id))
        elif account.fact("refund") is not None and state == account.text("refund"):
            return []
        return facts

    @hookimpl
    def due(self, account: AccountView, at: int) -> list[Due]:
        """Return when the last quote holds no more."""
        last = account.fact(self._last)
        if last is None or account.text("refund") not in _OPEN or int(last.value) > at:
            return []
        return [Due(int(last.value), "refund.lapsed", f"refund.lapsed:{account.ref}", {"request": last.reason})]

    @hookimpl
    def review(self, transaction: Transaction, account: AccountView, event: Event) -> Iterator[Objection]:
        """Object to more money on a card than it may hold."""
        if event.type != "topup" or self._ceiling is None:
            return
        asset, (most, cite) = self.program.currency, self._ceiling
        there = sum(lot.remaining for lot in account.lots if lot.asset == asset.code and lot.kind == _PAID)
        more = sum(
            posting.amount
            for posting in transaction.postings
            if posting.source == "cash" and posting.asset == asset.code
        )
        if there + more > most:
            told = (
                f"the card would hold {asset.text(there + more)} of paid-in money, and {asset.told(most)} is the most"
            )
            yield Objection("card_limit", f"{told} ({cite})")


def _units(text: str | None, plugin: Payouts) -> int | None:
    return None if text is None else plugin.program.currency.units(text)
