"""What matures when a purchase is completed, and what is noted of accounts that are described."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stampbook.events import AccountDescribed, AccountOpened, PurchaseCompleted, SegmentChanged
from stampbook.expressions.functions import month_day
from stampbook.ledger import Fact
from stampbook.periods import NEVER
from stampbook.refunding import is_completed
from stampbook.returns import is_all_back, told_of_completion
from stampbook.segment_tables import is_score, score_fact, segment_fact
from stampbook.standing_in import StandIns

if TYPE_CHECKING:
    from stampbook.draft import Draft
    from stampbook.refunding import Past


def completed(draft: Draft, past: Past | None) -> None:
    """Let mature what waits for the completion of a purchase, save what came back of it."""
    event = draft.event
    assert isinstance(event, PurchaseCompleted)  # noqa: S101 - narrows for the type checker
    if past is None:
        draft.object("unknown_purchase", f"the account has no purchase {event.purchase!r} to complete")
        return
    draft.about = past.purchase.seq
    bought, lots = past, None
    if past.elsewhere is not None:
        lots = StandIns(draft, past.elsewhere)
        past = lots.purchase(past)
    elif (own := StandIns.of_own(draft, past)) is not None:
        past = own.own_purchase(past)
    if event.at < past.purchase.at:
        draft.object("before_purchase", "it is completed before it was bought")
        return
    if is_completed(past):
        draft.object("completed", "that purchase was completed before")
        return
    if past.returns and is_all_back(past):
        draft.object("returned", "all of that purchase came back; nothing of it matures")
        return
    waiting = past.purchase.memo.get("awaits", ())
    matured: list[tuple[str, int, int, int]] = []
    for grant in past.granted():
        left = grant.amount - grant.settled
        for number, part in grant.lots if grant.rule in waiting else ():
            lot = draft.view.known_lot(number)
            if lot is None or lot.effective_at <= event.at or lot.expires_at <= event.at:
                continue
            units = min(left, part, lot.free - sum(moved for _, source, _, moved in matured if source == number))
            if units <= 0:
                continue
            terms = (lot.asset, lot.kind, event.at, lot.expires_at, lot.priority)
            for into, moved in draft.grant(terms, units, number, grant.rule):
                matured.append((grant.rule, number, into, moved))
            left -= units
    draft.memo["matured"] = matured
    draft.messages.extend(told_of_completion(past))
    if lots is not None:
        lots.tell({"matured": lots.matured_there(bought, matured)}, ())


def described(draft: Draft) -> None:
    """Note what an event says of an account as facts, or object to what the program does not know."""
    event = draft.event
    assert isinstance(event, (AccountDescribed, AccountOpened))  # noqa: S101 - narrows for the type checker
    known = draft.registry.context.attributes
    for name, value in sorted(event.attributes.items()):  # the journal keeps them so, and must decide the same again
        kind = known.get(name)
        if kind is None:
            there = ", ".join(known) or "none"
            draft.object("unknown_attribute", f"{name!r} is no attribute of this program, which has {there}")
        elif kind == "month and day" and value and month_day(value) is None:
            draft.object("bad_attribute", f"{name} is a month and a day such as '03-14', without a year, not {value!r}")
        else:
            _note(draft, name, value, "as was declared")


def segment_changed(draft: Draft) -> None:
    """Note in which segment an account is, and the scores that are told with it, as facts."""
    event = draft.event
    assert isinstance(event, SegmentChanged)  # noqa: S101 - narrows for the type checker
    table = draft.registry.file.segments.get(event.scheme)
    if table is None:
        known = ", ".join(draft.registry.file.segments) or "none"
        told = f"rules of this program are told of no scheme {event.scheme!r}; its [segments] has {known}"
        draft.object("unknown_scheme", told)
        return
    for name, value in sorted(event.scores.items()):
        if name not in {*table.scores, *table.texts}:
            draft.object("bad_score", f"rules of this program are told of no score {name!r} of {event.scheme}")
        elif name in table.scores and not is_score(value):
            draft.object("bad_score", f"{name} of {event.scheme} is a number of at most 6 decimals, not {value!r}")
        _note(draft, score_fact(event.scheme, name), value, event.definition)
    _note(draft, segment_fact(event.scheme), event.segment, event.definition)


def _note(draft: Draft, name: str, value: str, reason: str) -> None:
    """Note what holds from an event on until the next that is known, unless it holds already."""
    history = draft.account.facts.get(name, ())
    until = min((fact.since for fact in history if fact.since > draft.event.at), default=NEVER)
    held = draft.account.fact(name, draft.event.at)
    if held is None or held.value != value:
        draft.facts.append(Fact(name, value, draft.event.at, until, reason))
