"""What the packs quote for the money of an account that is closed, paid out in the same event."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stampbook import Note, Objection, Posting, Remember
from stampbook_payouts.events import RefundRequested
from stampbook_payouts.requests import in_the_way
from stampbook_payouts.settling import settled
from stampbook_payouts.steps import by_what_means, shares_told
from stampbook_payouts.story import PAID, REFUND_PAID

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from stampbook import AccountClosed, AccountView, Calendar, Context, Happened, Lot
    from stampbook_payouts.quoting import Line, Quote, Terms
    from stampbook_payouts.requests import Quotes
    from stampbook_payouts.steps import Steps

_ENDED = frozenset({"refund.rejected", REFUND_PAID})
_NOTHING = frozenset({"not_refundable", "nothing_to_refund"})
_BY_HAND = "take off by hand what is left (stampbook adjust), and close it then"
_Part = Posting | Remember | Objection | Note


class Closing:
    """What closing an account pays out of its balance in one currency, or why a refund has to come first.

    Args:
        name: of the table, whose refunds' rule its postings bear.
        program: the currency and the calendar.
        terms: what quotes are made by, in the currency that is paid out.
        quotes: makes them.
        steps: know who may approve.
    """

    def __init__(self, name: str, program: Context, terms: Terms, quotes: Quotes, steps: Steps) -> None:
        self._rule = f"{name}.refund"
        self._program = program
        self._terms = terms
        self._quotes = quotes
        self._steps = steps
        self._is_other = terms.currency != program.currency

    def paid_out(self, event: AccountClosed, account: AccountView) -> Iterator[_Part]:
        """Yield what goes where, or why the account cannot be closed yet."""
        money = self._terms.currency
        if not self._is_other:  # nobody can ask for a refund of another currency
            requests = list(_open(account.history, event.at, self._program.calendar))
            if requests:
                yield _still_open(requests)
                return
        lots = [lot for lot in account.lots if lot.asset == money.code]
        objections = list(in_the_way(account, lots, money))
        if objections or not lots:
            yield from objections
            return
        asked = RefundRequested.model_construct(
            type="refund.requested", id=event.id, source=event.source, account=event.account, at=event.at,
            cause=event.cause,
        )  # fmt: skip
        found = self._quotes.of(asked, account, None)
        if isinstance(found, Objection):
            yield from self._without_a_quote(found, lots)
        else:
            yield from self._by_quote(event, account, found, lots)

    def _without_a_quote(self, why: Objection, lots: Iterable[Lot]) -> Iterator[_Part]:
        """Yield that bonus alone is let go, or why what was paid in does not come back."""
        lots = list(lots)
        if why.code in _NOTHING and all(lot.kind != PAID for lot in lots):
            for lot in lots:
                yield Posting(lot.asset, lot.remaining, lot.number, "promotion", self._rule)
            return
        hint = f"; {_BY_HAND}" if why.code in _NOTHING else ""
        of_which = f"{self._terms.currency.code}: " if self._is_other else ""
        yield why._replace(message=of_which + why.message + hint)

    def _by_quote(
        self, event: AccountClosed, account: AccountView, quote: Quote, lots: Iterable[Lot]
    ) -> Iterator[_Part]:
        money = self._terms.currency
        if quote.lots:
            told = f"only {money.told(quote.result)} comes back, of top-ups that may still be withdrawn from"
            how = _BY_HAND if self._is_other else _by_request(account.ref)
            yield Objection("refund_in_part", f"{told}, and the rest would be gone; {how}")
            return
        if not self._is_other and self._steps.needs_second(quote.result):
            told = f"{money.told(quote.result)} is more than may be paid out without the approval of somebody else"
            yield Objection("second_person", f"{told}; {_by_request(account.ref)}")
            return
        objections = list(by_what_means(event, quote.result, self._terms))
        if objections:
            yield from objections
            return
        moves = settled(list(lots), quote.principal - quote.fee, quote.fee)
        yield from [Posting(money.code, amount, lot, book, self._rule) for lot, amount, book in moves]
        yield Remember(self._own("refund"), money.told(quote.result))
        texts = {"_currency": money.code, "_rule": quote.rule, "_cause": event.cause}
        amounts = {
            "_result": quote.result,
            "_principal": quote.principal,
            "_fee": quote.fee,
            "_interest": quote.interest,
        }
        for name, text in {**texts, **{name: money.text(amount) for name, amount in amounts.items()}}.items():
            yield Remember(self._own(name), text)
        for name, text in shares_told(event, quote.parts, quote.result, self._terms):
            yield Remember(self._own(name), text)
        yield Note(self._rule, {self._own(line.name): self._told(line) for line in quote.lines})

    def _own(self, name: str) -> str:
        """Return under which name something is kept: one event may pay out several currencies."""
        return f"{name}_{self._terms.currency.code}" if self._is_other else name

    def _told(self, line: Line) -> str:
        told = f"{self._terms.currency.text(line.amount)}: {line.text}"
        return f"{told} [{line.cite}]" if line.cite else told


def _by_request(ref: str) -> str:
    steps = f"stampbook refund request {ref}, then stampbook refund approve and stampbook refund paid"
    return f"refund it first: {steps} with the id that is told"


def _open(history: Iterable[Happened], at: int, calendar: Calendar) -> Iterator[str]:
    """Yield the ids of requests for refunds whose quotes still hold."""
    asked: dict[int, str] = {}
    for entry in history:
        if entry.type == "refund.requested" and at < calendar.parse(entry.remembered["valid_until"]):
            asked[entry.seq] = entry.id
        elif entry.type in _ENDED and entry.about is not None:
            asked.pop(entry.about, None)
    yield from asked.values()


def _still_open(requests: list[str]) -> Objection:
    first = requests[0]
    told = f"a refund is asked for, {', '.join(requests)}"
    return Objection(
        "open_refund",
        f"{told}; pay it (stampbook refund paid {first}) or reject it (stampbook refund reject {first}) first",
    )
