from __future__ import annotations

from math import sqrt
from statistics import NormalDist

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stampbook import ProgramError
from stampbook.loading import load
from stampbook.population import Frames
from tests.plugins.histories import Row, buys, history, line, lines, program, run, segments

AT = 500


def orders(account: str, *contents: str) -> list[Row]:
    """Return the lines of orders, one a day: ``"tea cake"`` is an order with two lines."""
    return [
        line(account, AT - 1 - number, category, 100)
        for number, content in enumerate(contents)
        for category in content.split()
    ]


def frames(rows: list[Row]) -> Frames:
    bought = {(row["account"], row["event"]): row for row in rows if row["kind"] == "purchase"}
    return Frames(history([buys(ref, (AT - 1), 100, event) for ref, event in bought]), lines(rows))


def of(rows: list[Row], options: str = "") -> dict[str, str]:
    return segments(program("preference", options), frames(rows), AT)


EVERYBODY = [row for number in range(20) for row in orders(f"x{number}", "tea", "cake", "tea", "soup")]


def test_what_is_in_most_orders_is_preferred_if_it_is_in_fewer_of_everybodys() -> None:
    assert of([*EVERYBODY, *orders("a", *["cake"] * 6)])["a"] == "cake"


def test_what_everybody_buys_mostly_is_no_preference() -> None:
    assert of([*EVERYBODY, *orders("a", "tea", "tea", "cake")])["a"] == "none"


def test_two_orders_are_too_few_to_be_sure() -> None:
    assert of([*EVERYBODY, *orders("a", "soup", "soup")])["a"] == "none"
    assert of([*EVERYBODY, *orders("a", "soup", "soup")], "least_orders = 2")["a"] == "soup"


def test_two_that_are_equally_often_at_the_top_are_mixed() -> None:
    rows = [*EVERYBODY, *orders("a", *["soup cake"] * 6)]
    frame = run(program("preference"), frames(rows), AT)
    [row] = [row for row in frame.to_dicts() if row["account"] == "a"]
    assert (row["segment"], row["top"], row["orders"]) == ("mixed", None, 6)


def test_what_came_back_is_not_liked() -> None:
    rows = [*EVERYBODY, *orders("a", "soup", "soup", "soup", "soup cake")]
    back = [
        {**row, "kind": "return", "about": row["event"], "event": "r" + row["event"]}
        for row in rows
        if row["account"] == "a"
    ]
    returned = [row for row in back if row["category"] == "soup"][:3]
    assert of(rows)["a"] == "soup"
    assert of([*rows, *returned])["a"] != "soup"


def test_the_largest_lift_may_be_chosen_instead() -> None:
    rows = [*EVERYBODY, *orders("a", *["tea jam"] * 3, *["tea"] * 4)]
    assert of(rows, "least_orders = 3")["a"] == "tea"
    assert of(rows, 'choose = "lift"')["a"] == "jam"


def test_brands_are_labels() -> None:
    rows = [{**row, "labels": "sale\tbrand:Acme" if row["account"] == "a" else "sale"} for row in
            [*EVERYBODY, *orders("a", "tea", "tea", "cake")]]  # fmt: skip
    assert of(rows, 'of = "label"\nprefix = "brand:"')["a"] == "none"  # everybody who has a brand has that one
    others = [{**row, "labels": "brand:Other"} for row in EVERYBODY]
    assert of([*others, *rows], 'of = "label"\nprefix = "brand:"')["a"] == "Acme"


def test_stores_and_channels_are_of_the_order() -> None:
    rows = [buys("a", AT - day, 100, store="north", channel="web") for day in range(5)]
    rows += [buys("b", AT - day, 100, store="south" if day else None) for day in range(9)]
    assert segments(program("preference", 'of = "store"'), history(rows), AT) == {"a": "north", "b": "south"}
    assert segments(program("preference", 'of = "channel"'), history(rows), AT) == {"a": "none", "b": "none"}
    bare = history(rows).drop("store")
    assert set(segments(program("preference", 'of = "store"'), bare, AT).values()) == {"none"}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ('prefix = "brand:"', "belongs to of = 'label'"),
        ('confidence = "40%"', "at least 50%"),
        ('mixed = "none"', "name of none"),
        ('of = "catgory"', "category"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(options: str, said: str) -> None:
    with pytest.raises(ProgramError, match=said):
        load(program("preference", options))


def test_each_preference_is_explained_in_a_sentence() -> None:
    rows = [*EVERYBODY, *orders("a", *["cake"] * 5, "tea")]
    text = program("preference")
    [(_, scheme)] = load(text).segmenters()
    said = {row["account"]: scheme.reasons(row, {}) for row in run(text, frames(rows), AT).to_dicts()}
    assert said["a"] == ("cake: cake is in 5 of 6 orders (83.3 %), surely in 57.5 %; in 29.1 % of everybody's",)


@given(k=st.integers(1, 30), more=st.integers(0, 30))
def test_the_lower_bound_is_wilsons(k: int, more: int) -> None:
    rows = orders("a", *["soup"] * k, *["tea"] * more)
    frame = run(program("preference", 'of = "category"'), frames(rows), AT)
    [row] = frame.to_dicts()
    n, top = k + more, max(k, more)
    if k == more:
        assert row["least_share"] is None
        return
    z, p = NormalDist().inv_cdf(0.9), top / n
    expected = (p + z * z / (2 * n) - z * sqrt(p * (1 - p) / n + z * z / (4 * n * n))) / (1 + z * z / n)
    assert row["least_share"] == pytest.approx(expected, abs=1e-6)
