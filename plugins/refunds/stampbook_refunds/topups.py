"""A top-up that goes back to the customer who asks for it: its money, and what had come with it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from stampbook import Objection, Posting, RefundPlan, Remember
from stampbook_refunds.chargebacks import Chargebacks
from stampbook_refunds.events import ChargebackFollowed, TopUpChargedBack, TopUpReturned
from stampbook_refunds.funding import CASH, PROMOTION, dues, known_of, settled
from stampbook_refunds.taking import Taker
from stampbook_refunds.whereabouts import LAPSED, Whereabouts, lapsed_before

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from stampbook import AccountView, Context, Earlier
    from stampbook_refunds.config import RefundsConfig
    from stampbook_refunds.funding import Known

_OfPaidIn = TopUpReturned | TopUpChargedBack | ChargebackFollowed
NO_RETURNS = "the program takes no top-up back; add [plugin.topup_return] to its refunds"


class TopUps:
    """Plans what becomes of paid-in money that goes back.

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
        policy = config.points_spent
        money = program.currency.code
        values = {money: (1, 1), **values}
        deducts = self._returns is not None and self._returns.bonus_spent == "deduct"
        spent = "deduct_from_refund" if deducts else policy
        owed = "debt" if policy == "debt" else "within_balance"  # a bank does not ask what is spent
        self._of_return = Taker(name, program, spent, values, spares_paid=True)
        of_chargeback = Taker(name, program, owed, values, spares_paid=True)
        self._chargebacks = Chargebacks(name, program, config.chargeback, of_chargeback)

    def propose(self, event: _OfPaidIn, account: AccountView, earlier: Earlier | None) -> Iterator[Any]:
        """Yield what goes back of paid-in money, or why it does not."""
        if isinstance(event, ChargebackFollowed):
            yield from self._chargebacks.followed(event, account)
            return
        known = known_of(earlier, account, self._program)
        if known is None:
            yield Objection("unknown_topup", f"the account has no top-up {event.about!r}, nor a card's sale")
            return
        code = known.asset.code
        if event.currency is not None and event.currency != code:
            yield Objection("wrong_currency", f"the top-up was in {code}, not in {event.currency}")
        elif isinstance(event, TopUpReturned):
            yield from self._returned(event, account, known)
        else:
            yield from self._chargebacks.charged_back(event, account, known)

    def _returned(self, event: TopUpReturned, account: AccountView, known: Known) -> Iterator[Any]:
        asset, left, terms = known.asset, known.left, self._returns
        if terms is None:
            yield Objection("no_topup_returns", NO_RETURNS)
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
            lot = known.lots[0]
            plan, taken = RefundPlan(outside=asked, let_go={}), {lot: asked}
            places = Whereabouts(() if known.earlier.elsewhere else account.history, asset.code)
            before = lapsed_before(account.history, known.earlier.seq)
            for grant, due in dues(known, known.before + asked, terms.bonus, places, before):
                self._of_return.take(grant, due, account, plan, taken)
            yield from plan.objections
            if plan.outside:
                yield Posting(asset.code, plan.outside, lot, CASH, self._name)
            if plan.deducted:
                yield Posting(asset.code, plan.deducted, lot, PROMOTION, self._name)
            yield from settled(plan, known, asked, self._name)
            yield Remember("refund", asset.text(plan.outside))
            if plan.deducted:
                yield Remember("deducted", asset.text(plan.deducted))
            if plan.lapsed:
                yield Remember(LAPSED, json.dumps(plan.lapsed, sort_keys=True))
