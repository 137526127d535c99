"""Rules of law as data: what each says, where it stands, when and for whom it holds, and whether anyone read it."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Cause = Literal["consumer", "operator", "neither"]
Topic = Literal[
    "principal",
    "valuation",
    "floor",
    "deduction",
    "withdrawal",
    "cash_out",
    "at_par",
    "interest",
    "pay_within",
    "in_cash",
    "session",
    "period",
    "real_name",
    "no_cash",
]
"""What a rule answers: how the principal is worked out, what was delivered counts, what else comes back, when, and by
what means; and of whoever buys for much: who has to say who it is, and who may not pay in cash."""
Looks = Literal["contract", "topup", "refund"]
Status = Literal["verified", "seen", "unverified", "reading"]
"""Whether the provision was read itself, seen in another's words, not found at all, or is how we read a gap in it."""

ALWAYS = date.max.toordinal()
"""The last day of what has no end."""

WEAK: frozenset[Status] = frozenset(["unverified", "reading"])
"""What an operator has to look at before relying on it."""


class Withdrawal(NamedTuple):
    """A right to have money back within some days of paying it in."""

    days: int
    unused: bool = False
    """Whether it is lost once anything of that top-up was used."""
    first_time: bool = False
    """Whether it is lost by who had had the same goods or services before, here or elsewhere."""


class CashOut(NamedTuple):
    """A right to have a small balance in cash. Money is decimal text of `currency`."""

    currency: str
    most: str = ""
    inclusive: bool = False
    """Whether a balance of exactly `most` is small enough."""
    share_used: int = 0
    """Instead of an amount: how many percent of what was paid must have been used."""
    receipt: bool = False
    more_than: str = ""
    """Only a rest above this, where the card is good for one purchase."""


class LargePurchase(NamedTuple):
    """A purchase in one go that comes to `least` (decimal text of `currency`) or more, made by `buyer`.

    That is a ``person`` or an ``organisation``, or whoever it be where it is empty.
    """

    currency: str
    least: str
    buyer: str = ""


class Rule(NamedTuple):
    """One rule: an answer to a topic, with its source and the dates between which it holds.

    `looks_at` says the date of what those are compared with: the contract (the first top-up that is not settled), the
    last top-up, or the refund. It holds for all `causes` and `places` where none are named, and where all of `needs`
    are so.
    """

    id: str
    topic: Topic
    value: object
    cite: str
    about: str
    status: Status
    looks_at: Looks = "refund"
    since: str = ""
    until: str = ""
    causes: tuple[Cause, ...] = ()
    places: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()

    @property
    def first_day(self) -> int:
        """The first day on which it holds, as an ordinal."""
        return _first(self.since)

    @property
    def last_day(self) -> int:
        """The last day on which it holds, as an ordinal."""
        return _last(self.until)


class Clause(NamedTuple):
    """What a program may not say: a term of the operator's that the law makes void, or does not allow.

    `term` is an option of the plugin, or `lapse`: that money is gone when its time is over. `least` is the shortest
    validity in months, `most` the largest amount or share, in the option's own words, `never` a word that it may not
    be. `looks_at` says the date of what `since` and `until` are compared with: the sale of the card, any later top-up
    of it too, or what is done from now on, whenever the card was sold.
    """

    term: str
    cite: str
    about: str
    status: Status
    never: str = ""
    least: int = 0
    most: str = ""
    cards: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    looks_at: Looks = "contract"
    since: str = ""
    until: str = ""
    currency: str = ""
    """Of an amount: in what it is. Amounts of other money are not held to it."""

    @property
    def first_day(self) -> int:
        """The first day on which it holds, as an ordinal."""
        return _first(self.since)

    @property
    def last_day(self) -> int:
        """The last day on which it holds, as an ordinal."""
        return _last(self.until)


class Sold(NamedTuple):
    """From which day (an ordinal) until which cards were sold by some terms; where nothing is said, from now on."""

    first: int = ALWAYS
    last: int = ALWAYS


class Pack(NamedTuple):
    """The rules of one law, and what it forbids."""

    name: str
    title: str
    rules: tuple[Rule, ...]
    clauses: tuple[Clause, ...] = ()
    notify: str = ""
    """Whom the operator has to tell when, which no program can do for him."""

    @property
    def all(self) -> list[Rule | Clause]:
        """Return its rules, and what it forbids."""
        return [*self.rules, *self.clauses]


class Case(NamedTuple):
    """What decides which rules hold: who caused the refund, the days (ordinals), where, and what is so."""

    cause: Cause
    days: Mapping[Looks, int]
    places: frozenset[str] = frozenset()
    facts: frozenset[str] = frozenset()


class Chosen(NamedTuple):
    """The rule that protects the customer most, and those that it won over."""

    rule: Rule
    beaten: tuple[Rule, ...] = ()


def holding(packs: Iterable[Pack], topic: Topic, case: Case) -> list[Rule]:
    """Return the rules on a topic that hold in a case, in the order of the packs."""
    return [rule for pack in packs for rule in pack.rules if rule.topic == topic and holds(rule, case)]


def holds(rule: Rule, case: Case) -> bool:
    """Whether a rule holds in a case."""
    return (
        rule.first_day <= case.days[rule.looks_at] <= rule.last_day
        and (not rule.causes or case.cause in rule.causes)
        and (not rule.places or bool(case.places & set(rule.places)))
        and case.facts >= set(rule.needs)
    )


def concerns(clause: Clause, sold: Sold, *, reloadable: bool) -> bool:
    """Whether a clause holds for cards that were sold between two days, and are topped up later where `reloadable`."""
    first, last = sold
    if clause.looks_at == "refund":
        first = last = ALWAYS
    elif clause.looks_at == "topup" and reloadable:
        last = ALWAYS
    return clause.first_day <= last and first <= clause.last_day


def _first(since: str) -> int:
    return date.fromisoformat(since).toordinal() if since else 0


def _last(until: str) -> int:
    return date.fromisoformat(until).toordinal() if until else ALWAYS
