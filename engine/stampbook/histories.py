"""The frames of a ledger that segmentation looks at, out of its journal; each is read only where it is wanted.

Amounts of purchases and returns in another currency than the program's are left out: they cannot be added up.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from stampbook.metrics import SEPARATOR
from stampbook.population import Frames
from stampbook.sale_frames import told_sales
from stampbook.sales import LINE, SALE, Sales, frame_of, history_of, lines_of, of_their_purchases
from stampbook.store.columns import sales_columns
from stampbook.store.histories import accounts, attributes, counted, happenings, moved, statuses
from stampbook.whose import Whose

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    import polars as pl

    from stampbook.archive import Archive
    from stampbook.engine import Engine
    from stampbook.vocabulary import Context


_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()


class History(NamedTuple):
    """What was read of a ledger: its frames, how many purchases and returns, and how many in other currencies."""

    frames: Frames
    rows: int
    left_out: int


def read_frames(
    engine: Engine,
    until: int,
    wanted: Collection[str],
    *,
    archive: Archive | None = None,
    on_progress: Callable[[int], None] | None = None,
    context: Context | None = None,
    currency: str = "",
) -> History:
    """Return the frames that schemes name, up to an instant; see `stampbook.population` for their columns.

    What happened on an account that had been merged into another by then is told of that other one. Accounts that are a
    plugin's own, such as cards, are left out; see `stampbook.whose`.

    Args:
        engine: the ledger.
        until: nothing after it is read.
        wanted: of the names of `Frames`; the history is always read.
        archive: one that is brought up to the journal and then read in its place, as long as it is in use.
        on_progress: called with how many purchases and returns have been read of the journal.
        context: whose attributes and currency count, a draft's for example; the program's in force where absent.
        currency: another one in which purchases and returns are wanted.
    """
    context = context or engine.registry(until).context
    currency = currency or context.currency.code
    with_lines = "lines" in wanted
    lines: pl.LazyFrame | None = None
    if archive is None and not with_lines:
        sales, counts, whose = told_sales(engine, until, currency, on_progress)
    else:
        if archive is None:
            sales, lines = _of_journal(engine, until, currency, on_progress=on_progress)
        else:
            kept, kept_lines = archive.up_to_date(engine, currency, with_lines=with_lines, on_progress=on_progress)
            sales, lines = _up_to(kept, until), None if kept_lines is None else _up_to(kept_lines, until)
        # Whose it is comes first: what comes back to an heir may be of a purchase of the account that was merged.
        whose = Whose(engine, until)
        sales = whose.heirs(sales)
        counts = _counted(sales)
    if counts.get(1):
        sales = of_their_purchases(sales)
        counts = _counted(sales)
    frames = Frames(
        history_of(sales),
        lines_of(whose.heirs(lines)) if with_lines and lines is not None else None,
        whose.customers(_accounts(engine, until, context.attributes)) if "accounts" in wanted else None,
        whose.moved(_movements(engine, until, context.currency.code)) if "movements" in wanted else None,
        whose.happened(_activity(engine, until)) if "activity" in wanted else None,
        whose.happened(_counts(engine, until)) if "counts" in wanted else None,
    )
    return History(frames, counts.get(0, 0), counts.get(1, 0))


def _of_journal(
    engine: Engine, until: int, currency: str, *, on_progress: Callable[[int], None] | None
) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    import polars as pl

    told = Sales(engine, currency, with_lines=True)
    sales, lines = [frame_of([], SALE)], [frame_of([], LINE)]
    with sales_columns(engine.store) as columns:
        for rows in columns.all(until):
            sold = told.told(rows)
            sales.append(sold.sales)
            if sold.lines is not None:
                lines.append(sold.lines)
            if on_progress is not None:
                on_progress(sum(map(len, sales)))
    return pl.concat(sales).lazy(), pl.concat(lines).lazy()


def _counted(sales: pl.LazyFrame) -> dict[int, int]:
    """Return how many sales there are by whether they are in another currency."""
    return dict(sales.group_by("foreign").len().collect().iter_rows())


def _up_to(frame: pl.LazyFrame, until: int) -> pl.LazyFrame:
    import polars as pl

    return frame.filter(pl.col("at").cast(pl.Int64) <= until)


def _accounts(engine: Engine, until: int, declared: Iterable[str]) -> pl.LazyFrame:
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
        refs.replace_strict(said.get(name, {}), default=None, return_dtype=pl.String).alias(name) for name in declared
    ]
    return frame.with_columns(columns).lazy()


def _movements(engine: Engine, until: int, asset: str) -> pl.LazyFrame:
    """Return one row an event that changed what an account holds of an asset."""
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


def _counts(engine: Engine, until: int) -> pl.LazyFrame:
    """Return one row a change of a metric that a program declared; what limits and plugins count has a slash."""
    with engine.store.reader() as session:
        rows = (
            (ref, at, name, text or None, day - _EPOCH_DAY, units)
            for ref, at, effects in counted(session, until)
            for metric, day, units in orjson.loads(effects).get("metrics", ())
            for name, _, text in [metric.partition(SEPARATOR)]
            if "/" not in name
        )
        return frame_of(rows, ("account", "at", "metric", "value", "day", "amount")).lazy()
