from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stampbook.errors import PeriodError
from stampbook.periods import DAY, Calendar, LeapDay, Period, Window, moment_of

LONDON = Calendar("Europe/London")
SHANGHAI = Calendar("Asia/Shanghai")
SAO_PAULO = Calendar("America/Sao_Paulo")
MARCH = Calendar("UTC", LeapDay.MARCH_1)
UTC = Calendar()


def last_day(period: str, start: str, calendar: Calendar = UTC) -> str:
    return date.fromordinal(Period.parse(period).last_day(date.fromisoformat(start).toordinal(), calendar)).isoformat()


def first_day(window: str, today: str, calendar: Calendar = UTC) -> str:
    return date.fromordinal(Window.parse(window).first_day(date.fromisoformat(today).toordinal(), calendar)).isoformat()


# ---- days in a zone


def test_a_day_is_local() -> None:
    instant = UTC.parse("2025-01-31T18:00")
    assert UTC.day(instant) + 1 == SHANGHAI.day(instant)
    assert SHANGHAI.iso(instant) == "2025-02-01T02:00:00+08:00"
    assert (SHANGHAI.hour(instant), SHANGHAI.weekday(instant)) == (2, 6)
    assert (SHANGHAI.month(instant), SHANGHAI.day_of_month(instant)) == (2, 1)


def test_the_day_of_the_clock_change_has_23_or_25_hours() -> None:
    def hours(day: str) -> int:
        number = date.fromisoformat(day).toordinal()
        return (LONDON.start_of(number + 1) - LONDON.start_of(number)) * 24 // DAY

    assert [hours(day) for day in ("2025-03-30", "2025-10-26", "2025-06-01")] == [23, 25, 24]


def test_the_hour_around_a_clock_change() -> None:
    assert LONDON.hour(UTC.parse("2025-03-30T00:59:59")) == 0
    assert LONDON.hour(UTC.parse("2025-03-30T01:00")) == 2
    assert LONDON.hour(UTC.parse("2025-10-26T00:59:59")) == 1
    assert LONDON.hour(UTC.parse("2025-10-26T01:00")) == 1


def test_a_day_without_midnight_starts_after_the_gap() -> None:
    start = SAO_PAULO.start_of(date(2018, 11, 4).toordinal())
    assert SAO_PAULO.iso(start) == "2018-11-04T01:00:00-02:00"
    assert SAO_PAULO.day(start - 1) == date(2018, 11, 3).toordinal()


def test_a_change_in_the_middle_of_an_hour_is_seen() -> None:
    lord_howe = Calendar("Australia/Lord_Howe")
    assert lord_howe.iso(UTC.parse("2025-04-05T15:00")) == "2025-04-06T01:30:00+10:30"
    kathmandu = Calendar("Asia/Kathmandu")
    assert kathmandu.day(UTC.parse("2025-01-01T18:14:59")) + 1 == kathmandu.day(UTC.parse("2025-01-01T18:15"))


@given(
    st.sampled_from(
        ["UTC", "Europe/London", "America/Sao_Paulo", "Asia/Kathmandu", "America/Havana", "Pacific/Auckland"]
    ),
    st.dates(date(1975, 1, 1), date(2035, 12, 31)),
)
def test_a_day_starts_where_the_one_before_ends(zone: str, day: date) -> None:
    calendar = Calendar(zone)
    start = calendar.start_of(day.toordinal())
    assert calendar.day(start) == day.toordinal()
    assert calendar.day(start - 1) == day.toordinal() - 1


@given(st.sampled_from(["Europe/London", "America/Havana", "Australia/Lord_Howe"]), st.integers(0, 2 * 10**15))
def test_day_and_hour_are_those_of_the_local_clock(zone: str, instant: int) -> None:
    calendar = Calendar(zone)
    local = calendar.local(instant)
    assert calendar.day(instant) == local.date().toordinal()
    assert (calendar.hour(instant), calendar.weekday(instant)) == (local.hour, local.isoweekday())


# ---- reading


def test_a_time_without_offset_is_local() -> None:
    assert (
        SHANGHAI.parse("2025-01-31T10:00") == SHANGHAI.parse("2025-01-31T10:00+08:00") == UTC.parse("2025-01-31T02:00")
    )
    assert SHANGHAI.parse("2025-01-31") == UTC.parse("2025-01-30T16:00")
    assert moment_of(UTC.parse("2025-01-31")).isoformat() == "2025-01-31T00:00:00+00:00"


@pytest.mark.parametrize("text", ["", "yesterday", "2025-02-30", "2025-01-01T25:00", "31.12.2025", "12"])
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(PeriodError, match="is not a date or time; write 2025-01-31"):
        UTC.parse(text)


@pytest.mark.parametrize("text", ["0001-01-01", "1899-01-01", "9999-12-31"])
def test_times_beyond_all_books_are_refused(text: str) -> None:
    with pytest.raises(PeriodError, match=r"outside the years that are kept \(1900 to 8900\)"):
        UTC.parse(text)


def test_an_unknown_zone_has_a_near_name() -> None:
    with pytest.raises(PeriodError, match=r"no time zone 'Asia/Shangai' \(did you mean 'Asia/Shanghai'\?\)"):
        Calendar("Asia/Shangai")


@pytest.mark.parametrize("zone", ["", "../etc/passwd", "/etc/localtime", "Europe"])
def test_a_zone_is_no_path(zone: str) -> None:
    with pytest.raises(PeriodError, match="no time zone"):
        Calendar(zone)


# ---- periods


@pytest.mark.parametrize(
    ("period", "start", "last"),
    [
        ("1 month", "2025-01-31", "2025-02-28"),
        ("1 month", "2024-01-31", "2024-02-29"),
        ("12 months", "2025-03-15", "2026-03-15"),
        ("2 quarters", "2025-08-31", "2026-02-28"),
        ("90 days", "2025-01-01", "2025-04-01"),
        ("2 weeks", "2025-02-20", "2025-03-06"),
        ("1 day", "2024-02-28", "2024-02-29"),
        ("12 months, end of month", "2025-03-15", "2026-03-31"),
        ("1 month, end of quarter", "2025-03-15", "2025-06-30"),
        ("1 year, end of year", "2025-03-15", "2026-12-31"),
        ("90 days, end of month", "2025-01-01", "2025-04-30"),
        ("end of month", "2024-02-01", "2024-02-29"),
        ("end of year", "2025-12-31", "2025-12-31"),
    ],
)
def test_the_last_valid_day_of_a_period(period: str, start: str, last: str) -> None:
    assert last_day(period, start) == last


@pytest.mark.parametrize(("calendar", "last"), [(UTC, "2025-02-28"), (MARCH, "2025-03-01")])
def test_a_29_february_comes_back_as_the_program_says(calendar: Calendar, last: str) -> None:
    assert last_day("1 year", "2024-02-29", calendar) == last
    assert last_day("4 years", "2024-02-29", calendar) == "2028-02-29"
    assert last_day("1 month", "2025-01-29", calendar) == "2025-02-28"


def test_the_last_day_is_included() -> None:
    end = Period.parse("12 months").end(LONDON.parse("2024-10-27T12:00"), LONDON)
    assert LONDON.iso(end - 1) == "2025-10-27T23:59:59.999999+00:00"
    assert LONDON.iso(end) == "2025-10-28T00:00:00+00:00"


def test_a_period_ends_after_a_gap_at_midnight() -> None:
    end = Period.parse("1 day").end(SAO_PAULO.parse("2018-11-02T10:00"), SAO_PAULO)
    assert SAO_PAULO.iso(end) == "2018-11-04T01:00:00-02:00"


@pytest.mark.parametrize(
    "text",
    ["", "12", "months", "1.5 months", "-1 month", "12 months,", "12 months, soon", "a year", "٣ days", "1  day"],
)
def test_what_is_no_period_is_refused(text: str) -> None:
    with pytest.raises(PeriodError, match="is not a period; write '90 days', '12 months' or '12 months, end of month'"):
        Period.parse(text)


@pytest.mark.parametrize("text", ["0 days", "101 years", "9999 months"])
def test_a_period_is_longer_than_nothing_and_no_longer_than_a_century(text: str) -> None:
    with pytest.raises(PeriodError, match="must be longer than nothing and at most 100 years"):
        Period.parse(text)


@pytest.mark.parametrize("text", ["1 day", "14 days", "1 month", "12 months, end of month", "end of year"])
def test_a_period_is_written_as_it_was_read(text: str) -> None:
    assert str(Period.parse(text)) == text


@given(st.dates(date(1990, 1, 1), date(2100, 1, 1)), st.integers(1, 600))
def test_a_longer_period_never_ends_earlier(start: date, months: int) -> None:
    shorter, longer = Period(months), Period(months + 1)
    for calendar in (UTC, MARCH):
        assert start.toordinal() < shorter.last_day(start.toordinal(), calendar)
        assert shorter.last_day(start.toordinal(), calendar) < longer.last_day(start.toordinal(), calendar)


# ---- windows


@pytest.mark.parametrize(
    ("window", "today", "first"),
    [
        ("30 days", "2025-03-30", "2025-03-01"),
        ("1 day", "2025-03-30", "2025-03-30"),
        ("1 month", "2025-03-31", "2025-03-01"),
        ("12 months", "2025-06-15", "2024-06-16"),
        ("12 months", "2024-02-29", "2023-03-01"),
        ("calendar month", "2025-03-31", "2025-03-01"),
        ("calendar quarter", "2025-06-30", "2025-04-01"),
        ("calendar quarter", "2025-12-01", "2025-10-01"),
        ("calendar year", "2025-06-15", "2025-01-01"),
        ("lifetime", "2025-06-15", "0001-01-01"),
    ],
)
def test_the_first_day_of_a_window(window: str, today: str, first: str) -> None:
    assert first_day(window, today) == first


@pytest.mark.parametrize(
    ("window", "today", "following"),
    [
        ("calendar month", "2025-01-31", "2025-02-01"),
        ("calendar quarter", "2025-12-31", "2026-01-01"),
        ("calendar year", "2025-01-01", "2026-01-01"),
    ],
)
def test_the_next_calendar_unit(window: str, today: str, following: str) -> None:
    day = Window.parse(window).next_start(date.fromisoformat(today).toordinal(), UTC)
    assert date.fromordinal(day).isoformat() == following


@pytest.mark.parametrize(
    "text", ["calendar fortnight", "12 months, end of month", "end of year", "forever", "", "calendar"]
)
def test_what_is_no_window_is_refused(text: str) -> None:
    with pytest.raises(PeriodError, match="is not a window; write '12 months', 'calendar year' or 'lifetime'"):
        Window.parse(text)


@pytest.mark.parametrize("text", ["lifetime", "30 days", "12 months", "calendar quarter"])
def test_a_window_is_written_as_it_was_read(text: str) -> None:
    assert str(Window.parse(text)) == text
