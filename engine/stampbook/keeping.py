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

from stampbook.score_texts import score_texts
from stampbook.store import segment_columns
from stampbook.store.segment_runs import (
    KEPT,
    RAW,
    KeptRun,
    add_run,
    copy_line,
    find_run,
    has_line,
    keep_alone,
    run_instants,
    spells_from,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    import polars as pl

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


class Kept(NamedTuple):
    """A run as it was kept.

    Attributes:
        run: the run, with its id.
        moved: `account`, `before` and `segment` of the accounts that are elsewhere than just before its instant, as
            `Move` has them, in the order of their refs; None for a run that was made before.
        members: `account` and `segment` of everybody at its instant; None in the same case.
    """

    run: KeptRun
    moved: pl.DataFrame | None
    members: pl.DataFrame | None


class _Line(NamedTuple):
    """A line of a scheme as a run leaves it: `id`, `since` and `segment` of all, and of those whom the run changed."""

    now: pl.DataFrame
    changed: pl.DataFrame


def keep(session: Session, run: KeptRun, said: pl.DataFrame, policy: Policy) -> Kept:
    """Keep a run and whom it moved; one that was made before is left as it is, and moves nobody.

    Args:
        session: a writing transaction.
        run: its id is given here.
        said: `account`, `segment` and scores, each account once and in their order; those that are not in the books are
            left out.
        policy: what holds accounts where they are.
    """
    import polars as pl

    keep_alone(session)
    before = find_run(session, run.scheme, run.at, run.definition)
    if before is not None:
        return Kept(before, None, None)
    known = segment_columns.accounts(session)
    placed = said.select("account", "segment").with_row_index("place").join(known, on="account").sort("id")
    others = run_instants(session, run.scheme)
    run = add_run(session, run)
    later = [at for at in others if at > run.at]
    if not later:
        _keep_scores(session, run.scheme, placed, said.drop("account"), is_first=not others)
    raw = placed.select("id", "segment")
    was = segment_columns.spells(session, run.scheme, KEPT, run.at - 1)
    if policy.holds and not has_line(session, run.scheme, RAW):
        copy_line(session, run.scheme, KEPT, RAW)  # nothing was held so far: what was kept is what was said
    instants = sorted({*others, run.at})
    if has_line(session, run.scheme, RAW) or policy.holds:
        line = _hold(session, run, _say(session, run, RAW, raw, instants).now, was, instants, policy)
    else:
        line = _say(session, run, KEPT, raw, instants, was)
    moved = (
        line.changed.join(placed.select("id", "place"), on="id")
        .join(was, on="id", how="left", suffix="_before")
        .sort("place")
        .select("place", pl.col("segment_before").fill_null("").alias("before"), "segment")
    )
    moved = moved.select(said["account"][moved["place"]], "before", "segment")
    everybody = segment_columns.unmerged(session, known.join(line.now, on="id"), run.at)
    return Kept(run, moved, everybody.select("account", "segment"))


def _keep_scores(session: Session, scheme: str, placed: pl.DataFrame, said: pl.DataFrame, *, is_first: bool) -> None:
    """Keep what the latest run said, a range of accounts at a time: all at once their texts would take much memory.

    Args:
        session: a writing transaction.
        scheme: whose latest run it is.
        placed: `id`, `segment` and `place` (in `said`) of accounts, in the order of ids.
        said: what it said of them, with their scores.
        is_first: whether no run of its scheme was kept before.
    """
    names = [name for name in said.columns if name != "segment"]
    compares = not is_first
    for low, high, some in segment_columns.ranges(placed):
        texts = score_texts(said[some["place"]], names).alias("scores")
        part = some.select("id", "segment").with_columns(texts)
        if compares:
            # where most say something else, such as days since, looking for those that do not is not worth its time
            compares = segment_columns.change_scores(session, scheme, low, high, part)
        else:
            segment_columns.replace_scores(session, scheme, low, high, part)


def _say(
    session: Session,
    run: KeptRun,
    line: str,
    raw: pl.DataFrame,
    instants: Sequence[int],
    was: pl.DataFrame | None = None,
) -> _Line:
    """Write what a run said into a line, and return the line as of the run."""
    import polars as pl

    if was is None:
        was = segment_columns.spells(session, run.scheme, line, run.at - 1)
    changed = (
        raw.join(was, on="id", how="left", suffix="_was")
        .filter(pl.col("segment").ne_missing(pl.col("segment_was")))
        .select("id", pl.lit(run.at, pl.Int64).alias("since"), "segment")
    )
    now = _laid_over(was, changed)
    spells = changed
    if instants[-1] > run.at:
        after = spells_from(session, run.scheme, line, run.at)
        numbers = {*after, *changed["id"].to_list()}
        old, new = _by_id(was, numbers), _by_id(now, numbers)
        later = instants[bisect_left(instants, run.at + 1)]
        following = [
            spell
            for number in numbers
            for spell in _following(number, old.get(number), new.get(number), after.get(number, ()), later)
        ]
        spells = pl.concat([changed, pl.DataFrame(following, schema=changed.schema, orient="row")])
    segment_columns.end_spells(session, run.scheme, line, run.at)
    if instants[-1] == run.at and len(changed) == len(raw):
        segment_columns.add_all_spells(session, run, line)
    else:
        segment_columns.add_spells(session, run.scheme, line, spells)
    return _Line(now, changed)


def _laid_over(was: pl.DataFrame, changed: pl.DataFrame) -> pl.DataFrame:
    import polars as pl

    return pl.concat([was.join(changed, on="id", how="anti"), changed])


def _by_id(some: pl.DataFrame, numbers: Collection[int]) -> dict[int, Held]:
    import polars as pl

    wanted = pl.DataFrame({"id": pl.Series(list(numbers), dtype=pl.Int64)})
    found = some.join(wanted, on="id", how="semi").select("id", "since", "segment")
    return {number: (since, segment) for number, since, segment in found.iter_rows()}


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
    raw: pl.DataFrame,
    was: pl.DataFrame,
    instants: Sequence[int],
    policy: Policy,
) -> _Line:
    """Work the kept line out of the raw one from a run on, and return it as of that run."""
    import polars as pl

    differs = raw.join(was, on="id", how="left", suffix="_held").filter(
        pl.col("segment").ne_missing(pl.col("segment_held"))
    )
    if instants[-1] > run.at:
        spells = _held_since(session, run, differs, raw, was, instants, policy)
    else:
        # many accounts share few cases
        case = ["since", "segment", "since_held", "segment_held"]
        cases = differs.select(case).unique().filter(pl.col("segment_held").is_not_null())
        agreed = {since: len(instants) - bisect_left(instants, since) for since in set(cases["since"])}
        may = [
            _may_move((since_held, segment_held), segment, run.at, agreed[since], policy)
            for since, segment, since_held, segment_held in cases.iter_rows()
        ]
        free = cases.filter(pl.Series(may, dtype=pl.Boolean))
        moved = differs.join(free, on=case, how="semi")
        came = differs.filter(pl.col("segment_held").is_null())
        spells = pl.concat([moved, came]).select("id", pl.lit(run.at, pl.Int64).alias("since"), "segment")
    segment_columns.end_spells(session, run.scheme, KEPT, run.at)
    segment_columns.add_spells(session, run.scheme, KEPT, spells)
    changed = spells.filter(pl.col("since") == run.at)
    return _Line(_laid_over(was, changed), changed)


def _held_since(
    session: Session,
    run: KeptRun,
    differs: pl.DataFrame,
    raw: pl.DataFrame,
    was: pl.DataFrame,
    instants: Sequence[int],
    policy: Policy,
) -> pl.DataFrame:
    """Return the spells of the kept line from a run on which others follow.

    An account that is where runs say, and of which no later one says otherwise, has none.
    """
    import polars as pl

    following = spells_from(session, run.scheme, RAW, run.at + 1)
    place = bisect_left(instants, run.at)
    numbers = {*differs["id"].to_list(), *following}
    said_now, held_now = _by_id(raw, numbers), _by_id(was, numbers)
    spells: list[tuple[int, int, str]] = []
    for number in numbers:
        changes = dict(following.get(number, ()))
        said, held = said_now.get(number), held_now.get(number)
        for position in range(place, len(instants)):
            at = instants[position]
            said = (at, changes[at]) if at in changes else said
            if said is None:
                continue  # its first run comes later
            agreed = position - bisect_left(instants, said[0]) + 1
            if held is None or (held[1] != said[1] and _may_move(held, said[1], at, agreed, policy)):
                held = (at, said[1])
                spells.append((number, at, said[1]))
    return pl.DataFrame(spells, schema={"id": pl.Int64, "since": pl.Int64, "segment": pl.String}, orient="row")


def _may_move(held: Held, segment: str, at: int, agreed: int, policy: Policy) -> bool:
    if segment in policy.at_once:
        return True
    stays = policy.stays_until is not None and at < policy.stays_until(held[0])
    return not stays and agreed >= policy.confirm_runs
