"""The worked numbers of the standards and of those who teach them; what is taught wrongly must not come out."""

from __future__ import annotations

from datetime import date
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stampbook_liability.breakage import (
    bonus_revenue,
    expected_breakage,
    in_advance,
    net_of_tax,
    recognised_breakage,
    revenue,
)
from stampbook_liability.deferral import allocate, expected, of_partner, recognised, standalone_price
from stampbook_liability.escheat import dormant_on, to_the_state
from stampbook_liability.jurisdictions import LAWS, kept_share, law_of
from stampbook_liability.reserve import quarters_before, required_reserve

ONE = Fraction(1)


def percent(number: int) -> Fraction:
    return Fraction(number, 100)


def yearly(allocated: int, *steps: tuple[int, int | Fraction]) -> list[int]:
    """Return the revenue of each year from what was redeemed until then and what is expected to be in all."""
    total, years = 0, []
    for used, of in steps:
        now = recognised(allocated, used, of)
        years.append(now - total)
        total = now
    return years


# Points


def test_ifrs_15_example_52() -> None:
    goods, [points] = allocate(100_000, 100_000, [standalone_price(10_000, ONE, percent(95))])
    assert (goods, points) == (91_324, 8_676)
    assert yearly(points, (4_500, 9_500), (8_500, 9_700)) == [4_110, 3_493]
    assert points - recognised(points, 4_500, 9_500) == 4_566
    assert points - recognised(points, 8_500, 9_700) == 1_073


def test_example_52_to_the_cent() -> None:
    goods, [points] = allocate(100_000_00, 100_000_00, [standalone_price(10_000, Fraction(100), percent(95))])
    assert (goods, points) == (91_324_20, 8_675_80)
    assert yearly(points, (4_500, 9_500), (8_500, 9_700)) == [4_109_59, 3_492_92]


def test_kpmg_example_10a_rounds_the_shares_to_whole_percents() -> None:
    of_points = standalone_price(10_000, ONE, percent(97))
    goods, [points] = allocate(100_000, 100_000, [of_points], share_decimals=0)
    assert (goods, points) == (91_000, 9_000)
    assert yearly(points, (4_500, 9_700), (8_500, 9_900)) == [4_175, 3_552]
    assert allocate(100_000_00, 100_000_00, [100 * of_points]) == (91_157_70, [8_842_30])


def test_kpmg_example_10b_expects_less_later() -> None:
    assert yearly(9_000, (4_500, 9_700), (8_500, 9_200)) == [4_175, 4_140]


@pytest.mark.parametrize(
    ("allocated", "steps", "years"),
    [
        (100, [(40, 80), (81, 90), (90, 90)], [50, 40, 10]),
        (720_000, [(4_000, 8_000), (8_100, 9_000), (9_000, 9_000)], [360_000, 288_000, 72_000]),
    ],
)
def test_ifric_13_example_1(allocated: int, steps: list[tuple[int, int]], years: list[int]) -> None:
    assert yearly(allocated, *steps) == years


def test_ifric_13_example_2_as_principal_and_as_agent() -> None:
    assert of_partner(1_000_000, 10_000, 9_000, as_agent=False) == (990_000, 10_000, 9_000)
    assert of_partner(1_000_000, 10_000, 9_000, as_agent=True) == (990_000, 1_000, 0)


def test_cas_14_points() -> None:
    goods, [points] = allocate(100_000_00, 100_000_00, [standalone_price(10_000, Fraction(100), percent(90))])
    assert (goods, points) == (91_743_12, 8_256_88)
    assert recognised(points, 6_300, 9_000) == 5_779_82
    assert points - recognised(points, 6_300, 9_000) == 2_477_06


def test_martz() -> None:
    goods, [points] = allocate(300_000, 300_000, [Fraction(75_000)])
    assert (goods, points) == (240_000, 60_000)
    assert recognised(points, 10_000, 25_000) == 24_000


def test_a_question_of_the_chinese_accountants() -> None:
    _, [points] = allocate(30_000_0000, 30_000_0000, [Fraction(240_0000)])
    assert points == 238_0952
    assert yearly(points, (18_000, 27_000), (25_000, 30_000)) == [158_7301, 39_6826]  # of whole 0.0001
    finer = allocate(30_000 * 10**8, 30_000 * 10**8, [Fraction(240 * 10**8)])[1][0]  # to the figures of the answer
    assert [round(part / 10**8, 4) for part in yearly(finer, (18_000, 27_000), (25_000, 30_000))] == [158.7302, 39.6825]


def test_points_are_earned_of_those_that_are_expected_and_not_of_those_that_were_granted() -> None:
    assert recognised(157, 1_000, expected(2_000, percent(85), 1_000, 1_000)) == 92
    assert recognised(157, 1_000, expected(2_000, percent(85), 1_000, 1_000)) != 79


def test_what_is_expected_stays_within_what_can_be() -> None:
    assert expected(100, percent(80), 90, 10) == 90
    assert expected(100, percent(80), 30, 20) == 50
    assert expected(100, percent(80), 0, 0) == 0
    assert recognised(77, 0, 0) == 77  # all expired


def test_a_sale_for_nothing_has_nothing_to_allocate() -> None:
    assert allocate(0, 0, []) == (0, [])
    assert allocate(0, 0, [Fraction(5)]) == (0, [0])


@given(
    st.integers(0, 10**12),
    st.integers(0, 10**12),
    st.lists(st.fractions(0, 10**9, max_denominator=10**4), max_size=4),
    st.none() | st.integers(0, 2),
)
def test_an_allocation_places_every_unit(price: int, goods: int, points: list[Fraction], decimals: int | None) -> None:
    own, parts = allocate(price, goods, points, share_decimals=decimals)
    assert own + sum(parts) == price
    if decimals is None and (whole := goods + sum(points)):
        for part, weight in zip([own, *parts], [Fraction(goods), *points], strict=True):
            assert abs(part - price * weight / whole) < 1


@given(st.integers(0, 10**9), st.lists(st.tuples(st.integers(0, 50), st.integers(1, 100)), max_size=8))
def test_revenue_and_what_is_deferred_are_always_what_was_allocated(
    allocated: int, steps: list[tuple[int, int]]
) -> None:
    granted, used = 300, 0
    for more, rate in steps:
        used = min(granted, used + more)
        earned = recognised(allocated, used, expected(granted, percent(rate), used, granted - used))
        assert 0 <= earned <= allocated
    assert recognised(allocated, granted, expected(granted, percent(1), granted, 0)) == allocated


# Stored value


def test_cas_14_stored_value_cards() -> None:
    value = 5_000 * 200
    breakage = expected_breakage(value, percent(5))
    assert breakage == 50_000
    earned = revenue(value, 400_000, breakage)
    assert earned == 421_053
    assert value - earned == 578_947
    assert net_of_tax(earned, percent(13)) == 372_613


@pytest.mark.parametrize(
    ("value", "unused", "used", "breakage"),
    [(1_000, 10, 540, 60), (160_000, 5, 144_000, 7_579), (1_000, 20, 400, 100), (1_000, 0, 400, 0)],
    ids=["entries", "ikeo", "pwc-half-of-the-rights", "none-expected"],
)
def test_breakage_in_proportion(value: int, unused: int, used: int, breakage: int) -> None:
    assert recognised_breakage(value, used, expected_breakage(value, percent(unused))) == breakage


def test_the_entries_of_the_textbook() -> None:
    assert 1_000 - revenue(1_000, 540, expected_breakage(1_000, percent(10))) == 400


def test_no_breakage_is_revenue_at_the_sale() -> None:
    assert recognised_breakage(1_000, 0, expected_breakage(1_000, percent(10))) == 0


@given(st.integers(1, 10**9), st.fractions(0, 1, max_denominator=1000), st.data())
def test_breakage_and_use_never_come_to_more_than_was_paid(value: int, unused: Fraction, data: st.DataObject) -> None:
    breakage = expected_breakage(value, unused)
    used = data.draw(st.integers(0, value))
    now = recognised_breakage(value, used, breakage)
    assert 0 <= now <= breakage + 1
    expired = data.draw(st.integers(0, value - used))
    left = value - used - expired
    assert 0 <= in_advance(now, expired, left) <= left


def test_a_bonus_makes_each_unit_worth_less() -> None:
    assert bonus_revenue(1_000, 200, 600) == 500
    assert bonus_revenue(1_000, 200, 1_200) == 1_000
    assert bonus_revenue(0, 0, 0) == 0


# Escheat


def test_dormant_value_of_each_state() -> None:
    day = date(2025, 6, 1)
    assert dormant_on(date(2020, 6, 1), law_of("US-DE", day).years or 0) == date(2025, 6, 1)
    assert dormant_on(date(2020, 2, 29), 3) == date(2023, 2, 28)
    assert dormant_on(date(2020, 2, 29), 4) == date(2024, 2, 29)
    assert dormant_on(date(1896, 2, 29), 4) == date(1900, 2, 28)
    assert to_the_state(100_00, law_of("US-DE", day)) == 100_00
    assert to_the_state(100_01, law_of("US-AL", day)) == 60_01
    assert to_the_state(100_00, law_of("UK", day)) == 0


def test_colorado_takes_the_whole_since_july_2020() -> None:
    before, since = law_of("US-CO", date(2020, 6, 30)), law_of("US-CO", date(2020, 7, 1))
    assert [to_the_state(value, before) for value in (20_00, 100_00, 2_000_00)] == [0, 75_00, 1_960_00]
    assert to_the_state(100_00, since) == 100_00


def test_what_goes_to_a_state_or_back_to_the_customer_is_never_breakage() -> None:
    day = date(2025, 6, 1)
    assert kept_share(law_of("US-DE", day), None) == 0
    assert kept_share(law_of("US-AL", day), None) == Fraction(2, 5)
    assert kept_share(law_of("US-AL", day), "retailer") == 1
    assert kept_share(law_of("US-CA", day), None) == 0
    assert kept_share(law_of("US-CA", day), "no_expiry") == 1
    assert kept_share(law_of("CN", day), None) == 0
    assert kept_share(law_of("UK", day), None) == 1
    for law in LAWS:
        assert law.kept + law.state <= 1
        assert law.cite
        assert law.mark in {"V", "S"}


# The Chinese reserve


def test_the_reserve_of_each_class_of_issuer() -> None:
    assert [required_reserve(issuer, 1_000_01) for issuer in ("scale", "group", "brand")] == [200_01, 300_01, 400_01]
    assert required_reserve("scale", 1_000_00, covered=150_00) == 50_00
    assert required_reserve("scale", 1_000_00, covered=300_00) == 0


def test_the_quarters_before() -> None:
    assert quarters_before(date(2025, 2, 14), 2) == [date(2024, 7, 1), date(2024, 10, 1), date(2025, 1, 1)]
