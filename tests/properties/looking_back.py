"""What must hold of accounts as of every instant, whatever was told late."""

from __future__ import annotations

from typing import TYPE_CHECKING

from stampbook.lots import DEBT
from stampbook.replay import entries_of, fold
from stampbook.verifying import verify

if TYPE_CHECKING:
    from collections.abc import Iterable

    from stampbook.account import Account
    from stampbook.engine import Engine


def look_back(engine: Engine, refs: Iterable[str]) -> None:
    """Check accounts as of every instant at which something happened, and their books as a whole.

    The text of a program is not kept in memory, so what verification says of it is left out.
    """
    for ref in refs:
        entries = entries_of(engine, ref)
        for at in sorted({entry.at for entry in entries}):
            _check(fold(ref, entries, as_of=at))
    assert [finding for finding in verify(engine).findings if finding.account] == []


def _check(account: Account) -> None:
    held: dict[int, int] = {}
    for hold in account.holds.values():
        assert hold.captured + hold.voided + hold.lapsed + hold.remaining == hold.amount, "I7"
        assert all(units > 0 for _, units in hold.left)
        for number, units in hold.left:
            held[number] = held.get(number, 0) + units
    for lot in account.lots.values():
        assert lot.held == held.get(lot.number, 0), "I7"
        if lot.kind != DEBT:
            assert 0 <= lot.held <= lot.remaining, "I6"
