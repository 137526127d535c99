"""By which means a refund goes back: shared over the payments that it gives back, each by how that was paid."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple

from stampbook_payouts.law import CashOut

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from stampbook import Asset
    from stampbook_payouts.law import Pack, Rule
    from stampbook_payouts.quoting import Terms

INTEREST = "interest"
CASH = "cash"
BANK = "bank account"
_ORIGINAL = frozenset(["original", "original means", "原路", "原路退回", "原路返回"])
_KEYS = ("topup", "source", "paid_on", "tender", "amount", "to", "for", "because")


class Payment(NamedTuple):
    """What was paid in: the sender and id of the event, its day (an ordinal), by what (empty: unknown), and how much.

    `first` of it is given back before anything else is, where it is known that this is left. Smallest units.
    """

    id: str
    source: str
    day: int
    tender: str
    paid: int
    first: int = 0


class Part(NamedTuple):
    """A part of a refund: of which payment (its id empty where of none), how that was paid, and how much goes back.

    `to` is where it goes: as it was paid, unless the law or somebody says otherwise, which `because` says; empty where
    nobody knows. `what` is ``interest`` where it is that. Smallest units.
    """

    id: str
    source: str
    day: int
    tender: str
    amount: int
    to: str = ""
    what: str = ""
    because: str = ""


def is_original(means: str) -> bool:
    """Whether a text asks for the means by which it was paid."""
    return " ".join(means.split()).casefold() in _ORIGINAL


def shared(back: int, interest: int, payments: Sequence[Payment]) -> tuple[Part, ...]:
    """Return a refund shared over the payments that it gives back: the parts sum to it, none is above what was paid.

    What was consumed was of the oldest first, so what comes back is of the newest first. Interest was paid by nobody:
    it goes with the largest part.

    Args:
        back: what comes back of what was paid.
        interest: what comes on top.
        payments: those that may be given back, the oldest first.
    """
    amounts = [0] * len(payments)
    left = back
    for most in ([payment.first for payment in payments], [payment.paid for payment in payments]):
        for place in reversed(range(len(payments))):
            part = min(left, max(0, min(most[place], payments[place].paid) - amounts[place]))
            amounts[place] += part
            left -= part
    parts = [
        Part(payment.id, payment.source, payment.day, payment.tender, amount)
        for payment, amount in zip(payments, amounts, strict=True)
        if amount
    ]
    if left:
        parts.append(Part("", "", 0, "", left))
    if interest:
        largest = max(parts, key=lambda part: part.amount, default=Part("", "", 0, "", 0))
        parts.append(largest._replace(id="", source="", amount=interest, what=INTEREST))
    return tuple(parts)


def cash_forbidden(packs: Iterable[Pack], money: Asset, result: int, day: int) -> Rule | None:
    """Return the rule by which a refund of so much is not paid in cash on a day (an ordinal), if there is one."""
    for rule in (each for pack in packs for each in pack.rules if each.topic == "in_cash"):
        most = rule.value
        if not isinstance(most, CashOut) or most.currency != money.code:
            continue
        if rule.first_day <= day <= rule.last_day and result > money.units(most.most):
            return rule
    return None


def routed(parts: Iterable[Part], result: int, day: int, terms: Terms) -> Iterator[Part]:
    """Yield each part with where it goes: as it was paid; not in cash where the law has so much go to a bank account.

    Args:
        parts: of the refund.
        result: all of it.
        day: on which it is paid out, as an ordinal.
        terms: the packs, and what is called cash.
    """
    rule = cash_forbidden(terms.packs, terms.currency, result, day)
    for part in parts:
        if not part.tender or not terms.cash.is_meant(part.tender):
            yield part._replace(to=part.tender, because="")
        elif rule is None:
            yield part._replace(to=CASH, because="")
        else:
            yield part._replace(to=BANK, because=f"{rule.about} ({rule.cite})")


def written(parts: Iterable[Part], money: Asset) -> str:
    """Write parts as they are remembered; amounts as decimal text."""
    rows = [
        [each.id, each.source, date.fromordinal(each.day).isoformat() if each.day else "", each.tender,
         money.text(each.amount), each.to, each.what, each.because]
        for each in parts
    ]  # fmt: skip
    return json.dumps(rows, ensure_ascii=False, separators=(",", ":"))


def read(text: str, money: Asset) -> list[Part]:
    """Return parts as they were remembered."""
    return [
        Part(id_, source, date.fromisoformat(day).toordinal() if day else 0, tender, money.units(amount), to, what, why)
        for id_, source, day, tender, amount, to, what, why in json.loads(text)
    ]


def as_data(text: str) -> list[dict[str, str]]:
    """Return what is remembered of parts as plain data."""
    return [dict(zip(_KEYS, row, strict=True)) for row in json.loads(text)]


def summed(parts: Iterable[Part], money: Asset) -> str:
    """Say how much goes where, for statements and journals: ``58.00 card + 12.00 cash``."""
    sums: dict[str, int] = {}
    for part in parts:
        sums[part.to or "unknown"] = sums.get(part.to or "unknown", 0) + part.amount
    return " + ".join(f"{money.text(amount)} {to}" for to, amount in sums.items())


def sentence(rows: Sequence[Mapping[str, Any]]) -> str:
    """Say how a refund goes back, to be read out on the phone; an empty text where nothing is known of it."""
    parts = [f"{row['amount']} {'goes back ' if not place else ''}{_phrase(row)}" for place, row in enumerate(rows)]
    return "; ".join(parts) + "." if parts else ""


def _phrase(row: Mapping[str, Any]) -> str:
    of, on, tender, to = row["topup"], row["paid_on"], row["tender"], row["to"]
    if row["for"] == INTEREST:
        return "of interest, the same way as most of it"
    if not of:
        return "of which it is not known how it was paid"
    if row["because"]:
        return f"to a {to}, though {of} was paid in cash on {on}: {row['because']}"
    if not to:
        return f"for {of}, paid on {on}: by what means is not known"
    if to == CASH:
        return f"in cash, as {of} was paid on {on}"
    if to != tender:
        return f"by {to}, for {of}, paid on {on}"
    is_card = to.casefold() in {"card", "credit card", "debit card", "bank card"}
    return f"to the {to} by which {of} was paid on {on}" if is_card else f"by {to}, as {of} was paid on {on}"
