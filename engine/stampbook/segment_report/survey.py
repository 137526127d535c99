"""What a report is made of: a history, what schemes said of its accounts at some instants, and whose it is."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    import polars as pl

    from stampbook.amounts import Asset
    from stampbook.segments import SegmentRun


@dataclass(frozen=True, slots=True)
class Judged:
    """What one scheme said at one instant.

    Attributes:
        run: the run, with a row an account.
        plugin: the plugin that made it, such as "rfm": the name of its package without ``stampbook_``.
        findings: what the run found out besides, as plain data; see `stampbook.segment_report.findings`.
        by: what the scheme goes by, where its options say so.
    """

    run: SegmentRun
    plugin: str
    findings: Mapping[str, Any] = field(default_factory=dict)
    by: str = ""

    @property
    def scheme(self) -> str:
        """The name of the plugin in the program."""
        return self.run.scheme


@dataclass(frozen=True, slots=True)
class Survey:
    """All that a report is made of. Equal surveys make equal reports, to the last byte.

    Attributes:
        program: the program's name.
        program_hash: the hash of its content.
        currency: in which it counts; amounts of the history are in its smallest unit.
        zone: the program's time zone, in which months are counted.
        at: the instant as of which accounts were judged.
        since: the earlier instant, with which `at` is compared.
        history: purchases and returns, see `stampbook.segments.HISTORY_COLUMNS`.
        runs: what each scheme said as of `at`, in the order of the program.
        before: what the leading scheme, or more of them, said as of `since`.
        over_time: what the lifecycle scheme said at several instants, the earliest first.
        left_out: purchases and returns in other currencies.
        main: the scheme whose segments are mapped and whose moves are told; empty for the first that has scores
            for recency and frequency, or else the first.
    """

    program: str
    program_hash: str
    currency: Asset
    zone: str
    at: datetime
    since: datetime
    history: pl.LazyFrame
    runs: tuple[Judged, ...]
    before: tuple[Judged, ...] = ()
    over_time: tuple[Judged, ...] = ()
    left_out: int = 0
    main: str = ""

    def grid(self) -> Judged | None:
        """Return the first run with scores for recency and frequency."""
        return grid_of(self.runs)

    def made_by(self, plugin: str, *, by: str = "") -> Judged | None:
        """Return the first run that a plugin made; with `by`, the first that goes by nothing else."""
        return next((run for run in self.runs if run.plugin == plugin and (not by or run.by in {"", by})), None)

    def leading(self) -> Judged | None:
        """Return the run whose segments are mapped and whose moves are told."""
        return leading(self.runs, self.main)

    def earlier(self, scheme: str) -> Judged | None:
        """Return what a scheme said as of `since`."""
        return next((run for run in self.before if run.scheme == scheme), None)


def leading(runs: Sequence[Judged], main: str) -> Judged | None:
    """Return the run of a scheme that is named; or else the first with recency and frequency, or else the first."""
    named = next((run for run in runs if run.scheme == main), None)
    return named or grid_of(runs) or next(iter(runs), None)


def grid_of(runs: Sequence[Judged]) -> Judged | None:
    """Return the first run with scores for recency and frequency."""
    return next((run for run in runs if _has_grid(run.run.frame)), None)


def _has_grid(frame: pl.DataFrame) -> bool:
    return all(name in frame.columns and frame.schema[name].is_integer() for name in ("r", "f"))
