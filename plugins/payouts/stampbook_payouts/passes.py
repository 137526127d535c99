"""Refunds of what is no stored value: packs of sessions, by what is left of them, and period cards, by what remains."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stampbook_payouts.law import holding
from stampbook_payouts.means import Payment, shared
from stampbook_payouts.quoting import Line, Quote, deducted, paid_within, with_interest
from stampbook_payouts.rules import rest_of_sessions, rest_of_term

if TYPE_CHECKING:
    from stampbook_payouts.events import PassSold
    from stampbook_payouts.law import Rule
    from stampbook_payouts.quoting import Asked, Terms


def quote_of_sessions(sold: PassSold, left: int, asked: Asked, terms: Terms) -> Quote | None:
    """Return what comes back of a pack of sessions, or None where no pack of the program says.

    Args:
        sold: the pack.
        left: how many sessions it still has.
        asked: who caused it, and when.
        terms: the packs and the operator's choices.

    Raises:
        NoRateError: interest is owed at a rate that the program does not have.
    """
    sessions = sold.sessions or 0
    used, told = sessions - left, terms.currency.text
    rules = holding(terms.packs, "session", asked.case) or holding(terms.packs, "at_par", asked.case)
    found: list[tuple[int, Rule, str]] = []
    for rule in rules:
        usual = (sold.list_price or 0) if rule.value == "list" else 0
        amount = rest_of_sessions(sold.price, sessions, used, usual, terms.rounding)
        each = usual or rest_of_sessions(sold.price, sessions, sessions - 1, 0, terms.rounding)
        found.append((amount, rule, f"{used} of {sessions} sessions had, each counted at {told(each)}; {left} left"))
    return _quote(sold, found, asked, terms)


def quote_of_term(sold: PassSold, starts: int, ends: int, stopped: int, asked: Asked, terms: Terms) -> Quote | None:
    """Return what comes back of a card for unlimited use; see `quote_of_sessions`.

    Args:
        sold: the card.
        starts: its first day, as an ordinal.
        ends: the day after its last.
        stopped: the day of the rescission, or on which the operator stopped serving, if that was earlier.
        asked: who caused it, and when.
        terms: the packs and the operator's choices.
    """
    whole, remaining = ends - starts, max(0, min(ends - stopped, ends - starts))
    rules = holding(terms.packs, "period", asked.case) or holding(terms.packs, "at_par", asked.case)
    amount = rest_of_term(sold.price, remaining, whole, terms.rounding)
    found = [(amount, rule, f"{remaining} of {whole} days remain") for rule in rules]
    return _quote(sold, found, asked, terms)


def _quote(sold: PassSold, found: list[tuple[int, Rule, str]], asked: Asked, terms: Terms) -> Quote | None:
    if not found:
        return None
    amount, rule, told = max(found, key=lambda each: each[0])
    lines = [
        Line("paid", sold.price, f"paid for {sold.name}: {terms.currency.text(sold.price)}"),
        Line("delivered", amount - sold.price, told, rule.cite, rule.status),
    ]
    amount -= deducted(amount, asked, terms, lines)
    added = with_interest(amount, asked, terms, lines)
    result = amount + added
    lines.append(Line("result", result, f"to be paid out: {terms.currency.told(result)}", rule.cite, rule.status))
    beaten = tuple((each[1].id, each[0]) for each in found if each[1] is not rule)
    payment = Payment(sold.id, sold.source, terms.day_of(sold.at), sold.tender or "", sold.price)
    days, parts = paid_within(asked.case, terms), shared(amount, added, [payment])
    return Quote(rule.id, amount, 0, added, tuple(lines), beaten, pay_within=days, parts=parts)
