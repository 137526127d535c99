"""Limits: the most that awards may come to, by transaction, by account and window, and for a whole campaign."""

from __future__ import annotations

from collections import defaultdict
from fractions import Fraction
from itertools import combinations
from math import floor
from typing import TYPE_CHECKING, Any, NamedTuple

from stampbook.amounts import amount_text, portion, read_units, split
from stampbook.errors import AmountError, near
from stampbook.hookspecs import Limit
from stampbook.ledger import MetricChange, Objection
from stampbook.periods import NEVER
from stampbook.program import CampaignTable, LimitTable
from stampbook.stacking import only_one_counts, unstated

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from stampbook.account_view import AccountView
    from stampbook.amounts import Asset
    from stampbook.hookspecs import Award, Stake
    from stampbook.periods import Calendar
    from stampbook.plugin import Plugin
    from stampbook.program import ProgramFile
    from stampbook.refund_plans import Granted, RefundPlan, RefundRequest
    from stampbook.refunding import Past
    from stampbook.toml_source import Source
    from stampbook.vocabulary import Context

_DAY_LETTERS = len("2025-01-31")
_SCOPES = {"transaction": 0, "account": 1, "campaign": 2}
_OVERS = {"refuse event": 0, "refuse award": 1, "trim": 2}
_SENT_ONLY = frozenset({"purchase", "topup"})
"""Kinds of event that never come from the ledger itself, so that a limit can always refuse them."""


class Wish(NamedTuple):
    """An award with what it comes to before limits, in smallest units."""

    award: Award
    units: int


def limit_of(name: str, table: LimitTable | CampaignTable, context: Context) -> Limit:
    """Return what a table of the program says.

    Raises:
        AmountError: its asset is none of the program's, or its number has more digits than what it counts.
    """
    asset = context.asset(table.asset)
    text = table.max if isinstance(table, LimitTable) else table.budget
    most: int | None = None
    if text is not None and table.counts == "awards":
        most = read_units(text, 0)
    elif text is not None and table.unit_value is not None:
        value = Fraction(table.unit_value)
        most = floor(Fraction(text) / value * 10**asset.decimals)
    elif text is not None:
        most = asset.units(text)
    counts = "awards" if table.counts == "awards" else "amount"
    if isinstance(table, LimitTable):
        window = table.window if table.per == "account" else None
        return Limit(name, table.per, table.asset, most, counts, table.rules, window, table.over)
    since = -NEVER if table.first_day is None else context.calendar.parse(table.first_day)
    until = NEVER if table.last_day is None else _end_of(table.last_day, context.calendar)
    first = table.turn == "first"
    return Limit(name, "campaign", table.asset, most, counts, table.rules, None, table.over, since, until, first=first)


def _end_of(text: str, calendar: Calendar) -> int:
    """Return the first instant after a day; a text with a time of day is that instant itself."""
    instant = calendar.parse(text)
    return calendar.start_of(calendar.day(instant) + 1) if len(text) <= _DAY_LETTERS else instant


def limits_of(file: ProgramFile, context: Context) -> list[Limit]:
    """Return the limits and campaigns of a program that has no mistakes."""
    return [
        *(limit_of(name, table, context) for name, table in file.limits.items()),
        *(limit_of(name, table, context) for name, table in file.campaigns.items()),
    ]


def check_awards(source: Source, program: ProgramFile, context: Context, built: Mapping[int, Plugin[Any]]) -> None:
    """Note limits, campaigns and metrics that hold for nothing, and rules whose result an unstated order decides."""
    places = {stake.rule: (position, stake) for position, plugin in built.items() for stake in plugin.stakes}
    awards = {rule: stake.asset for rule, (_, stake) in places.items() if stake.what == "award"}
    silent = tuple(f"{plugin.name}." for plugin in built.values() if not plugin.stakes)
    tables: list[tuple[str, str, LimitTable | CampaignTable]] = [
        *(("limits", name, table) for name, table in program.limits.items()),
        *(("campaigns", name, table) for name, table in program.campaigns.items()),
    ]
    limits: list[Limit] = []
    for key, name, table in tables:
        try:
            limits.append(limit_of(name, table, context))
        except AmountError as error:
            source.mistake((key, name), str(error))
    named = [(key, name, table.asset, table.rules) for key, name, table in tables]
    named.extend(("metrics", name, table.granted or "", table.rules) for name, table in program.metrics.items())
    for key, name, asset, rules in named:
        for rule in rules:
            if rule in awards and awards[rule] != asset:
                message = f"{rule} grants {awards[rule]}, not {asset}; name the asset that it is to hold for"
                source.mistake((key, name, "rules"), message)
            elif rule not in awards and not rule.startswith(silent):
                known = near(rule, awards) or f"; there are {', '.join(awards) or 'none'}"
                source.mistake((key, name, "rules"), f"no rule {rule!r} awards anything{known}")
    stakes = [stake for _, stake in places.values()]
    for rule, message in (*unstated(stakes, program.stacking), *_unranked(stakes, limits, program.stacking)):
        source.mistake(("plugin", places[rule][0]), message)


def _unranked(stakes: list[Stake], limits: list[Limit], stacking: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield rules of which a limit that grants only whole awards could not tell which comes first, with what is wrong.

    Two of one rank are told apart by nothing but their names where both may award on one event, within one limit.
    """
    seasons: dict[str, list[Limit]] = defaultdict(list)
    for limit in limits:
        for rule in limit.rules if limit.scope == "campaign" else ():
            seasons[rule].append(limit)
    known: set[str] = set()
    for limit in limits:
        if limit.most is None or (limit.counts == "amount" and limit.over == "trim"):
            continue
        covered = [stake for stake in stakes if stake.what == "award" and covers(limit, stake)]
        for one, other in combinations(covered, 2):
            if one.rank != other.rank or other.rule in known or only_one_counts(one, other, stacking):
                continue
            if limit.over == "refuse event" and {*one.on, *other.on} <= _SENT_ONLY and one.on and other.on:
                continue
            if one.on and other.on and not set(one.on) & set(other.on):
                continue
            during = (*seasons[one.rule], *seasons[other.rule])
            if during and max(each.since for each in during) >= min(each.until for each in during):
                continue
            known.add(other.rule)
            what = "campaign" if limit.scope == "campaign" else "limit"
            yield (
                other.rule,
                (
                    f"{one.rule} and {other.rule} have one rank in the {what} {limit.name!r}, which may have room for "
                    "only one of them; give each a rank of its own"
                ),
            )


class Limits:
    """The limits of a program in the order in which they act: campaigns that are first, transactions, accounts, others.

    Of each sort those that refuse come before those that trim, so that what is left out takes no room from the rest.
    """

    def __init__(self, limits: Iterable[Limit], assets: Mapping[str, Asset]) -> None:
        self.all = tuple(sorted(limits, key=_turn))
        self.assets = assets
        self._timed = [limit for limit in self.all if limit.scope == "campaign"]
        self._counting = [(limit, limit.metric) for limit in self.all if limit.most is not None]

    def __bool__(self) -> bool:
        return bool(self.all)

    def in_season(self, awards: list[Award], at: int) -> tuple[list[Award], list[tuple[str, str]]]:
        """Leave out what belongs to a campaign that is not on; return also pairs of rule and campaign."""
        out: dict[str, str] = {}
        for limit in self._timed:
            if not limit.since <= at < limit.until:
                out.update((award.rule, limit.name) for award in awards if covers(limit, award))
        if not out:
            return awards, []
        return [award for award in awards if award.rule not in out], list(out.items())

    def applied(
        self, wishes: list[Wish], account: AccountView, budgets: Mapping[str, int] | None, *, can_refuse: bool = True
    ) -> Applied:
        """Return what limits leave of awards.

        Args:
            wishes: awards with what they come to.
            account: before the event.
            budgets: what each campaign has left, in its own units; without bound where it is not named.
            can_refuse: whether the event may be refused; else ``refuse event`` leaves the award out.
        """
        result = Applied({wish.award.rule: wish.units for wish in wishes})
        units = result.units
        for limit, metric in self._counting:
            members = [wish.award for wish in wishes if units[wish.award.rule] > 0 and covers(limit, wish.award)]
            if not members:
                continue
            most = limit.most or 0
            if limit.scope == "transaction":
                left = most
            elif limit.scope == "account":
                left = max(0, most - account.metric_at_most(metric))
            elif budgets is None or limit.name not in budgets:
                continue
            else:
                left = max(0, budgets[limit.name])
            wanted = len(members) if limit.counts == "awards" else sum([units[award.rule] for award in members])
            if wanted <= left:
                continue
            if limit.scope == "campaign":
                result.budgets[limit.name] = left
            if limit.over == "refuse event" and can_refuse:
                result.objections.append(self._objection(limit, wanted, left))
                continue
            for award, part in _shared(limit, members, units, left):
                if part < units[award.rule]:
                    result.trace.append((award.rule, limit.name, units[award.rule], part))
                    units[award.rule] = part
        return result

    def counted(self, wishes: list[Wish], units: Mapping[str, int], day: int) -> list[tuple[MetricChange, Any]]:
        """Return what the awards that were granted count for each limit, with the part of each rule."""
        changes: list[tuple[MetricChange, Any]] = []
        for limit, metric in self._counting:
            if not metric:
                continue
            parts = [
                (wish.award.rule, 1 if limit.counts == "awards" else units[wish.award.rule])
                for wish in wishes
                if units[wish.award.rule] > 0 and covers(limit, wish.award)
            ]
            if parts:
                changes.append((MetricChange(metric, day, sum([part for _, part in parts])), parts))
        return changes

    def _objection(self, limit: Limit, wanted: int, left: int) -> Objection:
        what = "campaign" if limit.scope == "campaign" else "limit"
        if limit.counts == "awards":
            return Objection("limit_reached", f"{what} {limit.name}: {wanted} awards are more than the {left} left")
        asset = self.assets[limit.asset]
        text = f"{amount_text(wanted, asset)} is more than the {amount_text(left, asset)} left"
        return Objection("limit_reached", f"{what} {limit.name}: {text}")


class Applied:
    """What limits left: `units` by rule; in the trace rule, limit, what was wanted and granted of each that was cut."""

    __slots__ = ("budgets", "objections", "trace", "units")

    def __init__(self, units: dict[str, int]) -> None:
        self.units = units
        self.trace: list[tuple[str, str, int, int]] = []
        self.budgets: dict[str, int] = {}
        self.objections: list[Objection] = []


def _turn(limit: Limit) -> tuple[Any, ...]:
    """Return what puts limits in their order: all that they say, but neither their names nor their place in the file.

    Those of fewer rules come first: what they cut leaves room in the wider ones.
    """
    over = "refuse award" if (limit.counts, limit.over) == ("awards", "trim") else limit.over
    wide = (not limit.rules, len(limit.rules))
    says = (limit.asset, limit.counts, limit.most or 0, limit.since, limit.until, str(limit.window))
    return (-1 if limit.first else _SCOPES[limit.scope], _OVERS[over], wide, says, sorted(limit.rules))


def covers(limit: Limit, award: Award | Stake) -> bool:
    """Whether a limit holds for an award."""
    return award.asset == limit.asset and (not limit.rules or award.rule in limit.rules)


def _shared(limit: Limit, members: Sequence[Award], units: Mapping[str, int], left: int) -> list[tuple[Award, int]]:
    """Return what each award gets of what is left: the lower rank first, equal ranks in proportion.

    A unit that cannot be split goes to the lot that lasts longest; names tell apart only what leaves accounts alike.
    """
    members = sorted(members, key=_by_rank_and_terms)
    parts: list[tuple[Award, int]] = []
    if limit.counts == "awards" or limit.over != "trim":
        for award in members:
            need = 1 if limit.counts == "awards" else units[award.rule]
            fits = need <= left
            left -= need if fits else 0
            parts.append((award, units[award.rule] if fits else 0))
        return parts
    for rank in sorted({award.rank for award in members}):
        equals = [award for award in members if award.rank == rank]
        wanted = [units[award.rule] for award in equals]
        share = min(left, sum(wanted))
        parts.extend(zip(equals, split(share, wanted), strict=True))
        left -= share
    return parts


def _by_rank_and_terms(award: Award) -> tuple[Any, ...]:
    return (award.rank, -award.expires_at, award.effective_at, award.kind, award.priority, award.rule)


def given_back(
    past: Past, plan: RefundPlan, request: RefundRequest, elsewhere: Iterable[tuple[str, int, int]]
) -> list[MetricChange]:
    """Return what a return gives back to the limits and campaigns of its purchase.

    It is what was made good of each grant: taken back, owed, or kept from the refund. What was let go stays counted,
    since the customer keeps it. Of what went to other accounts it is what they are asked for; what they still have of
    that is not known here. Where nobody says of which rule that was, it is the share of the order.

    Args:
        past: the purchase, with its earlier returns.
        plan: of the return.
        request: what it asks for.
        elsewhere: what rules granted to other accounts: the rule, what has come back of it by now, and all of it.
    """
    caps = past.purchase.memo.get("caps")
    if not caps:
        return []
    granted, whole = request.granted, (request.part, request.whole)
    let_go: dict[str, int] = dict(let_go_of(plan, granted))
    undone: dict[str, int] = {}
    for earlier in past.returns:
        for rule, units in earlier.memo.get("let_go", {}).items():
            let_go[rule] = let_go.get(rule, 0) + units
        for name, delta in earlier.memo.get("metrics", ()):
            undone[name] = undone.get(name, 0) - delta
    good = {
        grant.rule: (grant.settled + plan.settled.get(grant.rule, 0) - let_go.get(grant.rule, 0), grant.amount)
        for grant in granted
    }
    for rule, back, units in elsewhere:
        own, of = good.get(rule, (0, 0))
        good[rule] = (own + back, of + units)
    changes: list[MetricChange] = []
    for metric, day, parts in caps:
        due = sum(portion(counted, *good.get(rule, whole), 0) for rule, counted in parts)
        if due != undone.get(metric, 0):
            changes.append(MetricChange(metric, day, undone.get(metric, 0) - due))
    return changes


def let_go_of(plan: RefundPlan, granted: Iterable[Granted]) -> dict[str, int]:
    """Return by rule what a plan neither takes back, nor has the account owe, nor keeps from the refund."""
    if plan.let_go is not None:
        return {rule: units for rule, units in plan.let_go.items() if units}
    assets = {grant.rule: grant.asset for grant in granted}
    return {
        rule: units
        for rule, units in plan.short.items()
        if units and not plan.debts.get(assets[rule]) and not plan.deducted
    }
