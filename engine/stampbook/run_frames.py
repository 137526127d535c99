"""The frames of one run of schemes: each up to its instant, checked, and worked out once for all that look at it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stampbook.errors import InputError
from stampbook.netting import net_purchases
from stampbook.population import collected, until, worked_out

if TYPE_CHECKING:
    from datetime import datetime

    import narwhals as nw
    import polars as pl

    from stampbook.population import Frames


class RunFrames:
    """What schemes look at, and whom it is about.

    Args:
        frames: what there is.
        at: the instant of the run; nothing after it is seen.
        keeps: whether more than one scheme will ask for purchases net of returns, so that they are worked out once
            and held in memory.
    """

    def __init__(self, frames: Frames, at: datetime, *, keeps: bool = False) -> None:
        self._frames = frames
        self._at = at
        self._keeps = keeps
        self._ready: dict[str, nw.LazyFrame[Any]] = {}
        self._populations: dict[str, pl.Series] = {}
        self.rows = 0

    def frame(self, name: str, scheme: str) -> nw.LazyFrame[Any]:
        """Return a frame without what came after the instant.

        Raises:
            InputError: it is not there, or its columns are not right.
        """
        if name not in self._ready:
            self._ready[name] = self._purchases(scheme) if name == "purchases" else self._given(name, scheme)
        return self._ready[name]

    def population(self, name: str) -> pl.Series:
        """Return the accounts of a frame, each once, sorted."""
        import narwhals as nw

        if name not in self._populations:
            rows = collected(self.frame(name, name).group_by("account").agg(rows=nw.len()))
            self._populations[name] = rows["account"].sort()
            if name == "history":
                self.rows = int(rows["rows"].sum())
        return self._populations[name]

    def _given(self, name: str, scheme: str) -> nw.LazyFrame[Any]:
        given = getattr(self._frames, name)
        if given is None:
            raise InputError(f"scheme {scheme!r} looks at {name}, of which there are none here")
        return until(given, self._at, name)

    def _purchases(self, scheme: str) -> nw.LazyFrame[Any]:
        purchases = net_purchases(self.frame("history", scheme), self._at)
        return worked_out(purchases) if self._keeps else purchases
