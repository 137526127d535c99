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
        self._rows: int | None = None

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
        if name not in self._populations:
            # Whoever has a row in the history has one in purchases net of returns, where they stand together.
            rows = self.frame("purchases" if name == "history" and self._keeps else name, name)
            self._populations[name] = collected(rows.select("account").unique())["account"].sort()
        return self._populations[name]

    @property
    def rows(self) -> int:
        """How many purchases and returns there are."""
        import narwhals as nw

        if self._rows is None:
            self._rows = int(collected(self.frame("history", "history").select(rows=nw.len()))["rows"].item())
        return self._rows

    def _given(self, name: str, scheme: str) -> nw.LazyFrame[Any]:
        given = getattr(self._frames, name)
        if given is None:
            raise InputError(f"scheme {scheme!r} looks at {name}, of which there are none here")
        return until(given, self._at, name)

    def _purchases(self, scheme: str) -> nw.LazyFrame[Any]:
        purchases = net_purchases(self.frame("history", scheme), self._at)
        return worked_out(purchases, by="account") if self._keeps else purchases
