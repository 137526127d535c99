"""Bonuses under a condition of accounts that become one, or two again: which go along, and in which lots they are."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from stampbook import AccountJoined, AccountParted, AccountView, EarlierRecalled, Fact

    Pledge = dict[str, Any]
    _Goes = Callable[[Pledge], bool]

MERGED = "account.merged"
_TRANSFERS = "transfers"


def own_ref(pledge: Mapping[str, Any]) -> str | None:
    """Return the account that had the top-up of a bonus, where that is another; its `path` says how it came here."""
    return pledge["path"][-1] if "path" in pledge else None


def top_up_of(pledge: Mapping[str, Any]) -> int | None:
    """Return the position in this account's journal that stands for the top-up of a bonus; None where none does."""
    place: int | None = pledge.get("recalled") if "path" in pledge else pledge["topup"]
    return place


def joined(event: AccountJoined, past: Sequence[Fact], account: AccountView, goes: _Goes) -> Iterator[Pledge]:
    """Yield the bonuses under a condition that come along with another account.

    Args:
        event: by which it goes up into this one.
        past: what the other account remembered of its bonuses.
        account: this one, with what the event moves.
        goes: whether the condition on a bonus goes along.
    """
    arrived = _Arrived(event, account)
    for pledge in _remembered(past):
        if goes(pledge) and (pledge["lots"] or pledge.get("gone")):
            moved = arrived.moved(pledge)
            yield {**moved, "path": [event.other, *pledge.get("path", ())]}


def parted(event: AccountParted, past: Sequence[Fact], account: AccountView) -> Iterator[Pledge]:
    """Yield the bonuses under a condition that go back to an account which is one of its own again.

    Args:
        event: by which it is.
        past: what the account from which it comes remembered of its bonuses.
        account: this one, with what the event moves.
    """
    arrived = _Arrived(event, account)
    for pledge in _remembered(past):
        if came_with(pledge, account.ref):
            moved = arrived.moved(pledge)
            path = moved.pop("path")[1:]
            yield {**moved, "path": path} if path else moved


def came_with(pledge: Mapping[str, Any], ref: str) -> bool:
    """Whether a bonus came along with an account, be it that one's own or one that had come to it."""
    return "path" in pledge and pledge["path"][0] == ref


def recalled(pledges: Sequence[Pledge], event: EarlierRecalled, account: AccountView) -> list[Pledge]:
    """Return bonuses, that of a top-up which is recalled here with the position that stands for it from now on."""
    return [
        {**pledge, "recalled": account.position}
        if (own_ref(pledge), pledge["topup"]) == (event.path[-1], event.position)
        else pledge
        for pledge in pledges
    ]


class _Arrived:
    """Where the units of the lots of another account are on this one.

    Args:
        event: that brings them.
        account: with what the event moves.
    """

    def __init__(self, event: AccountJoined | AccountParted, account: AccountView) -> None:
        self._parts: dict[int, list[tuple[int, int]]] = {}
        came = [
            [posting.destination, posting.amount]
            for posting in account.moved
            if posting.source == _TRANSFERS and isinstance(posting.destination, int)
        ]
        debts = {lot.number for lot in account.lots if lot.kind == "debt"}
        for number, units in event.arrived or ():
            left = units
            while left and came:
                destination, amount = came[0]
                part = min(left, amount)
                if destination not in debts:
                    self._parts.setdefault(number, []).append((destination, part))
                left -= part
                came[0][1] -= part
                if not came[0][1]:
                    del came[0]

    def moved(self, pledge: Pledge) -> Pledge:
        """Return a bonus in the lots of this account; what is in none of them is gone, as what was spent is.

        Of a lot that also holds others, those are taken to be spent first, as they are on one account.
        """
        lots: dict[int, int] = {}
        gone = pledge.get("gone", 0)
        for number, units in pledge["lots"]:
            left = units
            for lot, there in self._parts.get(number, ()):
                part = min(left, there)
                lots[lot] = lots.get(lot, 0) + part
                left -= part
            gone += left
        moved = {**pledge, "lots": [list(pair) for pair in lots.items()] or [[0, 0]], "gone": gone}
        moved.pop("recalled", None)
        return moved


def _remembered(past: Sequence[Fact]) -> list[Pledge]:
    found: list[Pledge] = json.loads(past[-1].value) if past and past[-1].value else []
    return found
