"""The `[kinds.NAME]` tables of a program: kinds of lot that may be spent only on some things, places and times.

A lot keeps its kind wherever it goes, so what it may be spent on goes with it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, model_validator

from stampbook.amounts import split
from stampbook.vocabulary import refuse

if TYPE_CHECKING:
    from stampbook.orders import Order
    from stampbook.periods import Calendar

KIND_NAME = r"^[a-z][a-z0-9_-]{0,62}$"
_HOURS = re.compile(r"([01]\d|2[0-3]):([0-5]\d)-([01]\d|2[0-4]):([0-5]\d)", re.ASCII)
_DAY_NAMES = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MINUTES = 24 * 60

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
_Text = Annotated[str, Field(min_length=1, max_length=255)]


class Place(NamedTuple):
    """Where and when something is spent, and on what: amounts by line of an order, or None where nobody says.

    `minute` is that of the local day, `weekday` 1 for Monday to 7 for Sunday. The lines come to the whole order.
    """

    store: str
    weekday: int
    minute: int
    lines: tuple[tuple[str, int], ...] | None = None


class Restriction(NamedTuple):
    """What a kind of lot may be spent on; empty means anything, anywhere, at any time."""

    categories: frozenset[str] = frozenset()
    stores: frozenset[str] = frozenset()
    hours: tuple[tuple[int, int], ...] = ()
    days: frozenset[int] = frozenset()

    def allows(self, place: Place) -> bool:
        """Whether anything may be spent there and then: on what is judged line by line."""
        there = not self.stores or place.store in self.stores
        today = not self.days or place.weekday in self.days
        now = not self.hours or any(first <= place.minute < end for first, end in self.hours)
        known = not self.categories or place.lines is not None
        return there and today and now and known

    @property
    def words(self) -> str:
        """What it says, for people: ``only for drinks, at S1, 14:00-17:00``."""
        parts = [f"for {' or '.join(sorted(self.categories))}"] if self.categories else []
        parts += [f"at {' or '.join(sorted(self.stores))}"] if self.stores else []
        parts += [f"on {', '.join(_DAY_NAMES[day - 1] for day in sorted(self.days))}"] if self.days else []
        parts += [" and ".join(f"{_clock(first)}-{_clock(end)}" for first, end in self.hours)] if self.hours else []
        return f"only {', '.join(parts)}"


class KindTable(BaseModel):
    """One `[kinds.NAME]` table: where lots of that kind may be spent. What is absent is not restricted."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    categories: Annotated[tuple[_Text, ...], Field(description="only on lines of an order of these categories")] = ()
    stores: Annotated[tuple[_Text, ...], Field(description="only in these stores")] = ()
    hours: Annotated[
        tuple[str, ...],
        Field(description="only at these local times, such as '14:00-17:00'; the end is no longer one of them"),
    ] = ()
    days: Annotated[tuple[Weekday, ...], Field(description="only on these days of the week")] = ()

    @model_validator(mode="after")
    def _restricts(self) -> KindTable:
        if not (self.categories or self.stores or self.hours or self.days):
            refuse("a kind that is restricted says its categories, stores, hours or days")
        for text in self.hours:
            match = _HOURS.fullmatch(text)
            first, end = _span(match) if match else (0, 0)
            if not 0 <= first < end <= _MINUTES:
                refuse(f"hours: {text!r} is no time of one day such as '14:00-17:00'; past midnight write two")
        return self

    @property
    def restriction(self) -> Restriction:
        """What it says, worked out."""
        spans = [_span(match) for text in self.hours if (match := _HOURS.fullmatch(text))]
        days = [_DAY_NAMES.index(day) + 1 for day in self.days]
        return Restriction(frozenset(self.categories), frozenset(self.stores), tuple(sorted(spans)), frozenset(days))


def place_of(at: int, store: str, order: Order | None, calendar: Calendar) -> Place:
    """Return where and when something is spent, and on what; a line counts with its share of tax on top."""
    local = calendar.local(at)
    lines: tuple[tuple[str, int], ...] | None = None
    if order is not None and order.lines:
        nets = [line.net for line in order.lines]
        costs = nets if order.total == order.net or not any(nets) else split(order.total, nets)
        lines = tuple((line.category, cost) for line, cost in zip(order.lines, costs, strict=True))
    return Place(store, calendar.weekday(at), local.hour * 60 + local.minute, lines)


def _span(match: re.Match[str]) -> tuple[int, int]:
    hour, minute, to_hour, to_minute = map(int, match.groups())
    return hour * 60 + minute, to_hour * 60 + to_minute


def _clock(minute: int) -> str:
    return f"{minute // 60:02}:{minute % 60:02}"
