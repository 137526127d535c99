"""Asking conditions of every account: once for each different row of what they read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw
import polars as pl

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stampbook_custom.config import CustomConfig


def segment(measured: nw.LazyFrame[Any], instant: int, config: CustomConfig) -> nw.LazyFrame[Any]:
    """Return account, segment, rule, points and held (a digit a condition: 1 where it holds).

    Conditions are those of the program's language, which computes in exact whole numbers and fractions; no frame has
    that. So the measures, one row an account, are brought here, on whatever engine they were worked out.

    Args:
        measured: one row an account, with the columns that the conditions read.
        instant: of the run, in microseconds since 1970.
        config: the conditions.
    """
    frame: pl.DataFrame = measured.collect("polars").to_native()
    instants = [pl.col(name).dt.epoch("us") for name, dtype in frame.schema.items() if dtype.is_temporal()]
    texts = [pl.col(name).fill_null("") for name, dtype in frame.schema.items() if dtype == pl.String]
    frame = frame.with_columns(*instants, *texts).with_columns(at=pl.lit(instant))
    reads = {name for rule in config.rules for name in rule.when.reads}
    keys = [name for name in frame.columns if name != "account" or "account.ref" in reads]
    rows = frame.select(keys).unique()
    told = [_judged(row, config) for row in rows.iter_rows(named=True)]
    schema = {"segment": pl.String, "rule": pl.Int64, "points": pl.Int64, "held": pl.String}
    named = pl.concat([rows, pl.DataFrame(told, schema=schema, orient="row")], how="horizontal")
    result = frame.join(named, on=keys, how="left").select("account", *schema)
    return nw.from_native(result.lazy())


def _judged(row: Mapping[str, Any], config: CustomConfig) -> tuple[str, int, int, str]:
    held = [rule.when.test(None, None, None, row, None) for rule in config.rules]
    digits = "".join("01"[holds] for holds in held)
    if config.levels:
        points = sum(rule.points or 0 for rule, holds in zip(config.rules, held, strict=True) if holds)
        reached = next((level.segment for level in config.levels if points >= level.start), config.otherwise)
        return reached, 0, points, digits
    number = next((number for number, holds in enumerate(held, start=1) if holds), 0)
    name = config.rules[number - 1].segment if number else None
    return name or config.otherwise, number, 0, digits
