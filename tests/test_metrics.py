from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from stampbook.metrics import Counter, Metrics

days = st.integers(1, 40)


def test_a_counter_sums_the_days_of_a_window_both_ends_included() -> None:
    counter = Counter({1: 10, 5: 20, 9: 40})
    assert [counter.total(*window) for window in ((1, 9), (2, 9), (5, 5), (6, 8), (1, 100))] == [70, 60, 20, 0, 70]


def test_a_metric_that_was_never_counted_is_zero() -> None:
    assert Metrics().total("spend", 1, 100) == 0


@given(st.lists(st.tuples(days, st.integers(-9, 9)) | st.tuples(days, days).map(sorted), max_size=30))
def test_the_kept_sum_is_always_that_of_the_days(steps: list[tuple[int, int] | list[int]]) -> None:
    counter = Counter()
    for step in steps:
        if isinstance(step, tuple):
            counter.add(*step)
        else:
            first, last = step
            assert counter.total(first, last) == sum(v for day, v in counter.days.items() if first <= day <= last)


def test_iterating_names_only_days_that_count_in_order() -> None:
    metrics = Metrics()
    for metric, day, delta in (("visits", 3, 1), ("spend", 9, 5), ("spend", 2, 7), ("visits", 3, -1)):
        metrics.add(metric, day, delta)
    assert list(metrics) == [("spend", 2, 7), ("spend", 9, 5)]


def test_a_copy_goes_its_own_way() -> None:
    metrics = Metrics()
    metrics.add("spend", 1, 5)
    copy = metrics.copy()
    copy.add("spend", 1, 5)
    copy.add("visits", 1, 1)
    assert (metrics.total("spend", 1, 1), metrics.total("visits", 1, 1)) == (5, 0)
