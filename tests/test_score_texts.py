"""Scores as JSON, column by column: the same text as from each row by itself."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import orjson
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stampbook.score_texts import score_texts

KINDS: dict[str, tuple[pl.DataType, st.SearchStrategy[Any]]] = {
    "int": (pl.Int64(), st.integers(-(2**63), 2**63 - 1)),
    "small": (pl.Int8(), st.integers(-128, 127)),
    "unsigned": (pl.UInt64(), st.integers(0, 2**64 - 1)),
    "float": (pl.Float64(), st.floats(allow_nan=False)),
    "half": (pl.Float32(), st.floats(allow_nan=False, width=32)),
    "truth": (pl.Boolean(), st.booleans()),
    "text": (pl.String(), st.text(st.characters(exclude_categories=["Cs"]), max_size=6)),
    "day": (pl.Date(), st.dates()),
    "clock": (pl.Time(), st.times()),
    "local": (pl.Datetime("us"), st.datetimes()),
    "milli": (pl.Datetime("ms"), st.datetimes()),
    "instant": (pl.Datetime("us", "UTC"), st.datetimes(timezones=st.just(UTC))),
    "length": (pl.Duration("us"), st.timedeltas(timedelta(days=-9999), timedelta(days=9999))),
    "money": (pl.Decimal(18, 4), st.decimals(-(10**9), 10**9, places=4)),
}
NAMES = st.sampled_from(["account", "id", "place", "value", "told", "0", 'a "name"', "\\", "größe", "金额", ""])


def plain(score: object) -> float:
    if isinstance(score, timedelta):
        return score.total_seconds()
    assert isinstance(score, Decimal)
    return float(score)


def by_row(frame: pl.DataFrame) -> list[str]:
    return [orjson.dumps(row, default=plain).decode() for row in frame.iter_rows(named=True)]


@st.composite
def frames(draw: st.DrawFn) -> pl.DataFrame:
    height = draw(st.integers(0, 5))
    columns = []
    for name in draw(st.lists(NAMES, max_size=4, unique=True)):
        dtype, values = KINDS[draw(st.sampled_from(sorted(KINDS)))]
        drawn = draw(st.lists(st.none() | values, min_size=height, max_size=height))
        columns.append(pl.Series(name, drawn, dtype=dtype))
    return pl.DataFrame(columns)


@given(frame=frames())
def test_any_scores_are_told_as_row_by_row(frame: pl.DataFrame) -> None:
    assert score_texts(frame, frame.columns).to_list() == by_row(frame)


@pytest.mark.parametrize(
    "values",
    [
        [0.0, -0.0, 1.0, 1e16, 1e15, 123456789012345680.0, 1e-5, 1e-7, 5e-324, 1.7976931348623157e308, 0.1 + 0.2],
        [math.inf, -math.inf, None],
        [None, None],
        ["", None, ",", '"', "\\", "\x00", "\x1f", "\n", "\u2028", "é", "沉睡客户", "😀", '","'],
        [date(2024, 2, 29), None],
        [datetime(2024, 2, 29, 1, 2, 3, tzinfo=UTC), datetime(2024, 2, 29, 1, 2, 3, 4, tzinfo=UTC)],
        [time(1, 2), time(1, 2, 3, 4)],
        [timedelta(days=2), timedelta(microseconds=1), timedelta(days=-1), None],
        [Decimal("0.50"), Decimal("-123456.78"), None],
        [True, False, None],
    ],
)
def test_scores_at_the_edge_are_told_as_row_by_row(values: list[Any]) -> None:
    typed = any(value is not None for value in values)
    frame = pl.DataFrame({"x": values} if typed else {"x": pl.Series(values, dtype=pl.Float64)})
    assert score_texts(frame, frame.columns).to_list() == by_row(frame)


def test_an_instant_of_any_zone_and_precision_is_told_as_row_by_row() -> None:
    at = pl.Series("at", [1_700_000_000_123_456_789, None]).cast(pl.Datetime("ns", "Asia/Shanghai"))
    frame = pl.DataFrame({"at": at, "ago": pl.Series([1_500, None]).cast(pl.Duration("ns"))})
    assert score_texts(frame, frame.columns).to_list() == by_row(frame)


def test_a_scheme_without_scores_has_empty_ones_and_only_scores_are_told() -> None:
    frame = pl.DataFrame({"segment": ["x", "y"], "size": [1, None]})
    assert score_texts(frame, []).to_list() == ["{}", "{}"]
    assert score_texts(frame, ["size"]).to_list() == ['{"size":1}', '{"size":null}']
    assert score_texts(frame.clear(), ["size"]).to_list() == []
