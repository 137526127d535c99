"""Refunds: a return takes back what its purchase granted and gives back what paid for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stampbook import (
    NEVER,
    RENEWED,
    Credit,
    MoneyEnds,
    Objection,
    Plugin,
    PluginError,
    Posting,
    RefundPlan,
    hookimpl,
    portion,
)
from stampbook_refunds.chargebacks import NO_CHARGEBACKS
from stampbook_refunds.config import RefundsConfig
from stampbook_refunds.events import KINDS
from stampbook_refunds.reckoning import reckon
from stampbook_refunds.rules import put_back
from stampbook_refunds.taking import Taker
from stampbook_refunds.tenders import Policy, shares
from stampbook_refunds.topups import TopUps
from stampbook_refunds.wording import reckoned_note

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stampbook import AccountView, Earlier, Event, Granted, Lot, Paid, RefundRequest

__all__ = ["Refunds"]

_CARDS = "card:"
"""How the refs of the accounts of cards begin."""


class Refunds(Plugin[RefundsConfig]):
    """Plans the return of a purchase from what the purchase did, whatever the rules say now."""

    Config = RefundsConfig
    alone = True
    sole = "the first one plans every return"

    def prepare(self) -> None:
        """Read the values of units and check that the policy fits the assets."""
        assets = self.program.assets
        self._extend = None if self.config.extend_by is None else self.config.extend_by.ends(self.program.calendar)
        if self.config.points_spent == "debt" and not any(asset.debt for asset in assets.values()):
            message = "points_spent = 'debt' needs an asset that allows it: [assets.points] debt = true"
            raise PluginError(message)
        config = self.config
        self._policy = Policy(config.tenders, config.stored_value, config.paid_points)
        self._of_chargeback = Policy("outside_first", config.stored_value, config.paid_points)
        terms = config.to_stored_value
        good_for = None if terms is None else terms.good_for
        self._good_for = None if good_for is None else good_for.ends(self.program.calendar)
        if terms is not None and good_for is not None and terms.kind == "paid":
            self.money_ends = (MoneyEnds(("to_stored_value", "good_for"), good_for.least_months),)
        self._values: dict[str, tuple[int, int]] = {}
        for code, text in self.config.unit_values.items():
            if code not in assets:
                message = f"unit_values: {code!r} is not an asset of the program, which has {', '.join(assets)}"
                raise PluginError(message)
            whole, _, fraction = text.partition(".")
            money = 10**self.program.currency.decimals
            self._values[code] = (int(whole + fraction) * money, 10 ** (len(fraction) + assets[code].decimals))

        if config.repaid == "as_paid":
            if not any(asset.debt and asset.is_currency for asset in assets.values()):
                code = self.program.currency.code
                message = f"repaid = 'as_paid' needs a currency that may be owed: [assets.{code}] debt = true"
                raise PluginError(message)
            self.program.return_as_paid()
        if config.take_back != "proportional":
            self.program.reckon_awards()
        if config.chargeback is not None:
            self.alone = False  # what was paid in is followed to other accounts
            self.deals_with = {_CARDS: frozenset({"topup.charged_back"})}
        policy = config.points_spent
        self._taker = Taker(self.name, self.program, policy, self._values, awaits=config.come_back == "take")
        self._topups = TopUps(self.name, self.program, config, self._values)
        if config.chargeback is not None and config.chargeback.rest == "debt" and not self.program.currency.debt:
            code = self.program.currency.code
            message = f"chargeback: rest = 'debt' needs a currency that may be owed: [assets.{code}] debt = true"
            raise PluginError(message)

    @hookimpl
    def register_events(self) -> list[type[Event]]:
        """Bring top-ups that go back."""
        return list(KINDS)

    @hookimpl
    def propose(self, event: Event, account: AccountView, earlier: Earlier | None) -> Iterable[Any]:
        """Return what a top-up that goes back moves."""
        return self._topups.propose(event, account, earlier) if isinstance(event, KINDS) else []

    @hookimpl
    def refund(self, request: RefundRequest, account: AccountView) -> RefundPlan:
        """Return the plan: stored value to the lots that paid, grants taken back, the rest outside."""
        plan = RefundPlan(let_go={})
        taken: dict[int, int] = {}
        money = request.order.currency
        paid = {each.asset: each for each in request.paid}
        back_to = request.event.refund_to
        if back_to == "chargeback" and (objection := self._against_chargeback(request)):
            plan.objections.append(objection)
            return plan
        policy = self._of_chargeback if back_to == "chargeback" else self._policy
        parts = shares(request.value, request.tenders, money, policy)
        for tender, part in zip(request.tenders, parts, strict=True):
            if not tender.asset:
                plan.outside += part
                if part:
                    plan.tenders[tender.place] = part
            elif tender.asset == money:
                plan.stored_value = part
            else:
                self._give_back(paid[tender.asset], part, plan, taken, account)
        for lot, amount in put_back(request.drawn, plan.stored_value):
            plan.postings.append(Posting(money, amount, "sales", lot, self.name))
        for grant in request.granted:
            if due := self._due(grant, request, plan):
                self._taker.take(grant, due, account, plan, taken)
        for place, grant in request.shared:
            plan.shared[place] = self._due(grant, request, plan, elsewhere=True)
        if back_to == "stored_value":
            self._credit(request, account, plan)
        elif back_to == "chargeback":
            plan.charged_back, plan.outside = plan.outside, 0
            plan.freezes = self.config.chargeback is not None and self.config.chargeback.freeze
            plan.reopens = self.config.chargeback is not None and self.config.chargeback.closed == "reopen"
        return plan

    def _due(self, grant: Granted, request: RefundRequest, plan: RefundPlan, *, elsewhere: bool = False) -> int:
        """Return how much of a grant is taken back now, and note why."""
        reckoning = reckon(grant, request, self.config.take_back)
        due = max(0, reckoning.units - grant.settled)
        if grant.asset:
            asset, policy = self.program.asset(grant.asset), self.config.take_back
            note = reckoned_note(grant, reckoning, policy, asset, due, elsewhere=elsewhere)
            plan.notes.setdefault("taken_back", []).append(note)
        return due

    def _against_chargeback(self, request: RefundRequest) -> Objection | None:
        """Return why a payment system cannot have taken so much back, as far as the program knows."""
        if self.config.chargeback is None:
            return Objection("no_chargebacks", NO_CHARGEBACKS, self.name)
        left = sum(tender.left for tender in request.tenders if not tender.asset)
        if request.value <= left:
            return None
        money = self.program.currency
        told = f"{money.told(request.value)} is more than the {money.text(left)} that came from outside; say the amount"
        return Objection("over_chargeback", told, self.name)

    def _credit(self, request: RefundRequest, account: AccountView, plan: RefundPlan) -> None:
        """Have money from outside come back as stored value, as the customer chose."""
        terms = self.config.to_stored_value
        if terms is None:
            told = "the program gives back by the tender that paid, and not as stored value"
            plan.objections.append(Objection("not_to_stored_value", told, self.name))
            return
        plan.credited = max(0, plan.outside - request.event.exchanged)
        plan.outside -= plan.credited
        if plan.credited:
            expires_at = NEVER if self._good_for is None else self._good_for(account.at)
            plan.credit = Credit(terms.kind, expires_at, terms.priority)

    def _give_back(self, paid: Paid, part: int, plan: RefundPlan, taken: dict[int, int], account: AccountView) -> None:
        """Put points that paid back into their lots, for the money that they stood for.

        Units are rounded cumulatively, so that the last return gives back every one.
        """
        before = sum(use.restored for use in paid.drawn)
        units = portion(paid.amount, paid.back + part, paid.value, before)
        if part:
            plan.paid[paid.asset] = part
        over = 0
        for lot, amount in put_back(paid.drawn, units):
            there = account.known_lot(lot)
            if self._is_over(there, account.at):
                plan.over.append((lot, amount, None if self._extend is None else self._extend(account.at)))
                over += amount
                continue
            plan.postings.append(Posting(paid.asset, amount, "sales", lot, self.name))
            taken[lot] = taken.get(lot, 0) - amount  # what comes back may be what is to be taken
        if over:
            what = "forfeited" if self._extend is None else "good again"
            plan.notes.setdefault("expired", []).append(
                {what: f"{self.program.asset(paid.asset).text(over)} {paid.asset}"}
            )

    def _is_over(self, lot: Lot | None, at: int) -> bool:
        """Whether units do not go back into the lot that they came from; they are made good again once."""
        again = lot is not None and lot.kind == RENEWED and self.config.expired == "extend"
        return self.config.expired != "expire" and lot is not None and lot.expires_at <= at and not again
