from __future__ import annotations

import math
from typing import Any

import narwhals as nw
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from stampbook import cut_class, ntile_class, quantile_class

values = st.lists(st.one_of(st.none(), st.integers(-5, 5), st.integers(-(10**12), 10**12)), max_size=40)


def classes_of(numbers: list[int | None], expression: Any) -> list[int | None]:
    frame = nw.from_native(pl.LazyFrame({"value": numbers}, schema={"value": pl.Int64}))
    found: list[int | None] = frame.select(found=expression).collect("polars").to_native()["found"].to_list()
    return found


@given(values, st.integers(2, 10))
def test_quantile_classes_are_cut_by_the_inverse_of_the_distribution(numbers: list[int | None], classes: int) -> None:
    known = sorted(number for number in numbers if number is not None)
    cuts = [known[math.ceil(len(known) * k / classes) - 1] for k in range(1, classes)] if known else []
    expected = [None if number is None else 1 + sum(cut < number for cut in cuts) for number in numbers]
    assert classes_of(numbers, quantile_class(nw.col("value"), classes)) == expected


@given(values, st.lists(st.integers(-6, 6), max_size=4), st.booleans())
def test_a_value_on_a_fixed_cut_point_reaches_it(numbers: list[int | None], cuts: list[int], less: bool) -> None:  # noqa: FBT001
    expected = [
        None if number is None else 1 + sum(number <= cut if less else number >= cut for cut in cuts)
        for number in numbers
    ]
    assert classes_of(numbers, cut_class(nw.col("value"), cuts, less_is_better=less)) == expected


@given(st.integers(0, 40), st.integers(2, 10))
def test_ntile_gives_the_first_classes_one_more(known: int, classes: int) -> None:
    small, larger = divmod(known, classes)
    expected = [number + 1 for number in range(classes) for _ in range(small + (number < larger))]
    assert classes_of(list(range(known)), ntile_class(nw.col("value"), nw.lit(known), classes)) == expected
