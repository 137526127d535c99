"""What a request for a refund asks: from an account and its history to a quote, and how that is kept."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from stampbook import Objection, Remember, settling
from stampbook_payouts.events import PassSold, RefundRequested
from stampbook_payouts.law import Case
from stampbook_payouts.means import routed, written
from stampbook_payouts.passes import quote_of_sessions, quote_of_term
from stampbook_payouts.quoting import Asked, NoDeductionError, NoRateError, Quote, RescindedTooEarlyError, Terms, quote
from stampbook_payouts.story import DEBT, REFUND_PAID, told

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from stampbook import AccountView, Asset, Calendar, Earlier, Happened, Lot


_CARDS = "card:"
"""How the refs of the accounts of cards begin."""


def balance_mark(lots: Iterable[Lot]) -> str:
    """Return a text that changes whenever what lots hold does."""
    return " ".join(f"{lot.number}:{lot.remaining}" for lot in lots)


def usable(account: AccountView, asset: str) -> list[Lot]:
    """Return the lots of an asset that hold something which may be used now."""
    return [lot for lot in account.lots if lot.asset == asset and lot.usable(account.at) > 0]


def in_the_way(account: AccountView, lots: Iterable[Lot], money: Asset) -> Iterator[Objection]:
    """Yield why nothing of some lots can be refunded as things stand."""
    lots = list(lots)
    if account.late:
        yield Objection("later_news", "more has happened on the account since; ask again as of now")
    elif any(lot.held for lot in lots):  # of an earlier time, what came since looks so
        yield Objection("open_holds", "some of it is set aside or frozen; capture, void or unfreeze it first")
    if owed := sum(-lot.remaining for lot in lots if lot.kind == DEBT):
        how = settling(account.ref, money, owed)
        if account.ref.startswith(_CARDS):
            number = account.ref.removeprefix(_CARDS)
            how = f"settle it first: stampbook card topup {number} {money.text(owed)} --tender NAME"
        yield Objection("debt", f"{money.told(owed)} is owed; {how}")


def lots_of_sale(account: AccountView, sale: int) -> list[Lot]:
    """Return the lots that the event at a position began and that still hold something."""
    opened = next((entry.opened for entry in account.history if entry.seq == sale), ())
    numbers = {lot.number for lot in opened}
    return [lot for lot in account.lots if lot.number in numbers]


def has_moved(history: Iterable[Happened], since: int, sale: int | None, asset: str) -> bool:
    """Whether anything that a refund is about has moved after a position of the journal, though it be back again.

    Args:
        history: the account's accepted events.
        since: the position of the request.
        sale: that of the sale of a pass, if it is about one.
        asset: the currency, where it is about no pass.
    """
    mine: set[int] | None = None
    if sale is not None:
        mine = {lot.number for entry in history if entry.seq == sale for lot in entry.opened}
    for entry in history:
        if entry.seq <= since:
            continue
        for code, _, source, destination, _ in entry.postings:
            if (code == asset) if mine is None else (source in mine or destination in mine):
                return True
    return False


def is_paid_out(history: Iterable[Happened], sold: int) -> bool:
    """Whether a pass, by the position of its sale, was refunded."""
    requests: set[int] = set()
    for entry in history:
        if entry.type == "refund.requested" and entry.about == sold:
            requests.add(entry.seq)
        elif entry.type == REFUND_PAID and entry.about in requests:
            return True
    return False


class Quotes:
    """Makes quotes by the packs of a program."""

    def __init__(
        self, terms: Terms, facts_of: Callable[[AccountView], frozenset[str]], places: frozenset[str], session: int
    ) -> None:
        """Take up what quotes are made by; a session is so many smallest units of its asset."""
        self._terms = terms
        self._facts_of = facts_of
        self._places = places
        self._session = session

    def of(self, event: RefundRequested, account: AccountView, earlier: Earlier | None) -> Quote | Objection:
        """Return the quote for a request, or why there is none."""
        try:
            found = self._of_pass(event, account, earlier) if event.about else self._of_balance(event, account)
        except NoRateError as error:
            return Objection("no_rate", str(error))
        except NoDeductionError as error:
            return Objection("no_deduction", str(error))
        except RescindedTooEarlyError as error:
            return Objection("rescinded_too_early", str(error))
        if found is None:
            return Objection("not_refundable", "neither the law nor the terms of the program give this money back")
        if isinstance(found, Quote) and found.result <= 0:
            told_ = "; ".join(line.text for line in found.lines if line.name != "result")
            return Objection("nothing_to_refund", f"nothing comes back: {told_ or 'nothing is left'}")
        return found

    def _asked(self, event: RefundRequested, account: AccountView, first: int, last: int) -> Asked:
        day_of = self._terms.day_of
        since = event.at if event.rescinded_at is None else event.rescinded_at
        if day_of(since) < day_of(first):
            raise RescindedTooEarlyError(day_of(since), day_of(first))
        days = {"contract": day_of(first), "topup": day_of(last), "refund": day_of(event.at)}
        facts = self._facts_of(account)
        facts = facts | {"receipt"} if event.receipt else facts
        case = Case(event.cause, days, self._places, facts)  # type: ignore[arg-type]  # the keys are those of Looks
        return Asked(
            case, event.at, event.experienced, day_of(event.at) - day_of(since), event.deduct, event.deduct_for
        )

    def _of_balance(self, event: RefundRequested, account: AccountView) -> Quote | None:
        asset = self._terms.currency.code
        story = told(account.history, self._terms.currency)
        asked_at = event.at if event.rescinded_at is None else event.rescinded_at
        times = [topup.at for topup in story.topups] or [asked_at]
        pending = sum(lot.remaining for lot in account.lots if lot.asset == asset and lot.effective_at > account.at)
        story.forget_bonus(pending)
        return quote(story, usable(account, asset), self._asked(event, account, min(times), max(times)), self._terms)

    def _of_pass(
        self, event: RefundRequested, account: AccountView, earlier: Earlier | None
    ) -> Quote | Objection | None:
        sold = None if earlier is None else earlier.event
        if earlier is None or not isinstance(sold, PassSold):
            return Objection("unknown_pass", f"no pass {event.about!r} was sold to this account")
        if earlier.elsewhere is not None:
            told_ = f"{event.about!r} was sold to account {earlier.elsewhere.ref}, which was merged; refund it by hand"
            return Objection("pass_merged", told_)
        if is_paid_out(account.history, earlier.seq):
            return Objection("refund_paid", f"{event.about!r} was refunded before")
        asked, day_of = self._asked(event, account, sold.at, sold.at), self._terms.day_of
        if sold.until is not None:
            stopped = min(at for at in (event.at, event.rescinded_at, event.stopped_at) if at is not None)
            return quote_of_term(sold, day_of(sold.at), day_of(sold.until), day_of(stopped), asked, self._terms)
        left = sum(lot.remaining for lot in lots_of_sale(account, earlier.seq))
        return quote_of_sessions(sold, left // self._session, asked, self._terms)


def kept(found: Quote, at: int, valid_until: int, balance: str, terms: Terms, calendar: Calendar) -> Iterator[Remember]:
    """Yield what is remembered of a quote that was asked for at an instant, for who asks and for what follows."""
    money, best = terms.currency.text, found.principal - found.fee
    lines = [[line.name, money(line.amount), line.text, line.cite, line.status] for line in found.lines]
    texts: dict[str, Any] = {
        "refund": terms.currency.told(found.result),
        "valid_until": calendar.iso(valid_until),
        "_result": money(found.result),
        "_currency": terms.currency.code,
        "_principal": money(found.principal),
        "_fee": money(found.fee),
        "_interest": money(found.interest),
        "_rule": found.rule,
        "_beaten": ", ".join(f"{rule} {money(amount)}" for rule, amount in found.beaten if amount < best),
        "_balance": balance,
        "_lots": " ".join(map(str, found.lots)),
        "_bonus": " ".join(f"{lot}:{amount}" for lot, amount in found.bonus),
        "_pay_within": f"{found.pay_within} days" if found.pay_within else "",
        "_shares": written(routed(found.parts, found.result, terms.day_of(at), terms), terms.currency),
        "_lines": json.dumps(lines, ensure_ascii=False, separators=(",", ":")),
    }
    for name, text in texts.items():
        if text:
            yield Remember(name, text)
