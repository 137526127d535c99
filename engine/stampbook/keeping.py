"""Keeping what a run of a scheme said: who changed, and whether a policy holds them where they are for a while.

What a run says is raw. An account moves at once, unless the program's `[segments.<scheme>]` asks for a minimum stay or
for several runs in a row that agree; then it stays where it is, and what was said is kept beside it.

Runs may be made in any order. The spells are always those that the same runs would have left in the order of time. A
run is held by the policy of the day on which it was made, and so are those as of later instants, once more.
"""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from stampbook.store.segment_runs import (
    KEPT,
    RAW,
    KeptRun,
    Membership,
    account_ids,
    add_run,
    copy_line,
    find_run,
    has_line,
    keep_alone,
    replace_scores,
    replace_spells,
    run_instants,
    spells_at,
    spells_from,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from stampbook.store.session import Session

    Held = tuple[int, str]
    """Since when an account is in which segment."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What holds an account in its segment.

    Attributes:
        stays_until: from the instant at which a segment was entered, the first at which it may be left.
        confirm_runs: how many runs in a row must agree on another one.
        at_once: segments that are entered without either.
    """

    stays_until: Callable[[int], int] | None = None
    confirm_runs: int = 1
    at_once: frozenset[str] = frozenset()

    @property
    def holds(self) -> bool:
        """Whether it can ever hold anybody."""
        return self.stays_until is not None or self.confirm_runs > 1


class Move(NamedTuple):
    """An account that a run moved: `before` is empty for one that was in no segment yet."""

    account: str
    before: str
    segment: str


def keep(session: Session, run: KeptRun, members: Iterable[Membership], policy: Policy) -> tuple[KeptRun, list[Move]]:
    """Keep a run and whom it moved; one that was made before is left as it is, and moves nobody.

    Args:
        session: a writing transaction.
        run: its id is given here.
        members: each account once; accounts that are not in the books are left out.
        policy: what holds accounts where they are.

    Returns:
        the run, and the accounts that are elsewhere than just before its instant.
    """
    keep_alone(session)
    before = find_run(session, run.scheme, run.at, run.definition)
    if before is not None:
        return before, []
    ids = account_ids(session)
    said = [(ids[member.account], member) for member in members if member.account in ids]
    others = run_instants(session, run.scheme)
    run = add_run(session, run)
    later = [at for at in others if at > run.at]
    if not later:
        replace_scores(session, run, [(number, member.segment, member.scores) for number, member in said])
    raw = {number: member.segment for number, member in said}
    was = spells_at(session, run.scheme, KEPT, run.at - 1)
    if policy.holds and not has_line(session, run.scheme, RAW):
        copy_line(session, run.scheme, KEPT, RAW)  # nothing was held so far: what was kept is what was said
    if has_line(session, run.scheme, RAW) or policy.holds:
        kept = _hold(session, run, _say(session, run, RAW, raw, later), was, sorted({*others, run.at}), policy)
    else:
        kept = _say(session, run, KEPT, raw, later)
    refs = {number: member.account for number, member in said}
    moves = [
        Move(refs[number], was[number][1] if number in was else "", segment)
        for number, (_, segment) in kept.items()
        if number in refs and (number not in was or was[number][1] != segment)
    ]
    return run, sorted(moves)


def _say(session: Session, run: KeptRun, line: str, raw: Mapping[int, str], later: Sequence[int]) -> dict[int, Held]:
    """Write what a run said into a line, and return the line as of the run: who is where, and since when."""
    was = spells_at(session, run.scheme, line, run.at - 1)
    after = spells_from(session, run.scheme, line, run.at)
    now: dict[int, Held] = dict(was)
    changed = {
        number: (run.at, segment) for number, segment in raw.items() if number not in was or was[number][1] != segment
    }
    now.update(changed)
    spells = [(number, *held) for number, held in changed.items()]
    if later:
        for number in {*after, *changed}:
            spells += _following(number, was.get(number), now.get(number), after.get(number, ()), later[0])
    replace_spells(session, run.scheme, line, run.at, spells)
    return now


def _following(
    number: int, was: Held | None, now: Held | None, after: Sequence[Held], later: int
) -> list[tuple[int, int, str]]:
    """Return the spells of an account that begin after a run: what the later runs said does not change by it."""
    at_next = next((segment for since, segment in reversed(after) if since <= later), was[1] if was else None)
    following = [(since, segment) for since, segment in after if since > later]
    if at_next is not None:
        following.insert(0, (later, at_next))
    kept: list[tuple[int, int, str]] = []
    last = None if now is None else now[1]
    for since, segment in following:
        if segment != last:
            kept.append((number, since, segment))
        last = segment
    return kept


def _hold(
    session: Session,
    run: KeptRun,
    raw: Mapping[int, Held],
    was: Mapping[int, Held],
    instants: Sequence[int],
    policy: Policy,
) -> dict[int, Held]:
    """Work the kept line out of the raw one from a run on, and return it as of that run."""
    following = spells_from(session, run.scheme, RAW, run.at + 1)
    place = bisect_left(instants, run.at)
    spells: list[tuple[int, int, str]] = []
    now: dict[int, Held] = {}
    for number in {*raw, *following}:
        changes = dict(following.get(number, ()))
        said, held = raw.get(number), was.get(number)
        for position in range(place, len(instants)):
            at = instants[position]
            said = (at, changes[at]) if at in changes else said
            if said is None:
                continue  # its first run comes later
            agreed = position - bisect_left(instants, said[0]) + 1
            if held is None or (held[1] != said[1] and _may_move(held, said[1], at, agreed, policy)):
                held = (at, said[1])
                spells.append((number, at, said[1]))
            if position == place:
                now[number] = held
    replace_spells(session, run.scheme, KEPT, run.at, spells)
    return now


def _may_move(held: Held, segment: str, at: int, agreed: int, policy: Policy) -> bool:
    if segment in policy.at_once:
        return True
    stays = policy.stays_until is not None and at < policy.stays_until(held[0])
    return not stays and agreed >= policy.confirm_runs
