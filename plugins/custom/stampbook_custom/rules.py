"""Asking conditions of every account: once for each different row of what they read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import narwhals as nw
import polars as pl

from stampbook import ExpressionError, PluginError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stampbook_custom.config import CustomConfig, Rule


def segment(measured: nw.LazyFrame[Any], instant: int, config: CustomConfig, scheme: str) -> nw.LazyFrame[Any]:
    """Return account, segment, rule, points and held (a digit a condition: 1 where it holds).

    Conditions are those of the program's language, which computes in exact whole numbers and fractions; no frame has
    that. So the measures, one row an account, are brought here, on whatever engine they were worked out.

    Args:
        measured: one row an account, with the columns that the conditions read.
        instant: of the run, in microseconds since 1970.
        config: the conditions.
        scheme: the plugin's name, for messages.

    Raises:
        PluginError: a condition cannot be worked out for an account, since it divides by zero there.
    """
    frame: pl.DataFrame = measured.collect("polars").to_native()
    instants = [pl.col(name).dt.epoch("us") for name, dtype in frame.schema.items() if dtype.is_temporal()]
    texts = [pl.col(name).fill_null("") for name, dtype in frame.schema.items() if dtype == pl.String]
    frame = frame.with_columns(*instants, *texts).with_columns(event_at=pl.lit(instant))
    keys = [name for name in frame.columns if name != "account"]
    # One account stands for all that are equal, so that a condition that fails can name it, and always the same one.
    rows = frame.group_by(keys).agg(pl.col("account").min()).sort("account")
    told = [_judged(row, config, scheme) for row in rows.iter_rows(named=True)]
    schema = {"segment": pl.String, "rule": pl.Int64, "points": pl.Int64, "held": pl.String}
    named = pl.concat([rows.drop("account"), pl.DataFrame(told, schema=schema, orient="row")], how="horizontal")
    result = frame.join(named, on=keys, how="left").select("account", *schema)
    return nw.from_native(result.lazy())


def _judged(row: Mapping[str, Any], config: CustomConfig, scheme: str) -> tuple[str, int, int, str]:
    held = [_holds(rule, number, row, scheme) for number, rule in enumerate(config.rules, start=1)]
    digits = "".join("01"[holds] for holds in held)
    if config.levels:
        points = sum(rule.points or 0 for rule, holds in zip(config.rules, held, strict=True) if holds)
        reached = next((level.segment for level in config.levels if points >= level.start), config.otherwise)
        return reached, 0, points, digits
    number = next((number for number, holds in enumerate(held, start=1) if holds), 0)
    name = config.rules[number - 1].segment if number else None
    return name or config.otherwise, number, 0, digits


def _holds(rule: Rule, number: int, row: Mapping[str, Any], scheme: str) -> bool:
    try:
        return rule.when.test(None, None, None, row, None)
    except ExpressionError as error:
        where = f"plugin {scheme!r}: rule {number} ({rule.when.text}) for account {row['account']!r}"
        message = f"{where}: {error}; ask first whether it is more than 0"
        raise PluginError(message) from None
