"""What a top-up that goes back moves: its money, what came with it, and what is owed for what was spent of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from stampbook import (
    Debt,
    Granted,
    Objection,
    Posting,
    RefundPlan,
    Remember,
    StatusChange,
    Tally,
    portion,
)
from stampbook_refunds.events import TopUpChargedBack, TopUpReturned
from stampbook_refunds.taking import Taker

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from stampbook import AccountView, Asset, Context, Earlier
    from stampbook_refunds.config import RefundsConfig

_TopUp = TopUpReturned | TopUpChargedBack
_CASH, _PROMOTION = "cash", "promotion"
_BACK, _SETTLED = "_back", "_settled"
"""Under these names an entry keeps how much of its top-up went back by it, and by rule what it settled of what had come
with that: in smallest units."""


NO_RETURNS = "the program takes no top-up back; add [plugin.topup_return] to its refunds"
NO_CHARGEBACKS = "the program does not say what a chargeback does; add [plugin.chargeback] to its refunds"


class _Known(NamedTuple):
    """A top-up: its lot and amount, what went back before and is left, and what was settled of what came with it."""

    earlier: Earlier
    asset: Asset
    lot: int
    whole: int
    before: int
    left: int
    settled: Mapping[str, int]


class TopUps:
    """Plans what becomes of a top-up that goes back.

    Args:
        name: of the table, which its rules bear.
        program: the assets.
        config: the options.
        values: money and units that make the value of points, by asset.
    """

    def __init__(
        self, name: str, program: Context, config: RefundsConfig, values: Mapping[str, tuple[int, int]]
    ) -> None:
        self._name = name
        self._program = program
        self._returns = config.topup_return
        self._chargebacks = config.chargeback
        policy = config.points_spent
        money = program.currency.code
        values = {money: (1, 1), **values}
        deducts = self._returns is not None and self._returns.bonus_spent == "deduct"
        spent = "deduct_from_refund" if deducts else policy
        owed = "debt" if policy == "debt" else "within_balance"  # a bank does not ask what is spent
        self._of_return = Taker(name, program, spent, values, spares_paid=True)
        self._of_chargeback = Taker(name, program, owed, values, spares_paid=True)

    def propose(self, event: _TopUp, account: AccountView, earlier: Earlier | None) -> Iterator[Any]:
        """Yield what goes back of a top-up, or why it does not."""
        paid = None if earlier is None else _paid_into(earlier)
        if earlier is None or paid is None:
            yield Objection("unknown_topup", f"the account has no top-up {event.about!r}")
            return
        lot, whole, code = paid
        if event.currency is not None and event.currency != code:
            yield Objection("wrong_currency", f"the top-up was in {code}, not in {event.currency}")
            return
        before, settled = _went_back(account, earlier.seq)
        there = account.known_lot(lot)
        left = 0 if there is None else min(max(0, there.free), whole - before)
        known = _Known(earlier, self._program.asset(code), lot, whole, before, left, settled)
        if account.status == "closed" and not self._reopens(account):
            yield self._gone(account)
        elif isinstance(event, TopUpReturned):
            yield from self._returned(event, account, known)
        else:
            yield from self._charged_back(event, account, known)

    def _reopens(self, account: AccountView) -> bool:
        """Whether a chargeback is kept though its account is closed."""
        terms = self._chargebacks
        return terms is not None and terms.closed == "reopen" and not account.facts("merged_into")

    def _gone(self, account: AccountView) -> Objection:
        """Say why a chargeback is not for an account that is closed, and what to do."""
        if merged := account.facts("merged_into"):
            return Objection(
                "account_merged", f"account {account.ref} was merged into {merged[-1].value}; send it there"
            )
        told = f"account {account.ref} is closed; closed = 'reopen' in [plugin.chargeback] of refunds has it kept"
        return Objection("account_closed", told)

    def _returned(self, event: TopUpReturned, account: AccountView, known: _Known) -> Iterator[Any]:
        asset, left, terms = known.asset, known.left, self._returns
        if terms is None:
            yield Objection(
                "no_topup_returns", "the program takes no top-up back; add [plugin.topup_return] to its refunds"
            )
            return
        asked = left if event.amount is None else event.amount
        used = known.whole - known.before - left
        if not left:
            yield Objection("nothing_left", "nothing is left of that top-up")
        elif asked > left:
            told = f"{asset.told(asked)} is more than the {asset.text(left)} that are left of that top-up"
            yield Objection("over_return", told)
        elif used and terms.used == "refuse":
            yield Objection("topup_used", f"{asset.told(used)} of that top-up is used already or set aside")
        else:
            plan, taken = RefundPlan(outside=asked), {known.lot: asked}
            for grant, due in _dues(known, known.before + asked, terms.bonus):
                self._of_return.take(grant, due, account, plan, taken)
            yield from plan.objections
            if plan.outside:
                yield Posting(asset.code, plan.outside, known.lot, _CASH, self._name)
            if plan.deducted:
                yield Posting(asset.code, plan.deducted, known.lot, _PROMOTION, self._name)
            yield from self._settled(plan, known, asked)
            yield Remember("refund", asset.text(plan.outside))
            if plan.deducted:
                yield Remember("deducted", asset.text(plan.deducted))

    def _charged_back(self, event: TopUpChargedBack, account: AccountView, known: _Known) -> Iterator[Any]:
        asset, terms = known.asset, self._chargebacks
        if terms is None:
            yield Objection("no_chargebacks", NO_CHARGEBACKS)
            return
        most = known.whole - known.before
        asked = most if event.amount is None else event.amount
        if not asked or asked > most:
            told = f"{asset.told(asked)} is more than the {asset.text(most)} that have not gone back yet"
            yield Objection("over_chargeback", told if asked else "all of that top-up went back before")
            return
        taken = min(asked, known.left)
        if taken:
            yield Posting(asset.code, taken, known.lot, _CASH, self._name)
        if asked > taken and terms.rest == "debt":
            yield Debt(asset.code, asked - taken, _CASH, self._name)
        plan, out = RefundPlan(), {known.lot: taken}
        for grant, due in _dues(known, known.before + asked, "proportional"):
            self._of_chargeback.take(grant, due, account, plan, out)
        yield from self._settled(plan, known, asked)
        yield Remember("taken", asset.text(taken))
        if asked > taken:
            yield Remember("owed" if terms.rest == "debt" else "lost", asset.text(asked - taken))
        owes = bool(plan.debts) or (asked > taken and terms.rest == "debt")
        if terms.freeze and account.status == "open":
            yield StatusChange("frozen")
        elif account.status == "closed" and owes:
            yield StatusChange("frozen" if terms.freeze else "open")

    def _settled(self, plan: RefundPlan, known: _Known, back: int) -> Iterator[Any]:
        """Yield what is taken back of what came with a top-up, what it had counted, and how much went back."""
        yield from plan.postings
        for code, amount in plan.debts.items():
            yield Debt(code, amount, _PROMOTION, self._name)
        for metric, day, delta in known.earlier.metrics:
            done = portion(abs(delta), known.before, known.whole, 0)
            units = portion(abs(delta), known.before + back, known.whole, done)
            if units:
                yield Tally(metric, -units if delta > 0 else units, day)
        for note in plan.notes.get("short", ()):
            yield Remember(f"short of {note['rule']}", ", ".join(f"{name} {text}" for name, text in note.items()))
        yield Remember(_BACK, str(back))
        yield Remember(_SETTLED, json.dumps(plan.settled, sort_keys=True))


def _paid_into(earlier: Earlier) -> tuple[int, int, str] | None:
    """Return the lot, amount and currency of a top-up; None where it is none."""
    if earlier.event.type != "topup":
        return None
    for asset, amount, source, destination, _ in earlier.postings:
        if source == _CASH and isinstance(destination, int):
            return destination, amount, asset
    return None


def _went_back(account: AccountView, topup: int) -> tuple[int, dict[str, int]]:
    """Return how much of a top-up went back before, and by rule what was settled of what came with it."""
    kinds = ("topup.returned", "topup.charged_back")
    later = [entry.remembered for entry in account.history if entry.about == topup and entry.type in kinds]
    settled: dict[str, int] = {}
    for kept in later:
        for rule, units in json.loads(kept[_SETTLED]).items():
            settled[rule] = settled.get(rule, 0) + units
    return sum(int(kept[_BACK]) for kept in later), settled


def _dues(known: _Known, part: int, bonus: str) -> Iterator[tuple[Granted, int]]:
    """Yield each grant that came with a top-up, and how much of it is due back.

    Rounded down on the running total, so that any number of parts that reach the whole take back the whole.

    Args:
        known: the top-up.
        part: how much of its money has gone back then.
        bonus: ``proportional``, ``whole`` if all of it is due at the first time, or ``keep``.
    """
    if bonus == "keep":
        return
    grants: dict[tuple[str, str], dict[int, int]] = {}
    for asset, amount, source, destination, rule in known.earlier.postings:
        if source == _PROMOTION and isinstance(destination, int):
            lots = grants.setdefault((rule, asset), {})
            lots[destination] = lots.get(destination, 0) + amount
    for (rule, asset), lots in grants.items():
        amount, settled = sum(lots.values()), known.settled.get(rule, 0)
        due = portion(amount, known.whole if bonus == "whole" else part, known.whole, settled)
        if due > 0:
            yield Granted(rule, asset, amount, tuple(lots.items()), settled=settled), due
