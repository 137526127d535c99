"""The frames of a ledger that segmentation looks at, out of its journal; each is read only where it is wanted.

Amounts of purchases and returns in another currency than the program's are left out: they cannot be added up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from stampbook.population import Frames
from stampbook.sales import Sales, frame_of
from stampbook.store.histories import accounts, attributes, happenings, moved, statuses

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    import polars as pl

    from stampbook.engine import Engine


class History(NamedTuple):
    """What was read of a ledger: its frames, how many purchases and returns, and how many in other currencies."""

    frames: Frames
    rows: int
    left_out: int


def read_frames(
    engine: Engine, until: int, wanted: Collection[str], *, on_progress: Callable[[int], None] | None = None
) -> History:
    """Return the frames that schemes name, up to an instant; see `stampbook.population` for their columns.

    Args:
        engine: the ledger.
        until: nothing after it is read.
        wanted: of the names of `Frames`; the history is always read.
        on_progress: called with how many purchases and returns have been read.
    """
    sales = Sales(engine, until, with_lines="lines" in wanted)
    for count in sales.read():
        if on_progress is not None:
            on_progress(count)
    frames = Frames(
        sales.history(),
        sales.lines() if "lines" in wanted else None,
        _accounts(engine, until) if "accounts" in wanted else None,
        _movements(engine, until) if "movements" in wanted else None,
        _activity(engine, until) if "activity" in wanted else None,
    )
    return History(frames, sales.rows, sales.left_out)


def _accounts(engine: Engine, until: int) -> pl.LazyFrame:
    """Return one row an account that was opened, with its status and attributes as of the instant."""
    import polars as pl

    with engine.store.reader() as session:
        frame = frame_of(accounts(session, until), ("account", "opened_at"))
        changed = dict(statuses(session, until))
        said: dict[str, dict[str, str]] = {}
        for name, ref, value in attributes(session, until):
            said.setdefault(name, {})[ref] = value
    refs = frame["account"]
    columns = [refs.replace_strict(changed, default="open", return_dtype=pl.String).alias("status")]
    columns += [
        refs.replace_strict(said.get(name, {}), default=None, return_dtype=pl.String).alias(name)
        for name in engine.registry(until).context.attributes
    ]
    return frame.with_columns(columns).lazy()


def _movements(engine: Engine, until: int) -> pl.LazyFrame:
    """Return one row an event that changed what an account holds of the program's currency."""
    asset = engine.registry(until).context.currency.code
    with engine.store.reader() as session:
        rows = (
            (ref, at, kind, change)
            for ref, at, kind, postings in moved(session, until, asset)
            if (change := _change(orjson.loads(postings), asset))
        )
        return frame_of(rows, ("account", "at", "kind", "amount")).lazy()


def _change(postings: Iterable[Sequence[Any]], asset: str) -> int:
    return sum(
        units * (isinstance(destination, int) - isinstance(source, int))
        for code, units, source, destination, *_ in postings
        if code == asset
    )


def _activity(engine: Engine, until: int) -> pl.LazyFrame:
    """Return one row an accepted event."""
    with engine.store.reader() as session:
        rows = (
            (ref, at, kind, orjson.loads(payload).get("reason") if '"reason"' in payload else None)
            for ref, at, kind, payload in happenings(session, until)
        )
        return frame_of(rows, ("account", "at", "kind", "reason")).lazy()
