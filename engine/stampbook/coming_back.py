"""What a return let go of since it was set aside or had paid, and takes when that comes back to the account."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from stampbook.ledger import PROMOTION, Fact, Posting
from stampbook.periods import NEVER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from stampbook.draft import Draft

AWAITED = "_let_go"
"""The fact that keeps by asset what returns wait for: pairs of the return's place in the journal and units."""

RULE = "let_go"
"""The rule of what is taken when it comes back."""

Waits = dict[str, list[list[int]]]


def wait_for(draft: Draft, awaited: Mapping[str, int]) -> None:
    """Note what a return waits for, by asset."""
    waits = _waits(draft)
    for asset, units in awaited.items():
        if units:
            waits.setdefault(asset, []).append([draft.account.seq + 1, units])
    _keep(draft, waits)


def take_back(draft: Draft, asset: str, parts: Iterable[tuple[int, int]], left_at: int) -> None:
    """Take what comes back of an asset, as far as a return waits for it: of what left the balance before the return.

    Args:
        draft: the transaction that brings it back.
        asset: what comes back.
        parts: pairs of lot number and units that may be spent again.
        left_at: the place in the journal of the event that set it aside, or spent it.
    """
    waits = _waits(draft)
    taken = 0
    for number, units in parts:
        left = units
        for wait in waits.get(asset, ()):
            part = min(left, wait[1]) if wait[0] > left_at else 0
            if part > 0:
                wait[1] -= part
                left -= part
        if left < units:
            draft.postings.append(Posting(asset, units - left, number, PROMOTION, RULE))
            taken += units - left
    if taken:
        _keep(draft, waits)
        told = draft.trace.setdefault("let_go", {})
        told[asset] = told.get(asset, 0) + taken


def _waits(draft: Draft) -> Waits:
    """Return what returns wait for, the draft included."""
    value = next((fact.value for fact in draft.facts if fact.name == AWAITED), None)
    if value is None:
        past = draft.account.facts.get(AWAITED)
        value = past[-1].value if past else ""
    waits: Waits = json.loads(value) if value else {}
    return waits


def _keep(draft: Draft, waits: Waits) -> None:
    left = {asset: [wait for wait in of if wait[1]] for asset, of in waits.items()}
    left = {asset: of for asset, of in left.items() if of}
    past = draft.account.facts.get(AWAITED)
    value = json.dumps(left, separators=(",", ":"), sort_keys=True) if left else ""
    since = past[-1].since if past else draft.event.at
    draft.facts = [fact for fact in draft.facts if fact.name != AWAITED]
    draft.facts.append(Fact(AWAITED, value, since, NEVER))
