from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stampbook.errors import PeriodError
from stampbook.periods import NEVER, Calendar, LeapDay
from stampbook.validity import Validity

UTC = Calendar()
MARCH = Calendar("UTC", LeapDay.MARCH_1)
ZONES = ["UTC", "Europe/London", "America/Sao_Paulo", "Africa/Cairo", "Pacific/Apia", "Australia/Lord_Howe"]
TEXTS = [
    "90 days",
    "12 months",
    "12 months, end of month",
    "end of quarter",
    "12 months, end of year",
    "31 march",
    "31 march of the following year",
    "29 february",
    "30 june or 31 december, at least 3 months",
    "31 march of the following year, at least 6 months",
    "membership anniversary",
    "membership anniversary, at least 30 days",
]


def last_day(text: str, start: str, calendar: Calendar = UTC, member: str = "2020-02-29") -> str:
    days = (date.fromisoformat(each).toordinal() for each in (start, member))
    day, since = days
    return date.fromordinal(Validity.parse(text).last_day(day, calendar, since)).isoformat()


@pytest.mark.parametrize(
    ("text", "start", "last"),
    [
        ("12 months, end of month", "2025-03-15", "2026-03-31"),
        ("31 march", "2025-03-31", "2025-03-31"),
        ("31 march", "2025-04-01", "2026-03-31"),
        ("31 march of the following year", "2025-01-01", "2026-03-31"),
        ("31 march of the following year", "2025-12-31", "2026-03-31"),
        ("31 march of the following year, at least 6 months", "2025-09-30", "2026-03-31"),
        ("31 march of the following year, at least 6 months", "2025-10-01", "2027-03-31"),
        ("31 December or 30 June", "2025-05-01", "2025-06-30"),
        ("30 june or 31 december, at least 3 months", "2025-04-01", "2025-12-31"),
        ("29 february", "2024-02-01", "2024-02-29"),
        ("29 february", "2024-03-01", "2025-02-28"),
        ("membership anniversary", "2025-02-27", "2025-02-28"),
        ("membership anniversary", "2025-02-28", "2026-02-28"),
        ("membership anniversary", "2027-12-01", "2028-02-29"),
        ("membership anniversary", "2020-02-29", "2021-02-28"),
        ("membership anniversary, at least 3 months", "2024-12-01", "2026-02-28"),
    ],
)
def test_the_named_day(text: str, start: str, last: str) -> None:
    assert last_day(text, start) == last


def test_a_29_february_goes_where_the_program_says() -> None:
    assert last_day("29 february", "2025-01-01", MARCH) == "2025-03-01"
    assert last_day("membership anniversary", "2025-01-01", MARCH) == "2025-03-01"


def test_what_is_earned_before_the_account_was_opened_lasts_to_the_first_anniversary() -> None:
    assert last_day("membership anniversary", "2020-01-05", member="2020-03-01") == "2021-03-01"


def test_never_never_ends() -> None:
    never = Validity.parse("never")
    assert never.never
    assert never.ends(UTC)(0, 0) == NEVER
    with pytest.raises(PeriodError, match="what is good for ever has no last day"):
        never.last_day(1, UTC)


@pytest.mark.parametrize(
    ("text", "last_moment"),
    [
        ("31 march", "2026-03-30T23:59:59.999999+01:00"),
        ("end of month", "2025-04-29T23:59:59.999999+01:00"),
        ("1 day", "2025-03-31T23:59:59.999999+01:00"),
    ],
)
def test_an_excluded_last_day_on_the_day_of_earning_is_the_next_one(text: str, last_moment: str) -> None:
    london = Calendar("Europe/London")
    end = Validity.parse(text).ends(london, included=False)(london.parse("2025-03-31T12:00"), 0)
    assert london.iso(end - 1) == last_moment


@pytest.mark.parametrize("text", [*TEXTS, "never"])
def test_a_validity_is_written_as_it_was_read(text: str) -> None:
    assert str(Validity.parse(text)) == text


@pytest.mark.parametrize("text", ["", "soon", "31 march, soon", "12 months, at least 3 months", "31 march or soon"])
def test_what_is_no_validity_is_refused(text: str) -> None:
    with pytest.raises(PeriodError, match="is no time to be good; write '12 months'"):
        Validity.parse(text)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("31 april", "'31 april' is a day that no year has"),
        ("0 march", "'0 march' is a day that no year has"),
        ("31 march, at least a bit", "'a bit' is not a period"),
        ("0 days", "must be longer than nothing"),
    ],
)
def test_days_and_lengths_that_there_are_not(text: str, says: str) -> None:
    with pytest.raises(PeriodError, match=says):
        Validity.parse(text)


INSTANTS = st.integers(UTC.parse("1999-01-01"), UTC.parse("2045-01-01"))


@given(st.sampled_from(TEXTS), st.sampled_from(ZONES), st.sampled_from(list(LeapDay)), INSTANTS, INSTANTS)
def test_nothing_ends_before_its_last_day_is_over(text: str, zone: str, leap: LeapDay, at: int, opened: int) -> None:
    calendar, validity = Calendar(zone, leap), Validity.parse(text)
    end = validity.ends(calendar)(at, opened)
    last = validity.last_day(calendar.day(at), calendar, calendar.day(opened))
    assert end > at
    assert calendar.day(end - 1) <= last < calendar.day(end)
    shorter = validity.ends(calendar, included=False)(at, opened)
    assert shorter > at
    assert shorter < end or last == calendar.day(at)


@given(st.sampled_from(TEXTS), st.booleans(), st.sampled_from(ZONES), INSTANTS, INSTANTS, INSTANTS)
def test_what_begins_later_never_ends_earlier(
    text: str,
    included: bool,  # noqa: FBT001 - drawn
    zone: str,
    one: int,
    other: int,
    opened: int,
) -> None:
    ends = Validity.parse(text).ends(Calendar(zone), included=included)
    assert ends(min(one, other), opened) <= ends(max(one, other), opened)
