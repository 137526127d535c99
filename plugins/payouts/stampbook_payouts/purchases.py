"""Paying in: how much money a card may hold, and what the law asks of whoever buys for much in one go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stampbook import Objection
from stampbook_payouts.clauses import least_ceiling
from stampbook_payouts.law import LargePurchase

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stampbook import AccountView, Asset, Context, PaidIn, Transaction
    from stampbook_payouts.cash import Cash
    from stampbook_payouts.law import Pack

_PAID = "paid"
_COMES_FROM = ("cash", "transfers", "exchange")
"""Books out of which paid-in money comes that an account did not hold before."""
_ASKED = ("real_name", "no_cash")


class Purchases:
    """Judges money that is paid in.

    Args:
        packs: those of the program.
        program: the currency and the calendar.
        ceiling: the most that the terms let a card hold, in smallest units; the packs may allow less.
        cash: what is called so.
    """

    def __init__(self, packs: Sequence[Pack], program: Context, ceiling: int | None, cash: Cash) -> None:
        self._packs, self._program, self._ceiling, self._cash = packs, program, ceiling, cash
        self._rules = [
            (rule, rule.value)
            for pack in packs
            for rule in pack.rules
            if rule.topic in _ASKED and isinstance(rule.value, LargePurchase) and rule.value.currency in program.assets
        ]
        self.asks = (
            ceiling is not None
            or bool(self._rules)
            or any(
                each.term == "ceiling" and each.currency in program.assets for pack in packs for each in pack.clauses
            )
        )

    def objections(
        self, event: PaidIn, transaction: Transaction, account: AccountView, facts: frozenset[str]
    ) -> Iterator[Objection]:
        """Yield why money may not be paid in so.

        Args:
            event: that pays it in.
            transaction: what it moves.
            account: into which.
            facts: what is so of the card.
        """
        yield from self.above(transaction, account, facts)
        money = self._program.asset(event.currency or self._program.currency.code)
        yield from self._in_one_go(event, account, facts, money)

    def above(self, transaction: Transaction, account: AccountView, facts: frozenset[str]) -> Iterator[Objection]:
        """Yield why an account may not get so much more of paid-in money, and how much more it may get.

        It is paid in, arrives from a card or another account, or is had for another currency.

        Args:
            transaction: what moves.
            account: that gets it.
            facts: what is so of the card that it is, or stands for.
        """
        for code in dict.fromkeys(lot.asset for lot in transaction.opened if lot.kind == _PAID):
            yield from self._above(transaction, account, facts, self._program.asset(code))

    def _above(
        self, transaction: Transaction, account: AccountView, facts: frozenset[str], money: Asset
    ) -> Iterator[Objection]:
        most = self._ceiling if money == self._program.currency else None
        cite = "the terms of the program"
        opened = {lot.number for lot in transaction.opened if lot.kind == _PAID and lot.asset == money.code}
        more = sum(
            posting.amount
            for posting in transaction.postings
            if posting.destination in opened and posting.source in _COMES_FROM
        )
        if not more:
            return
        of_law = least_ceiling(self._packs, facts, money, account.day)
        if of_law is not None and (most is None or of_law[0] < most):  # the terms are of another kind of card
            most, cite = of_law[0], of_law[1].cite
        there = sum(lot.remaining for lot in account.lots if lot.asset == money.code and lot.kind == _PAID)
        if most is None or there + more <= most:
            return
        told = f"the card would hold {money.text(there + more)} of paid-in money, and {money.told(most)} is the most"
        room = max(0, most - there)
        possible = f"{money.told(room)} more is possible" if room else "nothing more is possible"
        yield Objection("card_limit", f"{told} ({cite}); {possible}")

    def _in_one_go(
        self, event: PaidIn, account: AccountView, facts: frozenset[str], money: Asset
    ) -> Iterator[Objection]:
        day, tender = account.day, account.text_of(event, "tender")
        total = event.amount if event.sale_total is None else event.sale_total
        in_cash: list[Objection] = []
        for rule, large in self._rules:
            if (
                large.currency != money.code
                or total < money.units(large.least)
                or not rule.first_day <= day <= rule.last_day
            ):
                continue
            if not facts >= set(rule.needs):
                continue
            told = f"{money.told(total)}: {rule.about} ({rule.cite})"
            if rule.topic == "no_cash":
                in_cash.extend(self._in_cash(event.buyer, tender, large, told))
            elif not (event.identity or "").strip():
                yield Objection("real_name", f"{told}; say in identity under which number the name is kept")
        is_refused = any(each.code != "buyer_unknown" for each in in_cash)
        yield from (each for each in in_cash if each.code != "buyer_unknown" or not is_refused)

    def _in_cash(self, buyer: str | None, tender: str, large: LargePurchase, told: str) -> Iterator[Objection]:
        """Yield why so much is not paid so; a buyer of whom nothing is said is a person, unless cash is paid."""
        in_cash = self._cash.is_meant(tender)
        if large.buyer not in {"", buyer or "person"}:
            if buyer is None and in_cash:
                yield Objection("buyer_unknown", f"{told}; say in buyer whether a person or an organisation buys")
        elif not tender.strip():
            yield Objection("tender_unknown", f"{told}; say in tender how it is paid")
        elif in_cash:
            yield Objection("paid_in_cash", told)
