"""What is known of money that was paid in when it goes back: its lots, what went back before, what came with it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from stampbook import MADE_GOOD, Debt, Granted, PaidIn, Remember, Tally, portion

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from stampbook import AccountView, Asset, Context, Earlier, RefundPlan
    from stampbook_refunds.whereabouts import Whereabouts

CASH, PROMOTION = "cash", "promotion"
_BACK, _SETTLED = "_back", "_settled"
"""Under these names an entry keeps how much of its top-up went back by it, and by rule what it settled of what had come
with that: in smallest units."""


class Known(NamedTuple):
    """Money that was paid in: its lots and amount, what went back before and is left, and what was settled of what
    came with it.

    A part of it may have repaid a debt: that is in no lot. `judged` is by rule what was made good of what came with it
    since a condition on it did not hold.
    """

    earlier: Earlier
    asset: Asset
    lots: tuple[int, ...]
    whole: int
    before: int
    left: int
    settled: Mapping[str, int]
    judged: Mapping[str, int]


def known_of(earlier: Earlier | None, account: AccountView, program: Context) -> Known | None:
    """Return what is known of money that was paid in, into stored value or for a card; None where it is none."""
    if earlier is None or not isinstance(earlier.event, PaidIn):
        return None
    found: list[int] = []
    whole, code = 0, ""
    for asset, amount, source, destination, _ in earlier.postings:
        if source == CASH and isinstance(destination, int):
            whole, code = whole + amount, asset
            there = account.known_lot(destination)
            if there is not None and there.kind != "debt":
                found.append(destination)
    if not whole:
        return None
    before, settled_of = _went_back(account, earlier.seq)
    free = sum(max(0, lot.free) for number in found if (lot := account.known_lot(number)) is not None)
    return Known(
        earlier,
        program.asset(code),
        tuple(found),
        whole,
        before,
        min(free, whole - before),
        settled_of,
        _judged(account, earlier),
    )


def _went_back(account: AccountView, topup: int) -> tuple[int, dict[str, int]]:
    """Return how much of a top-up went back before, and by rule what was settled of what came with it."""
    back, settled_of = 0, dict[str, int]()
    for entry in account.history:
        if entry.about != topup:
            continue
        kept = entry.remembered
        if _BACK not in kept:  # the sale of a card that was void, say
            back += sum(posting.amount for posting in entry.postings if posting.destination == CASH)
            continue
        back += int(kept[_BACK])
        for rule, units in json.loads(kept[_SETTLED]).items():
            settled_of[rule] = settled_of.get(rule, 0) + units
    return back, settled_of


def _judged(account: AccountView, earlier: Earlier) -> dict[str, int]:
    """Return by rule what was taken back or made owed of what came with a top-up, since a condition did not hold."""
    there = earlier.elsewhere
    place = (earlier.seq, None) if there is None else (there.position, there.ref)
    good: dict[str, int] = {}
    for entry in account.history:
        event = entry.event
        is_its = (getattr(event, "topup", None), getattr(event, "came_from", None)) == place
        if is_its and MADE_GOOD in entry.remembered:
            for rule, units in json.loads(entry.remembered[MADE_GOOD]).items():
                good[rule] = good.get(rule, 0) + units
    return good


def dues(
    known: Known, part: int, bonus: str, places: Whereabouts | None = None, lapsed: Mapping[str, int] | None = None
) -> Iterator[tuple[Granted, int]]:
    """Yield each grant that came with a top-up, and how much of it is due back.

    Rounded down on the running total, so that any number of parts that reach the whole take back the whole.

    Args:
        known: the top-up.
        part: how much of its money has gone back then.
        bonus: ``proportional``, ``whole`` if all of it is due at the first time, or ``keep``.
        places: tells what of it has lapsed since, or was forfeited, where that is asked.
        lapsed: by rule, what of that was counted before.
    """
    if bonus == "keep":
        return
    grants: dict[tuple[str, str], dict[int, int]] = {}
    for asset, amount, source, destination, rule in known.earlier.postings:
        if source == PROMOTION and isinstance(destination, int):
            lots = grants.setdefault((rule, asset), {})
            lots[destination] = lots.get(destination, 0) + amount
    for (rule, asset), lots in grants.items():
        amount, done = sum(lots.values()), known.settled.get(rule, 0) + known.judged.get(rule, 0)
        due = portion(amount, known.whole if bonus == "whole" else part, known.whole, done)
        if due > 0:
            gone = 0
            if places is not None:
                gone = sum(min(units, max(0, places.forfeited(lot))) for lot, units in lots.items())
                gone = max(0, gone - (lapsed or {}).get(rule, 0))
            yield Granted(rule, asset, amount, tuple(lots.items()), settled=done, lapsed=gone), due


def settled(plan: RefundPlan, known: Known, back: int, name: str) -> Iterator[Any]:
    """Yield what is taken back of what came with a top-up, what it had counted, and how much went back.

    Args:
        plan: what is taken back.
        known: the top-up.
        back: how much of its money goes back now.
        name: of the table.
    """
    yield from plan.postings
    for code, amount in plan.debts.items():
        yield Debt(code, amount, PROMOTION, name)
    for metric, day, delta in known.earlier.metrics:
        done = portion(abs(delta), known.before, known.whole, 0)
        units = portion(abs(delta), known.before + back, known.whole, done)
        if units:
            yield Tally(metric, -units if delta > 0 else units, day)
    for note in plan.notes.get("short", ()):
        yield Remember(f"short of {note['rule']}", ", ".join(f"{key} {text}" for key, text in note.items()))
    yield Remember(_BACK, str(back))
    yield Remember(_SETTLED, json.dumps(plan.settled, sort_keys=True))
    let_go = plan.let_go or {}
    good = {rule: units - let_go.get(rule, 0) - plan.lapsed.get(rule, 0) for rule, units in plan.settled.items()}
    yield Remember(MADE_GOOD, json.dumps(good, sort_keys=True))
