from __future__ import annotations

from datetime import date

import pytest

from stampbook import ProgramError
from stampbook.loading import load
from stampbook.periods import Calendar
from stampbook.population import Frames
from stampbook_attributes.rules import full_years
from tests.plugins.histories import accounts, history, program, run, segments

DECLARED = '[attributes]\nregion = "text"\nborn = "text"\nindustry = "text"\n'
PEOPLE = [
    {"account": "ann", "region": "Leeds", "born": "2007-04-11", "industry": "hotel"},
    {"account": "bob", "region": "London", "born": "1960-01-01", "industry": "shop"},
    {"account": "cid", "region": "Wick", "born": "long ago"},
    {"account": "dan"},
]
AGES = """
attribute = "born"
[[plugin.age]]
segment = "adult"
from = 18
[[plugin.age]]
segment = "senior"
from = 65
"""


def frames() -> Frames:
    return Frames(history([]), accounts=accounts(PEOPLE, "region", "born", "industry"))


def of(options: str, at: float = 100) -> list[str]:
    return list(segments(program("attributes", options, DECLARED), frames(), at).values())


def test_each_value_is_a_segment() -> None:
    assert of('attribute = "region"') == ["Leeds", "London", "Wick", "unknown"]


def test_values_in_groups() -> None:
    options = 'attribute = "region"\nvalues = { north = ["Leeds", "York"], south = ["London"] }'
    assert of(options) == ["north", "south", "other", "unknown"]


def test_ages_in_full_years_on_the_day_of_the_run() -> None:
    assert of(AGES, 99.9) == ["other", "senior", "unknown", "unknown"]  # 10 April 2025: a day before she is 18
    assert of(AGES, 100.5) == ["adult", "senior", "unknown", "unknown"]


@pytest.mark.parametrize(
    ("born", "today", "leap_day", "years"),
    [
        ("2004-02-29", "2025-02-28", "28 february", 21),
        ("2004-02-29", "2025-02-28", "1 march", 20),
        ("2004-02-29", "2025-03-01", "1 march", 21),
        ("2000-06-01", "2025-05-31", "28 february", 24),
        ("2025-06-02", "2025-06-01", "28 february", None),
        ("2025-06-01", "2025-06-01", "28 february", 0),
        ("1.6.2000", "2025-06-01", "28 february", None),
    ],
)
def test_full_years(born: str, today: str, leap_day: str, years: int | None) -> None:
    assert full_years(born, date.fromisoformat(today).toordinal(), Calendar("UTC", leap_day)) == years


def test_conditions_on_several() -> None:
    options = """
[[plugin.rule]]
when = "account.industry == 'hotel' and account.region == 'Leeds'"
segment = "northern hotels"
[[plugin.rule]]
when = "account.ref == 'bob'"
segment = "bob"
"""
    assert of(options) == ["northern hotels", "bob", "other", "other"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ('attribute = "regoin"', "did you mean 'region'"),
        ("", "either attribute"),
        ('attribute = "region"\nvalues = { a = ["x"], b = ["x"] }', "in two groups"),
        (AGES + '[[plugin.age]]\nsegment = "x"\nfrom = 20', "youngest to the oldest"),
        ('[[plugin.rule]]\nwhen = "history.orders > 1"\nsegment = "x"', "belong to use = 'custom'"),
        ('attribute = "region"\nvalues = { a = ["x"] }\n[[plugin.age]]\nsegment = "x"\nfrom = 1', "two ways"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(options: str, said: str) -> None:
    with pytest.raises(ProgramError, match=said):
        load(program("attributes", options, DECLARED))


def test_each_segment_is_explained_in_a_sentence() -> None:
    text = program("attributes", AGES, DECLARED)
    [(_, scheme)] = load(text).segmenters()
    said = [scheme.reasons(row, {}) for row in run(text, frames()).to_dicts()]
    assert said == [
        ("adult: born is '2007-04-11', 18 years old",),
        ("senior: born is '1960-01-01', 65 years old",),
        ("unknown: born is 'long ago'",),
        ("unknown: born is not known",),
    ]
