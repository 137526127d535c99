"""What is known of one card: the facts of its account, read by their names."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stampbook import NEVER, Objection

if TYPE_CHECKING:
    from collections.abc import Iterator

    from stampbook import AccountView, Calendar

ISSUED, ACTIVE, CLAIMED, REPLACED = "issued", "active", "claimed", "replaced"


class Card:
    """One card at one instant.

    Attributes:
        account: that of the card.
        state: ``issued``, ``active``, ``claimed`` or ``replaced``; empty where it was never issued.
        holder: the ref of the account for which it is registered, or an empty text.
        blocked: why it is blocked, or an empty text.
        locked: whether too many wrong PINs were given.
        pin: the keyed hash of its PIN, or an empty text.
        until: the first instant at which it is over.
        goes_on: the ref of the card or account that has what this one had.
        before: the refs of the cards that it stands for.
        wrong: the instants of the wrong PINs since the last right one.
    """

    def __init__(self, name: str, account: AccountView) -> None:
        text = account.text
        self.account = account
        self.state = text(f"{name}.state")
        self.holder = text(f"{name}.holder")
        self.blocked = text(f"{name}.blocked")
        self.locked = bool(_latest(account, f"{name}.locked"))
        self.pin = text(f"_{name}.pin")
        self.until = int(text(f"_{name}.until") or NEVER)
        self.goes_on = text(f"{name}.goes_on")
        self.before = tuple(text(f"_{name}.before").split())
        self.wrong = tuple(map(int, _latest(account, f"_{name}.wrong").split()))

    @property
    def now(self) -> int:
        """The instant as which a PIN counts: a till that says it is late gets no further tries by that."""
        return max(self.account.at, *self.wrong, 0)

    @property
    def over(self) -> bool:
        """Whether its time is over."""
        return self.until <= self.account.at

    def objections(self, calendar: Calendar) -> Iterator[Objection]:
        """Yield why value can be neither put on it nor taken from it."""
        if self.state != ACTIVE:
            yield Objection("not_active", "the card is not active: it was not sold yet")
        if self.blocked:
            yield Objection("card_blocked", f"the card is blocked: {self.blocked}")
        if self.over:
            last = calendar.iso(self.until)[:10]
            yield Objection(
                "card_over", f"the card was good until {last}; re-activate it, what is on it is still there"
            )


def _latest(account: AccountView, name: str) -> str:
    """Return the value of a fact as it is known now, whenever the event at hand happened."""
    facts = account.facts(name)
    return facts[-1].value if facts else ""
