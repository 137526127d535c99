"""What is concluded about cards: their state, until when they are good, whose they are, and what became of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stampbook import NEVER, Extension, Fact
from stampbook_cards.card import ACTIVE, CLAIMED, ISSUED, REPLACED, Card
from stampbook_cards.card_numbers import ACCOUNT
from stampbook_cards.events import (
    CardActivated,
    CardBlocked,
    CardClaimed,
    CardIssued,
    CardPinFailed,
    CardPinSet,
    CardReactivated,
    CardRefunded,
    CardReplaced,
    CardSaleVoided,
    CardTookOver,
    CardToppedUp,
    CardUnblocked,
    CardUnlocked,
    CardWentOn,
)
from stampbook_cards.value import ALL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stampbook import AccountView, Event
    from stampbook_cards.lifecycle import Lifecycle


class Learning:
    """Concludes facts of cards; `lapses` says whether their lots end with them."""

    def __init__(self, name: str, lifecycle: Lifecycle, claim: str, *, lapses: bool) -> None:
        self._name, self._lifecycle, self._claim, self._lapses = name, lifecycle, claim, lapses

    def facts(self, event: Event, account: AccountView, at: int) -> Iterator[Fact]:
        """Yield the facts that an event changes."""
        if not account.ref.startswith(ACCOUNT):
            return
        card = self._lifecycle.card(account)
        reason = getattr(event, "reason", "")
        for name, value in self._changes(event, card):
            if value != account.text(name):
                yield Fact(name, value, at, NEVER, reason)

    def _changes(self, event: Event, card: Card) -> Iterator[tuple[str, str]]:
        """Yield names and values of facts, whether they change or not."""
        name = self._name
        if isinstance(event, CardPinFailed):
            yield f"_{name}.wrong", " ".join(map(str, self._lifecycle.guard.counted(card)))
            if self._lifecycle.guard.locks(card):
                yield f"{name}.locked", "yes"
            return
        if isinstance(event, CardUnlocked | CardPinSet) or (card.pin and getattr(event, "pin_hash", None)):
            yield f"_{name}.wrong", ""
            yield f"{name}.locked", ""
        match event:
            case CardIssued():
                yield f"{name}.state", ISSUED
                yield f"{name}.batch", event.batch
                yield f"_{name}.pin", event.pin_hash or ""
            case CardSaleVoided():
                yield f"{name}.state", ISSUED
                yield f"_{name}.until", ""
            case CardPinSet():
                yield f"_{name}.pin", event.pin_hash or ""
            case CardActivated():
                yield f"{name}.state", ACTIVE
                yield f"_{name}.until", self._until(card, event.at)
            case CardToppedUp() | CardReactivated():
                yield f"_{name}.until", self._until(card, event.at)
            case CardBlocked():
                yield f"{name}.blocked", event.reason
            case CardUnblocked():
                yield f"{name}.blocked", ""
            case CardRefunded():
                yield from self._came_back(event, card)
            case CardTookOver():
                yield f"{name}.state", ACTIVE
                yield f"{name}.holder", event.holder
                yield f"{name}.replaces", event.before[-1]
                yield f"_{name}.until", _kept(event.until)
                yield f"_{name}.before", " ".join(event.before)
            case CardClaimed() | CardReplaced() | CardWentOn():
                yield from self._left(event, card)

    def _left(self, event: CardClaimed | CardReplaced | CardWentOn, card: Card) -> Iterator[tuple[str, str]]:
        name = self._name
        if isinstance(event, CardClaimed) and (event.value or self._claim) == "stays":
            yield f"{name}.holder", event.to
            yield f"_{name}.until", _kept(self._registered_until(card))
            return
        yield f"{name}.goes_on", event.to
        if not isinstance(event, CardWentOn):
            yield f"{name}.state", CLAIMED if isinstance(event, CardClaimed) else REPLACED

    def _came_back(self, event: CardRefunded, card: Card) -> Iterator[tuple[str, str]]:
        name = f"_{self._name}.back/{card.account.named}"
        before = card.account.text(name)
        yield name, ALL if event.amount is None else str(int(before or 0) + event.amount)

    def _until(self, card: Card, at: int) -> str:
        return _kept(self._lifecycle.end(card.account, at, registered=bool(card.holder)))

    def _registered_until(self, card: Card) -> int:
        """Return until when a card is good that is registered now: it loses nothing by that."""
        until = self._lifecycle.end(card.account, card.account.at, registered=True)
        return max(until, card.until)

    def extensions(self, event: Event, account: AccountView) -> Iterator[Extension]:
        """Yield how the lots of a card are good for as long as it is."""
        if not self._lapses or not account.ref.startswith(ACCOUNT):
            return
        card = self._lifecycle.card(account)
        if isinstance(event, CardToppedUp):
            until = self._lifecycle.end(account, event.at, registered=bool(card.holder))
        elif isinstance(event, CardClaimed) and (event.value or self._claim) == "stays":
            until = self._registered_until(card)
        else:
            return
        for lot in account.lots:
            if lot.expires_at < until:
                yield Extension(self._name, lot.number, until)


def _kept(until: int) -> str:
    return "" if until >= NEVER else str(until)
