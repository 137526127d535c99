"""Cards: gift cards and bearer cards, each an account of its own with money on it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from stampbook import MoneyEnds, MoneyHeld, Plugin, hookimpl
from stampbook_cards.card_numbers import ACCOUNT, is_whole, plain
from stampbook_cards.config import CardsConfig
from stampbook_cards.events import KINDS, SENT
from stampbook_cards.learning import Learning
from stampbook_cards.lifecycle import Lifecycle

if TYPE_CHECKING:
    from collections.abc import Iterable

    import click

    from stampbook import AccountView, Earlier, Event, Extension, Fact, Objection, Transaction

__all__ = ["Cards"]

_PIN_BEHIND = re.compile(r"\W*\d{4,12}")
_OF_THE_ENGINE = frozenset({"spend", "hold.authorised", "hold.captured", "hold.changed", "hold.voided"})


class Cards(Plugin[CardsConfig]):
    """Sells cards with money on them, lets them pay, be claimed, blocked and replaced, and asks for their PIN."""

    Config = CardsConfig
    sole = "both would have the same cards"
    commands = ("card",)
    owns = (ACCOUNT,)
    takes = frozenset({kind.model_fields["type"].default for kind in SENT}) | _OF_THE_ENGINE

    def prepare(self) -> None:
        """Read ceilings and validity, and say what an operator should know of them."""
        config = self.config
        lapses = config.over == "lapses"
        self.registered = f"{self.name}.holder"
        self._lifecycle = Lifecycle(self.name, config, self.program)
        self.money_held = tuple(
            MoneyHeld((f"{card}_most",), self._lifecycle.most_on(card), card) for card in ("bearer", "registered")
        )
        self._learning = Learning(self.name, self._lifecycle, config.claim, lapses=lapses)
        self.idle = frozenset() if lapses else frozenset({"reward"})
        if lapses:
            told = (
                "what was paid for lapses with the card, which few laws allow (docs/policies/cards.md#validity); "
                "'suspended' keeps it"
            )
            self.cautions = ((("over",), told),)
            times = (
                ("expires", "bearer", config.expires),
                ("registered_expires", "registered", config.registered_expires),
            )
            self.money_ends = tuple(
                MoneyEnds((key,), months, card)
                for key, card, good in times
                if good is not None and (months := good.least_months) is not None
            )

    def meant(self, ref: str) -> str:
        """Say that the name of no account looks like the number of a card, as it is printed, and what to type."""
        typed, config = plain(ref.removeprefix(ACCOUNT)), self.config
        number, more = typed[: config.length], typed[config.length :]
        is_one = len(number) == config.length and number.startswith(config.prefix) and number.isdecimal()
        if not is_one or not (not more or _PIN_BEHIND.fullmatch(more)):
            return ""
        if more:
            return f"a card is meant by its number alone, without a PIN: type {ACCOUNT}{number}"
        if not is_whole(number, config.check):
            return "it looks like the number of a card, but one digit of it is wrong: its check digit does not fit"
        if ref == ACCOUNT + number:
            return "no such card was issued"
        return f"it looks like the number of a card, whose account is {ACCOUNT}{number}: type that"

    @hookimpl
    def register_events(self) -> list[type[Event]]:
        """Bring what tills, customers and operators do with cards."""
        return list(KINDS)

    @hookimpl
    def register_commands(self, cli: click.Group) -> None:
        """Add the commands for cards."""
        from stampbook_cards.commands import commands

        cli.add_command(commands(self.name, self.config))

    @hookimpl
    def propose(self, event: Event, account: AccountView, earlier: Earlier | None) -> Iterable[Any]:
        """Return what an event moves, or why it may not be."""
        return self._lifecycle.proposals(event, account, earlier)

    @hookimpl
    def assess(self, account: AccountView, at: int, event: Event) -> Iterable[Fact]:
        """Conclude what became of a card."""
        return self._learning.facts(event, account, at)

    @hookimpl
    def reward(self, event: Event, account: AccountView) -> Iterable[Extension]:
        """Let what is on a card be good for as long as the card."""
        return self._learning.extensions(event, account)

    @hookimpl
    def review(self, transaction: Transaction, account: AccountView, event: Event) -> Iterable[Objection]:  # noqa: ARG002 - the hook's own
        """Object where the engine's own events would use a card past its PIN, its block or its time."""
        return self._lifecycle.review(event, account)
