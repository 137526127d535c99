from __future__ import annotations

import pytest

from stampbook import ProgramError
from stampbook.loading import load
from stampbook.population import Frames
from tests.plugins.histories import Row, activity, buys, gives_back, history, program, run, segments

AT = 500
COMPLAINTS = 'complaints = ["complaint"]'
DECLARED = "[events.complaint]\n"


def visits(account: str, *ages: float, discount: int = 0) -> list[Row]:
    return [buys(account, AT - age, 100, discount=discount) for age in ages]


def of(rows: list[Row], options: str = "") -> dict[str, str]:
    return segments(program("behaviour", options), history(rows), AT)


def test_how_lately_somebody_bought() -> None:
    rows = [row for days in (60, 61, 180, 181) for row in visits(f"a{days}", days)]
    assert of(rows) == {"a60": "active", "a61": "potential", "a180": "potential", "a181": "lost"}


def test_who_kept_nothing_has_no_behaviour() -> None:
    rows = [buys("a", AT - 5, 100), gives_back("a", AT - 4, 100, f"a@{AT - 5}"), gives_back("b", AT, 5)]
    assert of(rows) == {"a": "none", "b": "none"}


def test_discounts_bring_who_buys_mostly_with_them() -> None:
    rows = [
        *visits("three", 1, 2, 3, discount=10), *visits("three", 4, 5),
        *visits("two", 1, 2, discount=10), *visits("two", 3, 4),
        *visits("few", 1, 2, discount=10),
        *visits("long-ago", 400, 401, 402, discount=10), *visits("long-ago", 1),
    ]  # fmt: skip
    assert of(rows) == {"three": "discount_driven", "two": "active", "few": "active", "long-ago": "active"}


def test_complaints_come_first() -> None:
    rows = [*visits("a", 1, 2, 3, discount=10), *visits("b", 1), *visits("c", 1)]
    told = activity([
        *(("a", AT - age, "complaint") for age in (1, 2, 3)),
        *(("b", AT - age, "complaint") for age in (1, 2)), ("b", AT - 3, "purchase"),
        *(("c", AT - age, "complaint") for age in (1, 2, 400)),
    ])  # fmt: skip
    frames = Frames(history(rows), activity=told)
    text = program("behaviour", COMPLAINTS, DECLARED)
    assert segments(text, frames, AT) == {"a": "complaint_heavy", "b": "active", "c": "active"}
    turned = program("behaviour", COMPLAINTS + '\nfirst = ["discount_driven"]', DECLARED)
    frame = run(turned, frames, AT)
    assert frame["segment"].to_list()[0] == "discount_driven"
    assert frame["complaint_heavy"].to_list() == [True, False, False]


def test_much_that_comes_back_is_a_complaint_where_the_program_says_so() -> None:
    rows = [buys("a", AT - 9, 1000), gives_back("a", AT - 1, 400, f"a@{AT - 9}"), buys("b", AT - 9, 1000)]
    assert of(rows, 'returned_from = "40%"') == {"a": "complaint_heavy", "b": "active"}
    assert of(rows, 'returned_from = "40.01%"')["a"] == "active"
    assert of(rows)["a"] == "active"


def test_a_history_without_discounts_has_none() -> None:
    rows = history(visits("a", 1, 2, 3, discount=10)).drop("discount")
    assert segments(program("behaviour"), rows, AT) == {"a": "active"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ("active_days = 180", "leaves nobody between"),
        ('first = ["discount_driven", "discount_driven"]', "twice"),
        ('discounted_from = "0%"', "discounted_from"),
        ("complaints_from = 2", "which kinds"),
        ('complaints = ["complant"]', "complant"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(options: str, said: str) -> None:
    with pytest.raises(ProgramError, match=said):
        load(program("behaviour", options, DECLARED))


def test_each_segment_is_explained_in_sentences() -> None:
    rows = [*visits("a", 1, 2, 3, discount=10), gives_back("b", 1, 1)]
    text = program("behaviour")
    [(_, scheme)] = load(text).segmenters()
    said = [scheme.reasons(row, {}) for row in run(text, history(rows), AT).to_dicts()]
    assert said == [
        [
            "discount_driven: 1 day since the last purchase, active until 60, lost after 180",
            "3 of 3 orders with a discount",
        ],
        ["none: never kept a purchase"],
    ]
