"""Bonuses in instalments: what is still to be released of which top-up, and what ends it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stampbook import Deposit, Due, TopUp
from stampbook_stored_value.bonuses import parts_of, released_on
from stampbook_stored_value.config import Instalments
from stampbook_stored_value.events import BonusReleased
from stampbook_stored_value.memory import remember, remembered

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stampbook import AccountView, Context, Event, Fact
    from stampbook_stored_value.bonuses import ReadyBonus

PROMOTION = "promotion"
Plan = dict[str, Any]
"""One bonus of one top-up that is being released: as it is remembered."""


class Releases:
    """The bonuses of a program that are given in parts.

    A part belongs to its top-up: the lot's `origin` is that of the top-up's own value.
    """

    def __init__(self, name: str, bonuses: Sequence[ReadyBonus], books: Sequence[str], program: Context) -> None:
        self._name = name
        self._fact = f"_{name}.releases"
        self._bonuses = {ready.bonus.name: ready for ready in bonuses}
        self._in_parts = [ready for ready in bonuses if ready.bonus.instalments is not None]
        self._books = frozenset(books)
        self._calendar = program.calendar

    def learned(self, event: Event, account: AccountView, at: int) -> Iterator[Fact]:
        """Yield what is to be remembered of an event: what it promises, what was released, what ends."""
        before: list[Plan] = remembered(account, self._fact) or []
        plans = before
        if isinstance(event, TopUp):
            plans = [*before, *self._promised(event, account)]
        elif isinstance(event, BonusReleased):
            plans = [plan for plan in (_after(each, event) for each in before) if plan is not None]
        elif before:
            refunded = refunded_topups(account, self._books)
            plans = [plan for plan in before if not (plan["ends_on_refund"] and plan["topup"] in refunded)]
        if plans != before:
            yield remember(account, self._fact, plans, at)

    def _promised(self, event: TopUp, account: AccountView) -> Iterator[Plan]:
        for ready in self._in_parts:
            rule = ready.bonus.instalments
            units = ready.units_for(event, account)
            if rule is None or not units:
                continue
            yield {
                "topup": account.position,
                "at": event.at,
                "bonus": ready.bonus.name,
                "asset": ready.asset.code,
                "kind": ready.bonus.kind,
                "priority": ready.bonus.priority,
                "units": units,
                "count": rule.count,
                "every": rule.every,
                "first": rule.first,
                "ends_on_refund": rule.ends_on_refund,
                "next": 1,
            }

    def due(self, account: AccountView) -> Iterator[Due]:
        """Yield the next part of each bonus."""
        for plan in remembered(account, self._fact) or []:
            number = plan["next"]
            rule = Instalments(count=plan["count"], every=plan["every"], first=plan["first"])
            at = plan["at"]
            if number > 1 or rule.first == "later":
                at = self._calendar.start_of(released_on(self._calendar.day(at), number, rule, self._calendar))
            units = parts_of(plan["units"], plan["count"])[number - 1]
            name = f"{self._name}.{plan['bonus']}:{account.ref}:{plan['topup']}:{number}"
            details = {
                "asset": plan["asset"],
                "amount": units,
                "bonus": plan["bonus"],
                "topup": plan["topup"],
                "number": number,
                "count": plan["count"],
            }
            yield Due(at, "bonus.released", name, details)

    def released(self, event: BonusReleased, account: AccountView) -> Iterator[Deposit]:
        """Yield what a part of a bonus brings: it ends as its rule says, and never where there is none any more."""
        plan = next(
            plan
            for plan in remembered(account, self._fact)
            if (plan["topup"], plan["bonus"]) == (event.topup, event.bonus)
        )
        ready = self._bonuses.get(event.bonus)
        rule = f"{self._name}.{event.bonus}"
        deposit = Deposit(event.asset, event.amount, PROMOTION, plan["kind"], event.at, rule=rule, origin=event.topup)
        deposit = deposit._replace(priority=plan["priority"])
        yield deposit if ready is None else deposit._replace(expires_at=ready.end(event.at, account))


def refunded_topups(account: AccountView, books: frozenset[str]) -> set[int]:
    """Return the top-ups of whose own value something goes back to the customer, into one of some books."""
    origins: set[int] = set()
    for posting in account.moved:
        if isinstance(posting.source, int) and posting.destination in books:
            lot = account.known_lot(posting.source)
            if lot is not None and lot.kind == "paid":
                origins.add(lot.origin)
    return origins


def _after(plan: Plan, event: BonusReleased) -> Plan | None:
    """Return what is left of a bonus after a part was released; nothing after the last."""
    if (plan["topup"], plan["bonus"]) != (event.topup, event.bonus):
        return plan
    return None if event.number == event.count else {**plan, "next": event.number + 1}
