"""The history of a ledger out of its table of sales: columns that are worked out as they are looked at.

What was read may lie in files. A frame of it reads them again each time that somebody looks, only the columns that are
asked for, so that the memory of ten million orders is never needed at once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from stampbook.sales import SALE, Sales, frame_of
from stampbook.store.columns import sales_columns
from stampbook.store.sale_columns import kept_sales
from stampbook.whose import Whose

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import polars as pl

    from stampbook.engine import Engine
    from stampbook.store.sale_columns import KeptSales

_KEPT: Final[Mapping[str, tuple[str, ...]]] = {
    "account": ("account_id",),
    "at": ("at",),
    "kind": ("kind",),
    "amount": ("amount", "kind", "currency"),
    "event": ("event",),
    "about": ("about",),
    "discount": ("discount", "currency"),
    "channel": ("channel", "currency"),
    "store": ("store", "currency"),
    "foreign": ("currency",),
}
"""What of the table each column of `sales.SALE` is made of."""


class Told(NamedTuple):
    """Sales with the columns of `sales.SALE`, whose they are at an instant; how many by whether they are `foreign`."""

    sales: pl.LazyFrame
    counts: dict[int, int]
    whose: Whose


def told_sales(engine: Engine, until: int, currency: str, on_progress: Callable[[int], None] | None = None) -> Told:
    """Return the purchases and returns of a ledger up to an instant, those in other currencies included.

    Args:
        engine: the ledger.
        until: nothing after it is read.
        currency: that in which they are wanted.
        on_progress: called with how many have been read.
    """
    import polars as pl

    kept = kept_sales(engine.store, until, on_progress)
    older = _untold(engine, kept, until, currency, on_progress)
    whose = Whose(engine, until)
    own = kept.currencies.get(currency, 0)
    counts = {0: own, 1: kept.rows - own}
    sales = _Source(kept, currency, whose).frame()
    if len(older):
        for foreign, rows in older.group_by("foreign").len().iter_rows():
            counts[foreign] += rows
        sales = pl.concat([sales, whose.heirs(older.lazy())])
    return Told(sales, counts, whose)


def _untold(
    engine: Engine, kept: KeptSales, until: int, currency: str, on_progress: Callable[[int], None] | None
) -> pl.DataFrame:
    """Return the sales of which the table says only where they stand, as the journal tells them."""
    import polars as pl

    parts = [frame_of([], SALE)]
    if kept.untold:
        wanted, rows = pl.concat(kept.untold), kept.rows
        told = Sales(engine, currency, with_lines=False)
        with sales_columns(engine.store) as columns:
            for some in columns.among(wanted, until):
                parts.append(told.told(some).sales)
                rows += len(parts[-1])
                if on_progress is not None:
                    on_progress(rows)
    return pl.concat(parts)


class _Source:
    """What is kept of sales, as a frame that is made of it part by part."""

    def __init__(self, kept: KeptSales, currency: str, whose: Whose) -> None:
        import polars as pl

        self._kept = kept
        self._currency = currency
        self._is_all_own = kept.rows == kept.currencies.get(currency, 0)
        refs = whose.heirs(kept.accounts.lazy().rename({"ref": "account"})).collect()
        last = refs["id"].max()
        ids = pl.DataFrame({"id": pl.int_range(0, (last if isinstance(last, int) else 0) + 1, eager=True)})
        self._refs = ids.join(refs, on="id", how="left", maintain_order="left")["account"]

    def frame(self) -> pl.LazyFrame:
        import polars as pl
        from polars.io.plugins import register_io_source

        if all(isinstance(part, pl.DataFrame) for part in self._kept.parts):
            return pl.concat([frame_of([], SALE), *self._told(None, None, None, None)]).lazy()
        return register_io_source(self._told, schema=frame_of([], SALE).schema)

    def _told(
        self, columns: list[str] | None, predicate: pl.Expr | None, most: int | None, _batch_rows: int | None
    ) -> Iterator[pl.DataFrame]:
        names: list[str] = [*SALE] if columns is None else columns
        # a predicate names a column as often as it asks it: a span of time does twice
        asked = [] if predicate is None else list(dict.fromkeys(predicate.meta.root_names()))
        for part in self._kept.parts:
            if predicate is None:
                found = self._read(part, names)
            else:  # first what decides, so that the rest is worked out only of rows that are wanted
                first = self._read(part, asked)
                wanted = first.with_columns(predicate.alias("wanted"))["wanted"]
                found = self._read(part, names, wanted)
            if most is not None:
                found = found.head(most)
                most -= len(found)
            yield found
            if most == 0:
                return

    def _read(self, part: pl.DataFrame | Path, names: Sequence[str], wanted: pl.Series | None = None) -> pl.DataFrame:
        import polars as pl

        if not names:
            names = ("foreign",)
        exprs = self._exprs()
        own = {"currency"} if self._is_all_own and "foreign" not in names else set[str]()
        kept = sorted({column for name in names for column in _KEPT[name]} - own)
        frame = part.lazy() if isinstance(part, pl.DataFrame) else pl.scan_ipc(part)
        rows = frame.select(kept).collect()
        rows = rows if wanted is None else rows.filter(wanted)
        # beside the rows, so that what is the same in all of them is said of each
        return rows.with_columns([exprs[name].alias(name) for name in names]).select(names)

    def _exprs(self) -> dict[str, pl.Expr]:
        """Return what each column of a history is, made of columns of the table."""
        import polars as pl

        bought = pl.col("kind")
        own = pl.lit(value=True) if self._is_all_own else pl.col("currency").cast(pl.String) == self._currency
        foreign = pl.lit(0) if self._is_all_own else 1 - own.cast(pl.Int64)
        said = {name: pl.col(name).cast(pl.String) for name in ("channel", "store")}
        return {
            "account": pl.lit(self._refs).gather(pl.col("account_id")),
            "at": pl.col("at").cast(pl.Datetime("us", "UTC")),
            "kind": pl.when(bought).then(pl.lit("purchase")).otherwise(pl.lit("return")),
            "amount": pl.col("amount") if self._is_all_own else pl.when(own | ~bought).then("amount").otherwise(0),
            "event": pl.col("event"),
            "about": pl.when(pl.col("about") != "").then("about"),
            "discount": pl.col("discount") if self._is_all_own else pl.when(own).then("discount").otherwise(0),
            **{name: pl.when(own & (text != "")).then(text) for name, text in said.items()},
            "foreign": foreign.cast(pl.Int64),
        }
