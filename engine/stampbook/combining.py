"""A ledger together with what another system knew: the years before it, say, as that system's export tells them.

What both tell counts once, as the ledger tells it. So an export may reach into the time of the ledger.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stampbook.foreign import check_frames
from stampbook.histories import History
from stampbook.periods import moment_of
from stampbook.population import OPTIONAL_COLUMNS, checked
from stampbook.whose import Whose

if TYPE_CHECKING:
    import polars as pl

    from stampbook.engine import Engine
    from stampbook.population import Frame, Frames


def combined(engine: Engine, past: History, other: Frames, until: int) -> History:
    """Return a ledger's frames with purchases, returns and their lines of another system added.

    All else that schemes look at is the ledger's. What an account bought that was merged since is its heir's.

    Args:
        engine: the ledger.
        past: its frames, of Polars.
        other: frames of Polars, of which the history and, where there are any, the lines count.
        until: the instant up to which both tell.

    Raises:
        InputError: the other system's frames do not keep their promises.
    """
    import polars as pl

    check_frames(other, moment_of(until))
    whose = Whose(engine, until)
    ours = _polars(past.frames.history)
    told = ours.select("account", "event").unique()
    theirs = _new(whose.heirs(_in_columns(checked(other.history, "history").to_native(), ours)), told)
    frames = past.frames._replace(history=pl.concat([ours, theirs]))
    if past.frames.lines is not None and other.lines is not None:
        lines = _polars(past.frames.lines)
        more = _new(whose.heirs(_in_columns(checked(other.lines, "lines").to_native(), lines)), told)
        frames = frames._replace(lines=pl.concat([lines, more]))
    return History(frames, check_frames(frames, moment_of(until)), past.left_out)


def _polars(frame: Frame) -> pl.LazyFrame:
    import polars as pl

    assert isinstance(frame, pl.LazyFrame)  # noqa: S101 - what is read of a ledger is
    return frame


def _in_columns(frame: Any, like: pl.LazyFrame) -> pl.LazyFrame:
    """Return a frame in the columns and types of a ledger's; what it need not have and has not is not known."""
    import polars as pl

    known = frame.collect_schema().names()
    columns = [
        (pl.lit(None) if name in OPTIONAL_COLUMNS and name not in known else pl.col(name)).cast(kind).alias(name)
        for name, kind in like.collect_schema().items()
    ]
    selected: pl.LazyFrame = frame.select(columns)
    return selected


def _new(rows: pl.LazyFrame, told: pl.LazyFrame) -> pl.LazyFrame:
    """Return the rows of events that the ledger does not tell itself."""
    return rows.join(told, on=["account", "event"], how="anti")
