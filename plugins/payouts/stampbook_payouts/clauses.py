"""What the packs of a program forbid it to say, and what it has to look at before it relies on them."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from stampbook import Period, PeriodError
from stampbook_payouts.law import WEAK, Clause, LargePurchase, Sold, concerns

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from stampbook import Asset
    from stampbook_payouts.law import Pack

NEVER_ENDS = 1200
"""A century of months: what is asked of a validity by a law under which a card does not end."""
_DAYS_OF_MONTH = 31
_FROM_NOW_ON = Sold()
_SENT = {
    "real_name": "tills send identity and, of several cards, sale_total",
    "no_cash": "tills send tender, buyer and, of several cards, sale_total",
}
"""What events that pay money in say, so that a rule can be kept."""


def read_percent(text: str) -> int:
    """Read ``2.5%`` as millionths: 25,000."""
    whole, _, fraction = text.rstrip("%").partition(".")
    return int(whole) * 10_000 + int(fraction.ljust(4, "0") or 0)


def broken(
    term: str, value: object, packs: Iterable[Pack], facts: frozenset[str], money: str, sold: Sold = _FROM_NOW_ON
) -> Iterator[str]:
    """Yield how a term of the program breaks its packs, each with the article.

    Args:
        term: the option.
        value: what the program says.
        packs: those of the program.
        facts: what the card is: ``registered``, ``bearer``, ``e_money``; and the places, as ``place CA``.
        money: the code of the program's currency; amounts of other money are not compared with it.
        sold: when the cards were sold of which it is a term.
    """
    for pack in packs:
        for clause in pack.clauses:
            if clause.term != term or not _concerns(clause, facts) or clause.currency not in {"", money}:
                continue
            if not concerns(clause, sold, reloadable="reloadable" in facts):
                continue
            if clause.never and value == clause.never:
                yield f"{value!r} breaks {pack.name}: {clause_told(clause)}"
            elif clause.least and _months(value) < clause.least:
                yield f"{_told(value)} breaks {pack.name}: {clause_told(clause)}"
            elif clause.most and _exceeds(value, clause.most):
                yield f"{value!r} breaks {pack.name}: {clause_told(clause)}"


def facts_with(facts: frozenset[str], card: str) -> frozenset[str]:
    """Return what is so of a card that is ``registered`` or ``bearer``; of the program's own where that is not said."""
    return facts - {"registered", "bearer"} | {card} if card else facts


def _concerns(clause: Clause, facts: frozenset[str]) -> bool:
    here = not clause.places or any(f"place {place}" in facts for place in clause.places)
    return here and (not clause.cards or bool(facts & set(clause.cards)))


def _months(value: object) -> int:
    """Return how many months something lasts, for sure."""
    if value is None or value == "never":
        return NEVER_ENDS
    if isinstance(value, int):
        return value
    try:
        period = Period.parse(str(value))
    except PeriodError:
        return 0
    return period.months + period.days // _DAYS_OF_MONTH


def _told(value: object) -> str:
    return f"{value} months" if isinstance(value, int) else repr(value)


def _exceeds(value: object, most: str) -> bool:
    if value is None:
        return False
    if most.endswith("%"):
        return read_percent(str(value)) > read_percent(most)
    return Fraction(str(value)) > Fraction(most)


def least_ceiling(packs: Iterable[Pack], facts: frozenset[str], money: Asset, day: int) -> tuple[int, Clause] | None:
    """Return the most that a card may hold on a day by its packs, with the clause that says so; None if none does."""
    found = [
        (money.units(clause.most), clause)
        for pack in packs
        for clause in pack.clauses
        if clause.term == "ceiling"
        and clause.currency in {"", money.code}
        and _concerns(clause, facts)
        and clause.first_day <= day <= clause.last_day
    ]
    return min(found, key=lambda pair: pair[0], default=None)


def clause_told(clause: Clause) -> str:
    """Say what a clause says, and where it stands."""
    return f"{clause.about} ({clause.cite})"


def _in_other_money(pack: Pack, here: set[str], facts: frozenset[str], money: str) -> str:
    """Say which articles of a pack speak of money that is not the program's, so that nothing is held to them."""
    told: dict[str, list[str]] = {}
    for each in pack.all:
        code = each.currency if isinstance(each, Clause) else getattr(each.value, "currency", "")
        holds = isinstance(each, Clause) or facts >= set(each.needs) - {"receipt"}
        if code and code != money and holds and (not each.places or here & set(each.places)):
            told.setdefault(code, []).append(each.cite)
    if not told:
        return ""
    [(code, cites)] = told.items()  # a law speaks of the money of its country
    articles = ", ".join(dict.fromkeys(cites))
    return (
        f"{pack.name}: its amounts are in {code} ({articles}), and the program counts {money}: what is paid and kept "
        f"in {money} is held to none of them; what is in {code} is"
    )


def cautions(
    packs: Sequence[Pack], places: Iterable[str], refunds: str, facts: frozenset[str], money: str
) -> Iterator[str]:
    """Yield what an operator should look at: what nobody could verify of the packs, and what they leave out.

    Args:
        packs: those of the program.
        places: where it is; what is of other places is left out.
        refunds: what the terms say of them.
        facts: what the card is.
        money: the code of the program's currency.
    """
    here = set(places)
    names = {pack.name for pack in packs}
    if any(name.startswith("cn-") for name in names) and "cn-2025" not in names:
        yield "what comes back in China is said by cn-2025; the other Chinese packs add to it, so name it too"
    elif refunds == "balance" and not names & {"contract", "cn-2025"}:
        yield "the terms give the balance back, which the pack 'contract' works out: name it, or write refunds = 'none'"
    for pack in packs:
        asked = [rule for rule in pack.rules if rule.topic in {"real_name", "no_cash"} and facts >= set(rule.needs)]
        if other := _in_other_money(pack, here, facts, money):
            yield other
        for rule in asked:
            if isinstance(rule.value, LargePurchase) and rule.value.currency != money:
                continue
            told = f"{pack.name}: {rule.cite}: {rule.about}"
            yield f"{told}; {_SENT[rule.topic]}, and what is paid in otherwise is refused"
        if pack.notify:
            yield f"{pack.name}: {pack.notify}"
    said: Mapping[str, str] = {
        "unverified": "rests on what could not be verified",
        "reading": "is our reading of what the law does not say",
    }
    for pack in packs:
        for each in pack.all:
            if each.status in WEAK and (not each.places or here & set(each.places)):
                yield f"{pack.name}: {each.cite}: {each.about}: that {said[each.status]}; ask a lawyer"
