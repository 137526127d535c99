from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stampbook import ProgramError
from stampbook.loading import load
from tests.plugins.histories import Row, buys, day, gives_back, history, program, run, segments

if TYPE_CHECKING:
    import random

AT = 1000
CALM = 'growing_from = "100"'
LAPSE = 'rule = "lapse"\nlapse_days = 100'


def visits(account: str, *ages: float, amount: int = 100) -> list[Row]:
    """Return purchases that were so many days before the run."""
    return [buys(account, AT - age, amount) for age in ages]


def stage(rows: list[Row], options: str = "", account: str = "a") -> str:
    return segments(program("lifecycle", options), history(rows), AT)[account]


def test_late_is_beyond_the_gap_that_covers_four_fifths_of_the_own_ones() -> None:
    # Gaps of 10, 20, 30, 40 and 50 days: four of five are at most 40.
    def since(days: int) -> str:
        return stage(visits("a", days, days + 10, days + 30, days + 60, days + 100, days + 150), CALM)

    assert [since(days) for days in (40, 41, 80, 81)] == ["mature", "at_risk", "at_risk", "lost"]


def test_a_second_more_than_the_limit_of_whole_days_is_not_late_yet() -> None:
    rows = visits("a", 40.99, 50.99, 70.99, 100.99, 140.99, 190.99)
    assert stage(rows, CALM) == "mature"


def test_with_fewer_than_three_gaps_those_of_all_count() -> None:
    regular = [row for number in range(4) for row in visits(f"r{number}", *range(5, 100, 10))]
    assert run(program("lifecycle"), history([*regular, *visits("a", 9, 200)]), AT)["limit_days"].to_list()[0] == 10
    assert stage([*regular, *visits("a", 10, 200)]) != "at_risk"
    assert stage([*regular, *visits("a", 11, 200)]) == "at_risk"


def test_where_nobody_has_a_gap_the_lapse_counts() -> None:
    assert stage(visits("a", 180)) == "mature"
    assert stage(visits("a", 181)) == "at_risk"


def test_who_buys_every_day_is_not_late_after_one() -> None:
    assert stage(visits("a", *range(7, 200))) == "mature"
    assert stage(visits("a", *range(8, 200))) == "at_risk"


def test_purchases_of_one_day_are_one_visit() -> None:
    rows = [*visits("a", 5, 5.2, 5.4, 15, 25, 35), *visits("a", 200)]
    assert run(program("lifecycle"), history(rows), AT)["visits"].to_list() == [5]


def test_a_lapse_is_the_same_for_everybody() -> None:
    found = [stage(visits("a", days, 500), LAPSE + "\nwon_back_days = 1") for days in (79, 80, 99, 100)]
    assert found == ["mature", "at_risk", "at_risk", "lost"]


def test_new_is_who_came_lately_and_is_not_late() -> None:
    assert stage(visits("a", 90), LAPSE + '\nat_risk_from = "95%"') == "new"
    assert stage(visits("a", 3, 91), LAPSE) != "new"


def test_won_back_is_who_came_again_after_being_lost() -> None:
    assert stage(visits("a", 50, 150, 300), LAPSE) == "won_back"
    assert stage(visits("a", 50, 149, 300), LAPSE + "\nwon_back_days = 49") == "mature"
    assert stage(visits("a", 10, 70, 90, 190, 300), f"{LAPSE}\n{CALM}") == "won_back"
    assert stage(visits("a", 10, 70, 91, 191, 300), f"{LAPSE}\n{CALM}") == "mature"


def test_growing_is_a_fifth_more_than_in_the_days_before() -> None:
    def after(recent: int) -> str:
        rows = [*visits("a", 10, amount=recent), *visits("a", 100, amount=1000), *visits("a", 190)]
        return stage(rows, 'rule = "lapse"\nlapse_days = 400')

    assert [after(amount) for amount in (1200, 1199)] == ["growing", "mature"]


def test_what_came_back_was_never_bought() -> None:
    rows = [*visits("a", 300), *visits("a", 10), gives_back("a", AT - 5, 100, f"a@{AT - 10}")]
    assert stage(rows, LAPSE) == "lost"
    assert stage([buys("a", 1, 100), gives_back("a", 2, 100, "a@1")]) == "none"
    assert stage([gives_back("a", 2, 100)]) == "none"


def test_stages_may_have_other_names() -> None:
    assert stage(visits("a", 300), LAPSE + '\nnames = { lost = "流失" }') == "流失"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ('cover = "0%"', "cover"),
        ('at_risk_from = "120%"', "at_risk_from"),
        ('lost_after = "0.5"', "before being late"),
        ('growing_from = "1"', "more than 1"),
        ('names = { gone = "x" }', "gone"),
        ("new_days = 0", "new_days"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(options: str, said: str) -> None:
    with pytest.raises(ProgramError, match=said):
        load(program("lifecycle", options))


def test_each_stage_is_explained_in_sentences() -> None:
    text = program("lifecycle", LAPSE)
    [(_, scheme)] = load(text).segmenters()
    rows = [*visits("a", 50, 150, 300), *visits("b", 85), *visits("c", 5), gives_back("d", 1, 5)]
    said = {row["account"]: scheme.reasons(row, {}) for row in run(text, history(rows), AT).to_dicts()}
    assert said["a"] == (
        "won_back: 50 days since the last visit, lost from 100 on, at risk from 80% of that",
        "came back within 90 days after a gap as long as that of the lost",
    )
    assert said["b"] == ("at_risk: 85 days since the last visit, lost from 100 on, at risk from 80% of that",)
    assert said["c"][1] == "the first visit was 5 days ago, new until 90"
    assert said["d"] == ("none: never kept a purchase",)


ages = st.lists(st.integers(0, 400), min_size=1, max_size=12)


@given(people=st.lists(ages, min_size=1, max_size=5), chance=st.randoms(use_true_random=False))
def test_limits_are_those_of_a_naive_list_whatever_the_order_of_rows(
    people: list[list[int]], chance: random.Random
) -> None:
    rows = [row for number, own in enumerate(people) for row in visits(f"p{number}", *dict.fromkeys(own))]
    chance.shuffle(rows)
    frame = run(program("lifecycle"), history(rows), AT)
    found = dict(zip(frame["account"], frame["limit_days"], strict=True))
    gaps = {number: naive_gaps(own) for number, own in enumerate(people)}
    every = sorted(gap for own in gaps.values() for gap in own)
    for number, own in gaps.items():
        used = own if len(own) >= 3 else every
        expected = max(7, used[math.ceil(0.8 * len(used)) - 1]) if used else 180
        assert found[f"p{number}"] == expected


def naive_gaps(own: list[int]) -> list[int]:
    return sorted(later - earlier for earlier, later in pairwise(sorted(set(own))))


@given(people=st.lists(ages, min_size=1, max_size=4))
def test_equal_histories_are_in_one_stage(people: list[list[int]]) -> None:
    rows = [
        row
        for twin in "xy"
        for number, own in enumerate(people)
        for row in visits(f"{number}{twin}", *dict.fromkeys(own))
    ]
    found = segments(program("lifecycle"), history(rows), AT)
    assert all(found[f"{number}x"] == found[f"{number}y"] for number in range(len(people)))
    assert sum(Counter(found.values()).values()) == 2 * len(people)


def test_rows_after_the_instant_are_not_seen() -> None:
    rows = visits("a", 50, 150, 300)
    later = [buys("a", AT + 1, 100)]
    assert stage(rows, LAPSE) == stage([*rows, *later], LAPSE)
    assert day(0) < day(AT)


def test_stages_that_share_a_name_are_not_mistaken_for_one_another() -> None:
    text = program("lifecycle", LAPSE + '\nnames = { new = "fine", mature = "fine" }')
    [(_, scheme)] = load(text).segmenters()
    [row] = run(text, history(visits("a", 1, 99, 150)), AT).to_dicts()
    assert scheme.reasons(row, {}) == ("fine: 1 day since the last visit, lost from 100 on, at risk from 80% of that",)


def test_factors_are_short_so_that_sums_of_any_size_can_be_compared() -> None:
    big = 9_000_000_000_000
    rows = [*visits("a", 10, amount=big), *visits("a", 100, amount=big - 1), *visits("a", 190)]
    assert stage(rows, 'rule = "lapse"\nlapse_days = 400\ngrowing_from = "1.001"') == "mature"
    with pytest.raises(ProgramError, match="growing_from"):
        load(program("lifecycle", 'growing_from = "1.0001"'))
