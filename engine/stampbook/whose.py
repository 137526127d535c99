"""Whose the rows are that segmentation looks at: of the heir of a merged account, of a card's customer, or nobody's.

Segments are of customers. An account that was merged into another is that other one from then on. An account that is a
plugin's own, such as a card or a voucher, is no customer; what moves on one that is registered for a customer is told
of that customer, as if it had been so from the beginning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from stampbook.store.histories import merged
from stampbook.store.segment_runs import fact_values

if TYPE_CHECKING:
    from collections.abc import Mapping

    import polars as pl

    from stampbook.engine import Engine


class Whose:
    """Tells whose accounts are, as of an instant."""

    def __init__(self, engine: Engine, until: int) -> None:
        with engine.store.reader() as session:
            into = dict(merged(session, until))
            in_force = engine.in_force(session)
            held = [registry for registry, _, _ in in_force.segments(in_force.starts[0], until)]
            # What was a card under an earlier program has not become a customer since.
            owned = {prefix: plugin.registered for each in held for plugin in each.plugins for prefix in plugin.owns}
            facts = {fact: fact_values(session, fact, until) for fact in owned.values() if fact}
        self._heirs = {ref: _end(ref, into) for ref in into}
        self._owned = tuple(owned)
        self._customers = {
            ref: customer
            for prefix, fact in owned.items()
            if fact
            for ref, customer in facts[fact].items()
            if customer and ref.startswith(prefix)
        }

    def heirs(self, frame: pl.LazyFrame) -> pl.LazyFrame:
        """Give the rows of accounts that were merged to those into which they went, at last."""
        import polars as pl

        return frame.with_columns(pl.col("account").replace(self._heirs)) if self._heirs else frame

    def customers(self, frame: pl.LazyFrame) -> pl.LazyFrame:
        """Leave out accounts that are no customers of their own."""
        import polars as pl

        left = self._not_owned(frame)
        return left.filter(~pl.col("account").is_in(list(self._heirs))) if self._heirs else left

    def happened(self, frame: pl.LazyFrame) -> pl.LazyFrame:
        """Give what happened to customers, and leave out what happened to accounts that are a plugin's own."""
        return self.heirs(self._not_owned(frame))

    def moved(self, frame: pl.LazyFrame) -> pl.LazyFrame:
        """Give what moved to customers, that on what is registered for them included, and leave out all else."""
        import polars as pl

        if self._customers:
            frame = frame.with_columns(pl.col("account").replace(self._customers))
        return self.happened(frame)

    def _not_owned(self, frame: pl.LazyFrame) -> pl.LazyFrame:
        import polars as pl

        for prefix in self._owned:
            frame = frame.filter(~pl.col("account").str.starts_with(prefix))
        return frame


def _end(ref: str, into: Mapping[str, str]) -> str:
    seen = {ref}
    while (following := into.get(ref)) is not None and following not in seen:
        seen.add(ref := following)
    return ref
