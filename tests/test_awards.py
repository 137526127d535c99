from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stampbook.amounts import LARGEST, Asset, Rounding, divide
from stampbook.awards import settle
from stampbook.errors import PluginError
from stampbook.hookspecs import Award, Multiplier, Note

if TYPE_CHECKING:
    from collections.abc import Mapping
    from fractions import Fraction

ASSETS = {"points": Asset("points"), "GBP": Asset("GBP", 2)}


def award(rule: str, numerator: int, denominator: int = 1, **terms: Any) -> Award:
    return Award(**{"rule": rule, "asset": "points", "numerator": numerator, "denominator": denominator, **terms})


def grants(
    *wanted: Award | Multiplier | Note, stacking: Mapping[str, str] | None = None, multipliers: str = "product"
) -> dict[str, int]:
    settled = settle(wanted, assets=ASSETS, stacking=stacking or {}, multipliers=multipliers)
    return {grant.award.rule: grant.units for grant in settled.grants}


def trace(*wanted: Award | Multiplier | Note, **modes: Any) -> dict[str, Any]:
    return settle(wanted, assets=ASSETS, **{"stacking": {}, **modes}).trace


def test_nothing_wanted_is_nothing_granted() -> None:
    assert settle([], assets=ASSETS, stacking={}) == ([], {}, [], [], {})
    assert trace(Multiplier("tiers.gold", "points", 2)) == {}


def test_awards_count_in_the_smallest_unit_of_their_asset() -> None:
    assert grants(award("a", 5, 2), award("b", 5, 2, asset="GBP")) == {"a": 2, "b": 250}


@pytest.mark.parametrize(("rounding", "units"), [("floor", 2), ("ceil", 3), ("half_up", 3), ("half_even", 2)])
def test_an_award_is_rounded_by_its_own_mode(rounding: str, units: int) -> None:
    assert grants(award("a", 5, 2, rounding=Rounding(rounding))) == {"a": units}


def test_rounding_happens_once_after_all_multipliers() -> None:
    thirds = [Multiplier("x.a", "points", 3, 2), Multiplier("x.b", "points", 4, 3)]
    assert grants(award("a", 5, 2), *thirds) == {"a": 5}


@given(
    st.fractions(0, 10**6),
    st.lists(st.fractions(0, 10).filter(bool), max_size=3),
    st.sampled_from(Rounding),
)
def test_an_award_is_its_exact_product_rounded_once(
    value: Fraction, factors: list[Fraction], rounding: Rounding
) -> None:
    exact = value
    for factor in factors:
        exact *= factor
    units = grants(
        award("a", value.numerator, value.denominator, rounding=rounding),
        *(Multiplier(f"m.{n}", "points", factor.numerator, factor.denominator) for n, factor in enumerate(factors)),
    )
    expected = divide(exact.numerator, exact.denominator, rounding)
    assert units == ({"a": expected} if expected else {})


def test_a_multiplier_multiplies_only_its_asset_wherever_it_stands() -> None:
    wanted: list[Award | Multiplier] = [
        Multiplier("m.p", "points", 3),
        award("a", 5),
        award("b", 5, asset="GBP"),
        Multiplier("m.g", "GBP", 1, 2),
    ]
    assert grants(*wanted) == {"a": 15, "b": 250}
    assert trace(*wanted)["multiplied"] == [("m.p", "3/1"), ("m.g", "1/2")]


def test_of_several_multipliers_all_or_only_the_best_count() -> None:
    wanted: list[Award | Multiplier] = [
        award("a", 10),
        Multiplier("m.x", "points", 3, 2),
        Multiplier("m.y", "points", 2),
        Multiplier("m.z", "points", 2),
    ]
    assert grants(*wanted) == {"a": 60}
    assert grants(*wanted, multipliers="best") == {"a": 20}
    assert trace(*wanted, multipliers="best")["multiplied"] == [("m.y", "2/1")]


@pytest.mark.parametrize(
    ("mode", "granted", "out"),
    [("sum", ["a", "b", "c", "d"], []), ("best", ["b", "d"], ["a", "c"]), ("first", ["a", "d"], ["b", "c"])],
)
def test_awards_of_one_group_are_stacked(mode: str, granted: list[str], out: list[str]) -> None:
    wanted = [
        award("a", 5, 2, group="promo"),
        award("b", 8, 3, group="promo"),
        award("c", 24, 9, group="promo"),
        award("d", 1),
    ]
    assert list(grants(*wanted, stacking={"promo": mode})) == granted
    assert trace(*wanted, stacking={"promo": mode}).get("stacked_out", []) == [(rule, "promo") for rule in out]


def test_groups_are_stacked_apart_from_one_another_and_by_asset() -> None:
    wanted = [
        award("a", 1, group="x"),
        award("b", 2, group="y"),
        award("c", 3, group="x"),
        award("d", 1, group="x", asset="GBP"),
    ]
    assert list(grants(*wanted, stacking={"x": "best", "y": "best"})) == ["b", "c", "d"]


def test_what_lines_earned_is_split_over_them() -> None:
    [grant] = settle([award("a", 10, 3, lines=((1, 1), (3, 2)))], assets=ASSETS, stacking={}).grants
    assert (grant.units, grant.by_line) == (3, ((1, 1), (3, 2)))
    [grant] = settle([award("a", 10, lines=((1, -1), (3, 2)))], assets=ASSETS, stacking={}).grants
    assert grant.by_line == ()


@given(st.integers(1, 10**6), st.lists(st.integers(0, 1000), min_size=1, max_size=5).filter(any))
def test_the_parts_of_lines_sum_to_the_grant(units: int, weights: list[int]) -> None:
    [grant] = settle([award("a", units, lines=tuple(enumerate(weights, 1)))], assets=ASSETS, stacking={}).grants
    assert sum(part for _, part in grant.by_line) == grant.units == units


def test_an_award_of_nothing_is_seen_in_the_trace_only() -> None:
    assert grants(award("a", 1, 2)) == {}
    assert trace(award("a", 1, 2))["awards"] == [("a", "points", 0)]


def test_what_rules_read_is_kept() -> None:
    assert trace(Note("points", {"order.net": 100})) == {"read": {"points": {"order.net": 100}}}


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        ([award("a", 1, asset="stamps")], "rule a awards 'stamps', which is not an asset of the program"),
        ([award("a", 1, group="promo")], r"rule a names the group 'promo', which \[stacking\] does not have"),
        ([award("a", LARGEST + 1)], "rule a awards .* points, more than any amount that is kept"),
        ([award("a", 1), award("b", 1), award("a", 1)], "rule a awards twice on one event"),
    ],
)
def test_what_cannot_be_granted_names_its_rule(wanted: list[Award], says: str) -> None:
    with pytest.raises(PluginError, match=says):
        grants(*wanted)
