from __future__ import annotations

from datetime import date

import pytest

from stampbook import InputError, ProgramError
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


@pytest.mark.parametrize("name", ["age", "value", "segment", "rule", "at", "event_at", "orders"])
def test_an_attribute_may_be_called_like_anything_that_the_scheme_itself_speaks_of(name: str) -> None:
    declared = f'[attributes]\n{name} = "text"\n'
    seen = Frames(history([]), accounts=accounts([{"account": "ann", name: "x"}, {"account": "bob"}], name))
    assert segments(program("attributes", f'attribute = "{name}"', declared), seen) == {"ann": "x", "bob": "unknown"}
    rule = f'[[plugin.rule]]\nwhen = "account.{name} == \'x\' and event.at > account.opened_at"\nsegment = "s"'
    assert segments(program("attributes", rule, declared), seen) == {"ann": "s", "bob": "other"}


def test_spaces_say_nothing() -> None:
    people = [{"account": "ann", "region": "  "}, {"account": "bob", "region": " Leeds "}]
    seen = Frames(history([]), accounts=accounts(people, "region"))
    for options in ('attribute = "region"', 'attribute = "region"\nvalues = { Leeds = ["Leeds "] }'):
        assert segments(program("attributes", options, DECLARED), seen) == {"ann": "unknown", "bob": "Leeds"}


def test_accounts_without_a_column_for_an_attribute_are_refused_in_one_line() -> None:
    seen = Frames(history([]), accounts=accounts([{"account": "ann", "regions": "x"}], "regions"))
    with pytest.raises(InputError, match=r"^accounts: no column 'region' \(did you mean 'regions'\?\)"):
        segments(program("attributes", 'attribute = "region"', DECLARED), seen)


def test_of_two_conditions_with_one_segment_the_one_that_held_is_told() -> None:
    options = """
[[plugin.rule]]
when = "account.region == 'York'"
segment = "near"
[[plugin.rule]]
when = "account.region == 'Leeds'"
segment = "near"
"""
    text = program("attributes", options, DECLARED)
    [(_, scheme)] = load(text).segmenters()
    said = [scheme.reasons(row, {}) for row in run(text, frames()).to_dicts()]
    assert said[:2] == [("near: rule 2: account.region == 'Leeds'",), ("other: no condition holds",)]
