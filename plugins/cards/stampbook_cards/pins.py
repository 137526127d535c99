"""PINs: what is kept of one is a keyed hash, which the door makes before anything else sees the event.

The hash is HMAC-SHA-256 (RFC 2104) under a key that stands in the environment and nowhere else, of the scheme's name,
the card's number and the PIN. Four digits can be tried out in no time by who has a plain hash of them; without the key
there is nothing to try.
"""

from __future__ import annotations

import hmac
import os
import re
from typing import TYPE_CHECKING, Any

from stampbook import EventError, IfRefused, Objection
from stampbook_cards.card_numbers import number_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from stampbook_cards.card import Card
    from stampbook_cards.config import CardsConfig

KEY = "STAMPBOOK_CARD_KEY"
"""The environment variable that holds the key."""

LEAST_KEY = 32
"""The fewest bytes of a key."""

SCHEME = b"stampbook card pin 1"

_MINUTE = 60_000_000
_PIN = re.compile(r"[0-9]{4,12}", re.ASCII)
_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)


def pin_hash(key: bytes, number: str, pin: str) -> str:
    """Return what is kept of a PIN: 64 signs, ``HMAC-SHA-256(key, scheme 00 number 00 pin)`` in hexadecimal."""
    return hmac.digest(key, b"\0".join((SCHEME, number.encode(), pin.encode())), "sha256").hex()


def sealed(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a sender wrote with the hash of its PIN instead of the PIN.

    Raises:
        EventError: the PIN or its hash is none, or there is no key. What was written is not told.
    """
    rest = {key: value for key, value in data.items() if key != "pin"}
    told = f"event {str(data.get('id', ''))[:60]!r}: "
    if "pin_hash" in data:
        written = data["pin_hash"]
        if "pin" in data:
            raise EventError(told + "pin: write either the pin or its pin_hash")
        if not isinstance(written, str) or not _HASH.fullmatch(written):
            raise EventError(told + "pin_hash: write 64 digits of hexadecimal, or the PIN itself as pin")
        return rest
    pin = data["pin"]
    if not isinstance(pin, str) or not _PIN.fullmatch(pin):
        raise EventError(told + "pin: write 4 to 12 digits, in quotes")
    key = os.environ.get(KEY, "").encode()
    if len(key) < LEAST_KEY:
        what = "is not set" if not key else f"is shorter than {LEAST_KEY} bytes"
        raise EventError(
            f"{told}pin: the environment variable {KEY} {what}; it holds the key under which PINs are kept"
        )
    rest["pin_hash"] = pin_hash(key, number_of(str(data.get("account", ""))), pin)
    return rest


class Guard:
    """Asks for the PIN of a card, and counts the wrong ones."""

    def __init__(self, name: str, config: CardsConfig) -> None:
        self._name = name
        self._asked = frozenset(config.pin_for)
        self._tries = config.wrong_pins
        self._window = config.wrong_within_minutes * _MINUTE

    def objections(self, what: str, written: str | None, card: Card) -> Iterator[Objection | IfRefused]:
        """Yield why a PIN keeps something from being done; a wrong one is counted.

        Args:
            what: is to be done: ``spend``, ``hold``, ``claim`` or ``enquiry``.
            written: the hash of the PIN that the event brings.
            card: of which it is.
        """
        if not card.pin:
            return
        if card.locked:
            yield Objection("pin_locked", "too many wrong PINs were given; an operator has to unlock the card")
        elif written is None:
            if what in self._asked:
                yield Objection("pin_required", "the card has a PIN, which is asked for")
        elif not hmac.compare_digest(written, card.pin):
            left = self._tries - len(self.counted(card))
            tries = "the card is locked now" if not left else "1 try is left" if left == 1 else f"{left} tries are left"
            yield Objection("wrong_pin", f"the PIN is wrong; {tries}")
            yield IfRefused("card.pin_failed", f"{self._name}.pin_failed:{card.account.ref}")

    def asks(self, what: str, card: Card) -> bool:
        """Whether something may not be done to a card without its PIN."""
        return bool(card.pin) and what in self._asked

    def counted(self, card: Card) -> list[int]:
        """Return the instants of the wrong PINs that count, the one at hand included."""
        at = card.now
        return [*(instant for instant in card.wrong if at - self._window < instant), at]

    def locks(self, card: Card) -> bool:
        """Whether the wrong PIN at hand is one too many."""
        return len(self.counted(card)) >= self._tries
