from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stampbook.amounts import (
    LARGEST,
    Asset,
    Remainder,
    Rounding,
    counted,
    currency,
    divide,
    portion,
    read_units,
    split,
    write_units,
)
from stampbook.errors import AmountError


@pytest.mark.parametrize(
    ("value", "decimals", "units"),
    [
        ("12.50", 2, 1250),
        ("12.5", 2, 1250),
        ("12.500", 2, 1250),
        ("-0.01", 2, -1),
        ("+3", 0, 3),
        ("0", 2, 0),
        (12, 2, 1200),
        (0.1, 2, 10),
        (19.99, 2, 1999),
        (1e3, 2, 100_000),
        (Decimal("1.250"), 3, 1250),
        ("10000000000000", 2, LARGEST),
    ],
)
def test_amounts_are_read_exactly(value: object, decimals: int, units: int) -> None:
    assert read_units(value, decimals) == units


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("", "'' is not an amount; write a plain decimal number such as '12.50'"),
        ("1,5", "'1,5' is not an amount"),
        ("1e3", "'1e3' is not an amount"),
        (".5", "'.5' is not an amount"),
        (" 1", "' 1' is not an amount"),
        ("1\n", "is not an amount"),
        ("٣", "is not an amount"),
        ("NaN", "'NaN' is not an amount"),
        (float("nan"), "'nan' is not an amount"),
        (float("inf"), "'inf' is not an amount"),
        (Decimal("sNaN"), "'sNaN' is not an amount"),
        (True, "'True' is not an amount; write a decimal number in quotes"),
        (None, "'None' is not an amount"),
        ([1], r"'\[1\]' is not an amount"),
        ("12.345", "'12.345' has more than 2 decimals"),
        (0.1 + 0.2, "'0.30000000000000004' is a float, with more than 2 decimals; send decimal text such as '0.30'"),
        (12.345, "'12.345' has more than 2 decimals"),
        ("10000000000000.01", r"larger than any amount that is kept \(10000000000000.00\)"),
        (-(10**18), "larger than any amount"),
        ("9" * 30, "larger"),
        pytest.param(10**5000, "is not an amount", id="an int of 5,001 digits"),
        (1e300, "is not an amount"),
        (Decimal("1e999999"), "is not an amount"),
    ],
)
def test_what_is_no_exact_amount_is_refused_in_one_line(value: object, says: str) -> None:
    with pytest.raises(AmountError, match=says) as refused:
        read_units(value, 2)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 150


def test_one_decimal_is_singular() -> None:
    with pytest.raises(AmountError, match=r"more than 1 decimal$"):
        read_units("1.25", 1)


@given(st.integers(-LARGEST, LARGEST), st.integers(0, 6))
def test_written_amounts_read_back(units: int, decimals: int) -> None:
    assert read_units(write_units(units, decimals), decimals) == units


@pytest.mark.parametrize(
    ("units", "decimals", "text"),
    [(5, 2, "0.05"), (-5, 2, "-0.05"), (0, 3, "0.000"), (-1250, 2, "-12.50"), (7, 0, "7")],
)
def test_amounts_are_written_with_all_their_decimals(units: int, decimals: int, text: str) -> None:
    assert write_units(units, decimals) == text


def test_currencies_have_the_decimals_of_iso_4217() -> None:
    assert [currency(code).decimals for code in ("JPY", "GBP", "KWD", "CLF")] == [0, 2, 3, 4]
    assert currency("GBP").is_currency
    assert not Asset("points").is_currency
    assert Asset("points", 1).units("2.5") == 25
    assert Asset("points", 1).text(25) == "2.5"


def test_an_unknown_currency_has_a_near_name() -> None:
    with pytest.raises(AmountError, match=r"'EURO' is not an ISO 4217 currency \(did you mean 'EUR'\?\)"):
        currency("EURO")
    with pytest.raises(AmountError, match="did you mean 'EUR'"):
        currency("eur")


@pytest.mark.parametrize(
    ("numerator", "floor", "ceil", "half_up", "half_even"),
    [
        (0, 0, 0, 0, 0),
        (1, 0, 1, 0, 0),
        (2, 0, 1, 1, 0),
        (3, 0, 1, 1, 1),
        (4, 1, 1, 1, 1),
        (6, 1, 2, 2, 2),
        (10, 2, 3, 3, 2),
        (-2, -1, 0, -1, 0),
        (-6, -2, -1, -2, -2),
        (-1, -1, 0, 0, 0),
        (-3, -1, 0, -1, -1),
    ],
)
def test_quarters_are_rounded_by_name(numerator: int, floor: int, ceil: int, half_up: int, half_even: int) -> None:
    assert [divide(numerator, 4, mode) for mode in Rounding] == [floor, ceil, half_up, half_even]


@given(st.integers(-(10**30), 10**30), st.integers(1, 10**20))
def test_rounding_moves_less_than_one_unit(numerator: int, denominator: int) -> None:
    exact = Fraction(numerator, denominator)
    assert divide(numerator, denominator) <= exact <= divide(numerator, denominator, "ceil")
    assert abs(divide(numerator, denominator, "half_up") - exact) <= Fraction(1, 2)
    assert divide(numerator, denominator, "half_even") == round(exact)


@given(
    st.integers(-LARGEST, LARGEST),
    st.lists(st.integers(0, LARGEST), min_size=1, max_size=8).filter(any),
    st.sampled_from(Remainder),
)
def test_a_split_loses_nothing(total: int, weights: list[int], remainder: Remainder) -> None:
    parts = split(total, weights, remainder)
    assert sum(parts) == total
    assert all(part == 0 for part, weight in zip(parts, weights, strict=True) if not weight)
    if remainder is Remainder.LARGEST_REMAINDER:
        for part, weight in zip(parts, weights, strict=True):
            assert abs(part - Fraction(total * weight, sum(weights))) < 1


@pytest.mark.parametrize(
    ("remainder", "parts"),
    [("largest_remainder", [0, 34, 33, 33]), ("first", [0, 34, 33, 33]), ("last", [0, 33, 33, 34])],
)
def test_a_split_says_who_gets_the_rest(remainder: str, parts: list[int]) -> None:
    assert split(100, [0, 1, 1, 1], remainder) == parts


def test_the_largest_remainder_comes_before_the_first() -> None:
    assert split(10, [1, 2, 4], "largest_remainder") == [1, 3, 6]
    assert split(-10, [1, 2, 4], "largest_remainder") == [-1, -3, -6]


def test_nothing_can_be_split_over_anything() -> None:
    assert split(0, [0, 0]) == [0, 0]
    assert split(0, []) == []


@pytest.mark.parametrize("weights", [[], [0, 0], [2, -1]])
def test_something_cannot_be_split_over_no_weight(weights: list[int]) -> None:
    with pytest.raises(AmountError, match="cannot split 5"):
        split(5, weights)


@given(st.integers(0, LARGEST), st.lists(st.integers(1, 10**6), min_size=1, max_size=6), st.sampled_from(Rounding))
def test_portions_sum_to_the_whole_however_it_comes(whole_amount: int, parts: list[int], rounding: Rounding) -> None:
    given_out, come = 0, 0
    for part in parts:
        come += part
        now = portion(whole_amount, come, sum(parts), given_out, rounding)
        assert now >= 0
        given_out += now
    assert given_out == whole_amount


@pytest.mark.parametrize(
    ("number", "things", "said"),
    [
        ("1", "points", "1 point"),
        ("-1", "miles", "-1 mile"),
        ("2", "points", "2 points"),
        ("1.0", "points", "1.0 points"),
        ("1", "berries", "1 berry"),
        ("1", "boxes", "1 box"),
        ("1", "bonus", "1 bonus"),
        ("1", "glass", "1 glass"),
        ("1", "coffee", "1 coffee"),
        ("1", "JPY", "1 JPY"),
    ],
)
def test_one_thing_is_told_in_the_singular(number: str, things: str, said: str) -> None:
    assert counted(number, things) == said
