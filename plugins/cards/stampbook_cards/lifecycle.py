"""What happens to cards: from issue to claim or replacement, each step as what it moves or why it may not be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stampbook import (
    NEVER,
    AmountError,
    Deposit,
    Message,
    Objection,
    PluginError,
    Posting,
    Remember,
    SetAside,
    StatusChange,
    Withdrawal,
)
from stampbook_cards.card import ISSUED, Card
from stampbook_cards.card_numbers import ACCOUNT, account_of, is_whole, number_of
from stampbook_cards.events import (
    CardActivated,
    CardArrived,
    CardAuthorised,
    CardBlocked,
    CardClaimed,
    CardEnquired,
    CardIssued,
    CardPinSet,
    CardReactivated,
    CardRefunded,
    CardReplaced,
    CardSaleVoided,
    CardSpent,
    CardTookOver,
    CardToppedUp,
    CardUnblocked,
    CardUnlocked,
)
from stampbook_cards.pins import Guard
from stampbook_cards.value import CASH, SALES, TRANSFERS, arrived, coming_back, everything, parts_of, put_back

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from stampbook import AccountView, Context, Earlier, Event, IfRefused, PutBack
    from stampbook_cards.config import CardsConfig

    Step = (
        Posting | PutBack | Withdrawal | Deposit | SetAside | Message | Remember | StatusChange | Objection | IfRefused
    )


_ASKED_BACK = "refund.requested"
_PAYING_OUT = (_ASKED_BACK, "refund.paid")
"""What other plugins may have to do with a card: what is on it is asked back, and paid out."""
_MOMENT = 15 * 60_000_000
"""For how long a PIN that was given with an enquiry shows who asks for what is on a card."""


class Lifecycle:
    """The cards of a program."""

    def __init__(self, name: str, config: CardsConfig, program: Context) -> None:
        self._name, self._config, self._program = name, config, program
        self._asset = program.currency
        self.guard = Guard(name, config)
        self._steps: dict[type[Event], Callable[[Any, Card], Iterator[Step]]] = {
            CardIssued: self._issued,
            CardActivated: self._paid,
            CardToppedUp: self._paid,
            CardSpent: self._spent,
            CardAuthorised: self._authorised,
            CardEnquired: self._enquired,
            CardClaimed: self._claimed,
            CardReplaced: self._replaced,
            CardTookOver: self._took_over,
            CardReactivated: self._reactivated,
            CardBlocked: self._by_operator,
            CardUnblocked: self._by_operator,
            CardUnlocked: self._by_operator,
            CardPinSet: self._by_operator,
        }
        self._bearer_most = self._units("bearer_most", config.bearer_most)
        self._registered_most = self._units("registered_most", config.registered_most)
        calendar = program.calendar
        self._ends = None if config.expires is None else config.expires.ends(calendar)
        self._registered_ends = None if config.registered_expires is None else config.registered_expires.ends(calendar)

    def _units(self, key: str, text: str | None) -> int | None:
        try:
            return None if text is None else self._asset.units(text)
        except AmountError as error:
            message = f"{key}: {error}"
            raise PluginError(message) from None

    def most_on(self, card: str) -> int | None:
        """Return the most money on a card that is ``bearer`` or ``registered``, in smallest units; None for any."""
        return self._registered_most if card == "registered" else self._bearer_most

    def card(self, account: AccountView) -> Card:
        """Return what is known of the card of an account."""
        return Card(self._name, account)

    def end(self, account: AccountView, at: int, *, registered: bool) -> int:
        """Return the first instant at which a card is over on which money is put at an instant."""
        ends = self._registered_ends if registered else self._ends
        return NEVER if ends is None else ends(at, account.opened_at or at)

    def proposals(self, event: Event, account: AccountView, earlier: Earlier | None) -> Iterable[Step]:
        """Return what an event moves, or why it may not be."""
        if isinstance(event, CardRefunded):
            return self._refunded(event, self.card(account), earlier)
        if isinstance(event, CardSaleVoided):
            return self._sale_voided(event, self.card(account), earlier)
        if isinstance(event, CardArrived):
            return arrived(event.parts, self._name)
        if not account.ref.startswith(ACCOUNT):
            told = f"account {account.ref} is no card's; that of a card is {account_of('NUMBER')}"
            return [] if type(event).brought_by_time else [Objection("no_card", told)]
        step = self._steps.get(type(event))
        return () if step is None else step(event, self.card(account))

    def _issued(self, event: CardIssued, card: Card) -> Iterator[Step]:
        config, number = self._config, number_of(event.account)
        if card.state:
            yield Objection("card_exists", "a card of this number was issued before")
        if len(number) != config.length or not number.startswith(config.prefix) or not is_whole(number, config.check):
            told = f"a number has {config.length} digits, begins with {config.prefix!r} and ends with its check digit"
            yield Objection("mistyped_number", f"{number!r} is no number of a card: {told}")
        if config.pin == "required" and event.pin_hash is None:
            yield Objection("pin_required", "every card has a PIN; issue it with one")

    def _paid(self, event: CardActivated | CardToppedUp, card: Card) -> Iterator[Step]:
        if isinstance(event, CardActivated):
            if card.blocked:
                yield Objection("card_blocked", f"the card is blocked: {card.blocked}")
            if card.state != ISSUED:
                told = "it was activated before" if card.state else "no such card was issued"
                yield Objection("not_issued", f"the card cannot be activated: {told}")
        else:
            yield from card.objections(self._program.calendar)
        yield from self._currency(event.currency)
        yield from self._above(event.amount, card, registered=bool(card.holder))
        until = self.end(card.account, event.at, registered=bool(card.holder))
        expires = until if self._config.over == "lapses" else NEVER
        yield Deposit(self._asset.code, event.amount, CASH, "paid", event.at, expires, 0, self._name)

    def _sale_voided(self, event: CardSaleVoided, card: Card, earlier: Earlier | None) -> Iterator[Step]:
        if earlier is None or not isinstance(earlier.event, CardActivated) or event.type in earlier.later:
            yield Objection("unknown_sale", f"the card was not activated by {event.about!r}, or that is void already")
            return
        lots = card.account.lots
        if card.holder or card.account.holds or [lot.remaining for lot in lots] != [earlier.event.amount]:
            yield Objection("card_used", "the card was used, topped up, or registered since; its sale stays")
            return
        yield Posting(lots[0].asset, lots[0].remaining, lots[0].number, CASH, self._name)

    def _currency(self, currency: str | None) -> Iterator[Objection]:
        if currency not in {None, self._asset.code}:
            yield Objection("wrong_currency", f"cards hold {self._asset.code}, not {currency}")

    def _above(self, amount: int, card: Card, *, registered: bool) -> Iterator[Objection]:
        """Yield why a card may not hold so much more."""
        most = self.most_on("registered" if registered else "bearer")
        held = sum(lot.remaining for lot in card.account.lots if lot.asset == self._asset.code)
        if most is not None and held + amount > most:
            what, told = "registered" if registered else "bearer", self._asset.told
            yield Objection(
                "above_ceiling", f"a {what} card holds {told(most)} at most; it would hold {told(held + amount)}"
            )

    def _spent(self, event: CardSpent, card: Card) -> Iterator[Step]:
        refused = [*self.guard.objections("spend", event.pin_hash, card)]
        if refused:  # nothing more is told to who does not know the PIN
            yield from refused
            return
        yield from card.objections(self._program.calendar)
        yield from self._currency(event.currency)
        yield Withdrawal(self._asset.code, event.amount, SALES, self._name)

    def _authorised(self, event: CardAuthorised, card: Card) -> Iterator[Step]:
        refused = [*self.guard.objections("hold", event.pin_hash, card)]
        if refused:
            yield from refused
            return
        yield from card.objections(self._program.calendar)
        yield from self._currency(event.currency)
        yield SetAside(self._asset.code, event.amount, event.lapses_at)

    def _refunded(self, event: CardRefunded, card: Card, earlier: Earlier | None) -> Iterator[Step]:
        before = "" if earlier is None else card.account.text(f"_{self._name}.back/{earlier.seq}")
        back = None if earlier is None else coming_back(earlier, before, event.amount)
        if earlier is None or back is None or not back.asset:
            yield Objection("unknown_payment", f"the card paid nothing under {event.about!r}")
            return
        amount = sum(units for _, units in back.units)
        if event.at < earlier.event.at:
            yield Objection("before_payment", "it comes back before it was paid")
        if not amount or (event.amount is not None and event.amount > back.left):
            told = self._asset.told
            yield Objection("above_paid", f"only {told(back.left)} of what the card paid has not come back yet")
            return
        over = [lot for lot, _ in back.units if (known := card.account.known_lot(lot)) and known.expires_at <= event.at]
        if over:
            yield Objection("value_lapsed", "the time of what paid is over; give the money back another way")
        if card.account.status == "closed" and not card.goes_on:
            yield Objection("account_closed", "the card is closed; give the money back another way")
        yield Remember("refunded", self._asset.text(amount))
        yield from put_back(back, self._name)
        if card.goes_on:
            postings = [Posting(back.asset, units, lot, TRANSFERS, self._name) for lot, units in back.units]
            yield from postings
            data = {"card": card.account.ref, "parts": parts_of(card.account, postings)}
            yield Message(card.goes_on, "card.arrived", data)

    def _enquired(self, event: CardEnquired, card: Card) -> Iterator[Step]:
        refused = [*self.guard.objections("enquiry", event.pin_hash, card)]
        yield from refused
        if not refused:
            state = "blocked" if card.blocked else "over" if card.over else card.state
            yield Remember("balance", self._asset.text(card.account.balance(self._asset.code)))
            yield Remember("good_until", "" if card.until >= NEVER else self._program.calendar.iso(card.until))
            yield Remember("state", state)

    def _claimed(self, event: CardClaimed, card: Card) -> Iterator[Step]:
        refused = [*self.guard.objections("claim", event.pin_hash, card)]
        if refused:
            yield from refused
            return
        yield from card.objections(self._program.calendar)
        if event.to.startswith(ACCOUNT):
            yield Objection("no_customer", "a card is claimed for a customer's account, not for a card")
        if card.holder and card.holder != event.to:
            yield Objection("registered", "the card is registered for another account")
        absent = f"there is no account {event.to}; open it first"
        if (event.value or self._config.claim) == "stays":
            if card.holder == event.to:
                yield Objection("registered", "the card is registered for this account already")
            yield from self._above(0, card, registered=True)
            yield Message(event.to, "card.registered", {"card": card.account.ref}, absent=absent)
            return
        steps = [*everything(card.account, self._name)]
        yield from steps
        postings = [step for step in steps if isinstance(step, Posting)]
        data = {"card": card.account.ref, "parts": parts_of(card.account, postings)}
        yield Message(event.to, "card.arrived", data, absent=absent)
        yield from self._went_on(card, event.to)
        yield StatusChange("closed")

    def _replaced(self, event: CardReplaced, card: Card) -> Iterator[Step]:
        if card.state in {"", ISSUED}:
            yield Objection("not_active", "the card was not sold yet; issue another one")
        if not event.to.startswith(ACCOUNT):
            yield Objection("no_card", f"{event.to} is no card's account; that of a card is {account_of('NUMBER')}")
        steps = [*everything(card.account, self._name)]
        yield from steps
        postings = [step for step in steps if isinstance(step, Posting)]
        data = {
            "holder": card.holder,
            "until": card.until,
            "before": (*card.before, card.account.ref),
            "parts": parts_of(card.account, postings),
        }
        yield Message(event.to, "card.took_over", data, absent=f"no card {number_of(event.to)} was issued")
        if card.holder:
            yield Message(card.holder, "card.registered", {"card": event.to}, required=False)
        yield from self._went_on(card, event.to)
        yield StatusChange("closed")

    def _went_on(self, card: Card, to: str) -> Iterator[Message]:
        """Yield what the cards are told for which a card stands: where what comes back to them goes from now on."""
        for ref in card.before:
            yield Message(ref, "card.went_on", {"to": to}, required=False)

    def _took_over(self, event: CardTookOver, card: Card) -> Iterator[Step]:
        if card.state != ISSUED:
            yield Objection("card_used", "the new card must be one that was issued and not sold yet")
        if card.blocked:
            yield Objection("card_blocked", f"the new card is blocked: {card.blocked}")
        yield from arrived(event.parts, self._name)

    def _reactivated(self, _: CardReactivated, card: Card) -> Iterator[Objection]:
        if card.state in {"", ISSUED}:
            yield Objection("not_active", "the card was not sold yet; activate it")
        elif self._config.over == "lapses":
            yield Objection("value_lapsed", "what was on the card has lapsed with its time, as the program says")
        elif not card.over:
            yield Objection("not_over", "the time of the card is not over")

    def _by_operator(
        self, event: CardBlocked | CardUnblocked | CardUnlocked | CardPinSet, card: Card
    ) -> Iterator[Objection]:
        if not card.state:
            yield Objection("unknown_card", "no such card was issued")
        elif isinstance(event, CardBlocked) and card.blocked:
            yield Objection("card_blocked", f"the card is blocked already: {card.blocked}")
        elif isinstance(event, CardUnblocked) and not card.blocked:
            yield Objection("not_blocked", "the card is not blocked")
        elif isinstance(event, CardUnlocked) and not card.locked:
            yield Objection("not_locked", "the card is not locked")

    def review(self, event: Event, account: AccountView) -> Iterator[Objection]:
        """Yield why what the engine does to an account may not be done to a card."""
        if not account.ref.startswith(ACCOUNT):
            return
        card = self.card(account)
        if event.type in {"spend", "hold.authorised"}:
            yield from card.objections(self._program.calendar)
            what, kind = ("spend", "card.spent") if event.type == "spend" else ("hold", "card.authorised")
            if self.guard.asks(what, card):
                yield Objection("pin_required", f"the card has a PIN, which is asked for; post {kind}")
        elif event.type in {"hold.captured", "hold.changed", *_PAYING_OUT} and card.blocked:
            yield Objection("card_blocked", f"the card is blocked: {card.blocked}")
        pays = event.type == "account.closed" and self._asset.code in self._program.paid_out and bool(account.lots)
        if pays and card.blocked:
            yield Objection("card_blocked", f"the card is blocked: {card.blocked}")
        if pays or event.type == _ASKED_BACK:
            yield from self._proved(event, card)

    def _proved(self, event: Event, card: Card) -> Iterator[Objection]:
        """Yield why nobody has shown that what is on a card may go to him: its PIN was not given a moment ago."""
        if not self.guard.asks("claim", card):
            return
        if card.locked:
            yield Objection("pin_locked", "too many wrong PINs were given; an operator has to unlock the card")
        asked = (entry for entry in card.account.history if event.at - _MOMENT <= entry.at <= event.at)
        given = (entry.event for entry in asked if entry.type == "card.enquired")
        if not any(isinstance(each, CardEnquired) and each.pin_hash == card.pin for each in given):
            number = number_of(event.account)
            told = "the card has a PIN, which its bearer gives first, no more than 15 minutes before"
            yield Objection("pin_required", f"{told}: stampbook card balance {number} --pin")
