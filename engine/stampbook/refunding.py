"""What is known of a purchase when it comes back: its grants, what paid for it, and what earlier returns settled."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from fractions import Fraction
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from stampbook.amounts import portion
from stampbook.errors import InvariantError
from stampbook.ledger import BREAKAGE, PROMOTION, SALES, MetricChange, Objection, Posting
from stampbook.reckoning import reckoned_of
from stampbook.refund_plans import Drawn, Granted, Paid, RefundPlan, RefundRequest
from stampbook.returns import Came, line_values, measure, settle_share
from stampbook.tendering import tenders_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from stampbook.account import Account
    from stampbook.earlier import Elsewhere
    from stampbook.events import Return
    from stampbook.orders import Order
    from stampbook.refund_plans import ReturnedLine


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
    """A purchase and the returns of it so far, with what became of the account's lots.

    `expired` is what went from each lot by expiry and no return has counted as lapsed yet, of whichever purchase.
    `elsewhere` says where the purchase stands if it is of an account that was merged into this one.
    """

    purchase: Recorded
    order: Order
    returns: tuple[Recorded, ...] = ()
    expired: Mapping[int, int] = field(default_factory=dict)
    elsewhere: Elsewhere | None = None

    def granted(self) -> tuple[Granted, ...]:
        """Return what each rule granted, by name, with what returns settled of it; see `lapses` for what expired.

        Where not all can be taken back, this order says of which rule it is let go, whatever order their tables have.
        """
        settled: dict[str, int] = defaultdict(int)
        short: dict[str, int] = defaultdict(int)
        for earlier in self.returns:
            for rule, amount in earlier.memo.get("settled", {}).items():
                settled[rule] += amount
            for rule, amount in earlier.memo.get("short", {}).items():
                short[rule] += amount
        reckoned = self.purchase.memo.get("reckoned", {})
        moved = [move for later in self.returns for move in later.memo.get("matured", ())]
        return tuple(
            Granted(
                rule,
                asset,
                amount,
                _after_maturing(rule, lots, moved),
                tuple(map(tuple, by_line)),
                settled[rule],
                short=short[rule],
                reckoned=reckoned_of(reckoned.get(rule)),
            )
            for rule, asset, amount, lots, by_line in sorted(self.purchase.memo.get("granted", ()), key=itemgetter(0))
        )

    def shared(self) -> tuple[tuple[int, Granted], ...]:
        """Return what rules granted to other accounts, by the place of the message that told them.

        Known is only what a program kept that has returns ask for it (`Context.reckon_awards`).
        """
        memo, told = self.purchase.memo, self.told()
        found = []
        for place, rule in memo.get("shared", ()):
            _, _, data, by_line, *_ = memo["sent"][place]
            lines = tuple(map(tuple, by_line))
            reckoned = reckoned_of(memo.get("reckoned", {}).get(rule))
            found.append(
                (
                    place,
                    Granted(rule, str(data.get("asset", "")), data["units"], (), lines, told[place], reckoned=reckoned),
                )
            )
        return tuple(found)

    def told(self) -> dict[int, int]:
        """Return the units that other accounts were told of as having come back, by the place of the message."""
        told: dict[int, int] = defaultdict(int)
        for earlier in self.returns:
            for place, units in earlier.memo.get("told", ()):
                told[place] += units
        return told

    def lapses(self, request: RefundRequest) -> dict[str, list[tuple[int, int]]]:
        """Return how much of each rule's grant a return may count as lapsed, as pairs of lot and amount.

        The units of a lot are alike, whichever purchase brought them, and are pooled. A return first takes what
        remains of the lot. Then it counts as lapsed what expired from the lot and no return has counted yet, of
        whichever purchase, so all returns together never count more than expired. What still lacks was spent.
        Of several grants in one lot each gets what this return asks of it, in their order, before any gets more.
        """
        lapses: dict[str, list[tuple[int, int]]] = defaultdict(list)
        if not self.expired:
            return lapses
        own: dict[tuple[str, int], int] = defaultdict(int)
        for earlier in self.returns:
            for rule, lot, units in earlier.memo.get("lapsed_lots", ()):
                own[rule, lot] += units
        left: dict[int, int] = defaultdict(int, self.expired)
        for of_all in (False, True):
            for grant in request.granted:
                rule, asked = grant.rule, grant.amount if of_all else settle_share(grant.amount, grant.by_line, request)
                most = asked - grant.settled - sum(units for _, units in lapses[rule])
                for lot, part in grant.lots:
                    units = min(most, part - own[rule, lot], left[lot])
                    if units > 0:
                        lapses[rule].append((lot, units))
                        own[rule, lot] += units
                        left[lot] -= units
                        most -= units
        return lapses

    def lapsed_lots(self, request: RefundRequest, lapsed: Mapping[str, int]) -> list[tuple[str, int, int]]:
        """Return of which lots a plan counts units as lapsed: rule, lot and amount, for the memo of the return."""
        lots: list[tuple[str, int, int]] = []
        for rule, parts in self.lapses(request).items():
            rest = lapsed.get(rule, 0)
            for lot, units in parts:
                part = min(rest, units)
                if part:
                    lots.append((rule, lot, part))
                    rest -= part
        return lots

    def after(self, postings: Iterable[Posting]) -> Past:
        """Return the same past after further postings of the account, which may be expiries."""
        expired = defaultdict(int, self.expired)
        for posting in postings:
            if posting.destination == BREAKAGE and isinstance(posting.source, int):
                expired[posting.source] += posting.amount
        return replace(self, expired=expired)

    def seen_late(self, account: Account, at: int) -> Past:
        """Return the same past for news of an instant that has passed: what expired since is still there then."""
        later = account.later(at)
        expired: dict[int, int] = {}
        for number, units in self.expired.items():
            lot = account.lots.get(number)
            if lot is None or lot.expires_at <= at:
                expired[number] = max(0, units + later.get(number, 0))
        return replace(self, expired=expired)

    def drawn(self, asset: str = "") -> tuple[Drawn, ...]:
        """Return the lots of an asset that paid for the purchase in the order of use, with what was put back since.

        Args:
            asset: the money of the order where absent.
        """
        asset = asset or self.order.currency
        restored: dict[int, int] = defaultdict(int)
        for earlier in self.returns:
            for posting in earlier.postings:
                if posting.source == SALES and isinstance(posting.destination, int):
                    restored[posting.destination] += posting.amount
            for lot, units in earlier.memo.get("repaid", ()):
                restored[lot] += units
            for lot, into, units in earlier.memo.get("renewed", ()):
                restored[lot] += units
                restored[into] -= units
        return tuple(
            Drawn(posting.source, posting.amount, restored[posting.source])
            for posting in self.purchase.postings
            if posting.destination == SALES and isinstance(posting.source, int) and posting.asset == asset
        )

    def paid(self) -> tuple[Paid, ...]:
        """Return what else of the account paid for the purchase, with what earlier returns gave back of it."""
        paid = self.purchase.memo.get("paid", ())
        back = [earlier.memo.get("paid", {}) for earlier in self.returns] if paid else []
        return tuple(
            Paid(asset, units, value, sum(parts.get(asset, 0) for parts in back), self.drawn(asset))
            for asset, value, units in paid
        )

    def check_plan(self, request: RefundRequest, plan: RefundPlan, postings: Iterable[Posting]) -> None:
        """Check a plan against what the purchase did.

        Raises:
            InvariantError: I15: more is restored than was drawn, taken back than was granted, or refunded than
                was paid.
        """
        restored: dict[int, int] = defaultdict(int)
        taken: dict[str, int] = defaultdict(int)
        stored = 0
        for posting in postings:
            if posting.source == SALES and isinstance(posting.destination, int):
                restored[posting.destination] += posting.amount
                stored += posting.amount if posting.asset == request.order.currency else 0
            elif posting.destination == PROMOTION:
                taken[posting.asset] += posting.amount
            else:
                raise InvariantError("I15", f"a refund may not post from {posting.source!r} to {posting.destination!r}")
        for lot, units, _ in plan.over:
            restored[lot] += units
        uses = [*request.drawn, *[use for paid in request.paid for use in paid.drawn]]
        drawn = {drawn.lot: drawn.amount - drawn.restored for drawn in uses}
        for lot, amount in restored.items():
            if amount > drawn.get(lot, 0):
                raise InvariantError("I15", f"{amount} is put back into lot {lot}, which paid {drawn.get(lot, 0)}")
        granted: dict[str, int] = defaultdict(int)
        for grant in request.granted:
            granted[grant.asset] += grant.amount - grant.settled
            settled = plan.settled.get(grant.rule, 0)
            if not 0 <= settled <= grant.amount - grant.settled:
                raise InvariantError("I15", f"{grant.rule} granted {grant.amount} and more is settled")
            if not 0 <= plan.lapsed.get(grant.rule, 0) <= min(settled, grant.lapsed):
                raise InvariantError("I15", f"{grant.lapsed} of what {grant.rule} granted has lapsed, not more")
        for asset, amount in taken.items():
            if amount > granted[asset]:
                raise InvariantError("I15", f"{amount} {asset} is taken back of {granted[asset]} granted")
        by_paid = {paid.asset: paid.value - paid.back for paid in request.paid}
        for code, value in plan.paid.items():
            if not 0 <= value <= by_paid.get(code, 0):
                raise InvariantError("I15", f"{value} is given back in {code}, which paid {by_paid.get(code, 0)}")
        if plan.stored_value != stored or plan.outside < 0 or plan.deducted < 0:
            raise InvariantError("I15", f"a refund of {plan.stored_value} to stored value posts {stored}")
        back = stored + plan.outside + plan.deducted + plan.credited + plan.charged_back + sum(plan.paid.values())
        if back != request.value:
            raise InvariantError("I15", f"{request.value} comes back, not {back}")
        _check_outside(request, plan)
        _check_shared(request, plan)


def _check_shared(request: RefundRequest, plan: RefundPlan) -> None:
    """Check what a plan asks back of other accounts, and lets go of."""
    for rule, units in (plan.let_go or {}).items():
        if not 0 <= units <= plan.short.get(rule, 0):
            raise InvariantError("I15", f"{units} of what {rule} granted is let go, more than could not be taken")
    for asset, units in plan.awaited.items():
        if not 0 <= units <= sum(plan.short.get(each.rule, 0) for each in request.granted if each.asset == asset):
            raise InvariantError("I15", f"{units} {asset} is awaited, more than is let go")
    for place, grant in request.shared:
        if not 0 <= plan.shared.get(place, 0) <= grant.amount - grant.settled:
            raise InvariantError("I15", f"{grant.rule} granted {grant.amount} elsewhere and more comes back")


def _check_outside(request: RefundRequest, plan: RefundPlan) -> None:
    """Check what a plan gives back of the money from outside, tender by tender."""
    outside = plan.outside + plan.deducted + plan.credited + plan.charged_back
    left = {tender.place: tender.left for tender in request.tenders if not tender.asset}
    for place, share in plan.tenders.items():
        if not 0 <= share <= left.get(place, 0):
            raise InvariantError("I15", f"{share} goes back of tender {place}, which has {left.get(place, 0)} left")
    if plan.tenders and sum(plan.tenders.values()) != outside:
        raise InvariantError("I15", f"tenders give back {sum(plan.tenders.values())}, not {outside}")
    if outside > sum(left.values()):
        raise InvariantError("I15", f"{outside} goes back from outside, of which {sum(left.values())} paid")
    if plan.charged_back < 0:
        raise InvariantError("I15", f"{plan.charged_back} is charged back")
    if plan.credited < 0 or bool(plan.credited) != (plan.credit is not None):
        raise InvariantError("I15", f"{plan.credited} comes back as stored value, under terms that do not fit that")
    if not 0 <= plan.exchanged <= plan.outside:
        raise InvariantError("I15", f"{plan.exchanged} pays for something else, of {plan.outside}")


def _after_maturing(rule: str, lots: Iterable[Any], moved: Iterable[Any]) -> tuple[tuple[int, int], ...]:
    """Return a grant's lots and amounts after what matured has moved to others: what did not had come back before."""
    own = [move for move in moved if move[0] == rule]
    parts: dict[int, int] = {**dict(map(tuple, lots)), **dict.fromkeys([source for _, source, _, _ in own], 0)}
    for _, _, into, units in own:
        parts[into] = parts.get(into, 0) + units
    return tuple((lot, units) for lot, units in parts.items() if units)


def refund_request(event: Return, past: Past) -> tuple[RefundRequest, list[Came], list[Objection]]:
    """Return what a return asks for, what came back by it, and objections to it."""
    order = past.order
    earlier: list[Came] = [tuple(came) for old in past.returns for came in old.memo.get("came", ())]
    lines, came, objections = measure(event, order, earlier)
    value = sum(line.now for line in lines)
    before = sum(line.before for line in lines)
    total = sum(line_values(order))
    part, whole = value + before, total
    if len(lines) == 1:
        part, whole = lines[0].part, lines[0].whole
    elif not whole:
        part, whole = sum(line.part for line in lines), sum(line.whole for line in lines)
    drawn, paid = past.drawn(), past.paid()
    tenders = tenders_of(order, total - before, drawn, paid, [old.memo for old in past.returns])
    request = RefundRequest(
        event,
        order,
        value,
        before,
        total,
        part,
        whole,
        tuple(lines),
        past.granted(),
        drawn,
        paid,
        tenders,
        past.shared(),
    )
    lapses = past.lapses(request)
    if lapses:
        granted = (replace(grant, lapsed=sum(units for _, units in lapses[grant.rule])) for grant in request.granted)
        request = replace(request, granted=tuple(granted))
    return request, came, objections


def taken_metrics(past: Past, request: RefundRequest) -> list[MetricChange]:
    """Return what a return takes off the metrics that its purchase counted, on the day that it counted them.

    Of a metric by line it is what the lines that come back had counted, of another one the share of the order. Each
    is rounded cumulatively towards zero over all that came back so far: a visit is undone when all of it came back,
    spend cent by cent, and once everything came back nothing is left of what the purchase counted.
    """
    undone: dict[str, int] = defaultdict(int)
    for earlier in past.returns:
        for name, delta in earlier.memo.get("metrics", ()):
            undone[name] -= delta
    lines = {line.line: line for line in request.lines}
    due: dict[tuple[str, int], int] = {}
    memo = past.purchase.memo
    limited = {name for name, _, _ in (*memo.get("caps", ()), *memo.get("counted_grants", ()))}
    for name, day, delta in past.purchase.effects.get("metrics", ()):
        if name not in limited:
            due[name, day] = _share(delta, request)
    for name, day, parts in past.purchase.memo.get("counted", ()):
        due[name, day] = sum(_share(units, lines[line]) for line, units in parts)
    for name, day, units, weights in memo.get("counted_of_part", ()):
        due[name, day] = _share_of_part(units, weights, lines)
    return [
        MetricChange(name, day, undone[name] - units) for (name, day), units in due.items() if units != undone[name]
    ]


def taken_grants(past: Past, plan: RefundPlan) -> list[MetricChange]:
    """Return what a return takes off the metrics that count what was granted: what it settles of those grants."""
    changes = [
        MetricChange(name, day, -sum(plan.settled.get(rule, 0) for rule in rules))
        for name, day, rules in past.purchase.memo.get("counted_grants", ())
    ]
    return [change for change in changes if change.delta]


def is_completed(past: Past) -> bool:
    """Whether a purchase was completed."""
    return any("matured" in later.memo for later in past.returns)


def _share_of_part(counted: int, weights: Iterable[tuple[int, int]], lines: Mapping[int, ReturnedLine]) -> int:
    """Return how much is undone of what some lines counted together, each with its weight."""
    back, of = Fraction(), 0
    for number, weight in weights:
        line = lines[number]
        back += weight if line.part >= line.whole else Fraction(weight * line.part, line.whole)
        of += weight
    share = back / of
    units = portion(abs(counted), share.numerator, share.denominator, 0)
    return units if counted > 0 else -units


def _share(counted: int, back: ReturnedLine | RefundRequest) -> int:
    """Return how much of what was counted is undone by all that came back of a line, or of the order."""
    share = portion(abs(counted), back.part, back.whole, 0)
    return share if counted > 0 else -share


__all__ = [
    "Past",
    "Recorded",
    "is_completed",
    "refund_request",
    "settle_share",
    "taken_grants",
    "taken_metrics",
]
