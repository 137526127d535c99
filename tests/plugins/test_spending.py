from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stampbook import ProgramError
from stampbook.loading import load
from tests.plugins.histories import Row, buys, gives_back, history, program, run, segments


def spend(*amounts: int) -> list[Row]:
    return [buys(f"a{number}", 1, amount) for number, amount in enumerate(amounts)]


def classes(options: str, *amounts: int) -> list[str]:
    found = segments(program("spending", options), history(spend(*amounts)))
    return [found[f"a{number}"] for number in range(len(amounts))]


def test_a_fifth_spends_high_and_half_low() -> None:
    assert classes("", *range(10, 0, -1)) == ["high"] * 2 + ["middle"] * 3 + ["low"] * 5


def test_a_class_is_never_smaller_than_its_share() -> None:
    assert classes("", 3, 2, 1) == ["high", "middle", "low"]


def test_equal_accounts_are_in_one_class() -> None:
    assert classes("", 9, 9, 9, 1, 1, 1, 1, 1, 1, 1) == ["high"] * 3 + ["middle"] * 7


def test_heavy_medium_and_light_buyers_are_counted_in_orders() -> None:
    options = 'by = "orders"\nnames = ["heavy", "medium", "light"]'
    rows = [buys(f"a{number}", visit, 100) for number in range(10) for visit in range(1 + number)]
    found = segments(program("spending", options), history(rows))
    assert [found[f"a{number}"] for number in range(10)] == ["light"] * 5 + ["medium"] * 3 + ["heavy"] * 2


def test_amounts_say_the_least_of_each_class() -> None:
    assert classes('amounts = ["10", "2"]', 1000, 999, 200, 199) == ["high", "middle", "middle", "low"]


def test_means_are_of_what_was_kept() -> None:
    rows = [buys("a", 5, 1000), buys("a", 40, 500), buys("a", 45, 333), gives_back("a", 46, 1000, "a@5")]
    frame = run(program("spending", 'by = "mean_order"'), history(rows))
    [row] = frame.to_dicts()
    assert (row["spent"], row["orders"], row["worth"]) == (833, 2, 416)
    [row] = run(program("spending", 'by = "monthly"'), history(rows)).to_dicts()
    assert (row["months"], row["worth"]) == (1, 833)


def test_months_are_those_of_the_program() -> None:
    rows = [buys("a", 30.99, 100), buys("a", 40, 100)]  # the 31st in London, 1 February in Shanghai
    frame = run(program("spending", 'by = "monthly"'), history(rows))
    assert frame["months"].to_list() == [2]
    text = program("spending", 'by = "monthly"').replace(
        'currency = "GBP"', 'currency = "GBP"\ntime_zone = "Asia/Shanghai"'
    )
    assert run(text, history(rows))["months"].to_list() == [1]


def test_who_kept_nothing_in_the_window_has_no_class() -> None:
    rows = [
        *spend(100),
        buys("old", 1, 100),
        buys("kept", 95, 100),
        buys("back", 95, 50),
        gives_back("back", 96, 50, "back@95"),
    ]
    found = segments(program("spending", 'window = "30 days"'), history(rows))
    assert found == {"a0": "none", "old": "none", "kept": "high", "back": "none"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ('amounts = ["2", "10"]', "from the highest"),
        ('amounts = ["10", "2"]\nshares = ["20%", "30%"]', "two ways"),
        ('shares = ["50%", "50%"]', "leave some"),
        ('shares = ["20%"]', "3, and 2 classes"),
        ('none = "low"', "two segments have one name"),
        ('by = "orders"\namounts = ["2.5", "1"]', "whole numbers"),
        ('amounts = ["1.234", "1"]', "amounts"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(options: str, said: str) -> None:
    with pytest.raises(ProgramError, match=said):
        load(program("spending", options))


def test_each_segment_is_explained_in_a_sentence() -> None:
    for options, said in {
        "": "high: 10.00 GBP spent, rank 1; 20%, 30% from the top end classes",
        'amounts = ["8", "2"]': "high: 10.00 GBP spent; high from 8, middle from 2",
    }.items():
        [(_, scheme)] = load(program("spending", options)).segmenters()
        [row] = run(program("spending", options), history(spend(1000))).to_dicts()
        assert scheme.reasons(row, {}) == (said,)


@given(values=st.lists(st.integers(1, 5) | st.integers(1, 1000), min_size=1, max_size=30))
def test_classes_are_those_of_a_naive_list(values: list[int]) -> None:
    n = len(values)
    better = [sum(other > value for other in values) for value in values]
    expected = ["high" if 5 * place < n else "middle" if 2 * place < n else "low" for place in better]
    assert classes("", *values) == expected
