"""Segments by attributes: worked out once for each different row of what is read.

An age is in full years on the local day of the run; whoever was born on 29 February is a year older on the day that the
program's `leap_day` says.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import narwhals as nw
import polars as pl

from stampbook import InputError, near

if TYPE_CHECKING:
    from collections.abc import Mapping

    from stampbook import Calendar
    from stampbook_attributes.config import AttributesConfig

_MONTHS = 12


def segment(
    accounts: nw.LazyFrame[Any], instant: int, config: AttributesConfig, calendar: Calendar
) -> nw.LazyFrame[Any]:
    """Return account, segment, value, age and rule (the number of the one that held, from 1; 0 if none did).

    Args:
        accounts: with a column for each attribute.
        instant: of the run, in microseconds since 1970.
        config: what is asked.
        calendar: of the program.

    Raises:
        InputError: the accounts have no column for an attribute.
    """
    reads = {name for rule in config.rules for name in rule.when.reads} - {"event.at"}
    if config.attribute is not None:
        reads.add(f"account.{config.attribute}")
    read = _read(accounts, sorted(reads))
    frame: pl.DataFrame = read.collect("polars").to_native()
    instants = [pl.col(name).dt.epoch("us") for name, dtype in frame.schema.items() if dtype.is_temporal()]
    texts = [pl.col(name).fill_null("") for name, dtype in frame.schema.items() if dtype == pl.String]
    frame = frame.with_columns(*instants, *texts).with_columns(event_at=pl.lit(instant))
    keys = [name for name in frame.columns if name != "account"]
    rows = frame.select(keys).unique()
    today = calendar.day(instant)
    told = [_judged(row, config, calendar, today) for row in rows.iter_rows(named=True)]
    schema = {"segment": pl.String, "value": pl.String, "age": pl.Int64, "rule": pl.Int64}
    named = pl.concat([rows, pl.DataFrame(told, schema=schema, orient="row")], how="horizontal")
    return nw.from_native(frame.join(named, on=keys, how="left").select("account", *schema).lazy())


def _read(accounts: nw.LazyFrame[Any], names: list[str]) -> nw.LazyFrame[Any]:
    """Return account and what is read of it, with an underscore for the full stop of its name."""
    columns = accounts.collect_schema().names()
    read = [nw.col("account")]
    for name in names:
        field = "account" if name == "account.ref" else name.partition(".")[2]
        if field not in columns:
            message = f"accounts: no column {field!r}{near(field, columns)}"
            raise InputError(message)
        read.append(nw.col(field).alias(name.replace(".", "_", 1)))
    return accounts.select(*read)


def _judged(
    row: Mapping[str, Any], config: AttributesConfig, calendar: Calendar, today: int
) -> tuple[str, str | None, int | None, int]:
    for number, rule in enumerate(config.rules, start=1):
        if rule.when.test(None, None, None, row, None):
            return rule.segment, None, None, number
    name, value, age = _described(row, config, calendar, today)
    return name, value, age, 0


def _described(
    row: Mapping[str, Any], config: AttributesConfig, calendar: Calendar, today: int
) -> tuple[str, str | None, int | None]:
    if config.attribute is None:
        return config.other, None, None
    value: str = row[f"account_{config.attribute}"].strip()
    if not value:
        return config.unknown, None, None
    if config.ages:
        age = full_years(value, today, calendar)
        if age is None:
            return config.unknown, value, None
        reached = [band.segment for band in config.ages if band.start <= age]
        return (reached[-1] if reached else config.other), value, age
    if config.values:
        return next((name for name, group in config.values.items() if value in group), config.other), value, None
    return value, value, None


def full_years(born: str, today: int, calendar: Calendar) -> int | None:
    """Return the full years from a date of birth to a local day (an ordinal); None if it is no date, or to come."""
    try:
        birth = date.fromisoformat(born).toordinal()
    except ValueError:
        return None
    if birth > today:
        return None
    years = date.fromordinal(today).year - date.fromordinal(birth).year
    return years if calendar.add_months(birth, _MONTHS * years) <= today else years - 1
