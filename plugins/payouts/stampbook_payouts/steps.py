"""The steps of a refund: asked for with its quote, approved or rejected by whoever may, and paid."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stampbook import Deposit, Objection, Posting, Remember
from stampbook_payouts.events import PassSold, RefundApproved, RefundPaid, RefundRejected, RefundRequested
from stampbook_payouts.means import cash_forbidden, is_original, read, routed, summed, written
from stampbook_payouts.money_outside import PRICE
from stampbook_payouts.quoting import Quote
from stampbook_payouts.requests import balance_mark, has_moved, in_the_way, is_paid_out, kept, lots_of_sale
from stampbook_payouts.settling import settled

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stampbook import AccountClosed, AccountView, Context, Earlier, Lot, Period
    from stampbook_payouts.means import Part
    from stampbook_payouts.quoting import Terms
    from stampbook_payouts.requests import Quotes

_Step = RefundApproved | RefundRejected | RefundPaid
_TOLD = ("refund", "_result", "_currency", "_principal", "_fee", "_interest")


class Steps:
    """What each step moves, or why it is refused.

    Args:
        name: of the table, which its rules bear.
        program: the currency and the calendar.
        terms: what quotes are made by.
        quotes: makes them.
        valid_for: how long they hold.
        second_above: the most that who asked may approve, in smallest units; without bound where absent.
    """

    def __init__(
        self, name: str, program: Context, terms: Terms, quotes: Quotes, *, valid_for: Period, second_above: int | None
    ) -> None:
        self._rule = f"{name}.refund"
        self._program = program
        self._terms = terms
        self._quotes = quotes
        self._valid_for = valid_for
        self._second_above = second_above

    def requested(
        self, event: RefundRequested, account: AccountView, earlier: Earlier | None
    ) -> Iterator[Objection | Remember]:
        """Yield what is kept of the quote, or why there is none."""
        lots = self._concerned(account, None if earlier is None or not event.about else earlier.seq)
        objections = list(in_the_way(account, lots, self._program.currency))
        if objections:
            yield from objections
            return
        found = self._quotes.of(event, account, earlier)
        if isinstance(found, Quote):
            calendar = self._program.calendar
            valid_until = self._valid_for.end(event.at, calendar)
            yield from kept(found, event.at, valid_until, balance_mark(lots), self._terms, calendar)
        else:
            yield found

    def judged(
        self, event: RefundApproved | RefundRejected, account: AccountView, earlier: Earlier | None
    ) -> Iterator[Objection]:
        """Yield why a request cannot be approved, or rejected, by who does it."""
        objections = list(self._refused(event, account, earlier))
        yield from objections
        if objections or earlier is None or isinstance(event, RefundRejected):
            return
        if "refund.approved" in earlier.later:
            yield Objection("refund_approved", f"{event.about!r} was approved before")
        money = self._program.currency
        result = money.units(earlier.remembered["_result"])
        asked_by = getattr(earlier.event, "operator", "")
        is_other = bool(_person(event.operator)) and _person(event.operator) != _person(asked_by)
        if self._second_above is None or not self.needs_second(result) or is_other:
            return
        told = f"{money.told(result)} is above {money.text(self._second_above)}"
        who = f"; somebody else than {asked_by!r} approves it" if asked_by else "; say who approves it"
        yield Objection("second_person", told + who)

    def needs_second(self, result: int) -> bool:
        """Whether somebody else than who asked has to approve so much."""
        return self._second_above is not None and result > self._second_above

    def paid(
        self, event: RefundPaid, account: AccountView, earlier: Earlier | None
    ) -> Iterator[Objection | Posting | Remember]:
        """Yield what moves when a refund is paid: the money, a fee, and what is settled with it."""
        objections = list(self._refused(event, account, earlier))
        if objections or earlier is None:
            yield from objections
            return
        if "refund.approved" not in earlier.later:
            yield Objection("not_approved", f"{event.about!r} is not approved yet")
            return
        quoted, sale = earlier.remembered, self._sale(account, earlier)
        money = self._program.currency
        result = money.units(quoted["_result"])
        yield from by_what_means(event, result, self._terms)
        for name in _TOLD:
            yield Remember(name, quoted[name])
        if "_shares" in quoted:
            yield from shares_told(event, read(quoted["_shares"], money), result, self._terms)
        lots = self._concerned(account, sale)
        if sale is not None:
            if is_paid_out(account.history, sale):
                yield Objection("refund_paid", "it was refunded before, by another request")
            sold = next((entry.event for entry in account.history if entry.seq == sale), None)
            if isinstance(sold, PassSold):
                yield Remember(PRICE, money.text(sold.price))
            for lot in lots:
                yield Posting(lot.asset, lot.remaining, lot.number, "refunds", self._rule)
            return
        fee = money.units(quoted["_fee"])
        only = [int(number) for number in quoted.get("_lots", "").split()]
        parts = (part.partition(":") for part in quoted.get("_bonus", "").split())
        bonus = [(int(lot), int(amount)) for lot, _, amount in parts]
        for number, amount, book in settled(lots, money.units(quoted["_principal"]) - fee, fee, only, bonus):
            yield Posting(money.code, amount, number, book, self._rule)

    def _concerned(self, account: AccountView, sale: int | None) -> list[Lot]:
        """Return the lots that a refund is about: those of the currency, or what the sale of a pass put there."""
        if sale is not None:
            return lots_of_sale(account, sale)
        return [lot for lot in account.lots if lot.asset == self._program.currency.code]

    def _sale(self, account: AccountView, request: Earlier) -> int | None:
        """Return the position of the sale that a request is about, if it is about one."""
        return next((entry.about for entry in account.history if entry.seq == request.seq), None)

    def _refused(self, event: _Step, account: AccountView, earlier: Earlier | None) -> Iterator[Objection]:
        """Yield why a request can no longer be judged or paid."""
        if earlier is None or not isinstance(earlier.event, RefundRequested):
            yield Objection("unknown_request", f"no refund {event.about!r} was requested on this account")
            return
        if earlier.elsewhere is not None:
            told = f"{event.about!r} was asked for on account {earlier.elsewhere.ref}, which was merged; ask anew"
            yield Objection("request_merged", told)
            return
        if account.late:
            yield Objection("later_news", "more has happened on the account since; do it as of now")
        for kind, code in (("refund.paid", "refund_paid"), ("refund.rejected", "refund_rejected")):
            if kind in earlier.later:
                yield Objection(code, f"{event.about!r} was {code.removeprefix('refund_')} before")
        if isinstance(event, RefundRejected):
            return
        sale = self._sale(account, earlier)
        quoted, lots = earlier.remembered, self._concerned(account, sale)
        moved = has_moved(account.history, earlier.seq, sale, self._program.currency.code)
        if event.at >= self._program.calendar.parse(quoted["valid_until"]):
            yield Objection("quote_expired", f"the quote held until {quoted['valid_until']}; ask for a new one")
        if moved or balance_mark(lots) != quoted.get("_balance", ""):
            yield Objection("balance_changed", "the balance is no longer what the quote was made on; ask for a new one")
        elif any(lot.held for lot in lots):
            yield Objection("open_holds", "some of it is set aside or frozen since; capture, void or unfreeze it first")


def _person(operator: str) -> str:
    """Return who an operator is, however the name was typed."""
    return " ".join(operator.split()).casefold()


def by_what_means(event: RefundPaid | AccountClosed, result: int, terms: Terms) -> Iterator[Objection]:
    """Yield why so much is not paid in cash, where somebody says that it is."""
    if is_original(event.means) or not terms.cash.is_meant(event.means):
        return
    rule = cash_forbidden(terms.packs, terms.currency, result, terms.day_of(event.at))
    if rule is not None:
        yield Objection("not_in_cash", f"{terms.currency.told(result)}: {rule.about} ({rule.cite})")


def shares_told(
    event: RefundPaid | AccountClosed, parts: Sequence[Part], result: int, terms: Terms
) -> Iterator[Remember]:
    """Yield by which means how much is paid: back as it was paid in, or all by what the event says instead."""
    if is_original(event.means):
        parts = list(routed(parts, result, terms.day_of(event.at), terms))
    else:
        parts = [part._replace(to=event.means, because="") for part in parts]
    yield Remember("_shares", written(parts, terms.currency))
    yield Remember("means", summed(parts, terms.currency))


def sold(event: PassSold, program: Context, asset: str | None, rule: str) -> Iterator[Deposit | Objection | Remember]:
    """Yield what the sale of a pass puts on the account: the sessions of a pack, each pack in a lot of its own.

    Args:
        event: the sale.
        program: the assets.
        asset: what counts sessions, if the program says.
        rule: for the ledger.
    """
    yield Remember("price", program.currency.told(event.price))
    if event.sessions is None:
        return
    if asset is None:
        yield Objection("no_sessions", "the program does not say which asset counts sessions; add sessions = …")
        return
    yield Deposit(asset, program.asset(asset).units(event.sessions), "cash", "paid", event.at, rule=rule)
