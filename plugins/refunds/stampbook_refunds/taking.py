"""Taking back what was granted: from where, and what becomes of what is spent already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stampbook import Objection, Posting, divide, portion
from stampbook_refunds.rules import take_from

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stampbook import AccountView, Context, Granted, Lot, RefundPlan


class Taker:
    """Takes back what was granted, by the policy for points that are spent.

    Args:
        name: of the plugin, which objects.
        program: the assets.
        policy: for what is spent already.
        values: money and units that make the value of points, by asset.
        spares_paid: whether nothing is taken from value that was paid for.
        awaits: whether what is let go is taken when it comes back.
    """

    def __init__(
        self,
        name: str,
        program: Context,
        policy: str,
        values: Mapping[str, tuple[int, int]],
        *,
        spares_paid: bool = False,
        awaits: bool = False,
    ) -> None:
        self._name = name
        self._program = program
        self._policy = policy
        self._values = values
        self._awaits = awaits
        self._spared = {"debt", "paid"} if spares_paid else {"debt"}

    def take(self, grant: Granted, due: int, account: AccountView, plan: RefundPlan, taken: dict[int, int]) -> None:
        """Plan to take what is due of a grant, and note what is settled, had lapsed, and is short.

        Args:
            grant: what one rule granted.
            due: how much of it is taken back now.
            account: from whose lots.
            plan: takes up the postings.
            taken: what the plan takes from each lot so far.
        """
        plan.settled[grant.rule] = due
        short = due
        own, others = self._sources(grant, account, taken)
        for lots in own:
            short -= _post(grant, take_from(lots, taken, short, dict(grant.lots)), plan)
        lapsed = min(short, grant.lapsed)
        if lapsed:
            plan.lapsed[grant.rule] = lapsed
            short -= lapsed
        short -= _post(grant, take_from(others, taken, short), plan)
        if short:
            self._fall_short(grant, short, plan)

    def _sources(
        self, grant: Granted, account: AccountView, taken: dict[int, int]
    ) -> tuple[list[list[Lot]], list[Lot]]:
        """Return where to take from: the grant's own lots, pending ones first, and then the rest of the balance."""
        own = {lot for lot, _ in grant.lots}
        at = account.at
        refilled = [lot for number in taken if (lot := account.known_lot(number)) is not None and not lot.remaining]
        lots = [*account.lots, *refilled]
        lots = [
            lot for lot in lots if lot.asset == grant.asset and lot.kind not in self._spared and at < lot.expires_at
        ]
        lots.sort(key=lambda lot: (lot.kind == "paid", lot.priority, lot.expires_at, lot.number))
        pending = [lot for lot in lots if lot.number in own and lot.effective_at > at]
        if self._policy == "pending_only":
            return [pending], []
        mine = [lot for lot in lots if lot.number in own and lot.effective_at <= at]
        return [pending, mine], [lot for lot in lots if lot.effective_at <= at]

    def _fall_short(self, grant: Granted, short: int, plan: RefundPlan) -> None:
        policy = self._policy
        plan.short[grant.rule] = short
        asset = self._program.asset(grant.asset)
        note = {"rule": grant.rule, "short": asset.text(short)}
        gone = short
        if policy == "refuse":
            verb = "is" if short == asset.units("1") else "are"
            message = f"{asset.told(short)} to take back {verb} spent already"
            plan.objections.append(Objection("points_spent", message, self._name))
        elif policy == "debt" and asset.debt:
            plan.debts[grant.asset] = plan.debts.get(grant.asset, 0) + short
            note["owed"] = asset.text(short)
            gone = 0
        elif policy == "deduct_from_refund" and grant.asset in self._values:
            numerator, denominator = self._values[grant.asset]
            worth = divide((grant.short + short) * numerator, denominator, "floor")
            worth -= divide(grant.short * numerator, denominator, "floor")
            kept = min(worth, plan.outside)
            gone -= portion(short, kept, worth, 0) if kept else 0
            plan.outside -= kept
            plan.deducted += kept
            note["deducted"] = self._program.currency.text(kept)
        else:
            note["waived"] = asset.text(short)
            if self._awaits:
                plan.awaited[grant.asset] = plan.awaited.get(grant.asset, 0) + short
        if plan.let_go is not None:
            plan.let_go[grant.rule] = gone
        plan.notes.setdefault("short", []).append(note)


def _post(grant: Granted, parts: list[tuple[int, int]], plan: RefundPlan) -> int:
    """Take parts of lots back, and return how much that is."""
    plan.postings.extend(Posting(grant.asset, amount, lot, "promotion", grant.rule) for lot, amount in parts)
    return sum(amount for _, amount in parts)
