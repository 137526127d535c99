"""A quote: every way in which the law or the contract gives money back, the one that gives most, and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, NamedTuple

from stampbook_payouts.law import CashOut, Withdrawal, holding
from stampbook_payouts.means import Payment, shared
from stampbook_payouts.rules import Share, fee_of, interest, is_small, is_used_up, pooled, principal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from stampbook import Asset, Lot
    from stampbook_payouts.cash import Cash
    from stampbook_payouts.law import Case, Pack, Rule
    from stampbook_payouts.means import Part
    from stampbook_payouts.story import Story, TopUp


class NoRateError(Exception):
    """Interest is owed at a rate of which the program has none on that day."""

    def __init__(self, name: str, day: int) -> None:
        super().__init__(f"the program has no rate {name!r} of {date.fromordinal(day)}; add it as [[plugin.rate]]")


class NoDeductionError(Exception):
    """Something is to be deducted, and no rule allows it."""

    def __init__(self) -> None:
        super().__init__("no rule of the packs lets anything be deducted from a refund")


class RescindedTooEarlyError(Exception):
    """The contract is said to have been rescinded before there was one."""

    def __init__(self, since: int, first: int) -> None:
        told = f"it cannot have been rescinded on {date.fromordinal(since)}: the first payment that is not settled is"
        super().__init__(f"{told} of {date.fromordinal(first)}; correct rescinded_at")


class Line(NamedTuple):
    """One line of a quote: what it is, how much, in words, and what it rests on."""

    name: str
    amount: int
    text: str
    cite: str = ""
    status: str = ""


@dataclass(frozen=True, slots=True)
class Quote:
    """What a refund would come to. Money in smallest units: ``result = principal - fee + interest``.

    `rule` is the one that gives most, `beaten` what each other way would have given. `lots` are those of the top-ups
    that are given back; empty means all. `bonus` is what goes with them of what they had brought: pairs of lot and
    amount. It is to be paid within `pay_within` days, where a rule says so (else 0). `parts` share the result over the
    payments that it gives back.
    """

    rule: str
    principal: int
    fee: int
    interest: int
    lines: tuple[Line, ...]
    beaten: tuple[tuple[str, int], ...] = ()
    lots: tuple[int, ...] = ()
    pay_within: int = 0
    bonus: tuple[tuple[int, int], ...] = ()
    parts: tuple[Part, ...] = ()

    @property
    def result(self) -> int:
        """What is paid out."""
        return self.principal - self.fee + self.interest


@dataclass(frozen=True, slots=True)
class Terms:
    """What a quote is made by: packs in the order of the program, the currency, and what the operator chose.

    `fee` is in millionths; `rate` gives a year's rate in millionths by name and day, or None; `cash`
    knows what is called so.
    """

    packs: Sequence[Pack]
    currency: Asset
    day_of: Callable[[int], int]
    rate: Callable[[str, int], int | None]
    cash: Cash
    rounding: str = "half_up"
    fee: int = 0


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked for: the case, whether the customer had the same before, and for how many days interest runs.

    `deduct` is what somebody decided to keep, in smallest units, and `deduct_for` what for.
    """

    case: Case
    at: int
    experienced: bool = False
    interest_days: int = 0
    deduct: int = 0
    deduct_for: str = ""


class _Way(NamedTuple):
    rule: Rule
    amount: int
    lines: tuple[Line, ...]
    lots: tuple[int, ...] = ()
    rights: frozenset[str] = frozenset()
    """The rules by which top-ups are withdrawn from."""
    fee: int = 0
    bonus: tuple[tuple[int, int], ...] = ()
    without_fee: int = 0
    """How much of it bears no fee, since it is withdrawn."""
    of_lots: bool = True
    """Whether it is what lots hold; else it is worked out from all that was paid and consumed."""

    @property
    def back(self) -> int:
        """What the customer gets of it."""
        return self.amount - self.fee


def quote(story: Story, lots: Sequence[Lot], asked: Asked, terms: Terms) -> Quote | None:
    """Return what comes back of the stored value of an account, or None where nothing gives anything back.

    Args:
        story: what was paid in, granted and consumed.
        lots: those of the currency that hold something and may be used.
        asked: who caused it, and when.
        terms: the packs and the operator's choices.

    Raises:
        NoRateError: interest is owed at a rate that the program does not have.
        NoDeductionError: something is to be deducted, and no rule allows it.
    """
    withdrawn = [*_by_withdrawal(story, lots, asked, terms)]
    ways = [*_by_value(story, asked, terms), *withdrawn]
    ways += [*_in_cash(story, lots, asked, terms), *_at_par(lots, asked, terms)]
    ways += [both for each in withdrawn if each.lots for both in _at_par(lots, asked, terms, each)]
    if not ways:
        return None
    best = max(ways, key=lambda way: way.back)
    lines, amount = list(best.lines), best.amount
    least = min(sum(lot.free for lot in lots), max(0, story.paid_ever - story.refunded_ever))
    if amount > least:
        lines.append(Line("limit", least - amount, "no more than was ever paid in and is still there"))
        amount = least
    amount -= deducted(amount, asked, terms, lines)
    lines += [
        Line("principal", amount, f"{rule.about}: {terms.currency.text(amount)}", rule.cite, rule.status)
        for rule in holding(terms.packs, "principal", asked.case)[:1]
    ]
    fee = fee_of(max(0, amount - best.without_fee), terms.fee) if best.fee else 0
    if fee:
        lines.append(Line("fee", -fee, "the fee of the program", best.rule.cite))
    added = with_interest(amount, asked, terms, lines)
    result = amount - fee + added
    lines.append(
        Line("result", result, f"to be paid out: {terms.currency.told(result)}", best.rule.cite, best.rule.status)
    )
    beaten = tuple((way.rule.id, way.back) for way in ways if way is not best)
    days = paid_within(asked.case, terms, best.rights)
    parts = shared(amount - fee, added, _payments(story, lots, best, terms))
    return Quote(best.rule.id, amount, fee, added, tuple(lines), beaten, best.lots, days, best.bonus, parts)


def _payments(story: Story, lots: Sequence[Lot], way: _Way, terms: Terms) -> list[Payment]:
    """Return the payments that a way gives back, the oldest first, each with what its lot holds where that counts."""
    left = {lot.number: lot.free for lot in lots} if way.of_lots else {}
    return [
        Payment(topup.id, topup.source, terms.day_of(topup.at), topup.tender, topup.paid, left.get(topup.lot, 0))
        for topup in story.topups
        if topup.paid > 0 and (not way.lots or topup.lot in way.lots)
    ]


def paid_within(case: Case, terms: Terms, rights: frozenset[str] = frozenset()) -> int:
    """Return within how many days a refund is to be paid, or 0 where no rule says.

    Args:
        case: what decides which rules hold.
        terms: the packs.
        rights: the rules by which something is withdrawn from.
    """
    case = case._replace(facts=case.facts | {f"withdrawal {right}" for right in rights})
    soon = [rule.value for rule in holding(terms.packs, "pay_within", case)]
    return min((days for days in soon if isinstance(days, int)), default=0)


def deducted(amount: int, asked: Asked, terms: Terms, lines: list[Line]) -> int:
    """Return what is deducted of an amount, never more than it, and add the line that says so.

    Raises:
        NoDeductionError: no rule allows it.
    """
    if not asked.deduct:
        return 0
    rules = holding(terms.packs, "deduction", asked.case)
    if not rules:
        raise NoDeductionError
    part = min(amount, asked.deduct)
    told = f"kept for {asked.deduct_for or 'what was not said'}: {rules[0].about}"
    lines.append(Line("deducted", -part, told, rules[0].cite, rules[0].status))
    return part


def with_interest(amount: int, asked: Asked, terms: Terms, lines: list[Line]) -> int:
    """Return the interest by the rule that gives most, and add the line that says so.

    Raises:
        NoRateError: the program does not have the rate.
    """
    rules = holding(terms.packs, "interest", asked.case)
    if not rules or not amount or asked.interest_days <= 0:
        return 0
    day = asked.case.days["contract"]
    rates: list[tuple[int, Rule]] = []
    for rule in rules:
        rate = terms.rate(str(rule.value), day)
        if rate is None:
            raise NoRateError(str(rule.value), day)
        rates.append((rate, rule))
    rate, rule = max(rates, key=lambda pair: pair[0])
    added = interest(amount, rate, asked.interest_days, terms.rounding)
    told = f"{asked.interest_days} days at {percent(rate)} a year ({rule.value} of {date.fromordinal(day)}), of 365"
    lines.append(Line("interest", added, told, rule.cite, rule.status))
    return added


def percent(millionths: int) -> str:
    """Write a rate for a person: 31,000 millionths are ``3.10 %``."""
    whole, rest = divmod(millionths, 10_000)
    return f"{whole}.{f'{rest:04d}'.rstrip('0').ljust(2, '0')} %"


def _by_value(story: Story, asked: Asked, terms: Terms) -> Iterator[_Way]:
    """Yield what was paid less what was delivered: all top-ups together, or each by itself, whichever is more."""
    shares = [(topup, Share(topup.paid, topup.bonus, used, listed)) for topup, used, listed in story.shares()]
    if shares and story.loose:
        shares[0] = (shares[0][0], shares[0][1]._replace(granted=shares[0][1].granted + story.loose))
    together = pooled([share for _, share in shares])
    for rule in holding(terms.packs, "valuation", asked.case):
        valuation = str(rule.value)
        whole = principal(together, valuation, terms.rounding)
        each, withdrawn = 0, None
        rights: set[str] = set()
        for topup, share in shares:
            part, by_right = (principal(share, how, terms.rounding) for how in (valuation, "discounted"))
            mine = _rights_to(topup, share, story, asked, terms)
            if mine and by_right >= part:
                rights.update(right.id for right in mine)
                withdrawn = mine[0] if by_right > part else withdrawn
                part = by_right
            each += part
        lines = [*_facts(story, together, rule, terms)]
        if withdrawn is not None and each > whole:
            lines.append(Line("withdrawal", each - whole, withdrawn.about, withdrawn.cite, withdrawn.status))
        elif len(shares) > 1 and each > whole:
            told = "each top-up by itself, the oldest used first, gives more than all together"
            lines.append(Line("by_topup", each - whole, told, "", "reading"))
        by_rights = frozenset(rights if each >= whole else ())
        yield _Way(rule, max(whole, each), tuple(lines), rights=by_rights, of_lots=False)


def _facts(story: Story, share: Share, rule: Rule, terms: Terms) -> Iterator[Line]:
    told = terms.currency.text
    paid, granted, nominal, listed = share
    times = f"in {len(story.topups)} top-ups" if len(story.topups) > 1 else "at once"
    yield Line("paid", paid, f"paid in {times}: {told(paid)}")
    if granted:
        yield Line("granted", granted, f"granted on top: {told(granted)}")
    if rule.value == "list":
        counted = listed
        more = f", for which the account gave {told(nominal)}" if listed != nominal else ""
        how = f"at the price before discounts and bonus: {told(listed)}{more}"
    else:
        counted = paid - principal(share, "discounted", terms.rounding) if paid else 0
        how = f"at the discounted price: {told(nominal)}"
        if granted:
            how += f", times {told(paid)} / {told(paid + granted)}"
    yield Line("delivered", -counted, how, rule.cite, rule.status)
    if counted > paid:
        floor = next(iter(each for pack in terms.packs for each in pack.rules if each.topic == "floor"), rule)
        yield Line("floor", counted - paid, floor.about, floor.cite, floor.status)


def _rights_to(topup: TopUp, share: Share, story: Story, asked: Asked, terms: Terms) -> list[Rule]:
    """Return the rules by which a top-up may still be withdrawn from."""
    found: list[Rule] = []
    days = terms.day_of(asked.at) - terms.day_of(topup.at)
    for rule in holding(terms.packs, "withdrawal", asked.case):
        right = rule.value
        if not isinstance(right, Withdrawal) or days > right.days or (right.unused and share.nominal):
            continue
        had = asked.experienced or (story.first_use is not None and story.first_use < topup.at)
        if not (right.first_time and had):
            found.append(rule)
    return found


def _by_withdrawal(story: Story, lots: Sequence[Lot], asked: Asked, terms: Terms) -> Iterator[_Way]:
    """Yield what is left of the top-ups that may still be withdrawn from, where no rule gives the rest back."""
    if holding(terms.packs, "valuation", asked.case):
        return
    left = {lot.number: lot.free for lot in lots}
    mine: list[int] = []
    with_them: dict[int, int] = {}
    rules: list[Rule] = []
    for topup, used, listed in story.shares():
        rights = _rights_to(topup, Share(topup.paid, topup.bonus, used, listed), story, asked, terms)
        if rights and left.get(topup.lot):
            rules += rights
            mine.append(topup.lot)
            for lot, part in _brought(topup, lots):
                with_them[lot] = min(left[lot], with_them.get(lot, 0) + part)
    if not rules:
        return
    rule = rules[0]
    amount = sum(left[lot] for lot in mine)
    given = f"left of {len(mine)} top-up{'' if len(mine) == 1 else 's'} of the last days: {terms.currency.text(amount)}"
    all_of_it = {lot.number for lot in lots if lot.kind == "paid"} <= set(mine)
    lines = [Line("left", amount, given), Line("withdrawal", 0, rule.about, rule.cite, rule.status)]
    forfeited = () if all_of_it else tuple(sorted(with_them.items()))
    if forfeited:
        gone = terms.currency.text(sum(part for _, part in forfeited))
        lines.append(Line("forfeited", 0, f"the bonus that came with that goes as well: {gone}", "", "reading"))
    only = () if all_of_it else tuple(mine)
    yield _Way(rule, amount, tuple(lines), only, frozenset(each.id for each in rules), bonus=forfeited)


def _brought(topup: TopUp, lots: Sequence[Lot]) -> Iterator[tuple[int, int]]:
    """Yield what is left of the bonus that a top-up had brought, by lot."""
    for lot in lots:
        part = min(topup.given.get(lot.number, 0), lot.free)
        if part:
            yield lot.number, part


def _in_cash(story: Story, lots: Sequence[Lot], asked: Asked, terms: Terms) -> Iterator[_Way]:
    """Yield what is left of the money, where that is so little that it is had in cash."""
    left, units = _money(lots), terms.currency.units
    for rule in holding(terms.packs, "cash_out", asked.case):
        right = rule.value
        if not isinstance(right, CashOut) or right.currency != terms.currency.code:
            continue
        if right.receipt and "receipt" not in asked.case.facts:
            continue
        if right.more_than:
            fits = left > units(right.more_than)
        elif right.share_used:
            fits = is_used_up(left, story.paid, right.share_used)
        else:
            fits = is_small(left, units(right.most), inclusive=right.inclusive)
        if fits:
            yield _Way(rule, left, (Line("left", left, f"left of what was paid in: {terms.currency.text(left)}"),
                                    Line("cash_out", 0, rule.about, rule.cite, rule.status)))  # fmt: skip


def _at_par(lots: Sequence[Lot], asked: Asked, terms: Terms, withdrawn: _Way | None = None) -> Iterator[_Way]:
    """Yield what is left of the money, as it is; with what is `withdrawn` of it by right, which bears no fee."""
    whole = _money(lots)
    first, free = ((), 0) if withdrawn is None else (withdrawn.lines[:2], withdrawn.amount)
    left = whole - free
    for rule in holding(terms.packs, "at_par", asked.case):
        lines = (*first, Line("left", left, f"left of what was paid in: {terms.currency.text(left)}"),
                 Line("at_par", 0, rule.about, rule.cite, rule.status))  # fmt: skip
        fee = fee_of(left, terms.fee) if rule.id.startswith("contract/") else 0
        rights = frozenset() if withdrawn is None else withdrawn.rights
        yield _Way(rule, whole, lines, rights=rights, fee=fee, without_fee=free)


def _money(lots: Sequence[Lot]) -> int:
    return sum(lot.free for lot in lots if lot.kind == "paid")
