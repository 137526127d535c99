"""News of a time whose reviews were held already: what they conclude with it, and the level that holds therefore."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stampbook import NEVER, Fact
from stampbook_tiers.events import TierDue, TierReview
from stampbook_tiers.rules import reached

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from stampbook import AccountView, Due, Event
    from stampbook_tiers.judging import Judge

KEPT = "kept at a review, by what was told later"


class Retelling:
    """The history of a level from an instant on, told anew with what has been learned of that instant.

    What operators did and what returns undid stays where it was; levels that were reached stay reached. Reviews are
    held again, each at its instant, by what has counted up to its day. Of the time between two of them only what
    counted by day is known, so a level that the news adds to is entered at the beginning of a day.
    """

    def __init__(self, judge: Judge, account: AccountView, event: Event) -> None:
        self._judge = judge
        self._account = account
        self._event = event
        self._recorded = account.facts(judge.fact)
        self._facts = [fact for fact in self._recorded if fact.since <= event.at]
        if self._facts:
            self._facts[-1] = self._facts[-1]._replace(until=NEVER)
        self._forgiven = list(account.facts(judge.forgiven))
        self._known = len(self._forgiven)
        signs = {delta > 0 for delta in judge.measures.counted(account, judge.metrics) if delta}
        self._sign = 0 if judge.counts_anew or len(signs) != 1 else 1 if signs == {True} else -1

    @property
    def is_possible(self) -> bool:
        """Whether this ladder has all levels that the account has had since, and the event counts for it."""
        since = self._event.at
        levels = [fact.value for fact in self._recorded if fact.value and fact.until > since]
        changes = self._judge.measures.counted(self._account, self._judge.metrics)
        return any(changes) and all(level in self._judge.rank for level in levels)

    def facts(self) -> list[Fact]:
        """Return the facts of the level, and of what is forgiven, from the instant of the news on."""
        begin, now = self._event.at, self._account.at
        self._tell(self._judge.facts(self._view(begin), begin, self._event, ()))
        changes = {fact.since: fact for fact in self._recorded if fact.since > begin}
        held = self._held(begin, now, changes)
        calendar = self._judge.calendar
        counted = self._judge.measures.days(self._account, self._judge.metrics, calendar.day(begin))
        changed = {calendar.day(at): at for at in sorted(changes, reverse=True) if at not in held}
        days = {changed.get(day) or calendar.start_of(day) for day in counted}
        at = begin
        while True:
            dues = [due for due in self._judge.due(self._view(at)) if at < due.at <= now]
            others = [each for each in (*days, *changes) if at < each <= now]
            at = min([*(due.at for due in dues), *others], default=NEVER)
            if at == NEVER:
                break
            for due in dues:
                if due.at == at:
                    self._bring(due, held)
            if at in changes and at not in held:
                self._change(changes[at])
            if at in days:
                self._tell(self._judge.facts(self._view(at), at, self._due_event(at), ()))
        return self._told(changes)

    def _view(self, at: int) -> AccountView:
        return self._account.as_of(at, {self._judge.fact: self._facts, self._judge.forgiven: self._forgiven})

    def _held(self, begin: int, now: int, changes: Iterable[int]) -> dict[int, list[Due]]:
        """Return by instant what time had brought to the level before the news."""
        held: dict[int, list[Due]] = {}
        at = begin
        while at < now:
            dues = [due for due in self._judge.due(self._account.as_of(at, {})) if due.at > at]
            at = min([*(due.at for due in dues), *(each for each in changes if each > at)], default=NEVER)
            if now_due := [due for due in dues if due.at == at]:
                held[at] = now_due
        return held

    def _due_event(self, at: int) -> TierDue:
        event = self._event
        return TierDue(id="late", source=event.source, account=event.account, at=at)

    def _bring(self, due: Due, held: Mapping[int, list[Due]]) -> None:
        """Have time judge the level again.

        What a review concluded with more than is known today stays: news that adds takes no level that it kept, and the
        other way round. A review that only the news brings is judged as it would have been in time.
        """
        self._tell(self._judge.facts(self._view(due.at), due.at, self._judged(due), ()))
        if due.type == "tier.review":
            rank, before = self._rank(self._facts), self._rank([f for f in self._recorded if f.since <= due.at])
            bound = max(rank, before) if self._sign > 0 else min(rank, before) if self._sign < 0 else rank
            if bound != rank and self._is_known(held.get(due.at, ()), before):
                bound = rank
            if bound != rank or ((rank != before or due.at not in held) and self._facts[-1].since < due.at):
                self._tell([self._fact(bound, due.at, KEPT)])

    def _judged(self, due: Due) -> TierReview | TierDue:
        event = self._event
        kind = TierReview if due.type == "tier.review" else TierDue
        return kind(id=f"{due.id}:0", source=event.source, account=event.account, at=due.at, **due.details)

    def _is_known(self, dues: Sequence[Due], concluded: int) -> bool:
        """Whether a review, if there was one, would conclude the same by what is known today without the news."""
        for due in dues:
            if due.type == "tier.review":
                past = [fact for fact in self._recorded if fact.since < due.at]
                view = self._account.as_of(due.at, {self._judge.fact: past}, before=True)
                facts = [
                    f for f in self._judge.facts(view, due.at, self._judged(due), ()) if f.name == self._judge.fact
                ]
                return self._rank(facts or past) == concluded
        return True

    def _change(self, change: Fact) -> None:
        """Take up a change that neither time nor this ladder's own judgement brought just now."""
        rank, after = self._rank(self._facts), self._judge.rank.get(change.value, -1)
        before = self._rank([fact for fact in self._recorded if fact.since < change.since])
        if after == before:  # it only goes on
            return
        view = self._view(change.since)
        if after > before:
            after = max(rank, after)
        elif self._judge.at_once:  # it falls on the day that does not keep it, whenever that is by now
            self._tell(self._judge.facts(view, change.since, self._due_event(change.since), ()))
            return
        else:
            met, invited = self._judge.met(view, view.day), self._judge.invited(view)
            after = min(rank, max(after, reached(self._judge.steps, met, invited, after)))
        after = self._judge.by_hand.bound(view, rank, after)
        if after != rank:
            self._tell([self._fact(after, change.since, change.reason)])

    def _rank(self, facts: Sequence[Fact]) -> int:
        return self._judge.rank.get(facts[-1].value, -1) if facts else -1

    def _fact(self, rank: int, at: int, reason: str) -> Fact:
        name = self._judge.steps[rank].name if rank >= 0 else ""
        return Fact(self._judge.fact, name, at, NEVER, reason)

    def _tell(self, facts: Sequence[Fact]) -> None:
        for fact in facts:
            if fact.name != self._judge.fact:
                self._forgiven.append(fact)
                continue
            while self._facts and self._facts[-1].since >= fact.since:
                self._facts.pop()
            if self._facts:
                self._facts[-1] = self._facts[-1]._replace(until=fact.since)
            self._facts.append(fact)

    def _told(self, changes: dict[int, Fact]) -> list[Fact]:
        """Return what was told anew, with what holds at each instant at which something else was concluded before."""
        told = {fact.since: fact for fact in self._facts if fact.since >= self._event.at}
        for since in changes:
            if since not in told:
                held = [fact for fact in self._facts if fact.since < since]
                told[since] = self._fact(self._rank(held), since, KEPT)
        ordered = [told[since] for since in sorted(told)]
        for place, after in enumerate(ordered[1:]):
            ordered[place] = ordered[place]._replace(until=after.since)
        return [*ordered, *self._forgiven[self._known :]]
