"""Tiers: ladders of levels by what accounts do, with reviews, grants by hand, benefits and progress."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary, WeakValueDictionary

from stampbook import (
    NEVER,
    AccountJoined,
    AccountParting,
    Due,
    Event,
    EventText,
    Fact,
    Objection,
    Plugin,
    PluginError,
    Progress,
    hookimpl,
)
from stampbook_tiers.benefits import Benefits
from stampbook_tiers.by_hand import BY_HAND, ByHand
from stampbook_tiers.config import TiersConfig
from stampbook_tiers.ended import Ended
from stampbook_tiers.events import (
    KINDS,
    TierDue,
    TierGranted,
    TierInvited,
    TierLocked,
    TierLowered,
    TierRaised,
    TierReview,
    TierUnlocked,
)
from stampbook_tiers.free_rewards import FreeRewards
from stampbook_tiers.history import Change, changes, level_at, with_learned
from stampbook_tiers.joining import Hands
from stampbook_tiers.judging import Judge
from stampbook_tiers.measures import Measures
from stampbook_tiers.periods import Review
from stampbook_tiers.rules import Step, above

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from stampbook import AccountView, Entitlement, GoodUntil, Multiplier
    from stampbook_tiers.config import Level

__all__ = [
    "TierDue",
    "TierGranted",
    "TierInvited",
    "TierLocked",
    "TierLowered",
    "TierRaised",
    "TierReview",
    "TierUnlocked",
    "Tiers",
]

_OF_TIME = (TierReview, TierDue)
_CHANGED = (TierRaised, TierLowered)
_CHANGES = ("tier.raised", "tier.lowered")
_BY_OPERATORS = ("tier.granted", "tier.locked", "tier.unlocked", "tier.invited")
_LADDERS: WeakKeyDictionary[object, WeakValueDictionary[str, Tiers]] = WeakKeyDictionary()
"""The ladders of each program by their fact: an event of operators names one, and one table answers for all."""


class Tiers(Plugin[TiersConfig]):
    """Keeps the fact of an account's level, and gives what the level gives."""

    Config = TiersConfig
    alone = True
    texts = (
        EventText("scheme", "the ladder that it is about: the fact that keeps it", (*_BY_OPERATORS, *_CHANGES)),
        EventText("before", "the level before, or ''", _CHANGES),
        EventText("after", "the level after, or ''", _CHANGES),
        EventText("cause", "the kind of event that changed the level", _CHANGES),
    )

    @classmethod
    def closed_texts(cls, options: Mapping[str, Any]) -> Mapping[str, tuple[str, ...]]:
        """Return the names of the levels: what the fact of the ladder, and events about its changes, may say."""
        fact, levels = options.get("fact", "tier"), options.get("level")
        if not isinstance(fact, str) or not isinstance(levels, list):
            return {}
        names = tuple([str(level["name"]) for level in levels if isinstance(level, dict) and "name" in level])
        return {f"account.{fact}": names, "event.before": names, "event.after": names}

    def prepare(self) -> None:
        """Read the thresholds in the metrics' own units."""
        ladders = _LADDERS.setdefault(self.program, WeakValueDictionary())
        before = ladders.get(self.config.fact)
        if before is not None and before.name != self.name:
            message = f"ladder {before.name!r} keeps the fact {self.config.fact!r} already; give this one its own: fact"
            raise PluginError(message)
        ladders[self.config.fact] = self
        self._review = None if self.config.review is None else Review.parse(self.config.review)
        measures = Measures(self, self._review)
        steps: list[Step] = []
        for level in self.config.levels:
            step = _step(level, measures)
            if steps and _is_below(step, steps[-1]):
                message = f"level {level.name!r} is not above {steps[-1].name!r}; list levels from lowest to highest"
                raise PluginError(message)
            steps.append(step)
        self.steps = tuple(steps)
        self._rank = {step.name: rank for rank, step in enumerate(steps)}
        self._benefits = Benefits(self, self.steps, measures)
        self._rewards = FreeRewards(self.name, self.config, self._rank, self._benefits)
        self.wants = self._rewards.wants
        self._by_hand = ByHand(self.config.fact, self._rank)
        self._judge: Judge | Ended = (
            Ended(self.name, self.config.fact, self._by_hand)
            if self.config.ended
            else Judge(self, self.steps, measures, self._by_hand, self._review, self._benefits.each_period)
        )
        self._hands = Hands(self.name, self._by_hand, self._rank)
        self.program.carry_facts(*self._hands.names)
        self._announces = self.config.announce or self._benefits.has_gifts

    @hookimpl
    def register_events(self) -> list[type[Event]]:
        """Bring what time brings, what follows a change, and what operators do."""
        return [*_OF_TIME, *_CHANGED, *BY_HAND]

    @hookimpl
    def propose(self, event: Event, account: AccountView) -> list[Objection]:
        """Object to what operators want of a ladder or level that there is not."""
        scheme = getattr(event, "scheme", None)
        if scheme is None:
            return []
        ladders = _LADDERS[self.program]
        ladder = ladders.get(scheme)
        if ladder is None:
            known = ", ".join(ladders)
            return [Objection("unknown_scheme", f"no ladder of this program keeps {scheme!r}; there are {known}")]
        return ladder.objections(event, account)

    def objections(self, event: Event, account: AccountView) -> list[Objection]:
        """Return what is wrong with an event of operators that is about this ladder."""
        return [*self._by_hand.objections(event, account)] if isinstance(event, BY_HAND) else []

    @hookimpl
    def assess(self, account: AccountView, at: int, event: Event) -> list[Fact]:
        """Raise the level when it is reached; lower it at a review; do what operators want."""
        if type(event) not in KINDS:
            hands = self._hands.facts(event, account, at) if isinstance(event, (AccountJoined, AccountParting)) else []
            facts = self._judge.facts(account, at, event, hands)
            if isinstance(event, (AccountJoined, AccountParting)):
                facts = [*hands, *facts, *self._benefits.joined(event, account, at)]
            if event.at < at and self.wants:
                facts = [*facts, *self._rewards.kept_after_all(event, self._kept(facts, account, event))]
            return facts
        facts = []
        if isinstance(event, BY_HAND):
            if event.scheme != self.config.fact:
                return []
            facts = self._by_hand.facts(event, account, at)
        elif isinstance(event, _CHANGED):
            return self._benefits.climbed(event, account, at) if event.scheme == self.config.fact else []
        elif isinstance(event, _OF_TIME) and not self._is_own(event):
            return []
        facts = [*facts, *self._judge.facts(account, at, event, facts)]
        return [*facts, *self._rewards.kept(event, account, facts)] if isinstance(event, TierReview) else facts

    def _kept(self, facts: Sequence[Fact], account: AccountView, event: Event) -> list[Fact]:
        """Return the levels that late news keeps at reviews that had come to another conclusion."""
        learned = [fact for fact in facts if fact.name == self.config.fact]
        past = account.facts(self.config.fact)
        history = with_learned(past, learned)
        return [
            fact
            for fact in learned
            if event.at < fact.since
            and fact.value == level_at(history, fact.since - 1)
            and not self._was_kept(fact, account, past)
            and self._judge.is_review(account, fact.since, history)
        ]

    def _was_kept(self, fact: Fact, account: AccountView, past: Sequence[Fact]) -> bool:
        same = level_at(past, fact.since) == level_at(past, fact.since - 1) == fact.value
        return same and self._judge.is_review(account, fact.since, past)

    def _is_own(self, event: Event) -> bool:
        return bool(event.id.startswith(f"{self.name}:"))

    @hookimpl
    def reward(self, event: Event, account: AccountView) -> Sequence[Entitlement | Multiplier | GoodUntil]:
        """Multiply what an event earns and make it last; give a level's gifts, or take back what a return undid."""
        if type(event) not in KINDS:
            rank = self._rank.get(account.text(self.config.fact), -1)
            wishes = () if rank < 0 else self._benefits.of_level(rank, event.at)
            if account.late and self._announces:
                kept = self._kept(account.learned, account, event)
                return [*wishes, *self._benefits.of_reviews(kept)] if kept else wishes
            return wishes
        if isinstance(event, _CHANGED) and event.scheme == self.config.fact:
            return self._benefits.of_event(event, account)
        return self._benefits.of_event(event, account) if isinstance(event, TierReview) and self._is_own(event) else ()

    @hookimpl
    def due(self, account: AccountView) -> list[Due]:
        """Review a level that can be lost at the end of each period; end grants and locks; note a tenure."""
        return self._judge.due(account)

    @hookimpl
    def follow(self, facts: Sequence[Fact], account: AccountView, event: Event) -> list[Due]:
        """Announce a level that was entered or left, and have the rewards given that come with it."""
        if not self._announces:
            return []
        told = self._changes(facts, account, event)
        dues: list[Due] = []
        for change, cause in told:
            up = self._is_up(change)
            kind = "tier.raised" if up else "tier.lowered"
            details = {"scheme": self.config.fact, "before": change.before, "after": change.after, "cause": cause}
            dues.append(Due(change.since, kind, f"{self.name}:{account.ref}:{'up' if up else 'down'}", details))
        return [*dues, *self._rewards.following(told, facts, account)] if self.wants else dues

    def _is_up(self, change: Change) -> bool:
        return self._rank.get(change.after, -1) > self._rank.get(change.before, -1)

    def _changes(self, facts: Sequence[Fact], account: AccountView, event: Event) -> list[tuple[Change, str]]:
        """Return the changes of the level that an event made, each with what caused it; `account` is as it was before.

        Of late news those are new that the history did not have: a level that was not lost after all was never
        entered again, and one that was only entered earlier or later was announced. What the history no longer has
        is told where it leaves the account with less.
        """
        learned = [fact for fact in facts if fact.name == self.config.fact]
        if not learned or event.at >= account.at:
            before = account.text(self.config.fact)
            return [(Change(fact.since, before, fact.value), event.type) for fact in learned if fact.value != before]
        past = account.facts(self.config.fact)
        history = with_learned(past, learned)
        known, now_known = {*changes(past)}, {*changes(history)}
        moved = [(change.after, self._is_up(change)) for change in known - now_known]
        told: list[tuple[Change, str]] = []
        for change in changes(history):
            if change in known or change.since < event.at:
                continue
            if (change.after, self._is_up(change)) in moved:
                moved.remove((change.after, self._is_up(change)))
            else:
                at_review = self._judge.is_review(account, change.since, history) and not self._is_up(change)
                told.append((change, "tier.review" if at_review else event.type))
        now = Change(account.at, level_at(past, account.at), level_at(history, account.at))
        fell = self._rank.get(now.after, -1) < self._rank.get(now.before, -1)
        return [*told, (now, event.type)] if fell and all(self._is_up(change) for change, _ in told) else told

    @hookimpl
    def progress(self, account: AccountView) -> list[Progress]:
        """Tell how far the next level is, and whether this one will be kept."""
        return self._judge.progress(account)

    @hookimpl
    def standing(self, account: AccountView) -> list[Fact]:
        """Tell which level the account would have after a review today."""
        return [Fact(self.config.fact, self._judge.standing(account), account.at, NEVER, "judged anew")]


def _step(level: Level, measures: Measures) -> Step:
    reach = measures.goal(level, level.reach)
    keep = reach if level.keep is None else measures.goal(level, level.keep)
    for kept_by, reached_by in above(keep, reach):
        high, low = measures.text(kept_by, kept_by.units), measures.text(reached_by, reached_by.units)
        message = f"level {level.name!r}: keep {high} {kept_by.metric} is more than reach {low}"
        raise PluginError(f"{message}; who reaches a level has it again, so lower keep or leave it out")
    whole, _, fraction = level.multiplier.partition(".")
    return Step(level.name, reach, keep, level.invitation, int(whole + fraction), 10 ** len(fraction))


def _is_below(step: Step, last: Step) -> bool:
    """Whether a level is reached by what does not exceed the one below it, in the metrics that both name."""
    if step.invitation or last.invitation or step.reach.ways or last.reach.ways:
        return False
    wanted = {want.metric: want.units for want in last.reach.wants if want.tenure is None}
    common = [(want.units, wanted[want.metric]) for want in step.reach.wants if want.metric in wanted]
    only = len(step.reach.wants) == len(common) == len(last.reach.wants)
    return only and all(units <= before for units, before in common) if common else step.reach.free
