"""Bonuses under a condition: what of each is still to be judged, and what is taken back where it does not hold."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING, Any, NamedTuple

from stampbook import (
    MADE_GOOD,
    NEVER,
    AccountJoined,
    AccountParted,
    AccountParting,
    Debt,
    Due,
    EarlierRecalled,
    Posting,
    Progress,
    Remember,
    TopUp,
)
from stampbook_stored_value.events import BonusPledged, BonusReviewed
from stampbook_stored_value.instalments import PROMOTION, refunded_topups
from stampbook_stored_value.joining import MERGED, came_with, joined, own_ref, parted, recalled, top_up_of
from stampbook_stored_value.memory import remember, remembered
from stampbook_stored_value.terms import Terms

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stampbook import AccountView, Context, Event, Fact, Transaction
    from stampbook_stored_value.bonuses import ReadyBonus

Pledge = dict[str, Any]
"""One bonus of one top-up that is not judged yet, as it is remembered: its `lots` are pairs of lot and units, `gone` is
what repaid a debt at once, `waits` says that it is lost and only what was set aside is still to come."""

_NOT_SPENT = frozenset([PROMOTION, "breakage"])
"""Books to which value goes that nobody spent: taken back, or expired."""
_REFUND_PAID = "refund.paid"


class Verdict(NamedTuple):
    """What becomes of a bonus: kept, or `takes` back from which lots, what `waits` there, and what is `gone`."""

    kept: bool
    takes: tuple[tuple[int, int], ...] = ()
    waits: tuple[tuple[int, int], ...] = ()
    gone: int = 0


class Pledges:
    """The bonuses of a program that are the customer's to keep on a condition.

    Args:
        name: of the table, which its rules bear.
        bonuses: those of the program.
        books: into which value goes that is paid back to the customer.
        program: the assets and the calendar.
    """

    def __init__(self, name: str, bonuses: Sequence[ReadyBonus], books: Sequence[str], program: Context) -> None:
        self._name = name
        self._fact = f"_{name}.pledges"
        self._bonuses = {ready.bonus.name: ready for ready in bonuses if ready.bonus.keep is not None}
        self._books = frozenset(books)
        self._program = program
        self._terms = {
            name: Terms(ready.bonus.keep.when.text, program)
            for name, ready in self._bonuses.items()
            if ready.bonus.keep is not None
        }
        if any(map(self._goes_along, self._bonuses)):
            program.carry_facts(self._fact, of_lots=True)

    def _goes_along(self, bonus: str) -> bool:
        """Whether the condition on a bonus goes along where its account is merged into another."""
        keep = self._bonuses[bonus].bonus.keep if bonus in self._bonuses else None
        return keep is not None and keep.merged == "goes along"

    @property
    def any(self) -> bool:
        """Whether the program has such a bonus."""
        return bool(self._bonuses)

    def learned(self, event: Event, account: AccountView, at: int) -> Iterator[Fact]:
        """Yield what is to be remembered of an event: what came, what was judged, what went back."""
        before: list[Pledge] = remembered(account, self._fact) or []
        pledges = before
        if isinstance(event, TopUp):
            pledges = [*(each for each in before if each["lots"]), *self._expected(event, account)]
        elif isinstance(event, BonusPledged):
            lots = [list(pair) for pair in event.lots]
            pledges = [{**each, "lots": lots, "gone": event.gone} if _is_of(each, event) else each for each in before]
        elif isinstance(event, BonusReviewed):
            pledges = [left for each in before if (left := self._left(each, event, account)) is not None]
        elif isinstance(event, (AccountJoined, AccountParted, AccountParting, EarlierRecalled)) or event.type == MERGED:
            pledges = self._of_several(before, event, account)
        elif before and account.moved:
            pledges = self._without_what_went(before, event, account)
        if pledges != before:
            yield remember(account, self._fact, pledges, at)

    def _of_several(self, before: list[Pledge], event: Event, account: AccountView) -> list[Pledge]:
        """Return what is still to be judged where accounts become one, or two again."""
        if isinstance(event, AccountJoined):
            theirs = event.facts_of_other(self._fact)
            return [*before, *joined(event, theirs, account, lambda pledge: self._goes_along(pledge["bonus"]))]
        if isinstance(event, AccountParted):
            return [*before, *parted(event, event.facts_of_other(self._fact), account)]
        if isinstance(event, AccountParting):
            return [each for each in before if not came_with(each, event.to)]
        if isinstance(event, EarlierRecalled):
            return recalled(before, event, account)
        return [each for each in before if not self._goes_along(each["bonus"])]

    def _expected(self, event: TopUp, account: AccountView) -> Iterator[Pledge]:
        """Yield which bonuses may come: how much of each, and where, is known when all is granted."""
        for name, ready in self._bonuses.items():
            keep = ready.bonus.keep
            if keep is not None and ready.units_for(event, account):
                until = keep.within.end(event.at, self._program.calendar)
                yield {"topup": account.position, "bonus": name, "asset": ready.asset.code, "until": until, "lots": []}

    def _left(self, pledge: Pledge, event: BonusReviewed, account: AccountView) -> Pledge | None:
        if not _is_of(pledge, event):
            return pledge
        waits = self._judged(pledge, account).waits
        return {**pledge, "lots": [list(pair) for pair in waits], "gone": 0, "waits": True} if waits else None

    def _without_what_went(self, pledges: list[Pledge], event: Event, account: AccountView) -> list[Pledge]:
        refunded = refunded_topups(account, self._books) if event.type == _REFUND_PAID else set()
        left: list[Pledge] = []
        for pledge in pledges:
            now = self._less(pledge, account)
            if event.type == _REFUND_PAID and pledge["lots"]:
                there = [account.known_lot(lot) for lot, _ in pledge["lots"]]
                settled = now != pledge or not any(lot is not None and lot.remaining for lot in there)
                if settled or ("path" not in pledge and pledge["topup"] in refunded):
                    continue
            left.append(now)
        return left

    def _less(self, pledge: Pledge, account: AccountView) -> Pledge:
        """Return a pledge without what the event at hand makes good of it, or lets expire."""
        own, ours = f"{self._name}.{pledge['bonus']}", f"{self._name}."
        taken: dict[Any, int] = {}
        for posting in account.moved:
            is_others = posting.rule.startswith(ours) and posting.rule != own
            if posting.destination in _NOT_SPENT and not is_others:
                taken[posting.source] = taken.get(posting.source, 0) + posting.amount
        good = 0
        if MADE_GOOD in account.remembers:
            if top_up_of(pledge) != account.named:
                return pledge  # what makes good what another top-up had brought is spent
            good = json.loads(account.remembers[MADE_GOOD]).get(own, 0)
        lots: dict[int, int] = {}
        for number, units in pledge["lots"]:
            part = min(units, taken.get(number, 0))
            lots[number], good = units - part, max(0, good - part)
        for number, units in lots.items():
            lot = account.known_lot(number)
            there = 0 if lot is None else max(0, lot.remaining - taken.get(number, 0))
            part = min(good, max(0, units - there))
            lots[number], good = units - part, good - part
        less = {**pledge, "lots": [list(pair) for pair in lots.items()]}
        return {**less, "gone": max(0, pledge["gone"] - good)} if good and "gone" in pledge else less

    def following(self, facts: Sequence[Fact], event: Event, account: AccountView, moved: Transaction) -> Iterator[Due]:
        """Yield what came under a condition with a top-up; `account` is as it was before."""
        if not isinstance(event, TopUp) or not any(fact.name == self._fact for fact in facts):
            return
        for name, ready in self._bonuses.items():
            keep, rule = ready.bonus.keep, f"{self._name}.{name}"
            lots: dict[int, int] = {}
            gone = 0
            for posting in moved.postings:
                if posting.rule == rule and isinstance(posting.destination, int):
                    there = account.known_lot(posting.destination)
                    if there is not None and there.kind == "debt":
                        gone += posting.amount
                    else:
                        lots[posting.destination] = lots.get(posting.destination, 0) + posting.amount
            if keep is None or not (lots or gone):
                continue
            until = keep.within.end(event.at, self._program.calendar)
            details = {
                "asset": ready.asset.code,
                "amount": sum(lots.values()) + gone,
                "bonus": name,
                "topup": account.position,
                "until": until,
                "lots": [list(pair) for pair in lots.items()],
                "gone": gone,
                "terms": self._until(name, until),
            }
            yield Due(event.at, "bonus.pledged", f"{rule}.pledged:{account.ref}:{account.position}", details)

    def _until(self, bonus: str, until: int) -> str:
        last = date.fromordinal(self._program.calendar.day(until - 1))
        return f"{self._terms[bonus].to_come} until {last}"

    def due(self, account: AccountView) -> Iterator[Due]:
        """Yield when each bonus is judged: in the last instant of its time; and when what was set aside is free."""
        for pledge in remembered(account, self._fact) or []:
            at = pledge["until"] - 1
            if pledge.get("waits"):
                lots = [account.known_lot(lot) for lot, _ in pledge["lots"]]
                if not any(lot is None or lot.free > 0 or not lot.held for lot in lots):
                    continue
                at = max(at, account.at)
            elif not (pledge["lots"] or pledge.get("gone")):
                continue
            details = {name: pledge[name] for name in ("asset", "bonus", "topup")}
            if (ref := own_ref(pledge)) is not None:
                details["came_from"] = ref
            name = f"{self._name}.{pledge['bonus']}.reviewed:{account.ref}:{pledge['topup']}"
            yield Due(at, "bonus.reviewed", name, details)

    def _judged(self, pledge: Pledge, account: AccountView) -> Verdict:
        """Return what becomes of a bonus by the program in force; one that it no longer has is kept."""
        ready = self._bonuses.get(pledge["bonus"])
        keep = None if ready is None else ready.bonus.keep
        if keep is None or (not pledge.get("waits") and keep.when.test(None, None, None, account, None)):
            return Verdict(kept=True)
        takes: list[tuple[int, int]] = []
        waits: list[tuple[int, int]] = []
        gone = pledge.get("gone", 0)
        for number, units in pledge["lots"]:
            lot = account.known_lot(number)
            there = 0 if lot is None else min(units, max(0, lot.remaining))
            free = 0 if lot is None else min(there, max(0, lot.free))
            takes += [(number, free)] if free else []
            waits += [(number, there - free)] if there > free else []
            gone += units - there
        return Verdict(kept=False, takes=tuple(takes), waits=tuple(waits), gone=gone)

    def pledged(self, event: BonusPledged) -> Iterator[Remember]:
        """Yield what is kept of the promise."""
        yield Remember("_terms", event.terms)

    def reviewed(self, event: BonusReviewed, account: AccountView) -> Iterator[Posting | Debt | Remember]:
        """Yield what is taken back of a bonus whose condition does not hold, and what that was."""
        pledge = next(each for each in remembered(account, self._fact) if _is_of(each, event))
        verdict, asset = self._judged(pledge, account), self._program.asset(event.asset)
        ready = self._bonuses.get(event.bonus)
        keep = None if ready is None else ready.bonus.keep
        if verdict.kept or keep is None:
            terms = self._terms.get(event.bonus)
            yield Remember("kept", f"for {terms.met}" if terms else "since the program asks nothing for it any more")
            return
        terms, rule = self._terms[event.bonus], f"{self._name}.{event.bonus}"
        yield Remember("not_kept", f"for want of {terms.met}{terms.so_far(account)}")
        for lot, units in verdict.takes:
            yield Posting(event.asset, units, lot, PROMOTION, rule)
        taken, waiting = (sum(units for _, units in part) for part in (verdict.takes, verdict.waits))
        if taken:
            yield Remember("taken_back", asset.told(taken))
        if waiting:
            yield Remember("set_aside", f"{asset.told(waiting)}, taken back when that is free")
        if verdict.gone and keep.spent == "debt":
            yield Debt(event.asset, verdict.gone, PROMOTION, rule)
            yield Remember("owed", f"{asset.told(verdict.gone)}, which was spent already")
        if good := taken + (verdict.gone if keep.spent == "debt" else 0):
            yield Remember(MADE_GOOD, json.dumps({rule: good}))
        if verdict.gone and keep.spent != "debt":
            yield Remember("let_go", f"{asset.told(verdict.gone)}, which was spent already")

    def progress(self, account: AccountView) -> Iterator[Progress]:
        """Yield what is to be done for bonuses of which something is still there."""
        for pledge in remembered(account, self._fact) or []:
            ready = self._bonuses.get(pledge["bonus"])
            keep = None if ready is None else ready.bonus.keep
            if ready is None or keep is None or pledge.get("waits") or account.at >= pledge["until"]:
                continue
            lots = [(account.known_lot(number), units) for number, units in pledge["lots"]]
            there = sum(min(units, max(0, lot.remaining)) for lot, units in lots if lot is not None)
            if keep.spent == "debt":
                there = pledge.get("gone", 0) + sum(units for _, units in lots)
            if there:
                told = f"{ready.asset.told(there)} of {pledge['bonus']} is yours to keep"
                terms = self._terms[pledge["bonus"]]
                words = f"{told} {self._until(pledge['bonus'], pledge['until'])}{terms.so_far(account)}"
                yield Progress(self._name, "keep", pledge["bonus"], (), until=pledge["until"] or NEVER, words=words)


def _is_of(pledge: Pledge, event: BonusPledged | BonusReviewed) -> bool:
    came_from = event.came_from if isinstance(event, BonusReviewed) else None
    return (pledge["topup"], pledge["bonus"], own_ref(pledge)) == (event.topup, event.bonus, came_from)
