"""The functions that an expression may call: what each takes, what it gives, and the code it becomes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any, NoReturn

from stampbook.errors import PeriodError
from stampbook.expressions import arithmetic
from stampbook.expressions.arithmetic import Number
from stampbook.expressions.terms import Calendar, Kind

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST_DIGITS = 18


@dataclass(frozen=True, slots=True)
class Plain:
    """A value that is no number: code that yields it and, if it is known beforehand, the value.

    Of a text that may be but one of some, `values` are those, and `name` is what it was read from.
    """

    kind: Kind
    code: str
    fixed: bool | int | str | frozenset[str] | None = None
    values: tuple[str, ...] = ()
    name: str = ""


Value = Number | Plain


def truth(value: bool) -> Plain:  # noqa: FBT001 - a truth is what it is about
    """Return a truth known when the expression is compiled."""
    return Plain(Kind.TRUTH, repr(value), value)


def condition(code: str) -> Plain:
    """Return a truth that is found when the expression is evaluated."""
    return Plain(Kind.TRUTH, code)


@dataclass(frozen=True, slots=True)
class Call:
    """What a function may use besides its arguments.

    Attributes:
        calendar: the program's.
        fail: raises ExpressionError at the argument of a position.
        event_at: gives the instant of the event, or raises ExpressionError if the scope has none.
    """

    calendar: Calendar
    fail: Callable[[int, str], NoReturn]
    event_at: Callable[[], Plain]


@dataclass(frozen=True, slots=True)
class Function:
    """A function that an expression may call.

    Attributes:
        signature: how it is called, for docs, editors and messages.
        about: one line on what it gives.
        takes: the kinds of its arguments.
        emit: turns the call and its arguments, which are of those kinds, into a value.
        optional: how many of the arguments may be left out.
        repeats: whether the last argument may come again and again.
    """

    signature: str
    about: str
    takes: tuple[Kind, ...]
    emit: Callable[..., Value]
    optional: int = 0
    repeats: bool = False

    @property
    def name(self) -> str:
        """The name by which it is called."""
        return self.signature.partition("(")[0]

    @property
    def arity(self) -> str:
        """How many arguments it takes, in words."""
        most, least = len(self.takes), len(self.takes) - self.optional
        if self.repeats:
            return f"{least} or more arguments"
        return f"{least} or {most} arguments" if self.optional else f"{most} argument{'' if most == 1 else 's'}"

    def takes_count(self, count: int) -> bool:
        """Return whether it may be called with `count` arguments."""
        return len(self.takes) - self.optional <= count and (self.repeats or count <= len(self.takes))


def _round(call: Call, value: Number, digits: Number | None = None) -> Number:
    if digits is None:
        return arithmetic.half_up(value, 0)
    places = digits.fixed
    if places is None or places.denominator != 1 or abs(places) > _MOST_DIGITS:
        call.fail(1, f"the digits of round must be a whole number from -{_MOST_DIGITS} to {_MOST_DIGITS}")
    return arithmetic.half_up(value, int(places))


def _local(name: str) -> Callable[[Call, Plain], Number]:
    def emit(call: Call, instant: Plain) -> Number:
        if isinstance(instant.fixed, int):
            return arithmetic.number(getattr(call.calendar, name)(instant.fixed))
        return Number(f"_{name}({instant.code})")

    return emit


_day = _local("day")


def _year(_call: Call, instant: Plain) -> Number:
    return Number(f"_year(_day({instant.code}))")


def _days_between(call: Call, first: Plain, last: Plain) -> Number:
    return arithmetic.subtract(_day(call, last), _day(call, first))


def _days_since(call: Call, instant: Plain) -> Number:
    return _days_between(call, instant, call.event_at())


def _years_since(call: Call, instant: Plain) -> Number:
    return Number(f"_years({instant.code}, {call.event_at().code})")


def _is_anniversary(call: Call, instant: Plain) -> Plain:
    return condition(f"_is_anniversary({instant.code}, {call.event_at().code})")


def _is_day(call: Call, text: Plain) -> Plain:
    _check_month_day(call, text)
    return condition(f"_is_day({text.code}, {call.event_at().code})")


def _is_month(call: Call, text: Plain) -> Plain:
    _check_month_day(call, text)
    return condition(f"_is_month({text.code}, {call.event_at().code})")


def _check_month_day(call: Call, text: Plain) -> None:
    if isinstance(text.fixed, str) and month_day(text.fixed) is None:
        call.fail(0, f"{text.fixed!r} is not a month and a day; write '03-14'")


def _date(call: Call, text: Plain) -> Plain:
    if not isinstance(text.fixed, str):
        call.fail(0, "date needs a text that stands here, such as date('2025-01-31')")
    try:
        instant = call.calendar.parse(text.fixed)
    except PeriodError as error:
        call.fail(0, str(error))
    return Plain(Kind.INSTANT, f"({instant})", instant)


def _lower(_call: Call, text: Plain) -> Plain:
    return Plain(Kind.TEXT, f"{text.code}.lower()")


def _starts_with(_call: Call, text: Plain, start: Plain) -> Plain:
    return condition(f"{text.code}.startswith({start.code})")


def _ends_with(_call: Call, text: Plain, end: Plain) -> Plain:
    return condition(f"{text.code}.endswith({end.code})")


def _contains(_call: Call, texts: Plain, text: Plain) -> Plain:
    return condition(f"({text.code} in {texts.code})")


def _any_in(_call: Call, texts: Plain, wanted: Plain) -> Plain:
    if texts.fixed is not None:
        texts, wanted = wanted, texts
    one = wanted.code if wanted.fixed is not None else f"_frozenset({wanted.code})"
    return condition(f"(not {one}.isdisjoint({texts.code}))")


def _count(_call: Call, texts: Plain) -> Number:
    return Number(f"_len({texts.code})")


_NUMBER, _TEXT, _INSTANT, _TEXTS = Kind.NUMBER, Kind.TEXT, Kind.INSTANT, Kind.TEXTS

FUNCTIONS: dict[str, Function] = {
    function.name: function
    for function in (
        Function(
            "floor(number)",
            "the greatest whole number up to it",
            (_NUMBER,),
            lambda _, value: arithmetic.floor(value),
        ),
        Function(
            "ceil(number)",
            "the least whole number from it on",
            (_NUMBER,),
            lambda _, value: arithmetic.ceil(value),
        ),
        Function(
            "round(number, digits=0)",
            "rounded to so many digits after the point, halves away from zero",
            (_NUMBER, _NUMBER),
            _round,
            optional=1,
        ),
        Function("abs(number)", "without its sign", (_NUMBER,), lambda _, value: arithmetic.absolute(value)),
        Function(
            "min(number, number, ...)",
            "the smallest",
            (_NUMBER, _NUMBER),
            lambda _, *values: arithmetic.least(values),
            repeats=True,
        ),
        Function(
            "max(number, number, ...)",
            "the largest",
            (_NUMBER, _NUMBER),
            lambda _, *values: arithmetic.greatest(values),
            repeats=True,
        ),
        Function("date('2025-01-31')", "the instant at which that local day, or time, begins", (_TEXT,), _date),
        Function("year(instant)", "the local year", (_INSTANT,), _year),
        Function("month(instant)", "the local month, 1 to 12", (_INSTANT,), _local("month")),
        Function("day_of_month(instant)", "the local day, 1 to 31", (_INSTANT,), _local("day_of_month")),
        Function(
            "weekday(instant)",
            "the local day of the week, 1 Monday to 7 Sunday",
            (_INSTANT,),
            _local("weekday"),
        ),
        Function("hour(instant)", "the local hour, 0 to 23", (_INSTANT,), _local("hour")),
        Function(
            "days_since(instant)",
            "midnights, in local time, between it and the event",
            (_INSTANT,),
            _days_since,
        ),
        Function(
            "days_between(instant, instant)",
            "midnights, in local time, from the first to the second",
            (_INSTANT, _INSTANT),
            _days_between,
        ),
        Function(
            "years_since(instant)", "whole years, in local days, between it and the event", (_INSTANT,), _years_since
        ),
        Function(
            "is_anniversary(instant)",
            "whether the event falls on its day in a later year; 29 February as the program says",
            (_INSTANT,),
            _is_anniversary,
        ),
        Function(
            "is_day(text)",
            "whether the event falls on a month and day such as '03-14'; 29 February as the program says",
            (_TEXT,),
            _is_day,
        ),
        Function("is_month(text)", "whether the event falls in the month of such a text", (_TEXT,), _is_month),
        Function("lower(text)", "in small letters", (_TEXT,), _lower),
        Function(
            "starts_with(text, text)",
            "whether the first begins with the second",
            (_TEXT, _TEXT),
            _starts_with,
        ),
        Function("ends_with(text, text)", "whether the first ends with the second", (_TEXT, _TEXT), _ends_with),
        Function("contains(texts, text)", "whether the text is one of the texts", (_TEXTS, _TEXT), _contains),
        Function("any_in(texts, texts)", "whether the two have a text in common", (_TEXTS, _TEXTS), _any_in),
        Function("count(texts)", "how many texts there are", (_TEXTS,), _count),
    )
}
"""Every function that an expression may call, by name."""


def runtime(calendar: Calendar) -> dict[str, Any]:
    """Return what the code of this module calls, by name."""
    return {
        "_day": calendar.day,
        "_weekday": calendar.weekday,
        "_hour": calendar.hour,
        "_month": calendar.month,
        "_day_of_month": calendar.day_of_month,
        "_year": _year_of_day,
        "_years": lambda since, at: _years(calendar, since, at),
        "_is_anniversary": lambda since, at: _is_anniversary_on(calendar, since, at),
        "_is_day": lambda text, at: _falls_on(calendar, text, at),
        "_is_month": lambda text, at: (found := month_day(text)) is not None and found[0] == calendar.month(at),
        "_frozenset": frozenset,
        "_len": len,
    }


def _year_of_day(day: int) -> int:
    return date.fromordinal(day).year


def month_day(text: str) -> tuple[int, int] | None:
    """Return the month and day that a text such as ``03-14`` names; None where it names none."""
    try:
        found = date.fromisoformat(f"2024-{text}")  # a leap year
    except ValueError:
        return None
    return (found.month, found.day) if text[2:3] == "-" else None


def _years(calendar: Calendar, since: int, at: int) -> int:
    first, today = calendar.day(since), calendar.day(at)
    years = _year_of_day(today) - _year_of_day(first)
    return years - 1 if calendar.add_months(first, 12 * years) > today else years


def _is_anniversary_on(calendar: Calendar, since: int, at: int) -> bool:
    first, today = calendar.day(since), calendar.day(at)
    years = _year_of_day(today) - _year_of_day(first)
    return years > 0 and calendar.add_months(first, 12 * years) == today


def _falls_on(calendar: Calendar, text: str, at: int) -> bool:
    found = month_day(text)
    if found is None:
        return False
    today = calendar.day(at)
    leap = date(2024, *found).toordinal()
    return calendar.add_months(leap, 12 * (_year_of_day(today) - 2024)) == today
