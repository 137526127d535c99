"""Windowed counters: what happened to an account, by local day, and sums over a window of days."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


class Counter:
    """One metric of one account: values by day, with the sum of the last window asked for kept at hand."""

    __slots__ = ("_first", "_last", "_sum", "days")

    def __init__(self, days: dict[int, int] | None = None) -> None:
        self.days = {} if days is None else days
        self._first, self._last, self._sum = 0, -1, 0

    def add(self, day: int, delta: int) -> None:
        """Add to one day's value."""
        self.days[day] = self.days.get(day, 0) + delta
        if self._first <= day <= self._last:
            self._sum += delta

    def total(self, first: int, last: int) -> int:
        """Return the sum over the days from `first` to `last`, both included."""
        if first == self._first and last == self._last:
            return self._sum
        days = self.days
        if first >= self._first and last >= self._last >= first and last - self._last + first - self._first < len(days):
            for day in range(self._first, first):
                self._sum -= days.get(day, 0)
            for day in range(self._last + 1, last + 1):
                self._sum += days.get(day, 0)
        else:
            self._sum = sum([value for day, value in days.items() if first <= day <= last])
        self._first, self._last = first, last
        return self._sum

    def copy(self) -> Counter:
        """Return an independent copy."""
        return Counter(dict(self.days))


SEPARATOR = ":"
"""Stands between the name of a metric that counts different values and one of its values."""


class Metrics:
    """All counters of one account, by the metric's name.

    A metric that counts different values has a counter for each of them, named ``<metric>:<value>``; what it is over
    some days is how many of these are above zero.
    """

    __slots__ = ("_values", "counters")

    def __init__(self) -> None:
        self.counters: dict[str, Counter] = {}
        self._values: dict[str, dict[str, Counter]] = {}

    def add(self, metric: str, day: int, delta: int) -> None:
        """Add to a metric's value of one day."""
        counter = self.counters.get(metric)
        if counter is None:
            counter = self.put(metric, {})
        counter.add(day, delta)

    def put(self, metric: str, days: dict[int, int]) -> Counter:
        """Set all that is known of a metric, by day."""
        counter = self.counters[metric] = Counter(days)
        if SEPARATOR in metric:
            name, _, value = metric.partition(SEPARATOR)
            self._values.setdefault(name, {})[value] = counter
        return counter

    def total(self, metric: str, first: int, last: int) -> int:
        """Return a metric's sum over the days from `first` to `last`, both included."""
        counter = self.counters.get(metric)
        if counter is None:
            values = self._values.get(metric)
            return 0 if values is None else sum([each.total(first, last) > 0 for each in values.values()])
        return counter.total(first, last)

    def values(self, metric: str) -> dict[str, Counter]:
        """Return the counter of each value of a metric that counts different ones."""
        return self._values.get(metric, {})

    def by_day(self, metric: str, first: int, pending: Iterable[tuple[str, int, int]]) -> list[tuple[int, int]]:
        """Return what a metric counts day by day from a day on, in order, with changes still to be made."""
        counter = self.counters.get(metric)
        days = {} if counter is None else {day: value for day, value in counter.days.items() if day >= first}
        for changed, day, delta in pending:
            if changed == metric and day >= first:
                days[day] = days.get(day, 0) + delta
        return sorted(days.items())

    def values_by_day(
        self, metric: str, first: int, last: int, pending: Iterable[tuple[str, int, int]]
    ) -> list[tuple[int, frozenset[str]]]:
        """Return the values that a metric counts from `first` to `last`, day by day, with changes still to be made."""
        counts = {
            (day, value): count
            for value, counter in self.values(metric).items()
            for day, count in counter.days.items()
            if first <= day <= last
        }
        for changed, day, delta in pending:
            home, _, value = changed.partition(SEPARATOR)
            if home == metric and value and first <= day <= last:
                counts[day, value] = counts.get((day, value), 0) + delta
        days: dict[int, set[str]] = {}
        for (day, value), count in counts.items():
            if count > 0:
                days.setdefault(day, set()).add(value)
        return [(day, frozenset(values)) for day, values in sorted(days.items())]

    def __iter__(self) -> Iterator[tuple[str, int, int]]:
        """Yield metric, day and value of every day that is not zero, in order."""
        for metric in sorted(self.counters):
            for day, value in sorted(self.counters[metric].days.items()):
                if value:
                    yield metric, day, value

    def copy(self) -> Metrics:
        """Return an independent copy."""
        metrics = Metrics()
        metrics.counters = {name: counter.copy() for name, counter in self.counters.items()}
        for name, values in self._values.items():
            metrics._values[name] = {value: metrics.counters[f"{name}{SEPARATOR}{value}"] for value in values}
        return metrics
