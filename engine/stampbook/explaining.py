"""Why each number is what it is: of one transaction, with its rules, and of a whole account, with its lots."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from stampbook.events import Purchase, Return
from stampbook.journal import event_of, past_of
from stampbook.ledger import SALES
from stampbook.lots import DEBT, DEFAULT_ORDER
from stampbook.partial import as_paid
from stampbook.periods import NEVER
from stampbook.reasoning import RuleReason, option_table, options_of, or_nothing, rule_reasons
from stampbook.refund_reasons import Reckoned, RefundReason, TakenBack, TenderBack, by_policy, reckonings
from stampbook.refunding import refund_request
from stampbook.replay import entries_of, fold
from stampbook.statements import movements
from stampbook.states import AccountState, Judges, LotState, Past, Sum, day_of
from stampbook.telling import told

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import date, datetime

    from stampbook.account import Account
    from stampbook.engine import Engine
    from stampbook.ledger import Entry, Posting
    from stampbook.registry import Registry


class PostingReason(NamedTuple):
    """One posting, with its ends in words and why it was made."""

    amount: Sum
    source: str
    destination: str
    rule: str
    because: str


class FactReason(NamedTuple):
    """A fact that an event brought, and why."""

    name: str
    value: str
    reason: str


class Count(NamedTuple):
    """What an event added to a metric, on which local day."""

    metric: str
    delta: str
    day: date


@dataclass(frozen=True, slots=True)
class ProgramName:
    """The program that judged an event: its name, file and content hash."""

    name: str
    file: str
    hash: str


@dataclass(frozen=True, slots=True)
class TransactionReason:
    """Why one event did what it did, or was refused."""

    account: str
    seq: int
    type: str
    source: str
    event: str
    at: datetime
    recorded_at: datetime
    accepted: bool
    words: str
    program: ProgramName
    postings: tuple[PostingReason, ...]
    rules: tuple[RuleReason, ...]
    facts: tuple[FactReason, ...]
    counts: tuple[Count, ...]
    refund: RefundReason | None
    objections: tuple[Mapping[str, str], ...]
    payload: Mapping[str, Any]
    hash: str
    paid_out: tuple[Reckoned, ...] = ()
    """Of an account that was closed, how what it paid out was worked out, line by line."""


class Move(NamedTuple):
    """What one event put into a lot or took from it."""

    at: datetime
    event: str
    words: str
    amount: Sum
    rule: str


class LotReason(NamedTuple):
    """A lot with all that moved in it."""

    lot: LotState
    moves: tuple[Move, ...]


class DayCount(NamedTuple):
    """A metric's value of one day of its window."""

    day: date
    value: str


@dataclass(frozen=True, slots=True)
class AccountReason:
    """Why an account is what it is: each balance as the sum of its lots, each fact, each metric."""

    state: AccountState
    lots: Mapping[str, tuple[LotReason, ...]]
    used_up: Mapping[str, int]
    metric_days: Mapping[str, tuple[DayCount, ...]]


def explain_entry(engine: Engine, ref: str, entry: Entry) -> TransactionReason:
    """Explain one journal entry of an account."""
    return _Explainer(engine, ref, entry).reason()


def explain_account(
    engine: Engine, ref: str, *, as_of: int | None = None, known_at: int | None = None
) -> AccountReason:
    """Explain an account at an instant (now), as far as was known at another (now).

    Raises:
        UnknownAccountError: there is no such account, or there was none yet.
    """
    past = Past(engine, ref, as_of, known_at)
    state = past.state()
    moves: dict[int, list[Move]] = defaultdict(list)
    for at, id_, words, postings in movements(past):
        for asset, amount, source, destination, rule in postings:
            for end, sign in ((source, -1), (destination, 1)):
                if isinstance(end, int):
                    change = past.sum(asset, sign * amount)
                    moves[end].append(Move(past.calendar.local(at), id_, words, change, rule))
    lots = {
        holding.asset: tuple(LotReason(lot, tuple(moves[lot.number])) for lot in holding.lots)
        for holding in state.holdings
    }
    used_up: dict[str, int] = defaultdict(int)
    for lot in past.account.lots.values():
        used_up[lot.asset] += not lot.remaining
    return AccountReason(state, lots, dict(used_up), _metric_days(past))


def _metric_days(past: Past) -> dict[str, tuple[DayCount, ...]]:
    today = past.calendar.day(past.until)
    days: dict[str, list[DayCount]] = {}
    for name, day, value in past.account.metrics:
        window = past.context.windows.get(name)
        if window is not None and window.first_day(today, past.calendar) <= day <= today:
            days.setdefault(name, []).append(DayCount(day_of(day), past.context.metric_asset(name).text(value)))
    return {name: tuple(counted) for name, counted in days.items()}


class _Explainer:
    """One entry with all that its explanation needs: its program, its event, its account's journal."""

    def __init__(self, engine: Engine, ref: str, entry: Entry) -> None:
        self.engine, self.ref, self.entry = engine, ref, entry
        self.journal: Sequence[Entry] = entries_of(engine, ref) if ref else [entry]
        self.judges = Judges(engine)
        self.registry: Registry = self.judges[entry.program]
        self.context = self.registry.context
        self.local = self.context.calendar.local
        self.event = event_of(entry, self.registry)
        self.effects: Mapping[str, Any] = orjson.loads(entry.effects)
        self.memo: Mapping[str, Any] = self.effects.get("memo", {})
        self.trace: Mapping[str, Any] = orjson.loads(entry.trace)
        self.account: Account = fold(ref, self.journal)

    def sum(self, asset: str, units: int) -> Sum:
        return Sum(asset, units, self.context.assets[asset].decimals)

    def money(self, units: int) -> Sum:
        return self.sum(getattr(self.event, "currency", None) or self.context.currency.code, units)

    def reason(self) -> TransactionReason:
        entry = self.entry
        paid = as_paid(self.event, self.memo)
        order = paid.order_in(self.context.currency.code) if isinstance(self.event, Purchase) else None
        granted = {rule: self.sum(asset, units) for rule, asset, units, *_ in self.memo.get("granted", ())}
        reasons = rule_reasons(self.registry, paid, order, self.trace, granted) if entry.accepted else ()
        rules = tuple(or_nothing(each) for each in reasons)
        with self.engine.store.reader() as session:
            file = next((kept.file for kept in session.kept() if kept.hash == entry.program), "")
        return TransactionReason(
            self.ref,
            entry.seq,
            entry.type,
            entry.source,
            entry.id,
            self.local(entry.at),
            self.local(entry.recorded_at),
            entry.accepted,
            told(entry, self.event, self.registry)[0],
            ProgramName(self.context.name, file, entry.program),
            tuple(self._posting(posting, rules) for posting in entry.postings),
            rules,
            tuple(
                FactReason(name, value, reason)
                for name, value, _, _, reason in self.effects.get("facts", ())
                if not name.startswith("_")
            ),
            tuple(
                Count(metric, self.context.metric_asset(metric).text(delta), day_of(day))
                for metric, day, delta in self.effects.get("metrics", ())
            ),
            self._refund(),
            tuple(_objection(*objection) for objection in self.trace.get("objections", ())),
            orjson.loads(entry.payload),
            entry.hash.hex(),
            tuple([Reckoned(*line) for line in self.trace.get("paid_out", ())]),
        )

    def _end(self, end: int | str) -> str:
        if isinstance(end, str):
            return end
        lot = self.account.lots[end]
        until = "" if lot.expires_at == NEVER else f", until {day_of(self.context.calendar.day(lot.expires_at - 1))}"
        return f"lot {end} ({lot.kind}{until})"

    def _posting(self, posting: Posting, rules: Sequence[RuleReason]) -> PostingReason:
        rule = next((reason for reason in rules if reason.rule == posting.rule), None)
        because = self._moved(posting) if rule is None or rule.granted is None else self._granted(rule)
        if self._is_debt(posting.source):
            because = "owed, since it was spent before it was taken back"
        elif self._is_debt(posting.destination):
            because = f"repays what was owed; {because}"
        return PostingReason(
            self.sum(posting.asset, posting.amount),
            self._end(posting.source),
            self._end(posting.destination),
            posting.rule,
            because,
        )

    def _is_debt(self, end: int | str) -> bool:
        return isinstance(end, int) and self.account.lots[end].kind == DEBT

    def _granted(self, rule: RuleReason) -> str:
        earn = rule.options.get("earn", "")
        because = f"{earn} = {rule.earned}" if rule.earned not in {"", earn} else earn
        if rule.options.get("when"):
            because += f", since {rule.options['when']}"
        because += "".join(f", {factor}" for factor in rule.multipliers)
        return because + "".join(f", cut by {cut.limit}" for cut in rule.limited)

    def _moved(self, posting: Posting) -> str:
        if posting.rule in _PLAINLY:
            return _PLAINLY[posting.rule]
        match posting.rule:
            case _ if posting.destination == SALES:
                if getattr(self.event, "hold", None) is not None:
                    return "captured of what was set aside for it"
                table = self.registry.file.assets.get(posting.asset)
                order = (table and table.spend_order) or DEFAULT_ORDER
                together = (
                    f"paid and other value in proportion {table.proportion}; " if table and table.proportion else ""
                )
                only = self._only(posting.source)
                return f"{together}lots are spent by {', then '.join(order)}{only}"
            case "expiry" if isinstance(posting.source, int):
                return (
                    f"it was good until {self.local(self.account.lots[posting.source].expires_at - 1):%Y-%m-%d %H:%M}"
                )
            case "adjust":
                return str(getattr(self.event, "reason", ""))
        undone = {rule for rule, _, units in self.trace.get("entitled", ()) if units < 0}
        if posting.rule in undone or self.entry.type in {"return", "purchase.cancelled"}:
            took = "what is no longer reached" if posting.rule in undone else "what the purchase earned"
            took += by_policy(self.trace, posting.rule)
            return "gives back what paid for it" if posting.source == "sales" else f"takes back {took}"
        table_of_rule = option_table(self.registry, posting.rule)
        options = options_of(table_of_rule) if table_of_rule is not None else {}
        return ", ".join(f"{name} {text}" for name, text in options.items())

    def _only(self, end: int | str) -> str:
        """Tell where a lot may be spent, if not everywhere."""
        kind = self.account.lots[end].kind if isinstance(end, int) else ""
        restriction = self.registry.context.restrictions.get(kind)
        return "" if restriction is None else f"; {kind} is {restriction.words}"

    def _refund(self) -> RefundReason | None:
        memo = self.memo
        if not isinstance(self.event, Return) or not self.entry.accepted:
            return None
        stored, outside, deducted = (self.money(memo.get(key, 0)) for key in ("stored_value", "outside", "deducted"))
        points = self.money(sum(memo.get("paid", {}).values()))
        credited, charged, exchanged = (
            self.money(memo.get(key, 0)) for key in ("credited", "charged_back", "exchanged")
        )
        parts = (stored, outside, deducted, points, credited, charged, exchanged)
        value = self.money(sum(part.units for part in parts))
        tenders = tuple(
            TenderBack(place, kind, self.money(share), self.money(back))
            for place, kind, share, back in memo.get("tenders", ())
        )
        notes = tuple(
            ", ".join(f"{name} {text}" for name, text in note.items())
            for note in self.trace.get("refund", {}).get("short", ())
        )
        past = self._past()
        if past is None:
            return RefundReason(
                self.event.purchase or "",
                None,
                None,
                None,
                value,
                stored,
                outside,
                deducted,
                (),
                notes,
                points,
                credited,
                charged,
                exchanged,
                tenders,
            )
        purchase, known = past
        request, _, _ = refund_request(self.event, known)
        grants = tuple(
            TakenBack(
                grant.rule,
                self.sum(grant.asset, grant.amount),
                self.sum(grant.asset, grant.settled),
                self.sum(grant.asset, memo.get("settled", {}).get(grant.rule, 0)),
                self.sum(grant.asset, self._taken(grant.rule)),
                self.sum(
                    grant.asset, sum(units for rule, _, units in memo.get("lapsed_lots", ()) if rule == grant.rule)
                ),
            )
            for grant in request.granted
        )
        return RefundReason(
            self.event.purchase or purchase.id,
            self.local(known.purchase.at),
            self.money(request.total),
            self.money(request.before),
            value,
            stored,
            outside,
            deducted,
            grants,
            notes,
            points,
            credited,
            charged,
            exchanged,
            tenders,
            reckonings(self.trace),
        )

    def _taken(self, rule: str) -> int:
        return sum(p.amount for p in self.entry.postings if p.rule == rule and isinstance(p.source, int))

    def _past(self) -> tuple[Entry, Any] | None:
        about = self.entry.about
        if about is None:
            return None
        purchase = self.journal[about - 1]
        earlier = [e for e in self.journal[: self.entry.seq - 1] if e.accepted and e.about == about]
        known = past_of([purchase, *earlier], self.judges[purchase.program])
        return None if known is None else (purchase, known)


_PLAINLY = {
    "capture": "captured of what was set aside",
    "late": "had expired by the time this was known",
    "let_go": "a return had let it go, and it has come back since",
    "topup": "paid in",
    "paid_for": "bonus that was owed once it was spent, and that money has paid for since",
    "release": "released of what was set aside",
    "close": "left when the account was closed",
}
"""Why value moved, by the engine's own rules."""


def _objection(code: str, message: str, plugin: str = "") -> dict[str, str]:
    return {"code": code, "message": message, **({"plugin": plugin} if plugin else {})}
