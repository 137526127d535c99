"""Merging: an account goes up into another, with its lots, metrics and facts, and for a time comes out again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from stampbook import (
    NEVER,
    AccountJoined,
    AccountParted,
    AccountParting,
    Debt,
    Deposit,
    Event,
    Fact,
    Message,
    Objection,
    Plugin,
    Posting,
    Ref,
    StatusChange,
    Tally,
    hookimpl,
    settling,
)
from stampbook_together.merging_config import MergedFact, MergingConfig
from stampbook_together.moving import TRANSFERS
from stampbook_together.taking_out import Brought, Out, taken_out

if TYPE_CHECKING:
    from stampbook import AccountView

MERGED_INTO, MERGED_FROM = "merged_into", "_merged_from:"
_MEMORY = "_merged:"
"""Before the ref in the name of the fact by which an account remembers what another brought."""
_CAME_BACK = "_came_back:"
"""Before the ref of an account that was merged into this one: by how much what it brought is more or less since."""
_FIRST_DAY = 1

_Text = Annotated[str, Field(max_length=1000, pattern=r"^[^\x00]*$")]
_Whole = Annotated[int, Field(strict=True)]
_Lot = tuple[str, _Whole, str, _Whole, _Whole, _Whole]
_Metric = tuple[str, _Whole, _Whole]
_Steps = list[Posting | Deposit | Debt | Tally | StatusChange | Message | Objection]


class _ByHand(Event):
    reason: _Text = ""
    operator: Annotated[str, Field(max_length=255)] = ""


class AccountMerged(_ByHand):
    """All that an account has goes to another account; it is closed and says where everything went."""

    of_known_account: ClassVar[bool] = True
    earns: ClassVar[bool] = False

    type: Literal["account.merged"] = "account.merged"
    to: Ref


class AccountUnmerged(AccountParting, _ByHand):
    """What another account (`to`) once brought goes back to it, as far as it is still there, and it is open again."""

    type: Literal["account.unmerged"] = "account.unmerged"


class _Arriving(Event):
    lots: tuple[_Lot, ...] = ()
    debts: tuple[tuple[str, _Whole], ...] = ()
    metrics: tuple[_Metric, ...] = ()


class AccountMergedIn(AccountJoined, _Arriving):
    """What an account brings to the one that it goes up into."""

    type: Literal["account.merged_in"] = "account.merged_in"
    facts: tuple[tuple[str, str, _Whole], ...] = ()


class AccountRestored(AccountParted, _Arriving):
    """What goes back to an account that was merged, which is open again."""

    on_closed: ClassVar[bool] = True

    type: Literal["account.restored"] = "account.restored"
    came_back: tuple[tuple[Any, ...], ...] = ()


class Merging(Plugin[MergingConfig]):
    """Makes one account of two, and two of one again."""

    Config = MergingConfig
    linked = frozenset({MERGED_INTO})
    sole = "only the last one would be heard"

    def prepare(self) -> None:
        """Say whether events are forwarded."""
        self.forwards = self.config.later_events == "forward"
        self.program.carry_facts(MERGED_FROM)
        named = {rule.name for rule in self.config.facts}
        filled = self.program.attributes if self.config.attributes == "fill" else ()
        self._rules = (*self.config.facts, *(MergedFact(name=name) for name in filled if name not in named))
        self._undo_ends = None if self.config.undo is None else self.config.undo.ends(self.program.calendar)

    @hookimpl
    def register_events(self) -> list[type[Event]]:
        """Bring what operators ask for, and what it means to the other account."""
        return [AccountMerged, AccountUnmerged, AccountMergedIn, AccountRestored]

    @hookimpl
    def propose(self, event: Event, account: AccountView) -> _Steps:
        """Move everything, there or back."""
        match event:
            case AccountMerged():
                return self._merge(event, account)
            case AccountMergedIn():
                return self._take_in(event, account)
            case AccountUnmerged():
                return self._unmerge(event, account)
            case AccountRestored():
                return [StatusChange("open"), *self._take_up(event)]
            case _:
                return []

    # There

    def _merge(self, event: AccountMerged, account: AccountView) -> _Steps:
        objections = _objections(event, account)
        owing = [lot for lot in account.lots if lot.remaining < 0]
        if account.holds:
            objections.append(Objection("open_holds", "something is held; capture or void it first"))
        if owing and self.config.debt == "refuse":
            owed = ", ".join(self.program.asset(lot.asset).told(-lot.remaining) for lot in owing)
            how = "; ".join(settling(account.ref, self.program.asset(lot.asset), -lot.remaining) for lot in owing)
            objections.append(Objection("debt", f"{owed} is owed; {how}"))
        if objections:
            return [*objections]
        steps: _Steps = []
        lots: list[_Lot] = []
        arrived: list[tuple[int, int]] = []
        for lot in account.lots:
            if lot.remaining > 0:
                arrived.append((lot.number, lot.remaining))
                steps.append(Posting(lot.asset, lot.remaining, lot.number, TRANSFERS, self.name))
                lots.append((lot.asset, lot.remaining, *lot.terms[1:]))
            else:
                steps.append(Posting(lot.asset, -lot.remaining, TRANSFERS, lot.number, self.name))
        metrics = self._counted(account)
        steps += [Tally(metric, -units, day) for metric, day, units in metrics]
        data = {
            "other": account.ref,
            "lots": lots,
            "debts": [(lot.asset, -lot.remaining) for lot in owing],
            "metrics": metrics,
            "carried": self._carried(account),
            **self._arrived(arrived),
            "facts": [
                (rule.name, fact.value, fact.until)
                for rule in self._rules
                if (fact := account.fact(rule.name)) is not None and fact.value
            ],
        }
        return [*steps, StatusChange("closed"), Message(event.to, "account.merged_in", data)]

    def _counted(self, account: AccountView) -> list[_Metric]:
        """Return what the metrics counted within their windows; older days count for nothing."""
        if self.config.metrics == "leave":
            return []
        counted: list[_Metric] = []
        for name in account.counters:
            base = name.partition(":")[0]
            if base not in self.program.windows:
                continue
            first = self.program.first_day(base, account.day)
            first = max(_FIRST_DAY, min(first, self.program.needed_days.get(base, first)))
            counted.extend((name, day, units) for day, units in account.metric_days(name, first) if units)
        return counted

    def _take_in(self, event: AccountMergedIn, account: AccountView) -> _Steps:
        if account.late:
            return [_too_late()]
        steps = self._take_up(event)
        out = taken_out(event.debts, account)
        steps += [Posting(asset, units, lot, TRANSFERS, self.name) for asset, lot, units in out.paid]
        steps += [Debt(asset, units, TRANSFERS, self.name) for asset, units in out.owed]
        return steps

    def _take_up(self, event: _Arriving) -> _Steps:
        """Return what takes up lots and metrics; of what goes back, debts as well."""
        steps: _Steps = [
            Deposit(asset, units, TRANSFERS, kind, effective_at, expires_at, priority, self.name)
            for asset, units, kind, effective_at, expires_at, priority in event.lots
        ]
        if isinstance(event, AccountRestored):
            steps += [Debt(asset, units, TRANSFERS, self.name) for asset, units in event.debts]
        known = self.program.metric_decimals
        steps += [Tally(name, units, day) for name, day, units in event.metrics if name.partition(":")[0] in known]
        return steps

    # And back

    def _unmerge(self, event: AccountUnmerged, account: AccountView) -> _Steps:
        objections = _objections(event, account)
        memory = account.fact(_MEMORY + event.to)
        if not objections and (memory is None or not memory.value):
            text = f"account {event.to} was not merged into this one, or too long ago to undo it"
            objections.append(Objection("not_merged", text))
        if objections or memory is None:
            return [*objections]
        came_back = _came_back(account, event.to)
        brought = Brought.read(memory.value).since(came_back)
        back = brought.given_back(account, {code: asset.debt for code, asset in self.program.assets.items()})
        steps: _Steps = []
        for asset, units in back.owed_here:  # before all else, for they repay what is owed since
            steps.append(Deposit(asset, units, TRANSFERS, rule=self.name))
        for asset, units, kind, effective_at, expires_at, priority in brought.paid:
            steps.append(Deposit(asset, units, TRANSFERS, kind, effective_at, expires_at, priority, self.name))
        steps += [Posting(asset, units, lot, TRANSFERS, self.name) for asset, lot, units in back.taken]
        steps += [Debt(asset, units, TRANSFERS, self.name) for asset, units in back.owed_again]
        known = self.program.metric_decimals
        metrics = [each for each in brought.metrics if each[0].partition(":")[0] in known]
        steps += [Tally(name, -units, day) for name, day, units in metrics]
        data: dict[str, Any] = {
            "other": account.ref,
            "lots": back.lots,
            "debts": back.debts,
            "metrics": metrics,
            "carried": self._carried(account),
            **self._arrived(back.arrived),
            "came_back": [(path[1:], *rest) for path, *rest in came_back if len(path) > 1],
        }
        return [*steps, Message(event.to, "account.restored", data)]

    def _carried(self, account: AccountView) -> list[tuple[str, list[tuple[str, int, int, str]]]]:
        """Return the facts that plugins want to go along, by name."""
        names = [name for name in account.fact_names if self.program.is_carried(name)]
        return [
            (name, [(fact.value, fact.since, fact.until, fact.reason) for fact in account.facts(name)])
            for name in names
        ]

    def _arrived(self, units: list[tuple[int, int]]) -> dict[str, Any]:
        """Return what is told of the lots that go along, where a plugin asks for it."""
        return {"arrived": units} if self.program.carries_lots else {}

    # Facts

    @hookimpl
    def assess(self, event: Event, account: AccountView, at: int) -> list[Fact]:
        """Conclude where an account went, what it brought, and whose facts hold."""
        match event:
            case AccountMerged():
                return [Fact(MERGED_INTO, event.to, at, NEVER, event.reason or "merged")]
            case AccountRestored():
                return [Fact(MERGED_INTO, "", at, NEVER, f"undone on {event.other}"), *_noted(event, account, at)]
            case AccountMergedIn():
                return self._facts_of_both(event, account, at)
            case AccountUnmerged():
                return self._facts_before(event, account, at)
            case _:
                return []

    def _facts_of_both(self, event: AccountMergedIn, account: AccountView, at: int) -> list[Fact]:
        theirs = {name: (value, until) for name, value, until in event.facts}
        facts: list[Fact] = [Fact(MERGED_FROM + event.other, event.other, at, NEVER)]
        for name, past in event.all_of_other():
            if name.startswith(MERGED_FROM) and past[-1].value:
                facts.append(Fact(name, event.other, at, NEVER))
        for rule in self._rules:
            held = account.fact(rule.name)
            own = ("", NEVER) if held is None else (held.value, held.until)
            value, until = _chosen(rule, own, theirs.get(rule.name, ("", NEVER)))
            if (value, until) != own and until > at:
                facts.append(Fact(rule.name, value, at, until, f"merged with {event.other}"))
        if self._undo_ends is not None:
            out = taken_out(event.debts, account)
            memory = Brought.of(event.lots, event.metrics, out, account, [rule.name for rule in self._rules])
            text = json.dumps(memory.plain(), separators=(",", ":"))
            facts.append(Fact(_MEMORY + event.other, text, at, self._undo_ends(at)))
        return facts

    def _facts_before(self, event: AccountUnmerged, account: AccountView, at: int) -> list[Fact]:
        memory = account.fact(_MEMORY + event.to)
        if memory is None or not memory.value:
            return []
        facts = [Fact(_MEMORY + event.to, "", at, NEVER)]
        if _came_back(account, event.to):
            facts.append(Fact(_CAME_BACK + event.to, "", at, NEVER))
        came = [name for name in account.fact_names if name.startswith(MERGED_FROM) and account.text(name) == event.to]
        facts.extend(Fact(name, "", at, NEVER) for name in came)
        for name, value, until in Brought.read(memory.value).facts:
            held = account.facts(name)
            if held and held[-1].since == memory.since and until > at:
                facts.append(Fact(name, value, at, until, f"no longer merged with {event.to}"))
        return facts


def _came_back(account: AccountView, ref: str) -> list[Any]:
    """Return by how much what an account brought is more or less since: see `Brought.since`."""
    facts = account.facts(_CAME_BACK + ref)
    noted: list[Any] = json.loads(facts[-1].value) if facts and facts[-1].value else []
    return noted


def _noted(event: AccountRestored, account: AccountView, at: int) -> list[Fact]:
    """Return by how much what others had brought is more or less, before they went on together."""
    by_ref: dict[str, list[Any]] = {}
    for path, *rest in event.came_back:
        by_ref.setdefault(path[0], _came_back(account, path[0])).append([path, *rest])
    return [
        Fact(_CAME_BACK + ref, json.dumps(noted, separators=(",", ":")), at, NEVER) for ref, noted in by_ref.items()
    ]


def _objections(event: AccountMerged | AccountUnmerged, account: AccountView) -> list[Objection]:
    if event.to == account.ref:
        return [Objection("same_account", "an account and itself are one already")]
    return [_too_late()] if account.late else []


def _too_late() -> Objection:
    return Objection("late", "something that happened later is recorded already; send it with the present time")


def _chosen(rule: MergedFact, own: tuple[str, int], theirs: tuple[str, int]) -> tuple[str, int]:
    """Return the value and the end of a fact when two accounts are one."""
    if not theirs[0] or not own[0]:
        return theirs if theirs[0] else own
    if rule.take != "higher":
        return theirs if rule.take == "theirs" else own
    rank = {value: place for place, value in enumerate(rule.order)}
    return max(own, theirs, key=lambda each: (rank.get(each[0], -1), each[1]))


__all__ = ["AccountMerged", "AccountMergedIn", "AccountRestored", "AccountUnmerged", "Merging", "Out"]
