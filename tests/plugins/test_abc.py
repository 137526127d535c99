from __future__ import annotations

from collections import Counter
from fractions import Fraction
from itertools import accumulate

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stampbook import InputError, ProgramError
from stampbook.loading import load
from stampbook.population import Frames
from stampbook_abc import Abc
from tests.effort import examples
from tests.plugins.histories import (
    PIECE,
    Row,
    buys,
    counts,
    day,
    gives_back,
    history,
    line,
    lines,
    program,
    run,
    segments,
)


def spend(*amounts: int) -> list[Row]:
    return [buys(f"a{number}", 1, amount) for number, amount in enumerate(amounts)]


def classes(options: str, *amounts: int) -> str:
    found = segments(program("abc", options), history(spend(*amounts)))
    return "".join(found[f"a{number}"] for number in range(len(amounts)))


def test_the_account_that_crosses_a_border_is_in_or_out() -> None:
    # 70, 20, 6, 4 of 100: 70 | 90 | 96 | 100 of all
    assert classes("", 70, 20, 6, 4) == "AABC"
    assert classes('crossing = "out"', 70, 20, 6, 4) == "ABCC"


def test_a_sum_that_meets_a_border_exactly_ends_the_class_under_both_rules() -> None:
    assert classes("", 80, 15, 5) == classes('crossing = "out"', 80, 15, 5) == "ABC"


def test_equal_accounts_are_in_or_out_together() -> None:
    assert classes("", 25, 25, 25, 25) == "AAAA"
    assert classes('crossing = "out"', 25, 25, 25, 25) == "CCCC"


def test_nothing_and_less_than_nothing_is_last_and_counts_for_no_total() -> None:
    rows = [*spend(80, 20), buys("zero", 1, 0), gives_back("minus", 2, 500)]
    frame = run(program("abc"), history(rows))
    told = {row["account"]: row for row in frame.to_dicts()}
    assert [told[name]["segment"] for name in ("a0", "a1", "zero", "minus")] == ["A", "B", "C", "C"]
    assert (told["minus"]["value"], told["minus"]["rank"], told["minus"]["share"]) == (-500, None, None)
    assert (told["a0"]["share"], told["a1"]["cumulative_share"], told["a1"]["rank"]) == (0.8, 1.0, 2)


def test_returns_leave_with_their_purchase_and_the_window_counts() -> None:
    rows = [buys("a", 5, 900, "old"), buys("a", 95, 100, "new"), gives_back("a", 99, 900, "old"), buys("b", 96, 60)]
    values = {
        row["account"]: row["value"] for row in run(program("abc", 'window = "30 days"'), history(rows)).to_dicts()
    }
    assert values == {"a": 100, "b": 60}


def test_own_borders_and_names() -> None:
    options = 'borders = ["50%"]\nnames = ["few", "many"]'
    assert segments(program("abc", options), history(spend(60, 30, 10))) == {"a0": "few", "a1": "many", "a2": "many"}


def test_by_orders_quantity_and_margin() -> None:
    rows = [buys("a", 1, 1000), buys("b", 1, 1000), buys("b", 2, 10), buys("c", 2, 10), gives_back("c", 3, 10, "c@2")]
    of_lines = [
        line("a", 1, "fresh", 1000, pieces=4),
        line("b", 1, "tools", 1000),
        line("b", 2, "tools", 10),
        {**line("a", 3, "fresh", 250, pieces=1), "kind": "return", "event": "r", "about": "a@1"},
    ]
    frames = Frames(history(rows), lines(of_lines))

    def values(options: str) -> dict[str, int]:
        return {row["account"]: row["value"] for row in run(program("abc", options), frames).to_dicts()}

    assert values('by = "orders"') == {"a": 1, "b": 2, "c": 0}
    assert values('by = "quantity"') == {"a": 3 * PIECE, "b": 2 * PIECE, "c": 0}
    # 12.5 % of 750 is 93.75, 30 % of 1010 is 303
    assert values('by = "margin"\nmargins = { "*" = "30%", fresh = "12.5%" }') == {"a": 94, "b": 303, "c": 0}


def test_computed_borders_by_hand() -> None:
    # Ten accounts, 100 in all: the curve goes (.1,.40) (.2,.65) (.3,.80) (.4,.88) (.5,.92) … (1,1).
    # Nearest to (0,1): .1 -> .37, .2 -> .1625, .3 -> .13, .4 -> .1744: the third. The mean is 10, so break-even is
    # there too. Nearest to (.3, 1): .3 -> .04, .4 -> .0244, .5 -> .0464: the fourth.
    assert classes('method = "computed"', 40, 25, 15, 8, 4, 3, 2, 1, 1, 1) == "AAABCCCCCC"


def test_computed_borders_of_equal_accounts_put_them_in_one_class() -> None:
    assert classes('method = "computed"', 10, 10, 10) == "AAA"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ('borders = ["95%", "80%"]', "do not rise"),
        ('borders = ["80%"]', "there are 3, and 2 classes"),
        ('names = ["A", "A", "C"]', "two classes have one name"),
        ('method = "computed"\nborders = ["80%", "95%"]', "works them out"),
        ('by = "margin"', "it needs them"),
        ('by = "margin"\nmargins = { fresh = "1%" }', "all other categories"),
        ('crossing = "inn"', "crossing"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(options: str, said: str) -> None:
    with pytest.raises(ProgramError, match=said):
        load(program("abc", options))


def test_each_class_is_explained_in_a_sentence() -> None:
    registry = load(program("abc"))
    [(_, scheme)] = registry.segmenters()
    assert isinstance(scheme, Abc)
    rows = run(program("abc"), history([*spend(7000, 3000), buys("zero", 1, 0)])).to_dicts()
    assert [scheme.reasons(row, {}) for row in rows] == [
        ("A: 70.00 GBP net, rank 1; the accounts down to it bring 70.0 % of all",),
        ("A: 30.00 GBP net, rank 2; the accounts down to it bring 100.0 % of all",),
        ("C: 0.00 GBP net, which brings nothing",),
    ]


amounts = st.lists(st.integers(0, 6) | st.integers(0, 1000), min_size=1, max_size=30)


BORDERS = (Fraction(8, 10), Fraction(95, 100))


@given(values=amounts, crossing=st.sampled_from(["in", "out"]))
def test_classes_are_those_of_a_naive_list(values: list[int], crossing: str) -> None:
    found = classes(f'crossing = "{crossing}"', *values)
    ordered = sorted(set(values) - {0}, reverse=True)
    counts = Counter(values)
    through = list(accumulate(value * counts[value] for value in ordered))
    total, expected = sum(values), {0: "C"}
    for value, reached in zip(ordered, through, strict=True):
        counts_as = Fraction(reached - value * counts[value] if crossing == "in" else reached, total)
        within = [counts_as < border if crossing == "in" else counts_as <= border for border in BORDERS]
        expected[value] = "A" if within[0] else "B" if within[1] else "C"
    assert found == "".join(expected[value] for value in values)


@given(values=amounts, method=st.sampled_from(["", 'method = "computed"']))
def test_equal_accounts_share_a_class_and_better_ones_are_never_in_a_lower(values: list[int], method: str) -> None:
    found = sorted(zip(values, classes(method, *values), strict=True), reverse=True)
    assert len({value: None for value, _ in set(found)}) == len(set(found))
    assert [name for _, name in found] == sorted(name for _, name in found)


def test_a_frame_that_is_not_there_is_named() -> None:
    text = program("abc", 'by = "metric.n"', "[metrics.n]\ncount = true\n")
    with pytest.raises(InputError, match="looks at accounts"):
        run(text, Frames(history([]), counts=counts([])))


CHANGE = st.tuples(st.sampled_from("abc"), st.integers(0, 40), st.integers(0, 40), st.integers(-5, 9))


@examples(60)
@given(
    changes=st.lists(st.tuples(CHANGE, st.sampled_from(["n", "m"])), max_size=30),
    at=st.integers(0, 45),
    window=st.sampled_from([None, 1, 7, 30]),
)
def test_what_a_metric_comes_to_is_a_naive_sum(
    changes: list[tuple[tuple[str, int, int, int], str]], at: int, window: int | None
) -> None:
    expected = Counter(dict.fromkeys("abcd", 0))
    rows = []
    for (ref, happened, counts_on, amount), metric in changes:
        rows.append((ref, happened, metric, None, counts_on, amount))
        if metric == "n" and happened <= at and counts_on <= at and (window is None or counts_on > at - window):
            expected[ref] += amount
    options = 'by = "metric.n"' + (f'\nwindow = "{window} days"' if window else "")
    text = program("abc", options, "[metrics.n]\ncount = true\n[metrics.m]\ncount = true\n")
    people = pl.LazyFrame({"account": list("abcd"), "opened_at": [day(0)] * 4, "status": ["open"] * 4})
    frame = run(text, Frames(history([]), accounts=people, counts=counts(rows)), at)
    assert dict(frame.select("account", "value").iter_rows()) == expected
    assert set(frame.filter(pl.col("value") <= 0)["segment"]) <= {"C"}
