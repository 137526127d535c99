"""Which level an account gets, and when time makes it be judged again."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

from stampbook import NEVER, Due, Fact, Progress
from stampbook_tiers.events import KINDS, UNDOING, TierDue, TierReview, TierUnlocked
from stampbook_tiers.late import Retelling
from stampbook_tiers.outlook import progress
from stampbook_tiers.rules import Goal, kept, lowered, reached

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from stampbook import AccountView, Event, Plugin
    from stampbook_tiers.by_hand import ByHand
    from stampbook_tiers.config import TiersConfig
    from stampbook_tiers.measures import Measures
    from stampbook_tiers.periods import Review
    from stampbook_tiers.rules import Met, Step

MOST_DAYS = 50_000


class Judge:
    """Judges the accounts of one ladder. All that it remembers are days of the calendar."""

    def __init__(
        self,
        plugin: Plugin[TiersConfig],
        steps: tuple[Step, ...],
        measures: Measures,
        by_hand: ByHand,
        review: Review | None,
        each_period: Collection[str],
    ) -> None:
        config = plugin.config
        self._name = plugin.name
        self._config = config
        self.fact = config.fact
        self.forgiven = f"{config.fact}_forgiven"
        self.calendar = plugin.program.calendar
        self.steps = steps
        self.rank = {step.name: rank for rank, step in enumerate(steps)}
        self.measures = measures
        self.by_hand = by_hand
        self._periods = None if review is None or review.at_once else review
        self.at_once = review is not None and review.at_once
        self._each_period = each_period
        self.counts_anew = config.period == "since last change"
        self._free = next((rank for rank in range(len(steps) - 1, -1, -1) if _is_free(steps[rank])), -1)
        self._by_tenure = any(want.tenure is not None for step in steps for want in step.reach.wants)
        self._plain = self._periods is not None and self._periods.calendar_unit is not None and config.grace is None
        self._reviews: dict[int, tuple[int, int]] = {}
        self.metrics = frozenset(w.metric for s in steps for w in (*s.reach.wants, *s.keep.wants) if w.tenure is None)
        self._single = None if self.at_once or self.counts_anew else _single(steps)

    # What counts

    def _since(self, account: AccountView) -> int:
        """Return the first day that counts where the count begins with the level.

        What reached a level does not count again for the next; a level that asks for nothing counts from its first day.
        """
        if not self.counts_anew:
            return 0
        held = account.fact(self.fact)
        if held is None or not held.value:
            return self.measures.opened(account)
        day = self.calendar.day(account.since(self.fact))
        return day if self.rank.get(held.value, -1) <= self._free else day + 1

    def met(self, account: AccountView, day: int, *, before: bool = False) -> Met:
        since, measures = self._since(account), self.measures
        return lambda goal: measures.met(goal, account, day, since, before=before)

    def invited(self, account: AccountView) -> str:
        return account.text(self.by_hand.invited)

    # Judging

    def facts(self, account: AccountView, at: int, event: Event, by_hand: Sequence[Fact]) -> list[Fact]:
        """Return the fact of the level where an event changes it.

        Args:
            account: with the event counted.
            at: now.
            event: what happened.
            by_hand: what operators set by this event.
        """
        if (
            event.at < account.at
            and not by_hand
            and (self.at_once or self._periods is not None)
            and type(event) not in KINDS
        ):
            retelling = Retelling(self, account, event)
            if retelling.is_possible:
                return retelling.facts()
        rank = self.rank.get(account.text(self.fact), -1)
        forgiven: list[Fact] = []
        if type(event) not in KINDS and event.type not in UNDOING and not by_hand:
            after = self.by_hand.bound(account, rank, self._ordinary(account, rank))
            if after == rank:
                return forgiven
        ended = account.day
        if isinstance(event, TierReview):
            ended = int(event.id.rsplit(":", 2)[1])
            after = self._reviewed(account, rank, ended)
        elif isinstance(event, TierUnlocked):
            after = max(self._lapsed(account, rank, name) for name in self._hands(account))
        elif isinstance(event, TierDue) and event.why in {"grant", "lock"}:
            name = self.by_hand.granted if event.why == "grant" else self.by_hand.locked
            after = self._lapsed(account, rank, name)
        else:
            after = self._ordinary(account, rank)
            if event.type in UNDOING and self._config.returns == "at once":
                forgiven = self._undone_beneath(account, at)
            if event.type in UNDOING and after == rank >= 0:
                if self._config.returns == "at once":
                    after = self._undone(account, rank, account.since(self.fact))
                elif self._config.returns == "never":
                    forgiven = self._forgive(account, rank, at)
        after = self._bound(account, rank, after, by_hand)
        if after == rank:
            return forgiven
        name = self.steps[after].name if after >= 0 else ""
        day = ended - 1 if isinstance(event, TierReview) else account.day
        return [Fact(self.fact, name, at, NEVER, self._why(account, event, rank, after, day)), *forgiven]

    def _hands(self, account: AccountView) -> list[str]:
        names = (self.by_hand.granted, self.by_hand.locked)
        return [name for name in names if account.text(name)] or [names[0]]

    def _bound(self, account: AccountView, rank: int, after: int, by_hand: Sequence[Fact]) -> int:
        if not by_hand:
            return self.by_hand.bound(account, rank, after)
        for fact in by_hand:
            if fact.value and fact.name == self.by_hand.locked:
                return self.rank[fact.value]
        if not any(fact.value for fact in by_hand):
            return after
        bound = self.by_hand.bound(account, rank, after)
        if account.text(self.by_hand.locked):
            return bound
        for fact in by_hand:
            if fact.name == self.by_hand.granted:
                bound = max(bound, self.rank[fact.value])
            elif fact.name == self.by_hand.invited and self._config.upgrade == "at once":
                bound = max(bound, reached(self.steps, self.met(account, account.day), fact.value, bound))
        return bound

    def _ordinary(self, account: AccountView, rank: int) -> int:
        if self._config.upgrade == "at review":
            return max(rank, self._free)
        if self._single is not None:  # the usual ladder, on the hot path
            metric, borders = self._single
            return max(rank, bisect_right(borders, self.measures.value(metric, account, account.day, 0)) - 1)
        met = self.met(account, account.day)
        after = reached(self.steps, met, self.invited(account), rank)
        return lowered(self.steps, rank, met, self._config.downgrade) if self.at_once and after == rank else after

    def _reviewed(self, account: AccountView, rank: int, ended: int) -> int:
        """Return where a review of the period that ended leaves a level."""
        met = self.met(account, ended - 1)
        fallen = lowered(self.steps, rank, met, self._config.downgrade)
        after = reached(self.steps, met, self.invited(account), fallen)
        if self._config.grace is not None:
            now = reached(self.steps, self.met(account, account.day), self.invited(account), after)
            after = max(after, now if self._config.upgrade == "at once" else min(now, rank))
        if after < rank:
            after = max(after, self.rank.get(account.text(self.forgiven), -1))
        return after

    def _lapsed(self, account: AccountView, rank: int, name: str) -> int:
        """Return the level when a grant or lock ends: reached or kept by what counts now, or held before it."""
        met, before = self.met(account, account.day), self.by_hand.before(account, name)
        after = max(before, kept(self.steps, met, max(rank, before)))
        return reached(self.steps, met, self.invited(account), after)

    def _undone_beneath(self, account: AccountView, at: int) -> list[Fact]:
        """Return what a return undoes of the levels that come back when grants and locks end."""
        found = []
        for name in (self.by_hand.granted, self.by_hand.locked):
            held = self.by_hand.hidden(account, name) if account.text(name) else None
            rank = -1 if held is None else self.by_hand.before(account, name)
            if held is not None and rank >= 0:
                after = self._undone(account, rank, held.since)
                if after < rank:
                    found.append(self.by_hand.undo(name, self.steps[after].name if after >= 0 else "", at))
        return found

    def _undone(self, account: AccountView, rank: int, since: int) -> int:
        """Return the level after a return: that of what is left, where the level was reached in this period."""
        day = account.day
        goal = self.steps[rank].reach
        first = min(
            [self.measures.first_day(w.metric, account, day, 0) for w in goal.wants if w.tenure is None] or [day]
        )
        begun = self.calendar.start_of(first) if first > 1 else -NEVER
        if since < begun or (since == begun and self._config.upgrade == "at review"):
            return rank  # it was held when the period began, or a review of the period before gave it
        met = self.met(account, day)
        if met(goal) or not self.met(account, day, before=True)(goal):
            return rank
        earlier = [fact for fact in account.facts(self.fact) if fact.since < begun <= fact.until]
        at_first = [fact for fact in account.facts(self.fact) if fact.since == begun]
        ranks = [self.rank.get(fact.value, -1) for fact in (*earlier[-1:], *at_first)]
        floor = min(ranks) if earlier else -1
        return reached(self.steps, met, self.invited(account), floor)

    def _forgive(self, account: AccountView, rank: int, at: int) -> list[Fact]:
        """Return a fact by which the next review does not see what a return took away."""
        if self._periods is None:
            return []
        goal, (ended, review) = self.steps[rank].keep, self._next_review(account)
        day = min(account.day, ended - 1)
        if self.met(account, day)(goal) or not self.met(account, day, before=True)(goal):
            return []
        return [Fact(self.forgiven, self.steps[rank].name, at, review + 1, "a return does not count against it")]

    def _why(self, account: AccountView, event: Event, rank: int, after: int, day: int) -> str:
        """Say why a level changes, with the numbers."""
        since, hand = self._since(account), getattr(event, "reason", None)
        if after > rank:
            goal = self.steps[after].reach
            words = self.measures.words(goal, account, day, since, met=True)
            if self.measures.met(goal, account, day, since) and words:
                return words
        else:
            goal = self.steps[rank].reach if event.type in UNDOING else self.steps[rank].keep
            words = self.measures.words(goal, account, day, since, met=False)
        if hand is not None and event.type.startswith("tier."):
            return f"by hand: {hand}"
        if isinstance(event, TierDue) and event.why in {"grant", "lock"}:
            return f"its {event.why} by hand ended"
        return words or "nothing has to be reached for it"

    # What time brings

    def due(self, account: AccountView) -> list[Due]:
        """Return when time makes the level be judged again."""
        rank = self.rank.get(account.text(self.fact), -1)
        dues = []
        if self._periods is not None and self._is_reviewed(rank):
            ended, start = self._next_review(account)
            dues.append(Due(start, "tier.review", f"{self._name}:{account.ref}:{ended}"))
        for why, name in (("grant", self.by_hand.granted), ("lock", self.by_hand.locked)):
            fact = account.fact(name) if account.facts(name) else None
            if fact is not None and fact.value and fact.until < NEVER:
                dues.append(self._later(account, fact.until, why))
        if self._by_tenure:
            days = [
                self.measures.tenure_day(want, account)
                for step in self.steps[rank + 1 :]
                for want in step.reach.wants
                if want.tenure is not None
            ]
            day = min([day for day in days if day > account.day], default=0)
            if day:
                dues.append(self._later(account, self.calendar.start_of(day), "tenure"))
        if self.at_once and rank >= 0 and self._config.downgrade != "none":
            day = self.measures.loss_day(self.steps[rank].keep, account, self._since(account))
            if day < NEVER:
                dues.append(self._later(account, self.calendar.start_of(day), "window"))
        return dues

    def is_review(self, account: AccountView, at: int, history: Sequence[Fact]) -> bool:
        """Whether a review was due at an instant that has passed, by a history of the level."""
        return self._periods is not None and self._next_review(account.as_of(at - 1, {self.fact: history}))[1] == at

    def _later(self, account: AccountView, at: int, why: str) -> Due:
        return Due(at, "tier.due", f"{self._name}:{account.ref}:{why}", {"why": why})

    def _is_reviewed(self, rank: int) -> bool:
        if self._config.upgrade == "at review":
            return True
        if rank < 0:
            return False
        return rank > 0 or not self.steps[0].keep.free or self.steps[rank].name in self._each_period

    def _next_review(self, account: AccountView) -> tuple[int, int]:
        """Return the first day after the period that is reviewed next, and the instant of the review."""
        today, periods = account.day, self._periods
        if periods is None:
            return 0, NEVER
        if self._plain:
            found = self._reviews.get(today)
            if found is None:
                if len(self._reviews) > MOST_DAYS:
                    self._reviews.clear()
                day = periods.next_end(today, 0, 0, self.calendar)
                found = self._reviews[today] = (day, self.calendar.start_of(day))
            return found
        calendar, opened, grace = self.calendar, self.measures.opened(account), self._config.grace
        held = account.fact(self.fact)
        since = opened if held is None else calendar.day(account.since(self.fact) if held.value else held.since)
        begin = today if grace is None else max(since, 2 * today - grace.last_day(today, calendar) - 32)
        ended = periods.next_end(max(begin, opened), opened, since, calendar)
        while True:
            day = ended if grace is None else grace.last_day(ended - 1, calendar) + 1
            start = calendar.start_of(day)
            if start > account.at:
                return ended, start
            ended = periods.next_end(ended, opened, since, calendar)

    # What is told

    def standing(self, account: AccountView) -> str:
        """Return the level that the account would have after a review today."""
        rank = self.rank.get(account.text(self.fact), -1)
        after = self.by_hand.bound(account, rank, self._reviewed(account, rank, account.day + 1))
        return self.steps[after].name if after >= 0 else ""

    def progress(self, account: AccountView) -> list[Progress]:
        """Return how far the next level is, and what keeps this one."""
        rank = self.rank.get(account.text(self.fact), -1)
        since, today = self._since(account), account.day
        found: list[Progress] = []
        locked = bool(account.text(self.by_hand.locked))
        above = [] if locked else self.steps[rank + 1 :]
        step = next((step for step in above if not step.invitation or step.name == self.invited(account)), None)
        if step is not None:
            end = self.measures.period_end(account, today)
            until = self.calendar.start_of(end) if end else NEVER
            for way in self.measures.ways(step.reach, account, today, since):
                to = progress(self.fact, way, self.measures, account, day=today, since=since)
                found.append(to._replace(goal=step.name, until=until))
        if rank < 0 or self.steps[rank].keep.free or self._config.downgrade == "none":
            return found
        keep, day, until = self.steps[rank].keep, today, NEVER
        if self._periods is not None:
            ended, review = self._next_review(account)
            day, until = min(today, ended - 1), self.calendar.start_of(ended)
            if self.by_hand.bound_at(account, review) >= rank or account.text(self.forgiven):
                keep = Goal(())
        elif self.at_once:
            lost = self.measures.loss_day(keep, account, since)
            until = self.calendar.start_of(lost) if lost < NEVER else NEVER
        else:
            return found
        for way in self.measures.ways(keep, account, day, since):
            kept_by = progress(self.fact, way, self.measures, account, day=day, since=since)
            found.append(kept_by._replace(way="keep", goal=self.steps[rank].name, until=until))
        return found


def _is_free(step: Step) -> bool:
    return step.reach.free and not step.invitation


def _single(steps: Sequence[Step]) -> tuple[str, list[int]] | None:
    """Return the one metric by which all levels are reached, and its borders; None where it is not that simple."""
    wants = [want for step in steps for want in step.reach.wants]
    borders = [want.units for want in wants]
    plain = all(len(step.reach.wants) == 1 and not step.invitation for step in steps)
    if not plain or len({want.metric for want in wants}) > 1 or any(want.tenure is not None for want in wants):
        return None
    return (wants[0].metric, borders) if borders == sorted(borders) else None
