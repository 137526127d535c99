"""Where paid-in money is by now: given up to the shop, or gone on to another account, as an account's history tells."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from stampbook import Happened

BREAKAGE, TRANSFERS = "breakage", "transfers"
FOLLOWED = "_followed"
"""Under this name an entry keeps how much of what had gone on it has taken back elsewhere, by `Sent.key`."""
LAPSED = "_lapsed"
"""Under this name an entry keeps by rule what it did not take of what came with a top-up, since that had lapsed."""
_DEBT, _PAID = "debt", "paid"


class Sent(NamedTuple):
    """`units` of paid-in money that an event sent on to another account.

    Attributes:
        to: the account.
        seq: the position of the event in the journal of the account that sent.
        first: how much other paid-in money the event sent before these units.
        units: how much it was, in smallest units.
        left: how much of it no chargeback has followed yet.
    """

    to: str
    seq: int
    first: int
    units: int
    left: int

    @property
    def key(self) -> str:
        """What tells it from all other that the account sent on."""
        return f"{self.seq}:{self.first}"


class Whereabouts:
    """What a history tells of the lots of one asset.

    Args:
        history: the account's accepted events.
        code: the asset.
    """

    def __init__(self, history: Sequence[Happened], code: str) -> None:
        self._history = history
        self._code = code
        self._kinds = {lot.number: lot.kind for entry in history for lot in entry.opened}
        self.successor = ""
        """The account to which all went on when this one was closed: it stands for it since."""
        self._sent = list(self._sendings())

    def forfeited(self, lot: int) -> int:
        """Return how much of a lot was given up to the shop, when it lapsed or the account was closed."""
        units = 0
        for entry in self._history:
            for _, amount, source, destination, _ in entry.postings:
                if source == lot and destination == BREAKAGE:
                    units += amount
                elif source == BREAKAGE and destination == lot:
                    units -= amount
        return units

    def sent(self, lots: Sequence[int], *, given: bool) -> list[Sent]:
        """Return what of some lots has gone on to other accounts, in the order of time.

        Args:
            lots: their numbers.
            given: whether what the account gave away counts, and not only what went when it was closed for good.
        """
        return [sent for lot, sent, whole in self._sent if lot in lots and (whole or given)]

    def _sendings(self) -> Iterator[tuple[int, Sent, bool]]:
        """Yield each sending of paid-in money: its lot, what it was, and whether the account went on as a whole."""
        done: dict[str, int] = {}
        for entry in self._history:
            for key, units in json.loads(entry.remembered.get(FOLLOWED, "{}")).items():
                done[key] = done.get(key, 0) + units
        for entry in self._history:
            status = entry.status
            if status in {"open", "frozen"}:
                self.successor = ""
            to = ""
            leaves = any(posting.destination == TRANSFERS for posting in entry.postings)
            if leaves or status == "closed" or self.successor:
                to = getattr(entry.event, "to", "")
            if to and (status == "closed" or self.successor):
                self.successor = to
            to, first = to or self.successor, 0
            for asset, amount, source, destination, _ in entry.postings if to else ():
                if asset != self._code or destination != TRANSFERS or not isinstance(source, int):
                    continue
                if self._kinds.get(source) == _PAID:
                    sent = Sent(to, entry.seq, first, amount, amount)
                    yield source, sent._replace(left=amount - done.get(sent.key, 0)), bool(self.successor)
                    first += amount

    def arrived(self, giver: str, seq: int, first: int, units: int) -> list[int]:
        """Return the lots in which units arrived that another account sent on.

        Paid-in money arrives lot by lot, in the order in which it was sent; what repaid a debt is in no lot.

        Args:
            giver: the account that sent them.
            seq: the position of the event there.
            first: how much paid-in money it sent before.
            units: how much it was.
        """
        for entry in self._history:
            if entry.id.rpartition(":")[0] != f"{entry.type}:{giver}:{seq}" or not type(entry.event).brought_by_time:
                continue
            found, place = [], 0
            for asset, amount, source, destination, _ in entry.postings:
                if asset != self._code or source != TRANSFERS or not isinstance(destination, int):
                    continue
                kind = self._kinds.get(destination, _DEBT)
                if kind == _PAID and place < first + units and first < place + amount:
                    found.append(destination)
                place += amount if kind in {_PAID, _DEBT} else 0
            return found
        return []


def lapsed_before(history: Sequence[Happened], topup: int) -> dict[str, int]:
    """Return by rule what chargebacks of a top-up, named by its position, did not take since it had lapsed."""
    units: dict[str, int] = {}
    for entry in history:
        if entry.about == topup:
            for rule, amount in json.loads(entry.remembered.get(LAPSED, "{}")).items():
                units[rule] = units.get(rule, 0) + amount
    return units


__all__ = ["BREAKAGE", "FOLLOWED", "LAPSED", "TRANSFERS", "Sent", "Whereabouts", "lapsed_before"]
