"""Rows of an account in order, beside the same said in plain Python."""

from __future__ import annotations

from collections import defaultdict

import narwhals as nw
import polars as pl
from hypothesis import given
from hypothesis import strategies as st

from stampbook import followed, placed, worked_out
from tests.effort import examples

Rows = list[tuple[str, int]]
LARGE = 2**62

rows_of_few = st.lists(st.tuples(st.sampled_from(["ann", "bob", "cy", ""]), st.integers(-3, 5)), max_size=40)
rows_of_any = st.lists(st.tuples(st.text(max_size=3), st.integers(-LARGE, LARGE)), max_size=12)


def frame(rows: Rows) -> nw.LazyFrame[pl.LazyFrame]:
    made = pl.LazyFrame(rows, schema={"account": pl.String, "age": pl.Int64}, orient="row")
    return nw.from_native(made)


def said(found: nw.LazyFrame[pl.LazyFrame], name: str) -> list[tuple[str, int, int | None]]:
    told = found.collect("polars").to_native().select("account", "age", name).rows()
    return sorted(told, key=lambda row: (row[0], row[1], row[2] is None, row[2]))


def by_account(rows: Rows) -> dict[str, list[int]]:
    ages: dict[str, list[int]] = defaultdict(list)
    for account, age in sorted(rows):
        ages[account].append(age)
    return ages


@given(rows_of_few | rows_of_any)
@examples(60)
def test_what_follows_is_the_next_of_the_same_account(rows: Rows) -> None:
    expected = [
        (account, age, following)
        for account, ages in by_account(rows).items()
        for age, following in zip(ages, [*ages[1:], None], strict=True)
    ]
    found = said(followed(frame(rows), "age", "next"), "next")
    assert found == sorted(expected, key=lambda row: (row[0], row[1], row[2] is None, row[2]))


@given(rows_of_few | rows_of_any)
@examples(60)
def test_places_count_from_one_in_each_account(rows: Rows) -> None:
    expected = [
        (account, age, place) for account, ages in by_account(rows).items() for place, age in enumerate(ages, start=1)
    ]
    assert said(placed(frame(rows), "age", "place"), "place") == sorted(expected)


@given(rows_of_few)
@examples(40)
def test_rows_that_are_held_by_account_stand_together(rows: Rows) -> None:
    held = worked_out(frame(rows), by="account").collect("polars").to_native()
    assert sorted(held.rows()) == sorted(rows)
    accounts = held["account"].to_list()
    runs = [name for place, name in enumerate(accounts) if place == 0 or accounts[place - 1] != name]
    assert len(runs) == len(set(accounts))
