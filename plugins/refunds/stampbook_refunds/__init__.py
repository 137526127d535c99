"""Refunds: a return takes back what its purchase granted and gives back what paid for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stampbook import (
    NEVER,
    RENEWED,
    Credit,
    Objection,
    Plugin,
    PluginError,
    Posting,
    RefundPlan,
    divide,
    hookimpl,
    portion,
    settle_share,
)
from stampbook_refunds.config import RefundsConfig
from stampbook_refunds.rules import put_back, take_from
from stampbook_refunds.tenders import Policy, shares

if TYPE_CHECKING:
    from stampbook import AccountView, Granted, Lot, Paid, RefundRequest

__all__ = ["Refunds"]


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
        terms = config.to_stored_value
        good_for = None if terms is None else terms.good_for
        self._good_for = None if good_for is None else good_for.ends(self.program.calendar)
        self._values: dict[str, tuple[int, int]] = {}
        for code, text in self.config.unit_values.items():
            if code not in assets:
                message = f"unit_values: {code!r} is not an asset of the program, which has {', '.join(assets)}"
                raise PluginError(message)
            whole, _, fraction = text.partition(".")
            money = 10**self.program.currency.decimals
            self._values[code] = (int(whole + fraction) * money, 10 ** (len(fraction) + assets[code].decimals))

    @hookimpl
    def refund(self, request: RefundRequest, account: AccountView) -> RefundPlan:
        """Return the plan: stored value to the lots that paid, grants taken back, the rest outside."""
        plan = RefundPlan()
        taken: dict[int, int] = {}
        money = request.order.currency
        paid = {each.asset: each for each in request.paid}
        parts = shares(request.value, request.tenders, money, self._policy)
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
            self._take(grant, request, account, plan, taken)
        if request.event.refund_to == "stored_value":
            self._credit(request, account, plan)
        return plan

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

    def _take(
        self, grant: Granted, request: RefundRequest, account: AccountView, plan: RefundPlan, taken: dict[int, int]
    ) -> None:
        due = settle_share(grant.amount, grant.by_line, request) - grant.settled
        if due <= 0:
            return
        plan.settled[grant.rule] = due
        short = due
        own, others = self._sources(grant, account, taken)
        for lots in own:
            short -= self._post(grant, take_from(lots, taken, short, dict(grant.lots)), plan)
        lapsed = min(short, grant.lapsed)
        if lapsed:
            plan.lapsed[grant.rule] = lapsed
            short -= lapsed
        short -= self._post(grant, take_from(others, taken, short), plan)
        if short:
            self._fall_short(grant, short, plan)

    def _post(self, grant: Granted, parts: list[tuple[int, int]], plan: RefundPlan) -> int:
        """Take parts of lots back, and return how much that is."""
        plan.postings.extend(Posting(grant.asset, amount, lot, "promotion", grant.rule) for lot, amount in parts)
        return sum(amount for _, amount in parts)

    def _sources(
        self, grant: Granted, account: AccountView, taken: dict[int, int]
    ) -> tuple[list[list[Lot]], list[Lot]]:
        """Return where to take from: the grant's own lots, pending ones first, and then the rest of the balance."""
        own = {lot for lot, _ in grant.lots}
        at = account.at
        refilled = [lot for number in taken if (lot := account.known_lot(number)) is not None and not lot.remaining]
        lots = [*account.lots, *refilled]
        lots = [lot for lot in lots if lot.asset == grant.asset and lot.kind != "debt" and at < lot.expires_at]
        lots.sort(key=lambda lot: (lot.kind == "paid", lot.priority, lot.expires_at, lot.number))
        pending = [lot for lot in lots if lot.number in own and lot.effective_at > at]
        if self.config.points_spent == "pending_only":
            return [pending], []
        mine = [lot for lot in lots if lot.number in own]
        return [pending, mine], [lot for lot in lots if lot.effective_at <= at]

    def _fall_short(self, grant: Granted, short: int, plan: RefundPlan) -> None:
        policy = self.config.points_spent
        plan.short[grant.rule] = short
        asset = self.program.asset(grant.asset)
        note = {"rule": grant.rule, "short": asset.text(short)}
        if policy == "refuse":
            verb = "is" if short == asset.units("1") else "are"
            message = f"{asset.told(short)} to take back {verb} spent already"
            plan.objections.append(Objection("points_spent", message, self.name))
        elif policy == "debt" and asset.debt:
            plan.debts[grant.asset] = plan.debts.get(grant.asset, 0) + short
            note["owed"] = asset.text(short)
        elif policy == "deduct_from_refund" and grant.asset in self._values:
            numerator, denominator = self._values[grant.asset]
            worth = divide((grant.short + short) * numerator, denominator, "floor")
            kept = min(worth - divide(grant.short * numerator, denominator, "floor"), plan.outside)
            plan.outside -= kept
            plan.deducted += kept
            note["deducted"] = self.program.currency.text(kept)
        else:
            note["waived"] = asset.text(short)
        plan.notes.setdefault("short", []).append(note)
