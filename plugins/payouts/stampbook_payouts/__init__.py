"""Payouts: the stored balance goes back to the customer, by the law of the place or the operator's own terms."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

from stampbook import (
    NEVER,
    AccountJoined,
    AccountParted,
    AccountParting,
    Due,
    Fact,
    Objection,
    PaidIn,
    Plugin,
    PluginError,
    hookimpl,
)
from stampbook_payouts.cash import Cash
from stampbook_payouts.clauses import broken, cautions, clause_told, facts_with, least_ceiling, read_percent
from stampbook_payouts.closing import Closing
from stampbook_payouts.config import PayoutsConfig, card_of, sold_of
from stampbook_payouts.events import (
    KINDS,
    PassSold,
    RefundApproved,
    RefundLapsed,
    RefundPaid,
    RefundRejected,
    RefundRequested,
)
from stampbook_payouts.law import ALWAYS
from stampbook_payouts.money_outside import SALE, paid_told, sold_told
from stampbook_payouts.packs import PACKS
from stampbook_payouts.purchases import Purchases
from stampbook_payouts.quoting import Terms
from stampbook_payouts.requests import Quotes
from stampbook_payouts.selling import Selling, misplaced
from stampbook_payouts.steps import Steps, sold
from stampbook_payouts.story import REFUND_PAID

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import click

    from stampbook import (
        AccountClosed,
        AccountView,
        Earlier,
        Event,
        MoneyEnds,
        MoneyHeld,
        Note,
        Posting,
        Remember,
        Transaction,
    )

__all__ = ["Payouts"]

_CARDS = "card:"
"""How the refs of the accounts of cards begin."""
_MERGERS = (AccountJoined, AccountParted, AccountParting)
_STATES = {
    RefundRequested: "requested",
    RefundApproved: "approved",
    RefundRejected: "rejected",
    RefundPaid: "paid",
    RefundLapsed: "lapsed",
}
_OPEN = ("requested", "approved")
_OF_CARDS = frozenset({"refund.requested", "refund.approved", "refund.rejected", REFUND_PAID})


class Payouts(Plugin[PayoutsConfig]):
    """Quotes and pays refunds of the stored balance by policy packs, line by line with the article."""

    Config = PayoutsConfig
    alone = True
    beside_kinds = frozenset({SALE, REFUND_PAID})
    commands = ("refund",)
    sole = "each would answer for the same balance"

    def prepare(self) -> None:
        """Read the packs, rates and limits."""
        config, program = self.config, self.program
        packs = [PACKS[name] for name in config.packs]
        facts = card_of(config.model_dump())
        self._packs, self._card, self._money, self._sold = packs, facts, program.currency, sold_of(config)
        if config.sessions is not None and config.sessions not in program.assets:
            message = f"sessions: {config.sessions!r} is not an asset of the program; add [assets.{config.sessions}]"
            raise PluginError(message)
        session = 1 if config.sessions is None else program.asset(config.sessions).units("1")
        money = program.currency
        for problem in (
            broken("refunds", "none", packs, facts, money.code, self._sold) if money.code in program.forfeited else ()
        ):
            message = f"[assets.{money.code}] on_close = 'forfeit' takes the balance of who leaves: {problem}"
            raise PluginError(message)
        if config.refunds == "balance":
            facts |= {"contract refunds"}
        self._rates: dict[str, list[tuple[int, int]]] = {}
        for each in sorted(config.rate, key=lambda rate: rate.from_day):
            first = date.fromisoformat(each.from_day).toordinal()
            self._rates.setdefault(each.name, []).append((first, read_percent(each.rate)))
        cash, fee = Cash(config.cash, money.code), read_percent(config.fee)
        terms = Terms(packs, money, program.calendar.day, self._rate, cash, config.rounding, fee)
        self._facts = facts
        quotes = Quotes(terms, self._facts_of, frozenset(config.places), session)
        second_above = _units(config.second_person_above, self)
        self._steps = Steps(self.name, program, terms, quotes, valid_for=config.valid_for, second_above=second_above)
        self._closings = {}
        for code in self._closed_by_packs():
            of_it = replace(terms, currency=program.asset(code), cash=Cash(config.cash, code))
            its_quotes = Quotes(of_it, self._facts_of, frozenset(config.places), session)
            self._closings[code] = Closing(self.name, program, of_it, its_quotes, self._steps)
        self._purchases = Purchases(packs, program, _units(config.ceiling, self), cash)
        self._selling = Selling(config, self.name, program.calendar)
        self.mistakes = list(misplaced(config))
        self._last = f"_{self.name}.quote"
        told_of_packs = cautions(packs, config.places, config.refunds, facts, money.code)
        cautioned: list[tuple[tuple[str | int, ...], str]] = [(("packs",), text) for text in told_of_packs]
        for code in self._closed_by_packs() if config.refunds == "none" else ():
            told = f"[assets.{code}] on_close = 'pay_out': where no law gives money back nothing is, since refunds"
            cautioned.append((("refunds",), f"{told} = 'none'; an account that holds some is not closed then"))
        self.cautions = cautioned
        self.idle = frozenset() if self._purchases.asks or self._selling.is_bounded else frozenset({"review"})
        if config.cards == "bearer":
            self.deals_with = {_CARDS: _OF_CARDS}
        else:
            self.deals_with = {_CARDS: frozenset()} if self._selling.is_bounded else {}
            self.instead = (
                "what is on a card is refunded once it was claimed: stampbook card claim NUMBER ACCOUNT --moves, and "
                f"then from that account; or the program says cards = 'bearer' in its table {self.name!r}"
            )

    def _closed_by_packs(self) -> list[str]:
        """Return the currencies of which closing an account pays out what the packs quote."""
        own, codes = self.program.currency.code, sorted(self.program.paid_out)
        return [code for code in codes if code == own or self.config.other_currencies == "by_packs"]

    def _facts_of(self, account: AccountView) -> frozenset[str]:
        """Return what is so of the card that an account is, or stands for."""
        if not account.ref.startswith(_CARDS):
            return self._facts
        fact = self.program.registered_fact(account.ref)
        return facts_with(self._facts, "registered" if fact and account.text(fact) else "bearer")

    def _rate(self, name: str, day: int) -> int | None:
        table = self._rates.get(name, [])
        place = bisect_right(table, (day, NEVER))
        return table[place - 1][1] if place else None

    def forbids(self, ends: MoneyEnds) -> Iterator[str]:
        """Return by which packs paid value may not end so, with the article."""
        facts = facts_with(self._card, ends.card)
        for pack in self._packs:
            gone, over = (
                broken(term, ends.months, [pack], facts, self._money.code, self._sold) for term in ("lapse", "validity")
            )
            for problem in [*gone] or over:
                yield f"what customers paid would be gone when that is over: {problem}"

    def forbids_held(self, held: MoneyHeld) -> Iterator[str]:
        """Return by which packs a card may not hold so much, with the article."""
        facts = facts_with(self._card, held.card)
        if held.most is not None:
            yield from broken("ceiling", self._money.text(held.most), self._packs, facts, self._money.code, self._sold)
            return
        of_law = None if self.config.cards == "bearer" else least_ceiling(self._packs, facts, self._money, ALWAYS)
        if of_law is not None:
            most, clause = self._money.text(of_law[0]), clause_told(of_law[1])
            yield (
                f"absent, such a card may hold any amount: {clause}; write '{most}', or cards = 'bearer' in the table "
                f"{self.name!r}, which then judges all that is paid in"
            )

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
    def pay_out(
        self, event: AccountClosed, asset: str, account: AccountView
    ) -> list[Posting | Remember | Objection | Note] | None:
        """Return what the packs quote for an account that is closed."""
        closing = self._closings.get(asset)
        return None if closing is None else list(closing.paid_out(event, account))

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

    def beside(self, kind: str, postings: Sequence[Posting], remembered: Mapping[str, str]) -> Iterator[Posting]:
        """Yield the money of passes, and interest, so that `refunds` comes to what was paid out."""
        if kind == SALE:
            return sold_told(self.name, self.program.currency, remembered)
        money = self.program.asset(remembered.get("_currency", self.program.currency.code))
        return paid_told(self.name, money, postings, remembered)

    def noted(self, kind: str, remembered: Mapping[str, str]) -> Iterator[tuple[str, str]]:  # noqa: ARG002 - there is one
        """Yield by which means how much of a refund was paid."""
        if "means" in remembered:
            yield "means", remembered["means"]

    @hookimpl
    def review(self, transaction: Transaction, account: AccountView, event: Event) -> Iterable[Objection]:
        """Object to the sale of a card without terms, to more money than it may hold, and to much cash or no name."""
        if isinstance(event, PaidIn):
            yield from self._selling.objections(event, account)
            if self.config.cards == "bearer" or not account.ref.startswith(_CARDS):
                yield from self._purchases.objections(event, transaction, account, self._facts_of(account))
        elif isinstance(event, PassSold):
            yield from self._selling.of_pass(account)
        # What was on a lost card goes on to the new one, and two accounts of one customer may become one.
        elif transaction.opened and not account.ref.startswith(_CARDS) and not isinstance(event, _MERGERS):
            yield from self._purchases.above(transaction, account, self._facts_of(account))


def _units(text: str | None, plugin: Payouts) -> int | None:
    return None if text is None else plugin.program.currency.units(text)
