"""Scores of a run as JSON texts, one an account, made column by column: the same bytes as from each row by itself."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import orjson

if TYPE_CHECKING:
    from collections.abc import Sequence

    import polars as pl

_MARK = ","


def score_texts(frame: pl.DataFrame, names: Sequence[str]) -> pl.Series:
    """Return for each row its scores as an object of JSON, without spaces, in the order of their names.

    Lengths of time are told in seconds, decimals as the nearest float, and what is not known is null.

    Args:
        frame: has the scores as columns: numbers, texts, truth values, dates and times.
        names: which columns they are.
    """
    import polars as pl

    if not names or not frame.height:
        return pl.Series(["{}"] * frame.height, dtype=pl.String)
    told = [_told(frame[name]).alias(f"{place}") for place, name in enumerate(names)]
    parts: list[pl.Expr] = []
    for place, name in enumerate(names):
        key = orjson.dumps(name).decode()
        parts += [pl.lit(f"{',' if place else '{'}{key}:"), pl.col(f"{place}")]
    return pl.DataFrame(told).select(pl.concat_str(*parts, pl.lit("}"))).to_series()


def _told(column: pl.Series) -> pl.Series:
    """Return each value as JSON."""
    import polars as pl

    dtype = column.dtype
    if dtype == pl.Boolean or dtype in {pl.Int8, pl.Int16, pl.Int32, pl.Int64, pl.UInt8, pl.UInt16, pl.UInt32}:
        return column.cast(pl.String).fill_null("null")
    if dtype == pl.String:
        # many accounts share few texts
        values = column.unique()
        told = pl.Series([orjson.dumps(value).decode() for value in values.to_list()], dtype=pl.String)
        pairs = pl.DataFrame({"value": values, "told": told})
        return (
            pl.DataFrame({"value": column})
            .join(pairs, on="value", how="left", nulls_equal=True, maintain_order="left")
            .to_series(1)
        )
    # numbers, dates and times have no comma
    text = orjson.dumps(column.to_list(), default=_plain)[1:-1].decode()
    return pl.Series([text], dtype=pl.String).str.split(_MARK).explode()


def _plain(score: object) -> float:
    """Return a number of a kind that JSON has not; of a length of time, its seconds."""
    if isinstance(score, timedelta):
        return score.total_seconds()
    if isinstance(score, Decimal):
        return float(score)
    raise TypeError  # orjson names the type
