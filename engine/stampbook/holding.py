"""Holds: setting value aside, capturing it whole or in parts, raising, lowering and releasing it."""

from __future__ import annotations

from fractions import Fraction
from typing import TYPE_CHECKING

from stampbook.amounts import amount_text
from stampbook.events import HoldAuthorised, HoldCaptured, HoldChanged, HoldLapsed, HoldVoided, Purchase
from stampbook.ledger import SALES, HoldChange, Posting, authorised_by
from stampbook.owing import release

if TYPE_CHECKING:
    from stampbook.account import Hold
    from stampbook.draft import Draft
    from stampbook.lots import Lot
    from stampbook.refunding import Past

Units = tuple[tuple[int, int], ...]
"""Pairs of lot number and amount."""


def authorised(draft: Draft, _: Past | None) -> None:
    """Set an amount aside, by lot, in the order in which it would be spent. The hold's number is its event's place."""
    event = draft.event
    assert isinstance(event, HoldAuthorised)  # noqa: S101 - narrows for the type checker
    asset = event.asset or draft.registry.context.currency.code
    number = draft.account.seq + 1
    units = draft.choose(asset, event.amount)
    if units:
        draft.holds.append(HoldChange(number, "authorise", asset, units, event.lapses_at or 0))


def captured(draft: Draft, _: Past | None) -> None:
    """Take what was set aside, whole or in part; unless more is to come, the rest is released."""
    event = draft.event
    assert isinstance(event, HoldCaptured)  # noqa: S101 - narrows for the type checker
    hold = named(draft, event.asset)
    if hold is not None:
        amount = hold.remaining if event.amount is None else event.amount
        table = draft.registry.file.assets.get(hold.asset)
        keeps = table is not None and table.after_capture == "keep" and "final" not in event.model_fields_set
        take(draft, hold, amount, "capture", final=event.final and not keeps)


def voided(draft: Draft, _: Past | None) -> None:
    """Release what is set aside, or part of it: what would have been used last is released first."""
    event = draft.event
    assert isinstance(event, HoldVoided)  # noqa: S101 - narrows for the type checker
    hold = named(draft, event.asset)
    if hold is None:
        return
    if event.amount is None:
        for part in parts(draft):
            release(draft, part, "void", part.left)
        return
    amount = event.amount
    if amount > hold.remaining:
        _object_to(draft, hold, amount, "over_void")
        return
    release(draft, hold, "void", _part(tuple(reversed(hold.left)), amount))


def changed(draft: Draft, _: Past | None) -> None:
    """Raise or lower what is set aside to an amount; what was captured does not count."""
    event = draft.event
    assert isinstance(event, HoldChanged)  # noqa: S101 - narrows for the type checker
    hold = named(draft, event.asset)
    if hold is None:
        return
    more = event.amount - hold.remaining
    if more > 0:
        units = draft.choose(hold.asset, more)
        if units:
            draft.holds.append(HoldChange(hold.number, "raise", hold.asset, units))
    elif more < 0:
        release(draft, hold, "void", _part(tuple(reversed(hold.left)), -more))


def lapsed(draft: Draft, _: Past | None) -> None:
    """Release what is still set aside when its time is over."""
    event = draft.event
    assert isinstance(event, HoldLapsed)  # noqa: S101 - narrows for the type checker
    hold = draft.account.holds[event.hold]
    release(draft, hold, "lapse", hold.left)


def shrink(draft: Draft, lot: Lot) -> None:
    """Let what is set aside of a lot whose time is over go with it: the holds are smaller from now on."""
    for hold in draft.account.holds.values():
        units = dict(hold.left).get(lot.number, 0)
        if units:
            draft.holds.append(HoldChange(hold.number, "lapse", lot.asset, ((lot.number, units),)))


def pay(draft: Draft, asset: str, amount: int, book: str, rule: str) -> None:
    """Take what an event costs: from the hold that it names, where that is of the asset, else in the spend order."""
    if getattr(draft.event, "hold", None) is not None:
        hold = next((part for part in parts(draft) if part.asset == asset), None)
        if hold is not None:
            if _is_before(draft, hold):
                return
            take(draft, hold, amount, rule, final=True, book=book)
            return
    draft.draw(asset, amount, book, rule)


def within(draft: Draft, asset: str, amount: int) -> int:
    """Return how much of an amount `pay` would take without an objection: all of it or less."""
    if getattr(draft.event, "hold", None) is not None:
        hold = next((part for part in parts(draft) if part.asset == asset), None)
        if hold is not None:
            over = min(amount - hold.remaining, _above(draft, hold))
            return min(amount, hold.remaining) + (draft.available(asset, over) if over > 0 else 0)
    return draft.available(asset, amount)


def check_used(draft: Draft) -> None:
    """Object where an event names a hold and took nothing from it; release those of its assets that it did not use."""
    if getattr(draft.event, "hold", None) is None or draft.objections:
        return
    if not draft.holds:
        hold = next(iter(parts(draft)), None)
        if named(draft, hold.asset if hold is not None else None) is not None and hold is not None:
            draft.object("wrong_asset", f"nothing of it is to be paid in {hold.asset}, which was set aside")
        return
    used = {change.hold for change in draft.holds}
    for part in parts(draft):
        if part.number not in used:
            release(draft, part, "void", part.left)


def parts(draft: Draft) -> list[Hold]:
    """Return the open holds that the event names: one for each asset that was set aside."""
    if draft.about is None:
        return []
    holds = draft.account.holds
    return [holds[number] for number in sorted(holds) if authorised_by(number) == draft.about and holds[number].left]


def take(draft: Draft, hold: Hold, amount: int, rule: str, *, final: bool, book: str = SALES) -> None:
    """Capture an amount of a hold lot by lot; release the rest where nothing more is to come.

    What is more than was set aside is drawn from what is free, as far as the asset's `over_capture` allows.
    """
    if amount > hold.remaining and not _draw_more(draft, hold, amount, book, rule):
        return
    amount = min(amount, hold.remaining)
    units = _part(hold.left, amount)
    if units:
        draft.holds.append(HoldChange(hold.number, "capture", hold.asset, units))
    draft.postings.extend(Posting(hold.asset, taken, lot, book, rule) for lot, taken in units)
    if final and amount < hold.remaining:
        gone = dict(units)
        rest = tuple((lot, held - gone.get(lot, 0)) for lot, held in hold.left if held > gone.get(lot, 0))
        release(draft, hold, "void", rest)


def _draw_more(draft: Draft, hold: Hold, amount: int, book: str, rule: str) -> bool:
    """Draw what a capture takes above a hold, a tip say, or object."""
    table = draft.registry.file.assets.get(hold.asset)
    share = table.over_capture if table is not None else None
    if share is None:
        _object_to(draft, hold, amount, "over_capture")
        return False
    more = _above(draft, hold)
    if amount - hold.remaining > more:
        asset = draft.registry.context.assets[hold.asset]
        there = f"the {amount_text(hold.remaining, asset)} set aside and the {amount_text(more, asset)}"
        told = f"{amount_text(amount, asset)} is more than {there} that may come on top, {share} of the hold"
        draft.object("over_capture", told)
        return False
    before = len(draft.objections)
    draft.draw(hold.asset, amount - hold.remaining, book, rule)
    return len(draft.objections) == before


def _above(draft: Draft, hold: Hold) -> int:
    """Return how much more than was set aside a capture may take, by the asset's `over_capture`."""
    table = draft.registry.file.assets.get(hold.asset)
    if table is None or table.over_capture is None:
        return 0
    numerator, denominator = Fraction(table.over_capture.removesuffix("%")).as_integer_ratio()
    return hold.amount * numerator // (100 * denominator)


def named(draft: Draft, asset: str | None) -> Hold | None:
    """Return the open hold that the event names, or object.

    Args:
        draft: whose event names a hold.
        asset: the asset in which the event counts; the program's currency where absent.
    """
    event = draft.event
    source, id_ = event.names or ("", "")
    there = parts(draft)
    code = asset or draft.registry.context.currency.code
    hold = next((part for part in there if part.asset == code), there[0] if there else None)
    if draft.about is None:
        draft.object("unknown_hold", f"this account has no hold {id_!r} of source {source!r}")
    elif hold is None:
        draft.object("hold_ended", f"nothing is set aside under {id_!r} any more: it was captured, released or over")
    elif hold.asset != code:
        draft.object("wrong_asset", f"hold {id_!r} is of {hold.asset}, not of {code}")
    elif not _is_before(draft, hold):
        return hold
    return None


def _is_before(draft: Draft, hold: Hold) -> bool:
    """Whether an event is dated before all was set aside that it may take, which it objects to."""
    at = draft.event.at
    if at >= draft.account.clock or not draft.account.set_aside_since(hold.number, at):
        return False
    _, id_ = draft.event.names or ("", "")
    draft.object("before_hold", f"it is dated before the last time that something was set aside under {id_!r}")
    return True


def is_hold_event(event: object) -> bool:
    """Whether an event names a hold."""
    return isinstance(event, (HoldCaptured, HoldVoided, HoldChanged)) or (
        isinstance(event, Purchase) and event.hold is not None
    )


def _object_to(draft: Draft, hold: Hold, amount: int, code: str) -> None:
    asset = draft.registry.context.assets[hold.asset]
    draft.object(code, f"{amount_text(amount, asset)} is more than the {amount_text(hold.remaining, asset)} set aside")


def _part(left: Units, amount: int) -> Units:
    """Return the first units of what is held, up to an amount."""
    part: list[tuple[int, int]] = []
    for lot, held in left:
        taken = min(held, amount)
        if taken:
            part.append((lot, taken))
            amount -= taken
    return tuple(part)
