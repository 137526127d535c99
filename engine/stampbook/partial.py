"""Paying as much as there is: what an event takes that may be paid in part, and the event as if it asked for that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from stampbook.amounts import amount_text
from stampbook.errors import PluginError
from stampbook.events import HoldAuthorised, Purchase, Spend, Tender
from stampbook.holding import within
from stampbook.ledger import Objection

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stampbook.amounts import Asset
    from stampbook.draft import Draft

POINTS = "points"


class InPart(NamedTuple):
    """What was paid of an amount that was asked for as far as it is there; smallest units of `asset`.

    `place` is that of the tender in the purchase as it was sent, 0 where it has none; `rest` is the kind of tender that
    the rest of a purchase became.
    """

    place: int
    asset: str
    asked: int
    paid: int
    rest: str = ""

    @property
    def left(self) -> int:
        """What is left to pay."""
        return self.asked - self.paid


def in_part(memo: Mapping[str, Any]) -> tuple[InPart, ...]:
    """Return what a transaction took of amounts that could be paid in part, as its memo has it."""
    return tuple([InPart(*each) for each in memo.get("partial", ())])


def as_paid(event: Any, memo: Mapping[str, Any]) -> Any:
    """Return an event as if it had asked for what it took: all that follows from it goes by that.

    Args:
        event: as it was sent.
        memo: of its transaction.
    """
    if "partial" not in memo:
        return event
    found = in_part(memo)
    if not isinstance(event, Purchase):
        return event.model_copy(update={"amount": found[0].paid, "partial": False})
    parts = {each.place: each for each in found}
    tenders: list[Tender] = []
    for place, tender in enumerate(event.tenders, 1):
        part = parts.get(place)
        if part is None:
            tenders.append(tender)
            continue
        tenders.append(tender.model_copy(update={"amount": part.paid, "partial": False, "rest": None}))
        if part.left:
            tenders.append(Tender(kind=part.rest, amount=part.left))
    return event.model_copy(update={"tenders": tuple(tenders)})


def settle(draft: Draft) -> None:
    """Put in place of an event that may be paid in part one that asks for what there is, or object.

    Where there is nothing the event stays as it is, and is refused as any that asks for more than there is.
    """
    event = draft.event
    found: list[InPart] = []
    if isinstance(event, Purchase):
        found = _of_tenders(draft, event)
    elif isinstance(event, (Spend, HoldAuthorised)):
        asset = event.asset or draft.registry.context.currency.code
        if _is_allowed(draft, asset):
            paid, _ = _most(draft, None, asset, event.amount)
            found = [InPart(0, asset, event.amount, paid)]
    if not draft.objections and found and all(each.paid > 0 for each in found):
        draft.memo["partial"] = [tuple(each) for each in found]
        draft.event = as_paid(event, draft.memo)


def _of_tenders(draft: Draft, event: Purchase) -> list[InPart]:
    order = draft.order
    assert order is not None  # noqa: S101 - the handler has just set it
    found = []
    for place, tender in enumerate(event.tenders, 1):
        if not tender.partial:
            continue
        before = len(draft.objections)
        paid, asset = _most(draft, tender, order.currency, tender.amount)
        if len(draft.objections) > before:
            continue
        if not asset:
            draft.object(
                "no_points", "no plugin of the program takes points for this, so that none can be paid in part"
            )
        elif _is_allowed(draft, asset):
            found.append(InPart(place, order.currency, tender.amount, paid, _rest(draft, tender, asset)))
    return found


def _is_allowed(draft: Draft, asset: str) -> bool:
    table = draft.registry.file.assets.get(asset)
    if table is not None and table.partial == "allow":
        return True
    told = f"it asks to be paid as far as there is {asset}, and the program does not allow that"
    option = f'[assets.{asset}] partial = "allow" would'
    draft.object("partial_not_allowed", f"{told}; {option}, or send it without partial")
    return False


def _rest(draft: Draft, tender: Tender, asset: str) -> str:
    """Return the kind of tender that pays what is left, or object."""
    table = draft.registry.file.assets.get(asset)
    kind = tender.rest or (table.partial_rest if table is not None else None)
    if kind is None:
        told = "nothing says what pays the rest: name a kind of tender in the tender's rest, or in the program as"
        draft.object("no_rest", f"{told} [assets.{asset}] partial_rest")
    return kind or ""


def _most(draft: Draft, tender: Tender | None, asset: str, asked: int) -> tuple[int, str]:
    """Return how much of an amount may be taken, and of which asset; of none where no plugin takes points.

    Args:
        draft: whose event asks.
        tender: of a purchase.
        asset: what pays; where it is points, their plugin says how many pay how much.
        asked: how much, in smallest units of the money or the asset of the event.
    """
    registry, points = draft.registry, tender is not None and tender.kind == POINTS
    most, pays = (asked, "") if points else (within(draft, asset, asked), asset)

    def there(code: str, units: int) -> int:
        return within(draft, code, units)

    for plugin, bound in registry.payable(draft.event, tender, draft.order, draft.view, there):
        if isinstance(bound, Objection):
            draft.objections.append(bound._replace(plugin=plugin))
            continue
        if (
            type(bound.amount) is not int
            or bound.amount < 0
            or (bound.asset and bound.asset not in draft.registry.context.assets)
        ):
            message = f"plugin {plugin!r} bounds what is paid by {bound!r}, which is no amount of an asset"
            raise PluginError(message)
        most, pays = min(most, bound.amount), bound.asset or pays
    return most, pays


def told(part: InPart, assets: Mapping[str, Asset]) -> str:
    """Say what was asked for, and what is left to pay."""
    asset = assets[part.asset]
    if not part.left:
        return ""
    rest = f" by {part.rest}" if part.rest else ""
    return f"; {amount_text(part.asked, asset)} was asked for, {amount_text(part.left, asset)} is left to pay{rest}"
