"""What is known of a purchase when it comes back: its grants, what paid for it, and what earlier returns settled."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from stampbook.amounts import portion
from stampbook.errors import InvariantError
from stampbook.hookspecs import Drawn, Granted, RefundPlan, RefundRequest
from stampbook.ledger import BREAKAGE, PROMOTION, SALES, MetricChange, Objection, Posting
from stampbook.returns import Came, line_values, measure, settle_share

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from stampbook.events import Order, Return


@dataclass(frozen=True, slots=True)
class Recorded:
    """An accepted journal entry as a later return needs it: its position, instant, postings and effects."""

    seq: int
    at: int
    postings: tuple[Posting, ...]
    effects: Mapping[str, Any]

    @property
    def memo(self) -> Mapping[str, Any]:
        """What the entry left for later returns."""
        memo: Mapping[str, Any] = self.effects.get("memo", {})
        return memo


@dataclass(frozen=True, slots=True)
class Past:
    """A purchase and the returns of it so far; `expired` is what went from each of the account's lots by expiry."""

    purchase: Recorded
    order: Order
    returns: tuple[Recorded, ...] = ()
    expired: Mapping[int, int] = field(default_factory=dict)

    def granted(self) -> tuple[Granted, ...]:
        """Return what each rule granted, with what earlier returns settled of it."""
        settled: dict[str, int] = defaultdict(int)
        lapsed: dict[str, int] = defaultdict(int)
        short: dict[str, int] = defaultdict(int)
        for earlier in self.returns:
            for rule, amount in earlier.memo.get("settled", {}).items():
                settled[rule] += amount
            for rule, amount in earlier.memo.get("lapsed", {}).items():
                lapsed[rule] += amount
            for rule, amount in earlier.memo.get("short", {}).items():
                short[rule] += amount
        return tuple(
            Granted(
                rule,
                asset,
                amount,
                tuple(map(tuple, lots)),
                tuple(map(tuple, by_line)),
                settled[rule],
                max(0, sum(min(part, self.expired.get(lot, 0)) for lot, part in lots) - lapsed[rule]),
                short[rule],
            )
            for rule, asset, amount, lots, by_line in self.purchase.memo.get("granted", ())
        )

    def after(self, postings: Iterable[Posting]) -> Past:
        """Return the same past after further postings of the account, which may be expiries."""
        expired = defaultdict(int, self.expired)
        for posting in postings:
            if posting.destination == BREAKAGE and isinstance(posting.source, int):
                expired[posting.source] += posting.amount
        return replace(self, expired=expired)

    def drawn(self) -> tuple[Drawn, ...]:
        """Return the lots that paid for the purchase in the order of use, with what was put back since."""
        restored: dict[int, int] = defaultdict(int)
        for earlier in self.returns:
            for posting in earlier.postings:
                if posting.source == SALES and isinstance(posting.destination, int):
                    restored[posting.destination] += posting.amount
        return tuple(
            Drawn(posting.source, posting.amount, restored[posting.source])
            for posting in self.purchase.postings
            if posting.destination == SALES and isinstance(posting.source, int)
        )

    def check_plan(self, request: RefundRequest, plan: RefundPlan, postings: Iterable[Posting]) -> None:
        """Check a plan against what the purchase did.

        Raises:
            InvariantError: I15: more is restored than was drawn, taken back than was granted, or refunded than
                was paid.
        """
        restored: dict[int, int] = defaultdict(int)
        taken: dict[str, int] = defaultdict(int)
        for posting in postings:
            if posting.source == SALES and isinstance(posting.destination, int):
                restored[posting.destination] += posting.amount
            elif posting.destination == PROMOTION:
                taken[posting.asset] += posting.amount
            else:
                raise InvariantError("I15", f"a refund may not post from {posting.source!r} to {posting.destination!r}")
        drawn = {drawn.lot: drawn.amount - drawn.restored for drawn in request.drawn}
        for lot, amount in restored.items():
            if amount > drawn.get(lot, 0):
                raise InvariantError("I15", f"{amount} is put back into lot {lot}, which paid {drawn.get(lot, 0)}")
        granted: dict[str, int] = defaultdict(int)
        for grant in request.granted:
            granted[grant.asset] += grant.amount - grant.settled
            if not 0 <= plan.settled.get(grant.rule, 0) <= grant.amount - grant.settled:
                raise InvariantError("I15", f"{grant.rule} granted {grant.amount} and more is settled")
        for asset, amount in taken.items():
            if amount > granted[asset]:
                raise InvariantError("I15", f"{amount} {asset} is taken back of {granted[asset]} granted")
        stored = sum(restored.values())
        if plan.stored_value != stored or plan.outside < 0 or plan.deducted < 0:
            raise InvariantError("I15", f"a refund of {plan.stored_value} to stored value posts {stored}")
        if stored + plan.outside + plan.deducted != request.value:
            raise InvariantError("I15", f"{request.value} comes back, not {stored + plan.outside + plan.deducted}")


def refund_request(event: Return, past: Past) -> tuple[RefundRequest, list[Came], list[Objection]]:
    """Return what a return asks for, what came back by it, and objections to it."""
    order = past.order
    earlier: list[Came] = [tuple(came) for old in past.returns for came in old.memo.get("came", ())]
    lines, came, objections = measure(event, order, earlier)
    value = sum(line.now for line in lines)
    before = sum(line.before for line in lines)
    total = sum(line_values(order))
    part, whole = value + before, total
    if not whole:
        part, whole = sum(line.part for line in lines), sum(line.whole for line in lines)
    request = RefundRequest(event, order, value, before, total, part, whole, tuple(lines), past.granted(), past.drawn())
    return request, came, objections


def taken_metrics(past: Past, request: RefundRequest) -> list[MetricChange]:
    """Return what a return takes off the metrics that its purchase counted, on the day that it counted them.

    In proportion to what has come back so far, rounded cumulatively towards zero: a visit is undone when all
    of it came back, spend cent by cent.
    """
    before: dict[str, int] = defaultdict(int)
    for earlier in past.returns:
        for name, delta in earlier.memo.get("metrics", ()):
            before[name] -= delta
    changes: list[MetricChange] = []
    for name, day, delta in past.purchase.effects.get("metrics", ()):
        sign = 1 if delta > 0 else -1
        share = portion(abs(delta), request.part, request.whole, sign * before[name])
        if share:
            changes.append(MetricChange(name, day, -sign * share))
    return changes


__all__ = ["Past", "Recorded", "refund_request", "settle_share", "taken_metrics"]
